/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_tree.c - names are settled first, so that a resource's several names lead to one place.
 *
 * A bucket is //storage.googleapis.com/BUCKET to the inventory and .../projects/_/buckets/BUCKET to IAM; a
 * project stands in names by its id or its number.
 */
#include "controller/evaluate/gcp_tree.h"

#include "controller/evaluate/gcp.h"

#define MANAGER "//cloudresourcemanager.googleapis.com/"
#define STORAGE "//storage.googleapis.com/"
#define BUCKETS STORAGE "projects/_/buckets/"
#define PROJECTS "projects/"

static kim_text from(kim_text text, size_t at)
{
    return (kim_text){text.bytes + at, text.size - at};
}

/* The part up to the next '/', or to the end. */
static kim_text segment(kim_text text)
{
    const char *at = text.size ? memchr(text.bytes, '/', text.size) : NULL;
    return at ? (kim_text){text.bytes, (size_t)(at - text.bytes)} : text;
}

/* The project in "//SERVICE/projects/PROJECT...": its segment; size 0: there is none. */
static kim_text project_in(kim_text name)
{
    if (!kim_text_starts_with(name, KIM_TEXT("//")))
        return KIM_NO_TEXT;
    kim_text service = segment(from(name, 2));
    size_t at = 2 + service.size + 1;
    if (at > name.size || !kim_text_starts_with(from(name, at), KIM_TEXT(PROJECTS)))
        return KIM_NO_TEXT;
    kim_text project = segment(from(name, at + sizeof PROJECTS - 1));
    return kim_text_is(project, "_") || kim_text_is(project, "-") ? KIM_NO_TEXT : project;
}

static uint32_t find_alias(const gcp_tree *tree, kim_text name)
{
    uint32_t number = text_map_find(tree->aliases, name);
    return number == UINT32_MAX ? GCP_NOWHERE : tree->alias_of[number];
}

/* A project's number in a name gives way to its id. */
static kim_text with_project_id(const gcp_tree *tree, kim_text name, kim_arena *arena)
{
    kim_text project = project_in(name);
    if (project.size == 0 || text_map_count(tree->aliases) == 0)
        return name;
    uint32_t number = find_alias(tree, kim_text_format(arena, MANAGER PROJECTS "%.*s", KIM_PRINT(project)));
    if (number == GCP_NOWHERE)
        return name;
    kim_text id = from(text_map_text(tree->names, number), sizeof MANAGER PROJECTS - 1);
    size_t at = (size_t)(project.bytes - name.bytes);
    kim_text tail = from(name, at + project.size);
    return kim_text_format(arena, "%.*s%.*s%.*s", (int)at, name.bytes, KIM_PRINT(id), KIM_PRINT(tail));
}

static kim_text settled(const gcp_tree *tree, kim_text name, kim_arena *arena)
{
    if (kim_text_starts_with(name, KIM_TEXT(STORAGE)) && !kim_text_starts_with(name, KIM_TEXT(STORAGE PROJECTS)))
        return kim_text_format(arena, BUCKETS "%.*s", KIM_PRINT(from(name, sizeof STORAGE - 1)));
    return with_project_id(tree, name, arena);
}

uint32_t gcp_tree_find(const gcp_tree *tree, kim_text name, kim_arena *scratch)
{
    uint32_t found = text_map_find(tree->names, name);
    if (found != UINT32_MAX)
        return found;
    kim_text other = settled(tree, name, scratch);
    found = other.bytes == name.bytes ? UINT32_MAX : text_map_find(tree->names, other);
    return found != UINT32_MAX || text_map_count(tree->aliases) == 0 ? found : find_alias(tree, other);
}

uint32_t gcp_tree_above(const gcp_tree *tree, kim_text name, kim_arena *scratch)
{
    kim_text at = settled(tree, name, scratch);
    while (at.size > 2) {
        size_t cut = at.size - 1;
        while (cut > 2 && at.bytes[cut] != '/')
            cut--;
        at.size = cut;
        uint32_t found = at.size > 2 ? text_map_find(tree->names, at) : UINT32_MAX;
        if (found == UINT32_MAX && at.size > 2 && text_map_count(tree->aliases))
            found = find_alias(tree, at);
        if (found != UINT32_MAX)
            return found;
    }
    kim_text project = project_in(settled(tree, name, scratch));
    return project.size ? gcp_tree_find(tree, kim_text_format(scratch, MANAGER PROJECTS "%.*s", KIM_PRINT(project)), scratch) : GCP_NOWHERE;
}

uint32_t gcp_tree_add(gcp_tree *tree, kim_text name)
{
    uint32_t found = gcp_tree_find(tree, name, tree->arena);
    if (found != GCP_NOWHERE)
        return found;
    kim_text own = kim_text_copy(tree->arena, settled(tree, name, tree->arena));
    if (own.bytes == NULL)
        return GCP_NOWHERE;
    uint32_t number = text_map_add(tree->names, own);
    if (number == UINT32_MAX)
        return GCP_NOWHERE;
    if (number == tree->capacity) {
        uint32_t capacity = tree->capacity ? tree->capacity * 2 : 64;
        gcp_place *places = KIM_NEW_ARRAY(tree->arena, gcp_place, capacity);
        if (places == NULL)
            return GCP_NOWHERE;
        if (tree->count)
            memcpy(places, tree->places, tree->count * sizeof *places);
        tree->places = places;
        tree->capacity = capacity;
    }
    tree->places[number] = (gcp_place){.name = own, .parent = GCP_NOWHERE};
    tree->count = number + 1;
    return number;
}

/* ---- from records ---- */

static bool is_alias(kim_text fact)
{
    return kim_text_starts_with(fact, KIM_TEXT("alias"));
}

/* Aliases before all names: a number may stand in any of them. */
static int read_aliases(gcp_tree *tree, const kim_record *items, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        most += items[i].resource.facts.count;
    tree->alias_of = KIM_NEW_ARRAY(tree->arena, uint32_t, most + 1);
    if (tree->alias_of == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < items[i].resource.facts.count; k++) {
            const kim_pair *fact = &items[i].resource.facts.items[k];
            if (!engine_reads(&gcp_engine, items[i].scope) || !is_alias(fact->name))
                continue;
            uint32_t number = gcp_tree_add(tree, items[i].resource.id);
            uint32_t alias = text_map_add(tree->aliases, fact->value);
            if (number == GCP_NOWHERE || alias == UINT32_MAX)
                return -1;
            tree->alias_of[alias] = number;
        }
    return 0;
}

int gcp_tree_read(gcp_tree *tree, estate *es, kim_arena *arena)
{
    size_t count;
    const kim_record *items = estate_records(es, KIM_RESOURCE, &count);
    *tree = (gcp_tree){.arena = arena, .names = text_map_new(arena), .aliases = text_map_new(arena)};
    if (tree->names == NULL || tree->aliases == NULL || read_aliases(tree, items, count) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!engine_reads(&gcp_engine, items[i].scope))
            continue;
        uint32_t number = gcp_tree_add(tree, items[i].resource.id);
        if (number == GCP_NOWHERE)
            return -1;
        if (tree->places[number].record == NULL)
            tree->places[number].record = &items[i];
    }
    for (size_t i = 0; i < count; i++) {
        kim_text parent = items[i].resource.parent;
        if (!engine_reads(&gcp_engine, items[i].scope) || parent.size == 0)
            continue;
        uint32_t number = gcp_tree_add(tree, items[i].resource.id), above = gcp_tree_add(tree, parent);
        if (number == GCP_NOWHERE || above == GCP_NOWHERE)
            return -1;
        tree->places[number].parent = above;
    }
    return 0;
}
