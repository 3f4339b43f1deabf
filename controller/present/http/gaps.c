/* SPDX-License-Identifier: Apache-2.0
 *
 * gaps.c - granted against used, what is wrong with it, and the policy that would mend it.
 *
 * Usage comes from the store one identity after another, so a walk needs memory for one of them only.
 * The window ends where the log does (an archive may be old), or now where there is no log.
 */
#include <stdlib.h>

#include "controller/analyse/analyse.h"
#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, DAYS_DEFAULT = 90, DAYS_MAX = 3660, PROPOSALS_DEFAULT = 20 };

/* One request's walk: an analyst, and the usage of the identity at hand. */
typedef struct walk {
    request *rq;
    estate *es;
    analyst *a;
    window over;
    store_usage_filter filter;
    int64_t days;
    kim_arena *held;  /* texts of `used` */
    kim_text identity;
    used *items;
    size_t count, capacity;
    int (*each)(struct walk *w, kim_error *err); /* the identity's usage is complete */
    void *user;
} walk;

/* ---- the window ---- */

static int start(walk *w, request *rq, kim_error *err)
{
    *w = (walk){.rq = rq};
    if (request_number(rq, "days", 1, DAYS_MAX, DAYS_DEFAULT, &w->days, err) < 0)
        return -1;
    w->es = request_estate(rq, err);
    if (w->es == NULL || request_name_identity(rq, w->es, err) < 0)
        return -1;
    w->over.to_unix_ms = request_usage_end_unix_ms(rq, w->es);
    w->over.from_unix_ms = w->over.to_unix_ms - w->days * DAY_MS;
    w->filter = (store_usage_filter){.from_day = w->over.from_unix_ms / DAY_MS, .to_day = w->over.to_unix_ms / DAY_MS,
                                     .identity = request_param(rq, "identity")};
    w->held = kim_arena_new(SIZE_MAX);
    if (w->held == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for an identity's usage");
    w->a = analyst_new(w->es, w->over, err);
    return w->a != NULL ? 0 : -1;
}

static void stop(walk *w)
{
    analyst_free(w->a);
    kim_arena_free(w->held);
    estate_release(w->es);
    free(w->items);
}

/* ---- usage, identity by identity ---- */

static int turn_over(walk *w, kim_error *err)
{
    int result = kim_text_is_absent(w->identity) ? 0 : w->each(w, err);
    w->count = 0;
    w->identity = KIM_NO_TEXT;
    kim_arena_reset(w->held);
    return result;
}

static int take_total(void *context, const store_usage_total *total, kim_error *err)
{
    walk *w = context;
    if (!kim_text_equal(w->identity, total->identity)) {
        int result = turn_over(w, err);
        if (result)
            return result;
        w->identity = kim_text_copy(w->held, total->identity);
    }
    if (total->outcome != KIM_SUCCESS)
        return 0; /* what was refused or failed is not a need */
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 256;
        used *items = realloc(w->items, capacity * sizeof *items);
        if (items == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for an identity's usage");
        w->items = items;
        w->capacity = capacity;
    }
    w->items[w->count++] = (used){kim_text_copy(w->held, total->action), kim_text_copy(w->held, total->resource),
                                  total->widened, total->count, total->last_unix_ms};
    return kim_arena_is_full(w->held) ? kim_fail(err, KIM_ERR_NOMEM, "no memory for an identity's usage") : 0;
}

static int walk_usage(walk *w, kim_error *err)
{
    if (w->rq->store == NULL)
        return 0;
    int result = store_usage_totals(w->rq->store, &w->filter, take_total, w, err);
    return result ? result : turn_over(w, err);
}

static void write_window(const walk *w, kim_json_writer *to)
{
    kim_json_key(to, "window");
    kim_json_begin_object(to);
    put_int(to, "days", w->days);
    put_int(to, "from_unix_ms", w->over.from_unix_ms);
    put_int(to, "to_unix_ms", w->over.to_unix_ms);
    kim_json_end_object(to);
}

/* ---- gaps ---- */

typedef struct row {
    const kim_record *identity;
    gap gap;
    bool is_done;
} row;

typedef struct table {
    row *rows; /* [count] one an identity of the estate, in the order of ids */
    size_t count;
} table;

static size_t find_row(const table *t, kim_text id)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (kim_text_compare(t->rows[middle].identity->identity.id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->count && kim_text_equal(t->rows[low].identity->identity.id, id) ? low : t->count;
}

static int measure(walk *w, kim_error *err)
{
    table *t = w->user;
    size_t at = find_row(t, w->identity);
    if (at == t->count)
        return 0; /* someone who is no identity of this estate */
    t->rows[at].is_done = true;
    return analyst_gap(w->a, w->identity, w->items, w->count, &t->rows[at].gap, err);
}

/* Unused power first: what changes things weighs more than what reads them. */
static int64_t weight_of(const gap *g)
{
    enum { LIST, READ, WRITE, TAGGING, PERMISSIONS };
    return (int64_t)(g->unused_by_level[LIST] + g->unused_by_level[READ]) + 4 * (int64_t)g->unused_by_level[WRITE] +
           2 * (int64_t)g->unused_by_level[TAGGING] + 16 * (int64_t)g->unused_by_level[PERMISSIONS];
}

static int by_weight(const void *left, const void *right)
{
    const row *a = left, *b = right;
    int64_t x = weight_of(&a->gap), y = weight_of(&b->gap);
    return x != y ? (x > y ? -1 : 1) : kim_text_compare(a->identity->identity.id, b->identity->identity.id);
}

static bool is_wanted(const request *rq, const kim_record *r)
{
    kim_text identity = request_param(rq, "identity"), scope = request_param(rq, "scope"), kind = request_param(rq, "kind");
    const char *name = kim_enum_name("identity", "kind", r->identity.kind);
    return r->identity.kind != KIM_GROUP && evaluate_is_counted(r) && (kim_text_is_absent(identity) || kim_text_equal(identity, r->identity.id)) &&
           (kim_text_is_absent(scope) || kim_text_equal(scope, r->scope)) &&
           (kim_text_is_absent(kind) || (name && kim_text_is(kind, name)));
}

/* The gaps of all wanted identities, largest first. */
static int fill_table(walk *w, table *t, kim_error *err)
{
    size_t count;
    const kim_record *items = estate_records(w->es, KIM_IDENTITY, &count);
    t->rows = calloc(count + 1, sizeof *t->rows);
    if (t->rows == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for gaps");
    for (size_t i = 0; i < count; i++)
        if (is_wanted(w->rq, &items[i]))
            t->rows[t->count++].identity = &items[i];
    w->each = measure;
    w->user = t;
    if (walk_usage(w, err) < 0)
        return -1;
    for (size_t i = 0; i < t->count; i++)
        if (!t->rows[i].is_done && analyst_gap(w->a, t->rows[i].identity->identity.id, NULL, 0, &t->rows[i].gap, err) < 0)
            return -1;
    if (t->count)
        qsort(t->rows, t->count, sizeof *t->rows, by_weight);
    return 0;
}

static void write_gap(const row *r, kim_json_writer *to)
{
    static const char *const levels[ACTION_LEVELS] = {"list", "read", "write", "tagging", "permissions"};
    kim_json_begin_object(to);
    put_text(to, "identity", r->identity->identity.id);
    put_text(to, "scope", r->identity->scope);
    put_string(to, "kind", kim_enum_name("identity", "kind", r->identity->identity.kind));
    put_int(to, "granted", (int64_t)r->gap.granted);
    put_int(to, "used", (int64_t)r->gap.used);
    put_int(to, "unused", (int64_t)r->gap.unused);
    put_int(to, "conditional", (int64_t)r->gap.conditional);
    put_int(to, "unseen", (int64_t)r->gap.unseen);
    kim_json_key(to, "unused_by_level");
    kim_json_begin_object(to);
    for (int i = 0; i < ACTION_LEVELS; i++)
        put_int(to, levels[i], (int64_t)r->gap.unused_by_level[i]);
    kim_json_end_object(to);
    put_time(to, "last_used_unix_ms", r->gap.last_used_unix_ms);
    kim_json_end_object(to);
}

static int send_gaps(walk *w, const table *t, reply *rp, kim_error *err)
{
    int64_t limit;
    kim_json_writer *to = reply_writer(rp);
    if (request_number(w->rq, "limit", 1, 1000000, 1000, &limit, err) < 0)
        return -1;
    kim_json_begin_object(to);
    write_window(w, to);
    kim_json_end_object(to);
    if (reply_open_list(rp, "gaps", err) < 0)
        return -1;
    for (size_t i = 0; i < t->count && (int64_t)i < limit; i++) {
        if (t->rows[i].gap.unused == 0)
            continue;
        write_gap(&t->rows[i], reply_writer(rp));
        if (reply_item(rp, err) < 0)
            return -1;
    }
    return reply_close_list(rp, err);
}

int list_gaps(request *rq, reply *rp, kim_error *err)
{
    walk w;
    table t = {0};
    /* No group: it does nothing itself, so that it has no gap. */
    if (request_check_choice(rq, "kind", "human, service, workload, device, ai_agent, role, public", err) < 0)
        return -1;
    int result = start(&w, rq, err);
    if (result == 0)
        result = fill_table(&w, &t, err);
    if (result == 0)
        result = send_gaps(&w, &t, rp, err);
    free(t.rows);
    stop(&w);
    return result;
}

/* ---- findings ---- */

typedef struct names {
    kim_arena *arena;
    kim_text *items;
    size_t count, capacity;
} names;

static int take_name(void *context, const store_usage_summary *summary, kim_error *err)
{
    names *n = context;
    if (n->count == n->capacity) {
        size_t capacity = n->capacity ? n->capacity * 2 : 256;
        kim_text *items = realloc(n->items, capacity * sizeof *items);
        if (items == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for findings");
        n->items = items;
        n->capacity = capacity;
    }
    n->items[n->count++] = kim_text_copy(n->arena, summary->identity);
    return kim_arena_is_full(n->arena) ? kim_fail(err, KIM_ERR_NOMEM, "no memory for findings") : 0;
}

static int compare_texts(const void *a, const void *b)
{
    return kim_text_compare(*(const kim_text *)a, *(const kim_text *)b);
}

typedef struct finding_list {
    const request *rq;
    kim_error *err;
    kim_arena *arena;
    finding *items;
    size_t count, capacity;
} finding_list;

/* The parameter was not given, or is this. */
static bool is_asked_for(const request *rq, const char *name, kim_text value)
{
    kim_text wanted = request_param(rq, name);
    return kim_text_is_absent(wanted) || kim_text_equal(wanted, value);
}

static int take_finding(void *user, const finding *f)
{
    finding_list *list = user;
    if (!is_asked_for(list->rq, "identity", f->identity) || !is_asked_for(list->rq, "scope", f->scope) ||
        !is_asked_for(list->rq, "kind", kim_text_of(f->kind)))
        return 0;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        finding *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return kim_fail(list->err, KIM_ERR_NOMEM, "no memory for findings");
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count] = *f;
    list->items[list->count++].detail = kim_text_copy(list->arena, f->detail);
    return kim_arena_is_full(list->arena) ? kim_fail(list->err, KIM_ERR_NOMEM, "no memory for findings") : 0;
}

static int rank_of(const finding *f)
{
    return f->severity[0] == 'h' ? 0 : f->severity[0] == 'm' ? 1 : 2;
}

/* The gravest first. */
static int by_severity(const void *left, const void *right)
{
    const finding *a = left, *b = right;
    int order = rank_of(a) - rank_of(b);
    if (order == 0)
        order = kim_text_compare(a->identity, b->identity);
    return order ? order : strcmp(a->kind, b->kind);
}

static int send_finding(const finding *f, reply *rp, kim_error *err)
{
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_string(to, "kind", f->kind);
    put_string(to, "severity", f->severity);
    put_text(to, "identity", f->identity);
    put_text(to, "scope", f->scope);
    put_text(to, "detail", f->detail);
    kim_json_end_object(to);
    return reply_item(rp, err);
}

static int send_findings(walk *w, reply *rp, kim_error *err)
{
    names n = {.arena = w->held};
    finding_list list = {.rq = w->rq, .err = err, .arena = w->held};
    kim_json_writer *to = reply_writer(rp);
    int64_t limit;
    int result = request_number(w->rq, "limit", 1, 1000000, 1000, &limit, err);
    if (result == 0 && w->rq->store)
        result = store_usage_summaries(w->rq->store, &w->filter, take_name, &n, err);
    if (n.count)
        qsort(n.items, n.count, sizeof *n.items, compare_texts);
    if (result == 0)
        result = analyst_findings(w->a, n.items, n.count, take_finding, &list, err);
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, by_severity);
    if (result == 0) {
        kim_json_begin_object(to);
        write_window(w, to);
        kim_json_end_object(to);
        result = reply_open_list(rp, "findings", err);
    }
    for (size_t i = 0; result == 0 && i < list.count && (int64_t)i < limit; i++)
        result = send_finding(&list.items[i], rp, err);
    free(list.items);
    free(n.items);
    return result < 0 ? -1 : reply_close_list(rp, err);
}

int list_findings(request *rq, reply *rp, kim_error *err)
{
    walk w;
    if (request_check_choice(rq, "kind", "administrator, can_become_administrator, wildcard_grant, unused_identity, "
                                         "unused_credential, password_without_second_factor", err) < 0)
        return -1;
    int result = start(&w, rq, err);
    if (result == 0)
        result = send_findings(&w, rp, err);
    stop(&w);
    return result;
}

/* ---- proposals ---- */

static void write_condition(kim_text condition, kim_arena *arena, kim_json_writer *to)
{
    const kim_json *parsed = condition.size ? kim_json_parse(condition.bytes, condition.size, "condition", arena, NULL) : NULL;
    if (parsed) {
        kim_json_key(to, "Condition");
        kim_json_put_json(to, parsed);
    }
}

static void write_list(const char *name, kim_texts list, kim_json_writer *to)
{
    if (list.items == NULL)
        return;
    kim_json_key(to, name);
    kim_json_put_texts(to, list);
}

static void write_statement(const proposed_statement *s, kim_arena *arena, kim_json_writer *to)
{
    kim_json_begin_object(to);
    put_string(to, "Effect", s->denies ? "Deny" : "Allow");
    write_list("Action", s->actions, to);
    write_list("NotAction", s->not_actions, to);
    write_list("Resource", s->resources, to);
    write_list("NotResource", s->not_resources, to);
    write_condition(s->condition, arena, to);
    kim_json_end_object(to);
}

static void write_document(const proposal *p, kim_arena *arena, kim_json_writer *to)
{
    kim_json_key(to, "document");
    kim_json_begin_object(to);
    put_string(to, "Version", "2012-10-17");
    kim_json_key(to, "Statement");
    kim_json_begin_array(to);
    for (size_t i = 0; i < p->count; i++)
        write_statement(&p->statements[i], arena, to);
    kim_json_end_array(to);
    kim_json_end_object(to);
}

static void write_kept(const proposal *p, kim_json_writer *to)
{
    kim_json_key(to, "kept");
    kim_json_begin_array(to);
    for (size_t i = 0; i < p->kept_count; i++) {
        kim_json_begin_object(to);
        put_text(to, "action", p->kept[i].action);
        put_text(to, "resource", p->kept[i].resource);
        put_text(to, "reason", p->kept[i].reason);
        kim_json_end_object(to);
    }
    kim_json_end_array(to);
}

/* The parts of the scope's log that the window rests on. */
static void write_coverage(const walk *w, kim_text identity, kim_json_writer *to)
{
    const kim_record *known = estate_find(w->es, KIM_IDENTITY, identity);
    size_t count;
    const kim_record *items = estate_records(w->es, KIM_COVERAGE, &count);
    kim_json_key(to, "coverage");
    kim_json_begin_array(to);
    for (size_t i = 0; known && i < count; i++) {
        const kim_coverage *c = &items[i].coverage;
        if (!kim_text_equal(items[i].scope, known->scope) || !kim_text_starts_with(c->part, KIM_TEXT("log:")))
            continue;
        kim_json_begin_object(to);
        put_text(to, "part", c->part);
        put_string(to, "status", kim_enum_name("coverage", "status", c->status));
        put_text(to, "why", c->why);
        put_time(to, "from_unix_ms", c->from_unix_ms);
        put_time(to, "to_unix_ms", c->to_unix_ms);
        kim_json_end_object(to);
    }
    kim_json_end_array(to);
}

static double reduction_of(const proposal *p)
{
    return p->granted ? 1.0 - (double)p->proposed / (double)p->granted : 0.0;
}

static void write_proposal(const walk *w, const proposal *p, kim_arena *arena, kim_json_writer *to)
{
    kim_json_begin_object(to);
    put_text(to, "identity", p->identity);
    put_string(to, "provider", "aws");
    write_window(w, to);
    write_list("replaces", p->replaces, to);
    put_int(to, "granted", (int64_t)p->granted);
    put_int(to, "proposed", (int64_t)p->proposed);
    put_int(to, "conditional", (int64_t)p->conditional);
    kim_json_key(to, "reduction");
    kim_json_put_double(to, reduction_of(p));
    kim_json_key(to, "replay");
    kim_json_begin_object(to);
    put_int(to, "used", (int64_t)p->used_count);
    put_int(to, "still_allowed", (int64_t)p->still_allowed);
    put_bool(to, "new_access", p->new_access);
    put_int(to, "needless", (int64_t)p->needless);
    kim_json_end_object(to);
    write_kept(p, to);
    write_coverage(w, p->identity, to);
    write_document(p, arena, to);
    kim_json_end_object(to);
}

typedef struct proposals {
    reply *rp;
    double reductions;
    int64_t count, granted, conditional;
} proposals;

static int gather_usage(walk *w, kim_text identity, kim_error *err)
{
    w->filter.identity = identity;
    w->count = 0;
    w->identity = KIM_NO_TEXT;
    kim_arena_reset(w->held);
    return w->rq->store != NULL ? store_usage_totals(w->rq->store, &w->filter, take_total, w, err) : 0;
}

static int propose(walk *w, kim_text identity, proposals *all, kim_error *err)
{
    if (gather_usage(w, identity, err) != 0)
        return -1;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    if (arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a proposal");
    const proposal *p = analyst_propose(w->a, identity, w->items, w->count, arena, err);
    int result = -1;
    if (p != NULL) {
        write_proposal(w, p, arena, reply_writer(all->rp));
        all->count++;
        all->reductions += reduction_of(p);
        all->granted += (int64_t)p->proposed;
        all->conditional += (int64_t)p->conditional;
        result = reply_item(all->rp, err);
    }
    kim_arena_free(arena);
    return result;
}

static int propose_for_one(walk *w, kim_text identity, proposals *all, kim_error *err)
{
    const kim_record *known = estate_find(w->es, KIM_IDENTITY, identity);
    bool is_elsewhere = known != NULL && !is_asked_for(w->rq, "scope", known->scope);
    return is_elsewhere ? 0 : propose(w, identity, all, err);
}

/* Those for whom nothing can be proposed are passed over. */
static int propose_for_largest(walk *w, const table *t, int64_t limit, proposals *all, kim_error *err)
{
    for (size_t i = 0; i < t->count && all->count < limit; i++) {
        kim_error why;
        if (t->rows[i].gap.unused == 0 || propose(w, t->rows[i].identity->identity.id, all, &why) == 0 ||
            why.code == KIM_ERR_CONFLICT || why.code == KIM_ERR_NOT_FOUND)
            continue;
        *err = why;
        return -1;
    }
    return 0;
}

static int close_proposals(const proposals *all, kim_error *err)
{
    kim_json_writer *to = reply_writer(all->rp);
    kim_json_begin_object(to);
    kim_json_key(to, "mean_reduction");
    kim_json_put_double(to, all->count ? all->reductions / (double)all->count : 0);
    kim_json_key(to, "conditional_share");
    kim_json_put_double(to, all->granted ? (double)all->conditional / (double)all->granted : 0);
    kim_json_end_object(to);
    return reply_close_list(all->rp, err);
}

static int send_proposals(walk *w, const table *t, int64_t limit, reply *rp, kim_error *err)
{
    proposals all = {.rp = rp};
    kim_text only = request_param(w->rq, "identity");
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    write_window(w, to);
    kim_json_end_object(to);
    if (reply_open_list(rp, "proposals", err) < 0)
        return -1;
    int result = kim_text_is_absent(only) ? propose_for_largest(w, t, limit, &all, err) : propose_for_one(w, only, &all, err);
    return result < 0 ? -1 : close_proposals(&all, err);
}

int list_proposals(request *rq, reply *rp, kim_error *err)
{
    walk w;
    table t = {0};
    int64_t limit;
    int result = start(&w, rq, err);
    if (result == 0)
        result = request_number(rq, "limit", 1, 100000, PROPOSALS_DEFAULT, &limit, err);
    if (result == 0 && kim_text_is_absent(request_param(rq, "identity")))
        result = fill_table(&w, &t, err);
    if (result == 0)
        result = send_proposals(&w, &t, limit, rp, err);
    free(t.rows);
    stop(&w);
    return result;
}
