/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_compare.c - looks for a request that one of two documents lets pass and the other does not; what a role names.
 *
 * Two roles are two sets. Two deny policies tell few kinds of requests apart: each principal and permission that
 * they name, one that they do not, and for each group, and each tag that a condition asks for, whether it is so.
 * A rule is evaluated and asks as it goes; whatever was asked is answered in every way. So what is found was
 * evaluated, and that nothing is found is exact.
 */
#include <stdlib.h>

#include "controller/evaluate/gcp.h"
#include "controller/evaluate/name_list.h"

enum { SEARCH_MAX_STEPS = 500000, QUESTIONS_MAX = 256, TAGS_MAX = 64, REFUSED_MAX = 16 };

#define WITNESS_PLACE "//cloudresourcemanager.googleapis.com/projects/p"

typedef enum says { SAYS_NO, SAYS_YES, SAYS_PERHAPS } says;

static int no_memory(kim_error *err)
{
    return kim_fail(err, KIM_ERR_NOMEM, "no memory to compare documents");
}

/* The statements of one of the documents, in order. */
typedef struct document {
    const kim_policy *policy;
    const kim_statement **items; /* [count] */
    size_t count;
} document;

static int find_document(estate *es, const char *id, kim_arena *arena, document *out)
{
    size_t count;
    const kim_record *r = estate_find(es, KIM_POLICY, kim_text_of(id)), *items = estate_records(es, KIM_STATEMENT, &count);
    *out = (document){.policy = r ? &r->policy : NULL, .items = (const kim_statement **)kim_arena_array(arena, count + 1, sizeof *out->items)};
    for (size_t i = 0; out->items && i < count; i++)
        if (kim_text_is(items[i].statement.policy, id))
            out->items[out->count++] = &items[i].statement;
    return out->items ? 0 : -1;
}

static void write_text(kim_json_writer *writer, const char *name, kim_text value)
{
    kim_json_key(writer, name);
    kim_json_put_text(writer, value);
}

static void write_side(kim_json_writer *writer, const char *name, says found)
{
    kim_json_key(writer, name);
    if (found == SAYS_PERHAPS)
        kim_json_put_string(writer, "unknown");
    else
        kim_json_put_bool(writer, found == SAYS_YES);
}

/* ---- roles ---- */

static int permissions_of(const document *d, kim_arena *arena, name_list *out)
{
    *out = (name_list){.arena = arena};
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->items[i]->actions.count; k++) {
            kim_text name = gcp_permission_name(d->items[i]->actions.items[k], arena);
            if (kim_text_is_absent(name))
                return -1;
            name_list_add(out, name);
        }
    name_list_settle(out);
    return out->failed ? -1 : 0;
}

/* The first of a's that is none of b's; both are sorted. Absent: there is none. */
static kim_text first_beyond(const name_list *a, const name_list *b)
{
    size_t k = 0;
    for (size_t i = 0; i < a->count; i++) {
        while (k < b->count && kim_text_compare(b->items[k], a->items[i]) < 0)
            k++;
        if (k == b->count || !kim_text_equal(b->items[k], a->items[i]))
            return a->items[i];
    }
    return KIM_NO_TEXT;
}

static void write_request(kim_json_writer *writer, const char *only, kim_text principal, kim_text permission)
{
    write_text(writer, "only", kim_text_of(only));
    kim_json_key(writer, "request");
    kim_json_begin_object(writer);
    write_text(writer, "principal", principal);
    write_text(writer, "permission", permission);
    write_text(writer, "resource", KIM_TEXT(WITNESS_PLACE));
    kim_json_key(writer, "context");
    kim_json_begin_object(writer);
    kim_json_end_object(writer);
    kim_json_end_object(writer);
}

static void write_role_witness(kim_json_writer *writer, const char *only, kim_text permission)
{
    if (kim_text_is_absent(permission))
        return;
    kim_json_begin_object(writer);
    write_request(writer, only, KIM_TEXT("user:somebody@example.com"), permission);
    kim_json_end_object(writer);
}

static int compare_roles(const document sides[2], kim_arena *arena, kim_json_writer *writer, kim_error *err)
{
    name_list names[2];
    for (int i = 0; i < 2; i++)
        if (sides[i].policy && sides[i].policy->unread.size) {
            write_side(writer, "new_access", SAYS_PERHAPS);
            write_side(writer, "lost_access", SAYS_PERHAPS);
            write_text(writer, "why", kim_text_format(arena, "the %s lists no includedPermissions", i ? "candidate" : "reference"));
            return 0;
        }
    if (permissions_of(&sides[0], arena, &names[0]) < 0 || permissions_of(&sides[1], arena, &names[1]) < 0)
        return no_memory(err);
    kim_text gained = first_beyond(&names[1], &names[0]), lost = first_beyond(&names[0], &names[1]);
    write_side(writer, "new_access", kim_text_is_absent(gained) ? SAYS_NO : SAYS_YES);
    write_side(writer, "lost_access", kim_text_is_absent(lost) ? SAYS_NO : SAYS_YES);
    kim_json_key(writer, "because");
    kim_json_begin_array(writer);
    write_role_witness(writer, "candidate", gained);
    write_role_witness(writer, "reference", lost);
    kim_json_end_array(writer);
    return 0;
}

/* ---- deny policies: what they tell apart ---- */

typedef struct deny_rule {
    gcp_pattern *denied, *spared;
    size_t denied_count, spared_count;
    gcp_member *principals, *exceptions;
    size_t principal_count, exception_count;
    const gcp_condition *condition;
} deny_rule;

typedef struct deny_document {
    deny_rule *rules; /* [count] */
    size_t count;
} deny_document;

/* A tag as far as the questions so far have settled it. */
typedef struct tag_state {
    kim_text key, value;          /* value absent: not settled */
    enum { PERHAPS_THERE, IS_THERE, IS_NOT } there;
    kim_text refused[REFUSED_MAX];
    size_t refused_count;
} tag_state;

typedef struct comparison {
    kim_arena *arena, *scratch;
    deny_document sides[2];
    name_list principals, permissions;
    name_list sets;               /* those that may hold somebody without saying so in their name */
    bool is_complete;             /* nothing was left out */
    size_t steps;
    gcp_request rq;
    /* the request at hand */
    gcp_member asker;
    kim_text permission;
    /* the answers to what was asked about it: replayed up to `settled`, then the first of each */
    bool answers[QUESTIONS_MAX];
    size_t settled, asked;
    kim_text set_ids[QUESTIONS_MAX];
    bool set_holds[QUESTIONS_MAX];
    size_t set_count;
    tag_state tags[TAGS_MAX];
    size_t tag_count;
} comparison;

/* Yes first; the search turns the last answer that is not turned yet. */
static bool ask(comparison *c)
{
    if (c->asked == QUESTIONS_MAX) {
        c->is_complete = false;
        return false;
    }
    if (c->asked >= c->settled) {
        c->answers[c->asked] = true;
        c->settled = c->asked + 1;
    }
    return c->answers[c->asked++];
}

static bool next_answers(comparison *c)
{
    size_t last = c->asked < c->settled ? c->asked : c->settled;
    while (last > 0 && !c->answers[last - 1])
        last--;
    if (last == 0)
        return false;
    c->answers[last - 1] = false;
    c->settled = last;
    return true;
}

static tag_state *tag_of(comparison *c, kim_text key)
{
    for (size_t i = 0; i < c->tag_count; i++)
        if (kim_text_equal(c->tags[i].key, key))
            return &c->tags[i];
    if (c->tag_count == TAGS_MAX)
        return NULL;
    c->tags[c->tag_count] = (tag_state){.key = key};
    return &c->tags[c->tag_count++];
}

static bool has_tag(void *from, kim_text key, kim_text value)
{
    comparison *c = from;
    tag_state *t = tag_of(c, kim_text_copy(c->scratch, key));
    if (t == NULL) {
        c->is_complete = false;
        return false;
    }
    if (kim_text_is_absent(value)) {
        if (t->there == PERHAPS_THERE)
            t->there = ask(c) ? IS_THERE : IS_NOT;
        return t->there == IS_THERE;
    }
    if (!kim_text_is_absent(t->value) || t->there == IS_NOT)
        return kim_text_equal(t->value, value) && !kim_text_is_absent(t->value);
    for (size_t i = 0; i < t->refused_count; i++)
        if (kim_text_equal(t->refused[i], value))
            return false;
    if (ask(c)) {
        t->value = kim_text_copy(c->scratch, value);
        t->there = IS_THERE;
        return true;
    }
    if (t->refused_count == REFUSED_MAX)
        c->is_complete = false;
    else
        t->refused[t->refused_count++] = kim_text_copy(c->scratch, value);
    return false;
}

/* Does its name settle that the set holds, or lacks, the asker? 1, 0, or -1: it may be either. */
static int settled_by_name(const comparison *c, const gcp_member *set, const gcp_member *m)
{
    kim_text ids[GCP_IMPLIED_MAX];
    if (set->kind == GCP_DELETED)
        return 0;
    if (set->kind == GCP_EVERYONE || kim_text_equal(set->id, m->id))
        return 1;
    size_t count = gcp_member_implied(m, ids, c->scratch);
    for (size_t i = 0; i < count; i++)
        if (kim_text_equal(gcp_member_read(ids[i], c->scratch).id, set->id))
            return 1;
    if (m->kind == GCP_EVERYONE)
        return 0;
    switch (set->kind) {
    case GCP_GROUP_OF: case GCP_HOLDERS: case GCP_PRINCIPALS_OF:
        return -1;
    case GCP_CUSTOMER:
        return m->kind == GCP_USER ? -1 : 0;
    case GCP_POOL_PART: /* a namespace stands in the name, and was among the implied */
        return m->pool.size && kim_text_equal(m->pool, set->pool) && !kim_text_starts_with(set->subject, KIM_TEXT("namespace/")) ? -1 : 0;
    case GCP_ACCOUNTS_OF: case GCP_AGENTS_OF:
        return m->kind == GCP_SERVICE_ACCOUNT && gcp_account_is_agent(m->subject) == (set->kind == GCP_AGENTS_OF) ? -1 : 0;
    case GCP_OTHER:
        return kim_text_starts_with(set->id, KIM_TEXT("principalSet://")) ? -1 : 0;
    default:
        return 0;
    }
}

static bool holds(comparison *c, const gcp_member *set)
{
    int named = settled_by_name(c, set, &c->asker);
    if (named >= 0)
        return named;
    for (size_t i = 0; i < c->set_count; i++)
        if (kim_text_equal(c->set_ids[i], set->id))
            return c->set_holds[i];
    bool yes = ask(c);
    if (c->set_count < QUESTIONS_MAX) {
        c->set_ids[c->set_count] = set->id;
        c->set_holds[c->set_count++] = yes;
    }
    return yes;
}

static bool holds_any(comparison *c, const gcp_member *sets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (holds(c, &sets[i]))
            return true;
    return false;
}

static bool covers_any(const gcp_pattern *patterns, size_t count, kim_text permission)
{
    for (size_t i = 0; i < count; i++)
        if (gcp_pattern_covers(&patterns[i], permission))
            return true;
    return false;
}

static bool denies(comparison *c, const deny_document *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const deny_rule *one = &d->rules[i];
        if (!covers_any(one->denied, one->denied_count, c->permission) || covers_any(one->spared, one->spared_count, c->permission) ||
            !holds_any(c, one->principals, one->principal_count) || holds_any(c, one->exceptions, one->exception_count))
            continue;
        const term *when = one->condition ? gcp_condition_holds(one->condition, GCP_DENIES, &c->rq) : &term_true;
        if (when == NULL || when->kind == TERM_UNREAD)
            c->is_complete = false;
        else if (when->kind == TERM_TRUE)
            return true;
    }
    return false;
}

/* Some way to answer, in which the one denies the request at hand and the other does not. */
static bool finds_one(comparison *c, const deny_document *strict, const deny_document *lax)
{
    c->settled = 0;
    do {
        kim_arena_reset(c->scratch);
        c->asked = c->set_count = c->tag_count = 0;
        if (++c->steps > SEARCH_MAX_STEPS) {
            c->is_complete = false;
            return false;
        }
        if (denies(c, strict) && !denies(c, lax))
            return true;
    } while (next_answers(c));
    return false;
}

/* only_candidate: what the reference denies and the candidate does not. */
static says find(comparison *c, bool only_candidate)
{
    const deny_document *strict = &c->sides[only_candidate ? 0 : 1], *lax = &c->sides[only_candidate ? 1 : 0];
    c->is_complete = true;
    c->steps = 0;
    for (size_t p = 0; p < c->principals.count; p++) {
        c->asker = gcp_member_read(c->principals.items[p], c->arena);
        for (size_t k = 0; k < c->permissions.count && c->steps <= SEARCH_MAX_STEPS; k++) {
            c->permission = c->permissions.items[k];
            if (finds_one(c, strict, lax))
                return SAYS_YES;
        }
    }
    return c->is_complete ? SAYS_NO : SAYS_PERHAPS;
}

/* ---- deny policies: samples ---- */

static gcp_pattern *read_patterns(kim_arena *arena, kim_texts texts)
{
    gcp_pattern *patterns = KIM_NEW_ARRAY(arena, gcp_pattern, texts.count + 1);
    for (size_t i = 0; patterns && i < texts.count; i++)
        patterns[i] = gcp_pattern_read(texts.items[i]);
    return patterns;
}

static gcp_member *read_members(kim_arena *arena, kim_texts texts)
{
    gcp_member *members = KIM_NEW_ARRAY(arena, gcp_member, texts.count + 1);
    for (size_t i = 0; members && i < texts.count; i++)
        members[i] = gcp_member_read(texts.items[i], arena);
    return members;
}

static int read_deny(comparison *c, const document *from, deny_document *out)
{
    out->rules = KIM_NEW_ARRAY(c->arena, deny_rule, from->count + 1);
    out->count = out->rules ? from->count : 0;
    for (size_t i = 0; i < out->count; i++) {
        const kim_statement *s = from->items[i];
        deny_rule *one = &out->rules[i];
        *one = (deny_rule){.denied = read_patterns(c->arena, s->actions), .denied_count = s->actions.count,
                           .spared = read_patterns(c->arena, s->not_actions), .spared_count = s->not_actions.count,
                           .principals = read_members(c->arena, s->subjects), .principal_count = s->subjects.count,
                           .exceptions = read_members(c->arena, s->not_subjects), .exception_count = s->not_subjects.count};
        if (!kim_text_is_absent(s->condition.text))
            one->condition = gcp_condition_read(s->condition, true, c->arena);
    }
    return out->rules && !kim_arena_is_full(c->arena) ? 0 : -1;
}

/* Someone whom the member's name holds, and nobody else names. */
static kim_text somebody_of(comparison *c, const gcp_member *m)
{
    kim_text namespace = kim_text_starts_with(m->subject, KIM_TEXT("namespace/")) ? (kim_text){m->subject.bytes + 10, m->subject.size - 10} : KIM_NO_TEXT;
    switch (m->kind) {
    case GCP_USER: case GCP_SERVICE_ACCOUNT: case GCP_FEDERATED:
        return m->id;
    case GCP_DOMAIN:
        return kim_text_format(c->arena, "user:somebody@%.*s", KIM_PRINT(m->subject));
    case GCP_POOL: case GCP_POOL_PART:
        if (namespace.size)
            return kim_text_format(c->arena, "principal://%.*s/subject/ns/%.*s/sa/somebody", KIM_PRINT(m->pool), KIM_PRINT(namespace));
        return kim_text_format(c->arena, "principal://%.*s/subject/somebody", KIM_PRINT(m->pool));
    default:
        return KIM_NO_TEXT;
    }
}

static void sample_principals(comparison *c)
{
    static const char *const anyone[] = {"user:somebody@example.com", "serviceAccount:some-service@some-project.iam.gserviceaccount.com",
                                         "serviceAccount:service-1@gcp-sa-some.iam.gserviceaccount.com", "allUsers",
                                         "principal://iam.googleapis.com/locations/global/workforcePools/some-pool/subject/somebody"};
    for (size_t i = 0; i < sizeof anyone / sizeof *anyone; i++)
        name_list_add(&c->principals, kim_text_of(anyone[i]));
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < c->sides[side].count; i++) {
            const deny_rule *one = &c->sides[side].rules[i];
            for (size_t k = 0; k < one->principal_count + one->exception_count; k++) {
                const gcp_member *m = k < one->principal_count ? &one->principals[k] : &one->exceptions[k - one->principal_count];
                kim_text somebody = somebody_of(c, m);
                if (somebody.size)
                    name_list_add(&c->principals, somebody);
                if (gcp_member_is_set(m) && m->kind != GCP_EVERYONE && m->kind != GCP_AUTHENTICATED)
                    name_list_add(&c->sets, m->id);
            }
        }
    name_list_settle(&c->principals);
    name_list_settle(&c->sets);
}

static kim_text before(kim_text text, char byte)
{
    const char *at = text.size ? memchr(text.bytes, byte, text.size) : NULL;
    return at ? (kim_text){text.bytes, (size_t)(at - text.bytes)} : KIM_NO_TEXT;
}

/* Services, and what of each is named. */
typedef struct services {
    name_list names;           /* as patterns write them, with '/' or '.' behind */
    name_list resources, verbs; /* of all of them */
} services;

static void note_pattern(comparison *c, services *s, const gcp_pattern *p)
{
    if (p->kind == GCP_GLOB)
        c->is_complete = false;
    if (p->kind == GCP_GROUP) {
        name_list_add(&s->names, kim_text_format(c->arena, "%.*s%c", KIM_PRINT(p->service), p->full ? '/' : '.'));
        if (p->resource.size)
            name_list_add(&s->resources, p->resource);
        if (p->verb.size)
            name_list_add(&s->verbs, p->verb);
        return;
    }
    kim_text rest = {p->text.bytes + p->service.size + 1, p->text.size > p->service.size ? p->text.size - p->service.size - 1 : 0};
    kim_text resource = before(rest, '.');
    name_list_add(&c->permissions, gcp_permission_name(p->text, c->arena));
    if (resource.size) {
        name_list_add(&s->resources, resource);
        name_list_add(&s->verbs, (kim_text){rest.bytes + resource.size + 1, rest.size - resource.size - 1});
    }
}

/* What is named, and of each service with a group one of every kind that the names tell apart. */
static bool sample_permissions(comparison *c)
{
    enum { PERMISSIONS_MAX = 20000 };
    services s = {.names = {.arena = c->arena}, .resources = {.arena = c->arena}, .verbs = {.arena = c->arena}};
    c->is_complete = true;
    name_list_add(&s.resources, KIM_TEXT("others"));
    name_list_add(&s.verbs, KIM_TEXT("other"));
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < c->sides[side].count; i++) {
            const deny_rule *one = &c->sides[side].rules[i];
            for (size_t k = 0; k < one->denied_count; k++)
                note_pattern(c, &s, &one->denied[k]);
            for (size_t k = 0; k < one->spared_count; k++)
                note_pattern(c, &s, &one->spared[k]);
        }
    name_list_settle(&s.names);
    name_list_settle(&s.resources);
    name_list_settle(&s.verbs);
    if (s.names.count * s.resources.count * s.verbs.count > PERMISSIONS_MAX)
        return false;
    for (size_t n = 0; n < s.names.count; n++)
        for (size_t r = 0; r < s.resources.count; r++)
            for (size_t v = 0; v < s.verbs.count; v++) {
                kim_text full = kim_text_format(c->arena, "%.*s%.*s.%.*s", KIM_PRINT(s.names.items[n]), KIM_PRINT(s.resources.items[r]), KIM_PRINT(s.verbs.items[v]));
                name_list_add(&c->permissions, gcp_permission_name(full, c->arena));
            }
    name_list_settle(&c->permissions);
    return c->is_complete;
}

/* ---- deny policies: the answer ---- */

/* What the request alone does not say: who is in which group, and which tags the resource has. */
static void write_world(comparison *c, kim_json_writer *writer)
{
    kim_json_key(writer, "groups");
    kim_json_begin_object(writer);
    for (size_t i = 0; i < c->sets.count; i++) {
        gcp_member set = gcp_member_read(c->sets.items[i], c->scratch);
        if (settled_by_name(c, &set, &c->asker) >= 0)
            continue;
        bool holds_asker = false;
        for (size_t k = 0; k < c->set_count; k++)
            holds_asker |= c->set_holds[k] && kim_text_equal(c->set_ids[k], set.id);
        kim_json_key_text(writer, set.id);
        kim_json_begin_array(writer);
        if (holds_asker)
            kim_json_put_text(writer, c->asker.id);
        kim_json_end_array(writer);
    }
    kim_json_end_object(writer);
    kim_json_key(writer, "tags");
    kim_json_begin_object(writer);
    for (size_t i = 0; i < c->tag_count; i++)
        if (c->tags[i].there == IS_THERE) {
            kim_json_key_text(writer, c->tags[i].key);
            kim_json_put_text(writer, kim_text_is_absent(c->tags[i].value) ? KIM_TEXT("some other value") : c->tags[i].value);
        }
    kim_json_end_object(writer);
}

static says find_and_write(comparison *c, bool only_candidate, kim_json_writer *witnesses)
{
    says found = find(c, only_candidate);
    if (found != SAYS_YES)
        return found;
    kim_json_begin_object(witnesses);
    write_request(witnesses, only_candidate ? "candidate" : "reference", c->asker.id, c->permission);
    write_world(c, witnesses);
    kim_json_end_object(witnesses);
    return found;
}

static int write_witnesses(kim_json_writer *witnesses, kim_arena *arena, kim_json_writer *writer, kim_error *err)
{
    size_t size;
    const char *bytes = kim_json_writer_bytes(witnesses, &size, err);
    const kim_json *list = bytes ? kim_json_parse(bytes, size, "because", arena, err) : NULL;
    if (list == NULL)
        return -1;
    kim_json_key(writer, "because");
    kim_json_put_json(writer, list);
    return 0;
}

static int compare_denies(const document sides[2], kim_arena *arena, kim_json_writer *writer, kim_error *err)
{
    static const question nothing;
    comparison *c = KIM_NEW(arena, comparison);
    kim_json_writer *witnesses = kim_json_writer_new(false); /* written before it is known what comes first */
    kim_arena *scratch = kim_arena_new(SIZE_MAX);
    int result = -1;
    if (c && witnesses && scratch) {
        *c = (comparison){.arena = arena, .scratch = scratch, .principals = {.arena = arena}, .permissions = {.arena = arena}, .sets = {.arena = arena}};
        c->rq = (gcp_request){.q = &nothing, .asker = &c->asker, .is_complete = true, .scratch = scratch, .tag = has_tag, .from = c};
        if (read_deny(c, &sides[0], &c->sides[0]) == 0 && read_deny(c, &sides[1], &c->sides[1]) == 0) {
            sample_principals(c);
            bool all_sampled = sample_permissions(c);
            kim_json_begin_array(witnesses);
            says gained = find_and_write(c, true, witnesses), lost = find_and_write(c, false, witnesses);
            kim_json_end_array(witnesses);
            gained = gained == SAYS_NO && !all_sampled ? SAYS_PERHAPS : gained;
            lost = lost == SAYS_NO && !all_sampled ? SAYS_PERHAPS : lost;
            write_side(writer, "new_access", gained);
            write_side(writer, "lost_access", lost);
            result = kim_arena_is_full(arena) ? -1 : write_witnesses(witnesses, arena, writer, err);
            if (gained == SAYS_PERHAPS || lost == SAYS_PERHAPS)
                write_text(writer, "why", KIM_TEXT("the documents tell more kinds of requests apart than were tried, or hold what cannot be read"));
        }
    }
    kim_json_writer_free(witnesses);
    kim_arena_free(scratch);
    return result < 0 ? no_memory(err) : 0;
}

/* ---- what a case asks ---- */

static int check(const void *compiled, kim_error *err)
{
    kim_text unread = compiled ? ((const gcp_rules *)compiled)->first_unread : KIM_NO_TEXT;
    return kim_text_is_absent(unread) ? 0 : kim_fail(err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(unread));
}

int gcp_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    kim_text type = kim_json_text_of(kim_json_get(line, "compare"), "type");
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    document sides[2];
    int result = -1;
    if (arena == NULL || find_document(es, "reference", arena, &sides[0]) < 0 || find_document(es, "candidate", arena, &sides[1]) < 0)
        no_memory(err);
    else if (kim_text_is(type, "role"))
        result = compare_roles(sides, arena, writer, err);
    else
        result = compare_denies(sides, arena, writer, err);
    kim_arena_free(arena);
    return result;
}

int gcp_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    const gcp_rules *r = engine_compiled(&gcp_engine, es, err);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    name_list names = {.arena = arena};
    document own;
    (void)line; /* its document is among the estate's */
    int result = r && arena && find_document(es, "document", arena, &own) == 0 ? check(r, err) : -1;
    if (result == 0 && own.policy && own.policy->unread.size)
        result = kim_fail(err, KIM_ERR_INPUT, "expand: %.*s", KIM_PRINT(own.policy->unread));
    for (uint32_t i = 0; result == 0 && i < text_map_count(r->role_names); i++) {
        if (r->roles[i].permissions == NULL)
            result = kim_fail(err, KIM_ERR_INPUT, "expand: %.*s; write it into \"roles\"", KIM_PRINT(r->roles[i].unread));
        for (uint32_t p = 0; result == 0 && p < text_map_count(r->permissions); p++)
            if (gcp_bit(r->roles[i].permissions, p))
                name_list_add(&names, text_map_text(r->permissions, p));
    }
    for (size_t i = 0; result == 0 && i < own.count; i++)
        for (size_t k = 0; k < own.items[i]->actions.count; k++)
            name_list_add(&names, gcp_permission_name(own.items[i]->actions.items[k], arena));
    name_list_settle(&names);
    if (result == 0 && names.failed)
        result = no_memory(err);
    if (result == 0) {
        kim_json_key(writer, "actions");
        kim_json_put_texts(writer, (kim_texts){names.items ? names.items : (kim_text[]){{"", 0}}, names.count});
    }
    kim_arena_free(arena);
    return result < 0 && err && err->code == KIM_OK ? no_memory(err) : result;
}
