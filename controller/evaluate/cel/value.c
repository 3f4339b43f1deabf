/* SPDX-License-Identifier: Apache-2.0
 *
 * value.c - values compared, found, and put together.
 *
 * Source: cel-spec, langdef.md, "Equality" and "Ordering"; numbers of different types compare as cel-go does it.
 */
#include "controller/evaluate/cel/value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "controller/evaluate/cel/text.h"
#include "controller/evaluate/cel/time.h"

/* ---- errors and unknowns ---- */

cel_value break_off(evaluation *e, kim_code code, const char *message)
{
    if (!e->broken)
        kim_fail(e->err, code, "%s", message);
    e->broken = true;
    return fault("broken off");
}

bool spend(evaluation *e, size_t steps)
{
    e->steps += steps;
    if (e->steps > CEL_MAX_STEPS && !e->broken)
        break_off(e, KIM_ERR_LIMIT, "the expression takes more steps to evaluate than are allowed");
    return !e->broken;
}

cel_value fault(const char *message)
{
    return (cel_value){.type = CEL_ERROR, .text = kim_text_of(message)};
}

cel_value no_such_overload(void)
{
    return fault("no such overload");
}

cel_value cel_failed(kim_arena *arena, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    kim_text whole = kim_text_of(message), valid = {message, kim_text_utf8_size(whole)};
    kim_text copy = kim_text_copy(arena, valid);
    return copy.bytes ? (cel_value){.type = CEL_ERROR, .text = copy} : fault("no memory");
}

cel_value cel_unknown(kim_arena *arena, kim_text name)
{
    kim_text *names = KIM_NEW(arena, kim_text);
    if (names == NULL)
        return fault("no memory");
    *names = name;
    return (cel_value){.type = CEL_UNKNOWN, .names = {names, 1}};
}

cel_value cel_string_list(kim_arena *arena, kim_texts texts)
{
    cel_value *items = KIM_NEW_ARRAY(arena, cel_value, texts.count + 1);
    for (size_t i = 0; items && i < texts.count; i++) {
        items[i] = cel_string(kim_text_copy(arena, texts.items[i]));
        if (items[i].text.bytes == NULL)
            return fault("no memory");
    }
    return items ? (cel_value){.type = CEL_LIST, .count = (uint32_t)texts.count, .items = items} : fault("no memory");
}

cel_value cel_timestamp(kim_arena *arena, kim_text text)
{
    cel_value out;
    return cel_read_timestamp(text, &out) == TIME_FINE ? out : cel_failed(arena, "invalid RFC 3339 timestamp '%.*s'", KIM_PRINT(text));
}

bool is_bad(cel_value v)
{
    return v.type == CEL_ERROR || v.type == CEL_UNKNOWN;
}

static bool has_name(const kim_text *names, size_t count, kim_text name)
{
    for (size_t i = 0; i < count; i++)
        if (kim_text_equal(names[i], name))
            return true;
    return false;
}

cel_value merge_unknowns(evaluation *e, cel_value a, cel_value b)
{
    if (a.type != CEL_UNKNOWN || b.type != CEL_UNKNOWN)
        return a.type == CEL_UNKNOWN ? a : b;
    size_t fresh = 0;
    for (size_t i = 0; i < b.names.count; i++)
        fresh += !has_name(a.names.items, a.names.count, b.names.items[i]);
    if (fresh == 0 || !spend(e, a.names.count * b.names.count))
        return a;
    kim_text *names = KIM_NEW_ARRAY(e->arena, kim_text, a.names.count + fresh);
    if (names == NULL)
        return break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    size_t count = a.names.count;
    memcpy(names, a.names.items, count * sizeof *names);
    for (size_t i = 0; i < b.names.count; i++)
        if (!has_name(names, a.names.count, b.names.items[i]))
            names[count++] = b.names.items[i];
    a.names = (kim_texts){names, count};
    return a;
}

/* ---- types ---- */

static const char *const names[] = {
    [CEL_NULL] = "null_type", [CEL_BOOL] = "bool", [CEL_INT] = "int", [CEL_UINT] = "uint", [CEL_DOUBLE] = "double",
    [CEL_STRING] = "string", [CEL_BYTES] = "bytes", [CEL_LIST] = "list", [CEL_MAP] = "map",
    [CEL_TIMESTAMP] = "google.protobuf.Timestamp", [CEL_DURATION] = "google.protobuf.Duration", [CEL_TYPE] = "type",
    [CEL_ERROR] = "error", [CEL_UNKNOWN] = "unknown", [CEL_ABSENT] = "absent",
};

const char *type_name(cel_type type)
{
    return names[type];
}

bool type_of_name(kim_text name, cel_value *out)
{
    for (size_t i = 0; i <= CEL_TYPE; i++) {
        if (!kim_text_is(name, names[i]))
            continue;
        *out = (cel_value){.type = CEL_TYPE, .text = kim_text_of(names[i])};
        return true;
    }
    return false;
}

/* ---- numbers ---- */

#define TWO_TO_63 9223372036854775808.0
#define TWO_TO_64 18446744073709551616.0

static int order_of(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_int_uint(int64_t a, uint64_t b)
{
    if (a < 0 || b > INT64_MAX)
        return -1;
    return (a > (int64_t)b) - (a < (int64_t)b);
}

/* Of numbers, none of them NaN. A double is compared as such: 2^53 and 2^53 + 1 are equal to it. */
static int compare_numbers(cel_value a, cel_value b)
{
    if (a.type == CEL_DOUBLE) {
        if (b.type == CEL_DOUBLE)
            return order_of(a.number, b.number);
        if (b.type == CEL_INT)
            return a.number < -TWO_TO_63 ? -1 : a.number > TWO_TO_63 ? 1 : order_of(a.number, (double)b.integer);
        return a.number < 0 ? -1 : a.number > TWO_TO_64 ? 1 : order_of(a.number, (double)b.natural);
    }
    if (b.type == CEL_DOUBLE)
        return -compare_numbers(b, a);
    if (a.type == CEL_INT)
        return b.type == CEL_INT ? (a.integer > b.integer) - (a.integer < b.integer) : compare_int_uint(a.integer, b.natural);
    return b.type == CEL_INT ? -compare_int_uint(b.integer, a.natural) : (a.natural > b.natural) - (a.natural < b.natural);
}

static bool is_number(cel_value v)
{
    return v.type == CEL_INT || v.type == CEL_UINT || v.type == CEL_DOUBLE;
}

static bool is_nan(cel_value v)
{
    return v.type == CEL_DOUBLE && isnan(v.number);
}

bool lossless_int(cel_value v, int64_t *out)
{
    switch (v.type) {
    case CEL_INT:
        *out = v.integer;
        return true;
    case CEL_UINT:
        *out = (int64_t)v.natural;
        return v.natural <= INT64_MAX;
    case CEL_DOUBLE:
        if (!(v.number > -TWO_TO_63 && v.number < TWO_TO_63))
            return false;
        *out = (int64_t)v.number;
        return (double)*out == v.number;
    default:
        return false;
    }
}

static bool lossless_uint(cel_value v, uint64_t *out)
{
    if (v.type == CEL_UINT) {
        *out = v.natural;
        return true;
    }
    if (v.type == CEL_INT) {
        *out = (uint64_t)v.integer;
        return v.integer >= 0;
    }
    if (v.type != CEL_DOUBLE || !(v.number >= 0 && v.number < TWO_TO_64))
        return false;
    *out = (uint64_t)v.number;
    return (double)*out == v.number;
}

/* ---- equality and order ---- */

static bool equal_maps(evaluation *e, cel_value a, cel_value b)
{
    for (uint32_t i = 0; i < a.count; i++) {
        const cel_value *mine = find_in_map(e, a, a.entries[i].key), *other = find_in_map(e, b, a.entries[i].key);
        if (mine == NULL || other == NULL || !equal(e, *mine, *other))
            return false;
    }
    return a.count == b.count;
}

static bool equal_lists(evaluation *e, cel_value a, cel_value b)
{
    bool same = a.count == b.count;
    for (uint32_t i = 0; same && i < a.count; i++)
        same = equal(e, a.items[i], b.items[i]);
    return same;
}

bool equal(evaluation *e, cel_value a, cel_value b)
{
    if (!spend(e, 1))
        return false;
    if (is_number(a) && is_number(b))
        return !is_nan(a) && !is_nan(b) && compare_numbers(a, b) == 0;
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case CEL_NULL:
        return true;
    case CEL_BOOL:
        return a.boolean == b.boolean;
    case CEL_DURATION:
        return a.integer == b.integer;
    case CEL_TIMESTAMP:
        return cel_compare_timestamps(a, b) == 0;
    case CEL_LIST:
        return equal_lists(e, a, b);
    case CEL_MAP:
        return a.count == b.count && equal_maps(e, a, b);
    default: /* string, bytes, type */
        return spend(e, a.text.size / 64) && kim_text_equal(a.text, b.text);
    }
}

bool compare(cel_value a, cel_value b, int *order)
{
    if (is_number(a) && is_number(b)) {
        *order = compare_numbers(a, b);
        return true;
    }
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case CEL_BOOL:
        *order = a.boolean - b.boolean;
        return true;
    case CEL_STRING:
    case CEL_BYTES:
        *order = kim_text_compare(a.text, b.text);
        return true;
    case CEL_DURATION:
        *order = (a.integer > b.integer) - (a.integer < b.integer);
        return true;
    case CEL_TIMESTAMP:
        *order = cel_compare_timestamps(a, b);
        return true;
    default:
        return false;
    }
}

/* ---- maps ---- */

/* The same key to Go's maps: of one type, and equal. A list or map is no other key's equal there. */
bool same_key(evaluation *e, cel_value a, cel_value b)
{
    return a.type == b.type && a.type != CEL_LIST && a.type != CEL_MAP && equal(e, a, b);
}

static const cel_value *find_exactly(evaluation *e, cel_value map, cel_value key)
{
    for (uint32_t i = 0; i < map.count; i++)
        if (same_key(e, map.entries[i].key, key))
            return &map.entries[i].value;
    return NULL;
}

/* A number finds an equal one of another type where its own type has none. */
const cel_value *find_in_map(evaluation *e, cel_value map, cel_value key)
{
    const cel_value *found = find_exactly(e, map, key);
    int64_t integer;
    uint64_t natural;
    if (found || !is_number(key))
        return found;
    if (key.type != CEL_INT && lossless_int(key, &integer))
        found = find_exactly(e, map, cel_int(integer));
    if (found == NULL && key.type != CEL_UINT && lossless_uint(key, &natural))
        found = find_exactly(e, map, (cel_value){.type = CEL_UINT, .natural = natural});
    return found;
}

/* ---- for messages ---- */

kim_text shown(evaluation *e, cel_value v)
{
    char bytes[CEL_DOUBLE_BYTES];
    switch (v.type) {
    case CEL_NULL:
        return KIM_TEXT("null");
    case CEL_BOOL:
        return v.boolean ? KIM_TEXT("true") : KIM_TEXT("false");
    case CEL_INT:
        return kim_text_format(e->arena, "%lld", (long long)v.integer);
    case CEL_UINT:
        return kim_text_format(e->arena, "%llu", (unsigned long long)v.natural);
    case CEL_DOUBLE:
        return kim_text_copy(e->arena, cel_write_double(v.number, 'g', bytes));
    case CEL_STRING:
    case CEL_TYPE:
        return (kim_text){v.text.bytes, v.text.size < 200 ? v.text.size : 200};
    default:
        return kim_text_of(type_name(v.type));
    }
}
