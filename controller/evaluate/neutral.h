/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral.h - what the neutral engine's files share: an estate's systems as they are compiled, and one decision at work.
 * Private to neutral*.c.
 *
 * A *system* is what one profile governs: the records of the profile's scope and of the scopes below it that have no
 * profile of their own. Systems of one scope share its *domain*: its identities, edges and resources. An identity's id
 * is a *node*, unique within its domain. A *hold* is a policy where it hangs: an attachment, or, where the statements
 * themselves name their subjects, one of its statements for one of these. Holds lie in *buckets*: of a node, of a resource,
 * of a scope, or of everyone, so that a decision looks at those only that it can reach.
 */
#ifndef KIM_NEUTRAL_H
#define KIM_NEUTRAL_H

#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/kim_condition.h"
#include "controller/evaluate/language.h"

enum {
    NEUTRAL_NONE = UINT32_MAX,   /* no such number */
    NEUTRAL_LAYERS_MAX = 64,     /* of a profile: bits of a word */
    NEUTRAL_PARENTS_MAX = 4096,  /* resources above a resource */
    NEUTRAL_PATHS_MAX = 1 << 18, /* ways from one identity to its groups */
    NEUTRAL_PARTS_MAX = 1 << 20, /* parts of all their orders */
    NEUTRAL_ORDER_MAX = 256,     /* parts of the order of one way */
    NEUTRAL_NAMESAKES_MAX = 8,   /* identities of one id in other domains */
};

/* ---- compiled: shared by all threads, never changed ---- */

/* A number of an order, which may be any number: its floor, and what is above. */
typedef struct order_part {
    int64_t whole;
    double rest;
} order_part;

/* Two elements of statements, such as actions and not_actions; shared by all that have the same. */
typedef struct pattern_list {
    const pattern *const *named; /* [named_count] */
    const pattern *const *less;  /* [less_count] */
    uint32_t named_count, less_count;
    bool names_all;              /* the element is absent */
    bool is_action_list;
    kim_texts less_texts;
} pattern_list;

/* A condition, read; equal ones are one. */
typedef struct held_condition {
    const kim_test *test; /* NULL: not understood */
    kim_text unread;      /* why */
    bool is_fault;        /* whoever wrote it has to mend it: it is in kim's language, and is none */
} held_condition;

typedef struct neutral_rule {
    const kim_statement *source;
    kim_text name;                 /* in answers: its sid, else its index */
    uint32_t actions, resources, universe; /* numbers of lists; 0: everything */
    uint8_t effect;                /* kim_effect; 0: not known */
    bool names_subjects, any_subject; /* any: the element is absent, or "*" is among them */
    const uint32_t *subjects, *not_subjects; /* nodes */
    uint32_t subject_count, not_subject_count;
    const held_condition *condition; /* NULL: none */
    const order_part *order;       /* [order_count] */
    uint32_t order_count;
    kim_text unread;               /* why it was not understood; absent: it was */
} neutral_rule;

typedef struct neutral_document {
    kim_text label;                /* in answers */
    const neutral_rule *rules;     /* [count], as written */
    uint32_t count;
    kim_text unread;               /* why the whole was not read */
} neutral_document;

typedef struct neutral_hold {
    const kim_attachment *source;
    const neutral_document *document;
    uint32_t first, count;         /* which of its rules */
    uint32_t bucket, system;
    uint32_t subject, resource, scope; /* where the attachment says so */
    uint16_t reach;                /* how many levels below the resource or scope */
    uint8_t layer;
    bool follows_subjects;         /* its bucket is of one of the statement's own subjects */
    bool is_bounded;               /* it has a condition, a start or an end */
    const held_condition *condition;
    kim_text unread;
} neutral_hold;

typedef struct hold_list {
    const neutral_hold *items;     /* [count] */
    uint32_t count;
} hold_list;

typedef enum layer_use { USE_GRANT, USE_CEILING, USE_VETO, USE_DELEGATION } layer_use;
typedef struct neutral_layer {
    kim_text name;
    layer_use use;
    uint64_t over;                 /* of a ceiling, a delegation: the granting layers that it is over */
    bool is_there;                 /* of a ceiling: something hangs in it that always bears on every request */
    hold_list loose;               /* of a ceiling: what hangs in it at no subject, resource or scope */
} neutral_layer;

typedef struct neutral_edge {
    uint32_t to;
    bool is_ordered;
    bool is_bounded;               /* it has a condition, a start or an end */
    order_part order;
    const kim_edge *source;
    const held_condition *condition;
} neutral_edge;

typedef struct neutral_node {
    kim_text id;
    uint32_t domain;
    uint32_t bucket;               /* NEUTRAL_NONE: nothing hangs here */
    uint32_t first_edge, edge_count; /* from here to groups */
    uint32_t namesake;             /* the next declared one of this id, in another domain */
    uint32_t set;                  /* equal for all with the same edges; 0: none */
    bool is_declared;              /* an identity record says so */
    bool is_group;                 /* something is a member of it */
    bool is_listed;                /* a statement that hangs elsewhere names it, or excepts it */
} neutral_node;

typedef struct neutral_resource {
    kim_text id;
    uint32_t parent, scope;
    bool is_declared;
} neutral_resource;

typedef struct neutral_domain {
    kim_text scope;                /* its top */
    text_map *names, *resource_names;
    uint32_t *nodes;               /* [names] the nodes of these names */
    neutral_resource *resources;   /* [resource_names] */
    size_t node_room, resource_room;
    uint32_t first_system;         /* NEUTRAL_NONE: no profile governs it */
    bool nocase;
} neutral_domain;

typedef struct neutral_system neutral_system;
typedef struct weighing weighing;
/* How matches come to a verdict; neutral_combine.c has the table. */
typedef struct combining combining;

/* The default of an action, or of those that a pattern covers. */
typedef struct class_default {
    pattern of;
    bool allows;
} class_default;

struct neutral_system {
    const kim_profile *profile;
    uint32_t number, domain, scope;
    uint32_t next;                 /* another of the same domain */
    const combining *how;
    const language *words;
    bool nocase;
    bool is_layered, by_order;     /* of the algorithm */
    kim_text fault;                /* what of the profile was not understood */
    neutral_layer *layers;         /* [layer_count] */
    uint32_t layer_count;
    const class_default *defaults; /* [default_count] plain ones first, then the longest pattern */
    uint32_t default_count;
    pattern_list *lists;           /* [list_count]; [0] is everything */
    uint32_t list_count;
    size_t list_room;
    hold_list everyone;
    uint32_t *of_resource;         /* [resources of the domain] buckets; NULL: nothing hangs on resources */
    uint32_t *of_scope;            /* [scopes] */
    bool reaches_down;             /* something hangs on a resource or reaches its children */
    bool has_eligible;
    const kim_coverage *const *gaps; /* [gap_count] what was not read */
    uint32_t gap_count;
};

typedef struct neutral_scope {
    kim_text id;
    uint32_t parent, domain;
} neutral_scope;

typedef struct neutral {
    kim_arena *arena;
    const estate *es;
    neutral_system *systems;       /* [system_count], in the order of the profiles' ids */
    neutral_domain *domains;
    neutral_scope *scopes;
    neutral_node *nodes;
    const neutral_edge *edges;
    const hold_list *buckets;
    text_map *scope_ids;
    const uint32_t *set_sizes;     /* [set_count] nodes of each */
    text_map *declared;            /* ids of identities, each with its first node */
    uint32_t *declared_nodes;
    uint32_t system_count, domain_count, node_count, bucket_count, set_count;
    const uint32_t *askers;        /* [identities of the estate] their nodes; NEUTRAL_NONE: none that asks */
    bool has_orders;               /* some membership has one */
    kim_text first_fault;          /* the first thing that the author of a case has to mend */
} neutral;

/* NULL with err: KIM_ERR_NOMEM */
neutral *neutral_compile(estate *es, kim_error *err);
void neutral_forget(void *compiled);
/* The node of that id in a domain; NEUTRAL_NONE: it is not known there. */
uint32_t neutral_node_of(const neutral *c, uint32_t domain, kim_text id);
uint32_t neutral_resource_of(const neutral_domain *d, kim_text id);
/* Whether such a combining is known; NULL: not. */
const combining *combining_find(kim_text name);
bool combining_is_layered(const combining *how);
bool combining_is_by_order(const combining *how);

/* ---- who one is ---- */

/* A node that an identity is, or is a member of, by one way. */
typedef struct reached {
    uint32_t node;
    uint32_t order_count;
    const order_part *order;       /* of the memberships that led here; [order_count] */
    const term *when;              /* they are in force */
} reached;

typedef struct membership {
    const reached *items;          /* [count], by node, then by order; the identity itself is not among them */
    uint32_t count;
    bool is_bounded;               /* some way holds at times or under conditions only: ask again each time */
    bool has_eligible;             /* more would be reached once activated */
    kim_text unread;               /* ways that were not followed */
} membership;

/* When an edge may be followed: true, false, or what it depends on. NULL without memory. */
typedef const term *edge_function(void *from, const neutral_edge *e);
/* All that is reached from a node along edges that `may` lets pass. In arena. -1 without memory. */
int membership_find(const neutral *c, uint32_t node, edge_function *may, void *from, kim_arena *arena, membership *out);

/* ---- one decision ---- */

typedef struct match {
    const neutral_hold *hold;
    const neutral_rule *rule;      /* NULL: the document was not read */
    const term *when;
    const order_part *order;       /* of the memberships that led to it */
    uint32_t order_count;
    uint32_t distance;             /* 0: the resource itself, 1: its parent ... */
    uint8_t effect;
} match;

/* A level of a ceiling: what hangs at one scope. */
typedef struct presence {
    uint8_t layer;
    uint32_t scope;                /* NEUTRAL_NONE: at none */
    const term *when;
} presence;

/* What of a question is a pattern, of whose texts it is asked as a whole: what_can. */
typedef struct asked_pattern {
    bool has_actions, has_resources; /* in place of the question's */
    const pattern *actions;        /* NULL: all */
    const pattern *resources;      /* NULL: all */
    const pattern_list *but;       /* and of the actions, not what this list excepts; NULL: nothing is excepted */
} asked_pattern;

typedef struct neutral_state {
    evaluator *ev;
    const neutral *c;
    matcher *matcher;
    kim_arena *kept;               /* memberships, and which lists cover an action */
    membership **memberships;      /* [set_count] */
    text_map **actions;            /* [system_count] */
    const uint64_t ***covered;     /* [system_count][actions] bits of the system's lists */
    uint32_t *covered_room;
    uint32_t *stamps, *firsts;     /* [node_count]: where among the reached a node is, where stamps equals stamp */
    uint32_t stamp;
    match *matches;
    size_t match_count, match_room;
    presence *presences;
    size_t presence_count, presence_room;
    reached *reached;
    size_t reached_count, reached_room;
    uint32_t *chain;               /* resources: the one asked about, its parent ... */
    size_t chain_count, chain_room;
} neutral_state;

struct weighing {
    evaluator *ev;
    neutral_state *st;
    const neutral *c;
    const neutral_system *s;
    const question *q;
    asked_pattern asked;
    kim_arena *scratch;
    const uint64_t *covered;       /* lists that cover the action */
    const term *now_known;         /* NULL: the request's time was not looked up yet */
    int64_t now_unix_ms;
    uint32_t scope;                /* of the resource */
    bool activated;                /* as if what is eligible were activated */
    bool saw_eligible;
    bool failed;                   /* out of memory */
    const term *gap_allows, *gap_denies; /* what was not read may allow, may deny */
};

typedef struct fold {
    const term *granted, *barred;  /* allowed: granted and not barred */
} fold;

/* Decides by the system's algorithm; the matches may be put in another order. */
fold combining_fold(weighing *w);
/* Names what decided, and why it is denied. */
void combining_explain(weighing *w, answer *out);
const term *neutral_default(const weighing *w);
/* Is the layer there, for this request; at that scope (NEUTRAL_NONE: at none). */
const term *neutral_presence(weighing *w, uint8_t layer, uint32_t scope);

/* side: "allow" or "deny": what may be allowed and what denied are two unknowns. */
const term *neutral_unread(kim_arena *arena, const char *side, kim_text what);

/* Weighs one question in one system: gathers, folds. *out: when it is allowed. -1 with err: KIM_ERR_NOMEM */
int neutral_weigh(weighing *w, const term **out, kim_error *err);

/* The systems that a question may be about; of: [system_count]. Returns how many. */
uint32_t neutral_systems_for(const neutral *c, const question *q, const neutral_system **of);
/* Asks these, [count], at least one. w needs ev, st, c, scratch, and asked. The answer lives in scratch and in ev.
 * Errors: KIM_ERR_INPUT an action that is none, KIM_ERR_NOMEM */
int neutral_answer(weighing *w, const neutral_system **of, uint32_t count, const question *q, answer *out, kim_error *err);

/* Could something of what hangs here change an answer that was given without it? w as neutral_prepare left it. */
bool neutral_may_change(weighing *w, hold_list holds);
/* Readies w for the question's action and resource in a system, without asking. -1 with err: KIM_ERR_NOMEM */
int neutral_prepare(weighing *w, const neutral_system *s, const question *q, kim_error *err);

int neutral_who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err);
int neutral_what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err);
neutral_state *neutral_state_of(evaluator *ev, kim_error *err);

#endif
