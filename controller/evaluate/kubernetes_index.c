/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes_index.c - records are sorted to their clusters, texts become numbers, and rows are sorted twice.
 *
 * Subjects are numbered in the order of their ids, so that a list of subjects is in order where its numbers are. All rows
 * lie in one arena, which ends with the index.
 */
#include "controller/evaluate/kubernetes_index.h"

#include <stdlib.h>

#include "controller/evaluate/engine.h"
#include "controller/evaluate/kubernetes_name.h"

/* An estate's records, cluster by cluster. */
typedef struct shelves {
    text_map *scopes;                            /* of clusters, sorted */
    const kim_record **items[KIM_RECORD_TYPES];  /* by cluster, else in the estate's order */
    size_t *ends[KIM_RECORD_TYPES];              /* [clusters]: where each one's end */
} shelves;

/* What is known of a cluster while it is being compiled. */
typedef struct build {
    kubernetes_index *index;
    estate *es;
    const shelves *all;
    size_t number;         /* the cluster's */
    kim_arena *arena;      /* the index's */
    kim_arena *scratch;    /* of this cluster; ends with its compilation */
    k8s_cluster *c;
    text_map *roles;       /* "SCOPE\nID" */
    size_t role_room, rule_room, use_room, cell_room;
    uint32_t *role_of_rule;
    k8s_use *uses;
    kim_text lacking_roles[2];   /* of Roles, of ClusterRoles: why not all were read */
    kim_error *err;
} build;

static int no_memory(build *b)
{
    return kim_fail(b->err, KIM_ERR_NOMEM, "no memory to index the cluster %.*s", KIM_PRINT(b->c->name));
}

/* ---- pairs ---- */

static uint64_t key_of(uint32_t a, uint32_t b)
{
    return (uint64_t)a << 32 | b;
}

static size_t place_of(const pair_map *map, uint64_t key)
{
    uint64_t h = key * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(h >> 32 ^ h) & (map->size - 1);
    while (map->values[at] && map->keys[at] != key)
        at = (at + 1) & (map->size - 1);
    return at;
}

uint32_t pair_map_find(const pair_map *map, uint32_t a, uint32_t b)
{
    if (map->size == 0)
        return K8S_UNKNOWN;
    return map->values[place_of(map, key_of(a, b))] - 1; /* free: 0 - 1 */
}

/* Room for `count` pairs at most half full. */
static bool pair_map_open(pair_map *map, size_t count, kim_arena *arena)
{
    map->size = 16;
    while (map->size < count * 2)
        map->size *= 2;
    map->keys = KIM_NEW_ARRAY(arena, uint64_t, map->size);
    map->values = KIM_NEW_ARRAY(arena, uint32_t, map->size);
    return map->keys && map->values;
}

static void pair_map_put(pair_map *map, uint64_t key, uint32_t value)
{
    size_t at = place_of(map, key);
    map->keys[at] = key;
    map->values[at] = value + 1;
}

/* ---- rows that grow ---- */

static void *room_for_one(kim_arena *arena, void *row, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return row;
    size_t more = *room ? *room * 2 : 64;
    void *grown = kim_arena_array(arena, more, size);
    if (grown && count)
        memcpy(grown, row, count * size);
    *room = grown ? more : *room;
    return grown;
}

static kim_text cluster_scope(kim_text scope)
{
    const char *slash = memchr(scope.bytes, '/', scope.size);
    return slash ? (kim_text){scope.bytes, (size_t)(slash - scope.bytes)} : scope;
}

static kim_text namespace_of(const build *b, kim_text scope)
{
    size_t skip = b->c->scope.size + 1;
    return scope.size > skip ? (kim_text){scope.bytes + skip, scope.size - skip} : KIM_NO_TEXT;
}

static size_t count_of(const build *b, kim_record_type type)
{
    const size_t *ends = b->all->ends[type];
    return ends[b->number] - (b->number ? ends[b->number - 1] : 0);
}

/* The records of a type that are this cluster's, one after the other. */
static const kim_record *next_of(const build *b, kim_record_type type, size_t *at)
{
    const size_t *ends = b->all->ends[type];
    return *at < count_of(b, type) ? b->all->items[type][ends[b->number] - count_of(b, type) + (*at)++] : NULL;
}

/* ---- roles and rules ---- */

/* A role by the scope that defines it and its id, made where it is new. K8S_UNKNOWN without memory. */
static uint32_t role_number(build *b, kim_text scope, kim_text id)
{
    k8s_cluster *c = b->c;
    char *bytes = kim_arena_bytes(b->scratch, scope.size + id.size + 1);
    if (bytes == NULL)
        return K8S_UNKNOWN;
    memcpy(bytes, scope.bytes, scope.size);
    bytes[scope.size] = '\n';
    memcpy(bytes + scope.size + 1, id.bytes, id.size);
    uint32_t number = text_map_add(b->roles, (kim_text){bytes, scope.size + id.size + 1});
    if (number < c->role_count || number == UINT32_MAX)
        return number;
    c->roles = room_for_one(b->arena, c->roles, &b->role_room, c->role_count, sizeof *c->roles);
    if (c->roles == NULL)
        return K8S_UNKNOWN;
    c->roles[c->role_count++] = (k8s_role){.id = id, .layer = scope.size > c->scope.size ? KIM_TEXT("role") : KIM_TEXT("cluster_role")};
    return number;
}

static int compare_numbers(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static int compile_verbs(build *b, const kim_statement *s, k8s_rule *rule)
{
    uint32_t *more = NULL;
    for (size_t i = 0; i < s->actions.count; i++) {
        uint32_t verb = text_map_add(b->c->verbs, s->actions.items[i]);
        if (verb == UINT32_MAX)
            return no_memory(b);
        if (verb < 64) {
            rule->verbs |= UINT64_C(1) << verb;
            continue;
        }
        if (more == NULL && (more = KIM_NEW_ARRAY(b->arena, uint32_t, s->actions.count)) == NULL)
            return no_memory(b);
        more[rule->more_count++] = verb;
    }
    if (more)
        qsort(more, rule->more_count, sizeof *more, compare_numbers);
    rule->more = more;
    return 0;
}

static int add_use(build *b, uint32_t first, uint32_t second, uint32_t name)
{
    k8s_cluster *c = b->c;
    b->uses = room_for_one(b->scratch, b->uses, &b->use_room, c->use_count, sizeof *b->uses);
    if (b->uses == NULL || first == K8S_UNKNOWN || second == K8S_UNKNOWN)
        return b->uses && c->use_count == UINT32_MAX ? kim_fail(b->err, KIM_ERR_LIMIT, "a cluster's rules name too much") : no_memory(b);
    uint32_t cell = pair_map_find(&c->cells, first, second);
    if (cell == K8S_UNKNOWN) {
        if (c->cell_count * 2 >= c->cells.size) { /* a larger map of the same pairs */
            pair_map grown = {0};
            if (!pair_map_open(&grown, (size_t)c->cell_count * 2 + 64, b->arena))
                return no_memory(b);
            for (size_t i = 0; i < c->cells.size; i++)
                if (c->cells.values[i])
                    pair_map_put(&grown, c->cells.keys[i], c->cells.values[i] - 1);
            c->cells = grown;
        }
        cell = c->cell_count++;
        pair_map_put(&c->cells, key_of(first, second), cell);
    }
    b->uses[c->use_count++] = (k8s_use){.cell = cell, .role = c->rules[c->rule_count].role, .name = name, .rule = c->rule_count};
    c->roles[c->rules[c->rule_count].role].signature |= k8s_cell_bit(cell);
    return 0;
}

/* A rule's path matches itself, and where it ends in "*", all that begins with what stands before the last of those.
 * Source: NonResourceURLMatches in pkg/apis/rbac/v1/evaluation_helpers.go */
static int compile_path(build *b, kim_text path)
{
    size_t size = path.size;
    while (size > 0 && path.bytes[size - 1] == '*')
        size--;
    if (size == path.size) {
        uint32_t number = text_map_add(b->c->paths, path);
        return number == UINT32_MAX ? no_memory(b) : add_use(b, K8S_PATH, number, K8S_NONE);
    }
    uint32_t number = text_map_add(b->c->prefixes, (kim_text){path.bytes, size});
    return number == UINT32_MAX ? no_memory(b) : add_use(b, K8S_PREFIX, number, K8S_NONE);
}

/* 1 where the pattern cannot be read. */
static int compile_resource(build *b, kim_text pattern)
{
    kubernetes_name n;
    kim_error why = {0};
    if (kubernetes_name_read(pattern, b->arena, &n, &why) < 0)
        return why.code == KIM_ERR_NOMEM ? no_memory(b) : 1;
    if (!kim_text_is_absent(n.path) || !kim_text_is_absent(n.cluster))
        return 1;
    kim_text combined = n.resource;
    if (!kim_text_is_absent(n.subresource)) {
        char *bytes = kim_arena_bytes(b->arena, n.resource.size + n.subresource.size + 1);
        if (bytes == NULL)
            return no_memory(b);
        combined = kubernetes_combined(bytes, n.resource, n.subresource);
    }
    uint32_t group = text_map_add(b->c->api_groups, n.api_group), resource = text_map_add(b->c->resources, combined);
    uint32_t name = kim_text_is_absent(n.name) ? K8S_NONE : text_map_add(b->c->names, n.name);
    if (group == UINT32_MAX || resource == UINT32_MAX || name == UINT32_MAX)
        return no_memory(b);
    return add_use(b, group, resource, name);
}

static int compile_patterns(build *b, const kim_statement *s, k8s_rule *rule)
{
    for (size_t i = 0; i < s->resources.count; i++) {
        int result = rule->is_paths ? compile_path(b, s->resources.items[i]) : compile_resource(b, s->resources.items[i]);
        if (result < 0)
            return -1;
        if (result > 0)
            b->c->roles[rule->role].unread = kim_text_format(b->arena, "%.*s: '%.*s' is no resource", KIM_PRINT(s->policy),
                                                             KIM_PRINT(s->resources.items[i]));
    }
    return 0;
}

static int compile_rule(build *b, const kim_record *r)
{
    k8s_cluster *c = b->c;
    const kim_statement *s = &r->statement;
    uint32_t role = role_number(b, r->scope, s->policy);
    c->rules = room_for_one(b->arena, c->rules, &b->rule_room, c->rule_count, sizeof *c->rules);
    if (role == K8S_UNKNOWN || c->rules == NULL)
        return no_memory(b);
    c->roles[role].is_there = true;
    if (s->unread.size || s->effect != KIM_ALLOW || s->condition.text.size) {
        c->roles[role].unread = s->unread.size ? s->unread : kim_text_format(b->arena, "%.*s: a statement that no rule says", KIM_PRINT(s->policy));
        return 0;
    }
    k8s_rule *rule = &c->rules[c->rule_count];
    *rule = (k8s_rule){.source = s, .role = role, .is_paths = kim_text_is(s->universe, "paths")};
    rule->name = s->sid.size ? s->sid : kim_text_format(b->arena, "%lld", (long long)s->index);
    if (compile_verbs(b, s, rule) < 0 || compile_patterns(b, s, rule) < 0)
        return -1;
    c->rule_count++;
    return 0;
}

static int compile_roles(build *b)
{
    const kim_record *r;
    for (size_t at = 0; (r = next_of(b, KIM_POLICY, &at)) != NULL;) {
        uint32_t role = role_number(b, r->scope, r->policy.id);
        if (role == K8S_UNKNOWN)
            return no_memory(b);
        b->c->roles[role].policy = r;
        b->c->roles[role].is_there = true;
        b->c->roles[role].unread = r->policy.unread;
    }
    for (size_t at = 0; (r = next_of(b, KIM_STATEMENT, &at)) != NULL;)
        if (compile_rule(b, r) < 0)
            return -1;
    return 0;
}

/* ---- coverage ---- */

/* Of a part that no record speaks of, a case has all there is, and an estate has nothing. */
static kim_text lacking(build *b, const char *part, kim_text namespace)
{
    const kim_record *r;
    kim_text why = estate_is_complete(b->es) ? KIM_NO_TEXT : KIM_TEXT("nobody read them");
    for (size_t at = 0; (r = next_of(b, KIM_COVERAGE, &at)) != NULL;) {
        kim_text of = namespace_of(b, r->scope);
        if (!kim_text_is(r->coverage.part, part) || !(kim_text_is_absent(of) ? kim_text_is_absent(namespace) : kim_text_equal(of, namespace)))
            continue;
        if (r->coverage.status == KIM_READ)
            return KIM_NO_TEXT;
        why = r->coverage.why.size ? r->coverage.why : KIM_TEXT("they were not read");
    }
    return kim_text_is_absent(why) ? why : kim_text_format(b->arena, "%s: %.*s", part, KIM_PRINT(why));
}

/* Namespaces that a record of their own says were not read. */
static int compile_coverage(build *b)
{
    k8s_cluster *c = b->c;
    const kim_record *r;
    c->lacking = lacking(b, "clusterrolebindings", KIM_NO_TEXT);
    c->lacking_anywhere = lacking(b, "rolebindings", KIM_NO_TEXT);
    b->lacking_roles[0] = lacking(b, "roles", KIM_NO_TEXT);
    b->lacking_roles[1] = lacking(b, "clusterroles", KIM_NO_TEXT);
    c->lacking_in = KIM_NEW_ARRAY(b->arena, kim_text, text_map_count(c->namespaces) + 1);
    if (c->lacking_in == NULL)
        return no_memory(b);
    for (size_t at = 0; (r = next_of(b, KIM_COVERAGE, &at)) != NULL;) {
        kim_text of = namespace_of(b, r->scope);
        uint32_t number = kim_text_is_absent(of) ? K8S_UNKNOWN : text_map_find(c->namespaces, of);
        if (number != K8S_UNKNOWN && r->coverage.status != KIM_READ &&
            (kim_text_is(r->coverage.part, "rolebindings") || kim_text_is(r->coverage.part, "roles")))
            c->lacking_in[number] = kim_text_format(b->arena, "%.*s in namespace %.*s: %.*s", KIM_PRINT(r->coverage.part), KIM_PRINT(of),
                                                    KIM_PRINT(r->coverage.why));
    }
    return 0;
}

/* ---- subjects ---- */

automatic_groups kubernetes_automatic_groups(kim_text id, kim_arena *arena)
{
    static const char account[] = "system:serviceaccount:";
    automatic_groups groups = {{KIM_TEXT("group:system:authenticated")}, 1};
    bool is_group;
    kim_text name = kubernetes_id_name(id, &is_group);
    if (is_group) {
        bool has_none = kim_text_is(name, "system:authenticated") || kim_text_is(name, "system:unauthenticated");
        if (kim_text_starts_with(name, KIM_TEXT("system:serviceaccounts:")))
            groups.ids[groups.count++] = KIM_TEXT("group:system:serviceaccounts");
        groups.count = has_none ? 0 : groups.count;
        return groups;
    }
    if (kim_text_is(name, "system:anonymous"))
        return (automatic_groups){{KIM_TEXT("group:system:unauthenticated")}, 1};
    if (!kim_text_starts_with(name, KIM_TEXT(account)))
        return groups;
    kim_text rest = {name.bytes + sizeof account - 1, name.size - (sizeof account - 1)};
    const char *colon = rest.size ? memchr(rest.bytes, ':', rest.size) : NULL;
    if (colon == NULL || colon == rest.bytes)
        return groups;
    groups.ids[groups.count++] = KIM_TEXT("group:system:serviceaccounts");
    kim_text own = kim_text_format(arena, "group:system:serviceaccounts:%.*s", (int)(colon - rest.bytes), rest.bytes);
    if (!kim_text_is_absent(own))
        groups.ids[groups.count++] = own;
    return groups;
}

bool kubernetes_is_external_user(kim_text id)
{
    bool is_group;
    kim_text name = kubernetes_id_name(id, &is_group);
    return !is_group && !kim_text_starts_with(name, KIM_TEXT("system:"));
}

static int compare_texts(const void *a, const void *b)
{
    return kim_text_compare(*(const kim_text *)a, *(const kim_text *)b);
}

/* Whoever is an identity, has a binding, or stands at an end of a membership. */
static kim_text *find_subjects(build *b, size_t *count)
{
    size_t total = count_of(b, KIM_IDENTITY) + count_of(b, KIM_ATTACHMENT) + 2 * count_of(b, KIM_EDGE), found = 0, kept = 0;
    const kim_record *r;
    kim_text *ids = KIM_NEW_ARRAY(b->scratch, kim_text, total + 1);
    if (ids == NULL)
        return NULL;
    for (size_t at = 0; (r = next_of(b, KIM_IDENTITY, &at)) != NULL;)
        ids[found++] = r->identity.id;
    for (size_t at = 0; (r = next_of(b, KIM_ATTACHMENT, &at)) != NULL;)
        if (r->attachment.subject.size)
            ids[found++] = r->attachment.subject;
    for (size_t at = 0; (r = next_of(b, KIM_EDGE, &at)) != NULL;)
        if (r->edge.kind == KIM_MEMBER_OF) {
            ids[found++] = r->edge.from;
            ids[found++] = r->edge.to;
        }
    qsort(ids, found, sizeof *ids, compare_texts);
    for (size_t i = 0; i < found; i++)
        if (kept == 0 || !kim_text_equal(ids[kept - 1], ids[i]))
            ids[kept++] = ids[i];
    *count = kept;
    return ids;
}

static int compile_subjects(build *b)
{
    k8s_cluster *c = b->c;
    size_t count = 0;
    const kim_record *r;
    const kim_text *ids = find_subjects(b, &count);
    if (ids == NULL || count >= UINT32_MAX || (c->subjects = KIM_NEW_ARRAY(b->arena, k8s_subject, count + 1)) == NULL)
        return no_memory(b);
    for (size_t i = 0; i < count; i++) {
        c->subjects[i].id = ids[i];
        c->subjects[i].name = kubernetes_id_name(ids[i], &c->subjects[i].is_group);
        if (text_map_add(c->ids, ids[i]) != i)
            return no_memory(b);
        if (c->subjects[i].is_group && text_map_count(c->group_names) == 0)
            c->first_group_subject = (uint32_t)i;
        if (c->subjects[i].is_group && text_map_add(c->group_names, c->subjects[i].name) == UINT32_MAX)
            return no_memory(b);
    }
    c->subject_count = (uint32_t)count;
    for (size_t at = 0; (r = next_of(b, KIM_IDENTITY, &at)) != NULL;)
        c->subjects[text_map_find(c->ids, r->identity.id)].is_identity = true;
    c->masters = text_map_find(c->ids, KIM_TEXT("group:system:masters"));
    return 0;
}

/* ---- memberships ---- */

typedef struct member_pair {
    uint32_t from, to;
} member_pair;

static int by_from(const void *left, const void *right)
{
    const member_pair *a = left, *b = right;
    return a->from != b->from ? (a->from < b->from ? -1 : 1) : a->to < b->to ? -1 : a->to > b->to;
}

static int by_to(const void *left, const void *right)
{
    const member_pair *a = left, *b = right;
    return a->to != b->to ? (a->to < b->to ? -1 : 1) : a->from < b->from ? -1 : a->from > b->from;
}

static int find_memberships(build *b, member_pair **pairs, size_t *count)
{
    size_t found = 0, at = 0;
    const kim_record *r;
    member_pair *all = KIM_NEW_ARRAY(b->scratch, member_pair, count_of(b, KIM_EDGE) + 3 * (size_t)b->c->subject_count + 1);
    if (all == NULL)
        return no_memory(b);
    while ((r = next_of(b, KIM_EDGE, &at)) != NULL) {
        const kim_edge *e = &r->edge;
        if (e->kind != KIM_MEMBER_OF || e->eligible)
            continue;
        k8s_subject *from = &b->c->subjects[text_map_find(b->c->ids, e->from)];
        from->has_groups |= !kim_text_is(e->via, "automatic");
        if (e->condition.text.size || e->starts_unix_ms || e->expires_unix_ms)
            from->is_vague = true;
        else
            all[found++] = (member_pair){(uint32_t)(from - b->c->subjects), text_map_find(b->c->ids, e->to)};
    }
    for (uint32_t s = 0; s < b->c->subject_count && !estate_is_complete(b->es); s++) {
        automatic_groups groups = kubernetes_automatic_groups(b->c->subjects[s].id, b->scratch);
        for (size_t g = 0; g < groups.count; g++) {
            uint32_t to = text_map_find(b->c->ids, groups.ids[g]);
            if (to != K8S_UNKNOWN)
                all[found++] = (member_pair){s, to};
        }
    }
    for (uint32_t s = 0; s < b->c->subject_count; s++) {
        k8s_subject *one = &b->c->subjects[s];
        one->is_open = !one->has_groups && kubernetes_is_external_user(one->id);
        b->c->has_vague |= one->is_vague;
    }
    *pairs = all;
    *count = found;
    return 0;
}

static int compile_memberships(build *b)
{
    k8s_cluster *c = b->c;
    member_pair *pairs = NULL;
    size_t count = 0, kept = 0;
    if (find_memberships(b, &pairs, &count) < 0)
        return -1;
    qsort(pairs, count, sizeof *pairs, by_from);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || by_from(&pairs[kept - 1], &pairs[i]) != 0)
            pairs[kept++] = pairs[i];
    c->groups = KIM_NEW_ARRAY(b->arena, uint32_t, kept + 1);
    c->members = KIM_NEW_ARRAY(b->arena, uint32_t, kept + 1);
    if (c->groups == NULL || c->members == NULL)
        return no_memory(b);
    for (size_t i = 0; i < kept; i++) {
        k8s_subject *from = &c->subjects[pairs[i].from];
        from->first_group = from->group_count ? from->first_group : (uint32_t)i;
        from->group_count++;
        c->groups[i] = pairs[i].to;
    }
    qsort(pairs, kept, sizeof *pairs, by_to);
    for (size_t i = 0; i < kept; i++) {
        k8s_subject *to = &c->subjects[pairs[i].to];
        to->first_member = to->member_count ? to->first_member : (uint32_t)i;
        to->member_count++;
        c->members[i] = pairs[i].from;
    }
    return 0;
}

/* ---- bindings ---- */

static int by_subject(const void *left, const void *right)
{
    const k8s_binding *a = left, *b = right;
    if (a->subject != b->subject)
        return a->subject < b->subject ? -1 : 1;
    if (a->namespace != b->namespace)
        return a->namespace < b->namespace ? -1 : 1;
    if (a->role != b->role)
        return a->role < b->role ? -1 : 1;
    return a->source < b->source ? -1 : a->source > b->source;
}

static _Thread_local const k8s_binding *sorting; /* qsort hands nothing through */

static int by_role(const void *left, const void *right)
{
    uint32_t x = *(const uint32_t *)left, y = *(const uint32_t *)right;
    const k8s_binding *a = &sorting[x], *b = &sorting[y];
    if (a->role != b->role)
        return a->role < b->role ? -1 : 1;
    if (a->namespace != b->namespace)
        return a->namespace < b->namespace ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* A role that nobody has: nothing, where all roles were read; else it may be anything. */
static int check_role(build *b, uint32_t number, uint32_t namespace)
{
    k8s_role *role = &b->c->roles[number];
    bool is_cluster = kim_text_is(role->layer, "cluster_role");
    kim_text why = b->lacking_roles[is_cluster];
    if (!is_cluster && kim_text_is_absent(why) && namespace < text_map_count(b->c->namespaces) && b->c->lacking_in)
        why = b->c->lacking_in[namespace];
    if (!role->is_there && kim_text_is_absent(role->unread) && !kim_text_is_absent(why))
        role->unread = kim_text_format(b->arena, "%s %.*s, which a binding names (%.*s)", is_cluster ? "ClusterRole" : "Role",
                                       KIM_PRINT(role->id), KIM_PRINT(why));
    if (!kim_text_is_absent(role->unread))
        role->signature = UINT64_MAX;
    return role->is_there || !kim_text_is_absent(role->unread);
}

static int number_namespaces(build *b)
{
    static const kim_record_type types[] = {KIM_SCOPE, KIM_POLICY, KIM_ATTACHMENT, KIM_IDENTITY, KIM_COVERAGE};
    const kim_record *r;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (size_t at = 0; (r = next_of(b, types[t], &at)) != NULL;) {
            kim_text name = namespace_of(b, r->scope);
            if (!kim_text_is_absent(name) && text_map_add(b->c->namespaces, name) == UINT32_MAX)
                return no_memory(b);
        }
    return 0;
}

static int compile_binding(build *b, const kim_record *r, size_t *room)
{
    k8s_cluster *c = b->c;
    const kim_attachment *a = &r->attachment;
    kim_text home = namespace_of(b, r->scope), of = kim_text_is(a->layer, "role") ? r->scope : c->scope;
    if (a->subject.size == 0 || a->eligible || a->policy.size == 0)
        return 0;
    uint32_t namespace = kim_text_is_absent(home) ? K8S_NONE : text_map_find(c->namespaces, home);
    uint32_t role = role_number(b, of, a->policy);
    if (role == K8S_UNKNOWN || (c->bindings = room_for_one(b->arena, c->bindings, room, c->binding_count, sizeof *c->bindings)) == NULL)
        return no_memory(b);
    if (check_role(b, role, namespace))
        c->bindings[c->binding_count++] = (k8s_binding){a, role, text_map_find(c->ids, a->subject), namespace};
    return 0;
}

static int compile_bindings(build *b)
{
    k8s_cluster *c = b->c;
    const kim_record *r;
    size_t room = 0;
    for (size_t at = 0; (r = next_of(b, KIM_ATTACHMENT, &at)) != NULL;)
        if (compile_binding(b, r, &room) < 0)
            return -1;
    c->by_role = KIM_NEW_ARRAY(b->arena, uint32_t, (size_t)c->binding_count + 1);
    if (c->by_role == NULL)
        return no_memory(b);
    if (c->binding_count)
        qsort(c->bindings, c->binding_count, sizeof *c->bindings, by_subject);
    for (uint32_t i = 0; i < c->binding_count; i++) {
        k8s_subject *s = &c->subjects[c->bindings[i].subject];
        s->first_binding = s->binding_count ? s->first_binding : i;
        s->binding_count++;
        c->by_role[i] = i;
    }
    sorting = c->bindings;
    if (c->binding_count)
        qsort(c->by_role, c->binding_count, sizeof *c->by_role, by_role);
    for (uint32_t i = 0; i < c->binding_count; i++) {
        k8s_role *role = &c->roles[c->bindings[c->by_role[i]].role];
        role->first_binding = role->binding_count ? role->first_binding : i;
        role->binding_count++;
    }
    return 0;
}

/* ---- uses ---- */

static int compare_uses(const void *left, const void *right)
{
    const k8s_use *a = left, *b = right;
    const uint32_t x[] = {a->role, a->cell, a->name, a->rule}, y[] = {b->role, b->cell, b->name, b->rule};
    for (int i = 0; i < 4; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

static int sort_by_cell(build *b)
{
    k8s_cluster *c = b->c;
    uint32_t *next = KIM_NEW_ARRAY(b->scratch, uint32_t, (size_t)c->cell_count + 1);
    c->by_cell = KIM_NEW_ARRAY(b->arena, uint32_t, (size_t)c->use_count + 1);
    c->cell_uses = KIM_NEW_ARRAY(b->arena, k8s_run, (size_t)c->cell_count + 1);
    if (next == NULL || c->by_cell == NULL || c->cell_uses == NULL)
        return no_memory(b);
    for (uint32_t i = 0; i < c->use_count; i++)
        c->cell_uses[c->uses[i].cell].count++;
    for (uint32_t cell = 0, first = 0; cell < c->cell_count; cell++) {
        c->cell_uses[cell].first = next[cell] = first;
        first += c->cell_uses[cell].count;
    }
    for (uint32_t i = 0; i < c->use_count; i++)
        c->by_cell[next[c->uses[i].cell]++] = i;
    return 0;
}

static int index_uses(build *b)
{
    k8s_cluster *c = b->c;
    uint32_t kept = 0, runs = 0;
    if (c->use_count)
        qsort(b->uses, c->use_count, sizeof *b->uses, compare_uses);
    for (uint32_t i = 0; i < c->use_count; i++)
        if (kept == 0 || compare_uses(&b->uses[kept - 1], &b->uses[i]) != 0)
            b->uses[kept++] = b->uses[i];
    c->use_count = kept;
    for (uint32_t i = 0; i < kept; i++)
        runs += i == 0 || b->uses[i].role != b->uses[i - 1].role || b->uses[i].cell != b->uses[i - 1].cell;
    c->uses = KIM_NEW_ARRAY(b->arena, k8s_use, (size_t)kept + 1);
    c->role_cells = KIM_NEW_ARRAY(b->arena, k8s_run, (size_t)runs + 1);
    if (c->uses == NULL || c->role_cells == NULL || !pair_map_open(&c->runs, runs, b->arena))
        return no_memory(b);
    if (kept)
        memcpy(c->uses, b->uses, kept * sizeof *c->uses);
    runs = 0;
    for (uint32_t i = 0; i < kept; i++) {
        if (i == 0 || c->uses[i].role != c->uses[i - 1].role || c->uses[i].cell != c->uses[i - 1].cell) {
            c->role_cells[runs] = (k8s_run){i, 0};
            pair_map_put(&c->runs, key_of(c->uses[i].role, c->uses[i].cell), runs++);
        }
        c->role_cells[runs - 1].count++;
    }
    return sort_by_cell(b);
}

static int compare_sizes(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

static int find_prefix_sizes(build *b)
{
    size_t count = text_map_count(b->c->prefixes), kept = 0;
    size_t *sizes = KIM_NEW_ARRAY(b->arena, size_t, count + 1);
    if (sizes == NULL)
        return no_memory(b);
    for (size_t i = 0; i < count; i++)
        sizes[i] = text_map_text(b->c->prefixes, (uint32_t)i).size;
    qsort(sizes, count, sizeof *sizes, compare_sizes);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || sizes[kept - 1] != sizes[i])
            sizes[kept++] = sizes[i];
    b->c->prefix_sizes = sizes;
    b->c->prefix_size_count = kept;
    return 0;
}

/* ---- a cluster ---- */

static int open_maps(build *b)
{
    k8s_cluster *c = b->c;
    text_map **maps[] = {&c->ids, &c->group_names, &c->namespaces, &c->verbs, &c->api_groups, &c->resources, &c->names, &c->paths, &c->prefixes};
    bool fine = true;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        fine = (*maps[i] = text_map_new(b->arena)) != NULL && fine;
    b->roles = text_map_new(b->scratch);
    if (!fine || b->roles == NULL || !pair_map_open(&c->cells, 512, b->arena))
        return no_memory(b);
    /* the number 0 of names and namespaces is taken by what no record says, for it is not UTF-8 */
    bool first = text_map_add(c->verbs, KIM_TEXT("*")) == 0 && text_map_add(c->api_groups, KIM_TEXT("*")) == 0 &&
                 text_map_add(c->resources, KIM_TEXT("*")) == 0 && text_map_add(c->names, KIM_TEXT("\xff")) == 0 &&
                 text_map_add(c->namespaces, KIM_TEXT("\xff")) == 0;
    return first ? 0 : no_memory(b);
}

static int compile_cluster(build *b)
{
    static const char prefix[] = "k8s:";
    k8s_cluster *c = b->c;
    c->name = (kim_text){c->scope.bytes + sizeof prefix - 1, c->scope.size - (sizeof prefix - 1)};
    if (open_maps(b) < 0 || compile_roles(b) < 0 || number_namespaces(b) < 0 || compile_coverage(b) < 0 || compile_subjects(b) < 0 ||
        compile_memberships(b) < 0 || compile_bindings(b) < 0 || index_uses(b) < 0 || find_prefix_sizes(b) < 0)
        return -1;
    for (uint32_t i = 0; i < c->rule_count; i++) {
        k8s_role *role = &c->roles[c->rules[i].role];
        role->first_rule = role->rule_count ? role->first_rule : i;
        role->rule_count++;
    }
    for (uint32_t i = 0; i < c->role_count && kim_text_is_absent(b->index->first_unread); i++)
        b->index->first_unread = c->roles[i].unread;
    if (b->index->most_subjects < c->subject_count)
        b->index->most_subjects = c->subject_count;
    return kim_arena_is_full(b->arena) || kim_arena_is_full(b->scratch) ? no_memory(b) : 0;
}

/* ---- all clusters ---- */

/* K8S_UNKNOWN: the record is of another provider. */
static uint32_t cluster_of(const text_map *scopes, kim_text scope)
{
    return kim_text_starts_with(scope, KIM_TEXT("k8s:")) ? text_map_find(scopes, cluster_scope(scope)) : K8S_UNKNOWN;
}

static int find_clusters(kubernetes_index *index, estate *es)
{
    text_map *found = text_map_new(index->arena);
    for (int type = 1; found && type < KIM_RECORD_TYPES; type++) {
        size_t count;
        const kim_record *items = estate_records(es, (kim_record_type)type, &count);
        for (size_t i = 0; i < count && found; i++)
            if (kim_text_starts_with(items[i].scope, KIM_TEXT("k8s:")) && text_map_add(found, cluster_scope(items[i].scope)) == UINT32_MAX)
                found = NULL;
    }
    index->count = found ? text_map_count(found) : 0;
    index->clusters = KIM_NEW_ARRAY(index->arena, k8s_cluster, index->count + 1);
    kim_text *sorted = KIM_NEW_ARRAY(index->arena, kim_text, index->count + 1);
    if (found == NULL || sorted == NULL || index->clusters == NULL)
        return -1;
    for (size_t i = 0; i < index->count; i++)
        sorted[i] = text_map_text(found, (uint32_t)i);
    qsort(sorted, index->count, sizeof *sorted, compare_texts);
    for (size_t i = 0; i < index->count; i++)
        index->clusters[i].scope = sorted[i];
    return 0;
}

static int fill_shelf(shelves *all, size_t clusters, estate *es, kim_record_type type, kim_arena *arena)
{
    size_t count;
    const kim_record *items = estate_records(es, type, &count);
    size_t *ends = all->ends[type] = KIM_NEW_ARRAY(arena, size_t, clusters + 1);
    uint32_t *numbers = KIM_NEW_ARRAY(arena, uint32_t, count + 1);
    if (ends == NULL || numbers == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = cluster_of(all->scopes, items[i].scope);
        if (numbers[i] != K8S_UNKNOWN)
            ends[numbers[i] + 1]++; /* [clusters] is of use here alone */
    }
    for (size_t i = 1; i <= clusters; i++)
        ends[i] += ends[i - 1];
    all->items[type] = (const kim_record **)kim_arena_array(arena, ends[clusters] + 1, sizeof *all->items[type]);
    for (size_t i = 0; all->items[type] && i < count; i++)
        if (numbers[i] != K8S_UNKNOWN)
            all->items[type][ends[numbers[i]]++] = &items[i]; /* each begin moves to its end */
    return all->items[type] ? 0 : -1;
}

static int fill_shelves(shelves *all, const kubernetes_index *index, estate *es, kim_arena *arena)
{
    static const kim_record_type types[] = {KIM_SCOPE, KIM_IDENTITY, KIM_EDGE, KIM_POLICY, KIM_STATEMENT, KIM_ATTACHMENT, KIM_COVERAGE};
    all->scopes = text_map_new(arena);
    for (size_t i = 0; all->scopes && i < index->count; i++)
        if (text_map_add(all->scopes, index->clusters[i].scope) != i)
            return -1;
    for (size_t t = 0; all->scopes && t < sizeof types / sizeof *types; t++)
        if (fill_shelf(all, index->count, es, types[t], arena) < 0)
            return -1;
    return all->scopes ? 0 : -1;
}

kubernetes_index *kubernetes_index_new(estate *es, kim_error *err)
{
    kubernetes_index *index = calloc(1, sizeof *index);
    kim_arena *kept = index ? index->arena = kim_arena_new(SIZE_MAX) : NULL;
    kim_arena *scratch = kim_arena_new(SIZE_MAX), *sorting_arena = kim_arena_new(SIZE_MAX);
    shelves all = {0};
    int result = -1;
    if (kept == NULL || scratch == NULL || sorting_arena == NULL || find_clusters(index, es) < 0 || fill_shelves(&all, index, es, sorting_arena) < 0)
        kim_fail(err, KIM_ERR_NOMEM, "no memory to index clusters");
    else
        result = 0;
    for (size_t i = 0; result == 0 && i < index->count; i++) {
        build b = {.index = index, .es = es, .all = &all, .number = i, .arena = kept, .scratch = scratch, .c = &index->clusters[i], .err = err};
        kim_arena_reset(scratch);
        result = compile_cluster(&b);
    }
    kim_arena_free(scratch);
    kim_arena_free(sorting_arena);
    if (result == 0)
        return index;
    kubernetes_index_free(index);
    return NULL;
}

void kubernetes_index_free(kubernetes_index *index)
{
    if (index == NULL)
        return;
    kim_arena_free(index->arena);
    free(index);
}
