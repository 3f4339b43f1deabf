/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.c - three passes over an estate: statements to rules, rules to policies, attachments to lists.
 *
 * A policy may be stated by several accounts (AWS's own are): an attachment takes the one of its own
 * scope, else any of that id.
 */
#include "controller/evaluate/engine.h"
#include "controller/evaluate/rules_parts.h"

#include <stdlib.h>

#include <kim/limits.h>

const estate *rules_estate(const rules *r) { return r->es; }
const key_table *rules_keys(const rules *r) { return r->keys; }
size_t rules_count(const rules *r) { return r->count; }
const rule *rules_all(const rules *r) { return r->all; }
size_t rules_action_patterns(const rules *r) { return text_map_count(r->patterns); }
kim_text rules_action_pattern(const rules *r, uint32_t number) { return text_map_text(r->patterns, number); }
kim_text rules_first_unread(const rules *r) { return r->first_unread; }
size_t rules_conditions(const rules *r) { return text_map_count(r->condition_texts); }
const policy_set *rules_set(const rules *r, uint32_t number) { return number ? &r->sets[number] : NULL; }
size_t rules_sets(const rules *r) { return text_map_count(r->set_texts); }
size_t rules_policies(const rules *r) { return text_map_count(r->policy_names) + text_map_count(r->missing_ids); }
const bool *rules_changed_sets(const rules *r) { return r->changed_sets; }
size_t rules_accounts(const rules *r) { return text_map_count(r->account_ids); }
bool rules_have_endpoints(const rules *r) { return r->has_endpoints; }
bool rules_have_objects(const rules *r) { return r->has_objects; }

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
    out->action_count = (uint32_t)from.count;
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
    bool fixed = true;
    out->services = from.count && !out->resources_turned ? 0 : ~UINT32_C(0);
    const arn_pattern **patterns = from.count == 1 ? &out->only_resource
                                                   : (const arn_pattern **)kim_arena_array(r->arena, from.count ? from.count : 1, sizeof *patterns);
    for (size_t i = 0; patterns && i < from.count; i++) {
        patterns[i] = resource_pattern(r, from.items[i], has_variables);
        if (patterns[i] == NULL)
            return -1;
        out->resource_everything |= patterns[i]->is_everything;
        out->services |= arn_pattern_services(patterns[i]);
        fixed &= patterns[i]->is_everything || (patterns[i]->count == ARN_PARTS && patterns[i]->whole.parts == NULL);
    }
    out->resources_fixed = fixed;
    out->resources = patterns;
    out->resource_count = (uint32_t)from.count;
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
        row[number] = aws_condition_compile(text, has_variables, number, r->keys, r->arena, why);
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
    out->subject_count = (uint32_t)from.count;
    out->names_all = subjects && from.count == 1 && subjects[0].kind == SUBJECT_EVERYONE && !out->subjects_turned;
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

int rules_compile_one(rules *r, const policy_rules *policy, const kim_statement *s, rule *out)
{
    bool has_variables = policy->source && kim_text_is(policy->source->version, "2012-10-17");
    *out = (rule){.policy = policy, .source = s, .effect = (int8_t)s->effect, .unread = s->unread,
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
    out->is_doubtful = out->effect == 0 || !kim_text_is_absent(out->unread);
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
    r->policies[number].number = number;
    return number;
}

static bool is_read(const kim_record *record)
{
    return engine_reads(&aws_engine, record->scope);
}

/* The number of each statement's policy, UINT32_MAX where another engine reads it; NULL without memory. */
static uint32_t *number_policies(rules *r, const kim_record *items, size_t count)
{
    uint32_t *of = KIM_NEW_ARRAY(r->arena, uint32_t, count + 1);
    for (size_t i = 0; of && i < count; i++) {
        const kim_record *one = &items[i], *before = i ? one - 1 : NULL;
        bool is_same = before && kim_text_equal(one->statement.policy, before->statement.policy) && kim_text_equal(one->scope, before->scope);
        of[i] = is_same ? of[i - 1] : is_read(one) ? add_policy(r, one->scope, one->statement.policy) : UINT32_MAX;
        if (of[i] != UINT32_MAX)
            r->policies[of[i]].count++;
        else if (is_read(one))
            return NULL;
    }
    return of;
}

/* The arena aligns to less. */
rule *rules_room(kim_arena *arena, size_t count)
{
    uintptr_t at = (uintptr_t)kim_arena_array(arena, count + 1, sizeof(rule));
    return at ? (rule *)((at + _Alignof(rule) - 1) / _Alignof(rule) * _Alignof(rule)) : NULL;
}

static int compile_policies(rules *r)
{
    size_t policy_count, statement_count;
    const kim_record *policies = estate_records(r->es, KIM_POLICY, &policy_count);
    const kim_record *items = estate_records(r->es, KIM_STATEMENT, &statement_count);
    size_t most = policy_count + statement_count + 1;
    r->policies = KIM_NEW_ARRAY(r->arena, policy_rules, most);
    r->first_of_id = KIM_NEW_ARRAY(r->arena, uint32_t, most);
    r->all = rules_room(r->arena, statement_count);
    if (r->policies == NULL || r->first_of_id == NULL || r->all == NULL)
        return -1;
    for (size_t i = 0; i < policy_count; i++) {
        if (!is_read(&policies[i]))
            continue;
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
    const uint32_t *of = number_policies(r, items, statement_count);
    if (of == NULL)
        return -1;
    for (uint32_t i = 0; i < text_map_count(r->policy_names); i++) {
        r->policies[i].rules = r->all + r->count;
        r->policies[i].first = (uint32_t)r->count;
        r->count += r->policies[i].count;
        r->policies[i].count = 0;
    }
    for (size_t i = 0; i < statement_count; i++) {
        policy_rules *p = of[i] == UINT32_MAX ? NULL : &r->policies[of[i]];
        if (p && rules_compile_one(r, p, &items[i].statement, (rule *)(p->rules + p->count++)) < 0)
            return -1;
    }
    return 0;
}

uint32_t rules_policy_number(const rules *r, kim_text scope, kim_text id, kim_arena *scratch)
{
    return text_map_find(r->policy_names, qualified(scratch, scope, id));
}

static const policy_rules *find_policy(const rules *r, kim_text scope, kim_text id, kim_arena *scratch)
{
    uint32_t number = rules_policy_number(r, scope, id, scratch);
    return number != UINT32_MAX ? &r->policies[number] : rules_policy(r, id);
}

const policy_rules *rules_policy(const rules *r, kim_text id)
{
    uint32_t number = text_map_find(r->policy_ids, id);
    return number == UINT32_MAX ? NULL : &r->policies[r->first_of_id[number]];
}

/* A policy that is attached but of which no document came. */
static const policy_rules *missing_policy(rules *r, kim_text id)
{
    uint32_t before = text_map_count(r->missing_ids), number = text_map_add(r->missing_ids, id);
    const policy_rules **row = number == UINT32_MAX ? NULL : room(r->arena, r->missing, &r->missing_room, number);
    if (row == NULL)
        return NULL;
    r->missing = row;
    if (number < before)
        return row[number];
    policy_rules *p = KIM_NEW(r->arena, policy_rules);
    if (p)
        *p = (policy_rules){.id = id, .label = id, .unread = KIM_TEXT("its document was not collected"),
                            .number = text_map_count(r->policy_names) + number};
    return row[number] = p;
}

/* ---- sets of policies ---- */

/* A growing row of policies, each once. */
typedef struct gathering {
    const policy_rules **items; /* [count] */
    size_t count, capacity;
    bool failed;
} gathering;

static void gather(gathering *g, const policy_rules *policy)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->items[i] == policy)
            return;
    if (g->count == g->capacity) {
        size_t capacity = g->capacity ? g->capacity * 2 : 64;
        const policy_rules **grown = realloc(g->items, capacity * sizeof *grown);
        if (grown == NULL) {
            g->failed = true;
            return;
        }
        g->items = grown;
        g->capacity = capacity;
    }
    g->items[g->count++] = policy;
}

bool rules_fill_set(rules *r, const policy_rules *const *items, size_t count, policy_set *set)
{
    rule_range *ranges = KIM_NEW_ARRAY(r->arena, rule_range, count);
    size_t used = 0;
    *set = (policy_set){.items = items, .count = (uint32_t)count};
    for (size_t i = 0; i < count && ranges; i++) {
        rule_range *last = used ? &ranges[used - 1] : NULL;
        set->has_unread |= !kim_text_is_absent(items[i]->unread);
        if (items[i]->count == 0)
            continue;
        if (last && last->first + last->count == items[i]->first)
            last->count += (uint32_t)items[i]->count;
        else
            ranges[used++] = (rule_range){items[i]->first, (uint32_t)items[i]->count};
    }
    set->range_count = (uint32_t)used;
    if (used) {
        set->first = ranges[0];
        set->more = ranges + 1;
    }
    return ranges != NULL;
}

/* Room for one more set, by its number. False without memory. */
static bool room_for_set(rules *r, uint32_t number)
{
    if (number < r->set_room)
        return true;
    size_t more = r->set_room ? r->set_room * 2 : 64;
    policy_set *fresh = KIM_NEW_ARRAY(r->arena, policy_set, more);
    if (fresh == NULL)
        return false;
    if (r->set_room)
        memcpy(fresh, r->sets, r->set_room * sizeof *fresh);
    r->sets = fresh;
    r->set_room = more;
    return true;
}

/* The number of the set of these policies in this order; UINT32_MAX without memory. */
static uint32_t intern_set(rules *r, const gathering *g)
{
    kim_text text = {(const char *)g->items, g->count * sizeof *g->items};
    uint32_t number = g->failed ? UINT32_MAX : text_map_find(r->set_texts, text);
    if (number != UINT32_MAX || g->failed)
        return number;
    const policy_rules **items = (const policy_rules **)kim_arena_array(r->arena, g->count, sizeof *items);
    if (items == NULL)
        return UINT32_MAX;
    memcpy(items, g->items, text.size);
    number = text_map_add(r->set_texts, (kim_text){(const char *)items, text.size});
    bool fine = number != UINT32_MAX && room_for_set(r, number) && rules_fill_set(r, items, g->count, &r->sets[number]);
    return fine ? number : UINT32_MAX;
}

/* Number 0 is nothing. */
static int start_sets(rules *r)
{
    return text_map_add(r->set_texts, KIM_TEXT("")) == 0 && room_for_set(r, 0) ? 0 : -1;
}

/* ---- what hangs where ---- */

typedef enum thing { OF_HOLDER, OF_LEVEL, OF_TARGET, THINGS } thing;

/* One attachment: a policy, and on which part of which thing. */
typedef struct hanging {
    const policy_rules *policy;
    uint32_t at;
    uint8_t of, part;
} hanging;

static bool place(rules *r, const kim_attachment *a, hanging *out)
{
    static const struct { const char *layer; thing of; uint8_t part; } layers[] = {
        {"boundary", OF_HOLDER, 1}, {"session", OF_HOLDER, 2}, {"scp", OF_LEVEL, 0}, {"rcp", OF_LEVEL, 1},
        {"resource", OF_TARGET, 0}, {"endpoint", OF_TARGET, 1}};
    text_map *const maps[THINGS] = {r->holder_ids, r->level_ids, r->target_ids};
    const kim_text ids[THINGS] = {a->subject, a->on_scope, a->resource};
    *out = (hanging){.policy = out->policy, .of = OF_HOLDER};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (kim_text_is(a->layer, layers[i].layer))
            *out = (hanging){.policy = out->policy, .of = (uint8_t)layers[i].of, .part = layers[i].part};
    out->at = text_map_add(maps[out->of], ids[out->of]);
    return out->at != UINT32_MAX;
}

/* All attachments, placed; [*count] for the caller to free. NULL without memory. */
static hanging *place_all(rules *r, size_t *count)
{
    size_t total;
    const kim_record *items = estate_records(r->es, KIM_ATTACHMENT, &total);
    kim_arena *scratch = kim_arena_new(SIZE_MAX);
    hanging *all = malloc((total + 1) * sizeof *all);
    bool fine = scratch && all;
    *count = 0;
    for (size_t i = 0; i < total && fine; i++) {
        const kim_attachment *a = &items[i].attachment;
        if (a->eligible || !is_read(&items[i]))
            continue;
        hanging *one = &all[*count];
        one->policy = find_policy(r, items[i].scope, a->policy, scratch);
        if (one->policy == NULL)
            one->policy = missing_policy(r, a->policy);
        fine = one->policy && place(r, a, one);
        kim_arena_reset(scratch);
        ++*count;
    }
    kim_arena_free(scratch);
    if (!fine) {
        free(all);
        return NULL;
    }
    return all;
}

static uint32_t *set_of(rules *r, uint8_t of, uint32_t at, uint8_t part)
{
    switch (of) {
    case OF_LEVEL:
        return part ? &r->levels[at].rcp : &r->levels[at].scp;
    case OF_TARGET:
        return part ? &r->targets[at].endpoint : &r->targets[at].policies;
    default:
        return part == 0 ? &r->holders[at].grants : part == 1 ? &r->holders[at].boundary : &r->holders[at].session;
    }
}

/* Sorts what hangs by where, each place's in the order of attachments, and interns each place's set. */
static int hang_all(rules *r, const hanging *all, size_t count)
{
    enum { PARTS = 3 };
    const uint32_t counts[THINGS] = {text_map_count(r->holder_ids), text_map_count(r->level_ids), text_map_count(r->target_ids)};
    size_t base[THINGS + 1] = {0};
    for (int t = 0; t < THINGS; t++)
        base[t + 1] = base[t] + (size_t)counts[t] * PARTS;
    uint32_t *ends = calloc(base[THINGS] + 1, sizeof *ends);
    uint32_t *order = malloc((count + 1) * sizeof *order);
    gathering g = {0};
    int result = ends && order ? 0 : -1;
    for (size_t i = 0; i < count && result == 0; i++)
        ends[base[all[i].of] + (size_t)all[i].at * PARTS + all[i].part + 1]++;
    for (size_t p = 0; p < base[THINGS] && result == 0; p++)
        ends[p + 1] += ends[p];
    for (size_t i = 0; i < count && result == 0; i++) /* `ends` begins as starts and moves to the ends */
        order[ends[base[all[i].of] + (size_t)all[i].at * PARTS + all[i].part]++] = (uint32_t)i;
    for (size_t p = 0, at = 0; p < base[THINGS] && result == 0; p++) {
        if (at == ends[p])
            continue;
        const hanging *one = &all[order[at]];
        for (g.count = 0; at < ends[p]; at++)
            gather(&g, all[order[at]].policy);
        uint32_t number = intern_set(r, &g);
        *set_of(r, one->of, one->at, one->part) = number;
        r->has_endpoints |= one->of == OF_TARGET && one->part == 1;
        result = number == UINT32_MAX ? -1 : 0;
    }
    free(g.items);
    free(order);
    free(ends);
    return result;
}

/* ---- who there is ---- */

static bool read_holder(rules *r, holder *h)
{
    static const struct { kim_text prefix; holder_kind kind; } kinds[] = {{KIM_TEXT("user/"), HOLDER_USER}, {KIM_TEXT("role/"), HOLDER_ROLE}};
    arn a = arn_split(h->id);
    if (a.count < ARN_PARTS || a.is_pattern || !kim_text_is(a.parts[0], "arn") || kim_text_is(a.parts[4], "cloudfront") ||
        h->id.size > UINT16_MAX || a.parts[4].size > UINT8_MAX)
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kim_text_starts_with(a.parts[5], kinds[i].prefix)) {
            kim_text rest = {a.parts[5].bytes + kinds[i].prefix.size, a.parts[5].size - kinds[i].prefix.size};
            h->kind = (uint8_t)kinds[i].kind;
            h->account_at = (uint16_t)(a.parts[4].bytes - h->id.bytes);
            h->account_size = (uint8_t)a.parts[4].size;
            h->name_at = (uint16_t)(after_last(rest, '/').bytes - h->id.bytes);
            h->is_service_linked = kinds[i].kind == HOLDER_ROLE && memmem(h->id.bytes, h->id.size, ":role/aws-service-role/", 23) != NULL;
            h->account = text_map_add(r->account_ids, a.parts[4]);
        }
    return h->account != UINT32_MAX;
}

/* Numbers everything that can hold something: records first, so that they come in the order of ids. */
static int number_all(rules *r)
{
    static const kim_record_type types[THINGS] = {KIM_IDENTITY, KIM_SCOPE, KIM_RESOURCE};
    text_map *const maps[THINGS] = {r->holder_ids, r->level_ids, r->target_ids};
    for (int t = 0; t < THINGS; t++) {
        size_t count;
        const kim_record *items = estate_records(r->es, types[t], &count);
        for (size_t i = 0; i < count; i++)
            if (is_read(&items[i]) && text_map_add(maps[t], estate_id(&items[i])) == UINT32_MAX)
                return -1;
    }
    return 0;
}

static void note_object(rules *r, kim_text id)
{
    arn a = arn_split(id);
    r->has_objects |= kim_text_is(arn_service(&a), "s3") && memchr(a.parts[5].bytes, '/', a.parts[5].size) != NULL;
}

static int name_all(rules *r)
{
    const uint32_t holders = text_map_count(r->holder_ids), levels = text_map_count(r->level_ids), targets = text_map_count(r->target_ids);
    r->holders = KIM_NEW_ARRAY(r->arena, holder, holders + 1);
    r->levels = KIM_NEW_ARRAY(r->arena, level, levels + 1);
    r->targets = KIM_NEW_ARRAY(r->arena, target, targets + 1);
    if (r->holders == NULL || r->levels == NULL || r->targets == NULL)
        return -1;
    for (uint32_t i = 0; i < holders; i++) {
        r->holders[i].id = text_map_text(r->holder_ids, i);
        if (!read_holder(r, &r->holders[i]))
            return -1;
    }
    for (uint32_t i = 0; i < levels; i++)
        r->levels[i].id = text_map_text(r->level_ids, i);
    for (uint32_t i = 0; i < targets; i++)
        r->targets[i].id = text_map_text(r->target_ids, i), note_object(r, r->targets[i].id);
    return 0;
}

/* Of records with one id (in several scopes) the last counts, as their order has it. */
static void know_all(rules *r)
{
    size_t identities, scopes, resources;
    const kim_record *i_records = estate_records(r->es, KIM_IDENTITY, &identities);
    const kim_record *s_records = estate_records(r->es, KIM_SCOPE, &scopes);
    const kim_record *r_records = estate_records(r->es, KIM_RESOURCE, &resources);
    for (size_t i = 0, at = 0; i < identities; i++) {
        if (!is_read(&i_records[i]))
            continue;
        while (!kim_text_equal(r->holders[at].id, i_records[i].identity.id))
            at++; /* both are in the order of ids */
        r->holders[at].identity = &i_records[i];
        r->holders[at].is_group = i_records[i].identity.kind == KIM_GROUP;
        uint32_t home = text_map_find(r->level_ids, i_records[i].scope);
        if (home != UINT32_MAX && i_records[i].identity.kind != KIM_PUBLIC && !kim_text_ends_with(i_records[i].identity.id, KIM_TEXT(":root")))
            r->levels[home].has_identities = true;
    }
    for (size_t i = 0, at = 0; i < scopes; i++) {
        if (!is_read(&s_records[i]))
            continue;
        while (!kim_text_equal(r->levels[at].id, s_records[i].as_scope.id))
            at++;
        r->levels[at].scope = &s_records[i];
    }
    for (size_t i = 0, at = 0; i < resources; i++) {
        if (!is_read(&r_records[i]))
            continue;
        while (!kim_text_equal(r->targets[at].id, r_records[i].resource.id))
            at++;
        r->targets[at].resource = &r_records[i];
    }
}

/* ---- groups ---- */

/* Who is a member of what, by the numbers of holders. */
typedef struct membership {
    uint32_t *starts; /* [holders + 1] into groups */
    uint32_t *groups;
} membership;

static bool is_membership(const kim_record *edge)
{
    return edge->edge.kind == KIM_MEMBER_OF && !edge->edge.eligible && is_read(edge);
}

/* False without memory. */
static bool read_memberships(const rules *r, membership *m)
{
    size_t count, holders = text_map_count(r->holder_ids);
    const kim_record *edges = estate_records(r->es, KIM_EDGE, &count);
    uint32_t *from = malloc((count + 1) * sizeof *from), *to = malloc((count + 1) * sizeof *to);
    m->starts = calloc(holders + 2, sizeof *m->starts);
    m->groups = malloc((count + 1) * sizeof *m->groups);
    bool fine = from && to && m->starts && m->groups;
    for (size_t i = 0; i < count && fine; i++) {
        from[i] = is_membership(&edges[i]) ? text_map_find(r->holder_ids, edges[i].edge.from) : UINT32_MAX;
        to[i] = from[i] == UINT32_MAX ? UINT32_MAX : text_map_find(r->holder_ids, edges[i].edge.to);
        if (to[i] != UINT32_MAX)
            m->starts[from[i] + 2]++;
    }
    for (size_t i = 0; i < holders && fine; i++)
        m->starts[i + 2] += m->starts[i + 1];
    for (size_t i = 0; i < count && fine; i++)
        if (to[i] != UINT32_MAX)
            m->groups[m->starts[from[i] + 1]++] = to[i];
    free(from);
    free(to);
    return fine;
}

/* Groups reached from one holder, nearest first. */
typedef struct reached {
    uint32_t *groups; /* [count] */
    size_t count, capacity;
    bool failed;
} reached;

static void reach(reached *all, uint32_t group)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->groups[i] == group)
            return;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? all->capacity * 2 : 64;
        uint32_t *grown = realloc(all->groups, capacity * sizeof *grown);
        if (grown == NULL) {
            all->failed = true;
            return;
        }
        all->groups = grown;
        all->capacity = capacity;
    }
    all->groups[all->count++] = group;
}

static void reach_all(const membership *m, uint32_t from, reached *all)
{
    all->count = 0;
    for (uint32_t i = m->starts[from]; i < m->starts[from + 1]; i++)
        reach(all, m->groups[i]);
    for (size_t begin = 0, end = all->count, depth = 1; begin < end && depth < KIM_MEMBERSHIP_MAX_DEPTH; depth++) {
        for (size_t g = begin; g < end; g++)
            for (uint32_t i = m->starts[all->groups[g]]; i < m->starts[all->groups[g] + 1]; i++)
                reach(all, m->groups[i]);
        begin = end;
        end = all->count;
    }
}

static void gather_set(const rules *r, gathering *g, uint32_t number)
{
    const policy_set *set = &r->sets[number];
    for (size_t i = 0; i < set->count; i++)
        gather(g, set->items[i]);
}

/* A group's grants are its members' too, through groups within groups. What each has of its own is kept
 * aside until all have been joined. */
static int join_groups(rules *r)
{
    size_t holders = text_map_count(r->holder_ids);
    membership m;
    gathering g = {0};
    reached all = {0};
    uint32_t *own = malloc((holders + 1) * sizeof *own);
    bool fine = read_memberships(r, &m) && own;
    for (size_t i = 0; i < holders && fine; i++)
        own[i] = r->holders[i].grants;
    for (uint32_t i = 0; i < holders && fine; i++) {
        if (m.starts[i] == m.starts[i + 1])
            continue;
        reach_all(&m, i, &all);
        g.count = 0;
        gather_set(r, &g, own[i]);
        for (size_t k = 0; k < all.count; k++)
            gather_set(r, &g, own[all.groups[k]]);
        r->holders[i].grants = g.count ? intern_set(r, &g) : 0;
        fine = r->holders[i].grants != UINT32_MAX && !all.failed;
    }
    free(own);
    free(g.items);
    free(all.groups);
    free(m.starts);
    free(m.groups);
    return fine ? 0 : -1;
}

/* ---- roles by name ---- */

static bool is_role(const holder *h)
{
    return h->identity && h->identity->identity.kind == KIM_ROLE && h->kind == HOLDER_ROLE;
}

/* Where that role is, or the free slot for it. */
static size_t role_slot(const rules *r, kim_text account, kim_text name)
{
    size_t at = (text_map_hash(account) * 31 + text_map_hash(name)) & (r->role_slots - 1);
    for (; r->roles[at]; at = (at + 1) & (r->role_slots - 1)) {
        const holder *h = &r->holders[r->roles[at] - 1];
        if (kim_text_equal(holder_account(h), account) && kim_text_equal(holder_name(h), name))
            break;
    }
    return at;
}

static int index_roles(rules *r)
{
    uint32_t holders = text_map_count(r->holder_ids), roles = 0;
    for (uint32_t i = 0; i < holders; i++)
        roles += is_role(&r->holders[i]);
    for (r->role_slots = 4; r->role_slots < (size_t)roles * 2;)
        r->role_slots *= 2;
    r->roles = KIM_NEW_ARRAY(r->arena, uint32_t, r->role_slots);
    for (uint32_t i = 0; i < holders && r->roles; i++) {
        if (!is_role(&r->holders[i]))
            continue;
        size_t at = role_slot(r, holder_account(&r->holders[i]), holder_name(&r->holders[i]));
        if (r->roles[at] == 0) /* the first of that name stays */
            r->roles[at] = i + 1;
    }
    return r->roles ? 0 : -1;
}

const holder *rules_role(const rules *r, kim_text account, kim_text name)
{
    uint32_t at = r->roles[role_slot(r, account, name)];
    return at ? &r->holders[at - 1] : NULL;
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

/* Which sets a policy is in: what a change of it touches. */
static int index_sets(rules *r)
{
    size_t policies = rules_policies(r), sets = rules_sets(r), total = 0;
    r->set_starts = KIM_NEW_ARRAY(r->arena, uint32_t, policies + 2);
    for (size_t s = 1; s < sets; s++)
        total += r->sets[s].count;
    r->set_members = KIM_NEW_ARRAY(r->arena, uint32_t, total + 1);
    if (r->set_starts == NULL || r->set_members == NULL)
        return -1;
    for (size_t s = 1; s < sets; s++)
        for (uint32_t i = 0; i < r->sets[s].count; i++)
            r->set_starts[r->sets[s].items[i]->number + 2]++;
    for (size_t p = 1; p <= policies; p++)
        r->set_starts[p + 1] += r->set_starts[p];
    for (size_t s = 1; s < sets; s++) /* starts move to the ends, which are the next ones' */
        for (uint32_t i = 0; i < r->sets[s].count; i++)
            r->set_members[r->set_starts[r->sets[s].items[i]->number + 1]++] = (uint32_t)s;
    return 0;
}

static int hang(rules *r)
{
    size_t count;
    hanging *all = place_all(r, &count);
    int result = all && name_all(r) == 0 ? hang_all(r, all, count) : -1;
    free(all);
    return result;
}

rules *rules_compile(estate *es, kim_error *err)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    rules *r = arena ? KIM_NEW(arena, rules) : NULL;
    if (r) {
        r->es = es;
        r->arena = arena;
        r->keys = key_table_new(arena);
        text_map **const maps[] = {&r->patterns, &r->resource_texts, &r->condition_texts, &r->policy_names, &r->policy_ids,
                                   &r->missing_ids, &r->holder_ids, &r->level_ids, &r->target_ids, &r->account_ids, &r->set_texts};
        for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
            *maps[i] = text_map_new(arena);
    }
    if (r == NULL || kim_arena_is_full(arena) || compile_policies(r) < 0 || number_all(r) < 0 || start_sets(r) < 0 || hang(r) < 0 ||
        (know_all(r), join_groups(r)) < 0 || index_roles(r) < 0 || index_sets(r) < 0) {
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
