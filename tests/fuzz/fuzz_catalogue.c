/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_catalogue.c - any bytes are a catalogue or are refused with a reason; in one, each action is found by its
 * name, and covered by each pattern that it gives.
 */
#include <stdlib.h>

#include "controller/evaluate/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_action(const catalogue *cat, int32_t id, uint64_t *set)
{
    kim_text name = catalogue_lower(cat, id), key;
    char pattern[CATALOGUE_MAX_NAME];
    size_t uses;
    if (catalogue_action(cat, catalogue_name(cat, id)) != id || catalogue_match(cat, name, set) == 0)
        abort();
    memcpy(pattern, name.bytes, name.size);
    pattern[name.size / 2] = '*';
    set[id / 64] = 0;
    if (catalogue_match(cat, (kim_text){pattern, name.size}, set) == 0 || !(set[id / 64] >> id % 64 & 1))
        abort();
    catalogue_uses(cat, id, &uses);
    if (catalogue_takes_no_resource(cat, id) != (uses == 0))
        abort();
    for (kim_text rest = catalogue_keys(cat, id); catalogue_next(&rest, &key);)
        catalogue_key_find(cat, key);
    if (catalogue_service_find(cat, catalogue_service_of(cat, id)->prefix) != catalogue_service_of(cat, id))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_error err = {0};
    catalogue *cat = catalogue_parse((const char *)bytes, size, "fuzz", &err);
    if (cat == NULL) {
        if (err.code == KIM_OK || err.message[0] == '\0')
            abort();
        return 0;
    }
    uint64_t *set = calloc(catalogue_words(cat) + 1, sizeof *set);
    for (int32_t id = 0; set && id < (int32_t)catalogue_count(cat); id++)
        check_action(cat, id, set);
    free(set);
    catalogue_free(cat);
    return 0;
}
