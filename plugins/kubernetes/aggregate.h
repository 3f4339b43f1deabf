/* SPDX-License-Identifier: Apache-2.0
 *
 * aggregate.h - the rules of aggregated ClusterRoles, from the labels of the others.
 */
#ifndef KUBERNETES_AGGREGATE_H
#define KUBERNETES_AGGREGATE_H

#include "plugins/kubernetes/objects.h"

enum { K8S_AGGREGATED_MAX = 4096 }; /* aggregated ClusterRoles; a cluster has a dozen */

/* Does a ClusterRole with these labels belong to the selector? False too for one that the API server would not take. */
bool k8s_selector_matches(const k8s_selector *selector, kim_pairs labels);
/* Source: LabelSelectorAsSelector and labels.NewRequirement in k8s.io/apimachinery. */
bool k8s_selector_is_valid(const k8s_selector *selector);

/* Gives each aggregated ClusterRole the union of the rules that its selectors reach, what they list themselves
 * aside. A role that an aggregated one selects may be aggregated too: where such roles select each other in a circle,
 * all have what any of them selects. One with a selector that is not valid keeps the rules that it lists, for the
 * controller does not touch it.
 *
 * live_stay  those that a server holds keep their rules too: it has computed them
 * Errors: KIM_ERR_LIMIT past K8S_AGGREGATED_MAX, KIM_ERR_NOMEM
 * Source: pkg/controller/clusterroleaggregation; kubernetes.io/docs/reference/access-authn-authz/rbac, "Aggregated ClusterRoles"
 */
int k8s_aggregate(k8s_set *set, bool live_stay, kim_error *err);

#endif
