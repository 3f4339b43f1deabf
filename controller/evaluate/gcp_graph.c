/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_graph.c - edges are gathered, counted and laid out by node, once for each direction.
 */
#include "controller/evaluate/gcp_graph.h"

#include <stdlib.h>

#include "controller/evaluate/gcp.h"

typedef struct gcp_pending {
    uint32_t from;
    gcp_edge edge;
} gcp_pending;

/* ---- making ---- */

static uint32_t add_node(gcp_graph *g, const gcp_member *m)
{
    uint32_t number = text_map_add(g->ids, m->id);
    if (number == UINT32_MAX || number < g->count)
        return number;
    if (number == g->capacity) {
        uint32_t capacity = g->capacity ? g->capacity * 2 : 64;
        gcp_node *nodes = KIM_NEW_ARRAY(g->arena, gcp_node, capacity);
        if (nodes == NULL)
            return UINT32_MAX;
        if (g->count)
            memcpy(nodes, g->nodes, g->count * sizeof *nodes);
        g->nodes = nodes;
        g->capacity = capacity;
    }
    g->nodes[number] = (gcp_node){.member = *m};
    g->count = number + 1;
    return number;
}

int gcp_graph_join(gcp_graph *g, uint32_t from, uint32_t to, gcp_edge how)
{
    if (from == UINT32_MAX || to == UINT32_MAX)
        return -1;
    if (g->pending_count == g->pending_capacity) {
        size_t capacity = g->pending_capacity ? g->pending_capacity * 2 : 256;
        gcp_pending *grown = realloc(g->pending, capacity * sizeof *grown);
        if (grown == NULL)
            return -1;
        g->pending = grown;
        g->pending_capacity = capacity;
    }
    how.to = to;
    how.is_conditional = how.condition || how.hidden || (how.source && (how.source->starts_unix_ms || how.source->expires_unix_ms));
    g->pending[g->pending_count++] = (gcp_pending){from, how};
    return 0;
}

/* A node and those that follow from its name. */
uint32_t gcp_graph_add(gcp_graph *g, kim_text text)
{
    gcp_member m = gcp_member_read(text, g->arena);
    uint32_t before = g->count, number = kim_text_is_absent(m.id) ? UINT32_MAX : add_node(g, &m);
    if (number == UINT32_MAX || g->count == before)
        return number;
    kim_text ids[GCP_IMPLIED_MAX];
    size_t count = gcp_member_implied(&m, ids, g->arena);
    for (size_t i = 0; i < count; i++) {
        gcp_member set = gcp_member_read(ids[i], g->arena);
        if (set.kind == GCP_EVERYONE || set.kind == GCP_AUTHENTICATED)
            continue; /* these hold all */
        if (kim_text_is_absent(set.id) || gcp_graph_join(g, number, add_node(g, &set), (gcp_edge){0}) < 0)
            return UINT32_MAX;
    }
    return number;
}

int gcp_graph_begin(gcp_graph *g, estate *es, const gcp_tree *tree, kim_arena *arena)
{
    size_t count;
    *g = (gcp_graph){.arena = arena, .tree = tree, .ids = text_map_new(arena)};
    if (g->ids == NULL)
        return -1;
    if (gcp_graph_add(g, KIM_TEXT("allUsers")) != GCP_EVERYONE_NODE || gcp_graph_add(g, KIM_TEXT("allAuthenticatedUsers")) != GCP_AUTHENTICATED_NODE)
        return -1;
    const kim_record *items = estate_records(es, KIM_IDENTITY, &count);
    for (size_t i = 0; i < count; i++) {
        if (!engine_reads(&gcp_engine, items[i].scope))
            continue;
        uint32_t number = gcp_graph_add(g, items[i].identity.id);
        if (number == UINT32_MAX)
            return -1;
        gcp_node *n = &g->nodes[number];
        if (n->identity == NULL)
            n->identity = &items[i];
        n->is_listed |= kim_text_is(kim_pairs_get(items[i].identity.facts, "members"), "read");
    }
    items = estate_records(es, KIM_EDGE, &count);
    for (size_t i = 0; i < count; i++) {
        const kim_edge *e = &items[i].edge;
        if (!engine_reads(&gcp_engine, items[i].scope) || e->kind != KIM_MEMBER_OF || e->eligible)
            continue;
        uint32_t from = gcp_graph_add(g, e->from);
        if (gcp_graph_join(g, from, gcp_graph_add(g, e->to), (gcp_edge){.source = e}) < 0)
            return -1;
    }
    return 0;
}

/* Sets whose members only a list, or a look at the asker, can tell. */
static bool is_open(const gcp_node *n)
{
    const gcp_member *m = &n->member;
    if (n->is_listed)
        return false;
    switch (m->kind) {
    case GCP_GROUP_OF: case GCP_CUSTOMER: case GCP_HOLDERS: case GCP_ACCOUNTS_OF: case GCP_AGENTS_OF: case GCP_PRINCIPALS_OF:
        return true;
    case GCP_POOL_PART: /* the namespace of a Kubernetes service account stands in its name */
        return !kim_text_starts_with(m->pool, KIM_TEXT("gke/")) || !kim_text_starts_with(m->subject, KIM_TEXT("namespace/"));
    case GCP_OTHER:
        return kim_text_starts_with(m->id, KIM_TEXT("principalSet://")) || kim_text_starts_with(m->id, KIM_TEXT("//"));
    default:
        return false;
    }
}

static void mark_open(gcp_graph *g, uint32_t *queue)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++)
        if ((g->nodes[i].is_open = g->nodes[i].holds_open = is_open(&g->nodes[i])))
            queue[count++] = i;
    for (uint32_t next = 0; next < count; next++) {
        const gcp_node *n = &g->nodes[queue[next]];
        for (uint32_t i = 0; i < n->up_count; i++) {
            uint32_t to = g->edges[n->up + i].to;
            if (!g->nodes[to].holds_open) {
                g->nodes[to].holds_open = true;
                queue[count++] = to;
            }
        }
    }
}

int gcp_graph_end(gcp_graph *g)
{
    size_t count = g->pending_count;
    g->edges = KIM_NEW_ARRAY(g->arena, gcp_edge, 2 * count + 1);
    uint32_t *queue = KIM_NEW_ARRAY(g->arena, uint32_t, g->count + 1);
    if (g->edges == NULL || queue == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        g->nodes[g->pending[i].from].up_count++;
        g->nodes[g->pending[i].edge.to].down_count++;
    }
    uint32_t up = 0, down = (uint32_t)count;
    for (uint32_t i = 0; i < g->count; i++) {
        gcp_node *n = &g->nodes[i];
        n->up = up;
        n->down = down;
        up += n->up_count;
        down += n->down_count;
        n->up_count = n->down_count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        gcp_node *from = &g->nodes[g->pending[i].from], *to = &g->nodes[g->pending[i].edge.to];
        g->edges[from->up + from->up_count++] = g->pending[i].edge;
        gcp_edge *back = &g->edges[to->down + to->down_count++];
        *back = g->pending[i].edge;
        back->to = g->pending[i].from;
    }
    free(g->pending);
    g->pending = NULL;
    mark_open(g, queue);
    return 0;
}

void gcp_graph_drop(gcp_graph *g)
{
    free(g->pending);
    g->pending = NULL;
}

uint32_t gcp_graph_find(const gcp_graph *g, kim_text id)
{
    return text_map_find(g->ids, id);
}

/* ---- one asker ---- */

int gcp_asker_new(gcp_asker *a, const gcp_graph *g)
{
    size_t count = g->count + 1;
    *a = (gcp_asker){.graph = g, .stamps = calloc(count, sizeof *a->stamps), .when = calloc(count, sizeof(term *)),
                     .reached = calloc(count, sizeof *a->reached), .seen = calloc(count, sizeof *a->seen),
                     .path = calloc(count, sizeof *a->path)};
    if (a->stamps && a->when && a->reached && a->seen && a->path)
        return 0;
    gcp_asker_free(a);
    return -1;
}

void gcp_asker_free(gcp_asker *a)
{
    free(a->stamps);
    free((void *)a->when);
    free(a->reached);
    free(a->seen);
    free(a->path);
    *a = (gcp_asker){0};
}

static void reach(gcp_asker *a, uint32_t node, const term *when)
{
    if (a->stamps[node] != a->stamp) {
        a->stamps[node] = a->stamp;
        a->reached[a->count++] = node;
    }
    a->when[node] = when;
}

/* A membership that begins or ends, by the time of the request. */
static const term *in_time(const kim_edge *e, const gcp_request *rq)
{
    bool known;
    int64_t now = gcp_request_time(rq, &known);
    if (known)
        return now >= e->starts_unix_ms && (e->expires_unix_ms == 0 || now < e->expires_unix_ms) ? &term_true : &term_false;
    return term_of(rq->scratch, TERM_UNREAD,
                   kim_text_format(rq->scratch, "the time of the request, in which %.*s is a member of %.*s for a while", KIM_PRINT(e->from), KIM_PRINT(e->to)));
}

static const term *edge_holds(const gcp_graph *g, const gcp_edge *e, const gcp_request *rq)
{
    if (e->hidden)
        return term_of(rq->scratch, TERM_UNREAD, kim_text_format(rq->scratch, "the condition under which there is %.*s", KIM_PRINT(g->nodes[e->to].member.id)));
    const term *t = e->condition ? gcp_condition_holds(e->condition, GCP_GRANTS, rq) : &term_true;
    if (e->source && (e->source->starts_unix_ms || e->source->expires_unix_ms))
        t = t ? term_and(rq->scratch, t, in_time(e->source, rq)) : NULL;
    return t;
}

/* Edges that hold under a condition: around and around until nothing is added. */
static int reach_conditionally(gcp_asker *a, const gcp_request *rq)
{
    const gcp_graph *g = a->graph;
    bool changed = true;
    for (int round = 0; changed && round < KIM_MEMBERSHIP_MAX_DEPTH; round++) {
        changed = false;
        for (uint32_t next = 0; next < a->count; next++) {
            const gcp_node *n = &g->nodes[a->reached[next]];
            for (uint32_t i = 0; i < n->up_count; i++) {
                const gcp_edge *e = &g->edges[n->up + i];
                bool there = a->stamps[e->to] == a->stamp;
                if (there && a->when[e->to] == &term_true)
                    continue;
                const term *t = edge_holds(g, e, rq);
                t = t ? term_and(rq->scratch, a->when[a->reached[next]], t) : NULL;
                const term *all = t && there ? term_or(rq->scratch, a->when[e->to], t) : t;
                if (all == NULL)
                    return -1;
                if (all->kind == TERM_FALSE || (there && term_equal(all, a->when[e->to])))
                    continue;
                reach(a, e->to, all);
                changed = true;
            }
        }
    }
    return 0;
}

int gcp_asker_set(gcp_asker *a, kim_text principal, const gcp_request *rq, kim_error *err)
{
    const gcp_graph *g = a->graph;
    uint32_t known = gcp_graph_find(g, principal); /* an id says all that its node does */
    a->member = known == UINT32_MAX ? gcp_member_read(principal, rq->scratch) : g->nodes[known].member;
    if (kim_text_is_absent(a->member.id))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    if (!gcp_member_can_ask(&a->member))
        return kim_fail(err, KIM_ERR_INPUT, "'%.*s' is no principal; write a member as in a binding: user:ann@example.com, serviceAccount:..., "
                        "group:..., principal://..., or allUsers for a caller without credentials", KIM_PRINT(principal));
    if (++a->stamp == 0) { /* it went around: old stamps would count again */
        memset(a->stamps, 0, (g->count + 1) * sizeof *a->stamps);
        a->stamp = 1;
    }
    a->count = 0;
    bool some_conditional = false;
    uint32_t node = known == UINT32_MAX ? gcp_graph_find(g, a->member.id) : known;
    if (node != UINT32_MAX)
        reach(a, node, &term_true);
    kim_text ids[GCP_IMPLIED_MAX];
    size_t implied = node == UINT32_MAX ? gcp_member_implied(&a->member, ids, rq->scratch) : 0;
    for (size_t i = 0; i < implied; i++)
        if ((node = gcp_graph_find(g, ids[i])) != UINT32_MAX)
            reach(a, node, &term_true);
    reach(a, GCP_EVERYONE_NODE, &term_true);
    if (gcp_member_is_authenticated(&a->member))
        reach(a, GCP_AUTHENTICATED_NODE, &term_true);
    for (uint32_t next = 0; next < a->count; next++) {
        const gcp_node *n = &g->nodes[a->reached[next]];
        for (uint32_t i = 0; i < n->up_count; i++) {
            const gcp_edge *e = &g->edges[n->up + i];
            some_conditional |= e->is_conditional;
            if (a->stamps[e->to] != a->stamp && !e->is_conditional)
                reach(a, e->to, &term_true);
        }
    }
    if (some_conditional && reach_conditionally(a, rq) < 0)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    return 0;
}

/* ---- open sets ---- */

static bool is_number(kim_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.size > 0;
}

static kim_text last_segment(kim_text name)
{
    size_t at = name.size;
    while (at > 0 && name.bytes[at - 1] != '/')
        at--;
    return (kim_text){name.bytes + at, name.size - at};
}

/* Where the asker is at home: the project of a service account or of a workload pool. *project: as a name tells it. */
static uint32_t home_of(const gcp_member *m, const gcp_tree *tree, kim_text *project, kim_arena *scratch)
{
    static const kim_text pools = {"iam.googleapis.com/projects/", 28};
    *project = KIM_NO_TEXT;
    if (m->kind == GCP_SERVICE_ACCOUNT) {
        *project = gcp_account_project(m->subject);
    } else if (kim_text_starts_with(m->pool, pools)) {
        const char *begin = m->pool.bytes + pools.size, *end = memchr(begin, '/', m->pool.size - pools.size);
        *project = end ? (kim_text){begin, (size_t)(end - begin)} : KIM_NO_TEXT;
    } else if (kim_text_starts_with(m->pool, KIM_TEXT("gke/"))) {
        *project = (kim_text){m->pool.bytes + 4, m->pool.size - 4 - strlen(".svc.id.goog")};
    }
    if (project->size == 0)
        return GCP_NOWHERE;
    return gcp_tree_find(tree, kim_text_format(scratch, "//cloudresourcemanager.googleapis.com/projects/%.*s", KIM_PRINT(*project)), scratch);
}

/* Does the resource hold the asker's home? 1 yes, 0 no, -1 nobody knows. */
static int is_home(const gcp_member *m, kim_text resource, const gcp_request *rq)
{
    kim_text project;
    uint32_t home = home_of(m, rq->tree, &project, rq->scratch), of = gcp_tree_find(rq->tree, resource, rq->scratch);
    bool of_project = memmem(resource.bytes, resource.size, "/projects/", 10) != NULL;
    if (of_project && project.size && kim_text_equal(last_segment(resource), project))
        return 1;
    uint32_t top = home;
    size_t depth = 0;
    for (uint32_t at = home; at != GCP_NOWHERE && depth < KIM_SCOPE_MAX_DEPTH; at = rq->tree->places[at].parent, depth++) {
        if (at == of)
            return 1;
        top = at;
    }
    if (of_project)
        return home != GCP_NOWHERE && of != GCP_NOWHERE ? 0 : project.size && is_number(last_segment(resource)) == is_number(project) ? 0 : -1;
    bool whole = top != GCP_NOWHERE && depth < KIM_SCOPE_MAX_DEPTH &&
                 memmem(rq->tree->places[top].name.bytes, rq->tree->places[top].name.size, "/organizations/", 15);
    return whole ? 0 : -1;
}

static bool is_organisation(kim_text resource)
{
    return memmem(resource.bytes, resource.size, "/organizations/", 15) != NULL;
}

/* 1, 0, or -1: nobody knows. */
static int open_holds(const gcp_member *set, const gcp_member *m, const gcp_request *rq)
{
    bool is_account = m->kind == GCP_SERVICE_ACCOUNT, is_agent = is_account && gcp_account_is_agent(m->subject);
    if (m->kind == GCP_EVERYONE || m->kind == GCP_AUTHENTICATED || m->kind == GCP_DELETED)
        return 0; /* no one of whom anything is known */
    switch (set->kind) {
    case GCP_CUSTOMER: /* "all of the principals associated with" it: which others than users, no page says */
        return -1;
    case GCP_POOL_PART:
        return m->pool.size && kim_text_equal(m->pool, set->pool) ? -1 : 0;
    case GCP_ACCOUNTS_OF:
        return is_account && !is_agent ? is_home(m, set->resource, rq) : 0;
    case GCP_AGENTS_OF:
        return is_agent ? -1 : 0;
    case GCP_PRINCIPALS_OF:
        if (is_account || (m->pool.size && home_of(m, rq->tree, &(kim_text){0}, rq->scratch) != GCP_NOWHERE))
            return is_agent ? -1 : is_home(m, set->resource, rq);
        if (is_organisation(set->resource))
            return -1;
        return m->pool.size && memmem(m->pool.bytes, m->pool.size, "/workforcePools/", 16) == NULL ? -1 : 0;
    default:
        return -1;
    }
}

static kim_text open_words(const gcp_member *set, kim_arena *scratch)
{
    if (set->kind == GCP_HOLDERS)
        return kim_text_format(scratch, "who has %s on project %.*s", set->role, KIM_PRINT(set->resource));
    return kim_text_format(scratch, "the members of %.*s", KIM_PRINT(set->id));
}

const term *gcp_asker_in(const gcp_asker *asker, uint32_t node, const gcp_request *rq)
{
    gcp_asker *a = (gcp_asker *)asker; /* its scratch of a walk */
    const gcp_graph *g = a->graph;
    const term *any = a->stamps[node] == a->stamp ? a->when[node] : &term_false;
    if (any == &term_true || !g->nodes[node].holds_open)
        return any;
    if (++a->walk == 0) {
        memset(a->seen, 0, (g->count + 1) * sizeof *a->seen);
        a->walk = 1;
    }
    uint32_t count = 0;
    a->path[count++] = node;
    a->seen[node] = a->walk;
    for (uint32_t next = 0; next < count && any; next++) {
        const gcp_node *n = &g->nodes[a->path[next]];
        int holds = n->is_open ? open_holds(&n->member, &a->member, rq) : 0;
        if (holds > 0)
            return &term_true;
        if (holds < 0)
            any = term_or(rq->scratch, any, term_of(rq->scratch, TERM_UNREAD, open_words(&n->member, rq->scratch)));
        for (uint32_t i = 0; i < n->down_count; i++) {
            const gcp_edge *e = &g->edges[n->down + i];
            if (!g->nodes[e->to].holds_open || a->seen[e->to] == a->walk)
                continue;
            const term *holds_now = e->is_conditional ? edge_holds(g, e, rq) : &term_true;
            if (holds_now == NULL)
                return NULL;
            if (holds_now == &term_false) /* under a condition it is followed as if it held: what is in it is not known anyway */
                continue;
            a->seen[e->to] = a->walk;
            a->path[count++] = e->to;
        }
    }
    return any;
}
