/* SPDX-License-Identifier: Apache-2.0
 *
 * case.h - a Kubernetes case of `kim evaluate` to records.
 *
 * Everything is defined in the cluster "case", scope "k8s:case" and below: roles and bindings as a cluster's are, and
 * nothing else, for a case says all there is. Of two roles of one name and namespace the first counts, as with the API
 * server's own evaluation of lists. Rules that are compared are the policies `reference` and `candidate`, what a writer
 * may grant is the policy `granted`, rules to expand are `expand`.
 */
#ifndef KUBERNETES_CASE_H
#define KUBERNETES_CASE_H

#include <kim/emit.h>

/* Emits the case's records; resets both arenas first.
 * Errors: KIM_ERR_INPUT "case: ..." (nothing was emitted then), KIM_ERR_LIMIT, those of host->emit */
int k8s_case_normalise(kim_emitter *emitter, kim_arena *arena, kim_arena *scratch, const char *name, const char *bytes, size_t size,
                       kim_error *err);

#endif
