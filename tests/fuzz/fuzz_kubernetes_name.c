/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_kubernetes_name.c - any text is a resource of a cluster or is refused with a reason; what was read, written
 * and read again is the same, with its cluster and without.
 */
#include <stdint.h>
#include <stdlib.h>

#include "controller/evaluate/kubernetes_name.h"

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void write_and_read_again(const kubernetes_name *n, kim_text cluster, kim_arena *arena)
{
    kim_error err = {0};
    kubernetes_name again;
    kim_text name = n->any_name ? KIM_NO_TEXT : n->name, pattern = n->path;
    if (kim_text_is_absent(n->path))
        pattern = kim_text_is_absent(n->name) ? n->type : kubernetes_pattern(arena, n->type, name);
    kim_text written = kubernetes_name_in(arena, cluster, pattern, n->namespace, n->any_namespace);
    expect(kubernetes_name_read(written, arena, &again, &err) == 0);
    expect(kim_text_equal(again.cluster, cluster) && kim_text_equal(again.path, n->path));
    expect(kim_text_is_absent(again.path) == kim_text_is_absent(n->path) && kim_text_is_absent(again.name) == kim_text_is_absent(n->name));
    expect(kim_text_equal(again.resource, n->resource) && kim_text_equal(again.api_group, n->api_group));
    expect(kim_text_equal(again.subresource, n->subresource) && kim_text_equal(again.namespace, n->namespace));
    expect(kim_text_equal(again.name, n->name) && again.any_name == n->any_name && again.any_namespace == n->any_namespace);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    kim_error err = {0};
    kubernetes_name n;
    if (kubernetes_name_read((kim_text){(const char *)bytes, size}, arena, &n, &err) == 0) {
        write_and_read_again(&n, n.cluster, arena);
        write_and_read_again(&n, KIM_NO_TEXT, arena);
    } else {
        expect(err.code == KIM_ERR_INPUT && err.message[0]);
    }
    kim_arena_free(arena);
    return 0;
}
