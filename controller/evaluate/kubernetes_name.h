/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes_name.h - how resources and identities of a cluster are written, and read again.
 *
 *     [k8s:CLUSTER/]RESOURCE[.GROUP][/SUBRESOURCE][@NAMESPACE][:NAME]     pods/log@web:api-0, deployments.apps@web
 *     [k8s:CLUSTER/]/PATH                                                 /healthz, /livez/etcd
 *
 * Without GROUP it is the core group, without NAMESPACE the whole cluster, without NAME no single object: a list, or a
 * new one. A sign that would be read otherwise is %XX, an empty resource is "". Each is exact: two things never share
 * one text.
 */
#ifndef KIM_KUBERNETES_NAME_H
#define KIM_KUBERNETES_NAME_H

#include <kim/error.h>
#include <kim/text.h>

typedef struct kubernetes_name {
    kim_text cluster;     /* absent: not said */
    kim_text path;        /* absent: it is a resource */
    kim_text type;        /* as written: RESOURCE[.GROUP][/SUBRESOURCE] */
    kim_text resource, api_group, subresource;
    kim_text namespace;   /* empty: none */
    kim_text name;        /* absent: none is written */
    bool any_namespace, any_name; /* written as * */
} kubernetes_name;

/* Texts point into `text`, or into arena where they had escapes.
 * Errors: KIM_ERR_INPUT naming what is wrong, KIM_ERR_NOMEM */
int kubernetes_name_read(kim_text text, kim_arena *arena, kubernetes_name *out, kim_error *err);

/* TYPE:NAME, as a rule has it; TYPE:* where the name is absent. In arena. */
kim_text kubernetes_pattern(kim_arena *arena, kim_text type, kim_text name);
/* TYPE[:NAME] as a rule has it, in that namespace (absent or empty: none; any: "*") of that cluster (absent: not said). In
 * arena. */
kim_text kubernetes_name_in(kim_arena *arena, kim_text cluster, kim_text pattern, kim_text namespace, bool any_namespace);

/* "pods/log" of resource and subresource, as rules have it; in buffer, which has room for both and a sign more. */
kim_text kubernetes_combined(char *buffer, kim_text resource, kim_text subresource);

/* An identity's id is a user's name, or "group:NAME"; a user whose name is empty or begins with "user:" or "group:" is
 * "user:NAME". In arena only where something is put in front. */
kim_text kubernetes_user_id(kim_arena *arena, kim_text name);
/* The user's name of an id, or the group's; *is_group says which. */
kim_text kubernetes_id_name(kim_text id, bool *is_group);

#endif
