/* SPDX-License-Identifier: Apache-2.0
 *
 * azure_model.c - names become numbers, and rows are sorted by the number that asks for them.
 *
 * A place is what something is assigned at, by one text: "azure:T" and "azure:T/mg/NAME" for what stands
 * above subscriptions, Azure's own id in lower case below, "dir:T", "dir:T/au/ID" and "dir:/PATH" in a
 * directory, "graph:ID" for an API that offers permissions.
 */
#include "controller/evaluate/azure_model.h"

#include <stdlib.h>

#include <kim/limits.h>

#include "controller/evaluate/engine.h"

/* ---- whose ---- */

bool azure_owns(kim_text scope)
{
    if (!kim_text_starts_with(scope, KIM_TEXT("dir:")))
        return false;
    kim_text tenant = {scope.bytes + 4, scope.size - 4};
    const char *slash = memchr(tenant.bytes, '/', tenant.size);
    if (slash)
        tenant.size = (size_t)(slash - tenant.bytes);
    if (kim_text_is(tenant, "-"))
        return true; /* documents that do not tell their tenant */
    for (size_t i = 0; i < tenant.size; i++) {
        char c = tenant.bytes[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return tenant.size == 36;
}

static bool is_ours(kim_text scope)
{
    return engine_reads(&azure_engine, scope);
}

/* ---- texts ---- */

static kim_text joined(kim_arena *arena, kim_text a, kim_text b)
{
    char *bytes = kim_arena_bytes(arena, a.size + b.size + 1);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    if (a.size)
        memcpy(bytes, a.bytes, a.size);
    if (b.size)
        memcpy(bytes + a.size, b.bytes, b.size);
    return (kim_text){bytes, a.size + b.size};
}

/* Eight letters at a time: a capital has its bit 5 set. Bytes past ASCII stay as they are. */
static uint64_t folded(uint64_t word)
{
    uint64_t ascii = ~word & UINT64_C(0x8080808080808080), low = word & UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t from_a = low + UINT64_C(0x3F3F3F3F3F3F3F3F), past_z = low + UINT64_C(0x2525252525252525);
    return word | ((from_a & ~past_z & ascii) >> 2);
}

static void fold(char *to, kim_text from)
{
    size_t i = 0;
    for (; i + 8 <= from.size; i += 8) {
        uint64_t word;
        memcpy(&word, from.bytes + i, sizeof word);
        word = folded(word);
        memcpy(to + i, &word, sizeof word);
    }
    for (; i < from.size; i++)
        to[i] = from.bytes[i] >= 'A' && from.bytes[i] <= 'Z' ? (char)(from.bytes[i] + 32) : from.bytes[i];
}

/* Slashes in a row are one, one stands in front and none behind; neither do blanks. */
static kim_text with_single_slashes(char *bytes, kim_text folded_scope)
{
    size_t size = 0;
    for (size_t i = 0; i < folded_scope.size; i++) {
        char c = folded_scope.bytes[i];
        if (c == '/' || (c == ' ' && size == 0))
            continue;
        if (size == 0 || folded_scope.bytes[i - 1] == '/')
            bytes[size++] = '/';
        bytes[size++] = c;
    }
    while (size > 0 && bytes[size - 1] == ' ')
        size--;
    if (size == 0)
        bytes[size++] = '/';
    return (kim_text){bytes, size};
}

kim_text azure_scope_text(kim_text scope, kim_arena *arena)
{
    char *bytes = kim_arena_bytes(arena, scope.size + 2);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    fold(bytes, scope);
    kim_text text = {bytes, scope.size};
    bool is_plain = text.size > 1 && bytes[0] == '/' && bytes[text.size - 1] != '/' && bytes[text.size - 1] != ' ' && bytes[1] != ' ' &&
                    memmem(bytes, text.size, "//", 2) == NULL;
    if (is_plain)
        return text;
    char *clean = kim_arena_bytes(arena, scope.size + 2);
    return clean ? with_single_slashes(clean, text) : KIM_NO_TEXT;
}

static kim_text after(kim_text text, size_t size)
{
    return (kim_text){text.bytes + size, text.size - size};
}

static kim_text first_segment(kim_text path) /* of "a/b/c" */
{
    const char *slash = path.size ? memchr(path.bytes, '/', path.size) : NULL;
    return (kim_text){path.bytes, slash ? (size_t)(slash - path.bytes) : path.size};
}

static const char subscriptions[] = "/subscriptions/", groups[] = "/providers/microsoft.management/managementgroups/";

/* ---- universes ---- */

/* Namespaces of Entra's directory roles. Source: Microsoft Learn, "Microsoft Entra built-in roles". */
static const char *const directory_namespaces[] = {
    "microsoft.directory/", "microsoft.aad.", "microsoft.office365.", "microsoft.azure.", "microsoft.commerce.", "microsoft.teams/",
    "microsoft.hardware.support/", "microsoft.viva.", "microsoft.windows.", "microsoft.graph."};

azure_universe azure_universe_of(kim_text action, bool data)
{
    if (data)
        return AZURE_DATA;
    enum { FIRST_OWN = 10 }; /* behind "microsoft." */
    for (size_t i = 0; action.size > FIRST_OWN && i < sizeof directory_namespaces / sizeof *directory_namespaces; i++)
        if (action.bytes[FIRST_OWN] == directory_namespaces[i][FIRST_OWN] && kim_text_starts_with(action, kim_text_of(directory_namespaces[i])))
            return AZURE_DIRECTORY;
    if (action.size && memmem(action.bytes, action.size, "/allentities/", 13))
        return AZURE_DIRECTORY;
    bool is_path = action.size && memchr(action.bytes, '/', action.size), is_dotted = action.size && memchr(action.bytes, '.', action.size);
    return is_path || !is_dotted ? AZURE_CONTROL : AZURE_GRAPH;
}

static bool universe_read(kim_text word, azure_universe *out)
{
    static const char *const words[] = {"control", "data", "directory", "graph"};
    for (int i = 0; i < AZURE_UNIVERSES; i++)
        if (kim_text_is(word, words[i])) {
            *out = (azure_universe)i;
            return true;
        }
    return false;
}

/* ---- rows by numbers ---- */

/* The order of rows by their keys, and the range of each key: a counting sort, which keeps equal rows as they were. */
static bool sort_rows(kim_arena *arena, const uint32_t *keys, size_t count, size_t groups_count, uint32_t **order, azure_range **ranges)
{
    *order = KIM_NEW_ARRAY(arena, uint32_t, count + 1);
    *ranges = KIM_NEW_ARRAY(arena, azure_range, groups_count + 1);
    if (*order == NULL || *ranges == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        (*ranges)[keys[i]].count++;
    uint32_t first = 0;
    for (size_t g = 0; g < groups_count; g++) {
        (*ranges)[g].first = first;
        first += (*ranges)[g].count;
        (*ranges)[g].count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        azure_range *range = &(*ranges)[keys[i]];
        (*order)[range->first + range->count++] = (uint32_t)i;
    }
    return true;
}

/* ---- terms ---- */

static void note_unread(azure_model *m, kim_text what, kim_text why)
{
    if (kim_text_is_absent(m->first_unread))
        m->first_unread = kim_text_format(m->arena, "%.*s: %.*s", KIM_PRINT(what), KIM_PRINT(why));
}

static const azure_terms *terms_of(azure_model *m, kim_condition condition, kim_text what)
{
    if (condition.text.size == 0)
        return NULL;
    kim_text id = joined(m->arena, kim_text_is(condition.lang, "azure") ? KIM_TEXT("a") : KIM_TEXT("o"), condition.text);
    uint32_t known = text_map_count(m->terms_ids), number = text_map_add(m->terms_ids, id);
    if (number == UINT32_MAX)
        return NULL;
    if (number < known) {
        if (m->terms[number]->unread.size)
            note_unread(m, what, m->terms[number]->unread);
        return m->terms[number];
    }
    azure_terms *t = KIM_NEW(m->arena, azure_terms);
    if (number % 256 == 0) { /* a page more */
        const azure_terms **grown = (const azure_terms **)kim_arena_array(m->arena, number + 256, sizeof *grown);
        if (grown && number)
            memcpy(grown, m->terms, number * sizeof *grown);
        m->terms = grown;
    }
    if (t == NULL || m->terms == NULL)
        return NULL;
    if (kim_text_is(condition.lang, "azure"))
        t->condition = azure_condition_compile(condition.text, m->keys, m->arena, &t->unread);
    else if (kim_text_is(condition.lang, "entra"))
        t->foreign = condition.text;
    else
        t->unread = kim_text_is(condition.lang, "none") ? condition.text
                                                        : kim_text_format(m->arena, "a condition in the language '%.*s'", KIM_PRINT(condition.lang));
    if (t->condition == NULL && kim_text_is_absent(t->foreign) && kim_text_is_absent(t->unread))
        t->unread = KIM_TEXT("a condition that could not be read");
    m->terms[number] = t;
    if (t->unread.size)
        note_unread(m, what, t->unread);
    return t;
}

/* ---- roles ---- */

/* One pattern's number. `allEntities`, `allProperties` and `allTasks` of a directory's actions stand for any. */
static uint32_t add_pattern(azure_model *m, kim_text text)
{
    kim_text lower = kim_text_lower(m->arena, text);
    return kim_text_is_absent(lower) ? UINT32_MAX : text_map_add(m->patterns, lower);
}

static kim_text replaced(kim_arena *arena, kim_text text, const char *what, const char *with)
{
    size_t size = strlen(what);
    char *found = text.size >= size ? memmem(text.bytes, text.size, what, size) : NULL;
    if (found == NULL)
        return text;
    kim_text head = {text.bytes, (size_t)(found - text.bytes)}, tail = {found + size, text.size - head.size - size};
    return joined(arena, joined(arena, head, kim_text_of(with)), tail);
}

static size_t directory_patterns(kim_arena *arena, kim_text written, kim_text out[2])
{
    kim_text lower = kim_text_lower(arena, written);
    kim_text any = replaced(arena, replaced(arena, replaced(arena, lower, "/allentities", "/*"), "/allproperties/alltasks", "/*"), "/alltasks", "/*");
    out[0] = replaced(arena, any, "/allproperties/", "/*/");
    out[1] = replaced(arena, any, "/allproperties/", "/");
    return kim_text_equal(out[0], out[1]) ? 1 : 2;
}

static const uint32_t *numbers_of(azure_model *m, azure_universe universe, kim_texts patterns, size_t *count)
{
    uint32_t *numbers = KIM_NEW_ARRAY(m->arena, uint32_t, 2 * patterns.count + 1);
    *count = 0;
    for (size_t i = 0; numbers && i < patterns.count; i++) {
        kim_text texts[2] = {patterns.items[i], KIM_NO_TEXT};
        size_t parts = universe == AZURE_DIRECTORY ? directory_patterns(m->arena, patterns.items[i], texts) : 1;
        for (size_t k = 0; k < parts; k++)
            numbers[(*count)++] = add_pattern(m, texts[k]);
    }
    return numbers;
}

static const uint32_t *subjects_of(azure_model *m, kim_texts subjects, size_t *count, bool *everyone)
{
    uint32_t *numbers = KIM_NEW_ARRAY(m->arena, uint32_t, subjects.count + 1);
    *count = 0;
    for (size_t i = 0; numbers && i < subjects.count; i++)
        if (kim_text_is(subjects.items[i], "*"))
            *everyone = true;
        else
            numbers[(*count)++] = text_map_add(m->subject_ids, subjects.items[i]);
    return numbers;
}

static void read_permission(azure_model *m, azure_role *role, const kim_statement *s)
{
    azure_permission *p = &role->permissions[role->count++];
    bool nobody = false; /* all principals cannot be excluded */
    *p = (azure_permission){.number = (uint32_t)m->permission_count++, .role = role, .name = s->sid, .source = s, .unread = s->unread};
    if (!universe_read(s->universe, &p->universe) && kim_text_is_absent(p->unread))
        p->unread = KIM_TEXT("a statement about actions of another kind");
    p->actions = numbers_of(m, p->universe, s->actions, &p->action_count);
    p->not_actions = numbers_of(m, p->universe, s->not_actions, &p->not_action_count);
    p->subjects = subjects_of(m, s->subjects, &p->subject_count, &p->everyone);
    p->not_subjects = subjects_of(m, s->not_subjects, &p->not_subject_count, &nobody);
    p->terms = terms_of(m, s->condition, role->label);
    if (p->unread.size)
        note_unread(m, role->label, p->unread);
}

/* Policies and statements both come sorted by the policy's id. Of a role that several tenants have, one counts. */
static bool read_roles(azure_model *m)
{
    size_t count, statement_count, at = 0;
    const kim_record *items = estate_records(m->es, KIM_POLICY, &count);
    const kim_record *statements = estate_records(m->es, KIM_STATEMENT, &statement_count);
    m->roles = KIM_NEW_ARRAY(m->arena, azure_role, count + 1);
    azure_permission *permissions = KIM_NEW_ARRAY(m->arena, azure_permission, statement_count + 1);
    if (m->roles == NULL || permissions == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const kim_policy *source = &items[i].policy;
        uint32_t known = text_map_count(m->role_ids);
        if (!is_ours(items[i].scope) || kim_text_is(source->kind, "lock"))
            continue;
        uint32_t number = text_map_add(m->role_ids, source->id);
        if (number == UINT32_MAX)
            return false;
        if (number < known)
            continue;
        azure_role *role = &m->roles[number];
        *role = (azure_role){.source = source, .id = source->id, .label = source->name.size ? source->name : source->id,
                             .permissions = permissions, .unread = source->unread};
        if (role->unread.size)
            note_unread(m, role->label, role->unread);
        while (at < statement_count && kim_text_compare(statements[at].statement.policy, source->id) < 0)
            at++;
        for (; at < statement_count && kim_text_equal(statements[at].statement.policy, source->id); at++)
            if (kim_text_equal(statements[at].scope, items[i].scope))
                read_permission(m, role, &statements[at].statement);
        permissions += role->count;
    }
    return true;
}

/* ---- places ---- */

static kim_text place_text(azure_model *m, const kim_record *record)
{
    const kim_attachment *a = &record->attachment;
    bool in_directory = kim_text_starts_with(record->scope, KIM_TEXT("dir:"));
    if (a->resource.size)
        return !in_directory ? a->resource : joined(m->arena, a->resource.bytes[0] == '/' ? KIM_TEXT("dir:") : KIM_TEXT("graph:"), a->resource);
    const kim_record *scope = estate_find(m->es, KIM_SCOPE, a->on_scope);
    kim_text id = a->on_scope.size > 6 ? after(a->on_scope, 6) : KIM_NO_TEXT;
    kim_text head = first_segment(id), tail = after(id, head.size);
    if (in_directory || !kim_text_starts_with(a->on_scope, KIM_TEXT("azure:")) || (scope && kim_text_is(scope->as_scope.kind, "organisation")) ||
        kim_text_starts_with(tail, KIM_TEXT("/mg/")))
        return a->on_scope;
    kim_text path = joined(m->arena, kim_text_of(subscriptions), head);
    return tail.size ? joined(m->arena, joined(m->arena, path, KIM_TEXT("/resourcegroups")), tail) : path;
}

static bool add_tenants(azure_model *m)
{
    size_t count;
    const kim_record *items = estate_records(m->es, KIM_SCOPE, &count);
    m->roots = KIM_NEW_ARRAY(m->arena, uint32_t, count + 1);
    m->directories = KIM_NEW_ARRAY(m->arena, uint32_t, count + 1);
    for (size_t i = 0; m->roots && m->directories && i < count; i++) {
        const kim_scope *scope = &items[i].as_scope;
        if (is_ours(scope->id) && kim_text_is(scope->kind, "organisation"))
            m->roots[m->root_count++] = text_map_add(m->place_ids, scope->id);
        else if (is_ours(scope->id) && kim_text_is(scope->kind, "directory"))
            m->directories[m->directory_count++] = text_map_add(m->place_ids, scope->id);
    }
    return m->roots && m->directories;
}

/* The places above a scope's record, nearest first; behind those of the tenants where none of it was reached. */
static size_t places_above(const azure_model *m, kim_text parent, uint32_t *out, size_t room)
{
    size_t count = 0;
    bool is_rooted = false;
    for (int depth = 0; depth < KIM_SCOPE_MAX_DEPTH && parent.size && count + m->root_count < room; depth++) {
        const kim_record *record = estate_find(m->es, KIM_SCOPE, parent);
        uint32_t place = text_map_find(m->place_ids, parent);
        is_rooted = is_rooted || (record && kim_text_is(record->as_scope.kind, "organisation"));
        if (place != UINT32_MAX)
            out[count++] = place;
        parent = record ? record->as_scope.parent : KIM_NO_TEXT;
    }
    for (size_t i = 0; !is_rooted && i < m->root_count && count < room; i++)
        out[count++] = m->roots[i];
    return count;
}

static bool add_subscriptions(azure_model *m)
{
    size_t count;
    const kim_record *items = estate_records(m->es, KIM_SCOPE, &count);
    m->above = KIM_NEW_ARRAY(m->arena, azure_above, count + 1);
    for (size_t i = 0; m->above && i < count; i++) {
        const kim_scope *scope = &items[i].as_scope;
        uint32_t places[AZURE_CHAIN_MAX], known = text_map_count(m->subscription_ids);
        if (!is_ours(scope->id) || !kim_text_is(scope->kind, "subscription") || scope->id.size <= 6)
            continue;
        uint32_t number = text_map_add(m->subscription_ids, after(scope->id, 6));
        if (number != known)
            continue;
        azure_above *above = &m->above[number];
        above->count = places_above(m, scope->parent, places, AZURE_CHAIN_MAX);
        above->places = KIM_NEW_ARRAY(m->arena, uint32_t, above->count + 1);
        if (above->places == NULL)
            return false;
        memcpy(above->places, places, above->count * sizeof *places);
    }
    return m->above != NULL;
}

typedef struct chain_builder {
    const azure_model *m;
    uint32_t *chain;
    size_t count;
} chain_builder;

static uint32_t add_place(chain_builder *b, kim_text text)
{
    uint32_t place = text.size < AZURE_LENGTHS && !b->m->lengths[text.size] ? UINT32_MAX : text_map_find(b->m->place_ids, text);
    if (place != UINT32_MAX && b->count < AZURE_CHAIN_MAX)
        b->chain[b->count++] = place;
    return place;
}

/* The path and all its beginnings by whole segments, but those no longer than `shortest`. */
static uint32_t add_prefixes(chain_builder *b, kim_text path, size_t shortest)
{
    uint32_t self = UINT32_MAX;
    for (kim_text at = path; at.size > shortest;) {
        uint32_t place = add_place(b, at);
        if (at.size == path.size)
            self = place;
        const char *slash = memrchr(at.bytes, '/', at.size);
        at.size = slash ? (size_t)(slash - at.bytes) : 0;
    }
    return self;
}

static void add_all(chain_builder *b, const uint32_t *places, size_t count)
{
    for (size_t i = 0; i < count && b->count < AZURE_CHAIN_MAX; i++)
        b->chain[b->count++] = places[i];
}

/* A management group, in whichever tenant has one of that name. */
static uint32_t add_management_group(chain_builder *b, kim_text name, kim_arena *arena)
{
    uint32_t self = UINT32_MAX;
    for (size_t i = 0; i < b->m->root_count; i++) {
        kim_text tenant = text_map_text(b->m->place_ids, b->m->roots[i]);
        kim_text id = joined(arena, joined(arena, tenant, KIM_TEXT("/mg/")), name);
        const kim_record *record = estate_find(b->m->es, KIM_SCOPE, id);
        if (record == NULL && b->m->root_count > 1)
            continue;
        uint32_t place = add_place(b, id);
        self = self == UINT32_MAX ? place : self;
        b->count += places_above(b->m, record && record->as_scope.parent.size ? record->as_scope.parent : tenant, b->chain + b->count,
                                 AZURE_CHAIN_MAX - b->count);
    }
    return self;
}

static uint32_t add_resource(chain_builder *b, kim_text path, kim_arena *arena)
{
    if (kim_text_starts_with(path, kim_text_of(groups)) && path.size >= sizeof groups) {
        kim_text name = first_segment(after(path, sizeof groups - 1));
        uint32_t self = add_prefixes(b, path, sizeof groups - 1 + name.size);
        uint32_t group = add_management_group(b, name, arena);
        return path.size == sizeof groups - 1 + name.size ? group : self;
    }
    uint32_t self = add_prefixes(b, path, 1);
    uint32_t number = UINT32_MAX;
    if (kim_text_starts_with(path, kim_text_of(subscriptions)))
        number = text_map_find(b->m->subscription_ids, first_segment(after(path, sizeof subscriptions - 1)));
    if (number == UINT32_MAX)
        add_all(b, b->m->roots, b->m->root_count);
    else
        add_all(b, b->m->above[number].places, b->m->above[number].count);
    return kim_text_is(path, "/") && b->m->root_count ? b->m->roots[0] : self;
}

/* An object of a directory lies in the administrative units that it is a member of. */
static void add_units(chain_builder *b, kim_text path)
{
    const char *slash = memrchr(path.bytes, '/', path.size);
    uint32_t object = slash ? text_map_find(b->m->subject_ids, (kim_text){slash + 1, path.size - (size_t)(slash + 1 - path.bytes)}) : UINT32_MAX;
    for (uint32_t i = 0; object != UINT32_MAX && i < b->m->member_of[object].count; i++)
        add_place(b, b->m->memberships[b->m->member_of[object].first + i].source->to);
}

static uint32_t add_directory(chain_builder *b, kim_text path, kim_arena *arena)
{
    static const char units[] = "/administrativeunits/";
    uint32_t self = add_prefixes(b, joined(arena, KIM_TEXT("dir:"), path), 4);
    if (kim_text_starts_with(path, kim_text_of(units))) {
        kim_text id = first_segment(after(path, sizeof units - 1));
        for (size_t i = 0; i < b->m->directory_count; i++) {
            kim_text tenant = text_map_text(b->m->place_ids, b->m->directories[i]);
            uint32_t unit = add_place(b, joined(arena, joined(arena, tenant, KIM_TEXT("/au/")), id));
            self = self == UINT32_MAX && path.size == sizeof units - 1 + id.size ? unit : self;
        }
    }
    add_units(b, path);
    add_all(b, b->m->directories, b->m->directory_count);
    return kim_text_is(path, "/") && b->m->directory_count ? b->m->directories[0] : self;
}

size_t azure_chain(const azure_model *m, azure_universe universe, kim_text scope, kim_arena *arena, uint32_t *chain, uint32_t *self, bool *any)
{
    chain_builder b = {.m = m, .chain = chain};
    kim_text path = azure_scope_text(scope, arena);
    *self = UINT32_MAX;
    *any = universe == AZURE_GRAPH && kim_text_is(path, "/");
    if (path.size == 0 || *any)
        return 0;
    if (universe == AZURE_DIRECTORY)
        *self = add_directory(&b, path, arena);
    else if (universe == AZURE_GRAPH)
        *self = add_place(&b, joined(arena, KIM_TEXT("graph:"), after(path, (size_t)((const char *)memrchr(path.bytes, '/', path.size) + 1 - path.bytes))));
    else
        *self = add_resource(&b, path, arena);
    return b.count;
}

kim_text azure_place_text(const azure_model *m, uint32_t place, kim_arena *arena)
{
    kim_text id = text_map_text(m->place_ids, place);
    const char *group = memmem(id.bytes, id.size, "/mg/", 4), *unit = memmem(id.bytes, id.size, "/au/", 4);
    if (id.bytes[0] == '/')
        return id;
    if (kim_text_starts_with(id, KIM_TEXT("graph:")))
        return after(id, 6);
    if (kim_text_starts_with(id, KIM_TEXT("dir:/")))
        return after(id, 4);
    if (group && id.bytes[0] == 'a')
        return joined(arena, KIM_TEXT("/providers/Microsoft.Management/managementGroups/"), after(id, (size_t)(group + 4 - id.bytes)));
    return unit ? joined(arena, KIM_TEXT("/administrativeUnits/"), after(id, (size_t)(unit + 4 - id.bytes))) : KIM_TEXT("/");
}

/* ---- assignments ---- */

static bool read_assignment(azure_model *m, const kim_record *record, azure_assignment *out)
{
    const kim_attachment *a = &record->attachment;
    bool denies = kim_text_is(a->layer, "deny"), eligible = kim_text_is(a->layer, "eligible");
    if (!is_ours(record->scope) || (!denies && !eligible && !kim_text_is(a->layer, "assignment")))
        return false;
    uint32_t role = text_map_find(m->role_ids, a->policy);
    *out = (azure_assignment){.role = role == UINT32_MAX ? NULL : &m->roles[role], .subject = UINT32_MAX, .denies = denies,
                              .eligible = eligible || a->eligible, .here_only = a->inherit == KIM_INHERIT_NONE, .source = a};
    out->place = text_map_add(m->place_ids, place_text(m, record));
    if (!denies)
        out->subject = text_map_add(m->subject_ids, a->subject.size ? a->subject : KIM_TEXT(""));
    out->terms = terms_of(m, a->condition, out->role ? out->role->label : a->policy);
    return true;
}

static bool read_assignments(azure_model *m, azure_assignment **all, size_t *total)
{
    size_t count;
    const kim_record *items = estate_records(m->es, KIM_ATTACHMENT, &count);
    *all = KIM_NEW_ARRAY(m->arena, azure_assignment, count + 1);
    *total = 0;
    for (size_t i = 0; *all && i < count; i++)
        *total += read_assignment(m, &items[i], &(*all)[*total]);
    return *all != NULL;
}

/* Grants by subject and by place, denies by place. */
static bool sort_assignments(azure_model *m, const azure_assignment *all, size_t total)
{
    uint32_t *keys = KIM_NEW_ARRAY(m->arena, uint32_t, total + 1), *order;
    azure_assignment *sorted = KIM_NEW_ARRAY(m->arena, azure_assignment, total + 1);
    size_t subjects = text_map_count(m->subject_ids), places = text_map_count(m->place_ids);
    azure_range *by_subject;
    if (keys == NULL || sorted == NULL)
        return false;
    for (uint32_t i = 0; i < places; i++)
        if (text_map_text(m->place_ids, i).size < AZURE_LENGTHS)
            m->lengths[text_map_text(m->place_ids, i).size] = true;
    for (size_t i = 0; i < total; i++)
        keys[i] = all[i].denies ? (uint32_t)subjects : all[i].subject; /* denies last */
    if (!sort_rows(m->arena, keys, total, subjects + 1, &order, &by_subject))
        return false;
    for (size_t i = 0; i < total; i++)
        sorted[i] = all[order[i]];
    m->grants = sorted;
    m->held = by_subject;
    m->deny_count = by_subject[subjects].count;
    m->grant_count = total - m->deny_count;
    m->grant_places = KIM_NEW_ARRAY(m->arena, uint32_t, m->grant_count + 1);
    if (m->grant_places == NULL)
        return false;
    for (size_t i = 0; i < m->grant_count; i++)
        m->grant_places[i] = keys[i] = sorted[i].place;
    if (!sort_rows(m->arena, keys, m->grant_count, places, &m->grants_by_place, &m->granted_at))
        return false;
    const azure_assignment *denies = sorted + m->grant_count;
    for (size_t i = 0; i < m->deny_count; i++)
        keys[i] = denies[i].place;
    m->denies = KIM_NEW_ARRAY(m->arena, azure_assignment, m->deny_count + 1);
    if (m->denies == NULL || !sort_rows(m->arena, keys, m->deny_count, places, &order, &m->denied_at))
        return false;
    for (size_t i = 0; i < m->deny_count; i++)
        m->denies[i] = denies[order[i]];
    return true;
}

/* ---- groups ---- */

static bool is_plain(const kim_edge *e)
{
    return !e->eligible && e->starts_unix_ms == 0 && e->expires_unix_ms == 0 && e->condition.text.size == 0;
}

static bool add_subjects(azure_model *m)
{
    size_t count;
    const kim_record *items = estate_records(m->es, KIM_IDENTITY, &count);
    for (size_t i = 0; i < count; i++)
        if (is_ours(items[i].scope) && text_map_add(m->subject_ids, items[i].identity.id) == UINT32_MAX)
            return false;
    items = estate_records(m->es, KIM_EDGE, &count);
    for (size_t i = 0; i < count; i++)
        if (is_ours(items[i].scope) && items[i].edge.kind == KIM_MEMBER_OF &&
            (text_map_add(m->subject_ids, items[i].edge.from) == UINT32_MAX || text_map_add(m->subject_ids, items[i].edge.to) == UINT32_MAX))
            return false;
    return true;
}

static bool sort_members(azure_model *m)
{
    size_t count, kept = 0, subjects = text_map_count(m->subject_ids);
    const kim_record *items = estate_records(m->es, KIM_EDGE, &count);
    azure_membership *all = KIM_NEW_ARRAY(m->arena, azure_membership, count + 1);
    uint32_t *from = KIM_NEW_ARRAY(m->arena, uint32_t, count + 1), *to = KIM_NEW_ARRAY(m->arena, uint32_t, count + 1), *order;
    m->memberships = KIM_NEW_ARRAY(m->arena, azure_membership, count + 1);
    m->is_group = KIM_NEW_ARRAY(m->arena, bool, subjects + 1);
    m->all_plain = true;
    if (all == NULL || from == NULL || to == NULL || m->memberships == NULL || m->is_group == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const kim_edge *e = &items[i].edge;
        if (!is_ours(items[i].scope) || e->kind != KIM_MEMBER_OF)
            continue;
        from[kept] = text_map_find(m->subject_ids, e->from);
        to[kept] = text_map_find(m->subject_ids, e->to);
        m->is_group[to[kept]] = true;
        all[kept] = (azure_membership){.of = to[kept], .plain = is_plain(e), .source = e};
        m->all_plain = m->all_plain && is_plain(e);
        kept++;
    }
    if (!sort_rows(m->arena, from, kept, subjects, &order, &m->member_of))
        return false;
    for (size_t i = 0; i < kept; i++)
        m->memberships[i] = all[order[i]];
    if (!sort_rows(m->arena, to, kept, subjects, &m->members, &m->has))
        return false;
    for (size_t i = 0; i < kept; i++)
        m->members[i] = from[m->members[i]];
    items = estate_records(m->es, KIM_IDENTITY, &count);
    for (size_t i = 0; i < count; i++)
        if (is_ours(items[i].scope) && items[i].identity.kind == KIM_GROUP)
            m->is_group[text_map_find(m->subject_ids, items[i].identity.id)] = true;
    return true;
}

/* ---- what was not read ---- */

static bool add_gaps(azure_model *m)
{
    size_t count;
    const kim_record *items = estate_records(m->es, KIM_COVERAGE, &count);
    m->gaps = (const kim_record **)kim_arena_array(m->arena, count + 1, sizeof *m->gaps);
    for (size_t i = 0; m->gaps && i < count; i++) {
        const kim_coverage *c = &items[i].coverage;
        if (is_ours(items[i].scope) && (c->status == KIM_PARTIAL || c->status == KIM_UNREADABLE) && !kim_text_starts_with(c->part, KIM_TEXT("log:")))
            m->gaps[m->gap_count++] = &items[i];
    }
    return m->gaps != NULL;
}

/* ---- all of it ---- */

static bool compile(azure_model *m)
{
    azure_assignment *all;
    size_t total;
    m->role_ids = text_map_new_nocase(m->arena);
    m->subject_ids = text_map_new_nocase(m->arena);
    text_map **const maps[] = {&m->place_ids, &m->keys, &m->patterns, &m->terms_ids, &m->subscription_ids};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        if ((*maps[i] = text_map_new(m->arena)) == NULL)
            return false;
    if (m->role_ids == NULL || m->subject_ids == NULL)
        return false;
    m->now_key = text_map_add(m->keys, KIM_TEXT("environment[utcnow]"));
    return m->now_key != UINT32_MAX && read_roles(m) && add_subjects(m) && add_tenants(m) && read_assignments(m, &all, &total) &&
           add_subscriptions(m) && !kim_arena_is_full(m->arena) && /* a name without a number counts nothing */
           sort_assignments(m, all, total) && sort_members(m) && add_gaps(m) && !kim_arena_is_full(m->arena);
}

azure_model *azure_model_new(estate *es, kim_error *err)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    azure_model *m = arena ? KIM_NEW(arena, azure_model) : NULL;
    if (m) {
        m->arena = arena;
        m->es = es;
    }
    if (m && compile(m))
        return m;
    kim_arena_free(arena);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for Azure's rules");
    return NULL;
}

void azure_model_free(void *model)
{
    azure_model *m = model;
    if (m)
        kim_arena_free(m->arena);
}
