/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_condition.h - IAM Conditions: an expression in CEL over the attributes of a request.
 *
 * Three policies use them and each knows its own attributes: an allow policy all of the request's and the resource's,
 * a deny rule the tags alone, the binding of a boundary the principal's. What one does not know it cannot
 * evaluate, and that counts against access: no grant, a denial, a boundary in force.
 *
 * Source: IAM, "Attribute reference for IAM Conditions"; "Overview of IAM Conditions"; "Deny policies", Denial
 * conditions; "Principal access boundary policies", Structure of a policy binding.
 */
#ifndef KIM_GCP_CONDITION_H
#define KIM_GCP_CONDITION_H

#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/gcp_member.h"
#include "controller/evaluate/gcp_tree.h"
#include "controller/evaluate/terms.h"

typedef struct gcp_condition gcp_condition;

typedef enum gcp_condition_use { GCP_GRANTS, GCP_DENIES, GCP_BOUNDS } gcp_condition_use;

/* What conditions see of one request. */
typedef struct gcp_request {
    const question *q;
    const gcp_tree *tree;
    const gcp_member *asker;
    const uint32_t *chain; /* [depth] the resource and what lies above it; places of the tree */
    size_t depth;
    bool is_complete;      /* what is not in the estate does not exist */
    kim_arena *scratch;
    bool (*tag)(void *from, kim_text key, kim_text value); /* has it the tag? value absent: any; NULL: the chain's places tell */
    void *from;
} gcp_request;

/* Never fails for what the text says: a condition that cannot be read is kept as such. NULL: no memory. */
const gcp_condition *gcp_condition_read(kim_condition condition, bool is_case, kim_arena *arena);

/* When it lets the grant, the denial or the boundary count. NULL without memory. */
const term *gcp_condition_holds(const gcp_condition *c, gcp_condition_use use, const gcp_request *rq);

/* The time of the request: 0 and *known false where nobody tells. */
int64_t gcp_request_time(const gcp_request *rq, bool *known);

#endif
