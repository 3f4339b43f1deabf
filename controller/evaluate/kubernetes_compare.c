/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes_compare.c - two lists of rules as sets of requests.
 *
 * A pattern of a rule is a product: verbs, an API group, a resource, a name. Where it has a wildcard there are endlessly many
 * texts, and rules name finitely many: a text that none of them names stands for all the others. So the
 * candidate allows something that the reference does not exactly where it does for such a request, one for each
 * pattern and verb. The request is the witness, and it is tried on both sides before it is told.
 * Source: what a rule covers is as in component-helpers/auth/rbac/validation/policy_comparator.go; texts
 * that cannot be a resource's are texts here too.
 */
#include <stdlib.h>

#include "controller/evaluate/kubernetes.h"
#include "controller/evaluate/name_list.h"

enum { STEPS_MAX = 100 * 1000 * 1000 }; /* looks at a use; a second or so */

typedef enum says { SAYS_NO, SAYS_YES, SAYS_PERHAPS } says;

typedef struct comparison {
    const k8s_cluster *c;
    kim_arena *arena, *scratch; /* scratch: of one request */
    size_t steps;
    kim_text verb, api_group, resource, name; /* that no rule names */
    kubernetes_request witness; /* of the side at hand */
    kim_error *err;
} comparison;

/* ---- roles of a case ---- */

uint32_t kubernetes_role_number(const k8s_cluster *c, const char *layer, kim_text id)
{
    for (uint32_t i = 0; i < c->role_count; i++)
        if (kim_text_equal(c->roles[i].id, id) && kim_text_is(c->roles[i].layer, layer) && c->roles[i].is_there)
            return i;
    return K8S_UNKNOWN;
}

static const k8s_cluster *only_cluster(estate *es, kim_error *err)
{
    const kubernetes_index *index = engine_compiled(&kubernetes_engine, es, err);
    if (index == NULL)
        return NULL;
    if (!kim_text_is_absent(index->first_unread)) {
        kim_fail(err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(index->first_unread));
        return NULL;
    }
    return kubernetes_cluster_of(index, KIM_NO_TEXT, KIM_NO_TEXT, err);
}

/* ---- texts that no rule names ---- */

/* A text that the map does not have: the nice ones first. */
static kim_text fresh(const text_map *map, const char *const *nice, kim_arena *arena)
{
    for (; *nice; nice++)
        if (text_map_find(map, kim_text_of(*nice)) == UINT32_MAX)
            return kim_text_of(*nice);
    for (uint32_t i = 0;; i++) { /* ends: the map has finitely many */
        kim_text text = kim_text_format(arena, "other-%u", i);
        if (kim_text_is_absent(text) || text_map_find(map, text) == UINT32_MAX)
            return text;
    }
}

/* None whose combination with any subresource is named either. */
static kim_text fresh_resource(const comparison *c)
{
    for (uint32_t i = 0;; i++) {
        kim_text name = i ? kim_text_format(c->arena, "others%u", i) : KIM_TEXT("others");
        bool named = false;
        for (uint32_t k = 0; k < text_map_count(c->c->resources) && !named; k++) {
            kim_text one = text_map_text(c->c->resources, k);
            named = kim_text_starts_with(one, name) && (one.size == name.size || one.bytes[name.size] == '/');
        }
        if (!named || kim_text_is_absent(name))
            return name;
    }
}

/* The name is "" unless a rule has that too: a request for no single object, such as a list. */
static int find_fresh(comparison *c)
{
    static const char *const verbs[] = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", NULL};
    static const char *const groups[] = {"apps", "batch", "example.com", NULL};
    static const char *const names[] = {"", "other", NULL};
    c->verb = fresh(c->c->verbs, verbs, c->arena);
    c->api_group = fresh(c->c->api_groups, groups, c->arena);
    c->resource = fresh_resource(c);
    c->name = fresh(c->c->names, names, c->arena);
    return kim_arena_is_full(c->arena) ? -1 : 0;
}

static bool goes_on_so(const text_map *map, kim_text begin)
{
    for (uint32_t i = 0; i < text_map_count(map); i++)
        if (kim_text_starts_with(text_map_text(map, i), begin))
            return true;
    return false;
}

/* A path below the prefix that neither is one of the rules' paths nor begins like a longer prefix. Absent where all that were
 * tried are taken. */
static kim_text fresh_path(comparison *c, kim_text prefix)
{
    static const char all[] = "/otherabcdfgijklmnpqsuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_~/";
    const char *letters = prefix.size ? all + 1 : all; /* a real path begins with a slash */
    for (size_t i = 0; letters[i]; i++)
        for (size_t k = 0; all[k + 1]; k++) {
            kim_text path = kim_text_format(c->scratch, "%.*s%c%c", KIM_PRINT(prefix), letters[i], all[k + 1]);
            kim_text shorter = {path.bytes, path.size - 1};
            if (kim_text_is_absent(path))
                return path;
            c->steps += text_map_count(c->c->prefixes) + text_map_count(c->c->paths);
            if (c->steps > STEPS_MAX)
                return KIM_NO_TEXT;
            if (!goes_on_so(c->c->prefixes, shorter) && !goes_on_so(c->c->paths, path))
                return path;
        }
    return KIM_NO_TEXT;
}

/* ---- one pattern ---- */

/* The request that stands for all that the pattern's wildcards cover; its verb is still to be set. False without memory. */
static bool stand_for_resource(comparison *c, kim_text pattern, kubernetes_request *out)
{
    kubernetes_name n;
    if (kubernetes_name_read(pattern, c->scratch, &n, c->err) < 0)
        return false;
    bool has_subresource = !kim_text_is_absent(n.subresource), any = kim_text_is(n.resource, "*");
    *out = (kubernetes_request){.api_group = kim_text_is(n.api_group, "*") ? c->api_group : n.api_group,
                                .resource = any ? c->resource : n.resource,
                                .subresource = n.subresource,
                                .name = kim_text_is_absent(n.name) ? c->name : n.name};
    if (has_subresource && n.subresource.size == 0) { /* "pods/": no subresource, and a sign more */
        *out = (kubernetes_request){.api_group = out->api_group, .resource = kim_text_format(c->scratch, "%.*s/", KIM_PRINT(n.resource)),
                                    .name = out->name};
    }
    return !kim_arena_is_full(c->scratch);
}

/* The same of a path; SAYS_PERHAPS where no path can be told that stands for all. */
static bool stand_for_path(comparison *c, kim_text pattern, kubernetes_request *out)
{
    kim_text prefix = pattern;
    while (prefix.size && prefix.bytes[prefix.size - 1] == '*')
        prefix.size--;
    *out = (kubernetes_request){.path = prefix.size == pattern.size ? pattern : fresh_path(c, prefix)};
    return !kim_text_is_absent(out->path);
}

/* Every use by the reference of the request's cells, and what verbs it gives: is each of the rule's verbs among them? */
typedef struct verbs {
    uint64_t *words;
    size_t count;
} verbs;

static void add_verbs(const k8s_rule *r, verbs *to)
{
    to->words[0] |= r->verbs;
    for (uint32_t i = 0; i < r->more_count; i++)
        to->words[r->more[i] / 64] |= UINT64_C(1) << (r->more[i] % 64);
}

static void verbs_given(comparison *c, uint32_t role, const k8s_asked *asked, verbs *out)
{
    memset(out->words, 0, out->count * sizeof *out->words);
    for (size_t i = 0; i < asked->cell_count; i++) {
        uint32_t at = pair_map_find(&c->c->runs, role, asked->cells[i]);
        k8s_run run = at == K8S_UNKNOWN ? (k8s_run){0, 0} : c->c->role_cells[at];
        for (uint32_t u = run.first; u < run.first + run.count; u++, c->steps++)
            if (c->c->uses[u].name == K8S_NONE || c->c->uses[u].name == asked->name)
                add_verbs(&c->c->rules[c->c->uses[u].rule], out);
    }
}

/* A verb of the rule that is not given; absent: all are. "*" is a verb that nobody names. */
static kim_text lacking_verb(comparison *c, const k8s_rule *r, const verbs *given)
{
    if (given->words[0] & 1)
        return KIM_NO_TEXT;
    for (size_t i = 0; i < r->source->actions.count; i++) {
        kim_text verb = r->source->actions.items[i];
        uint32_t number = text_map_find(c->c->verbs, verb);
        c->steps++;
        if (number == 0)
            return c->verb;
        if (!(given->words[number / 64] >> (number % 64) & 1))
            return verb;
    }
    return KIM_NO_TEXT;
}

/* Does what the pattern allows go beyond the role? */
static says goes_beyond(comparison *c, const k8s_rule *r, kim_text pattern, uint32_t role, verbs *given)
{
    k8s_asked asked;
    kubernetes_request request;
    kim_arena_reset(c->scratch);
    if (!(r->is_paths ? stand_for_path : stand_for_resource)(c, pattern, &request))
        return SAYS_PERHAPS;
    request.verb = KIM_TEXT("");
    if (kubernetes_ask(c->c, &request, c->scratch, &asked, c->err) < 0)
        return SAYS_PERHAPS;
    verbs_given(c, role, &asked, given);
    request.verb = lacking_verb(c, r, given);
    if (kim_text_is_absent(request.verb))
        return SAYS_NO;
    c->witness = request;
    return SAYS_YES;
}

/* Beyond all doubt: one side allows it, and the other does not. */
static bool is_witness(comparison *c, uint32_t only, uint32_t other)
{
    k8s_asked asked;
    return kubernetes_ask(c->c, &c->witness, c->scratch, &asked, c->err) == 0 &&
           (only == K8S_UNKNOWN || kubernetes_role_allows(c->c, only, &asked)) &&
           (other == K8S_UNKNOWN || !kubernetes_role_allows(c->c, other, &asked));
}

/* Does `only` allow what `other` does not? */
static says find(comparison *c, uint32_t only, uint32_t other)
{
    const k8s_role *role = only == K8S_UNKNOWN ? NULL : &c->c->roles[only];
    verbs given = {.count = text_map_count(c->c->verbs) / 64 + 1};
    says result = SAYS_NO;
    given.words = KIM_NEW_ARRAY(c->arena, uint64_t, given.count);
    if (given.words == NULL)
        return SAYS_PERHAPS;
    for (uint32_t i = 0; role && i < role->rule_count; i++) {
        const k8s_rule *r = &c->c->rules[role->first_rule + i];
        for (size_t k = 0; k < r->source->resources.count; k++) {
            says one = goes_beyond(c, r, r->source->resources.items[k], other, &given);
            if (one == SAYS_YES)
                return is_witness(c, only, other) ? SAYS_YES : SAYS_PERHAPS;
            result = one == SAYS_PERHAPS ? SAYS_PERHAPS : result;
            if (c->steps > STEPS_MAX)
                return SAYS_PERHAPS;
        }
    }
    return result;
}

/* ---- the answer ---- */

static void put(kim_json_writer *writer, const char *name, kim_text value)
{
    kim_json_key(writer, name);
    kim_json_put_text(writer, kim_text_is_absent(value) ? KIM_TEXT("") : value);
}

static void write_witness(const char *only, const kubernetes_request *r, kim_json_writer *writer)
{
    kim_json_begin_object(writer);
    kim_json_key(writer, "only");
    kim_json_put_string(writer, only);
    kim_json_key(writer, "request");
    kim_json_begin_object(writer);
    put(writer, "verb", r->verb);
    if (!kim_text_is_absent(r->path)) {
        put(writer, "path", r->path);
    } else {
        put(writer, "api_group", r->api_group);
        put(writer, "resource", r->resource);
        put(writer, "subresource", r->subresource);
        put(writer, "name", r->name);
    }
    kim_json_end_object(writer);
    kim_json_end_object(writer);
}

static kim_text kept(kim_arena *arena, kim_text text)
{
    return kim_text_copy(arena, text);
}

static kubernetes_request keep(const comparison *c)
{
    const kubernetes_request *w = &c->witness;
    return (kubernetes_request){.verb = kept(c->arena, w->verb), .api_group = kept(c->arena, w->api_group),
                                .resource = kept(c->arena, w->resource), .subresource = kept(c->arena, w->subresource),
                                .name = kept(c->arena, w->name), .path = kept(c->arena, w->path)};
}

static void write_side(const char *name, says found, kim_json_writer *writer)
{
    kim_json_key(writer, name);
    if (found == SAYS_PERHAPS)
        kim_json_put_string(writer, "unknown");
    else
        kim_json_put_bool(writer, found == SAYS_YES);
}

static int compare_roles(comparison *c, kim_json_writer *writer)
{
    uint32_t reference = kubernetes_role_number(c->c, "cluster_role", KIM_TEXT("reference"));
    uint32_t candidate = kubernetes_role_number(c->c, "cluster_role", KIM_TEXT("candidate"));
    if (find_fresh(c) < 0)
        return kim_fail(c->err, KIM_ERR_NOMEM, "no memory to compare rules");
    says gained = find(c, candidate, reference);
    kubernetes_request more = keep(c);
    says lost = find(c, reference, candidate);
    kubernetes_request less = keep(c);
    if (kim_arena_is_full(c->arena) || kim_arena_is_full(c->scratch))
        return kim_fail(c->err, KIM_ERR_NOMEM, "no memory to compare rules");
    write_side("new_access", gained, writer);
    write_side("lost_access", lost, writer);
    kim_json_key(writer, "because");
    kim_json_begin_array(writer);
    if (gained == SAYS_YES)
        write_witness("candidate", &more, writer);
    if (lost == SAYS_YES)
        write_witness("reference", &less, writer);
    kim_json_end_array(writer);
    if (gained == SAYS_PERHAPS || lost == SAYS_PERHAPS) {
        kim_json_key(writer, "why");
        kim_json_put_string(writer, "the rules tell more kinds of requests apart than were tried");
    }
    return 0;
}

int kubernetes_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    comparison c = {.c = only_cluster(es, err), .arena = kim_arena_new(SIZE_MAX), .scratch = kim_arena_new(SIZE_MAX), .err = err};
    int result = -1;
    (void)line; /* the provider made policies of its rules */
    if (c.c && (c.arena == NULL || c.scratch == NULL))
        kim_fail(err, KIM_ERR_NOMEM, "no memory to compare rules");
    else if (c.c)
        result = compare_roles(&c, writer);
    kim_arena_free(c.arena);
    kim_arena_free(c.scratch);
    return result;
}

/* ---- what rules list ---- */

/* "get pods/log": each verb on each resource, as they are written. */
static void list_role(const k8s_cluster *c, uint32_t number, name_list *out)
{
    const k8s_role *role = number == K8S_UNKNOWN ? NULL : &c->roles[number];
    for (uint32_t i = 0; role && i < role->rule_count; i++) {
        const kim_statement *s = c->rules[role->first_rule + i].source;
        for (size_t r = 0; r < s->resources.count && !kim_arena_is_full(out->arena); r++)
            for (size_t v = 0; v < s->actions.count; v++)
                name_list_add(out, kim_text_format(out->arena, "%.*s %.*s", KIM_PRINT(s->actions.items[v]), KIM_PRINT(s->resources.items[r])));
    }
}

enum { EXPAND_MAX_BYTES = 256 * 1024 * 1024 };

int kubernetes_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    const k8s_cluster *c = only_cluster(es, err);
    name_list actions = {.arena = kim_arena_new(EXPAND_MAX_BYTES)};
    int result = -1;
    (void)line;
    if (c && actions.arena) {
        list_role(c, kubernetes_role_number(c, "cluster_role", KIM_TEXT("expand")), &actions);
        result = actions.failed || kim_arena_is_full(actions.arena) ? kim_fail(err, KIM_ERR_LIMIT, "expand: the rules list more than is written out") : 0;
    } else if (c) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to list actions");
    }
    if (result == 0) {
        name_list_settle(&actions);
        kim_json_key(writer, "actions");
        kim_json_put_texts(writer, (kim_texts){actions.items, actions.count});
    }
    kim_arena_free(actions.arena);
    return result;
}
