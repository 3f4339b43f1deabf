/* SPDX-License-Identifier: Apache-2.0
 *
 * places.c - a table by name; of two names of one project, one entry leads to the other.
 */
#include "plugins/gcp/places.h"

#include <stdlib.h>

#include "plugins/gcp/names.h"

enum { PLACES_MAX_BYTES = 256 * 1024 * 1024 };

int gcp_places_start(gcp_places *places, kim_error *err)
{
    *places = (gcp_places){.arena = kim_arena_new(PLACES_MAX_BYTES)};
    return places->arena ? 0 : kim_fail(err, KIM_ERR_NOMEM, "gcp: no memory to begin with");
}

void gcp_places_stop(gcp_places *places)
{
    kim_arena_free(places->arena);
    *places = (gcp_places){0};
}

static size_t slot_of(gcp_place **slots, size_t room, kim_text part)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (size_t i = 0; i < part.size; i++)
        hash = (hash ^ (unsigned char)part.bytes[i]) * UINT64_C(0x100000001B3);
    size_t at = (hash ^ hash >> 32) & (room - 1);
    while (slots[at] && !kim_text_equal(slots[at]->part, part))
        at = (at + 1) & (room - 1);
    return at;
}

static bool make_room(gcp_places *places)
{
    if (2 * (places->count + 1) <= places->room)
        return true;
    size_t room = places->room ? 2 * places->room : 256;
    gcp_place **slots = (gcp_place **)kim_arena_array(places->arena, room, sizeof *slots);
    gcp_place **items = (gcp_place **)kim_arena_array(places->arena, room, sizeof *items);
    if (slots == NULL || items == NULL)
        return false;
    for (size_t i = 0; i < places->count; i++) {
        items[i] = places->items[i];
        slots[slot_of(slots, room, items[i]->part)] = items[i];
    }
    places->slots = slots;
    places->items = items;
    places->room = room;
    return true;
}

static gcp_place *settled(gcp_place *place)
{
    while (place && place->same)
        place = place->same;
    return place;
}

gcp_place *gcp_places_find(const gcp_places *places, kim_text part)
{
    return places->room ? settled(places->slots[slot_of(places->slots, places->room, part)]) : NULL;
}

gcp_place *gcp_places_get(gcp_places *places, kim_text part)
{
    static const char *const kinds[] = {"projects/", "folders/", "organizations/"};
    kim_text rest = KIM_NO_TEXT;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && rest.size == 0; i++)
        rest = gcp_after(part, kinds[i]);
    if (rest.size == 0 || memchr(rest.bytes, '/', rest.size) || !make_room(places))
        return NULL;
    size_t at = slot_of(places->slots, places->room, part);
    if (places->slots[at])
        return settled(places->slots[at]);
    gcp_place *place = KIM_NEW(places->arena, gcp_place);
    kim_text copy = kim_text_copy(places->arena, part);
    if (place == NULL || copy.bytes == NULL)
        return NULL;
    *place = (gcp_place){.part = copy};
    kim_text project = gcp_after(copy, "projects/");
    if (gcp_is_number(project))
        place->number = project;
    else if (project.size)
        place->id = project;
    places->slots[at] = places->items[places->count++] = place;
    if (kim_text_starts_with(copy, KIM_TEXT("organizations/")) && places->organisations++ == 0)
        places->organisation = place;
    return place;
}

static void join(gcp_place *into, gcp_place *from)
{
    kim_text *const texts[][2] = {{&into->id, &from->id}, {&into->number, &from->number}, {&into->name, &from->name}, {&into->customer, &from->customer}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i][0]->size == 0)
            *texts[i][0] = *texts[i][1];
    if (into->parent == NULL)
        into->parent = from->parent;
    if (into->child == NULL)
        into->child = from->child;
    into->no_parent |= from->no_parent;
    into->has_policy |= from->has_policy;
    into->is_covered |= from->is_covered;
    into->is_deleted |= from->is_deleted;
    from->same = into;
}

void gcp_places_same(gcp_places *places, kim_text id, kim_text number)
{
    if (id.size == 0 || number.size == 0)
        return;
    gcp_place *by_id = gcp_places_get(places, kim_text_format(places->arena, "projects/%.*s", KIM_PRINT(id)));
    gcp_place *by_number = gcp_places_get(places, kim_text_format(places->arena, "projects/%.*s", KIM_PRINT(number)));
    if (by_id && by_number && by_id != by_number)
        join(by_id, by_number);
}

void gcp_places_set_parent(gcp_places *places, gcp_place *place, gcp_place *parent)
{
    (void)places;
    place = settled(place);
    parent = settled(parent);
    if (place && parent && place != parent && place->parent == NULL)
        place->parent = parent;
}

/* ---- what a place is called ---- */

static bool is_project(const gcp_place *place)
{
    return kim_text_starts_with(place->part, KIM_TEXT("projects/"));
}

kim_text gcp_place_scope(const gcp_place *place, kim_arena *arena)
{
    if (is_project(place) && place->number.size)
        return kim_text_format(arena, "gcp:projects/%.*s", KIM_PRINT(place->number));
    return kim_text_format(arena, "gcp:%.*s", KIM_PRINT(place->part));
}

kim_text gcp_place_name(const gcp_place *place, kim_arena *arena)
{
    if (is_project(place) && place->id.size)
        return kim_text_format(arena, GCP_MANAGER "projects/%.*s", KIM_PRINT(place->id));
    return kim_text_format(arena, GCP_MANAGER "%.*s", KIM_PRINT(place->part));
}

kim_text gcp_place_alias(const gcp_place *place, kim_arena *arena)
{
    if (!is_project(place) || place->id.size == 0 || place->number.size == 0)
        return KIM_NO_TEXT;
    return kim_text_format(arena, GCP_MANAGER "projects/%.*s", KIM_PRINT(place->number));
}

const char *gcp_place_kind(const gcp_place *place)
{
    return is_project(place) ? "project" : kim_text_starts_with(place->part, KIM_TEXT("folders/")) ? "folder" : "organisation";
}

gcp_place *gcp_place_of(gcp_places *places, kim_text resource)
{
    static const char *const kinds[] = {"/projects/", "/folders/", "/organizations/"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *at = resource.size ? memmem(resource.bytes, resource.size, kinds[i], strlen(kinds[i])) : NULL;
        if (at == NULL)
            continue;
        size_t begin = (size_t)(at - resource.bytes) + 1, end = begin + strlen(kinds[i]) - 1;
        while (end < resource.size && resource.bytes[end] != '/')
            end++;
        kim_text part = {resource.bytes + begin, end - begin};
        if (kim_text_is(part, "projects/_") || kim_text_is(part, "projects/-"))
            continue;
        return gcp_places_get(places, part);
    }
    return NULL;
}

gcp_place *gcp_place_parent(const gcp_place *place)
{
    return settled(place->parent);
}

gcp_place *gcp_places_root(const gcp_places *places, gcp_place *of)
{
    enum { LEVELS_MAX = 64 };
    if (places->organisations == 1)
        return places->organisation;
    for (int depth = 0; of && gcp_place_parent(of) && depth < LEVELS_MAX; depth++)
        of = gcp_place_parent(of);
    return of;
}
