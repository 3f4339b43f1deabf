/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes_index.h - clusters, compiled: from who asks to bindings, and from what is asked to roles.
 *
 * Every text that rules and bindings name is a number. An API group and a resource together are a cell, and so is a
 * path, or the beginning of one: a request lies in at most six cells of resources, or in those of its path. A use says that
 * a rule of a role covers a cell. A decision walks the asker's bindings, and at each looks for the role's uses of the request's
 * cells; who-can walks the uses of these cells, and from the roles the bindings. Private to this folder.
 */
#ifndef KIM_KUBERNETES_INDEX_H
#define KIM_KUBERNETES_INDEX_H

#include "controller/estate/estate.h"
#include "controller/evaluate/text_map.h"

enum { K8S_NONE = 0 };            /* number 0 of each kind is "*" (verbs, groups, resources), "any" (names) or "cluster-wide" (namespaces) */
#define K8S_UNKNOWN UINT32_MAX    /* nothing in the cluster names it */

typedef struct k8s_rule {
    const kim_statement *source;
    kim_text name;           /* for `because` */
    uint64_t verbs;          /* bit n: verb n; bit 0: "*" */
    const uint32_t *more;    /* [more_count]: verbs past 63, sorted */
    uint32_t more_count;
    uint32_t role;
    bool is_paths;
} k8s_rule;

typedef struct k8s_role {
    kim_text id, layer;
    const kim_record *policy; /* NULL: no record of it */
    uint32_t first_rule, rule_count;
    uint64_t signature;      /* a bit for each cell that it uses, several cells a bit; all: it was not read */
    kim_text unread;         /* why it, or a part of it, is not known; absent: it is */
    uint32_t first_binding, binding_count; /* in k8s_cluster.by_role */
    bool is_there;
} k8s_role;

typedef struct k8s_binding {
    const kim_attachment *source;
    uint32_t role, subject, namespace;
} k8s_binding;

typedef struct k8s_subject {
    kim_text id, name;
    bool is_group, is_identity;     /* is_identity: a record says so; else a binding or a membership names it */
    bool is_vague;                  /* some membership of it has a condition or a time */
    bool has_groups;                /* somebody says which groups it is in, but for those that every cluster has */
    bool is_open;                   /* a user of whom nobody says it, and who may be in more */
    uint32_t first_binding, binding_count; /* in k8s_cluster.bindings: by namespace, so the cluster-wide ones first */
    uint32_t first_group, group_count;     /* in k8s_cluster.groups: what it is a member of */
    uint32_t first_member, member_count;   /* in k8s_cluster.members: who is a member of it */
} k8s_subject;

/* That a rule covers a cell: for every name, or for one. */
typedef struct k8s_use {
    uint32_t cell, role, name, rule;
} k8s_use;

/* Pairs of numbers to a number. */
typedef struct pair_map {
    uint64_t *keys;
    uint32_t *values; /* plus one; 0: free */
    size_t size;      /* a power of two */
} pair_map;

typedef struct k8s_run {
    uint32_t first, count;
} k8s_run;

typedef struct k8s_cluster {
    kim_text scope, name;        /* "k8s:prod", "prod" */
    text_map *ids;               /* of subjects, sorted: numbers are in the order of ids */
    k8s_subject *subjects;       /* [subject_count] */
    uint32_t subject_count;
    text_map *group_names;       /* of the subjects that are groups: numbered like them, for their ids begin alike */
    uint32_t first_group_subject;
    text_map *namespaces, *verbs, *api_groups, *resources, *names, *paths, *prefixes;
    k8s_role *roles;             /* [role_count] */
    uint32_t role_count;
    k8s_rule *rules;             /* [rule_count] */
    uint32_t rule_count;
    k8s_binding *bindings;       /* [binding_count], by subject, then namespace */
    uint32_t binding_count;
    uint32_t *by_role;           /* [binding_count]: places in bindings, by role, then namespace */
    uint32_t *groups, *members;
    k8s_use *uses;               /* [use_count], by role, cell, name */
    uint32_t use_count;
    uint32_t *by_cell;           /* [use_count]: places in uses, by cell */
    k8s_run *cell_uses;          /* [cell_count], in by_cell */
    uint32_t cell_count;
    pair_map cells;              /* (API group, resource), (K8S_PATH, path), (K8S_PREFIX, prefix) -> cell */
    pair_map runs;               /* (role, cell) -> in role_cells */
    k8s_run *role_cells;         /* in uses */
    const size_t *prefix_sizes;  /* [prefix_size_count]: those that occur, ascending */
    size_t prefix_size_count;
    bool has_vague;              /* some subject is */
    uint32_t masters;            /* the group system:masters; K8S_UNKNOWN: nobody names it */
    kim_text lacking;            /* why not all bindings for the whole cluster were read; absent: they were */
    kim_text lacking_anywhere;   /* the same of bindings in namespaces, in all of them */
    kim_text *lacking_in;        /* [namespaces]: the same of one */
} k8s_cluster;

#define K8S_PATH (UINT32_MAX - 1)
#define K8S_PREFIX (UINT32_MAX - 2)

typedef struct kubernetes_index {
    kim_arena *arena;
    k8s_cluster *clusters;       /* [count], by scope */
    size_t count;
    uint32_t most_subjects;
    kim_text first_unread;
} kubernetes_index;

/* NULL with err: KIM_ERR_NOMEM, KIM_ERR_LIMIT */
kubernetes_index *kubernetes_index_new(estate *es, kim_error *err);
void kubernetes_index_free(kubernetes_index *index); /* NULL is fine */

uint32_t pair_map_find(const pair_map *map, uint32_t a, uint32_t b); /* K8S_UNKNOWN: not there */

static inline uint64_t k8s_cell_bit(uint32_t cell)
{
    return UINT64_C(1) << (cell * UINT32_C(2654435769) >> 26);
}

/* The groups that the API server gives a user by itself: at most three names, in buffer and constants; 0 to 3.
 * Source: kubernetes.io/docs/reference/access-authn-authz/authentication */
typedef struct automatic_groups {
    kim_text ids[3];
    size_t count;
} automatic_groups;
automatic_groups kubernetes_automatic_groups(kim_text id, kim_arena *arena);

/* A user whose groups an identity provider knows, and not the cluster: names that begin with "system:" are the cluster's
 * own, and so are their groups.
 * Source: kubernetes.io/docs/reference/access-authn-authz/rbac, "Referring to subjects" */
bool kubernetes_is_external_user(kim_text id);

#endif
