/* SPDX-License-Identifier: Apache-2.0
 *
 * case.h - a neutral case of `kim evaluate` to records: kim's own words, for any system that has no provider.
 *
 * Everything is defined in the scope "neutral:case": the profile "neutral"; the request's identity and
 * resource; per statement a policy (its id: the statement's, or "[INDEX]"), one statement (sid: the
 * statement's id, index: its place; its actions, subjects, condition, order, weight) and one attachment (layer,
 * inherit, eligible, starts, expires, origin) without subject, scope or resource: the statement names
 * them. A statement without a layer is of the profile's first granting one, or of "statements". Edges
 * and parents as written. starts and expires are Unix milliseconds or RFC 3339 text. A key whose value
 * is null is as if it were not there.
 */
#ifndef NEUTRAL_CASE_H
#define NEUTRAL_CASE_H

#include <kim/emit.h>
#include <kim/json.h>

/* Emits the case's records; resets arena first.
 * Errors: KIM_ERR_INPUT "case: ..." (nothing was emitted then), KIM_ERR_LIMIT, those of host->emit */
int neutral_case_normalise(kim_emitter *emitter, kim_arena *arena, const char *name, const char *bytes,
                           size_t size, kim_error *err);

/* A document: what a case says, without a request, and with "scope" (absent: "neutral:" and the file's name up to its first
 * dot), "name" (the profile's id; absent: "neutral"), "product" and "identities":[{"id","kind","name"}]. Every statement has an
 * id. Whom memberships and statements name becomes an identity too: a group where something is a member of it, else a workload.
 * name: the file's. Errors: as above, with the file's name in front */
int neutral_document_normalise(kim_emitter *emitter, kim_arena *arena, const char *name, const char *bytes,
                               size_t size, kim_error *err);
/* Is it one, by how it begins? 0 no, 2 surely. */
int neutral_recognise(const char *head, size_t size);

#endif
