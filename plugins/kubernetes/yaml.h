/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml.h - the documents of a YAML stream, as the JSON that kubectl would make of them.
 */
#ifndef KUBERNETES_YAML_H
#define KUBERNETES_YAML_H

#include <kim/json.h>

/* What a stream may stand for once its aliases are followed: a few lines of them could say billions. */
enum { K8S_YAML_MAX_VALUES = 16 * 1024 * 1024 };

typedef struct k8s_documents {
    const kim_json **items; /* [count], in arena; an empty document is a null */
    size_t count;
} k8s_documents;

/* Scalars that are not quoted become null, booleans and numbers as YAML 1.1 has them (`yes` and `on` too), all else is
 * a string. Aliases and merge keys (<<) are followed; what they stand for is shared, not copied.
 *
 * bytes, size  UTF-8; need not outlive the call
 * Errors: KIM_ERR_INPUT "ORIGIN:LINE: ...", KIM_ERR_LIMIT past KIM_JSON_MAX_DEPTH or K8S_YAML_MAX_VALUES, KIM_ERR_NOMEM
 * Source: yaml.org/spec/1.1, yaml.org/type
 */
int k8s_yaml_parse(const char *bytes, size_t size, const char *origin, kim_arena *arena, k8s_documents *out, kim_error *err);

#endif
