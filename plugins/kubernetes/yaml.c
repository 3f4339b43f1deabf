/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml.c - a tree of JSON values from libyaml's events.
 *
 * A value is read by the function of its kind, as deep as KIM_JSON_MAX_DEPTH. Children wait on one stack until
 * their container's end, which moves them into the arena side by side. An alias is its anchor's value again, with
 * the same children; what the whole stream stands for is counted, and has a limit.
 */
#include <stdlib.h>

#include <yaml.h>

#include <kim/limits.h>

#include "plugins/kubernetes/yaml.h"

typedef struct anchor {
    kim_text name;
    kim_json value;
    size_t weight; /* values that it stands for */
} anchor;

typedef struct loader {
    kim_arena *arena;
    const char *origin;
    kim_error *err;
    yaml_parser_t parser;
    kim_json *values;  /* [value_count]: complete, waiting for their container's end */
    kim_text *names;   /* [value_room]: of those that are members */
    size_t value_count, value_room;
    anchor *anchors;   /* [anchor_count], of this document */
    size_t anchor_count, anchor_room;
    size_t depth, total;
} loader;

static int fail(loader *l, kim_code code, size_t line, const char *what)
{
    return kim_fail(l->err, code, "%s:%zu: %s", l->origin, line + 1, what);
}

static int no_memory(loader *l)
{
    return kim_fail(l->err, KIM_ERR_NOMEM, "%s: no memory left for this document", l->origin);
}

static int next(loader *l, yaml_event_t *event)
{
    if (yaml_parser_parse(&l->parser, event))
        return 0;
    if (l->parser.error == YAML_MEMORY_ERROR)
        return no_memory(l);
    return kim_fail(l->err, KIM_ERR_INPUT, "%s:%zu: no YAML document: %s", l->origin, l->parser.problem_mark.line + 1,
                    l->parser.problem ? l->parser.problem : "it cannot be read");
}

/* ---- the stack ---- */

/* The arena's ceiling counts for the stacks too, for it bounds the whole piece of work. */
static void *bigger(loader *l, void *items, size_t room, size_t size)
{
    return room * size > kim_arena_left(l->arena) ? NULL : realloc(items, room * size);
}

static int push(loader *l, kim_text name, kim_json value)
{
    if (l->value_count == l->value_room) {
        size_t room = l->value_room ? l->value_room * 2 : 64;
        kim_json *values = bigger(l, l->values, room, sizeof *values);
        if (values)
            l->values = values;
        kim_text *names = values ? bigger(l, l->names, room, sizeof *names) : NULL;
        if (names == NULL)
            return no_memory(l);
        l->names = names;
        l->value_room = room;
    }
    l->names[l->value_count] = name;
    l->values[l->value_count++] = value;
    return 0;
}

static int count_values(loader *l, size_t weight, size_t line)
{
    l->total += weight;
    if (l->total > K8S_YAML_MAX_VALUES)
        return fail(l, KIM_ERR_LIMIT, line, "with its aliases the stream stands for more values than are read; write them out");
    return 0;
}

/* ---- scalars ---- */

static bool is_one_of(kim_text text, const char *const *words)
{
    while (*words && !kim_text_is(text, *words))
        words++;
    return *words != NULL;
}

static bool is_number(kim_text text)
{
    char copy[64], *end;
    if (text.size == 0 || text.size >= sizeof copy || strchr("+-.0123456789", text.bytes[0]) == NULL)
        return false;
    if (kim_text_is(text, ".inf") || kim_text_is(text, "-.inf") || kim_text_is(text, ".nan"))
        return true;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    strtod(copy, &end);
    if (end == copy || *end || strpbrk(copy, "infatyINFATY") == NULL)
        return end != copy && *end == '\0';
    return strncmp(copy, "0x", 2) == 0;
}

static kim_json scalar(kim_text text, bool plain, uint32_t line)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y", NULL};
    static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N", NULL};
    kim_json value = {.type = KIM_JSON_STRING, .line = line, .text = text};
    if (plain && is_one_of(text, nulls))
        value = (kim_json){.type = KIM_JSON_NULL, .line = line};
    else if (plain && (is_one_of(text, yes) || is_one_of(text, no)))
        value = (kim_json){.type = KIM_JSON_BOOL, .line = line, .boolean = is_one_of(text, yes)};
    else if (plain && is_number(text))
        value.type = KIM_JSON_NUMBER;
    return value;
}

static int copy_text(loader *l, const yaml_event_t *event, kim_text *out)
{
    *out = kim_text_copy(l->arena, (kim_text){(const char *)event->data.scalar.value, event->data.scalar.length});
    return kim_text_is_absent(*out) ? no_memory(l) : 0;
}

/* With a tag (!!str) it is what it says, and all that is read here are texts. */
static bool is_plain(const yaml_event_t *event)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event->data.scalar.plain_implicit;
}

static int read_scalar(loader *l, const yaml_event_t *event, kim_json *out)
{
    kim_text text;
    if (copy_text(l, event, &text) < 0)
        return -1;
    *out = scalar(text, is_plain(event), (uint32_t)event->start_mark.line + 1);
    return 0;
}

/* ---- containers ---- */

static int read_value(loader *l, yaml_event_t *event, kim_json *out);

/* The values above `below` leave the stack. */
static int close_array(loader *l, size_t below, uint32_t line, kim_json *out)
{
    size_t count = l->value_count - below;
    kim_json *items = KIM_NEW_ARRAY(l->arena, kim_json, count + 1);
    if (items == NULL)
        return no_memory(l);
    if (count)
        memcpy(items, l->values + below, count * sizeof *items);
    l->value_count = below;
    *out = (kim_json){.type = KIM_JSON_ARRAY, .line = line, .count = count, .items = items};
    return 0;
}

static int close_object(loader *l, size_t below, uint32_t line, kim_json *out)
{
    size_t count = l->value_count - below;
    kim_json *items = KIM_NEW_ARRAY(l->arena, kim_json, count + 1);
    kim_json_member *members = KIM_NEW_ARRAY(l->arena, kim_json_member, count + 1);
    if (items == NULL || members == NULL)
        return no_memory(l);
    if (count)
        memcpy(items, l->values + below, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        members[i] = (kim_json_member){l->names[below + i], &items[i]};
    l->value_count = below;
    *out = (kim_json){.type = KIM_JSON_OBJECT, .line = line, .count = count, .members = members};
    return 0;
}

static int read_sequence(loader *l, kim_json *out, uint32_t line)
{
    size_t below = l->value_count;
    for (;;) {
        yaml_event_t event;
        kim_json value;
        if (next(l, &event) < 0)
            return -1;
        bool at_end = event.type == YAML_SEQUENCE_END_EVENT;
        int result = at_end ? 0 : read_value(l, &event, &value);
        yaml_event_delete(&event);
        if (result < 0 || at_end)
            return result < 0 ? -1 : close_array(l, below, line, out);
        if (push(l, KIM_NO_TEXT, value) < 0)
            return -1;
    }
}

/* `<<: *base`: the members of base that come before the object's own count where the object has none of that name.
 * They are put in front, for the last of a name is taken. */
static int merge(loader *l, size_t below, const kim_json *from)
{
    size_t own = l->value_count - below;
    if (from->type == KIM_JSON_ARRAY) {
        for (size_t i = 0; i < from->count; i++) /* of two bases the first counts: it comes to stand last */
            if (merge(l, below, &from->items[i]) < 0)
                return -1;
        return 0;
    }
    if (from->type != KIM_JSON_OBJECT)
        return kim_fail(l->err, KIM_ERR_INPUT, "%s:%u: << takes an object or a list of objects", l->origin, from->line);
    if (count_values(l, from->count, from->line) < 0)
        return -1;
    for (size_t i = 0; i < from->count; i++)
        if (push(l, from->members[i].name, *from->members[i].value) < 0)
            return -1;
    kim_json *values = KIM_NEW_ARRAY(l->arena, kim_json, own + 1);
    kim_text *names = KIM_NEW_ARRAY(l->arena, kim_text, own + 1);
    if (values == NULL || names == NULL)
        return no_memory(l);
    memcpy(values, l->values + below, own * sizeof *values);
    memcpy(names, l->names + below, own * sizeof *names);
    memmove(l->values + below, l->values + below + own, from->count * sizeof *values);
    memmove(l->names + below, l->names + below + own, from->count * sizeof *names);
    memcpy(l->values + below + from->count, values, own * sizeof *values);
    memcpy(l->names + below + from->count, names, own * sizeof *names);
    return 0;
}

static int read_member(loader *l, const yaml_event_t *key, size_t below)
{
    yaml_event_t event;
    kim_text name;
    kim_json value;
    if (key->type != YAML_SCALAR_EVENT)
        return fail(l, KIM_ERR_INPUT, key->start_mark.line, "a member's name is no text");
    if (copy_text(l, key, &name) < 0 || next(l, &event) < 0)
        return -1;
    int result = read_value(l, &event, &value);
    yaml_event_delete(&event);
    if (result < 0)
        return -1;
    return is_plain(key) && kim_text_is(name, "<<") ? merge(l, below, &value) : push(l, name, value);
}

static int read_mapping(loader *l, kim_json *out, uint32_t line)
{
    size_t below = l->value_count;
    for (;;) {
        yaml_event_t event;
        if (next(l, &event) < 0)
            return -1;
        bool at_end = event.type == YAML_MAPPING_END_EVENT;
        int result = at_end ? 0 : read_member(l, &event, below);
        yaml_event_delete(&event);
        if (result < 0 || at_end)
            return result < 0 ? -1 : close_object(l, below, line, out);
    }
}

/* ---- values ---- */

static int read_alias(loader *l, const yaml_event_t *event, kim_json *out)
{
    kim_text name = kim_text_of((const char *)event->data.alias.anchor);
    for (size_t i = l->anchor_count; i-- > 0;)
        if (kim_text_equal(l->anchors[i].name, name)) {
            *out = l->anchors[i].value;
            return count_values(l, l->anchors[i].weight, event->start_mark.line);
        }
    return fail(l, KIM_ERR_INPUT, event->start_mark.line, "an alias stands for nothing that is complete before it");
}

static int keep_anchor(loader *l, const yaml_char_t *name, const kim_json *value, size_t weight)
{
    if (l->anchor_count == l->anchor_room) {
        size_t room = l->anchor_room ? l->anchor_room * 2 : 16;
        anchor *anchors = bigger(l, l->anchors, room, sizeof *anchors);
        if (anchors == NULL)
            return no_memory(l);
        l->anchors = anchors;
        l->anchor_room = room;
    }
    kim_text kept = kim_text_copy(l->arena, kim_text_of((const char *)name));
    l->anchors[l->anchor_count++] = (anchor){kept, *value, weight};
    return kim_text_is_absent(kept) ? no_memory(l) : 0;
}

static int read_value(loader *l, yaml_event_t *event, kim_json *out)
{
    uint32_t line = (uint32_t)event->start_mark.line + 1;
    size_t before = l->total;
    const yaml_char_t *name = NULL;
    int result = -1;
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(l, event, out);
    if (l->depth == KIM_JSON_MAX_DEPTH)
        return fail(l, KIM_ERR_LIMIT, event->start_mark.line, "lists and objects nest deeper than is read");
    if (count_values(l, 1, event->start_mark.line) < 0)
        return -1;
    l->depth++;
    if (event->type == YAML_SCALAR_EVENT) {
        name = event->data.scalar.anchor;
        result = read_scalar(l, event, out);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        name = event->data.sequence_start.anchor;
        result = read_sequence(l, out, line);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        name = event->data.mapping_start.anchor;
        result = read_mapping(l, out, line);
    } else {
        fail(l, KIM_ERR_INPUT, event->start_mark.line, "no value stands here");
    }
    l->depth--;
    return result == 0 && name ? keep_anchor(l, name, out, l->total - before) : result;
}

/* ---- documents ---- */

static int add_document(loader *l, const kim_json *value, k8s_documents *out, size_t *room)
{
    if (out->count == *room) {
        size_t more = *room ? *room * 2 : 16;
        const kim_json **items = (const kim_json **)kim_arena_array(l->arena, more, sizeof *items);
        if (items == NULL)
            return no_memory(l);
        if (out->count)
            memcpy(items, out->items, out->count * sizeof *items);
        out->items = items;
        *room = more;
    }
    kim_json *kept = KIM_NEW(l->arena, kim_json);
    if (kept == NULL)
        return no_memory(l);
    *kept = *value;
    out->items[out->count++] = kept;
    return 0;
}

static int read_documents(loader *l, k8s_documents *out)
{
    size_t room = 0;
    for (;;) {
        yaml_event_t event;
        kim_json value;
        int result = 0;
        if (next(l, &event) < 0)
            return -1;
        yaml_event_type_t type = event.type;
        bool marks = type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT ||
                     type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT;
        if (type == YAML_DOCUMENT_START_EVENT)
            l->anchor_count = 0;
        if (!marks && (result = read_value(l, &event, &value)) == 0)
            result = add_document(l, &value, out, &room);
        yaml_event_delete(&event);
        if (result < 0 || type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT)
            return result;
    }
}

int k8s_yaml_parse(const char *bytes, size_t size, const char *origin, kim_arena *arena, k8s_documents *out, kim_error *err)
{
    loader l = {.arena = arena, .origin = origin, .err = err};
    k8s_documents found = {0};
    if (!kim_text_is_utf8((kim_text){bytes, size}))
        return kim_fail(err, KIM_ERR_INPUT, "%s: a byte is not UTF-8; save the file as UTF-8", origin);
    if (!yaml_parser_initialize(&l.parser))
        return no_memory(&l);
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)bytes, size);
    int result = read_documents(&l, &found);
    yaml_parser_delete(&l.parser);
    free(l.values);
    free(l.names);
    free(l.anchors);
    if (result == 0)
        *out = found;
    return result;
}
