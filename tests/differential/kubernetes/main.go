// SPDX-License-Identifier: Apache-2.0
//
// Kubernetes' own code answers the cases that `kim evaluate` takes: JSON Lines in, JSON Lines out, in order.
//
// A request goes to the RBAC authorizer, "aggregate" through the aggregation controller, "compare" to the policy comparator,
// "may_grant" to the storage that prevents escalation. Objects are decoded as the API server decodes them. A line with "keep": true
// gives the objects of all later ones. One with "rules" is answered by RulesAllow: what a comparison's witness is tried with.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	_ "unsafe" // for go:linkname

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	rbacapply "k8s.io/client-go/applyconfigurations/rbac/v1"
	rbacclient "k8s.io/client-go/kubernetes/typed/rbac/v1"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-helpers/auth/rbac/validation"
	"k8s.io/kubernetes/pkg/apis/rbac"
	rbacconvert "k8s.io/kubernetes/pkg/apis/rbac/v1"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	clusterrolestorage "k8s.io/kubernetes/pkg/registry/rbac/clusterrole/policybased"
	clusterbindingstorage "k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding/policybased"
	rolestorage "k8s.io/kubernetes/pkg/registry/rbac/role/policybased"
	bindingstorage "k8s.io/kubernetes/pkg/registry/rbac/rolebinding/policybased"
	rbacvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
	rbacauthorizer "k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

type request struct {
	User        string   `json:"user"`
	Groups      []string `json:"groups"`
	Verb        string   `json:"verb"`
	APIGroup    string   `json:"api_group"`
	Resource    string   `json:"resource"`
	Subresource string   `json:"subresource"`
	Name        string   `json:"name"`
	Namespace   string   `json:"namespace"`
	Path        *string  `json:"path"`
}

type objects struct {
	Roles               []*rbacv1.Role               `json:"roles"`
	RoleBindings        []*rbacv1.RoleBinding        `json:"role_bindings"`
	ClusterRoles        []*rbacv1.ClusterRole        `json:"cluster_roles"`
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding `json:"cluster_role_bindings"`
}

type mayGrant struct {
	User               string                     `json:"user"`
	Groups             []string                   `json:"groups"`
	Verb               string                     `json:"verb"`
	Role               *rbacv1.Role               `json:"role"`
	ClusterRole        *rbacv1.ClusterRole        `json:"cluster_role"`
	RoleBinding        *rbacv1.RoleBinding        `json:"role_binding"`
	ClusterRoleBinding *rbacv1.ClusterRoleBinding `json:"cluster_role_binding"`
}

type line struct {
	ID        json.RawMessage `json:"id"`
	Request   *request        `json:"request"`
	Objects   objects         `json:"objects"`
	Keep      bool            `json:"keep"`
	Aggregate bool            `json:"aggregate"`
	Compare   *struct {
		Reference []rbacv1.PolicyRule `json:"reference"`
		Candidate []rbacv1.PolicyRule `json:"candidate"`
	} `json:"compare"`
	MayGrant *mayGrant           `json:"may_grant"`
	Rules    []rbacv1.PolicyRule `json:"rules"`
}

type answer map[string]any

// ---- requests ----

func attributes(r *request) authorizer.AttributesRecord {
	a := authorizer.AttributesRecord{
		User: &user.DefaultInfo{Name: r.User, Groups: r.Groups}, Verb: r.Verb, Namespace: r.Namespace,
		APIGroup: r.APIGroup, APIVersion: "*", Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, ResourceRequest: true,
	}
	if r.Path != nil {
		a.ResourceRequest, a.Path = false, *r.Path
	}
	return a
}

// Groups of the API server's own: authorization is not asked about system:masters.
func isMaster(groups []string) bool {
	for _, g := range groups {
		if g == user.SystemPrivilegedGroup {
			return true
		}
	}
	return false
}

func authorize(o *objects, r *request) answer {
	if isMaster(r.Groups) {
		return answer{"decision": "allowed", "reason": "bypass"}
	}
	_, static := rbacvalidation.NewTestRuleResolver(o.Roles, o.RoleBindings, o.ClusterRoles, o.ClusterRoleBindings)
	decision, _, err := rbacauthorizer.New(static, static, static, static).Authorize(context.Background(), attributes(r))
	if err != nil {
		return answer{"error": err.Error()}
	}
	if decision == authorizer.DecisionAllow {
		return answer{"decision": "allowed", "reason": "explicit_allow"}
	}
	return answer{"decision": "denied", "reason": "implicit_deny"}
}

// ---- aggregation: the controller's own step, until nothing changes ----

//go:linkname syncClusterRole k8s.io/kubernetes/pkg/controller/clusterroleaggregation.(*ClusterRoleAggregationController).syncClusterRole
func syncClusterRole(c *clusterroleaggregation.ClusterRoleAggregationController, ctx context.Context, key string) error

// held stands for the API server towards the controller: the lister reads it, and Apply writes it.
type held struct {
	rbacclient.ClusterRoleInterface
	informer cache.SharedIndexInformer
	changed  bool
}

func (h *held) Informer() cache.SharedIndexInformer          { return h.informer }
func (h *held) Lister() rbaclisters.ClusterRoleLister        { return rbaclisters.NewClusterRoleLister(h.informer.GetIndexer()) }
func (h *held) ClusterRoles() rbacclient.ClusterRoleInterface { return h }

func (h *held) Apply(_ context.Context, role *rbacapply.ClusterRoleApplyConfiguration, _ metav1.ApplyOptions) (*rbacv1.ClusterRole, error) {
	old, _, err := h.informer.GetIndexer().GetByKey(*role.Name)
	if err != nil {
		return nil, err
	}
	next := old.(*rbacv1.ClusterRole).DeepCopy()
	next.Rules = nil
	for _, r := range role.Rules {
		next.Rules = append(next.Rules, rbacv1.PolicyRule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources,
			ResourceNames: r.ResourceNames, NonResourceURLs: r.NonResourceURLs})
	}
	h.changed = true
	return next, h.informer.GetIndexer().Update(next)
}

// The roles as the controller leaves them when it visits them in that order, round by round.
func settle(roles []*rbacv1.ClusterRole, backwards bool) ([]*rbacv1.ClusterRole, error) {
	h := &held{informer: cache.NewSharedIndexInformer(&cache.ListWatch{}, &rbacv1.ClusterRole{}, 0, cache.Indexers{})}
	controller := clusterroleaggregation.NewClusterRoleAggregation(h, h)
	names := []string{}
	for _, role := range roles {
		if _, there, _ := h.informer.GetIndexer().GetByKey(role.Name); there {
			continue // of one name the first counts
		}
		if err := h.informer.GetIndexer().Add(role.DeepCopy()); err != nil {
			return nil, err
		}
		names = append(names, role.Name)
	}
	sort.Strings(names)
	if backwards {
		sort.Sort(sort.Reverse(sort.StringSlice(names)))
	}
	for round := 0; ; round++ {
		h.changed = false
		for _, name := range names {
			_ = syncClusterRole(controller, context.Background(), name) // a selector that is not valid: the role stays as it is
		}
		if !h.changed {
			break
		}
		if round > 4*len(names)+8 {
			return nil, errors.New("the controller comes to no end")
		}
	}
	sort.Strings(names)
	settled := []*rbacv1.ClusterRole{}
	for _, name := range names {
		role, _, _ := h.informer.GetIndexer().GetByKey(name)
		settled = append(settled, role.(*rbacv1.ClusterRole))
	}
	return settled, nil
}

func covers(a, b []rbacv1.PolicyRule) bool {
	all, _ := validation.Covers(a, b)
	return all
}

// Two orders of visits may end differently where roles that select each other list rules: no answer is the right one then.
func aggregate(roles []*rbacv1.ClusterRole) ([]*rbacv1.ClusterRole, error) {
	forth, err := settle(roles, false)
	if err != nil {
		return nil, err
	}
	back, err := settle(roles, true)
	if err != nil {
		return nil, err
	}
	for i := range forth {
		if !covers(forth[i].Rules, back[i].Rules) || !covers(back[i].Rules, forth[i].Rules) {
			return nil, errOrder
		}
	}
	return forth, nil
}

var errOrder = errors.New("order")

// ---- what a writer may grant ----

// store takes whatever reaches it: what is asked is whether anything does.
type store struct {
	rest.StandardStorage
	old runtime.Object
}

func (s *store) Create(_ context.Context, obj runtime.Object, _ rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	return obj, nil
}

func (s *store) Update(ctx context.Context, _ string, obj rest.UpdatedObjectInfo, _ rest.ValidateObjectFunc, _ rest.ValidateObjectUpdateFunc,
	_ bool, _ *metav1.UpdateOptions) (runtime.Object, bool, error) {
	next, err := obj.UpdatedObject(ctx, s.old)
	return next, false, err
}

func judge(o *objects, m *mayGrant) answer {
	resolver, static := rbacvalidation.NewTestRuleResolver(o.Roles, o.RoleBindings, o.ClusterRoles, o.ClusterRoleBindings)
	auth := rbacauthorizer.New(static, static, static, static)
	var obj, old runtime.Object
	var storage interface {
		rest.Creater
		rest.Updater
	}
	s := &store{}
	info := &genericrequest.RequestInfo{IsResourceRequest: true, APIGroup: rbac.GroupName, APIVersion: "v1", Verb: m.Verb}
	var name string
	var err error
	switch {
	case m.Role != nil:
		role := &rbac.Role{}
		err = rbacconvert.Convert_v1_Role_To_rbac_Role(m.Role, role, nil)
		obj, old, storage = role, &rbac.Role{}, rolestorage.NewStorage(s, auth, resolver)
		info.Resource, info.Namespace, name = "roles", m.Role.Namespace, m.Role.Name
	case m.ClusterRole != nil:
		role, before := &rbac.ClusterRole{}, &rbac.ClusterRole{}
		err = rbacconvert.Convert_v1_ClusterRole_To_rbac_ClusterRole(m.ClusterRole, role, nil)
		for _, r := range o.ClusterRoles {
			if r.Name == role.Name && r.AggregationRule != nil {
				before.AggregationRule = &rbac.AggregationRule{ClusterRoleSelectors: r.AggregationRule.ClusterRoleSelectors}
				break
			}
		}
		obj, old, storage = role, before, clusterrolestorage.NewStorage(s, auth, resolver)
		info.Resource, name = "clusterroles", m.ClusterRole.Name
	case m.RoleBinding != nil:
		binding := &rbac.RoleBinding{}
		m.RoleBinding.RoleRef.APIGroup = rbac.GroupName
		err = rbacconvert.Convert_v1_RoleBinding_To_rbac_RoleBinding(m.RoleBinding, binding, nil)
		obj, old, storage = binding, &rbac.RoleBinding{}, bindingstorage.NewStorage(s, auth, resolver)
		info.Resource, info.Namespace, name = "rolebindings", m.RoleBinding.Namespace, m.RoleBinding.Name
	default:
		binding := &rbac.ClusterRoleBinding{}
		m.ClusterRoleBinding.RoleRef.APIGroup = rbac.GroupName
		err = rbacconvert.Convert_v1_ClusterRoleBinding_To_rbac_ClusterRoleBinding(m.ClusterRoleBinding, binding, nil)
		obj, old, storage = binding, &rbac.ClusterRoleBinding{}, clusterbindingstorage.NewStorage(s, auth, resolver)
		info.Resource, name = "clusterrolebindings", m.ClusterRoleBinding.Name
	}
	if err != nil {
		return answer{"error": err.Error()}
	}
	s.old = old
	ctx := genericrequest.WithUser(context.Background(), &user.DefaultInfo{Name: m.User, Groups: m.Groups})
	ctx = genericrequest.WithNamespace(ctx, info.Namespace)
	if m.Verb == "create" || m.Verb == "" {
		_, err = storage.Create(genericrequest.WithRequestInfo(ctx, info), obj, nil, &metav1.CreateOptions{})
	} else {
		info.Name = name
		_, _, err = storage.Update(genericrequest.WithRequestInfo(ctx, info), name, rest.DefaultUpdatedObjectInfo(obj), nil, nil, false, &metav1.UpdateOptions{})
	}
	switch {
	case err != nil:
		return answer{"decision": "denied", "reason": "implicit_deny"}
	case isMaster(m.Groups):
		return answer{"decision": "allowed", "reason": "bypass"}
	}
	return answer{"decision": "allowed", "reason": "explicit_allow"}
}

// ---- lines ----

var kept *objects

func answerLine(text []byte) answer {
	var l line
	if err := kjson.Unmarshal(text, &l); err != nil {
		return answer{"error": err.Error()}
	}
	if kept != nil {
		l.Objects = *kept
	}
	a := answer{}
	switch {
	case l.Keep:
		if l.Aggregate {
			settled, err := aggregate(l.Objects.ClusterRoles)
			if err != nil {
				return answer{"error": err.Error()}
			}
			l.Objects.ClusterRoles = settled
		}
		kept = &l.Objects
	case l.Compare != nil:
		a = answer{"new_access": !covers(l.Compare.Reference, l.Compare.Candidate), "lost_access": !covers(l.Compare.Candidate, l.Compare.Reference)}
	case l.MayGrant != nil:
		a = judge(&l.Objects, l.MayGrant)
	case l.Rules != nil && l.Request != nil:
		a = answer{"allowed": rbacauthorizer.RulesAllow(attributes(l.Request), l.Rules...)}
	case l.Request != nil:
		if l.Aggregate {
			settled, err := aggregate(l.Objects.ClusterRoles)
			if err != nil {
				a = answer{"skip": err.Error()}
				break
			}
			l.Objects.ClusterRoles = settled
		}
		a = authorize(&l.Objects, l.Request)
	default:
		a = answer{"error": "nothing is asked"}
	}
	a["id"] = l.ID
	return a
}

func main() {
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		text, err := in.ReadBytes('\n')
		if len(strings.TrimSpace(string(text))) > 0 {
			encoded, encodeErr := json.Marshal(answerLine(text))
			if encodeErr != nil {
				fmt.Fprintln(os.Stderr, encodeErr)
				os.Exit(1)
			}
			out.Write(append(encoded, '\n'))
		}
		if err != nil {
			return
		}
	}
}
