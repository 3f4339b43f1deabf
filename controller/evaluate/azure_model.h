/* SPDX-License-Identifier: Apache-2.0
 *
 * azure_model.h - what of an estate is Azure's and Entra's, readied for many decisions.
 *
 * Compiled once and shared: roles with their patterns, numbered places where something is assigned, and
 * for each subject what it holds and which groups it is in. A decision then walks from one subject and one
 * chain of places, and never over the estate.
 */
#ifndef KIM_AZURE_MODEL_H
#define KIM_AZURE_MODEL_H

#include "controller/estate/estate.h"
#include "controller/evaluate/azure_condition.h"

/* Actions of one universe never match patterns of another. */
typedef enum azure_universe {
    AZURE_CONTROL,   /* Actions */
    AZURE_DATA,      /* DataActions */
    AZURE_DIRECTORY, /* microsoft.directory/... of Entra's roles */
    AZURE_GRAPH,     /* permissions of applications: "Directory.Read.All" */
    AZURE_UNIVERSES,
} azure_universe;

/* A condition as it stands in a record; equal texts share what was compiled. */
typedef struct azure_terms {
    const azure_condition *condition; /* NULL: none, or one of the two below */
    kim_text foreign; /* of another language that nobody can decide here: it stays as it is written */
    kim_text unread;  /* why it could not be read */
} azure_terms;

typedef struct azure_role azure_role;

/* One permission object on one plane: actions less not_actions. */
typedef struct azure_permission {
    azure_universe universe;
    uint32_t number;                  /* among all of the estate */
    const uint32_t *actions;          /* [action_count] numbers of patterns */
    const uint32_t *not_actions;      /* [not_action_count] */
    size_t action_count, not_action_count;
    const azure_terms *terms;         /* NULL: none */
    kim_text unread;                  /* why; absent: all was understood */
    const azure_role *role;
    kim_text name;                    /* in answers: where it stands in the document */
    const kim_statement *source;
    const uint32_t *subjects, *not_subjects; /* of a deny assignment: numbers of subjects */
    size_t subject_count, not_subject_count;
    bool everyone;                    /* of a deny assignment: all principals */
} azure_permission;

/* A role definition, or a deny assignment as a document. */
struct azure_role {
    const kim_policy *source;
    kim_text id, label;               /* label: in answers */
    azure_permission *permissions;    /* [count] */
    size_t count;
    kim_text unread;
};

typedef struct azure_assignment {
    const azure_role *role;           /* NULL: its definition was not read */
    uint32_t subject;                 /* UINT32_MAX for a deny: its document names them */
    uint32_t place;
    bool denies, eligible;
    bool here_only;                   /* not below its place */
    const azure_terms *terms;         /* NULL: none */
    const kim_attachment *source;
} azure_assignment;

typedef struct azure_membership {
    uint32_t of;                      /* the group */
    bool plain;                       /* always in force */
    const kim_edge *source;
} azure_membership;

/* Rows sorted by what they belong to. */
typedef struct azure_range {
    uint32_t first, count;
} azure_range;

/* The places above a subscription, nearest first. */
typedef struct azure_above {
    uint32_t *places; /* [count] */
    size_t count;
} azure_above;

enum { AZURE_LENGTHS = 1024 };

typedef struct azure_model {
    kim_arena *arena;
    estate *es;
    text_map *role_ids, *subject_ids, *place_ids, *keys, *patterns, *terms_ids, *subscription_ids;
    azure_role *roles;             /* by role_ids */
    size_t permission_count;
    azure_assignment *grants;      /* [grant_count], by subject */
    azure_assignment *denies;      /* [deny_count], by place */
    size_t grant_count, deny_count;
    uint32_t *grant_places;        /* [grant_count] their places, close together: most are passed over */
    azure_range *held;             /* [subject]: its grants */
    azure_range *denied_at;        /* [place]: its denies */
    uint32_t *grants_by_place;     /* [grant_count] */
    azure_range *granted_at;       /* [place]: within grants_by_place */
    azure_membership *memberships; /* by member */
    azure_range *member_of;        /* [subject]: its memberships */
    uint32_t *members;             /* by group */
    azure_range *has;              /* [subject]: its members */
    bool *is_group;                /* [subject] */
    bool all_plain;                /* all memberships are always in force */
    bool lengths[AZURE_LENGTHS];   /* some place's text is as long: most beginnings of a scope are none */
    const azure_terms **terms;     /* by terms_ids */
    azure_above *above;            /* by subscription_ids */
    uint32_t *roots, *directories; /* places of tenants: azure:T, dir:T */
    size_t root_count, directory_count;
    const kim_record **gaps;       /* [gap_count] coverage that says what was not read */
    size_t gap_count;
    kim_text first_unread;
    uint32_t now_key;              /* of @Environment[UtcNow] */
} azure_model;

/* NULL with err: KIM_ERR_NOMEM */
azure_model *azure_model_new(estate *es, kim_error *err);
void azure_model_free(void *model); /* NULL is fine */

/* dir:TENANT, beside the engine's own prefix: a directory that is named by a GUID is Entra's. */
bool azure_owns(kim_text scope);
azure_universe azure_universe_of(kim_text action, bool data); /* action in lower case */

/* The places at and above a scope as a request names it, nearest first, as far as anything is assigned there.
 *
 * chain  [AZURE_CHAIN_MAX]
 * self   the place that the scope itself is; UINT32_MAX: nothing is assigned right there
 * any    the scope does not matter: every place counts
 * Returns how many; 0 with *any */
enum { AZURE_CHAIN_MAX = 256 };
size_t azure_chain(const azure_model *m, azure_universe universe, kim_text scope, kim_arena *arena, uint32_t *chain,
                   uint32_t *self, bool *any);
/* A place as Azure writes it: "/subscriptions/..."; in arena. */
kim_text azure_place_text(const azure_model *m, uint32_t place, kim_arena *arena);
/* "/", or segments in lower case with one slash before each, none behind. */
kim_text azure_scope_text(kim_text scope, kim_arena *arena);

#endif
