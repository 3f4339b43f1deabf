/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_rules.h - an estate's allow, deny and boundary policies of Google Cloud, readied for many decisions.
 *
 * Compiled once and shared by all who ask. Permissions are numbered, a role is a bitset of them, and what a
 * set of principals holds on a resource is found by both at once: a decision looks only where the asker, or a
 * set that holds them, is named on the resource or above it.
 */
#ifndef KIM_GCP_RULES_H
#define KIM_GCP_RULES_H

#include "controller/evaluate/gcp_condition.h"
#include "controller/evaluate/gcp_graph.h"
#include "controller/evaluate/gcp_permission.h"
#include "controller/evaluate/gcp_tree.h"

typedef struct gcp_role {
    kim_text name;
    const uint64_t *permissions; /* bits by number; NULL: nobody read the role */
    kim_text unread;             /* why, in words */
    const kim_statement **parts; /* [part_count] its statements */
    const uint64_t **part_bits;  /* [part_count] the permissions of each; NULL: there is one */
    size_t part_count;
} gcp_role;

/* A statement of a policy, or a binding of one, as answers name it. */
typedef struct gcp_source {
    kim_text policy, name;       /* the policy's label, and the index within it */
    const kim_statement *statement; /* NULL: a binding has its role's */
    const kim_attachment *attachment;
} gcp_source;

typedef struct gcp_list {
    uint32_t first, count;       /* of an array that its owner names */
} gcp_list;

/* A role given to one member on a resource, and all below it. */
typedef struct gcp_binding {
    uint32_t role, place;
    uint32_t member;                /* a node; UINT32_MAX: nobody */
    bool hidden;                    /* there is a condition, and the policy was read without it */
    const gcp_condition *condition; /* NULL: none */
    kim_text unread;                /* the policy was not read: it may give anything to anyone */
    gcp_source source;
} gcp_binding;

/* Permissions by patterns. */
typedef struct gcp_cover {
    const gcp_pattern *patterns;    /* [count] */
    size_t count;
    const uint64_t *bits;           /* of the permissions that have a number */
    bool any;                       /* all permissions */
    bool globs;                     /* a pattern is none of Google's: what it would match is not known */
} gcp_cover;

typedef struct gcp_deny_rule {
    gcp_source source;
    uint32_t place;
    gcp_cover denied, spared;
    gcp_list principals, exceptions; /* gcp_rules.members */
    const gcp_condition *condition;
    kim_text unread;
} gcp_deny_rule;

typedef struct gcp_boundary_rule {
    gcp_source source;
    gcp_list places;                /* gcp_rules.places: what its principals may reach, and all below */
} gcp_boundary_rule;

typedef struct gcp_boundary {
    gcp_source source;              /* of the policy as a whole */
    gcp_list rules;                 /* gcp_rules.boundary_rules */
    gcp_cover blocked, spared;
    kim_text unread;
} gcp_boundary;

/* A boundary bound to a set of principals. */
typedef struct gcp_bound {
    uint32_t boundary, node;
    const gcp_condition *condition; /* on the principal */
    const kim_attachment *attachment;
} gcp_bound;

/* A binding, and its role: most are passed over by that alone. */
typedef struct gcp_held {
    uint32_t binding, role;
} gcp_held;

/* What a node holds on a place: bindings. */
typedef struct gcp_hold {
    uint64_t key;                   /* place << 32 | node */
    gcp_list bindings;              /* gcp_rules.held */
} gcp_hold;

/* A bit for each of the places where a node holds something; several places share one. */
typedef struct gcp_marks {
    uint64_t words[4];
} gcp_marks;

/* For each permission (and, last, for those without a number) a bitset of what may matter to it. */
typedef struct gcp_rows {
    uint64_t *bits;                 /* NULL: there were too many; everything may */
    size_t words;                   /* of a row */
} gcp_rows;

/* What could not be read, on a place or (GCP_NOWHERE) anywhere. */
typedef struct gcp_gap {
    uint32_t place;
    kim_text what;
} gcp_gap;

typedef struct gcp_rules {
    estate *es;
    kim_arena *arena;
    gcp_tree tree;
    gcp_graph graph;
    text_map *permissions;          /* by name */
    size_t words;                   /* of a bitset */
    text_map *role_names;
    gcp_role *roles;
    gcp_binding *bindings;          /* by place */
    uint32_t binding_count;
    gcp_deny_rule *denies;          /* by place */
    uint32_t deny_count;
    gcp_boundary *boundaries;
    gcp_boundary_rule *boundary_rules;
    gcp_bound *bounds;              /* by node */
    uint32_t bound_count;
    uint32_t *members, *places;
    gcp_held *held;
    gcp_rows role_rows, deny_rows;  /* of roles that may give it; of deny rules that may deny it */
    gcp_hold *holds;                /* [hold_slots] open addressing; an empty one has no bindings */
    size_t hold_slots;
    gcp_list *bindings_at, *denies_at, *open_at;  /* [tree.count]; open_at: of `open` */
    uint32_t *open;                 /* bindings of open sets, and policies that were not read */
    gcp_list *bounds_of;            /* [graph.count] */
    gcp_list *bindings_of;          /* [graph.count] of `by_node` */
    gcp_marks *marks;               /* [graph.count] of the places where it holds something */
    uint32_t *by_node;
    uint32_t *open_bounds;          /* bounds whose principals are an open set */
    uint32_t open_bound_count;
    gcp_gap *gaps;                  /* [gap_count] */
    uint32_t gap_count;
    kim_text *gap_at;               /* [tree.count] absent: none; NULL: there are no gaps */
    kim_text gap_anywhere;          /* absent: none */
    bool has_denies, has_bounds;
    kim_text first_unread;
} gcp_rules;

/* NULL with err: KIM_ERR_NOMEM */
void *gcp_rules_compile(estate *es, kim_error *err);
void gcp_rules_free(void *compiled); /* NULL is fine */

/* The number of a permission by its one name; UINT32_MAX: no role that is bound has it. */
static inline uint32_t gcp_rules_permission(const gcp_rules *r, kim_text name)
{
    return text_map_find(r->permissions, name);
}

static inline bool gcp_bit(const uint64_t *bits, uint32_t number)
{
    return bits[number / 64] >> (number % 64) & 1;
}

/* Does it cover the permission? number: of the name, or UINT32_MAX. *unsure: a pattern that is none of Google's would. */
bool gcp_covers(const gcp_cover *cover, uint32_t number, kim_text name, bool *unsure);

/* All arrays that are indexed by place or node, of what was read. bounds: [bound_count], not sorted. -1: no memory. */
int gcp_rules_lay_out(gcp_rules *r, const gcp_bound *bounds);

/* The row of a permission; NULL: there are none. */
static inline const uint64_t *gcp_row(const gcp_rules *r, const gcp_rows *rows, uint32_t number)
{
    size_t at = number == UINT32_MAX ? text_map_count(r->permissions) : number;
    return rows->bits ? rows->bits + at * rows->words : NULL;
}

static inline bool gcp_may_matter(const uint64_t *row, uint32_t number)
{
    return row == NULL || gcp_bit(row, number);
}

/* A bit of a place. */
static inline uint64_t gcp_mark(uint32_t place, unsigned *word)
{
    uint32_t h = place * UINT32_C(0x9E3779B1);
    *word = h >> 30;
    return UINT64_C(1) << (h >> 24 & 63);
}

/* False: it surely holds nothing there. */
static inline bool gcp_may_hold(const gcp_marks *marks, uint32_t place)
{
    unsigned word;
    uint64_t bit = gcp_mark(place, &word);
    return marks->words[word] & bit;
}

/* What a node holds on a place; NULL: nothing. */
const gcp_list *gcp_rules_held(const gcp_rules *r, uint32_t place, uint32_t node);

#endif
