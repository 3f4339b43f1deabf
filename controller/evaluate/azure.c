/* SPDX-License-Identifier: Apache-2.0
 *
 * azure.c - Azure RBAC, Entra's directory roles and applications' permissions: one decision.
 *
 * Microsoft's order: the deny assignments at the scope and above it that name the caller; else what the
 * caller and its groups are assigned there, where the role has the action; then the assignment's condition.
 * Here all three are gathered as terms, so that plain and conditional answers are made the same way.
 *
 * Source: Microsoft Learn, "What is Azure RBAC?" (How Azure RBAC determines if a user has access), "Understand
 * Azure deny assignments", "Understand Azure role definitions", "Overview of role-based access control in Entra ID".
 */
#include "controller/evaluate/azure.h"

#include <stdlib.h>

/* ---- an evaluator's scratch ---- */

void azure_state_free(void *state)
{
    azure_state *s = state;
    if (s == NULL)
        return;
    kim_arena_free(s->kept);
    free(s->actions);
    free(s->subject_stamps);
    free(s->place_stamps);
    free(s->attribute_stamps);
    free(s->reach);
    free(s->reached);
    free(s->attributes);
    free(s->says);
    free(s);
}

void *azure_state_new(evaluator *ev, const void *compiled, kim_error *err)
{
    azure_state *s = calloc(1, sizeof *s);
    (void)ev;
    if (s) {
        s->m = compiled;
        size_t subjects = text_map_count(s->m->subject_ids) + 1, places = text_map_count(s->m->place_ids) + 1, keys = text_map_count(s->m->keys) + 1;
        s->kept = kim_arena_new(SIZE_MAX);
        s->action_ids = s->kept ? text_map_new(s->kept) : NULL;
        s->subject_stamps = calloc(subjects, sizeof *s->subject_stamps);
        s->place_stamps = calloc(places, sizeof *s->place_stamps);
        s->attribute_stamps = calloc(keys, sizeof *s->attribute_stamps);
        s->reach = calloc(subjects, sizeof *s->reach);
        s->reached = calloc(subjects, sizeof *s->reached);
        s->attributes = calloc(keys, sizeof *s->attributes);
    }
    if (s && s->action_ids && s->subject_stamps && s->place_stamps && s->attribute_stamps && s->reach && s->reached && s->attributes)
        return s;
    azure_state_free(s);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for a state of Azure's");
    return NULL;
}

/* ---- actions ---- */

static bool has_room_for_action(azure_state *s)
{
    uint32_t count = text_map_count(s->action_ids);
    if (kim_arena_used(s->kept) > AZURE_ACTIONS_MAX_BYTES) {
        kim_arena_reset(s->kept);
        s->action_ids = text_map_new(s->kept);
        count = 0;
    }
    if (s->action_ids == NULL || count < s->action_capacity)
        return s->action_ids != NULL;
    size_t capacity = s->action_capacity ? s->action_capacity * 2 : 64;
    azure_action *grown = realloc(s->actions, capacity * sizeof *grown);
    if (grown) {
        s->actions = grown;
        s->action_capacity = capacity;
    }
    return grown != NULL;
}

/* Borrowed until the next call. NULL without memory. */
const azure_action *azure_action_of(azure_state *s, kim_text lower, azure_universe universe)
{
    char bytes[512];
    kim_text id = {bytes, lower.size + 1};
    if (lower.size >= sizeof bytes)
        id = kim_text_format(s->ev->scratch, "%c%.*s", 'a' + universe, KIM_PRINT(lower));
    else {
        bytes[0] = (char)('a' + universe);
        memcpy(bytes + 1, lower.bytes, lower.size);
    }
    uint32_t number = kim_text_is_absent(id) ? UINT32_MAX : text_map_find(s->action_ids, id);
    if (number != UINT32_MAX)
        return &s->actions[number];
    if (kim_text_is_absent(id) || !has_room_for_action(s))
        return NULL;
    kim_text kept = kim_text_copy(s->kept, id);
    size_t words = s->m->permission_count / 64 + 1;
    uint64_t *bits = KIM_NEW_ARRAY(s->kept, uint64_t, 2 * words);
    number = bits && !kim_text_is_absent(kept) ? text_map_add(s->action_ids, kept) : UINT32_MAX;
    if (number == UINT32_MAX)
        return NULL;
    s->actions[number] = (azure_action){.name = {kept.bytes + 1, kept.size - 1}, .universe = universe, .known = bits, .covers = bits + words};
    return &s->actions[number];
}

static bool one_matches(const azure_model *m, const uint32_t *patterns, size_t count, kim_text action)
{
    for (size_t i = 0; i < count; i++)
        if (azure_action_match(text_map_text(m->patterns, patterns[i]), action))
            return true;
    return false;
}

bool azure_covers(const azure_state *s, const azure_action *action, const azure_permission *p)
{
    uint64_t bit = UINT64_C(1) << (p->number % 64);
    uint64_t *known = &action->known[p->number / 64], *covers = &action->covers[p->number / 64];
    if (!(*known & bit)) {
        *known |= bit;
        if (p->universe == action->universe && one_matches(s->m, p->actions, p->action_count, action->name) &&
            !one_matches(s->m, p->not_actions, p->not_action_count, action->name))
            *covers |= bit;
    }
    return *covers & bit;
}

/* ---- the request's attributes ---- */

static void set_attribute(azure_state *s, kim_text key, azure_attribute value)
{
    kim_text canonical = azure_attribute_key(key, s->ev->scratch);
    uint32_t number = kim_text_is_absent(canonical) ? UINT32_MAX : text_map_find(s->m->keys, canonical);
    if (number == UINT32_MAX)
        return;
    s->attributes[number] = value;
    s->attribute_stamps[number] = s->stamp;
}

static void read_context(azure_state *s)
{
    const question *q = s->q;
    for (size_t i = 0; i < q->known_absent.count; i++)
        set_attribute(s, q->known_absent.items[i], (azure_attribute){.state = AZURE_ABSENT});
    for (size_t i = 0; i < q->known_present.count; i++)
        set_attribute(s, q->known_present.items[i], (azure_attribute){.state = AZURE_PRESENT});
    for (size_t i = 0; i < q->context_count; i++)
        set_attribute(s, q->context[i].key, azure_attribute_of(&q->context[i], s->ev->scratch));
    s->has_context = true;
}

static azure_attribute look(void *from, uint32_t key)
{
    azure_state *s = from;
    if (!s->has_context)
        read_context(s);
    if (s->attribute_stamps[key] == s->stamp)
        return s->attributes[key];
    return (azure_attribute){.state = s->q->discover ? AZURE_NOT_KNOWN : AZURE_ABSENT};
}

static const term *holds(azure_state *s, const azure_terms *t)
{
    if (t == NULL)
        return &term_true;
    if (t->condition) {
        const azure_facts facts = {.action = s->action ? s->action->name : KIM_TEXT(""), .is_pattern = s->asks_patterns, .look = look, .from = s};
        return azure_condition_decide(t->condition, &facts, s->ev->scratch);
    }
    return t->foreign.size ? term_of(s->ev->scratch, TERM_EXPRESSION, t->foreign) : term_of(s->ev->scratch, TERM_UNREAD, t->unread);
}

/* ---- time ---- */

static void read_now(azure_state *s)
{
    s->has_now = false;
    s->asked_now = true;
    if (s->q->context_count == 0)
        return;
    azure_attribute now = look(s, s->m->now_key);
    int64_t seconds;
    int32_t nanoseconds;
    if (now.state == AZURE_GIVEN && now.count == 1 && azure_time_read(now.values[0].text, &seconds, &nanoseconds)) {
        s->now_ms = seconds * 1000 + nanoseconds / 1000000;
        s->has_now = true;
    }
}

static const term *in_time(azure_state *s, int64_t starts_ms, int64_t expires_ms)
{
    if (starts_ms == 0 && expires_ms == 0)
        return &term_true;
    if (!s->asked_now)
        read_now(s);
    if (!s->has_now)
        return term_of(s->ev->scratch, TERM_UNREAD, KIM_TEXT("the time of the request (@Environment[UtcNow])"));
    return s->now_ms >= starts_ms && (expires_ms == 0 || s->now_ms < expires_ms) ? &term_true : &term_false;
}

const term *azure_in_force(azure_state *s, const azure_assignment *a, const azure_permission *p)
{
    if (a->terms == NULL && (p == NULL || p->terms == NULL) && a->source->starts_unix_ms == 0 && a->source->expires_unix_ms == 0)
        return &term_true;
    const term *parts[] = {in_time(s, a->source->starts_unix_ms, a->source->expires_unix_ms), holds(s, a->terms), holds(s, p ? p->terms : NULL)};
    return parts[0] == &term_false ? parts[0] : term_all(s->ev->scratch, parts, 3);
}

/* ---- who asks ---- */

static void reach_out(azure_state *s, uint32_t who, azure_reach how)
{
    if (s->subject_stamps[who] == s->stamp && s->reach[who] >= how)
        return;
    if (s->subject_stamps[who] != s->stamp)
        s->reached[s->reached_count++] = who;
    s->subject_stamps[who] = s->stamp;
    s->reach[who] = (uint8_t)how;
}

static azure_reach reach_of(const azure_state *s, uint32_t who)
{
    return s->subject_stamps[who] == s->stamp ? (azure_reach)s->reach[who] : AZURE_NOT_REACHED;
}

/* How the membership itself holds now. */
static azure_reach membership_holds(azure_state *s, const azure_membership *member)
{
    if (member->plain)
        return AZURE_IS;
    const kim_edge *e = member->source;
    const term *t = in_time(s, e->starts_unix_ms, e->expires_unix_ms);
    if (t == &term_false)
        return AZURE_NOT_REACHED;
    return e->eligible ? AZURE_COULD : t == &term_true && e->condition.text.size == 0 ? AZURE_IS : AZURE_MAY;
}

/* All groups, for as often as a group is reached in a surer way; directory roles take direct members alone. */
static void find_groups(azure_state *s, uint32_t caller, bool nested)
{
    const azure_model *m = s->m;
    reach_out(s, caller, AZURE_IS);
    int last = m->all_plain ? AZURE_IS : AZURE_COULD;
    for (int least = AZURE_IS; least >= last; least--) /* the surest first, so that each is walked once a level */
        for (size_t next = 0; next < s->reached_count && (nested || next == 0); next++) {
            uint32_t who = s->reached[next];
            for (uint32_t i = 0; i < m->member_of[who].count; i++) {
                const azure_membership *member = &m->memberships[m->member_of[who].first + i];
                azure_reach own = membership_holds(s, member), from = reach_of(s, who);
                azure_reach both = own < from ? own : from;
                if ((int)both >= least)
                    reach_out(s, member->of, both);
            }
        }
}

bool azure_begin(azure_state *s, evaluator *ev, const question *q, azure_universe universe)
{
    if (++s->stamp == 0) { /* stamps of four billion decisions ago */
        memset(s->subject_stamps, 0, (text_map_count(s->m->subject_ids) + 1) * sizeof *s->subject_stamps);
        memset(s->place_stamps, 0, (text_map_count(s->m->place_ids) + 1) * sizeof *s->place_stamps);
        memset(s->attribute_stamps, 0, (text_map_count(s->m->keys) + 1) * sizeof *s->attribute_stamps);
        s->stamp = 1;
    }
    s->ev = ev;
    s->q = q;
    s->has_context = s->asked_now = s->failed = s->asks_patterns = false;
    s->action = NULL;
    s->reached_count = s->say_count = 0;
    s->chain_count = azure_chain(s->m, universe, q->resource, ev->scratch, s->chain, &s->self, &s->any_place);
    for (size_t i = 0; i < s->chain_count; i++)
        s->place_stamps[s->chain[i]] = s->stamp;
    uint32_t caller = text_map_find(s->m->subject_ids, q->identity);
    if (caller != UINT32_MAX)
        find_groups(s, caller, universe == AZURE_CONTROL || universe == AZURE_DATA);
    return !kim_arena_is_full(ev->scratch);
}

/* ---- says ---- */

static void say_so(azure_state *s, azure_say one)
{
    if (one.when == NULL) {
        s->failed = true;
        return;
    }
    if (one.when == &term_false)
        return;
    if (s->say_count == s->say_capacity) {
        size_t capacity = s->say_capacity ? s->say_capacity * 2 : 64;
        azure_say *grown = realloc(s->says, capacity * sizeof *grown);
        if (grown == NULL) {
            s->failed = true;
            return;
        }
        s->says = grown;
        s->say_capacity = capacity;
    }
    s->says[s->say_count++] = one;
}

static const term *unread(azure_state *s, const char *what, kim_text name)
{
    return term_of(s->ev->scratch, TERM_UNREAD, kim_text_format(s->ev->scratch, "%s %.*s", what, KIM_PRINT(name)));
}

bool azure_is_above(const azure_state *s, const azure_assignment *a)
{
    if (s->any_place)
        return kim_text_starts_with(text_map_text(s->m->place_ids, a->place), KIM_TEXT("graph:"));
    return s->place_stamps[a->place] == s->stamp && (!a->here_only || a->place == s->self);
}

static const term *with_reach(azure_state *s, azure_reach how, const term *when)
{
    return how == AZURE_MAY ? term_and(s->ev->scratch, when, term_of(s->ev->scratch, TERM_UNREAD, KIM_TEXT("whether a membership is in force")))
                            : when;
}

static void weigh_grant(azure_state *s, const azure_assignment *a, azure_reach how)
{
    bool eligible = a->eligible || how == AZURE_COULD;
    const char *layer = eligible ? "eligible" : "assignment";
    if (a->role == NULL || a->role->unread.size) {
        const term *t = a->role ? unread(s, "the role", a->role->label) : unread(s, "the role definition", a->source->policy);
        const term *when = term_and(s->ev->scratch, azure_in_force(s, a, NULL), t);
        say_so(s, (azure_say){a, NULL, with_reach(s, how, when), layer});
        return;
    }
    for (size_t i = 0; i < a->role->count; i++) {
        const azure_permission *p = &a->role->permissions[i];
        if (p->unread.size)
            say_so(s, (azure_say){a, p, with_reach(s, how, term_and(s->ev->scratch, azure_in_force(s, a, p), unread(s, "the role", a->role->label))), layer});
        else if (azure_covers(s, s->action, p))
            say_so(s, (azure_say){a, p, with_reach(s, how, azure_in_force(s, a, p)), layer});
    }
}

static void weigh_grants(azure_state *s)
{
    for (size_t r = 0; r < s->reached_count; r++) {
        azure_range held = s->m->held[s->reached[r]];
        for (uint32_t i = 0; i < held.count; i++)
            if ((s->any_place || s->place_stamps[s->m->grant_places[held.first + i]] == s->stamp) &&
                azure_is_above(s, &s->m->grants[held.first + i]))
                weigh_grant(s, &s->m->grants[held.first + i], (azure_reach)s->reach[s->reached[r]]);
    }
}

/* Is one of them the caller, or a group of it? Could-be memberships are none now. */
static const term *is_among(azure_state *s, const uint32_t *subjects, size_t count)
{
    azure_reach most = AZURE_NOT_REACHED;
    for (size_t i = 0; i < count && most < AZURE_IS; i++)
        most = reach_of(s, subjects[i]) > most ? reach_of(s, subjects[i]) : most;
    return most == AZURE_IS ? &term_true : most == AZURE_MAY ? with_reach(s, most, &term_true) : &term_false;
}

const term *azure_names_caller(azure_state *s, const azure_permission *p)
{
    const term *named = p->everyone ? &term_true : is_among(s, p->subjects, p->subject_count);
    if (named == &term_false || p->not_subject_count == 0)
        return named;
    return term_and(s->ev->scratch, named, term_not(s->ev->scratch, is_among(s, p->not_subjects, p->not_subject_count)));
}

static void weigh_denies_at(azure_state *s, uint32_t place)
{
    azure_range at = s->m->denied_at[place];
    for (uint32_t i = 0; i < at.count; i++) {
        const azure_assignment *a = &s->m->denies[at.first + i];
        for (size_t k = 0; a->role && azure_is_above(s, a) && k < a->role->count; k++) {
            const azure_permission *p = &a->role->permissions[k];
            if (p->unread.size == 0 && !azure_covers(s, s->action, p))
                continue;
            const term *named = azure_names_caller(s, p);
            const term *when = named == &term_false ? named : term_and(s->ev->scratch, named, azure_in_force(s, a, p));
            if (p->unread.size)
                when = term_and(s->ev->scratch, when, unread(s, "the deny assignment", a->role->label));
            say_so(s, (azure_say){a, p, when, "deny"});
        }
    }
}

static void weigh_denies(azure_state *s)
{
    for (size_t i = 0; s->m->deny_count && i < s->chain_count; i++) {
        bool again = false; /* a cycle of management groups names a place twice */
        for (size_t k = 0; k < i && !again; k++)
            again = s->chain[k] == s->chain[i];
        if (!again)
            weigh_denies_at(s, s->chain[i]);
    }
}

/* ---- what was not read ---- */

/* Does a scope whose documents were not all read lie above the request, or below it? */
static bool is_touched(const azure_state *s, const kim_record *gap)
{
    bool directory = kim_text_starts_with(gap->scope, KIM_TEXT("dir:"));
    azure_universe u = s->action->universe;
    if (directory != (u == AZURE_DIRECTORY || u == AZURE_GRAPH))
        return directory && kim_text_is(gap->coverage.part, "groups");
    const kim_record *scope = estate_find(s->m->es, KIM_SCOPE, gap->scope);
    if (scope && !kim_text_is(scope->as_scope.kind, "subscription") && !kim_text_is(scope->as_scope.kind, "resource_group"))
        return true;
    kim_text path = azure_scope_text(s->q->resource, s->ev->scratch), id = {gap->scope.bytes + 6, gap->scope.size > 6 ? gap->scope.size - 6 : 0};
    const char *slash = id.size ? memchr(id.bytes, '/', id.size) : NULL;
    kim_text subscription = {id.bytes, slash ? (size_t)(slash - id.bytes) : id.size};
    kim_text begin = slash ? kim_text_format(s->ev->scratch, "/subscriptions/%.*s/resourcegroups%.*s/", KIM_PRINT(subscription),
                                             (int)(id.size - subscription.size), slash)
                           : kim_text_format(s->ev->scratch, "/subscriptions/%.*s/", KIM_PRINT(subscription));
    kim_text whole = kim_text_format(s->ev->scratch, "%.*s/", KIM_PRINT(path));
    return kim_text_starts_with(whole, begin);
}

/* What may stand in documents that nobody read. */
static const term *gaps(azure_state *s, const char *not_this_part)
{
    const term *t = &term_false;
    for (size_t i = 0; i < s->m->gap_count; i++) {
        const kim_coverage *c = &s->m->gaps[i]->coverage;
        if (!kim_text_is(c->part, not_this_part) && is_touched(s, s->m->gaps[i]))
            t = term_or(s->ev->scratch, t, term_of(s->ev->scratch, TERM_UNREAD, kim_text_format(s->ev->scratch, "%.*s of %.*s: %.*s",
                        KIM_PRINT(c->part), KIM_PRINT(s->m->gaps[i]->scope), KIM_PRINT(c->why))));
    }
    return t;
}

/* ---- the answer ---- */

static const term *any_of(azure_state *s, const char *layer)
{
    const term *any = &term_false;
    for (size_t i = 0; i < s->say_count && any != &term_true; i++)
        if (s->says[i].layer[0] == layer[0])
            any = term_or(s->ev->scratch, any, s->says[i].when);
    return any;
}

/* Names the says of a layer; certain: those alone that hold surely, or all where none does. */
static void explain(azure_state *s, answer *out, const char *layer, bool certain)
{
    evaluator *ev = s->ev;
    bool some = false;
    for (size_t i = 0; i < s->say_count && !some; i++)
        some = s->says[i].layer[0] == layer[0] && s->says[i].when == &term_true;
    for (size_t i = 0; i < s->say_count && out->because_count < BECAUSE_MAX; i++) {
        const azure_say *one = &s->says[i];
        if (one->layer[0] != layer[0] || (certain && some && one->when != &term_true))
            continue;
        ev->reasons[out->because_count++] = (because){
            .layer = kim_text_of(one->layer), .policy = one->assignment->role ? one->assignment->role->label : one->assignment->source->policy,
            .statement = one->permission ? one->permission->name : KIM_NO_TEXT,
            .source = one->permission ? one->permission->source : NULL, .attachment = one->assignment->source};
    }
}

static void conclude(azure_state *s, const term *granted, const term *denied, answer *out)
{
    evaluator *ev = s->ev;
    const term *t = denied == &term_true ? &term_false : term_and(ev->scratch, granted, term_not(ev->scratch, denied));
    answer_from_term(ev, t, out);
    out->because = ev->reasons;
    out->because_count = 0;
    if (out->verdict == ALLOWED) {
        explain(s, out, "assignment", true);
    } else if (out->verdict != DENIED) {
        explain(s, out, "assignment", false);
        explain(s, out, "deny", false);
    } else if (denied == &term_true || granted != &term_false) {
        out->reason = EXPLICIT_DENY;
        explain(s, out, "deny", true);
    } else if (any_of(s, "eligible") != &term_false) {
        out->reason = ELIGIBLE_ONLY;
        explain(s, out, "eligible", true);
    }
}

int azure_decide(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    azure_state *s = engine_state(&azure_engine, ev, err);
    if (s == NULL)
        return -1;
    kim_text lower = kim_text_lower(ev->scratch, q->action);
    azure_universe universe = azure_universe_of(lower, q->data);
    bool good = !kim_text_is_absent(lower) && azure_begin(s, ev, q, universe);
    s->action = good ? azure_action_of(s, lower, universe) : NULL;
    if (s->action == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    weigh_grants(s);
    weigh_denies(s);
    const term *granted = any_of(s, "assignment"), *denied = any_of(s, "deny");
    if (s->m->gap_count) {
        granted = granted == &term_true ? granted : term_or(ev->scratch, granted, gaps(s, "deny_assignments"));
        denied = denied == &term_true ? denied : term_or(ev->scratch, denied, gaps(s, "role_assignments"));
    }
    if (granted == NULL || denied == NULL || s->failed || kim_arena_is_full(ev->scratch))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    conclude(s, granted, denied, out);
    return kim_arena_is_full(ev->scratch) ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision") : 0;
}

/* ---- the engine ---- */

static void *compile(estate *es, kim_error *err)
{
    return azure_model_new(es, err);
}

static kim_text first_unread(const void *compiled)
{
    return ((const azure_model *)compiled)->first_unread;
}

const engine azure_engine = {
    .provider = "azure",
    .scope_prefix = "azure:",
    .owns = azure_owns,
    .compile = compile,
    .forget = azure_model_free,
    .state_new = azure_state_new,
    .state_free = azure_state_free,
    .decide = azure_decide,
    .who_can = azure_who_can,
    .what_can = azure_what_can,
    .first_unread = first_unread,
    .compare = azure_compare,
    .expand = azure_expand,
};
