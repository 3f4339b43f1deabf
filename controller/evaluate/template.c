/* SPDX-License-Identifier: Apache-2.0
 *
 * template.c - splits a text at its variables once; filling is then one pass over the parts.
 */
#include "controller/evaluate/template.h"

static kim_text trim(kim_text text)
{
    while (text.size && text.bytes[0] == ' ')
        text.bytes++, text.size--;
    while (text.size && text.bytes[text.size - 1] == ' ')
        text.size--;
    return text;
}

/* What stands between `${` and `}`. */
static template_part read_variable(kim_text inner, key_table *keys)
{
    template_part part = {.key = UINT32_MAX};
    if (inner.size == 1 && (inner.bytes[0] == '*' || inner.bytes[0] == '?' || inner.bytes[0] == '$'))
        return (template_part){.text = inner, .key = UINT32_MAX, .is_literal = true};
    const char *comma = memchr(inner.bytes, ',', inner.size);
    kim_text name = inner;
    if (comma) {
        kim_text other = trim((kim_text){comma + 1, inner.size - (size_t)(comma + 1 - inner.bytes)});
        if (other.size >= 2 && other.bytes[0] == '\'' && other.bytes[other.size - 1] == '\'')
            part.text = (kim_text){other.bytes + 1, other.size - 2};
        name.size = (size_t)(comma - inner.bytes);
    }
    part.name = trim(name);
    part.key = key_table_add(keys, part.name);
    return part;
}

int template_compile(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, template *out)
{
    *out = (template){.raw = raw, .literal = (uint32_t)glob_literal(raw)};
    if (!has_variables || raw.size < 3 || memmem(raw.bytes, raw.size, "${", 2) == NULL)
        return 0;
    size_t most = 1;
    for (size_t i = 0; i + 1 < raw.size; i++)
        most += raw.bytes[i] == '$' && raw.bytes[i + 1] == '{' ? 2 : 0;
    template_part *parts = KIM_NEW_ARRAY(arena, template_part, most);
    if (parts == NULL)
        return -1;
    size_t count = 0, at = 0;
    while (at < raw.size) {
        const char *open = memmem(raw.bytes + at, raw.size - at, "${", 2);
        const char *close = open ? memchr(open, '}', raw.size - (size_t)(open - raw.bytes)) : NULL;
        size_t until = close ? (size_t)(open - raw.bytes) : raw.size;
        if (until > at)
            parts[count++] = (template_part){.text = {raw.bytes + at, until - at}, .key = UINT32_MAX};
        if (close == NULL)
            break;
        parts[count++] = read_variable((kim_text){open + 2, (size_t)(close - open) - 2}, keys);
        at = (size_t)(close - raw.bytes) + 1;
    }
    out->parts = parts;
    out->count = (uint32_t)count;
    return 0;
}

kim_text template_literal(kim_text value, kim_arena *arena)
{
    static const kim_text opening = {"${$}{", 5};
    size_t count = 0;
    for (size_t i = 0; i + 1 < value.size; i++)
        count += value.bytes[i] == '$' && value.bytes[i + 1] == '{';
    char *bytes = count ? kim_arena_bytes(arena, value.size + count * (opening.size - 2)) : NULL;
    if (bytes == NULL)
        return value;
    size_t size = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.bytes[i] == '$' && i + 1 < value.size && value.bytes[i + 1] == '{') {
            memcpy(bytes + size, opening.bytes, opening.size);
            size += opening.size;
            i++;
        } else {
            bytes[size++] = value.bytes[i];
        }
    }
    return (kim_text){bytes, size};
}

typedef struct piece {
    kim_text text;
    bool wild, any;
} piece;

static filling resolve(const template_part *part, context *c, bool wild, piece *out)
{
    if (part->key == UINT32_MAX) {
        *out = (piece){.text = part->text, .wild = wild && !part->is_literal};
        return FILLED;
    }
    key_value value = context_value(c, part->key);
    if (value.state == KEY_GIVEN && value.values.count == 1) {
        *out = (piece){.text = value.values.items[0]};
        return FILLED;
    }
    if (value.state == KEY_UNKNOWN || value.state == KEY_PRESENT) {
        *out = (piece){.any = true};
        return NOT_KNOWN;
    }
    *out = (piece){.text = part->text};
    return kim_text_is_absent(part->text) ? UNRESOLVED : FILLED;
}

filling template_fill(const template *t, context *c, bool wild, kim_arena *arena, units *out)
{
    if (t->parts == NULL) {
        *out = wild ? units_of_pattern(t->raw, arena) : units_of_text(t->raw, arena);
        return FILLED;
    }
    filling result = FILLED;
    size_t total = 0;
    piece *pieces = KIM_NEW_ARRAY(arena, piece, t->count);
    *out = (units){NULL, 0};
    if (pieces == NULL)
        return FILLED;
    for (size_t i = 0; i < t->count; i++) {
        filling one = resolve(&t->parts[i], c, wild, &pieces[i]);
        if (one == UNRESOLVED)
            return UNRESOLVED;
        if (one == NOT_KNOWN)
            result = NOT_KNOWN;
        total += pieces[i].any ? 1 : pieces[i].text.size;
    }
    uint16_t *items = KIM_NEW_ARRAY(arena, uint16_t, total ? total : 1);
    if (items == NULL)
        return FILLED;
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (pieces[i].any)
            items[n++] = UNIT_ANY_RUN;
        for (size_t k = 0; k < pieces[i].text.size; k++) {
            unsigned char b = (unsigned char)pieces[i].text.bytes[k];
            items[n++] = pieces[i].wild && b == '*' ? UNIT_ANY_RUN : pieces[i].wild && b == '?' ? UNIT_ANY_ONE : b;
        }
    }
    *out = (units){items, n};
    return result;
}

static filling part_filling(const template_part *part, context *c)
{
    if (part->key == UINT32_MAX || !kim_text_is_absent(part->text))
        return FILLED;
    key_value value = context_value(c, part->key);
    if (value.state == KEY_UNKNOWN)
        return NOT_KNOWN;
    return value.state == KEY_PRESENT || (value.state == KEY_GIVEN && value.values.count == 1) ? FILLED : UNRESOLVED;
}

filling template_filling(const template *t, context *c)
{
    filling all = FILLED;
    for (size_t i = 0; i < t->count && all != UNRESOLVED; i++) {
        filling one = part_filling(&t->parts[i], c);
        all = one == FILLED ? all : one;
    }
    return all;
}

const term *template_resolves(const template *t, context *c, kim_arena *arena)
{
    static const kim_text no = {"false", 5};
    const term *all = &term_true;
    for (size_t i = 0; i < t->count; i++)
        if (part_filling(&t->parts[i], c) == NOT_KNOWN)
            all = term_and(arena, all, term_condition(arena, t->parts[i].name, KIM_TEXT("Null"), (kim_texts){&no, 1}));
    return all;
}
