/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral_compile.c - an estate's neutral records to systems: names become numbers, patterns and conditions are read
 * once, and what hangs somewhere is put where a decision will look for it.
 *
 * What cannot be understood stays in place as unread, so that no answer forgets it.
 */
#include "controller/evaluate/neutral.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

typedef enum bucket_kind { OF_EVERYONE, OF_NODE, OF_RESOURCE, OF_SCOPE, LOOSE } bucket_kind;

typedef struct raw_hold {
    bucket_kind kind;
    uint32_t key;       /* a node, a resource, a scope; of LOOSE a layer */
    uint32_t place;     /* as it came */
    neutral_hold hold;
} raw_hold;

typedef struct raw_edge {
    uint32_t from;
    neutral_edge edge;
} raw_edge;

/* A policy as the records have it, and what it is to each system. */
typedef struct raw_document {
    const kim_policy *source;        /* NULL: only its statements are known */
    kim_text id;
    uint32_t scope;
    uint32_t next;                   /* another of the same id */
    const kim_statement **statements; /* [count] */
    uint32_t count;
    struct compiled_document { uint32_t system; neutral_document *document; struct compiled_document *next; } *compiled;
} raw_document;

/* Patterns of one system and use, by their texts. */
typedef struct pattern_table {
    text_map *texts;
    const pattern **items; /* NULL: is none */
    size_t room;
} pattern_table;

typedef struct compiler {
    neutral *c;
    const estate *es;
    kim_arena *arena;    /* what is compiled */
    kim_arena *scratch;  /* what ends with the compiling */
    size_t node_room, scope_room, domain_room, declared_room;
    raw_hold *holds;
    size_t hold_count, hold_room;
    raw_edge *edges;
    size_t edge_count, edge_room;
    text_map *document_names, *document_ids;
    raw_document *documents;
    size_t document_room;
    uint32_t *first_of_id;
    size_t id_room;
    text_map *conditions;
    held_condition **condition_items;
    size_t condition_room;
    pattern_table (*patterns)[2]; /* [system_count][use] */
    text_map **lists;             /* [system_count] */
} compiler;

/* Room for one more; false without memory. What it leaves behind ends with the arena. */
static bool make_room(kim_arena *arena, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t wider = *room ? *room * 2 : 8;
    void *grown = kim_arena_array(arena, wider, size);
    if (grown == NULL)
        return false;
    if (count)
        memcpy(grown, *(void **)items, count * size);
    *(void **)items = grown;
    *room = wider;
    return true;
}

static void note_fault(compiler *k, kim_text fault)
{
    if (kim_text_is_absent(k->c->first_fault))
        k->c->first_fault = fault;
}

/* ---- scopes and domains ---- */

/* The id of the scope above, as a record says, else as the id itself does: ot:SITE/ZONE lies in ot:SITE. */
static kim_text parent_of(const compiler *k, kim_text id)
{
    const kim_record *record = estate_find(k->es, KIM_SCOPE, id);
    if (record)
        return record->as_scope.parent;
    const char *slash = id.size ? memrchr(id.bytes, '/', id.size) : NULL;
    return slash ? (kim_text){id.bytes, (size_t)(slash - id.bytes)} : KIM_NO_TEXT;
}

/* The scope and all above it that are new get numbers. */
static uint32_t scope_number(compiler *k, kim_text id)
{
    neutral *c = k->c;
    uint32_t asked = NEUTRAL_NONE, below = NEUTRAL_NONE;
    for (;; id = parent_of(k, id)) {
        uint32_t count = text_map_count(c->scope_ids), number = text_map_add(c->scope_ids, id);
        if (number == UINT32_MAX || !make_room(k->arena, &c->scopes, count, &k->scope_room, sizeof *c->scopes))
            return NEUTRAL_NONE;
        if (below == NEUTRAL_NONE)
            asked = number;
        else
            c->scopes[below].parent = number;
        if (number != count)
            return asked;
        c->scopes[number] = (neutral_scope){.id = id, .parent = NEUTRAL_NONE, .domain = NEUTRAL_NONE};
        below = number;
        if (parent_of(k, id).size == 0)
            return asked;
    }
}

static uint32_t domain_add(compiler *k, uint32_t scope)
{
    neutral *c = k->c;
    if (!make_room(k->arena, &c->domains, c->domain_count, &k->domain_room, sizeof *c->domains))
        return NEUTRAL_NONE;
    c->domains[c->domain_count] = (neutral_domain){.scope = c->scopes[scope].id, .first_system = NEUTRAL_NONE};
    c->scopes[scope].domain = c->domain_count;
    return c->domain_count++;
}

/* The scope's nearest governed ancestor makes its domain; without one its topmost ancestor does. */
static uint32_t domain_of(compiler *k, kim_text scope)
{
    uint32_t number = scope_number(k, scope), top = number, domain = NEUTRAL_NONE;
    size_t left = text_map_count(k->c->scope_ids); /* scopes may lie in circles */
    if (number == NEUTRAL_NONE)
        return NEUTRAL_NONE;
    for (uint32_t at = number; at != NEUTRAL_NONE && domain == NEUTRAL_NONE && left-- > 0; at = k->c->scopes[at].parent) {
        domain = k->c->scopes[at].domain;
        top = at;
    }
    if (domain == NEUTRAL_NONE && (domain = domain_add(k, top)) == NEUTRAL_NONE)
        return NEUTRAL_NONE;
    for (uint32_t at = number; at != NEUTRAL_NONE && k->c->scopes[at].domain == NEUTRAL_NONE; at = k->c->scopes[at].parent)
        k->c->scopes[at].domain = domain;
    return domain;
}

/* ---- nodes and resources ---- */

static uint32_t node_add(compiler *k, uint32_t domain, kim_text id)
{
    neutral *c = k->c;
    neutral_domain *d = &c->domains[domain];
    if (d->names == NULL)
        d->names = d->nocase ? text_map_new_nocase(k->arena) : text_map_new(k->arena);
    uint32_t count = d->names ? text_map_count(d->names) : 0;
    uint32_t local = d->names ? text_map_add(d->names, id) : UINT32_MAX;
    if (local == UINT32_MAX)
        return NEUTRAL_NONE;
    if (local != count)
        return d->nodes[local];
    if (!make_room(k->arena, &d->nodes, count, &d->node_room, sizeof *d->nodes) ||
        !make_room(k->arena, &c->nodes, c->node_count, &k->node_room, sizeof *c->nodes))
        return NEUTRAL_NONE;
    c->nodes[c->node_count] = (neutral_node){.id = id, .domain = domain, .bucket = NEUTRAL_NONE, .namesake = NEUTRAL_NONE};
    return d->nodes[local] = c->node_count++;
}

uint32_t neutral_node_of(const neutral *c, uint32_t domain, kim_text id)
{
    const neutral_domain *d = &c->domains[domain];
    uint32_t local = d->names ? text_map_find(d->names, id) : UINT32_MAX;
    return local == UINT32_MAX ? NEUTRAL_NONE : d->nodes[local];
}

/* Declares an identity, so that others of its domain or of other domains may name it. */
static uint32_t declare(compiler *k, uint32_t domain, kim_text id)
{
    neutral *c = k->c;
    uint32_t node = node_add(k, domain, id), count = text_map_count(c->declared);
    if (node == NEUTRAL_NONE || c->nodes[node].is_declared)
        return node;
    uint32_t at = text_map_add(c->declared, id);
    if (at == UINT32_MAX || !make_room(k->arena, &c->declared_nodes, count, &k->declared_room, sizeof *c->declared_nodes))
        return NEUTRAL_NONE;
    c->nodes[node].is_declared = true;
    c->nodes[node].namesake = at == count ? NEUTRAL_NONE : c->declared_nodes[at];
    c->declared_nodes[at] = node;
    return node;
}

/* Whom a name means, said in a domain: the one declared there, else one declared elsewhere, else a new one. */
static uint32_t resolve(compiler *k, uint32_t domain, kim_text id)
{
    uint32_t here = neutral_node_of(k->c, domain, id);
    if (here != NEUTRAL_NONE && k->c->nodes[here].is_declared)
        return here;
    uint32_t at = text_map_find(k->c->declared, id);
    return at != UINT32_MAX ? k->c->declared_nodes[at] : node_add(k, domain, id);
}

static uint32_t resource_add(compiler *k, uint32_t domain, kim_text id)
{
    neutral_domain *d = &k->c->domains[domain];
    if (d->resource_names == NULL)
        d->resource_names = d->nocase ? text_map_new_nocase(k->arena) : text_map_new(k->arena);
    uint32_t count = d->resource_names ? text_map_count(d->resource_names) : 0;
    uint32_t number = d->resource_names ? text_map_add(d->resource_names, id) : UINT32_MAX;
    if (number == UINT32_MAX || number != count)
        return number;
    if (!make_room(k->arena, &d->resources, count, &d->resource_room, sizeof *d->resources))
        return NEUTRAL_NONE;
    d->resources[number] = (neutral_resource){.id = id, .parent = NEUTRAL_NONE, .scope = NEUTRAL_NONE};
    return number;
}

uint32_t neutral_resource_of(const neutral_domain *d, kim_text id)
{
    return d->resource_names ? text_map_find(d->resource_names, id) : NEUTRAL_NONE;
}

static int add_identities(compiler *k)
{
    size_t count;
    const kim_record *items = estate_records(k->es, KIM_IDENTITY, &count);
    uint32_t *askers = KIM_NEW_ARRAY(k->arena, uint32_t, count + 1);
    if (askers == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        askers[i] = NEUTRAL_NONE;
        if (!engine_reads(&neutral_engine, items[i].scope))
            continue;
        uint32_t domain = domain_of(k, items[i].scope);
        uint32_t node = domain == NEUTRAL_NONE ? NEUTRAL_NONE : declare(k, domain, items[i].identity.id);
        if (node == NEUTRAL_NONE)
            return -1;
        if (items[i].identity.kind != KIM_GROUP)
            askers[i] = node;
    }
    k->c->askers = askers;
    return 0;
}

static int add_resources(compiler *k)
{
    size_t count;
    const kim_record *items = estate_records(k->es, KIM_RESOURCE, &count);
    for (size_t i = 0; i < count; i++) {
        const kim_resource *r = &items[i].resource;
        if (!engine_reads(&neutral_engine, items[i].scope))
            continue;
        uint32_t domain = domain_of(k, items[i].scope), scope = scope_number(k, items[i].scope);
        uint32_t number = domain == NEUTRAL_NONE ? NEUTRAL_NONE : resource_add(k, domain, r->id);
        uint32_t parent = number == NEUTRAL_NONE || kim_text_is_absent(r->parent) ? NEUTRAL_NONE : resource_add(k, domain, r->parent);
        if (number == NEUTRAL_NONE || scope == NEUTRAL_NONE || (parent == NEUTRAL_NONE && !kim_text_is_absent(r->parent)))
            return -1;
        neutral_resource *out = &k->c->domains[domain].resources[number];
        *out = (neutral_resource){.id = out->id, .parent = parent, .scope = scope, .is_declared = true};
    }
    return 0;
}

/* ---- conditions ---- */

/* NULL where there is none; *failed without memory. */
static const held_condition *condition_of(compiler *k, kim_condition condition, bool *failed)
{
    if (condition.text.size == 0)
        return NULL;
    kim_text name = kim_text_format(k->scratch, "%.*s\n%.*s", KIM_PRINT(condition.lang), KIM_PRINT(condition.text));
    uint32_t known = text_map_count(k->conditions), at = kim_text_is_absent(name) ? UINT32_MAX : text_map_add(k->conditions, name);
    if (at == UINT32_MAX || !make_room(k->scratch, &k->condition_items, known, &k->condition_room, sizeof *k->condition_items)) {
        *failed = true;
        return NULL;
    }
    if (at != known)
        return k->condition_items[at];
    held_condition *held = KIM_NEW(k->arena, held_condition);
    kim_error why = {0};
    if (held && kim_text_is(condition.lang, "kim")) {
        held->test = kim_test_read(condition.text, k->arena, &why);
        if (held->test == NULL && why.code != KIM_ERR_NOMEM) {
            held->unread = kim_text_copy(k->arena, kim_text_of(why.message));
            held->is_fault = true;
        }
    } else if (held) {
        held->unread = kim_text_format(k->arena, "a condition in the language '%.*s': %.*s", KIM_PRINT(condition.lang), KIM_PRINT(condition.text));
    }
    *failed = held == NULL || (held->test == NULL && kim_text_is_absent(held->unread));
    return k->condition_items[at] = held;
}

/* ---- memberships ---- */

static int add_edge(compiler *k, const kim_record *record)
{
    const kim_edge *e = &record->edge;
    bool failed = false;
    uint32_t domain = domain_of(k, record->scope);
    uint32_t other = kim_text_is_absent(e->to_scope) ? domain : domain_of(k, e->to_scope);
    if (domain == NEUTRAL_NONE || other == NEUTRAL_NONE ||
        !make_room(k->scratch, &k->edges, k->edge_count, &k->edge_room, sizeof *k->edges))
        return -1;
    raw_edge one = {.from = resolve(k, domain, e->from), .edge = {.to = resolve(k, other, e->to), .source = e}};
    one.edge.condition = condition_of(k, e->condition, &failed);
    one.edge.is_bounded = one.edge.condition || e->starts_unix_ms || e->expires_unix_ms;
    one.edge.is_ordered = e->ordered || e->order != 0;
    one.edge.order = (order_part){.whole = e->order};
    if (failed || one.from == NEUTRAL_NONE || one.edge.to == NEUTRAL_NONE)
        return -1;
    if (one.edge.condition && one.edge.condition->is_fault)
        note_fault(k, kim_text_format(k->arena, "the edge from '%.*s' to '%.*s': %.*s", KIM_PRINT(e->from), KIM_PRINT(e->to), KIM_PRINT(one.edge.condition->unread)));
    k->c->has_orders |= one.edge.is_ordered;
    k->c->nodes[one.edge.to].is_group = true;
    k->edges[k->edge_count++] = one;
    return 0;
}

static int by_start(const void *left, const void *right)
{
    const raw_edge *a = left, *b = right;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    if (a->edge.to != b->edge.to)
        return a->edge.to < b->edge.to ? -1 : 1;
    if (a->edge.is_ordered != b->edge.is_ordered)
        return a->edge.is_ordered < b->edge.is_ordered ? -1 : 1;
    if (a->edge.order.whole != b->edge.order.whole)
        return a->edge.order.whole < b->edge.order.whole ? -1 : 1;
    return a->edge.source < b->edge.source ? -1 : a->edge.source > b->edge.source;
}

/* What is equal for nodes with the same memberships. */
static kim_text signature(compiler *k, const neutral_edge *edges, uint32_t count)
{
    struct row { uint64_t to, is_ordered; int64_t order; const void *own; } *rows = KIM_NEW_ARRAY(k->scratch, struct row, count);
    for (uint32_t i = 0; rows && i < count; i++) {
        bool is_own = edges[i].is_bounded || edges[i].source->eligible;
        rows[i] = (struct row){edges[i].to, edges[i].is_ordered, edges[i].order.whole, is_own ? edges[i].source : NULL};
    }
    return (kim_text){(const char *)rows, rows ? count * sizeof *rows : 0};
}

/* Groups may lie in circles, and their ways then differ though their edges do not: each has a set of its own. */
static int number_sets(compiler *k)
{
    neutral *c = k->c;
    text_map *known = text_map_new(k->scratch);
    uint32_t *sets = NULL;
    size_t room = 0;
    c->set_count = 1;
    for (uint32_t i = 0; i < c->node_count; i++) {
        neutral_node *n = &c->nodes[i];
        if (n->edge_count == 0)
            continue;
        if (n->is_group) {
            n->set = c->set_count++;
            continue;
        }
        kim_text name = signature(k, c->edges + n->first_edge, n->edge_count);
        uint32_t count = known ? text_map_count(known) : 0;
        uint32_t at = known && name.bytes ? text_map_add(known, name) : UINT32_MAX;
        if (at == UINT32_MAX || !make_room(k->scratch, &sets, count, &room, sizeof *sets))
            return -1;
        if (at == count)
            sets[at] = c->set_count++;
        n->set = sets[at];
    }
    uint32_t *sizes = KIM_NEW_ARRAY(k->arena, uint32_t, c->set_count);
    for (uint32_t i = 0; sizes && i < c->node_count; i++)
        sizes[c->nodes[i].set]++;
    c->set_sizes = sizes;
    return sizes ? 0 : -1;
}

static int add_edges(compiler *k)
{
    size_t count;
    neutral *c = k->c;
    const kim_record *items = estate_records(k->es, KIM_EDGE, &count);
    for (size_t i = 0; i < count; i++)
        if (items[i].edge.kind == KIM_MEMBER_OF && engine_reads(&neutral_engine, items[i].scope) && add_edge(k, &items[i]) < 0)
            return -1;
    if (k->edge_count)
        qsort(k->edges, k->edge_count, sizeof *k->edges, by_start);
    neutral_edge *edges = KIM_NEW_ARRAY(k->arena, neutral_edge, k->edge_count + 1);
    if (edges == NULL)
        return -1;
    for (size_t i = k->edge_count; i-- > 0;) {
        neutral_node *from = &c->nodes[k->edges[i].from];
        edges[i] = k->edges[i].edge;
        from->first_edge = (uint32_t)i;
        from->edge_count++;
    }
    c->edges = edges;
    return 0;
}

/* ---- patterns ---- */

/* NULL: it is none, with why; or without memory. Of equal texts the first says why. */
static const pattern *pattern_of(compiler *k, const neutral_system *s, pattern_use use, kim_text text, kim_error *why)
{
    pattern_table *t = &k->patterns[s->number][use];
    if (t->texts == NULL)
        t->texts = text_map_new(k->scratch);
    uint32_t count = t->texts ? text_map_count(t->texts) : 0, at = t->texts ? text_map_add(t->texts, text) : UINT32_MAX;
    if (at == UINT32_MAX || !make_room(k->scratch, &t->items, count, &t->room, sizeof *t->items)) {
        kim_fail(why, KIM_ERR_NOMEM, "no memory for patterns");
        return NULL;
    }
    if (at != count && t->items[at])
        return t->items[at];
    pattern *p = KIM_NEW(k->arena, pattern);
    if (p == NULL || pattern_read(s->words, use, text, s->nocase, k->arena, p, why) < 0) {
        if (p == NULL)
            kim_fail(why, KIM_ERR_NOMEM, "no memory for patterns");
        return t->items[at] = NULL;
    }
    return t->items[at] = p;
}

static const pattern *const *patterns_of(compiler *k, const neutral_system *s, pattern_use use, kim_texts texts, kim_error *why)
{
    const pattern **items = (const pattern **)kim_arena_array(k->arena, texts.count ? texts.count : 1, sizeof *items);
    for (size_t i = 0; items && i < texts.count; i++) {
        items[i] = pattern_of(k, s, use, texts.items[i], why);
        if (items[i] == NULL)
            return NULL;
    }
    return items;
}

static kim_text list_name(compiler *k, pattern_use use, kim_texts named, kim_texts less)
{
    size_t size = 2 * sizeof(size_t) + 1;
    const kim_texts both[] = {named, less};
    for (int e = 0; e < 2; e++)
        for (size_t i = 0; i < both[e].count; i++)
            size += sizeof(size_t) + both[e].items[i].size;
    char *bytes = kim_arena_bytes(k->scratch, size), *at = bytes;
    if (bytes == NULL)
        return KIM_NO_TEXT;
    *at++ = (char)use;
    for (int e = 0; e < 2; e++) {
        size_t count = both[e].items ? both[e].count : SIZE_MAX;
        at = mempcpy(at, &count, sizeof count);
        for (size_t i = 0; i < both[e].count; i++) {
            at = mempcpy(at, &both[e].items[i].size, sizeof(size_t));
            if (both[e].items[i].size)
                at = mempcpy(at, both[e].items[i].bytes, both[e].items[i].size);
        }
    }
    return (kim_text){bytes, size};
}

/* The number of a list; 0 for everything, and where a pattern is none: *why says so then. */
static uint32_t list_of(compiler *k, neutral_system *s, pattern_use use, kim_texts named, kim_texts less, kim_error *why)
{
    if (named.items == NULL && less.count == 0)
        return 0;
    kim_text name = list_name(k, use, named, less);
    text_map *known = k->lists[s->number];
    uint32_t at = kim_text_is_absent(name) ? UINT32_MAX : text_map_find(known, name);
    if (at != UINT32_MAX)
        return at + 1;
    pattern_list list = {.names_all = named.items == NULL, .named_count = (uint32_t)named.count, .less_count = (uint32_t)less.count,
                         .is_action_list = use == PATTERN_OF_ACTIONS, .less_texts = less};
    list.named = patterns_of(k, s, use, named, why);
    list.less = list.named ? patterns_of(k, s, use, less, why) : NULL;
    if (list.less == NULL && why->code != KIM_OK)
        return 0;
    at = list.less && name.bytes ? text_map_add(known, name) : UINT32_MAX;
    if (at == UINT32_MAX || !make_room(k->arena, &s->lists, s->list_count, &s->list_room, sizeof *s->lists)) {
        kim_fail(why, KIM_ERR_NOMEM, "no memory for patterns");
        return 0;
    }
    s->lists[s->list_count++] = list;
    return at + 1;
}

/* A universe is one pattern of actions, or several with blanks between. */
static kim_texts split_words(compiler *k, kim_text text)
{
    kim_text *items = KIM_NEW_ARRAY(k->arena, kim_text, text.size / 2 + 1);
    size_t count = 0;
    for (size_t i = 0; items && i < text.size;) {
        size_t start = i;
        while (i < text.size && text.bytes[i] != ' ')
            i++;
        if (i > start)
            items[count++] = (kim_text){text.bytes + start, i - start};
        i++;
    }
    return (kim_texts){count ? items : NULL, count};
}

/* ---- statements ---- */

static bool read_part(kim_text text, order_part *out)
{
    char copy[64], *end;
    if (text.size == 0 || text.size >= sizeof copy || strchr("+-.0123456789", text.bytes[0]) == NULL)
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    errno = 0;
    long long whole = strtoll(copy, &end, 10);
    if (*end == '\0' && errno == 0) {
        *out = (order_part){.whole = whole};
        return true;
    }
    double value = strtod(copy, &end);
    if (*end || !(value > -9e18 && value < 9e18))
        return false;
    *out = (order_part){.whole = (int64_t)floor(value), .rest = value - floor(value)};
    return true;
}

static int read_order(compiler *k, neutral_rule *out)
{
    kim_texts order = out->source->order;
    order_part *parts = KIM_NEW_ARRAY(k->arena, order_part, order.count ? order.count : 1);
    if (parts == NULL)
        return -1;
    for (size_t i = 0; i < order.count; i++)
        if (!read_part(order.items[i], &parts[i]) && kim_text_is_absent(out->unread))
            out->unread = kim_text_format(k->arena, "its order has '%.*s', which is no number", KIM_PRINT(order.items[i]));
    out->order = parts;
    out->order_count = (uint32_t)order.count;
    return 0;
}

static const uint32_t *nodes_of(compiler *k, const neutral_system *s, kim_texts names, uint32_t *count, bool *has_everyone)
{
    uint32_t *nodes = KIM_NEW_ARRAY(k->arena, uint32_t, names.count ? names.count : 1);
    *count = 0;
    for (size_t i = 0; nodes && i < names.count; i++) {
        if (kim_text_is(names.items[i], "*")) {
            *has_everyone = true;
            continue;
        }
        uint32_t node = resolve(k, s->domain, names.items[i]);
        if (node == NEUTRAL_NONE)
            return NULL;
        nodes[(*count)++] = node;
    }
    return nodes;
}

/* What a statement names; a pattern that is none makes it unread, and name everything. */
static int read_lists(compiler *k, neutral_system *s, neutral_rule *out)
{
    const kim_statement *from = out->source;
    kim_error why = {0};
    out->actions = list_of(k, s, PATTERN_OF_ACTIONS, from->actions, from->not_actions, &why);
    if (why.code == KIM_OK)
        out->resources = list_of(k, s, PATTERN_OF_RESOURCES, from->resources, from->not_resources, &why);
    if (why.code == KIM_OK && from->universe.size)
        out->universe = list_of(k, s, PATTERN_OF_ACTIONS, split_words(k, from->universe), (kim_texts){NULL, 0}, &why);
    if (why.code == KIM_OK)
        return 0;
    if (why.code == KIM_ERR_NOMEM)
        return -1;
    out->unread = kim_text_copy(k->arena, kim_text_of(why.message));
    return 0;
}

static int read_rule(compiler *k, neutral_system *s, const kim_statement *from, neutral_rule *out)
{
    bool failed = false, has_everyone = false, excepts_everyone = false;
    *out = (neutral_rule){.source = from, .effect = (uint8_t)from->effect, .names_subjects = from->subjects.items != NULL};
    out->name = from->sid.size ? from->sid : kim_text_format(k->arena, "%lld", (long long)from->index);
    if (s->words && read_lists(k, s, out) < 0)
        return -1;
    out->subjects = nodes_of(k, s, from->subjects, &out->subject_count, &has_everyone);
    out->not_subjects = nodes_of(k, s, from->not_subjects, &out->not_subject_count, &excepts_everyone);
    out->any_subject = !out->names_subjects || has_everyone;
    if (excepts_everyone) { /* all but everyone is nobody */
        out->names_subjects = true;
        out->any_subject = false;
        out->subject_count = 0;
    }
    out->condition = condition_of(k, from->condition, &failed);
    if (failed || out->subjects == NULL || out->not_subjects == NULL || read_order(k, out) < 0)
        return -1;
    if (kim_text_is_absent(out->unread) && s->how && kim_text_is(s->profile->combining, "allow-union") && out->effect == KIM_DENY)
        out->unread = KIM_TEXT("it denies, which allow-union does not know");
    kim_text fault = out->condition && out->condition->is_fault ? out->condition->unread : out->unread;
    if (!kim_text_is_absent(fault))
        note_fault(k, kim_text_format(k->arena, "statement '%.*s': %.*s", KIM_PRINT(out->name), KIM_PRINT(fault)));
    if (!kim_text_is_absent(from->unread))
        out->unread = from->unread;
    if (out->effect == 0 && kim_text_is_absent(out->unread))
        out->unread = KIM_TEXT("it does not say whether it allows or denies");
    return 0;
}

/* ---- documents ---- */

static raw_document *document_add(compiler *k, kim_text scope, kim_text id)
{
    uint32_t in = scope_number(k, scope), count = text_map_count(k->document_names), ids = text_map_count(k->document_ids);
    kim_text name = kim_text_format(k->scratch, "%u\n%.*s", in, KIM_PRINT(id));
    uint32_t at = in == NEUTRAL_NONE || kim_text_is_absent(name) ? UINT32_MAX : text_map_add(k->document_names, name);
    if (at == UINT32_MAX || !make_room(k->scratch, &k->documents, count, &k->document_room, sizeof *k->documents))
        return NULL;
    if (at != count)
        return &k->documents[at];
    uint32_t same = text_map_add(k->document_ids, id);
    if (same == UINT32_MAX || !make_room(k->scratch, &k->first_of_id, ids, &k->id_room, sizeof *k->first_of_id))
        return NULL;
    k->documents[at] = (raw_document){.id = id, .scope = in, .next = same == ids ? NEUTRAL_NONE : k->first_of_id[same]};
    k->first_of_id[same] = at;
    return &k->documents[at];
}

/* Statements are sorted by policy, index and scope: those of one id in several scopes interleave, so each document's
 * are counted first and placed after. */
static int add_documents(compiler *k)
{
    size_t policy_count, count;
    const kim_record *policies = estate_records(k->es, KIM_POLICY, &policy_count), *items = estate_records(k->es, KIM_STATEMENT, &count);
    for (size_t i = 0; i < policy_count; i++) {
        if (!engine_reads(&neutral_engine, policies[i].scope))
            continue;
        raw_document *d = document_add(k, policies[i].scope, policies[i].policy.id);
        if (d == NULL)
            return -1;
        d->source = &policies[i].policy;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            if (!engine_reads(&neutral_engine, items[i].scope))
                continue;
            raw_document *d = document_add(k, items[i].scope, items[i].statement.policy);
            if (d == NULL)
                return -1;
            if (pass == 1)
                d->statements[d->count] = &items[i].statement;
            d->count++;
        }
        for (uint32_t d = 0; pass == 0 && d < text_map_count(k->document_names); d++) {
            k->documents[d].statements = (const kim_statement **)kim_arena_array(k->scratch, k->documents[d].count + 1, sizeof(kim_statement *));
            if (k->documents[d].statements == NULL)
                return -1;
            k->documents[d].count = 0;
        }
    }
    return 0;
}

/* A policy's id, said in a scope: of the nearest scope above, else of the same domain. */
static raw_document *find_document(compiler *k, uint32_t scope, uint32_t domain, kim_text id)
{
    uint32_t same = text_map_find(k->document_ids, id), nearest = NEUTRAL_NONE, best = UINT32_MAX;
    for (uint32_t at = same == UINT32_MAX ? NEUTRAL_NONE : k->first_of_id[same]; at != NEUTRAL_NONE; at = k->documents[at].next) {
        uint32_t distance = 0, above = scope;
        while (above != NEUTRAL_NONE && above != k->documents[at].scope && distance < KIM_SCOPE_MAX_DEPTH) {
            above = k->c->scopes[above].parent;
            distance++;
        }
        bool is_above = above == k->documents[at].scope;
        if (!is_above && k->c->scopes[k->documents[at].scope].domain != domain)
            continue;
        distance = is_above ? distance : KIM_SCOPE_MAX_DEPTH + 1;
        if (distance < best) {
            best = distance;
            nearest = at;
        }
    }
    return nearest == NEUTRAL_NONE ? NULL : &k->documents[nearest];
}

static const neutral_document *compile_document(compiler *k, neutral_system *s, raw_document *from)
{
    for (struct compiled_document *known = from->compiled; known; known = known->next)
        if (known->system == s->number)
            return known->document;
    neutral_document *out = KIM_NEW(k->arena, neutral_document);
    struct compiled_document *entry = KIM_NEW(k->scratch, struct compiled_document);
    neutral_rule *statements = KIM_NEW_ARRAY(k->arena, neutral_rule, from->count + 1);
    if (out == NULL || entry == NULL || statements == NULL)
        return NULL;
    bool has_name = estate_is_complete(k->es) && from->source && from->source->name.size;
    *out = (neutral_document){.label = has_name ? from->source->name : from->id, .rules = statements, .count = from->count};
    if (from->source)
        out->unread = from->source->unread;
    for (uint32_t i = 0; i < from->count; i++)
        if (read_rule(k, s, from->statements[i], &statements[i]) < 0)
            return NULL;
    *entry = (struct compiled_document){s->number, out, from->compiled};
    from->compiled = entry;
    return out;
}

/* A policy that hangs somewhere but of which no record came. */
static const neutral_document *missing_document(compiler *k, kim_text id)
{
    neutral_document *out = KIM_NEW(k->arena, neutral_document);
    if (out)
        *out = (neutral_document){.label = id, .unread = KIM_TEXT("its document was not collected")};
    return out;
}

/* ---- what hangs where ---- */

static uint32_t layer_of(const neutral_system *s, kim_text name)
{
    for (uint32_t i = 0; i < s->layer_count; i++)
        if (kim_text_equal(s->layers[i].name, name))
            return i;
    return NEUTRAL_NONE;
}

/* Of several systems in one scope, the one that declares the layer. *unread where that is not clear. */
static neutral_system *system_of(compiler *k, uint32_t domain, const kim_attachment *a, kim_text *unread)
{
    neutral *c = k->c;
    neutral_system *first = NULL, *declares = NULL;
    bool several = false;
    for (uint32_t n = c->domains[domain].first_system; n != NEUTRAL_NONE; n = c->systems[n].next) {
        neutral_system *s = &c->systems[n];
        several |= declares && layer_of(s, a->layer) != NEUTRAL_NONE;
        if (layer_of(s, a->layer) != NEUTRAL_NONE)
            declares = s;
        first = first ? first : s;
    }
    if (first == NULL || first->next == NEUTRAL_NONE)
        return first;
    if (declares == NULL || several)
        *unread = kim_text_format(k->arena, "layer '%.*s' is of no one profile of its scope", KIM_PRINT(a->layer));
    return declares ? declares : first;
}

static uint16_t reach_of(const kim_attachment *a)
{
    bool is_tree = a->inherit == KIM_INHERIT_TREE || (a->inherit == 0 && a->on_scope.size && a->resource.size == 0);
    return is_tree ? UINT16_MAX : a->inherit == KIM_INHERIT_CHILDREN ? 1 : 0;
}

static int put(compiler *k, bucket_kind kind, uint32_t key, neutral_hold hold)
{
    if (!make_room(k->scratch, &k->holds, k->hold_count, &k->hold_room, sizeof *k->holds))
        return -1;
    k->holds[k->hold_count] = (raw_hold){kind, key, (uint32_t)k->hold_count, hold};
    k->hold_count++;
    return 0;
}

static void list_subjects(compiler *k, const neutral_rule *r)
{
    for (uint32_t i = 0; i < r->not_subject_count; i++)
        k->c->nodes[r->not_subjects[i]].is_listed = true;
}

/* The statements name whom they speak of: each hangs at each of these; runs that speak of all hang as one. */
static int put_by_subjects(compiler *k, neutral_hold hold)
{
    const neutral_document *d = hold.document;
    hold.count = 0;
    if ((!kim_text_is_absent(d->unread) || !kim_text_is_absent(hold.unread)) && put(k, OF_EVERYONE, 0, hold) < 0)
        return -1;
    for (uint32_t i = 0; i < d->count;) {
        const neutral_rule *r = &d->rules[i];
        hold.first = i;
        hold.follows_subjects = !r->any_subject;
        if (!r->any_subject) {
            hold.count = 1;
            for (uint32_t n = 0; n < r->subject_count; n++)
                if (put(k, OF_NODE, r->subjects[n], hold) < 0)
                    return -1;
            i++;
            continue;
        }
        while (i < d->count && d->rules[i].any_subject)
            i++;
        hold.count = i - hold.first;
        if (put(k, OF_EVERYONE, 0, hold) < 0)
            return -1;
    }
    return 0;
}

static int put_hold(compiler *k, neutral_system *s, neutral_hold hold)
{
    const neutral_document *d = hold.document;
    bool is_loose = hold.subject == NEUTRAL_NONE && hold.resource == NEUTRAL_NONE && hold.scope == NEUTRAL_NONE;
    hold.count = d->count;
    for (uint32_t i = 0; i < d->count; i++) {
        list_subjects(k, &d->rules[i]);
        for (uint32_t n = 0; !is_loose && n < d->rules[i].subject_count; n++)
            k->c->nodes[d->rules[i].subjects[n]].is_listed = true;
    }
    if (s->is_layered && is_loose && hold.layer < s->layer_count && s->layers[hold.layer].use == USE_CEILING &&
        put(k, LOOSE, hold.layer, hold) < 0)
        return -1;
    if (hold.resource != NEUTRAL_NONE)
        return put(k, OF_RESOURCE, hold.resource, hold);
    if (hold.subject != NEUTRAL_NONE)
        return put(k, OF_NODE, hold.subject, hold);
    return hold.scope != NEUTRAL_NONE ? put(k, OF_SCOPE, hold.scope, hold) : put_by_subjects(k, hold);
}

static int add_attachment(compiler *k, const kim_record *record)
{
    const kim_attachment *a = &record->attachment;
    bool failed = false;
    uint32_t domain = domain_of(k, record->scope), scope = scope_number(k, record->scope);
    kim_text unread = KIM_NO_TEXT;
    if (domain == NEUTRAL_NONE || scope == NEUTRAL_NONE)
        return -1;
    neutral_system *s = system_of(k, domain, a, &unread);
    if (s == NULL)
        return 0; /* no profile says what it means: nobody can ask about it */
    raw_document *raw = find_document(k, scope, domain, a->policy);
    neutral_hold hold = {.source = a, .system = s->number, .subject = NEUTRAL_NONE, .resource = NEUTRAL_NONE, .scope = NEUTRAL_NONE,
                         .reach = reach_of(a), .unread = unread};
    hold.document = raw ? compile_document(k, s, raw) : missing_document(k, a->policy);
    hold.condition = condition_of(k, a->condition, &failed);
    hold.is_bounded = hold.condition || a->starts_unix_ms || a->expires_unix_ms;
    if (a->subject.size && !kim_text_is(a->subject, "*") && (hold.subject = resolve(k, s->domain, a->subject)) == NEUTRAL_NONE)
        return -1;
    if (a->resource.size && (hold.resource = resource_add(k, s->domain, a->resource)) == NEUTRAL_NONE)
        return -1;
    if (a->on_scope.size && (hold.scope = scope_number(k, a->on_scope)) == NEUTRAL_NONE)
        return -1;
    uint32_t layer = layer_of(s, a->layer);
    hold.layer = layer == NEUTRAL_NONE ? UINT8_MAX : (uint8_t)layer;
    if (s->is_layered && layer == NEUTRAL_NONE && kim_text_is_absent(hold.unread)) {
        hold.unread = kim_text_format(k->arena, "layer '%.*s' is none of the profile's", KIM_PRINT(a->layer));
        note_fault(k, kim_text_format(k->arena, "statement '%.*s': layer '%.*s' is none of the profile's",
                                      KIM_PRINT(a->policy), KIM_PRINT(a->layer)));
    }
    if (failed || hold.document == NULL)
        return -1;
    s->reaches_down |= hold.reach > 0 || hold.resource != NEUTRAL_NONE || hold.scope != NEUTRAL_NONE;
    s->has_eligible |= a->eligible;
    return put_hold(k, s, hold);
}

static int add_attachments(compiler *k)
{
    size_t count;
    const kim_record *items = estate_records(k->es, KIM_ATTACHMENT, &count);
    for (size_t i = 0; i < count; i++)
        if (engine_reads(&neutral_engine, items[i].scope) && add_attachment(k, &items[i]) < 0)
            return -1;
    return 0;
}

static int by_bucket(const void *left, const void *right)
{
    const raw_hold *a = left, *b = right;
    bool is_shared = a->kind == OF_NODE; /* a node may hold what several systems hang there */
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (!is_shared && a->hold.system != b->hold.system)
        return a->hold.system < b->hold.system ? -1 : 1;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

static bool is_same_bucket(const raw_hold *a, const raw_hold *b)
{
    return a->kind == b->kind && a->key == b->key && (a->kind == OF_NODE || a->hold.system == b->hold.system);
}

static uint32_t *no_numbers(kim_arena *arena, size_t count)
{
    uint32_t *numbers = KIM_NEW_ARRAY(arena, uint32_t, count + 1);
    for (size_t i = 0; numbers && i <= count; i++)
        numbers[i] = NEUTRAL_NONE;
    return numbers;
}

/* Does what hangs loose in a ceiling's layer always make it there? */
static bool always_bears(const neutral_hold *h)
{
    bool bears = !h->is_bounded && !h->source->eligible && (h->count == 0);
    for (uint32_t i = 0; i < h->count && !h->is_bounded && !h->source->eligible; i++)
        bears |= h->document->rules[i].universe == 0;
    return bears;
}

static int name_bucket(compiler *k, const raw_hold *first, hold_list list, uint32_t number)
{
    neutral *c = k->c;
    neutral_system *s = &c->systems[first->hold.system];
    uint32_t **numbers = first->kind == OF_RESOURCE ? &s->of_resource : &s->of_scope;
    const neutral_domain *d = &c->domains[s->domain];
    switch (first->kind) {
    case OF_EVERYONE:
        s->everyone = list;
        return 0;
    case OF_NODE:
        c->nodes[first->key].bucket = number;
        return 0;
    case LOOSE:
        s->layers[first->key].loose = list;
        for (uint32_t i = 0; i < list.count; i++)
            s->layers[first->key].is_there |= always_bears(&list.items[i]);
        return 0;
    default:
        if (*numbers == NULL)
            *numbers = no_numbers(k->arena, first->kind == OF_RESOURCE ? (d->resource_names ? text_map_count(d->resource_names) : 0)
                                                                       : text_map_count(c->scope_ids));
        if (*numbers == NULL)
            return -1;
        (*numbers)[first->key] = number;
        return 0;
    }
}

static int fill_buckets(compiler *k)
{
    neutral *c = k->c;
    neutral_hold *holds = KIM_NEW_ARRAY(k->arena, neutral_hold, k->hold_count + 1);
    hold_list *buckets = KIM_NEW_ARRAY(k->arena, hold_list, k->hold_count + 1);
    if (holds == NULL || buckets == NULL)
        return -1;
    if (k->hold_count)
        qsort(k->holds, k->hold_count, sizeof *k->holds, by_bucket);
    for (size_t i = 0; i < k->hold_count;) {
        size_t first = i;
        for (; i < k->hold_count && is_same_bucket(&k->holds[first], &k->holds[i]); i++) {
            holds[i] = k->holds[i].hold;
            holds[i].bucket = c->bucket_count;
        }
        buckets[c->bucket_count] = (hold_list){&holds[first], (uint32_t)(i - first)};
        if (name_bucket(k, &k->holds[first], buckets[c->bucket_count], c->bucket_count) < 0)
            return -1;
        c->bucket_count++;
    }
    c->buckets = buckets;
    return 0;
}

/* ---- profiles ---- */

static const char *const uses[] = {[USE_GRANT] = "grant", [USE_CEILING] = "ceiling", [USE_VETO] = "veto", [USE_DELEGATION] = "delegation"};

/* "ceiling", or "ceiling:role,identity" for one that is over these layers' grants alone. */
static bool read_use(neutral_system *s, neutral_layer *layer, kim_text text)
{
    const char *colon = text.size ? memchr(text.bytes, ':', text.size) : NULL;
    kim_text word = {text.bytes, colon ? (size_t)(colon - text.bytes) : text.size};
    size_t use = 0;
    while (use < sizeof uses / sizeof *uses && !kim_text_is(word, uses[use]))
        use++;
    layer->use = (layer_use)use;
    layer->over = ~UINT64_C(0);
    if (use == sizeof uses / sizeof *uses || (colon && use != USE_CEILING && use != USE_DELEGATION))
        return false;
    layer->over = colon ? 0 : layer->over;
    for (const char *at = colon, *end = text.bytes + text.size; at && at < end;) {
        const char *comma = memchr(at + 1, ',', (size_t)(end - at - 1));
        kim_text name = {at + 1, (size_t)((comma ? comma : end) - at - 1)};
        uint32_t of = layer_of(s, name);
        if (of == NEUTRAL_NONE)
            return false;
        layer->over |= UINT64_C(1) << of;
        at = comma;
    }
    return true;
}

static int read_layers(compiler *k, neutral_system *s)
{
    kim_pairs from = s->profile->layers;
    uint32_t count = from.count < NEUTRAL_LAYERS_MAX ? (uint32_t)from.count : NEUTRAL_LAYERS_MAX;
    s->layers = KIM_NEW_ARRAY(k->arena, neutral_layer, count + 1);
    if (s->layers == NULL)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        if (layer_of(s, from.items[i].name) != NEUTRAL_NONE)
            s->fault = kim_text_format(k->arena, "profile: two layers have the name '%.*s'", KIM_PRINT(from.items[i].name));
        s->layers[s->layer_count++].name = from.items[i].name;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!read_use(s, &s->layers[i], from.items[i].value) && s->is_layered)
            s->fault = kim_text_format(k->arena, "profile: layer '%.*s' has the use '%.*s'; write grant, ceiling, veto or delegation",
                                       KIM_PRINT(from.items[i].name), KIM_PRINT(from.items[i].value));
    if (s->is_layered && from.count > NEUTRAL_LAYERS_MAX)
        s->fault = kim_text_format(k->arena, "profile: it has more than %d layers", NEUTRAL_LAYERS_MAX);
    if (s->is_layered && from.count == 0)
        s->fault = KIM_TEXT("profile: it is layered and names no layers; write \"layers\":[{\"name\":\"role\",\"use\":\"grant\"}]");
    return 0;
}

static int by_specificity(const void *left, const void *right)
{
    const class_default *a = left, *b = right;
    if (a->of.is_plain != b->of.is_plain)
        return a->of.is_plain ? -1 : 1;
    if (a->of.text.size != b->of.text.size)
        return a->of.text.size > b->of.text.size ? -1 : 1;
    return kim_text_compare(a->of.text, b->of.text);
}

static int read_defaults(compiler *k, neutral_system *s)
{
    kim_pairs from = s->profile->default_by_action;
    class_default *defaults = KIM_NEW_ARRAY(k->arena, class_default, from.count + 1);
    if (defaults == NULL)
        return -1;
    for (size_t i = 0; i < from.count && s->words; i++) {
        kim_error why = {0};
        bool allows = kim_text_is(from.items[i].value, "allow");
        if (!allows && !kim_text_is(from.items[i].value, "deny"))
            kim_fail(&why, KIM_ERR_INPUT, "'%.*s' is neither allow nor deny", KIM_PRINT(from.items[i].value));
        else if (pattern_read(s->words, PATTERN_OF_ACTIONS, from.items[i].name, s->nocase, k->arena, &defaults[s->default_count].of, &why) == 0)
            defaults[s->default_count++].allows = allows;
        if (why.code == KIM_ERR_NOMEM)
            return -1;
        if (why.code != KIM_OK)
            s->fault = kim_text_format(k->arena, "profile: default_by_action: %s", why.message);
    }
    qsort(defaults, s->default_count, sizeof *defaults, by_specificity);
    s->defaults = defaults;
    return 0;
}

static int read_profile(compiler *k, const kim_record *record, neutral_system *s)
{
    const kim_profile *p = &record->profile;
    s->profile = p;
    s->how = combining_find(p->combining);
    s->words = language_find(p->wildcard.size ? p->wildcard : KIM_TEXT("exact"));
    s->nocase = kim_text_is(p->letter_case, "insensitive");
    s->is_layered = s->how && combining_is_layered(s->how);
    s->by_order = s->how && combining_is_by_order(s->how);
    if (s->how == NULL)
        s->fault = kim_text_format(k->arena, "profile: combining '%.*s' is not known; write deny-overrides, allow-union, first-match, "
                                   "most-specific, nearest-explicit or layered", KIM_PRINT(p->combining));
    else if (s->words == NULL)
        s->fault = kim_text_format(k->arena, "profile: wildcard language '%.*s' is not known; write one of %s", KIM_PRINT(p->wildcard), language_names());
    else if (p->letter_case.size && !s->nocase && !kim_text_is(p->letter_case, "sensitive"))
        s->fault = kim_text_format(k->arena, "profile: case '%.*s' is not known; write sensitive or insensitive", KIM_PRINT(p->letter_case));
    s->lists = KIM_NEW_ARRAY(k->arena, pattern_list, 8);
    k->lists[s->number] = text_map_new(k->scratch);
    if (s->lists == NULL || k->lists[s->number] == NULL || read_layers(k, s) < 0 || read_defaults(k, s) < 0)
        return -1;
    s->list_room = 8;
    s->lists[s->list_count++] = (pattern_list){.names_all = true};
    if (!kim_text_is_absent(s->fault))
        note_fault(k, s->fault);
    return 0;
}

static int add_systems(compiler *k)
{
    size_t count;
    neutral *c = k->c;
    const kim_record *items = estate_records(k->es, KIM_PROFILE, &count);
    c->systems = KIM_NEW_ARRAY(k->arena, neutral_system, count + 1);
    k->patterns = kim_arena_array(k->scratch, count + 1, sizeof *k->patterns);
    k->lists = (text_map **)kim_arena_array(k->scratch, count + 1, sizeof *k->lists);
    if (c->systems == NULL || k->patterns == NULL || k->lists == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!engine_reads(&neutral_engine, items[i].scope))
            continue;
        neutral_system *s = &c->systems[c->system_count];
        *s = (neutral_system){.number = c->system_count, .scope = scope_number(k, items[i].scope), .next = NEUTRAL_NONE};
        if (s->scope == NEUTRAL_NONE)
            return -1;
        s->domain = c->scopes[s->scope].domain;
        if (s->domain == NEUTRAL_NONE && (s->domain = domain_add(k, s->scope)) == NEUTRAL_NONE)
            return -1;
        if (read_profile(k, &items[i], s) < 0)
            return -1;
        neutral_domain *d = &c->domains[s->domain];
        d->nocase |= s->nocase;
        s->next = d->first_system;
        d->first_system = c->system_count++;
    }
    return 0;
}

/* ---- what was not read ---- */

static int add_gaps(compiler *k)
{
    size_t count;
    neutral *c = k->c;
    const kim_record *items = estate_records(k->es, KIM_COVERAGE, &count);
    for (size_t i = 0; i < count; i++) {
        const kim_coverage *one = &items[i].coverage;
        if (!engine_reads(&neutral_engine, items[i].scope) || (one->status != KIM_UNREADABLE && one->status != KIM_PARTIAL) ||
            kim_text_starts_with(one->part, KIM_TEXT("log:")))
            continue;
        uint32_t domain = domain_of(k, items[i].scope);
        if (domain == NEUTRAL_NONE)
            return -1;
        for (uint32_t n = c->domains[domain].first_system; n != NEUTRAL_NONE; n = c->systems[n].next) {
            neutral_system *s = &c->systems[n];
            const kim_coverage **gaps = (const kim_coverage **)kim_arena_array(k->arena, s->gap_count + 1, sizeof *gaps);
            if (gaps == NULL)
                return -1;
            if (s->gap_count)
                memcpy(gaps, s->gaps, s->gap_count * sizeof *gaps);
            gaps[s->gap_count++] = one;
            s->gaps = gaps;
        }
    }
    return 0;
}

/* ---- all of it ---- */

static int compile_all(compiler *k)
{
    neutral *c = k->c;
    c->scope_ids = text_map_new(k->arena);
    c->declared = text_map_new(k->arena);
    k->document_names = text_map_new(k->scratch);
    k->document_ids = text_map_new(k->scratch);
    k->conditions = text_map_new(k->scratch);
    if (c->scope_ids == NULL || c->declared == NULL || k->document_names == NULL || k->document_ids == NULL || k->conditions == NULL)
        return -1;
    return add_systems(k) < 0 || add_identities(k) < 0 || add_resources(k) < 0 || add_edges(k) < 0 || add_documents(k) < 0 ||
                   add_attachments(k) < 0 || add_gaps(k) < 0 || fill_buckets(k) < 0 || number_sets(k) < 0
               ? -1 : 0;
}

neutral *neutral_compile(estate *es, kim_error *err)
{
    compiler k = {.es = es, .arena = kim_arena_new(SIZE_MAX), .scratch = kim_arena_new(SIZE_MAX)};
    k.c = k.arena && k.scratch ? KIM_NEW(k.arena, neutral) : NULL;
    if (k.c)
        *k.c = (neutral){.arena = k.arena, .es = es};
    bool is_made = k.c && compile_all(&k) == 0 && !kim_arena_is_full(k.arena) && !kim_arena_is_full(k.scratch);
    kim_arena_free(k.scratch);
    if (is_made)
        return k.c;
    kim_arena_free(k.arena);
    kim_fail(err, KIM_ERR_NOMEM, "no memory to ready the estate's statements");
    return NULL;
}

void neutral_forget(void *compiled)
{
    neutral *c = compiled;
    kim_arena_free(c->arena);
}
