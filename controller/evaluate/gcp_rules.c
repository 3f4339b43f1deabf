/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_rules.c - attachments to bindings, deny rules and bounds.
 *
 * First everything is named (places, principals, roles, permissions), so that all arrays have their final
 * sizes; then gcp_layout.c lays it out by where it counts.
 */
#include "controller/evaluate/gcp_rules.h"

#include <stdlib.h>

#include "controller/evaluate/gcp.h"

#define HIDDEN "_withcond_"
#define PROJECT "//cloudresourcemanager.googleapis.com/projects/"

/* A policy's statements, while rules are made. */
typedef struct policy {
    const kim_record *record;          /* NULL: only statements have its id */
    const kim_statement **statements;  /* [count] by index */
    size_t count;
} policy;

typedef struct maker {
    gcp_rules *r;
    text_map *policy_names;  /* scope, id */
    text_map *policy_ids;    /* id: first_of_id */
    uint32_t *first_of_id;
    policy *policies;
    gcp_bound *bounds;       /* [r->bound_count] not sorted yet */
    size_t member_count, place_count, rule_count;
    uint32_t *boundary_of;   /* [policies] its boundary + 1 */
    size_t boundary_count;
} maker;

/* ---- policies and their statements ---- */

static kim_text qualified(kim_arena *arena, kim_text scope, kim_text id)
{
    char *bytes = kim_arena_bytes(arena, scope.size + 1 + id.size);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    memcpy(bytes, scope.bytes, scope.size);
    bytes[scope.size] = '\n';
    if (id.size)
        memcpy(bytes + scope.size + 1, id.bytes, id.size);
    return (kim_text){bytes, scope.size + 1 + id.size};
}

static policy *add_policy(maker *m, kim_text scope, kim_text id)
{
    kim_text name = qualified(m->r->arena, scope, id);
    uint32_t before = text_map_count(m->policy_names), number = name.bytes ? text_map_add(m->policy_names, name) : UINT32_MAX;
    if (number == UINT32_MAX)
        return NULL;
    if (number == before) {
        uint32_t known = text_map_count(m->policy_ids), of_id = text_map_add(m->policy_ids, id);
        if (of_id == UINT32_MAX)
            return NULL;
        if (of_id == known)
            m->first_of_id[known] = number;
    }
    return &m->policies[number];
}

static bool is_unread(const policy *p)
{
    return p->record == NULL || !kim_text_is_absent(p->record->policy.unread);
}

static int read_policies(maker *m)
{
    size_t policy_count, count;
    kim_arena *arena = m->r->arena;
    const kim_record *policies = estate_records(m->r->es, KIM_POLICY, &policy_count);
    const kim_record *items = estate_records(m->r->es, KIM_STATEMENT, &count);
    size_t most = policy_count + count + 1;
    m->policies = KIM_NEW_ARRAY(arena, policy, most);
    m->first_of_id = KIM_NEW_ARRAY(arena, uint32_t, most);
    m->boundary_of = KIM_NEW_ARRAY(arena, uint32_t, most);
    if (m->policies == NULL || m->first_of_id == NULL || m->boundary_of == NULL)
        return -1;
    for (size_t i = 0; i < policy_count; i++) {
        if (!engine_reads(&gcp_engine, policies[i].scope))
            continue;
        policy *p = add_policy(m, policies[i].scope, policies[i].policy.id);
        if (p == NULL)
            return -1;
        p->record = &policies[i];
    }
    for (int pass = 0; pass < 2; pass++) /* counted, then placed */
        for (size_t i = 0; i < count; i++) {
            if (!engine_reads(&gcp_engine, items[i].scope))
                continue;
            policy *p = add_policy(m, items[i].scope, items[i].statement.policy);
            if (p == NULL)
                return -1;
            if (pass == 1 && p->statements == NULL) {
                p->statements = (const kim_statement **)kim_arena_array(arena, p->count, sizeof *p->statements);
                if (p->statements == NULL)
                    return -1;
                p->count = 0;
            }
            if (pass == 1)
                p->statements[p->count] = &items[i].statement;
            p->count++;
        }
    for (uint32_t i = 0; i < text_map_count(m->policy_names); i++) { /* of several the one that was read */
        const kim_record *one = m->policies[i].record;
        uint32_t of_id = one ? text_map_find(m->policy_ids, one->policy.id) : UINT32_MAX;
        if (one && kim_text_is_absent(one->policy.unread) && is_unread(&m->policies[m->first_of_id[of_id]]))
            m->first_of_id[of_id] = i;
    }
    return 0;
}

/* Of the attachment's own scope; a role may stand in another. */
static const policy *find_policy(const maker *m, kim_text scope, kim_text id)
{
    uint32_t number = text_map_find(m->policy_names, qualified(m->r->arena, scope, id));
    if (number != UINT32_MAX)
        return &m->policies[number];
    number = text_map_find(m->policy_ids, id);
    return number == UINT32_MAX ? NULL : &m->policies[m->first_of_id[number]];
}

static kim_text unread_of(const policy *p)
{
    if (p == NULL)
        return KIM_TEXT("it was not read");
    return p->record ? p->record->policy.unread : KIM_NO_TEXT;
}

static kim_text describe(maker *m, kim_text layer, kim_text name, kim_text why)
{
    return kim_text_format(m->r->arena, "the %.*s policy %.*s: %.*s", KIM_PRINT(layer), KIM_PRINT(name), KIM_PRINT(why));
}

static void note_unread(maker *m, kim_text what)
{
    if (kim_text_is_absent(m->r->first_unread))
        m->r->first_unread = what;
}

static gcp_source source_of(maker *m, kim_text label, const kim_statement *s, const kim_attachment *a)
{
    return (gcp_source){.policy = label, .statement = s, .attachment = a,
                        .name = s ? kim_text_format(m->r->arena, "%lld", (long long)s->index) : KIM_NO_TEXT};
}

static const gcp_condition *condition_of(maker *m, kim_condition condition, bool *failed)
{
    if (kim_text_is_absent(condition.text))
        return NULL;
    const gcp_condition *c = gcp_condition_read(condition, estate_is_complete(m->r->es), m->r->arena);
    *failed |= c == NULL;
    return c;
}

/* ---- rows that grow ---- */

static int push(maker *m, uint32_t **items, size_t *count, uint32_t value)
{
    if ((*count & (*count - 1)) == 0) { /* full at each power of two */
        size_t capacity = *count ? *count * 2 : 1;
        uint32_t *grown = KIM_NEW_ARRAY(m->r->arena, uint32_t, capacity);
        if (grown == NULL)
            return -1;
        if (*count)
            memcpy(grown, *items, *count * sizeof *grown);
        *items = grown;
    }
    (*items)[(*count)++] = value;
    return 0;
}

/* The principals of a statement as nodes; those that are nobody are left out. */
static int add_members(maker *m, kim_texts texts, gcp_list *out)
{
    gcp_rules *r = m->r;
    out->first = (uint32_t)m->member_count;
    for (size_t i = 0; i < texts.count; i++) {
        uint32_t node = gcp_graph_add(&r->graph, texts.items[i]);
        if (node == UINT32_MAX)
            return -1;
        if (r->graph.nodes[node].member.kind != GCP_DELETED && push(m, &r->members, &m->member_count, node) < 0)
            return -1;
    }
    out->count = (uint32_t)m->member_count - out->first;
    return 0;
}

/* ---- roles ---- */

static kim_text base_role(kim_text name, bool *hidden)
{
    const char *at = name.size ? memmem(name.bytes, name.size, HIDDEN, strlen(HIDDEN)) : NULL;
    *hidden = at != NULL;
    return at ? (kim_text){name.bytes, (size_t)(at - name.bytes)} : name;
}

static bool is_allow(const kim_record *attachment)
{
    return engine_reads(&gcp_engine, attachment->scope) && kim_text_is(attachment->attachment.layer, "allow");
}

/* The policy of an attachment is a role; or it stands for an allow policy that nobody read. */
static bool is_unread_policy(const policy *p)
{
    return p && p->record && kim_text_is(p->record->policy.kind, "allow");
}

static int name_roles(maker *m, const kim_record *attachments, size_t count)
{
    gcp_rules *r = m->r;
    bool hidden;
    for (size_t i = 0; i < count; i++) {
        const kim_attachment *a = &attachments[i].attachment;
        if (is_allow(&attachments[i]) && !is_unread_policy(find_policy(m, attachments[i].scope, a->policy)) &&
            text_map_add(r->role_names, base_role(a->policy, &hidden)) == UINT32_MAX)
            return -1;
    }
    r->roles = KIM_NEW_ARRAY(r->arena, gcp_role, text_map_count(r->role_names) + 1);
    return r->roles ? 0 : -1;
}

static int number_permissions(maker *m, const gcp_role *role)
{
    for (size_t i = 0; i < role->part_count; i++)
        for (size_t k = 0; k < role->parts[i]->actions.count; k++) {
            kim_text name = gcp_permission_name(role->parts[i]->actions.items[k], m->r->arena);
            if (kim_text_is_absent(name))
                return -1;
            if (gcp_rules_permission(m->r, name) == UINT32_MAX && text_map_add(m->r->permissions, kim_text_copy(m->r->arena, name)) == UINT32_MAX)
                return -1; /* copies lie side by side: names are looked up in every decision */
        }
    return 0;
}

static int read_bits(gcp_rules *r, gcp_role *role)
{
    bool several = role->part_count > 1;
    uint64_t *bits = KIM_NEW_ARRAY(r->arena, uint64_t, r->words * (several ? role->part_count + 1 : 1));
    role->part_bits = several && bits ? (const uint64_t **)kim_arena_array(r->arena, role->part_count, sizeof *role->part_bits) : NULL;
    if (bits == NULL || (several && role->part_bits == NULL))
        return -1;
    for (size_t p = 0; p < role->part_count; p++) {
        uint64_t *of_part = bits + (several ? (p + 1) * r->words : 0);
        for (size_t k = 0; k < role->parts[p]->actions.count; k++) {
            uint32_t number = gcp_rules_permission(r, gcp_permission_name(role->parts[p]->actions.items[k], r->arena));
            bits[number / 64] |= UINT64_C(1) << number % 64;
            of_part[number / 64] |= UINT64_C(1) << number % 64;
        }
        if (several)
            role->part_bits[p] = of_part;
    }
    role->permissions = bits;
    return 0;
}

static int read_roles(maker *m)
{
    gcp_rules *r = m->r;
    uint32_t count = text_map_count(r->role_names);
    for (uint32_t i = 0; i < count; i++) {
        gcp_role *role = &r->roles[i];
        role->name = text_map_text(r->role_names, i);
        const policy *p = find_policy(m, KIM_TEXT(""), role->name);
        kim_text why = p && p->record ? p->record->policy.unread : KIM_TEXT("the role was not read");
        for (size_t k = 0; p && k < p->count && kim_text_is_absent(why); k++)
            why = p->statements[k]->unread;
        if (!kim_text_is_absent(why)) {
            role->unread = kim_text_format(r->arena, "the permissions of %.*s: %.*s", KIM_PRINT(role->name), KIM_PRINT(why));
            continue;
        }
        role->parts = p->statements;
        role->part_count = p->count;
        if (number_permissions(m, role) < 0)
            return -1;
    }
    r->words = text_map_count(r->permissions) / 64 + 1;
    for (uint32_t i = 0; i < count; i++) {
        gcp_role *role = &r->roles[i];
        if (role->unread.size)
            continue;
        if (read_bits(r, role) < 0)
            return -1;
    }
    return 0;
}

/* ---- covers ---- */

bool gcp_covers(const gcp_cover *cover, uint32_t number, kim_text name, bool *unsure)
{
    if (cover->any)
        return true;
    bool covered = number != UINT32_MAX && gcp_bit(cover->bits, number);
    for (size_t i = 0; i < cover->count && !covered && number == UINT32_MAX; i++)
        covered = (cover->patterns[i].kind != GCP_GLOB || !cover->globs) && gcp_pattern_covers(&cover->patterns[i], name);
    for (size_t i = 0; i < cover->count && cover->globs && !covered && !*unsure; i++)
        *unsure = cover->patterns[i].kind == GCP_GLOB && gcp_pattern_covers(&cover->patterns[i], name);
    return covered;
}

/* own: kim's own list, in which any glob may stand */
static int read_cover(maker *m, kim_texts texts, bool own, gcp_cover *out)
{
    gcp_rules *r = m->r;
    gcp_pattern *patterns = KIM_NEW_ARRAY(r->arena, gcp_pattern, texts.count + 1);
    uint64_t *bits = KIM_NEW_ARRAY(r->arena, uint64_t, r->words);
    if (patterns == NULL || bits == NULL)
        return -1;
    *out = (gcp_cover){.patterns = patterns, .count = texts.count, .bits = bits};
    uint32_t total = text_map_count(r->permissions);
    for (size_t i = 0; i < texts.count; i++) {
        patterns[i] = gcp_pattern_read(texts.items[i]);
        if (patterns[i].kind == GCP_ONE) {
            kim_text name = gcp_permission_name(texts.items[i], r->arena);
            uint32_t number = name.bytes ? gcp_rules_permission(r, name) : UINT32_MAX;
            if (name.bytes == NULL)
                return -1;
            if (number != UINT32_MAX)
                bits[number / 64] |= UINT64_C(1) << number % 64;
            continue;
        }
        if (patterns[i].kind == GCP_GLOB && !own) {
            out->globs = true;
            continue;
        }
        for (uint32_t p = 0; p < total; p++)
            if (gcp_pattern_covers(&patterns[i], text_map_text(r->permissions, p)))
                bits[p / 64] |= UINT64_C(1) << p % 64;
    }
    return 0;
}

/* ---- allow policies ---- */

/* "3" of "bindings[3]", as answers say it. */
static kim_text index_of(kim_text native_id)
{
    kim_text before = KIM_TEXT("bindings[");
    if (!kim_text_starts_with(native_id, before) || !kim_text_ends_with(native_id, KIM_TEXT("]")))
        return native_id;
    return (kim_text){native_id.bytes + before.size, native_id.size - before.size - 1};
}

static int add_binding(maker *m, const kim_attachment *a, const policy *p, gcp_binding *out)
{
    gcp_rules *r = m->r;
    bool failed = false;
    *out = (gcp_binding){.role = UINT32_MAX, .member = UINT32_MAX, .place = gcp_tree_add(&r->tree, a->resource)};
    if (out->place == GCP_NOWHERE)
        return -1;
    out->source = (gcp_source){.policy = r->tree.places[out->place].name, .name = index_of(a->native_id), .attachment = a};
    if (is_unread_policy(p)) {
        kim_text why = unread_of(p);
        out->unread = describe(m, KIM_TEXT("allow"), a->resource, kim_text_is_absent(why) ? KIM_TEXT("it was not read") : why);
        note_unread(m, out->unread);
        return out->unread.bytes ? 0 : -1;
    }
    out->role = text_map_find(r->role_names, base_role(a->policy, &out->hidden));
    out->condition = condition_of(m, a->condition, &failed);
    uint32_t node = gcp_graph_add(&r->graph, a->subject);
    if (failed || node == UINT32_MAX)
        return -1;
    if (r->graph.nodes[node].member.kind != GCP_DELETED)
        out->member = node;
    return 0;
}

static int read_allows(maker *m, const kim_record *attachments, size_t count, size_t total)
{
    gcp_rules *r = m->r;
    r->bindings = KIM_NEW_ARRAY(r->arena, gcp_binding, total + 1);
    if (r->bindings == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const kim_attachment *a = &attachments[i].attachment;
        if (is_allow(&attachments[i]) && add_binding(m, a, find_policy(m, attachments[i].scope, a->policy), &r->bindings[r->binding_count++]) < 0)
            return -1;
    }
    return 0;
}

/* projectOwner:P and its like are who has the basic role on the project. */
static int read_holders(maker *m)
{
    static const struct { const char *role, *set; } basics[] = {
        {"roles/owner", "projectOwner"}, {"roles/editor", "projectEditor"}, {"roles/viewer", "projectViewer"},
    };
    gcp_rules *r = m->r;
    kim_text prefix = KIM_TEXT(PROJECT);
    bool *is_read = KIM_NEW_ARRAY(r->arena, bool, r->tree.count + 1), *is_unread = KIM_NEW_ARRAY(r->arena, bool, r->tree.count + 1);
    if (is_read == NULL || is_unread == NULL)
        return -1;
    for (uint32_t i = 0; i < r->binding_count; i++) {
        const gcp_binding *b = &r->bindings[i];
        is_read[b->place] = true;
        is_unread[b->place] |= b->unread.size > 0;
    }
    for (uint32_t i = 0; i < r->tree.count; i++) {
        const gcp_place *place = &r->tree.places[i];
        bool known = is_read[i] || (estate_is_complete(r->es) && place->record);
        if (!kim_text_starts_with(place->name, prefix) || !known || is_unread[i])
            continue;
        for (size_t k = 0; k < sizeof basics / sizeof *basics; k++) {
            uint32_t node = gcp_graph_add(&r->graph, kim_text_format(r->arena, "%s:%.*s", basics[k].set, (int)(place->name.size - prefix.size), place->name.bytes + prefix.size));
            if (node == UINT32_MAX)
                return -1;
            r->graph.nodes[node].is_listed = true;
        }
    }
    for (uint32_t i = 0; i < r->binding_count; i++) {
        const gcp_binding *b = &r->bindings[i];
        kim_text name = r->tree.places[b->place].name;
        for (size_t k = 0; k < sizeof basics / sizeof *basics; k++) {
            if (b->member == UINT32_MAX || !kim_text_starts_with(name, prefix) || !kim_text_is(r->roles[b->role].name, basics[k].role))
                continue;
            uint32_t node = gcp_graph_add(&r->graph, kim_text_format(r->arena, "%s:%.*s", basics[k].set, (int)(name.size - prefix.size), name.bytes + prefix.size));
            if (gcp_graph_join(&r->graph, b->member, node, (gcp_edge){.condition = b->condition, .hidden = b->hidden}) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- deny policies ---- */

/* Statements of a policy, or one that stands for a policy that nobody could read. */
static size_t rows_of(const policy *p)
{
    return (p ? p->count : 0) + !kim_text_is_absent(unread_of(p));
}

static int add_deny(maker *m, const kim_attachment *a, const policy *p, const kim_statement *s, gcp_deny_rule *out)
{
    gcp_rules *r = m->r;
    bool failed = false;
    kim_text label = a->policy, why = s ? s->unread : unread_of(p);
    *out = (gcp_deny_rule){.source = source_of(m, label, s, a), .place = gcp_tree_add(&r->tree, a->resource)};
    if (out->place == GCP_NOWHERE)
        return -1;
    if (!kim_text_is_absent(why)) {
        out->unread = describe(m, KIM_TEXT("deny"), label, why);
        note_unread(m, out->unread);
        return out->unread.bytes ? 0 : -1;
    }
    out->condition = condition_of(m, s->condition, &failed);
    if (failed || read_cover(m, s->actions, false, &out->denied) < 0 || read_cover(m, s->not_actions, false, &out->spared) < 0)
        return -1;
    return add_members(m, s->subjects, &out->principals) < 0 ? -1 : add_members(m, s->not_subjects, &out->exceptions);
}

static int read_denies(maker *m, const kim_record *attachments, size_t count, size_t total)
{
    gcp_rules *r = m->r;
    r->denies = KIM_NEW_ARRAY(r->arena, gcp_deny_rule, total + 1);
    if (r->denies == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const kim_attachment *a = &attachments[i].attachment;
        if (!engine_reads(&gcp_engine, attachments[i].scope) || !kim_text_is(a->layer, "deny"))
            continue;
        const policy *p = find_policy(m, attachments[i].scope, a->policy);
        for (size_t k = 0; k < rows_of(p); k++)
            if (add_deny(m, a, p, p && k < p->count ? p->statements[k] : NULL, &r->denies[r->deny_count++]) < 0)
                return -1;
    }
    return 0;
}

/* ---- boundaries ---- */

static int add_boundary(maker *m, const kim_attachment *a, const policy *p, gcp_boundary *out)
{
    gcp_rules *r = m->r;
    kim_text why = unread_of(p);
    kim_text label = a->policy;
    *out = (gcp_boundary){.source = {.policy = label, .attachment = a}, .rules = {.first = (uint32_t)m->rule_count}, .blocked = {.any = true}};
    if (read_cover(m, (kim_texts){NULL, 0}, true, &out->spared) < 0)
        return -1;
    for (size_t i = 0; p && i < p->count; i++) {
        const kim_statement *s = p->statements[i];
        if (!kim_text_is_absent(s->unread))
            why = s->unread;
        if (s->effect == KIM_DENY) { /* what it blocks */
            out->blocked.any = s->actions.items == NULL;
            if ((!out->blocked.any && read_cover(m, s->actions, true, &out->blocked) < 0) || read_cover(m, s->not_actions, true, &out->spared) < 0)
                return -1;
            continue;
        }
        gcp_boundary_rule *one = &r->boundary_rules[m->rule_count++];
        *one = (gcp_boundary_rule){.source = source_of(m, label, s, a), .places = {.first = (uint32_t)m->place_count}};
        for (size_t k = 0; k < s->resources.count; k++) {
            uint32_t place = gcp_tree_add(&r->tree, s->resources.items[k]);
            if (place == GCP_NOWHERE || push(m, &r->places, &m->place_count, place) < 0)
                return -1;
        }
        one->places.count = (uint32_t)m->place_count - one->places.first;
        out->rules.count++;
    }
    if (!kim_text_is_absent(why)) {
        out->unread = describe(m, KIM_TEXT("principal access boundary"), label, why);
        note_unread(m, out->unread);
    }
    return 0;
}

static int read_bounds(maker *m, const kim_record *attachments, size_t count, size_t total)
{
    gcp_rules *r = m->r;
    size_t statements;
    estate_records(r->es, KIM_STATEMENT, &statements);
    r->boundaries = KIM_NEW_ARRAY(r->arena, gcp_boundary, total + 1);
    r->boundary_rules = KIM_NEW_ARRAY(r->arena, gcp_boundary_rule, total ? statements + 1 : 1);
    m->bounds = KIM_NEW_ARRAY(r->arena, gcp_bound, total + 1);
    if (r->boundaries == NULL || r->boundary_rules == NULL || m->bounds == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const kim_attachment *a = &attachments[i].attachment;
        bool failed = false;
        if (!engine_reads(&gcp_engine, attachments[i].scope) || !kim_text_is(a->layer, "principal_access_boundary"))
            continue;
        const policy *p = find_policy(m, attachments[i].scope, a->policy);
        uint32_t *boundary = p ? &m->boundary_of[p - m->policies] : NULL;
        if (boundary == NULL || *boundary == 0) {
            if (add_boundary(m, a, p, &r->boundaries[m->boundary_count++]) < 0)
                return -1;
            if (boundary)
                *boundary = (uint32_t)m->boundary_count;
        }
        gcp_bound *b = &m->bounds[r->bound_count++];
        *b = (gcp_bound){.boundary = boundary ? *boundary - 1 : (uint32_t)m->boundary_count - 1, .node = gcp_graph_add(&r->graph, a->subject),
                         .condition = condition_of(m, a->condition, &failed), .attachment = a};
        if (failed || b->node == UINT32_MAX)
            return -1;
    }
    return 0;
}

/* ---- what was not read ---- */

/* The project or folder that a scope is; GCP_NOWHERE: it may be anything. */
static uint32_t place_of_scope(maker *m, kim_text scope)
{
    static const char *const kinds[] = {"gcp:projects/", "gcp:folders/"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kim_text_starts_with(scope, kim_text_of(kinds[i])))
            return gcp_tree_find(&m->r->tree, kim_text_format(m->r->arena, "//cloudresourcemanager.googleapis.com/%.*s", (int)scope.size - 4, scope.bytes + 4),
                                 m->r->arena);
    return GCP_NOWHERE;
}

/* Anything may stand in what could not be read: a grant, a denial, a boundary. Logs hold no rights. */
static int read_gaps(maker *m)
{
    size_t count;
    gcp_rules *r = m->r;
    const kim_record *items = estate_records(r->es, KIM_COVERAGE, &count);
    r->gaps = KIM_NEW_ARRAY(r->arena, gcp_gap, count + 1);
    if (r->gaps == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const kim_coverage *one = &items[i].coverage;
        if (!engine_reads(&gcp_engine, items[i].scope) || (one->status != KIM_UNREADABLE && one->status != KIM_PARTIAL) ||
            kim_text_starts_with(one->part, KIM_TEXT("log:")))
            continue;
        uint32_t place = one->resource.size ? gcp_tree_add(&r->tree, one->resource) : place_of_scope(m, items[i].scope);
        if (one->resource.size && place == GCP_NOWHERE)
            return -1;
        kim_text what = kim_text_is_absent(one->why) ? kim_text_format(r->arena, "part %.*s of %.*s", KIM_PRINT(one->part), KIM_PRINT(items[i].scope)) : one->why;
        if (place == GCP_NOWHERE && kim_text_is_absent(r->gap_anywhere))
            r->gap_anywhere = what;
        r->gaps[r->gap_count++] = (gcp_gap){place, what};
    }
    return 0;
}

/* ---- all of it ---- */

static int compile(maker *m)
{
    gcp_rules *r = m->r;
    size_t count, allows = 0, denies = 0, bounds = 0;
    m->policy_names = text_map_new(r->arena);
    m->policy_ids = text_map_new(r->arena);
    r->permissions = text_map_new(r->arena);
    r->role_names = text_map_new(r->arena);
    if (m->policy_names == NULL || m->policy_ids == NULL || r->permissions == NULL || r->role_names == NULL ||
        gcp_tree_read(&r->tree, r->es, r->arena) < 0 || gcp_graph_begin(&r->graph, r->es, &r->tree, r->arena) < 0 || read_policies(m) < 0)
        return -1;
    const kim_record *attachments = estate_records(r->es, KIM_ATTACHMENT, &count);
    for (size_t i = 0; i < count; i++) {
        const kim_attachment *a = &attachments[i].attachment;
        if (!engine_reads(&gcp_engine, attachments[i].scope))
            continue;
        allows += kim_text_is(a->layer, "allow");
        denies += kim_text_is(a->layer, "deny") ? rows_of(find_policy(m, attachments[i].scope, a->policy)) : 0;
        bounds += kim_text_is(a->layer, "principal_access_boundary");
    }
    if (name_roles(m, attachments, count) < 0 || read_roles(m) < 0 || read_allows(m, attachments, count, allows) < 0 ||
        read_denies(m, attachments, count, denies) < 0 || read_bounds(m, attachments, count, bounds) < 0 || read_holders(m) < 0 || read_gaps(m) < 0)
        return -1;
    return gcp_graph_end(&r->graph) < 0 ? -1 : gcp_rules_lay_out(r, m->bounds);
}

void gcp_rules_free(void *compiled)
{
    gcp_rules *r = compiled;
    if (r == NULL)
        return;
    kim_arena *arena = r->arena;
    gcp_graph_drop(&r->graph);
    kim_arena_free(arena);
}

void *gcp_rules_compile(estate *es, kim_error *err)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    maker m = {.r = arena ? KIM_NEW(arena, gcp_rules) : NULL};
    if (m.r) {
        m.r->arena = arena;
        m.r->es = es;
        if (compile(&m) == 0 && !kim_arena_is_full(arena))
            return m.r;
        gcp_graph_drop(&m.r->graph);
    }
    kim_arena_free(arena);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for the policies of an estate");
    return NULL;
}
