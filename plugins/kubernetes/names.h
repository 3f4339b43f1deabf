/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h - how what a cluster holds is called in records: scopes, identities, roles, resources.
 *
 * Each name is exact: two things never share one. doc/model.md has the reference.
 */
#ifndef KUBERNETES_NAMES_H
#define KUBERNETES_NAMES_H

#include <kim/text.h>

/* All results are in the arena, and absent only without memory. */

/* "k8s:CLUSTER", "k8s:CLUSTER/NAMESPACE"; namespace empty or absent: the cluster. */
kim_text k8s_scope(kim_arena *arena, kim_text cluster, kim_text namespace);
/* A user's name is the id as it is, but where it is empty or begins with "user:" or "group:": then "user:" comes before
 * it. A group is "group:NAME". A service account is the user "system:serviceaccount:NAMESPACE:NAME". */
kim_text k8s_user(kim_arena *arena, kim_text name);
kim_text k8s_group(kim_arena *arena, kim_text name);
kim_text k8s_service_account(kim_arena *arena, kim_text namespace, kim_text name);
/* A ClusterRole (namespace absent) is "NAME", a Role "NAMESPACE/NAME". */
kim_text k8s_role(kim_arena *arena, const kim_text *namespace, kim_text name);

/* RESOURCE[.GROUP][/SUBRESOURCE][:NAME], as a rule has them: `resource` is "pods" or "pods/log". What would be read as
 * one of the signs in between is %XX; an empty resource is "". name NULL: any. */
kim_text k8s_resource(kim_arena *arena, kim_text api_group, kim_text resource, const kim_text *name);

#endif
