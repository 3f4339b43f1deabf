/* SPDX-License-Identifier: Apache-2.0
 *
 * regex_class.c - sets of code points as sorted ranges, and Unicode's tables of them.
 */
#include "controller/evaluate/cel/regex_class.h"

#include <stdlib.h>

typedef struct property {
    const char *name; /* as canonical_name() makes it */
    uint32_t first, count;
} property;

#include "controller/evaluate/cel/unicode.inc"

enum { FOLDS = sizeof folds / sizeof *folds, PROPERTIES = sizeof properties / sizeof *properties };

void class_add(code_class *c, uint32_t low, uint32_t high)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 8;
        code_range *grown = KIM_NEW_ARRAY(c->arena, code_range, capacity);
        if (grown == NULL) {
            c->failed = true;
            return;
        }
        if (c->count)
            memcpy(grown, c->ranges, c->count * sizeof *grown);
        c->ranges = grown;
        c->capacity = capacity;
    }
    c->ranges[c->count++] = (code_range){low, high};
}

/* The first fold at or behind a code point. */
static size_t fold_from(uint32_t code_point)
{
    size_t low = 0, high = FOLDS;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (folds[middle].low < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void class_add_folded(code_class *c, uint32_t low, uint32_t high)
{
    class_add(c, low, high);
    for (size_t i = fold_from(low); i < FOLDS && folds[i].low <= high; i++)
        for (uint32_t other = folds[i].high; other != folds[i].low; other = folds[fold_from(other)].high)
            if (other < low || other > high)
                class_add(c, other, other);
}

static int by_low(const void *a, const void *b)
{
    const code_range *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

void class_settle(code_class *c)
{
    size_t count = 0;
    if (c->count == 0)
        return;
    qsort(c->ranges, c->count, sizeof *c->ranges, by_low);
    for (size_t i = 1; i < c->count; i++) {
        if (c->ranges[i].low > c->ranges[count].high + 1)
            c->ranges[++count] = c->ranges[i];
        else if (c->ranges[i].high > c->ranges[count].high)
            c->ranges[count].high = c->ranges[i].high;
    }
    c->count = count + 1;
}

void class_add_class(code_class *c, code_class *from, bool negated)
{
    uint32_t next = 0;
    class_settle(from);
    for (size_t i = 0; i < from->count; i++) {
        if (!negated)
            class_add(c, from->ranges[i].low, from->ranges[i].high);
        else if (from->ranges[i].low > next)
            class_add(c, next, from->ranges[i].low - 1);
        next = from->ranges[i].high + 1;
    }
    if (negated && next <= LAST_CODE_POINT)
        class_add(c, next, LAST_CODE_POINT);
    c->failed |= from->failed;
}

void class_negate(code_class *c)
{
    code_class negated = {.arena = c->arena, .failed = c->failed};
    class_add_class(&negated, c, true);
    *c = negated;
}

bool class_holds(const code_class *c, uint32_t code_point)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->ranges[middle].high < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->count && c->ranges[low].low <= code_point;
}

/* ---- properties ---- */

enum { NAME_MAX_BYTES = 64 };

/* Blanks, hyphens and underscores do not count, nor does case: one capital, then small letters. */
static bool canonical_name(kim_text name, char out[NAME_MAX_BYTES])
{
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        if (c == '_' || c == '-' || c == ' ')
            continue;
        if (size == 0 ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z')
            c ^= 0x20;
        if (size == NAME_MAX_BYTES - 1)
            return false;
        out[size++] = c;
    }
    out[size] = '\0';
    return true;
}

static const property *property_of(const char *name)
{
    size_t low = 0, high = PROPERTIES;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, properties[middle].name);
        if (order == 0)
            return &properties[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool class_add_property(code_class *c, kim_text name, bool folded)
{
    char canonical[NAME_MAX_BYTES];
    if (!canonical_name(name, canonical))
        return false;
    bool assigned = strcmp(canonical, "Assigned") == 0; /* all but Cn */
    const property *p = property_of(assigned ? "Cn" : canonical);
    if (p == NULL)
        return false;
    code_class all = {.arena = c->arena};
    for (uint32_t i = p->first; i < p->first + p->count; i++)
        (folded ? class_add_folded : class_add)(&all, property_ranges[i].low, property_ranges[i].high);
    class_add_class(c, &all, assigned);
    return true;
}
