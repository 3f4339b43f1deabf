/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.c - three passes over an estate: statements to rules, rules to policies, attachments to lists.
 *
 * A policy may be stated by several accounts (AWS's own are): an attachment takes the one of its own
 * scope, else any of that id.
 */
#include "controller/evaluate/engine.h"
#include "controller/evaluate/rules.h"

#include <kim/limits.h>

struct rules {
    estate *es; /* borrowed: the estate owns its rules */
    kim_arena *arena;
    key_table *keys;
    text_map *patterns;
    text_map *resource_texts, *condition_texts; /* with a letter before them: have they variables? */
    const arn_pattern **resources;              /* by the numbers of resource_texts */
    const aws_condition **conditions;
    size_t resource_room, condition_room;
    rule *all;
    size_t count;
    policy_rules *policies; /* [policy_count], by scope and id */
    text_map *policy_names; /* "SCOPE\nID", then one number each */
    text_map *policy_ids;   /* ID to the first of that id */
    uint32_t *first_of_id;
    text_map *holder_ids, *level_ids, *target_ids, *role_names;
    holder *holders;
    level *levels;
    target *targets;
    const holder **roles;
    kim_text first_unread;
};

const estate *rules_estate(const rules *r) { return r->es; }
const key_table *rules_keys(const rules *r) { return r->keys; }
size_t rules_count(const rules *r) { return r->count; }
const rule *rules_all(const rules *r) { return r->all; }
size_t rules_action_patterns(const rules *r) { return text_map_count(r->patterns); }
kim_text rules_action_pattern(const rules *r, uint32_t number) { return text_map_text(r->patterns, number); }
kim_text rules_first_unread(const rules *r) { return r->first_unread; }

/* ---- subjects ---- */

static bool take(kim_text *text, kim_text prefix)
{
    if (!kim_text_starts_with(*text, prefix))
        return false;
    *text = (kim_text){text->bytes + prefix.size, text->size - prefix.size};
    return true;
}

static bool is_account(kim_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.size == 12;
}

static kim_text after_last(kim_text text, char c)
{
    const char *last = text.size ? memrchr(text.bytes, c, text.size) : NULL;
    return last ? (kim_text){last + 1, text.size - (size_t)(last + 1 - text.bytes)} : text;
}

static subject read_aws(kim_text text)
{
    subject s = {.kind = SUBJECT_NAMED, .raw = text};
    if (kim_text_is(text, "*"))
        return (subject){.kind = SUBJECT_EVERYONE, .raw = text};
    if (is_account(text))
        return (subject){.kind = SUBJECT_ACCOUNT, .raw = text, .account = text};
    arn a = arn_split(text);
    if (a.count < ARN_PARTS)
        return (subject){.kind = SUBJECT_GONE, .raw = text};
    s.account = a.parts[4];
    kim_text rest = a.parts[5];
    if (kim_text_is(rest, "root"))
        s.kind = SUBJECT_ACCOUNT;
    else if (take(&rest, KIM_TEXT("role/")))
        s.kind = SUBJECT_ROLE, s.name = after_last(rest, '/');
    else if (take(&rest, KIM_TEXT("assumed-role/"))) {
        const char *slash = rest.size ? memchr(rest.bytes, '/', rest.size) : NULL;
        s.kind = SUBJECT_SESSION;
        s.name = slash ? (kim_text){rest.bytes, (size_t)(slash - rest.bytes)} : rest;
        s.session = slash ? (kim_text){slash + 1, rest.size - s.name.size - 1} : KIM_NO_TEXT;
    }
    return s;
}

subject subject_read(kim_text text)
{
    if (take(&text, KIM_TEXT("AWS:")) || kim_text_is(text, "*") || kim_text_starts_with(text, KIM_TEXT("arn:")))
        return read_aws(text);
    if (take(&text, KIM_TEXT("Service:")))
        return (subject){.kind = SUBJECT_SERVICE, .raw = text};
    if (take(&text, KIM_TEXT("Federated:")))
        return (subject){.kind = SUBJECT_FEDERATED, .raw = text};
    take(&text, KIM_TEXT("CanonicalUser:"));
    return (subject){.kind = SUBJECT_CANONICAL, .raw = text};
}

/* ---- statements ---- */

static int compile_actions(rules *r, const kim_statement *s, rule *out)
{
    kim_texts from = s->actions.items ? s->actions : s->not_actions;
    out->actions_turned = s->actions.items == NULL && s->not_actions.items != NULL;
    out->any_action = from.items == NULL;
    uint32_t *numbers = KIM_NEW_ARRAY(r->arena, uint32_t, from.count ? from.count : 1);
    for (size_t i = 0; numbers && i < from.count; i++) {
        kim_text lower = kim_text_lower(r->arena, from.items[i]);
        numbers[i] = kim_text_is_absent(lower) ? UINT32_MAX : text_map_add(r->patterns, lower);
        if (numbers[i] == UINT32_MAX)
            return -1;
    }
    out->actions = numbers;
    out->action_count = from.count;
    return numbers ? 0 : -1;
}

/* A number for a text as it reads with or without variables; UINT32_MAX without memory. */
static uint32_t number_of(rules *r, text_map *map, kim_text text, bool has_variables)
{
    char *bytes = kim_arena_bytes(r->arena, text.size + 1);
    if (bytes == NULL)
        return UINT32_MAX;
    bytes[0] = has_variables ? 'v' : 't';
    memcpy(bytes + 1, text.bytes, text.size);
    return text_map_add(map, (kim_text){bytes, text.size + 1});
}

/* Room for one more in a row that the arena holds; the row's new place, or NULL. */
static void *room(kim_arena *arena, void *row, size_t *capacity, size_t count)
{
    if (count < *capacity)
        return row;
    size_t more = *capacity ? *capacity * 2 : 64;
    void **fresh = (void **)kim_arena_array(arena, more, sizeof *fresh);
    if (fresh && row)
        memcpy(fresh, row, *capacity * sizeof *fresh);
    *capacity = fresh ? more : *capacity;
    return fresh;
}

static const arn_pattern *resource_pattern(rules *r, kim_text raw, bool has_variables)
{
    uint32_t before = text_map_count(r->resource_texts);
    uint32_t number = number_of(r, r->resource_texts, raw, has_variables);
    if (number == UINT32_MAX)
        return NULL;
    if (number < before)
        return r->resources[number];
    const arn_pattern **row = room(r->arena, r->resources, &r->resource_room, number);
    arn_pattern *pattern = KIM_NEW(r->arena, arn_pattern);
    if (row == NULL || pattern == NULL || arn_pattern_compile(raw, has_variables ? ARN_RESOURCE_VARIABLES : ARN_NO_VARIABLES, r->keys, r->arena, pattern) < 0)
        return NULL;
    r->resources = row;
    return r->resources[number] = pattern;
}

static int compile_resources(rules *r, const kim_statement *s, bool has_variables, rule *out)
{
    kim_texts from = s->resources.items ? s->resources : s->not_resources;
    out->resources_turned = s->resources.items == NULL && s->not_resources.items != NULL;
    out->any_resource = from.items == NULL;
    const arn_pattern **patterns = (const arn_pattern **)kim_arena_array(r->arena, from.count ? from.count : 1, sizeof *patterns);
    for (size_t i = 0; patterns && i < from.count; i++) {
        patterns[i] = resource_pattern(r, from.items[i], has_variables);
        if (patterns[i] == NULL)
            return -1;
        out->resource_everything |= patterns[i]->is_everything;
    }
    out->resources = patterns;
    out->resource_count = from.count;
    return patterns ? 0 : -1;
}

/* NULL with why; a condition that was found wrong once is wrong again. */
static const aws_condition *condition(rules *r, kim_text text, bool has_variables, kim_error *why)
{
    uint32_t before = text_map_count(r->condition_texts);
    uint32_t number = number_of(r, r->condition_texts, text, has_variables);
    const aws_condition **row = number == UINT32_MAX ? NULL : room(r->arena, r->conditions, &r->condition_room, number);
    if (row == NULL) {
        kim_fail(why, KIM_ERR_NOMEM, "no memory for a condition");
        return NULL;
    }
    r->conditions = row;
    if (number == before || row[number] == NULL)
        row[number] = aws_condition_compile(text, has_variables, r->keys, r->arena, why);
    return row[number];
}

static int compile_subjects(rules *r, const kim_statement *s, rule *out)
{
    kim_texts from = s->subjects.items ? s->subjects : s->not_subjects;
    out->subjects_turned = s->subjects.items == NULL && s->not_subjects.items != NULL;
    out->any_subject = from.items == NULL;
    subject *subjects = KIM_NEW_ARRAY(r->arena, subject, from.count ? from.count : 1);
    for (size_t i = 0; subjects && i < from.count; i++)
        subjects[i] = subject_read(from.items[i]);
    out->subjects = subjects;
    out->subject_count = from.count;
    return subjects ? 0 : -1;
}

static void note_unread(rules *r, kim_text policy, const kim_statement *s, kim_text why)
{
    if (!kim_text_is_absent(r->first_unread))
        return;
    if (s && s->sid.size)
        r->first_unread = kim_text_format(r->arena, "policy %.*s, statement %.*s: %.*s", KIM_PRINT(policy), KIM_PRINT(s->sid), KIM_PRINT(why));
    else if (s)
        r->first_unread = kim_text_format(r->arena, "policy %.*s, statement %lld: %.*s", KIM_PRINT(policy), (long long)s->index, KIM_PRINT(why));
    else
        r->first_unread = kim_text_format(r->arena, "policy %.*s: %.*s", KIM_PRINT(policy), KIM_PRINT(why));
}

static int compile_rule(rules *r, const policy_rules *policy, const kim_statement *s, rule *out)
{
    bool has_variables = policy->source && kim_text_is(policy->source->version, "2012-10-17");
    *out = (rule){.policy = policy, .source = s, .effect = s->effect, .unread = s->unread,
                  .number = (uint32_t)(out - r->all)};
    out->name = s->sid.size ? s->sid : kim_text_format(r->arena, "%lld", (long long)s->index);
    if (compile_actions(r, s, out) < 0 || compile_resources(r, s, has_variables, out) < 0 || compile_subjects(r, s, out) < 0)
        return -1;
    if (s->condition.text.size && kim_text_is(s->condition.lang, "aws")) {
        kim_error why = {0};
        out->condition = condition(r, s->condition.text, has_variables, &why);
        if (out->condition == NULL && why.code == KIM_ERR_NOMEM)
            return -1;
        if (out->condition == NULL)
            out->unread = kim_text_copy(r->arena, kim_text_of(why.message));
    }
    if (!kim_text_is_absent(out->unread))
        note_unread(r, policy->id, s, out->unread);
    return 0;
}

/* ---- policies ---- */

static kim_text qualified(kim_arena *arena, kim_text scope, kim_text id)
{
    char *bytes = kim_arena_bytes(arena, scope.size + 1 + id.size);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    if (scope.size)
        memcpy(bytes, scope.bytes, scope.size);
    bytes[scope.size] = '\n';
    if (id.size)
        memcpy(bytes + scope.size + 1, id.bytes, id.size);
    return (kim_text){bytes, scope.size + 1 + id.size};
}

static uint32_t add_policy(rules *r, kim_text scope, kim_text id)
{
    kim_text name = qualified(r->arena, scope, id);
    if (kim_text_is_absent(name))
        return UINT32_MAX;
    uint32_t before = text_map_count(r->policy_names);
    uint32_t number = text_map_add(r->policy_names, name);
    if (number != before)
        return number;
    uint32_t known = text_map_count(r->policy_ids);
    if (text_map_add(r->policy_ids, id) == known)
        r->first_of_id[known] = number;
    r->policies[number].id = r->policies[number].label = id;
    return number;
}

static int compile_policies(rules *r)
{
    size_t policy_count, statement_count;
    const kim_record *policies = estate_records(r->es, KIM_POLICY, &policy_count);
    const kim_record *items = estate_records(r->es, KIM_STATEMENT, &statement_count);
    size_t most = policy_count + statement_count + 1;
    r->policies = KIM_NEW_ARRAY(r->arena, policy_rules, most);
    r->first_of_id = KIM_NEW_ARRAY(r->arena, uint32_t, most);
    r->all = KIM_NEW_ARRAY(r->arena, rule, statement_count + 1);
    if (r->policies == NULL || r->first_of_id == NULL || r->all == NULL)
        return -1;
    for (size_t i = 0; i < policy_count; i++) {
        uint32_t number = add_policy(r, policies[i].scope, policies[i].policy.id);
        if (number == UINT32_MAX)
            return -1;
        policy_rules *p = &r->policies[number];
        p->source = &policies[i].policy;
        if (estate_is_complete(r->es) && p->source->name.size)
            p->label = p->source->name;
        p->unread = p->source->unread;
        if (!kim_text_is_absent(p->unread))
            note_unread(r, p->id, NULL, p->unread);
    }
    /* Statements are sorted by policy, index and scope. Scopes of one policy id interleave, so each is
     * counted first and placed after. */
    for (size_t i = 0; i < statement_count; i++) {
        uint32_t number = add_policy(r, items[i].scope, items[i].statement.policy);
        if (number == UINT32_MAX)
            return -1;
        r->policies[number].count++;
    }
    rule *next = r->all;
    for (uint32_t i = 0; i < text_map_count(r->policy_names); i++) {
        r->policies[i].rules = next;
        r->policies[i].first = (uint32_t)(next - r->all);
        next += r->policies[i].count;
        r->policies[i].count = 0;
    }
    for (size_t i = 0; i < statement_count; i++) {
        policy_rules *p = &r->policies[add_policy(r, items[i].scope, items[i].statement.policy)];
        if (compile_rule(r, p, &items[i].statement, (rule *)(p->rules + p->count++)) < 0)
            return -1;
    }
    r->count = statement_count;
    return 0;
}

static const policy_rules *find_policy(const rules *r, kim_text scope, kim_text id, kim_arena *scratch)
{
    uint32_t number = text_map_find(r->policy_names, qualified(scratch, scope, id));
    return number != UINT32_MAX ? &r->policies[number] : rules_policy(r, id);
}

const policy_rules *rules_policy(const rules *r, kim_text id)
{
    uint32_t number = text_map_find(r->policy_ids, id);
    return number == UINT32_MAX ? NULL : &r->policies[r->first_of_id[number]];
}

/* ---- what hangs where ---- */

static bool append(kim_arena *arena, policy_list *list, const policy_rules *policy)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == policy)
            return true;
    if ((list->count & (list->count - 1)) == 0) { /* full at every power of two */
        const policy_rules **items = (const policy_rules **)kim_arena_array(arena, list->count ? list->count * 2 : 1, sizeof *items);
        rule_range *ranges = KIM_NEW_ARRAY(arena, rule_range, list->count ? list->count * 2 : 1);
        if (items == NULL || ranges == NULL)
            return false;
        if (list->count) {
            memcpy(items, list->items, list->count * sizeof *items);
            memcpy(ranges, list->ranges, list->count * sizeof *ranges);
        }
        list->items = items;
        list->ranges = ranges;
    }
    list->ranges[list->count] = (rule_range){policy->first, (uint32_t)policy->count};
    list->items[list->count++] = policy;
    list->is_set = true;
    list->has_unread |= !kim_text_is_absent(policy->unread);
    return true;
}

/* A policy that is attached but of which no document came. */
static const policy_rules *unread_policy(rules *r, kim_text id)
{
    policy_rules *p = KIM_NEW(r->arena, policy_rules);
    if (p)
        *p = (policy_rules){.id = id, .label = id, .unread = KIM_TEXT("its document was not collected")};
    return p;
}

/* NULL without memory. */
static policy_list *list_for(rules *r, const kim_attachment *a)
{
    if (kim_text_is(a->layer, "scp") || kim_text_is(a->layer, "rcp")) {
        uint32_t at = text_map_add(r->level_ids, a->on_scope);
        if (at == UINT32_MAX)
            return NULL;
        return kim_text_is(a->layer, "scp") ? &r->levels[at].scp : &r->levels[at].rcp;
    }
    if (kim_text_is(a->layer, "resource") || kim_text_is(a->layer, "endpoint")) {
        uint32_t at = text_map_add(r->target_ids, a->resource);
        if (at == UINT32_MAX)
            return NULL;
        return kim_text_is(a->layer, "resource") ? &r->targets[at].policies : &r->targets[at].endpoint;
    }
    uint32_t at = text_map_add(r->holder_ids, a->subject);
    if (at == UINT32_MAX)
        return NULL;
    holder *h = &r->holders[at];
    return kim_text_is(a->layer, "boundary") ? &h->boundary : kim_text_is(a->layer, "session") ? &h->session : &h->grants;
}

static int attach_all(rules *r)
{
    size_t count;
    const kim_record *items = estate_records(r->es, KIM_ATTACHMENT, &count);
    kim_arena *scratch = kim_arena_new(SIZE_MAX);
    int result = scratch ? 0 : -1;
    for (size_t i = 0; i < count && result == 0; i++) {
        const kim_attachment *a = &items[i].attachment;
        if (a->eligible)
            continue;
        const policy_rules *policy = find_policy(r, items[i].scope, a->policy, scratch);
        if (policy == NULL)
            policy = unread_policy(r, a->policy);
        policy_list *list = policy ? list_for(r, a) : NULL;
        if (list == NULL || !append(r->arena, list, policy))
            result = -1;
        kim_arena_reset(scratch);
    }
    kim_arena_free(scratch);
    return result;
}

/* Numbers everything that can hold something: records first, so that they come in the order of ids. */
static int number_all(rules *r)
{
    size_t identities, scopes, resources, attachments;
    const kim_record *i_records = estate_records(r->es, KIM_IDENTITY, &identities);
    const kim_record *s_records = estate_records(r->es, KIM_SCOPE, &scopes);
    const kim_record *r_records = estate_records(r->es, KIM_RESOURCE, &resources);
    estate_records(r->es, KIM_ATTACHMENT, &attachments);
    r->holders = KIM_NEW_ARRAY(r->arena, holder, identities + attachments + 1);
    r->levels = KIM_NEW_ARRAY(r->arena, level, scopes + attachments + 1);
    r->targets = KIM_NEW_ARRAY(r->arena, target, resources + attachments + 1);
    r->roles = (const holder **)kim_arena_array(r->arena, identities + 1, sizeof *r->roles);
    if (r->holders == NULL || r->levels == NULL || r->targets == NULL || r->roles == NULL)
        return -1;
    for (size_t i = 0; i < identities; i++) {
        uint32_t at = text_map_add(r->holder_ids, i_records[i].identity.id);
        if (at == UINT32_MAX)
            return -1;
        r->holders[at].identity = &i_records[i];
    }
    for (size_t i = 0; i < scopes; i++) {
        uint32_t at = text_map_add(r->level_ids, s_records[i].as_scope.id);
        if (at == UINT32_MAX)
            return -1;
        r->levels[at].scope = &s_records[i];
    }
    for (size_t i = 0; i < resources; i++) {
        uint32_t at = text_map_add(r->target_ids, r_records[i].resource.id);
        if (at == UINT32_MAX)
            return -1;
        r->targets[at].resource = &r_records[i];
    }
    return 0;
}

static void name_all(rules *r)
{
    for (uint32_t i = 0; i < text_map_count(r->holder_ids); i++)
        r->holders[i].id = text_map_text(r->holder_ids, i);
    for (uint32_t i = 0; i < text_map_count(r->level_ids); i++)
        r->levels[i].id = text_map_text(r->level_ids, i);
    for (uint32_t i = 0; i < text_map_count(r->target_ids); i++)
        r->targets[i].id = text_map_text(r->target_ids, i);
}

/* A group's grants are its members' too, through groups within groups. */
static int join_groups(rules *r)
{
    size_t count;
    const kim_record *edges = estate_records(r->es, KIM_EDGE, &count);
    for (int depth = 0; depth < KIM_MEMBERSHIP_MAX_DEPTH; depth++) {
        bool grew = false;
        for (size_t i = 0; i < count; i++) {
            if (edges[i].edge.kind != KIM_MEMBER_OF || edges[i].edge.eligible)
                continue;
            uint32_t from = text_map_find(r->holder_ids, edges[i].edge.from);
            uint32_t to = text_map_find(r->holder_ids, edges[i].edge.to);
            if (from == UINT32_MAX || to == UINT32_MAX)
                continue;
            size_t before = r->holders[from].grants.count;
            for (size_t k = 0; k < r->holders[to].grants.count; k++)
                if (!append(r->arena, &r->holders[from].grants, r->holders[to].grants.items[k]))
                    return -1;
            grew |= r->holders[from].grants.count != before;
        }
        if (!grew)
            return 0;
    }
    return 0;
}

static int index_roles(rules *r)
{
    size_t count;
    const kim_record *items = estate_records(r->es, KIM_IDENTITY, &count);
    for (size_t i = 0; i < count; i++) {
        if (items[i].identity.kind != KIM_ROLE)
            continue;
        subject s = read_aws(items[i].identity.id);
        if (s.kind != SUBJECT_ROLE)
            continue;
        kim_text name = qualified(r->arena, s.account, s.name);
        uint32_t before = text_map_count(r->role_names);
        uint32_t at = kim_text_is_absent(name) ? UINT32_MAX : text_map_add(r->role_names, name);
        if (at == UINT32_MAX)
            return -1;
        if (at == before)
            r->roles[at] = rules_holder(r, items[i].identity.id);
    }
    return 0;
}

const holder *rules_role(const rules *r, kim_text account, kim_text name)
{
    char bytes[512];
    if (account.size + 1 + name.size > sizeof bytes)
        return NULL;
    memcpy(bytes, account.bytes, account.size);
    bytes[account.size] = '\n';
    memcpy(bytes + account.size + 1, name.bytes, name.size);
    uint32_t at = text_map_find(r->role_names, (kim_text){bytes, account.size + 1 + name.size});
    return at == UINT32_MAX ? NULL : r->roles[at];
}

const holder *rules_holder(const rules *r, kim_text identity)
{
    uint32_t at = text_map_find(r->holder_ids, identity);
    return at == UINT32_MAX ? NULL : &r->holders[at];
}

const level *rules_level(const rules *r, kim_text scope)
{
    uint32_t at = text_map_find(r->level_ids, scope);
    return at == UINT32_MAX ? NULL : &r->levels[at];
}

const target *rules_target(const rules *r, kim_text resource)
{
    uint32_t at = text_map_find(r->target_ids, resource);
    return at == UINT32_MAX ? NULL : &r->targets[at];
}

const holder *rules_holders(const rules *r, size_t *count)
{
    *count = text_map_count(r->holder_ids);
    return r->holders;
}

const target *rules_targets(const rules *r, size_t *count)
{
    *count = text_map_count(r->target_ids);
    return r->targets;
}

/* ---- all of it ---- */

void rules_free(void *derived)
{
    rules *r = derived;
    kim_arena_free(r->arena);
}

rules *rules_compile(estate *es, kim_error *err)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    rules *r = arena ? KIM_NEW(arena, rules) : NULL;
    if (r) {
        r->es = es;
        r->arena = arena;
        r->keys = key_table_new(arena);
        r->patterns = text_map_new(arena);
        r->resource_texts = text_map_new(arena);
        r->condition_texts = text_map_new(arena);
        r->policy_names = text_map_new(arena);
        r->policy_ids = text_map_new(arena);
        r->holder_ids = text_map_new(arena);
        r->level_ids = text_map_new(arena);
        r->target_ids = text_map_new(arena);
        r->role_names = text_map_new(arena);
    }
    if (r == NULL || kim_arena_is_full(arena) || compile_policies(r) < 0 || number_all(r) < 0 ||
        attach_all(r) < 0 || join_groups(r) < 0 || (name_all(r), index_roles(r)) < 0) {
        kim_arena_free(arena);
        kim_fail(err, KIM_ERR_NOMEM, "no memory to ready the estate's statements");
        return NULL;
    }
    return r;
}

const rules *rules_of(estate *es, kim_error *err)
{
    return engine_compiled(&aws_engine, es, err);
}
