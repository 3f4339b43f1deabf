/* SPDX-License-Identifier: Apache-2.0
 *
 * records.h - a cluster's objects as kim's records; doc/model.md, "How Kubernetes becomes records".
 */
#ifndef KUBERNETES_RECORDS_H
#define KUBERNETES_RECORDS_H

#include <kim/emit.h>

#include "plugins/kubernetes/objects.h"

/* What one rule may stand for: API groups times resources times names. The default roles stay below 400. */
enum { K8S_RULE_MAX_RESOURCES = 256 * 1024 };

typedef struct k8s_out {
    kim_emitter *emitter;
    kim_arena *arena;  /* for what lasts as long as the run */
    kim_arena *scratch;/* for the object at hand; reset with each */
    kim_text cluster;  /* its configured name */
    bool leaves_out;   /* what breaks a limit of kim/record.h is left out, and said; else it is an error */
} k8s_out;

/* All return 0, or -1 with err: KIM_ERR_LIMIT, KIM_ERR_NOMEM, those of kim_emit. */

int k8s_put(k8s_out *out, const kim_record *record, kim_error *err);
int k8s_put_profile(k8s_out *out, kim_error *err);
/* A policy and its statements; with `unread` where some of them were left out. A Role without a namespace is found by
 * nobody, and is none. */
int k8s_put_role(k8s_out *out, const k8s_object *role, kim_error *err);
/* The same of rules that stand alone, defined in the cluster. */
int k8s_put_rules(k8s_out *out, kim_text policy, const k8s_rule *rules, size_t count, kim_error *err);
/* The id of whom a binding's subject means, in arena; absent: nobody, whatever the request.
 * Source: appliesToUser in pkg/registry/rbac/validation/rule.go; the subject's apiGroup is not looked at. */
kim_text k8s_subject_id(kim_arena *arena, const k8s_object *binding, const k8s_subject *subject);
/* An attachment for each subject that it reaches. */
int k8s_put_binding(k8s_out *out, const k8s_object *binding, kim_error *err);

/* Everything: the above for each object, and scopes, identities, memberships, who may act as whom. lacking[kind] says
 * why not all objects of that kind were read; absent: they were. */
int k8s_put_cluster(k8s_out *out, const k8s_set *set, const kim_text lacking[K8S_KINDS], kim_error *err);
/* "clusterrolebindings": as kubectl calls the kind, and coverage. */
const char *k8s_kind_part(k8s_kind kind);

#endif
