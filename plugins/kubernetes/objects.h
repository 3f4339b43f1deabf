/* SPDX-License-Identifier: Apache-2.0
 *
 * objects.h - the API server's objects that bear on access, read from JSON.
 *
 * Read as the API server decodes them: a member that it does not know is passed over, null is as if it were
 * absent, and a value of another type is refused. Nothing is defaulted: what a RoleBinding's subject leaves
 * out is for the rules of authorisation to say.
 * Source: k8s.io/api/rbac/v1/types.go, k8s.io/apimachinery/pkg/apis/meta/v1/types.go
 */
#ifndef KUBERNETES_OBJECTS_H
#define KUBERNETES_OBJECTS_H

#include <kim/json.h>

typedef enum k8s_kind {
    K8S_ROLE, K8S_CLUSTER_ROLE, K8S_ROLE_BINDING, K8S_CLUSTER_ROLE_BINDING, K8S_SERVICE_ACCOUNT, K8S_NAMESPACE, K8S_KINDS,
} k8s_kind;

/* A PolicyRule. A list that the document leaves out is empty, which matches nothing but for names. */
typedef struct k8s_rule {
    kim_texts verbs, api_groups, resources, resource_names, urls;
    kim_text from; /* the ClusterRole that it was aggregated from; absent: it is the role's own */
    size_t index;  /* its place there, from 0 */
} k8s_rule;

typedef struct k8s_subject {
    kim_text kind, name, namespace; /* each may be empty */
} k8s_subject;

/* A LabelSelector: all of it must hold. */
typedef struct k8s_expression {
    kim_text key, op;
    kim_texts values;
} k8s_expression;

typedef struct k8s_selector {
    kim_pairs labels;
    const k8s_expression *expressions; /* [count] */
    size_t count;
} k8s_selector;

typedef struct k8s_object {
    k8s_kind kind;
    size_t place;             /* among its kind, as they were added */
    kim_text name, namespace; /* empty where the document leaves them out */
    kim_text uid, version;    /* metadata.uid, metadata.resourceVersion: of an object that a server holds; else empty */
    int64_t created_unix_ms;
    kim_pairs labels, annotations;

    const k8s_rule *rules;    /* [rule_count], of a role */
    size_t rule_count;
    bool is_aggregated;       /* a ClusterRole with an aggregationRule */
    const k8s_selector *selectors; /* [selector_count], its own */
    size_t selector_count;

    kim_text ref_kind, ref_name;   /* of a binding's roleRef */
    const k8s_subject *subjects;   /* [subject_count], of a binding */
    size_t subject_count;
} k8s_object;

/* Objects by their kind, in the order they were added. Zero-initialise, but for the arena. */
typedef struct k8s_set {
    kim_arena *arena; /* holds the objects and what the set itself needs; texts are borrowed from the JSON */
    struct {
        k8s_object *items; /* [count] */
        size_t count, room;
    } of[K8S_KINDS];
} k8s_set;

/* "ClusterRole" ...; "cluster_roles", the member of a case, absent for the kinds that no case has. */
const char *k8s_kind_name(k8s_kind kind);
const char *k8s_kind_member(k8s_kind kind);
k8s_kind k8s_kind_of(kim_text name); /* K8S_KINDS: none of these */

/* Adds an object of that kind.
 *
 * where  names it in messages: "case: objects.roles[3]", "cluster.yaml:17"
 * Errors: KIM_ERR_INPUT (WHERE: the member, and what it must be), KIM_ERR_NOMEM */
int k8s_set_add(k8s_set *set, k8s_kind kind, const kim_json *json, const char *where, kim_error *err);

/* A list of rules alone, as a role has them. [*count] in arena; NULL with err, as above. */
const k8s_rule *k8s_rules_read(const kim_json *list, const char *where, kim_arena *arena, size_t *count, kim_error *err);

#endif
