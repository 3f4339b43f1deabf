/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c - a case that asks for an expression's value.
 */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/evaluate/cel.h"
#include "controller/evaluate/cel/text.h"
#include "controller/evaluate/cel/time.h"
#include "controller/evaluate/cel/value.h"

/* ---- values read ---- */

static int refuse(kim_error *err, const kim_json *json, const char *type, const char *wanted)
{
    return kim_fail(err, KIM_ERR_INPUT, "line %u: '%s' is %s", json->line, type, wanted);
}

static int no_memory(kim_error *err)
{
    return kim_fail(err, KIM_ERR_NOMEM, "no memory for a value");
}

static bool is_number_or_string(const kim_json *json)
{
    return kim_json_is(json, KIM_JSON_NUMBER) || kim_json_is(json, KIM_JSON_STRING);
}

static int read_int(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    *out = (cel_value){.type = CEL_INT};
    if (is_number_or_string(json) && cel_read_integer(json->text, &out->integer))
        return 0;
    return refuse(err, json, "int", "an integer of 64 bits, as a number or a string");
}

static int read_uint(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    *out = (cel_value){.type = CEL_UINT};
    if (is_number_or_string(json) && cel_read_natural(json->text, false, &out->natural))
        return 0;
    return refuse(err, json, "uint", "an unsigned integer of 64 bits, as a number or a string");
}

static int read_double(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    *out = (cel_value){.type = CEL_DOUBLE};
    if (is_number_or_string(json) && cel_read_double(json->text, &out->number))
        return 0;
    return refuse(err, json, "double", "a number, as such or as a string; or \"NaN\", \"Infinity\", \"-Infinity\"");
}

static int read_string(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    if (!kim_json_is(json, KIM_JSON_STRING))
        return refuse(err, json, "string", "a string");
    *out = cel_string(json->text);
    return 0;
}

static int read_bytes(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    size_t size;
    if (!kim_json_is(json, KIM_JSON_STRING))
        return refuse(err, json, "bytes", "a string in base64");
    char *bytes = kim_arena_bytes(arena, json->text.size + 1);
    if (bytes == NULL)
        return no_memory(err);
    if (sodium_base642bin((unsigned char *)bytes, json->text.size + 1, json->text.bytes, json->text.size, NULL, &size, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return refuse(err, json, "bytes", "a string in base64");
    *out = (cel_value){.type = CEL_BYTES, .text = {bytes, size}};
    return 0;
}

static int read_bool(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    if (!kim_json_is(json, KIM_JSON_BOOL))
        return refuse(err, json, "bool", "true or false");
    *out = cel_bool(json->boolean);
    return 0;
}

static int read_null(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    if (!kim_json_is(json, KIM_JSON_NULL))
        return refuse(err, json, "null", "null");
    *out = (cel_value){.type = CEL_NULL};
    return 0;
}

static int read_list(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    if (!kim_json_is(json, KIM_JSON_ARRAY))
        return refuse(err, json, "list", "a list of values");
    cel_value *items = KIM_NEW_ARRAY(arena, cel_value, json->count + 1);
    if (items == NULL)
        return no_memory(err);
    for (size_t i = 0; i < json->count; i++)
        if (cel_value_read(&json->items[i], arena, &items[i], err) < 0)
            return -1;
    *out = (cel_value){.type = CEL_LIST, .count = (uint32_t)json->count, .items = items};
    return 0;
}

/* An order of keys in which equal ones are neighbours; aggregates and times as keys are not told apart. */
static int compare_keys(const void *a, const void *b)
{
    const cel_value *x = &(*(const cel_entry *const *)a)->key, *y = &(*(const cel_entry *const *)b)->key;
    int order = 0;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    compare(*x, *y, &order);
    return order;
}

static bool is_plain_key(cel_type type)
{
    return type == CEL_INT || type == CEL_UINT || type == CEL_BOOL || type == CEL_STRING;
}

/* A key that stands twice leaves open which of its values counts. */
static int check_keys(const kim_json *json, const cel_entry *entries, kim_arena *arena, kim_error *err)
{
    const cel_entry **sorted = KIM_NEW_ARRAY(arena, const cel_entry *, json->count + 1);
    size_t count = 0;
    if (sorted == NULL)
        return no_memory(err);
    for (size_t i = 0; i < json->count; i++)
        if (is_plain_key(entries[i].key.type))
            sorted[count++] = &entries[i];
    qsort(sorted, count, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < count; i++)
        if (compare_keys(&sorted[i - 1], &sorted[i]) == 0)
            return refuse(err, json, "map", "a list of [key, value] with each key once");
    return 0;
}

static int read_map(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    if (!kim_json_is(json, KIM_JSON_ARRAY))
        return refuse(err, json, "map", "a list of [key, value]");
    cel_entry *entries = KIM_NEW_ARRAY(arena, cel_entry, json->count + 1);
    if (entries == NULL)
        return no_memory(err);
    for (size_t i = 0; i < json->count; i++) {
        const kim_json *pair = &json->items[i];
        if (!kim_json_is(pair, KIM_JSON_ARRAY) || pair->count != 2)
            return refuse(err, pair, "map", "a list of [key, value]");
        if (cel_value_read(&pair->items[0], arena, &entries[i].key, err) < 0 ||
            cel_value_read(&pair->items[1], arena, &entries[i].value, err) < 0)
            return -1;
    }
    *out = (cel_value){.type = CEL_MAP, .count = (uint32_t)json->count, .entries = entries};
    return check_keys(json, entries, arena, err);
}

static int read_timestamp(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    if (kim_json_is(json, KIM_JSON_STRING) && cel_read_timestamp(json->text, out) == TIME_FINE)
        return 0;
    return refuse(err, json, "timestamp", "a time as RFC 3339 writes it, such as \"2026-11-20T10:00:00Z\"");
}

static int read_duration(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    *out = (cel_value){.type = CEL_DURATION};
    if (kim_json_is(json, KIM_JSON_STRING) && cel_read_duration(json->text, &out->integer))
        return 0;
    return refuse(err, json, "duration", "a duration such as \"3.5s\"");
}

static int read_type(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    (void)arena;
    if (kim_json_is(json, KIM_JSON_STRING) && type_of_name(json->text, out))
        return 0;
    return refuse(err, json, "type", "a type's name, such as \"int\" or \"google.protobuf.Timestamp\"");
}

int cel_value_read(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err)
{
    static const struct {
        const char *type;
        int (*read)(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err);
    } types[] = {
        {"int", read_int}, {"uint", read_uint}, {"double", read_double}, {"string", read_string}, {"bytes", read_bytes},
        {"bool", read_bool}, {"null", read_null}, {"list", read_list}, {"map", read_map}, {"timestamp", read_timestamp},
        {"duration", read_duration}, {"type", read_type},
    };
    if (!kim_json_is(json, KIM_JSON_OBJECT) || json->count != 1)
        return kim_fail(err, KIM_ERR_INPUT, "line %u: a value is an object of one member, such as {\"int\":1}", json ? json->line : 0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kim_text_is(json->members[0].name, types[i].type))
            return types[i].read(json->members[0].value, arena, out, err);
    kim_text type = json->members[0].name;
    return kim_fail(err, KIM_ERR_INPUT,
                    "line %u: unknown type '%.*s'; known are int, uint, double, string, bytes, bool, null, list, map, timestamp, duration, type",
                    json->line, (int)(type.size < 64 ? type.size : 64), type.bytes);
}

/* ---- values written ---- */

static void write_double(double value, kim_json_writer *writer)
{
    char bytes[CEL_DOUBLE_BYTES];
    if (isinf(value))
        kim_json_put_string(writer, value < 0 ? "-Infinity" : "Infinity");
    else
        kim_json_put_text(writer, cel_write_double(value, 'g', bytes));
}

static void write_bytes(kim_text bytes, kim_json_writer *writer)
{
    size_t size = sodium_base64_ENCODED_LEN(bytes.size, sodium_base64_VARIANT_ORIGINAL);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    char *text = arena ? kim_arena_bytes(arena, size) : NULL;
    if (text)
        sodium_bin2base64(text, size, (const unsigned char *)(bytes.size ? bytes.bytes : ""), bytes.size, sodium_base64_VARIANT_ORIGINAL);
    kim_json_put_text(writer, text ? kim_text_of(text) : KIM_NO_TEXT);
    kim_arena_free(arena);
}

static void write_natural(uint64_t n, kim_json_writer *writer)
{
    char digits[24];
    kim_json number = {.type = KIM_JSON_NUMBER};
    number.text = (kim_text){digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n)};
    kim_json_put_json(writer, &number);
}

static void write_items(cel_value v, kim_json_writer *writer)
{
    kim_json_begin_array(writer);
    for (uint32_t i = 0; i < v.count; i++) {
        if (v.type == CEL_LIST) {
            cel_value_write(v.items[i], writer);
            continue;
        }
        kim_json_begin_array(writer);
        cel_value_write(v.entries[i].key, writer);
        cel_value_write(v.entries[i].value, writer);
        kim_json_end_array(writer);
    }
    kim_json_end_array(writer);
}

void cel_value_write(cel_value v, kim_json_writer *writer)
{
    static const char *const names[] = {
        "null", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "timestamp", "duration", "type",
    };
    char bytes[CEL_TIMESTAMP_BYTES];
    kim_json_begin_object(writer);
    kim_json_key(writer, v.type <= CEL_TYPE ? names[v.type] : "error");
    switch (v.type) {
    case CEL_BOOL:
        kim_json_put_bool(writer, v.boolean);
        break;
    case CEL_INT:
        kim_json_put_int(writer, v.integer);
        break;
    case CEL_UINT:
        write_natural(v.natural, writer);
        break;
    case CEL_DOUBLE:
        write_double(v.number, writer);
        break;
    case CEL_BYTES:
        write_bytes(v.text, writer);
        break;
    case CEL_LIST:
    case CEL_MAP:
        write_items(v, writer);
        break;
    case CEL_TIMESTAMP:
        kim_json_put_text(writer, cel_write_timestamp(v, true, bytes));
        break;
    case CEL_DURATION:
        kim_json_put_text(writer, cel_write_duration(v.integer, bytes));
        break;
    case CEL_STRING:
    case CEL_TYPE:
    case CEL_ERROR:
        kim_json_put_text(writer, v.text);
        break;
    default:
        kim_json_put_null(writer);
    }
    kim_json_end_object(writer);
}

/* ---- the case ---- */

typedef struct bindings {
    const kim_json *json;
    cel_value *values; /* [json->count] */
} bindings;

static cel_value look(void *from, kim_text path, kim_arena *scratch)
{
    const bindings *b = from;
    (void)scratch;
    for (size_t i = b->json ? b->json->count : 0; i > 0; i--)
        if (kim_text_equal(b->json->members[i - 1].name, path))
            return b->values[i - 1];
    return cel_absent();
}

static int check_members(const kim_json *line, kim_error *err)
{
    static const char *const known[] = {"id", "provider", "expression", "bindings", "unknown"};
    for (size_t i = 0; i < line->count; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= kim_text_is(line->members[i].name, known[k]);
        kim_text name = line->members[i].name;
        if (!found)
            return kim_fail(err, KIM_ERR_INPUT, "unknown member '%.*s'; known are id, provider, expression, bindings, unknown",
                            (int)(name.size < 64 ? name.size : 64), name.bytes);
    }
    return 0;
}

static int read_bindings(const kim_json *json, kim_arena *arena, bindings *out, kim_error *err)
{
    *out = (bindings){.json = json};
    if (json == NULL)
        return 0;
    if (json->type != KIM_JSON_OBJECT)
        return kim_fail(err, KIM_ERR_INPUT, "'bindings' is an object of values, not %s", kim_json_type_name(json->type));
    out->values = KIM_NEW_ARRAY(arena, cel_value, json->count + 1);
    if (out->values == NULL)
        return no_memory(err);
    for (size_t i = 0; i < json->count; i++)
        if (cel_value_read(json->members[i].value, arena, &out->values[i], err) < 0)
            return kim_fail_in(err, "bindings.%.*s", (int)(json->members[i].name.size < 64 ? json->members[i].name.size : 64),
                               json->members[i].name.bytes);
    return 0;
}

static int read_unknown(const kim_json *json, kim_arena *arena, kim_texts *out, kim_error *err)
{
    *out = kim_json_texts(json, arena);
    if (json && (json->type != KIM_JSON_ARRAY || out->count != json->count))
        return kim_fail(err, KIM_ERR_INPUT, "'unknown' is a list of attribute paths, such as [\"request.time\"]");
    return 0;
}

static int write_unknown(const cel_program *program, const cel_scope *scope, cel_value v, kim_arena *arena, kim_json_writer *writer, kim_error *err)
{
    kim_text residual;
    if (cel_residual(program, scope, arena, &residual, err) < 0)
        return -1;
    kim_json_key(writer, "unknown");
    kim_json_put_texts(writer, v.names);
    kim_json_key(writer, "residual");
    kim_json_put_text(writer, residual);
    return 0;
}

int cel_answer(const kim_json *line, kim_arena *arena, kim_json_writer *writer, kim_error *err)
{
    const kim_json *expression = kim_json_get(line, "expression");
    bindings given;
    cel_value v;
    cel_scope scope = {.look = look, .from = &given};
    if (check_members(line, err) < 0)
        return -1;
    if (!kim_json_is(expression, KIM_JSON_STRING))
        return kim_fail(err, KIM_ERR_INPUT, "'expression' is missing, or no string");
    if (read_bindings(kim_json_get(line, "bindings"), arena, &given, err) < 0 ||
        read_unknown(kim_json_get(line, "unknown"), arena, &scope.unknown, err) < 0)
        return -1;
    cel_program *program = cel_compile(expression->text, NULL, 0, arena, err);
    if (program == NULL || cel_eval(program, &scope, arena, &v, err) < 0)
        return -1;
    if (v.type == CEL_ERROR)
        return kim_fail(err, KIM_ERR_INPUT, "%.*s", (int)(v.text.size < 480 ? v.text.size : 480), v.text.bytes);
    if (v.type == CEL_UNKNOWN)
        return write_unknown(program, &scope, v, arena, writer, err);
    kim_json_key(writer, "value");
    cel_value_write(v, writer);
    return 0;
}
