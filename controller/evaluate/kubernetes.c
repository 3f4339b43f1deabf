/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes.c - decisions by role-based access control: allowed where one rule that a binding reaches says so.
 *
 * There is no deny, so an answer is a search: over the asker's bindings, for uses of the request's cells. What is
 * found for sure allows; what is found for one name or namespace of many, in a group that the asker may be in, or in a
 * role that was not read, leaves the answer open.
 * Source: plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go in github.com/kubernetes/kubernetes
 */
#include "controller/evaluate/kubernetes.h"

#include <stdlib.h>

#include "controller/evaluate/name_list.h"

#define MASTERS KIM_TEXT("system:masters") /* Source: user.SystemPrivilegedGroup in k8s.io/apiserver */

/* ---- what is asked ---- */

const k8s_cluster *kubernetes_cluster_of(const kubernetes_index *index, kim_text named, kim_text identity, kim_error *err)
{
    const k8s_cluster *found = NULL;
    size_t knowing = 0;
    for (size_t i = 0; i < index->count; i++) {
        const k8s_cluster *c = &index->clusters[i];
        if (kim_text_is_absent(named) ? index->count == 1 : kim_text_equal(named, c->name))
            return c;
        uint32_t whom = kim_text_is_absent(named) && identity.size ? text_map_find(c->ids, identity) : K8S_UNKNOWN;
        if (whom != K8S_UNKNOWN && c->subjects[whom].is_identity) {
            found = c;
            knowing++;
        }
    }
    if (kim_text_is_absent(named) && knowing == 1)
        return found;
    if (!kim_text_is_absent(named))
        kim_fail(err, KIM_ERR_NOT_FOUND, "nothing is known of a cluster '%.*s'", KIM_PRINT(named));
    else if (index->count == 0)
        kim_fail(err, KIM_ERR_NOT_FOUND, "nothing is known of any Kubernetes cluster");
    else
        kim_fail(err, KIM_ERR_INPUT, "the estate has %zu clusters, such as %.*s; write k8s:CLUSTER/RESOURCE (in a request: \"cluster\")", index->count,
                 KIM_PRINT(index->clusters[0].name));
    return NULL;
}

static void add_cell(k8s_asked *asked, uint32_t *cells, uint32_t first, uint32_t second)
{
    uint32_t cell = pair_map_find(&asked->c->cells, first, second);
    if (cell == K8S_UNKNOWN)
        return;
    cells[asked->cell_count++] = cell;
    asked->signature |= k8s_cell_bit(cell);
}

static int ask_resource(k8s_asked *asked, const kubernetes_request *r, kim_arena *arena, kim_error *err)
{
    const k8s_cluster *c = asked->c;
    uint32_t groups[2] = {K8S_NONE, text_map_find(c->api_groups, r->api_group)};
    uint32_t resources[3] = {K8S_NONE, K8S_UNKNOWN, K8S_UNKNOWN};
    char *buffer = r->subresource.size ? kim_arena_bytes(arena, r->resource.size + r->subresource.size + 2) : NULL;
    if (r->subresource.size && buffer == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    if (r->subresource.size) {
        resources[1] = text_map_find(c->resources, kubernetes_combined(buffer, KIM_TEXT("*"), r->subresource));
        resources[2] = text_map_find(c->resources, kubernetes_combined(buffer, r->resource, r->subresource));
    } else {
        resources[1] = text_map_find(c->resources, r->resource);
    }
    for (int g = 0; g < 2; g++)
        for (int k = 0; k < 3; k++) {
            bool again = (g && groups[g] == groups[0]) || (k && resources[k] == resources[0]) || (k == 2 && resources[2] == resources[1]);
            if (!again && groups[g] != K8S_UNKNOWN && resources[k] != K8S_UNKNOWN)
                add_cell(asked, asked->few, groups[g], resources[k]);
        }
    asked->cells = asked->few;
    return 0;
}

static int ask_path(k8s_asked *asked, kim_text path, kim_arena *arena, kim_error *err)
{
    const k8s_cluster *c = asked->c;
    uint32_t *cells = KIM_NEW_ARRAY(arena, uint32_t, c->prefix_size_count + 1), number = text_map_find(c->paths, path);
    if (cells == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    if (number != K8S_UNKNOWN)
        add_cell(asked, cells, K8S_PATH, number);
    for (size_t i = 0; i < c->prefix_size_count && c->prefix_sizes[i] <= path.size; i++) {
        number = text_map_find(c->prefixes, (kim_text){path.bytes, c->prefix_sizes[i]});
        if (number != K8S_UNKNOWN)
            add_cell(asked, cells, K8S_PREFIX, number);
    }
    asked->cells = cells;
    asked->is_path = true;
    return 0;
}

int kubernetes_ask(const k8s_cluster *c, const kubernetes_request *r, kim_arena *arena, k8s_asked *out, kim_error *err)
{
    *out = (k8s_asked){.c = c, .verb = text_map_find(c->verbs, r->verb), .name = text_map_find(c->names, r->name), .namespace = K8S_NONE};
    if (r->namespace.size)
        out->namespace = text_map_find(c->namespaces, r->namespace);
    return kim_text_is_absent(r->path) ? ask_resource(out, r, arena, err) : ask_path(out, r->path, arena, err);
}

/* A resource in kubernetes_name.h's writing. action absent: any verb. */
static int ask_written(const kubernetes_index *index, const question *q, kim_text identity, kim_arena *arena, k8s_asked *out, kim_error *err)
{
    kubernetes_name n;
    if (kubernetes_name_read(q->resource, arena, &n, err) < 0)
        return -1;
    const k8s_cluster *c = kubernetes_cluster_of(index, n.cluster, identity, err);
    const kubernetes_request r = {.verb = q->action, .api_group = n.api_group, .resource = n.resource, .subresource = n.subresource,
                                  .name = kim_text_is_absent(n.name) ? KIM_TEXT("") : n.name, .namespace = n.namespace, .path = n.path};
    if (c == NULL || kubernetes_ask(c, &r, arena, out, err) < 0)
        return -1;
    out->any_name = n.any_name;
    out->any_namespace = n.any_namespace;
    out->type = n.type;
    out->given_name = n.any_name ? KIM_NO_TEXT : n.name;
    out->given_namespace = n.namespace;
    out->cluster_prefix = index->count > 1 ? c->name : KIM_NO_TEXT;
    return 0;
}

/* ---- who asks ---- */

/* A walk has marked a subject at most once; the marks of earlier walks are of earlier rounds. */
static uint32_t next_round(k8s_state *state)
{
    if (++state->round == 0) {
        memset(state->subject_rounds, 0, state->index->most_subjects * sizeof *state->subject_rounds);
        state->round = 1;
    }
    return state->round;
}

typedef struct subject_walk {
    k8s_state *state;
    const k8s_cluster *c;
    uint32_t *found;
    size_t count;
    uint32_t round;
} subject_walk;

static void meet(subject_walk *w, uint32_t whom)
{
    if (whom == K8S_UNKNOWN || w->state->subject_rounds[whom] == w->round)
        return;
    w->state->subject_rounds[whom] = w->round;
    w->found[w->count++] = whom;
}

static kim_texts groups_of_context(const question *q)
{
    for (size_t i = 0; i < q->context_count; i++)
        if (kim_text_is(q->context[i].key, "groups"))
            return q->context[i].values;
    return (kim_texts){NULL, 0};
}

static int check_context(const question *q, kim_error *err)
{
    for (size_t i = 0; i < q->context_count; i++)
        if (!kim_text_is(q->context[i].key, "groups"))
            return kim_fail(err, KIM_ERR_INPUT, "context '%.*s' means nothing to Kubernetes; groups=NAME names a group of the user's",
                            KIM_PRINT(q->context[i].key));
    return 0;
}

static uint32_t group_number(const k8s_cluster *c, kim_text name)
{
    uint32_t number = text_map_find(c->group_names, name);
    return number == K8S_UNKNOWN ? K8S_UNKNOWN : c->first_group_subject + number;
}

int kubernetes_asker_given(const k8s_cluster *c, kim_text user, kim_texts groups, kim_arena *arena, k8s_asker *out, kim_error *err)
{
    kim_text id = kim_text_is_absent(user) ? user : kubernetes_user_id(arena, user);
    *out = (k8s_asker){.count = 0};
    uint32_t *subjects = groups.count < K8S_FEW_SUBJECTS ? out->few : KIM_NEW_ARRAY(arena, uint32_t, groups.count + 1);
    if (subjects == NULL || (kim_text_is_absent(id) && !kim_text_is_absent(user)))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    out->subjects = subjects;
    uint32_t number = kim_text_is_absent(id) ? K8S_UNKNOWN : text_map_find(c->ids, id);
    if (number != K8S_UNKNOWN)
        subjects[out->count++] = number;
    for (size_t i = 0; i < groups.count; i++) {
        number = group_number(c, groups.items[i]);
        out->is_master |= kim_text_equal(groups.items[i], MASTERS);
        if (number != K8S_UNKNOWN)
            subjects[out->count++] = number;
    }
    return 0;
}

/* Somebody of the estate, with all groups that it is known to be in, and those given beside them. The list is the
 * state's, until the next walk. A full arena: some group may be missing. */
static void find_asker(k8s_state *state, const k8s_cluster *c, kim_text id, kim_texts given, kim_arena *arena, k8s_asker *out)
{
    subject_walk w = {.state = state, .c = c, .found = state->found, .round = next_round(state)};
    *out = (k8s_asker){.count = 0};
    uint32_t self = text_map_find(c->ids, id);
    meet(&w, self);
    automatic_groups groups = {.count = 0};
    if (self == K8S_UNKNOWN)
        groups = kubernetes_automatic_groups(id, arena);
    for (size_t g = 0; g < groups.count; g++)
        meet(&w, text_map_find(c->ids, groups.ids[g]));
    for (size_t i = 0; i < given.count; i++) {
        meet(&w, group_number(c, given.items[i]));
        out->is_master |= kim_text_equal(given.items[i], MASTERS);
    }
    for (size_t at = 0; at < w.count; at++) {
        const k8s_subject *s = &c->subjects[w.found[at]];
        out->is_vague |= s->is_vague;
        for (uint32_t g = 0; g < s->group_count; g++)
            meet(&w, c->groups[s->first_group + g]);
    }
    out->is_master |= kim_text_is(id, "group:system:masters") || (c->masters != K8S_UNKNOWN && state->subject_rounds[c->masters] == w.round);
    out->subjects = w.found;
    out->count = w.count;
}

static bool may_be_in_more(const k8s_cluster *c, kim_text id)
{
    uint32_t number = text_map_find(c->ids, id);
    return number == K8S_UNKNOWN ? kubernetes_is_external_user(id) : c->subjects[number].is_open;
}

/* ---- what a rule says ---- */

bool kubernetes_verb_matches(const k8s_rule *one, uint32_t verb)
{
    if (one->verbs & 1)
        return true;
    if (verb < 64)
        return one->verbs >> verb & 1;
    for (uint32_t low = 0, high = one->more_count; verb != K8S_UNKNOWN && low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (one->more[middle] == verb)
            return true;
        if (one->more[middle] < verb)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Of a role's uses of one cell, those for that name: the first that is not below it. */
static uint32_t first_for(const k8s_cluster *c, k8s_run run, uint32_t name)
{
    uint32_t low = run.first, high = run.first + run.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c->uses[middle].name < name)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const k8s_rule *kubernetes_role_allows(const k8s_cluster *c, uint32_t role, const k8s_asked *asked)
{
    for (size_t i = 0; i < asked->cell_count; i++) {
        uint32_t at = pair_map_find(&c->runs, role, asked->cells[i]);
        if (at == K8S_UNKNOWN)
            continue;
        k8s_run run = c->role_cells[at];
        uint32_t end = run.first + run.count, u = run.first;
        for (; u < end && c->uses[u].name == K8S_NONE; u++)
            if (kubernetes_verb_matches(&c->rules[c->uses[u].rule], asked->verb))
                return &c->rules[c->uses[u].rule];
        for (u = asked->name == K8S_UNKNOWN ? end : first_for(c, run, asked->name); u < end && c->uses[u].name == asked->name; u++)
            if (kubernetes_verb_matches(&c->rules[c->uses[u].rule], asked->verb))
                return &c->rules[c->uses[u].rule];
    }
    return NULL;
}

k8s_runs kubernetes_bindings_in(const k8s_cluster *c, const k8s_subject *whom, uint32_t namespace, bool any_namespace)
{
    uint32_t first = whom->first_binding, end = first + whom->binding_count, at = first;
    if (any_namespace)
        return (k8s_runs){{{first, end - first}}};
    while (at < end && c->bindings[at].namespace == K8S_NONE)
        at++;
    k8s_runs runs = {{{first, at - first}}};
    if (namespace == K8S_NONE || namespace == K8S_UNKNOWN)
        return runs;
    for (uint32_t high = end; at < high;) {
        uint32_t middle = at + (high - at) / 2;
        if (c->bindings[middle].namespace < namespace)
            at = middle + 1;
        else
            high = middle;
    }
    runs.of[1].first = at;
    while (at < end && c->bindings[at].namespace == namespace)
        at++;
    runs.of[1].count = at - runs.of[1].first;
    return runs;
}

const k8s_rule *kubernetes_asker_may(const k8s_asked *asked, const k8s_asker *asker)
{
    const k8s_cluster *c = asked->c;
    for (size_t s = 0; s < asker->count; s++) {
        k8s_runs runs = kubernetes_bindings_in(c, &c->subjects[asker->subjects[s]], asked->namespace, false);
        for (int r = 0; r < 2; r++)
            for (uint32_t i = runs.of[r].first; i < runs.of[r].first + runs.of[r].count; i++) {
                const k8s_rule *found = kubernetes_role_allows(c, c->bindings[i].role, asked);
                if (found)
                    return found;
            }
    }
    return NULL;
}

/* ---- what was found ---- */

/* What speaks for the asker. Terms live in the evaluator's scratch. */
typedef struct finding {
    evaluator *ev;
    const k8s_asked *asked;
    size_t sure;                    /* rules that allow it as it was asked */
    size_t named;                   /* of them, in ev->reasons */
    name_list parts;                /* what of it is allowed, as resources */
    name_list unread;
} finding;

/* Each statement once; where several bindings give it, none of them is told alone. */
static void name_rule(finding *f, uint32_t number, const k8s_binding *binding)
{
    const k8s_rule *one = &f->asked->c->rules[number];
    const k8s_role *role = &f->asked->c->roles[one->role];
    for (size_t i = 0; i < f->named; i++)
        if (f->ev->reasons[i].source == one->source) {
            f->ev->reasons[i].attachment = NULL;
            return;
        }
    if (f->named == BECAUSE_MAX)
        return;
    f->ev->reasons[f->named++] = (because){.layer = role->layer, .policy = role->id, .statement = one->name, .source = one->source,
                                           .attachment = binding->source};
}

/* "secrets@web:db", of what was asked as "secrets@*:*". */
static kim_text part_of(const k8s_asked *asked, uint32_t name, uint32_t namespace, kim_arena *arena)
{
    const k8s_cluster *c = asked->c;
    kim_text only = name != K8S_NONE ? text_map_text(c->names, name) : asked->given_name;
    kim_text pattern = kim_text_is_absent(only) && !asked->any_name ? asked->type : kubernetes_pattern(arena, asked->type, only);
    bool any_namespace = asked->any_namespace && namespace == K8S_NONE;
    kim_text space = asked->any_namespace && namespace != K8S_NONE ? text_map_text(c->namespaces, namespace) : asked->given_namespace;
    return kubernetes_name_in(arena, asked->cluster_prefix, pattern, space, any_namespace);
}

static void take_use(finding *f, const k8s_use *use, const k8s_binding *binding)
{
    const k8s_asked *asked = f->asked;
    bool is_part = (asked->any_name && use->name != K8S_NONE) || (asked->any_namespace && binding->namespace != K8S_NONE);
    if (!kubernetes_verb_matches(&asked->c->rules[use->rule], asked->verb))
        return;
    if (is_part)
        name_list_add(&f->parts, part_of(asked, use->name, binding->namespace, f->ev->scratch));
    f->sure += !is_part;
    name_rule(f, use->rule, binding);
}

static void look_at_role(finding *f, const k8s_role *role, const k8s_binding *binding)
{
    const k8s_asked *asked = f->asked;
    const k8s_cluster *c = asked->c;
    if (!kim_text_is_absent(role->unread))
        name_list_add(&f->unread, role->unread);
    for (size_t i = 0; i < asked->cell_count; i++) {
        uint32_t at = pair_map_find(&c->runs, binding->role, asked->cells[i]);
        if (at == K8S_UNKNOWN)
            continue;
        k8s_run run = c->role_cells[at];
        uint32_t end = run.first + run.count, u = run.first;
        for (; u < end && c->uses[u].name == K8S_NONE; u++)
            take_use(f, &c->uses[u], binding);
        if (u < end && !asked->any_name)
            u = asked->name == K8S_UNKNOWN ? end : first_for(c, run, asked->name);
        for (; u < end && (asked->any_name || c->uses[u].name == asked->name); u++)
            take_use(f, &c->uses[u], binding);
    }
}

static void look_at_bindings(finding *f, const k8s_subject *whom)
{
    const k8s_cluster *c = f->asked->c;
    k8s_runs runs = kubernetes_bindings_in(c, whom, f->asked->namespace, f->asked->any_namespace);
    for (int r = 0; r < 2; r++)
        for (uint32_t i = runs.of[r].first; i < runs.of[r].first + runs.of[r].count; i++) {
            const k8s_role *role = &c->roles[c->bindings[i].role];
            if (role->signature & f->asked->signature || role->signature == UINT64_MAX)
                look_at_role(f, role, &c->bindings[i]);
        }
}

/* Bindings that nobody read may reach anybody. */
static void look_at_coverage(finding *f)
{
    const k8s_cluster *c = f->asked->c;
    uint32_t namespace = f->asked->namespace;
    bool in_one = namespace != K8S_NONE || f->asked->any_namespace;
    if (!kim_text_is_absent(c->lacking))
        name_list_add(&f->unread, c->lacking);
    if (in_one && !kim_text_is_absent(c->lacking_anywhere))
        name_list_add(&f->unread, c->lacking_anywhere);
    bool is_known = namespace != K8S_NONE && namespace != K8S_UNKNOWN;
    uint32_t first = f->asked->any_namespace ? 1 : namespace, end = f->asked->any_namespace ? text_map_count(c->namespaces) : namespace + 1;
    for (uint32_t n = first; (is_known || f->asked->any_namespace) && n < end; n++)
        if (!kim_text_is_absent(c->lacking_in[n]))
            name_list_add(&f->unread, c->lacking_in[n]);
}

/* ---- groups that the asker may be in ---- */

/* For every user of whom nobody says its groups the same: found once a question. */
typedef struct open_groups {
    bool is_known;
    name_list names;       /* of groups that would allow it as it is asked */
    name_list parts;       /* "GROUP\nPART" of those that would allow a part */
    because *reasons;      /* [count] */
    size_t count;
} open_groups;

/* A rule that covers what is asked, for every name or for one, and a binding that gives it. */
typedef void binding_function(void *into, uint32_t one, uint32_t name, const k8s_binding *binding);

static bool counts_in(const k8s_asked *asked, const k8s_binding *binding)
{
    return binding->namespace == K8S_NONE || asked->any_namespace || binding->namespace == asked->namespace;
}

/* Calls back for each binding that gives a rule which covers what is asked. */
static void each_grant(const k8s_asked *asked, binding_function *found, void *into)
{
    const k8s_cluster *c = asked->c;
    for (size_t i = 0; i < asked->cell_count; i++) {
        k8s_run run = c->cell_uses[asked->cells[i]];
        for (uint32_t k = run.first; k < run.first + run.count; k++) {
            const k8s_use *use = &c->uses[c->by_cell[k]];
            bool named = use->name == K8S_NONE || asked->any_name || use->name == asked->name;
            if (!named || !kubernetes_verb_matches(&c->rules[use->rule], asked->verb))
                continue;
            const k8s_role *role = &c->roles[use->role];
            for (uint32_t b = role->first_binding; b < role->first_binding + role->binding_count; b++)
                if (counts_in(asked, &c->bindings[c->by_role[b]]))
                    found(into, use->rule, use->name, &c->bindings[c->by_role[b]]);
        }
    }
}

typedef struct open_search {
    const k8s_asked *asked;
    open_groups *open;
    kim_arena *arena;
} open_search;

static void take_open(void *into, uint32_t number, uint32_t name, const k8s_binding *binding)
{
    open_search *s = into;
    const k8s_cluster *c = s->asked->c;
    const k8s_subject *group = &c->subjects[binding->subject];
    if (!group->is_group || kim_text_starts_with(group->name, KIM_TEXT("system:")))
        return;
    bool is_part = (s->asked->any_name && name != K8S_NONE) || (s->asked->any_namespace && binding->namespace != K8S_NONE);
    if (is_part) {
        kim_text part = part_of(s->asked, name, binding->namespace, s->arena);
        name_list_add(&s->open->parts, kim_text_format(s->arena, "%.*s\n%.*s", KIM_PRINT(group->name), KIM_PRINT(part)));
    } else {
        name_list_add(&s->open->names, group->name);
    }
    for (size_t i = 0; i < s->open->count; i++)
        if (s->open->reasons[i].source == c->rules[number].source)
            return;
    if (s->open->reasons == NULL || s->open->count == BECAUSE_MAX)
        return;
    const k8s_role *role = &c->roles[c->rules[number].role];
    s->open->reasons[s->open->count++] = (because){.layer = role->layer, .policy = role->id, .statement = c->rules[number].name,
                                                   .source = c->rules[number].source};
}

static void find_open_groups(const k8s_asked *asked, kim_arena *arena, open_groups *open)
{
    open_search s = {.asked = asked, .open = open, .arena = arena};
    open->names.arena = open->parts.arena = arena;
    open->reasons = KIM_NEW_ARRAY(arena, because, BECAUSE_MAX);
    open->is_known = true;
    each_grant(asked, take_open, &s);
    name_list_settle(&open->names);
    name_list_settle(&open->parts);
}

/* ---- the answer ---- */

static const term *condition_on_groups(kim_arena *arena, const kim_text *names, size_t count)
{
    return term_condition(arena, KIM_TEXT("groups"), KIM_TEXT("ForAnyValue:StringEquals"), (kim_texts){names, count});
}

/* One of several, which are sorted as terms are: conditions, resources, what was not read, conjunctions. */
static const term *any_of(kim_arena *arena, const term **items, size_t count)
{
    if (count < 2)
        return count ? items[0] : &term_false;
    term *t = KIM_NEW(arena, term);
    if (t)
        *t = (term){.kind = TERM_ANY, .items = items, .count = count};
    return t;
}

static const term *open_part(kim_arena *arena, kim_text text)
{
    const char *newline = memrchr(text.bytes, '\n', text.size);
    kim_text group = {text.bytes, (size_t)(newline - text.bytes)}, part = {newline + 1, text.size - group.size - 1};
    return term_and(arena, condition_on_groups(arena, &group, 1), term_of(arena, TERM_RESOURCE, part));
}

static const term *what_remains(finding *f, const open_groups *open)
{
    kim_arena *arena = f->ev->scratch;
    name_list_settle(&f->parts);
    name_list_settle(&f->unread);
    size_t most = 1 + f->parts.count + f->unread.count + (open ? open->parts.count : 0), count = 0;
    const term **items = (const term **)kim_arena_array(arena, most, sizeof *items);
    if (items == NULL || f->parts.failed || f->unread.failed)
        return NULL;
    if (open && open->names.count)
        items[count++] = condition_on_groups(arena, open->names.items, open->names.count);
    for (size_t i = 0; i < f->parts.count; i++)
        items[count++] = term_of(arena, TERM_RESOURCE, f->parts.items[i]);
    for (size_t i = 0; i < f->unread.count; i++)
        items[count++] = term_of(arena, TERM_UNREAD, f->unread.items[i]);
    for (size_t i = 0; open && i < open->parts.count; i++)
        items[count++] = open_part(arena, open->parts.items[i]);
    for (size_t i = 0; i < count; i++)
        if (items[i] == NULL)
            return NULL;
    return any_of(arena, items, count);
}

static void name_open_rules(finding *f, const open_groups *open)
{
    for (size_t i = 0; i < open->count && f->named < BECAUSE_MAX; i++)
        f->ev->reasons[f->named++] = open->reasons[i];
}

/* listing  where what is found for all open users is kept */
static int decide_for(evaluator *ev, const k8s_asked *asked, const k8s_asker *asker, open_groups *open, kim_arena *listing, answer *out, kim_error *err)
{
    finding f = {.ev = ev, .asked = asked, .parts = {.arena = ev->scratch}, .unread = {.arena = ev->scratch}};
    if (asker->is_master) {
        *out = (answer){.verdict = ALLOWED, .reason = BYPASS};
        return 0;
    }
    for (size_t i = 0; i < asker->count; i++)
        look_at_bindings(&f, &asked->c->subjects[asker->subjects[i]]);
    if (f.sure) {
        *out = (answer){.verdict = ALLOWED, .reason = EXPLICIT_ALLOW, .because = ev->reasons, .because_count = f.named};
        return 0;
    }
    look_at_coverage(&f);
    if (asker->is_vague)
        name_list_add(&f.unread, KIM_TEXT("a membership that depends on a condition or a time"));
    if (asker->is_open && !open->is_known)
        find_open_groups(asked, listing, open);
    if (asker->is_open && (open->names.failed || open->parts.failed))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    const term *t = what_remains(&f, asker->is_open ? open : NULL);
    if (t == NULL || kim_arena_is_full(ev->scratch))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    answer_from_term(ev, t, out);
    if (asker->is_open)
        name_open_rules(&f, open);
    out->because = ev->reasons;
    out->because_count = f.named;
    return 0;
}

/* The request's own words, or the question's. */
static int read_question(evaluator *ev, k8s_state *state, const question *q, k8s_asked *asked, k8s_asker *asker, kim_error *err)
{
    kim_arena *arena = ev->scratch;
    const kubernetes_request *r = q->kubernetes;
    kim_texts groups = r ? r->groups : groups_of_context(q);
    kim_text id = r ? kubernetes_user_id(arena, q->identity) : q->identity;
    if (check_context(q, err) < 0)
        return -1;
    if (kim_text_is_absent(id))
        return kim_fail(err, r ? KIM_ERR_NOMEM : KIM_ERR_INPUT, r ? "no memory for a decision" : "who asks is missing");
    if (r) {
        const k8s_cluster *c = kubernetes_cluster_of(state->index, r->cluster, id, err);
        if (c == NULL || kubernetes_ask(c, r, arena, asked, err) < 0)
            return -1;
        asked->cluster_prefix = KIM_NO_TEXT;
    } else if (ask_written(state->index, q, id, arena, asked, err) < 0) {
        return -1;
    }
    bool is_group = false;
    kim_text user = r ? q->identity : kubernetes_id_name(id, &is_group);
    int result = 0;
    if (q->derive && !(r && groups.items))
        find_asker(state, asked->c, id, groups, arena, asker);
    else if (is_group)
        result = kubernetes_asker_given(asked->c, KIM_NO_TEXT, (kim_texts){&user, 1}, arena, asker, err);
    else
        result = kubernetes_asker_given(asked->c, user, groups, arena, asker, err);
    asker->is_open = result == 0 && groups.items == NULL && q->discover && may_be_in_more(asked->c, id);
    return result;
}

static int decide(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    k8s_state *state = engine_state(&kubernetes_engine, ev, err);
    k8s_asked asked;
    k8s_asker asker;
    open_groups open = {.is_known = false};
    if (state == NULL || read_question(ev, state, q, &asked, &asker, err) < 0)
        return -1;
    return decide_for(ev, &asked, &asker, &open, ev->scratch, out, err);
}

/* ---- who can ---- */

/* Those whose answer may not be "denied", gathered before anybody is decided. */
typedef struct candidates {
    const k8s_asked *asked;
    subject_walk walk;
    bool has_open_group; /* some group that users may be in would allow it */
} candidates;

static void take_candidate(void *into, uint32_t one, uint32_t name, const k8s_binding *binding)
{
    candidates *all = into;
    const k8s_subject *s = &all->asked->c->subjects[binding->subject];
    (void)one, (void)name;
    all->has_open_group |= s->is_group && !kim_text_starts_with(s->name, KIM_TEXT("system:"));
    meet(&all->walk, binding->subject);
}

/* Whoever is bound to a role that was not read. */
static void take_unread_roles(candidates *all)
{
    const k8s_cluster *c = all->asked->c;
    for (uint32_t r = 0; r < c->role_count; r++) {
        const k8s_role *role = &c->roles[r];
        for (uint32_t b = 0; role->signature == UINT64_MAX && b < role->binding_count; b++)
            if (counts_in(all->asked, &c->bindings[c->by_role[role->first_binding + b]]))
                meet(&all->walk, c->bindings[c->by_role[role->first_binding + b]].subject);
    }
}

static void find_candidates(candidates *all, bool discover)
{
    const k8s_cluster *c = all->asked->c;
    bool in_one = all->asked->namespace != K8S_NONE || all->asked->any_namespace, is_lacking = !kim_text_is_absent(c->lacking);
    is_lacking |= in_one && !kim_text_is_absent(c->lacking_anywhere);
    for (uint32_t n = 1; in_one && n < text_map_count(c->namespaces); n++)
        is_lacking |= counts_in(all->asked, &(k8s_binding){.namespace = n}) && !kim_text_is_absent(c->lacking_in[n]);
    each_grant(all->asked, take_candidate, all);
    take_unread_roles(all);
    meet(&all->walk, c->masters);
    for (uint32_t s = 0; (is_lacking || c->has_vague || (all->has_open_group && discover)) && s < c->subject_count; s++)
        if (is_lacking || c->subjects[s].is_vague || (all->has_open_group && discover && c->subjects[s].is_open))
            meet(&all->walk, s);
    for (size_t at = 0; at < all->walk.count; at++) {
        const k8s_subject *s = &c->subjects[all->walk.found[at]];
        for (uint32_t m = 0; m < s->member_count; m++)
            meet(&all->walk, c->members[s->first_member + m]);
    }
}

static int compare_numbers(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* The candidates' numbers are in the order of their ids. [*count] in the listing's arena. */
static uint32_t *sorted_candidates(k8s_state *state, const k8s_asked *asked, bool discover, size_t *count, kim_error *err)
{
    candidates all = {.asked = asked, .walk = {.state = state, .c = asked->c, .found = state->found, .round = next_round(state)}};
    find_candidates(&all, discover);
    uint32_t *numbers = KIM_NEW_ARRAY(state->listing, uint32_t, all.walk.count + 1);
    if (numbers == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to list who can");
        return NULL;
    }
    memcpy(numbers, state->found, all.walk.count * sizeof *numbers);
    qsort(numbers, all.walk.count, sizeof *numbers, compare_numbers);
    *count = all.walk.count;
    return numbers;
}

static int who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err)
{
    k8s_state *state = engine_state(&kubernetes_engine, ev, err);
    k8s_asked asked;
    size_t count = 0;
    open_groups open = {.is_known = false};
    kim_texts groups = groups_of_context(q);
    if (state == NULL || check_context(q, err) < 0)
        return -1;
    kim_arena_reset(state->listing);
    if (ask_written(state->index, q, KIM_NO_TEXT, state->listing, &asked, err) < 0)
        return -1;
    const uint32_t *numbers = sorted_candidates(state, &asked, q->discover, &count, err);
    for (size_t i = 0; numbers && i < count; i++) {
        const k8s_subject *s = &asked.c->subjects[numbers[i]];
        k8s_asker asker;
        answer a;
        kim_arena_reset(ev->scratch);
        find_asker(state, asked.c, s->id, groups, ev->scratch, &asker);
        asker.is_open = q->discover && s->is_open && groups.items == NULL;
        if (decide_for(ev, &asked, &asker, &open, state->listing, &a, err) < 0)
            return -1;
        int result = a.verdict == DENIED ? 0 : found(user, s->id, &a);
        if (result)
            return result;
    }
    return numbers ? 0 : -1;
}

/* ---- what can ---- */

/* A row: a verb on a pattern of resources, and the rules that grant it. */
typedef struct granted {
    kim_text action, resource;
    kim_text unread;      /* not absent: nobody knows */
    uint32_t rules[8];    /* the first ones */
    const k8s_binding *binding; /* of the first */
    size_t count;
} granted;

typedef struct listing {
    k8s_state *state;
    const k8s_cluster *c;
    const k8s_asked *only; /* what is asked about; NULL: anything */
    kim_text prefix;
    text_map *keys;
    granted *rows;         /* [count] */
    size_t count, room;
    bool failed;
} listing;

static granted *row_for(listing *l, kim_text action, kim_text resource)
{
    kim_text key = kim_text_format(l->state->listing, "%.*s\n%.*s", KIM_PRINT(resource), KIM_PRINT(action));
    uint32_t number = kim_text_is_absent(key) ? UINT32_MAX : text_map_add(l->keys, key);
    if (number < l->count)
        return &l->rows[number];
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        granted *rows = KIM_NEW_ARRAY(l->state->listing, granted, room);
        if (rows && l->count)
            memcpy(rows, l->rows, l->count * sizeof *rows);
        l->rows = rows;
        l->room = room;
    }
    l->failed |= number == UINT32_MAX || l->rows == NULL;
    if (l->failed)
        return NULL;
    l->rows[l->count] = (granted){.action = action, .resource = resource};
    return &l->rows[l->count++];
}

static void add_row(listing *l, kim_text action, kim_text resource, uint32_t one, const k8s_binding *binding)
{
    granted *row = l->failed ? NULL : row_for(l, action, resource);
    if (row == NULL)
        return;
    if (row->count == 0)
        row->binding = binding;
    for (size_t i = 0; i < row->count; i++)
        if (row->rules[i] == one)
            return;
    if (row->count < sizeof row->rules / sizeof *row->rules)
        row->rules[row->count++] = one;
}

/* The cell of a rule's pattern, and its name; K8S_UNKNOWN where it cannot be read. */
static uint32_t cell_of(listing *l, const k8s_rule *one, kim_text pattern, uint32_t *name)
{
    const k8s_cluster *c = l->c;
    kubernetes_name n;
    *name = K8S_NONE;
    if (one->is_paths) {
        kim_text prefix = pattern;
        while (prefix.size && prefix.bytes[prefix.size - 1] == '*')
            prefix.size--;
        return prefix.size == pattern.size ? pair_map_find(&c->cells, K8S_PATH, text_map_find(c->paths, pattern))
                                           : pair_map_find(&c->cells, K8S_PREFIX, text_map_find(c->prefixes, prefix));
    }
    if (kubernetes_name_read(pattern, l->state->listing, &n, NULL) < 0)
        return K8S_UNKNOWN;
    char *buffer = kim_arena_bytes(l->state->listing, n.resource.size + n.subresource.size + 2);
    if (buffer == NULL)
        return K8S_UNKNOWN;
    kim_text resource = kim_text_is_absent(n.subresource) ? n.resource : kubernetes_combined(buffer, n.resource, n.subresource);
    if (!kim_text_is_absent(n.name))
        *name = text_map_find(c->names, n.name);
    return pair_map_find(&c->cells, text_map_find(c->api_groups, n.api_group), text_map_find(c->resources, resource));
}

static bool covers_asked(listing *l, const k8s_rule *one, kim_text pattern)
{
    uint32_t name, cell;
    if (l->only == NULL)
        return true;
    cell = cell_of(l, one, pattern, &name);
    for (size_t i = 0; i < l->only->cell_count; i++)
        if (l->only->cells[i] == cell)
            return name == K8S_NONE || l->only->any_name || name == l->only->name;
    return false;
}

/* Paths are of the whole cluster: a binding in a namespace gives none. */
static void list_rule(listing *l, uint32_t number, const k8s_binding *binding)
{
    const k8s_cluster *c = l->c;
    const k8s_rule *one = &c->rules[number];
    const kim_statement *s = one->source;
    kim_text space = binding->namespace == K8S_NONE ? KIM_NO_TEXT : text_map_text(c->namespaces, binding->namespace);
    if (one->is_paths && binding->namespace != K8S_NONE)
        return;
    for (size_t i = 0; i < s->resources.count && !l->failed; i++) {
        kim_text pattern = s->resources.items[i];
        if (!covers_asked(l, one, pattern))
            continue;
        pattern = one->is_paths && kim_text_is(pattern, "*") ? KIM_TEXT("/*") : pattern; /* a request's path begins so */
        kim_text resource = kubernetes_name_in(l->state->listing, l->prefix, pattern, space, false);
        l->failed |= kim_text_is_absent(resource);
        for (size_t v = 0; v < s->actions.count && !l->failed; v++)
            add_row(l, s->actions.items[v], resource, number, binding);
    }
}

static void list_binding(listing *l, const k8s_binding *binding)
{
    const k8s_cluster *c = l->c;
    const k8s_role *role = &c->roles[binding->role];
    if (l->only && !counts_in(l->only, binding))
        return;
    for (uint32_t i = 0; i < role->rule_count; i++)
        list_rule(l, role->first_rule + i, binding);
    if (kim_text_is_absent(role->unread))
        return;
    kim_text space = binding->namespace == K8S_NONE ? KIM_NO_TEXT : text_map_text(c->namespaces, binding->namespace);
    granted *row = row_for(l, KIM_TEXT("*"), kubernetes_name_in(l->state->listing, l->prefix, KIM_TEXT("*.*"), space, false));
    if (row && row->count == 0)
        row->unread = role->unread;
}

static int by_resource(const void *left, const void *right)
{
    const granted *a = left, *b = right;
    int order = kim_text_compare(a->resource, b->resource);
    return order ? order : kim_text_compare(a->action, b->action);
}

static int hand_over(evaluator *ev, const listing *l, const granted *row, what_can_function *found, void *user, kim_error *err)
{
    const k8s_cluster *c = l->c;
    const grant what = {.action = row->action, .resource = row->resource};
    answer a = {.verdict = ALLOWED, .reason = EXPLICIT_ALLOW, .because = ev->reasons, .because_count = row->count};
    kim_arena_reset(ev->scratch);
    for (size_t i = 0; i < row->count; i++) {
        const k8s_rule *one = &c->rules[row->rules[i]];
        ev->reasons[i] = (because){.layer = c->roles[one->role].layer, .policy = c->roles[one->role].id, .statement = one->name,
                                   .source = one->source, .attachment = i == 0 ? row->binding->source : NULL};
    }
    if (row->count == 0) {
        const term *t = term_of(ev->scratch, TERM_UNREAD, row->unread);
        if (t == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory to list what is granted");
        answer_from_term(ev, t, &a);
    }
    return found(user, &what, &a);
}

/* Those whom nobody asks may do everything. */
static int list_everything(const listing *l, what_can_function *found, void *user)
{
    static const char *const all[] = {"*.*", "/*"};
    const answer a = {.verdict = ALLOWED, .reason = BYPASS};
    int result = 0;
    for (int i = 0; i < 2 && result == 0; i++) {
        grant what = {.action = KIM_TEXT("*"), .resource = kubernetes_name_in(l->state->listing, l->prefix, kim_text_of(all[i]), KIM_NO_TEXT, false)};
        result = found(user, &what, &a);
    }
    return result;
}

static int list_cluster(evaluator *ev, listing *l, const question *q, what_can_function *found, void *user, kim_error *err)
{
    k8s_asker asker;
    kim_text id = q->identity;
    find_asker(l->state, l->c, id, groups_of_context(q), l->state->listing, &asker);
    if (asker.is_master)
        return list_everything(l, found, user);
    for (size_t i = 0; i < asker.count; i++) {
        const k8s_subject *s = &l->c->subjects[asker.subjects[i]];
        for (uint32_t b = 0; b < s->binding_count && !l->failed; b++)
            list_binding(l, &l->c->bindings[s->first_binding + b]);
    }
    if (l->failed || kim_arena_is_full(l->state->listing))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to list what is granted");
    if (l->count)
        qsort(l->rows, l->count, sizeof *l->rows, by_resource);
    int result = 0;
    for (size_t i = 0; i < l->count && result == 0; i++)
        result = hand_over(ev, l, &l->rows[i], found, user, err);
    return result;
}

/* In every cluster that knows the identity; of one that a resource names, or has none other, in that. */
static int what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err)
{
    k8s_state *state = engine_state(&kubernetes_engine, ev, err);
    k8s_asked only;
    int result = 0;
    if (state == NULL || check_context(q, err) < 0)
        return -1;
    kim_arena_reset(state->listing);
    if (q->identity.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "who asks is missing");
    if (q->resource.size && ask_written(state->index, q, q->identity, state->listing, &only, err) < 0)
        return -1;
    for (size_t i = 0; i < state->index->count && result == 0; i++) {
        const k8s_cluster *c = &state->index->clusters[i];
        bool is_meant = q->resource.size ? only.c == c : state->index->count == 1 || text_map_find(c->ids, q->identity) != K8S_UNKNOWN;
        listing l = {.state = state, .c = c, .only = q->resource.size ? &only : NULL,
                     .prefix = state->index->count > 1 ? c->name : KIM_NO_TEXT, .keys = text_map_new(state->listing)};
        if (l.keys == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory to list what is granted");
        if (is_meant)
            result = list_cluster(ev, &l, q, found, user, err);
    }
    return result;
}

/* ---- the engine ---- */

static void *compile(estate *es, kim_error *err)
{
    return kubernetes_index_new(es, err);
}

static void forget(void *compiled)
{
    kubernetes_index_free(compiled);
}

static void state_free(void *scratch)
{
    k8s_state *state = scratch;
    if (state == NULL)
        return;
    kim_arena_free(state->listing);
    free(state->subject_rounds);
    free(state->found);
    free(state);
}

static void *state_new(evaluator *ev, const void *compiled, kim_error *err)
{
    k8s_state *state = calloc(1, sizeof *state);
    (void)ev;
    if (state) {
        state->index = compiled;
        state->listing = kim_arena_new(SIZE_MAX);
        state->subject_rounds = calloc((size_t)state->index->most_subjects + 1, sizeof *state->subject_rounds);
        state->found = calloc((size_t)state->index->most_subjects + 1, sizeof *state->found);
    }
    if (state && state->listing && state->subject_rounds && state->found)
        return state;
    state_free(state);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for an evaluator");
    return NULL;
}

static kim_text first_unread(const void *compiled)
{
    return ((const kubernetes_index *)compiled)->first_unread;
}

const engine kubernetes_engine = {
    .provider = "kubernetes",
    .scope_prefix = "k8s:",
    .compile = compile,
    .forget = forget,
    .state_new = state_new,
    .state_free = state_free,
    .decide = decide,
    .who_can = who_can,
    .what_can = what_can,
    .first_unread = first_unread,
    .compare = kubernetes_compare,
    .expand = kubernetes_expand,
    .may_grant = kubernetes_may_grant,
};
