/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp.h - what the files of Google Cloud's engine share. Others see evaluate.h.
 */
#ifndef KIM_GCP_H
#define KIM_GCP_H

#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/gcp_rules.h"

enum { GCP_SAYS_MAX = 256 };

typedef enum gcp_layer { GCP_ALLOW_LAYER, GCP_DENY_LAYER, GCP_BOUNDARY_LAYER } gcp_layer;

/* A statement that had a say, and under what. */
typedef struct gcp_say {
    gcp_layer layer;
    const gcp_source *source;
    uint32_t role;     /* of an allow */
    uint32_t place;
    const term *when;
} gcp_say;

/* One evaluator's scratch. */
typedef struct gcp_state {
    evaluator *ev;
    const gcp_rules *r;
    gcp_asker asker;
    uint32_t *holders;      /* [holder_count] room for all nodes */
    uint32_t holder_count;
    gcp_request rq;
    kim_text permission;    /* its one name */
    uint32_t number;        /* of the permission; UINT32_MAX: no role has it */
    const uint64_t *givers; /* gcp_row of the roles */
    uint32_t chain[KIM_SCOPE_MAX_DEPTH];
    const term *too_deep;   /* what lies further above; &term_false: nothing */
    const term *gap;        /* what could not be read, here or above; &term_false: nothing */
    gcp_say says[GCP_SAYS_MAX];
    size_t say_count;
} gcp_state;

void *gcp_state_new(evaluator *ev, const void *compiled, kim_error *err);
void gcp_state_free(void *state);

/* The decision of one question; ev's scratch was reset. Errors: KIM_ERR_INPUT, KIM_ERR_NOMEM */
int gcp_decide(evaluator *ev, const question *q, answer *out, kim_error *err);

/* Names the permission and the resource's chain in s. -1: no memory. */
int gcp_ask(gcp_state *s, const question *q, kim_error *err);

int gcp_who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err);
int gcp_what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err);
int gcp_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);
int gcp_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);

#endif
