/* SPDX-License-Identifier: Apache-2.0
 *
 * walks.h - short ways through an estate's records, which are sorted by their keys.
 */
#ifndef KIM_WALKS_H
#define KIM_WALKS_H

#include "controller/estate/estate.h"

/* Borrowed from the estate: [count] records in the order of their keys. */
typedef struct record_run {
    const kim_record *items;
    size_t count;
} record_run;

record_run edges_from(const estate *es, kim_edge_kind kind, kim_text from);
record_run attachments_of(const estate *es, kim_text policy);
record_run statements_of(const estate *es, kim_text policy);

/* An identity, and what it is a member of by memberships that are in force or eligible, nearest first. */
typedef struct membership {
    kim_text id;
    const kim_edge *by;  /* the edge that led here; NULL: the identity itself */
    size_t from;         /* the place of by->from in the list */
} membership;

typedef struct memberships {
    membership *items;   /* [count], in arena; cycles end */
    size_t count;
    bool is_cut;         /* more than MEMBERSHIPS_MAX */
} memberships;

enum { MEMBERSHIPS_MAX = 65536 };

/* items NULL without memory. */
memberships memberships_of(const estate *es, kim_text identity, kim_arena *arena);

/* The place of a group in the list; count: not there. */
size_t memberships_find(const memberships *of, kim_text id);

#endif
