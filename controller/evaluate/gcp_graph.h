/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_graph.h - who belongs to which sets: groups in groups, domains, pools, the holders of a basic role.
 *
 * Every principal and set that anything names is a node, and membership is an edge, also where it follows
 * from a name (a user and their domain). Going up from who asks gives all sets that surely hold them. A set
 * whose members nobody listed, or that holds such a set, is open: whether it holds the asker is asked by itself.
 */
#ifndef KIM_GCP_GRAPH_H
#define KIM_GCP_GRAPH_H

#include "controller/evaluate/gcp_condition.h"
#include "controller/evaluate/gcp_member.h"
#include "controller/evaluate/gcp_tree.h"
#include "controller/evaluate/terms.h"

/* Nodes that are always there. */
enum { GCP_EVERYONE_NODE = 0, GCP_AUTHENTICATED_NODE = 1 };

typedef struct gcp_edge {
    uint32_t to;
    bool hidden;                        /* there is a condition that nobody read */
    bool is_conditional;                /* it does not always hold: hidden, under a condition, or for a while */
    const kim_edge *source;             /* NULL: it follows from names, or from a policy */
    const gcp_condition *condition;     /* of the binding that makes a holder; NULL: none */
} gcp_edge;

typedef struct gcp_node {
    gcp_member member;
    const kim_record *identity;         /* NULL: it is only named */
    uint32_t up, up_count;              /* edges to the sets that hold it */
    uint32_t down, down_count;          /* edges to its members */
    bool is_listed;                     /* its members are known, if there are none */
    bool is_open;                       /* a set of which nobody can say that it lacks an asker */
    bool holds_open;                    /* it, or a set in it, is open */
} gcp_node;

typedef struct gcp_graph {
    kim_arena *arena;
    const gcp_tree *tree;
    text_map *ids;
    gcp_node *nodes; /* [count] */
    uint32_t count, capacity;
    gcp_edge *edges; /* of `up`, then of `down` */

    /* while it is made */
    struct gcp_pending *pending;
    size_t pending_count, pending_capacity;
} gcp_graph;

/* -1: no memory */
int gcp_graph_begin(gcp_graph *g, estate *es, const gcp_tree *tree, kim_arena *arena);
/* The node of a principal or set, in either spelling; UINT32_MAX without memory. */
uint32_t gcp_graph_add(gcp_graph *g, kim_text text);
/* from is a member of to. */
int gcp_graph_join(gcp_graph *g, uint32_t from, uint32_t to, gcp_edge how);
/* All is added: makes the edges and finds what is open. */
int gcp_graph_end(gcp_graph *g);

void gcp_graph_drop(gcp_graph *g); /* one that was begun and not ended */

uint32_t gcp_graph_find(const gcp_graph *g, kim_text id); /* by its one id; UINT32_MAX: nobody names it */

/* ---- one asker ---- */

/* Who asks, and the sets that hold them: scratch of one evaluator. */
typedef struct gcp_asker {
    const gcp_graph *graph;
    gcp_member member;
    uint32_t *stamps;     /* [graph->count] == stamp: it holds the asker */
    const term **when;    /* [graph->count] of those: always, or under what */
    uint32_t *reached;    /* [count] the nodes that do */
    uint32_t count, stamp;
    uint32_t *seen, *path; /* [graph->count] of a walk down into a set */
    uint32_t walk;
} gcp_asker;

/* -1: no memory */
int gcp_asker_new(gcp_asker *a, const gcp_graph *g);
void gcp_asker_free(gcp_asker *a);
/* KIM_ERR_INPUT: it is no principal; KIM_ERR_NOMEM */
int gcp_asker_set(gcp_asker *a, kim_text principal, const gcp_request *rq, kim_error *err);
/* Does the set hold the asker? NULL without memory. */
const term *gcp_asker_in(const gcp_asker *a, uint32_t node, const gcp_request *rq);

#endif
