/* SPDX-License-Identifier: Apache-2.0
 *
 * rollup.h - counts by (day, scope, identity, action, resource, outcome, via), until they fill a commit.
 *
 * Past USAGE_MAX_RESOURCES distinct resources of one identity, action and day, the resources are widened:
 * those of one container (a bucket, a kind of resource in an account and region) become the longest
 * prefix that they share, cut back to a '/' or ':', and '*'. Past USAGE_MAX_CONTAINERS of them, all become
 * their service's in the account and region. Past USAGE_MAX_SESSIONS sessions of an identity on a day,
 * further ones are not told apart. All of it begins anew with each commit, so that what a commit says
 * depends on nothing but the events in it.
 */
#ifndef AWS_USAGE_ROLLUP_H
#define AWS_USAGE_ROLLUP_H

#include <kim/emit.h>
#include <kim/text.h>

enum {
    USAGE_MAX_RESOURCES = 64,  /* a policy of 6,144 bytes could not name more ARNs */
    USAGE_MAX_CONTAINERS = 16,
    USAGE_MAX_SESSIONS = 16,   /* enough for people; a build role has one for each run */
    ROLLUP_FULL_BYTES = 600 * 1024, /* of encoded records; beside it coverage, and one event's records, fit a commit */
};

typedef struct rollup rollup;

rollup *rollup_new(void); /* NULL without memory */
void rollup_free(rollup *r);

/* A text to use below, by number; equal texts have equal numbers, absent has 0. Good until rollup_reset. */
uint32_t rollup_text(rollup *r, kim_text text);

typedef struct rollup_use {
    int32_t day;
    uint32_t scope, identity, action, via; /* rollup_text */
    bool via_session; /* via is a session of the identity: one of many */
    kim_text resource;
    bool widened;     /* resource ends in '*' already */
    int32_t outcome;  /* kim_outcome */
    int64_t at_unix_ms;
} rollup_use;

/* Counts one. */
void rollup_add(rollup *r, const rollup_use *use);

/* Time to hand over? */
bool rollup_is_full(const rollup *r);
bool rollup_failed(const rollup *r); /* out of memory: nothing that was added counts */
size_t rollup_count(const rollup *r);

/* Hands the counts over as usage records, in the order in which they were first seen. Errors: kim_emit's */
int rollup_emit(rollup *r, kim_emitter *emitter, kim_error *err);
void rollup_reset(rollup *r);

/* For other tables of texts here. The seed is chosen when the process begins. */
uint64_t usage_hash(const void *bytes, size_t size);

#endif
