/* SPDX-License-Identifier: Apache-2.0
 *
 * functions.c - what operators and standard functions do with values that are known.
 *
 * Source: cel-spec, langdef.md, "List of Standard Definitions"; overflow, ranges and texts as in cel-go.
 */
#include "controller/evaluate/cel/functions.h"

#include <math.h>
#include <stdio.h>

#include "controller/evaluate/cel/regex.h"
#include "controller/evaluate/cel/text.h"
#include "controller/evaluate/cel/time.h"

#define TWO_TO_63 9223372036854775808.0
#define TWO_TO_64 18446744073709551616.0

typedef const cel_value *values;

static cel_value natural(uint64_t n) { return (cel_value){.type = CEL_UINT, .natural = n}; }
static cel_value number(double d) { return (cel_value){.type = CEL_DOUBLE, .number = d}; }
static cel_value duration(int64_t nanos) { return (cel_value){.type = CEL_DURATION, .integer = nanos}; }
static cel_value bytes(kim_text t) { return (cel_value){.type = CEL_BYTES, .text = t}; }

static cel_value text_in(evaluation *e, kim_text t)
{
    kim_text copy = kim_text_copy(e->arena, t);
    return copy.bytes ? cel_string(copy) : break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
}

/* ---- arithmetic ---- */

typedef enum arithmetic { ADD, SUBTRACT, MULTIPLY, DIVIDE, MODULO } arithmetic;

static cel_value int_arithmetic(arithmetic op, int64_t a, int64_t b)
{
    int64_t out = 0;
    bool overflow = false;
    switch (op) {
    case ADD:
        overflow = __builtin_add_overflow(a, b, &out);
        break;
    case SUBTRACT:
        overflow = __builtin_sub_overflow(a, b, &out);
        break;
    case MULTIPLY:
        overflow = __builtin_mul_overflow(a, b, &out);
        break;
    default:
        if (b == 0)
            return fault(op == DIVIDE ? "division by zero" : "modulus by zero");
        overflow = a == INT64_MIN && b == -1;
        if (!overflow)
            out = op == DIVIDE ? a / b : a % b;
    }
    return overflow ? fault("integer overflow") : cel_int(out);
}

static cel_value uint_arithmetic(arithmetic op, uint64_t a, uint64_t b)
{
    uint64_t out = 0;
    bool overflow = false;
    switch (op) {
    case ADD:
        overflow = __builtin_add_overflow(a, b, &out);
        break;
    case SUBTRACT:
        overflow = __builtin_sub_overflow(a, b, &out);
        break;
    case MULTIPLY:
        overflow = __builtin_mul_overflow(a, b, &out);
        break;
    default:
        if (b == 0)
            return fault(op == DIVIDE ? "division by zero" : "modulus by zero");
        out = op == DIVIDE ? a / b : a % b;
    }
    return overflow ? fault("unsigned integer overflow") : natural(out);
}

static cel_value double_arithmetic(arithmetic op, double a, double b)
{
    switch (op) {
    case ADD:
        return number(a + b);
    case SUBTRACT:
        return number(a - b);
    case MULTIPLY:
        return number(a * b);
    case DIVIDE:
        return number(a / b);
    default:
        return fault("no such overload: _%_");
    }
}

static cel_value number_arithmetic(arithmetic op, cel_value a, cel_value b)
{
    if (a.type != b.type)
        return no_such_overload();
    if (a.type == CEL_INT)
        return int_arithmetic(op, a.integer, b.integer);
    if (a.type == CEL_UINT)
        return uint_arithmetic(op, a.natural, b.natural);
    return a.type == CEL_DOUBLE ? double_arithmetic(op, a.number, b.number) : no_such_overload();
}

static cel_value shifted(cel_value timestamp, int64_t nanos)
{
    cel_value out;
    return cel_add_duration(timestamp, nanos, &out) ? out : fault("timestamp overflow");
}

static cel_value joined(evaluation *e, cel_value a, cel_value b)
{
    size_t size = a.text.size + b.text.size;
    if (size > CEL_MAX_TEXT_BYTES)
        return break_off(e, KIM_ERR_LIMIT, "the expression makes a text that is too long");
    char *both = spend(e, size / 64) ? kim_arena_bytes(e->arena, size + 1) : NULL;
    if (both == NULL)
        return break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    if (a.text.size)
        memcpy(both, a.text.bytes, a.text.size);
    if (b.text.size)
        memcpy(both + a.text.size, b.text.bytes, b.text.size);
    a.text = (kim_text){both, size};
    return a;
}

static cel_value joined_lists(evaluation *e, cel_value a, cel_value b)
{
    size_t count = (size_t)a.count + b.count;
    cel_value *items = spend(e, count) ? KIM_NEW_ARRAY(e->arena, cel_value, count + 1) : NULL;
    if (items == NULL)
        return break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    if (a.count)
        memcpy(items, a.items, a.count * sizeof *items);
    if (b.count)
        memcpy(items + a.count, b.items, b.count * sizeof *items);
    return (cel_value){.type = CEL_LIST, .count = (uint32_t)count, .items = items};
}

static cel_value add(evaluation *e, values v, size_t count)
{
    (void)count;
    if (v[0].type == CEL_TIMESTAMP)
        return v[1].type == CEL_DURATION ? shifted(v[0], v[1].integer) : no_such_overload();
    if (v[0].type == CEL_DURATION && v[1].type == CEL_TIMESTAMP)
        return shifted(v[1], v[0].integer);
    if (v[0].type != v[1].type)
        return no_such_overload();
    switch (v[0].type) {
    case CEL_STRING:
    case CEL_BYTES:
        return joined(e, v[0], v[1]);
    case CEL_LIST:
        return joined_lists(e, v[0], v[1]);
    case CEL_DURATION: {
        cel_value sum = int_arithmetic(ADD, v[0].integer, v[1].integer);
        return sum.type == CEL_INT ? duration(sum.integer) : sum;
    }
    default:
        return number_arithmetic(ADD, v[0], v[1]);
    }
}

static cel_value subtract(evaluation *e, values v, size_t count)
{
    int64_t nanos;
    (void)e, (void)count;
    if (v[0].type == CEL_TIMESTAMP && v[1].type == CEL_TIMESTAMP)
        return cel_subtract_timestamps(v[0], v[1], &nanos) ? duration(nanos) : fault("integer overflow");
    if (v[0].type == CEL_TIMESTAMP && v[1].type == CEL_DURATION)
        return v[1].integer == INT64_MIN ? fault("integer overflow") : shifted(v[0], -v[1].integer);
    if (v[0].type == CEL_DURATION && v[1].type == CEL_DURATION) {
        cel_value difference = int_arithmetic(SUBTRACT, v[0].integer, v[1].integer);
        return difference.type == CEL_INT ? duration(difference.integer) : difference;
    }
    return number_arithmetic(SUBTRACT, v[0], v[1]);
}

static cel_value multiply(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return number_arithmetic(MULTIPLY, v[0], v[1]);
}

static cel_value divide(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return number_arithmetic(DIVIDE, v[0], v[1]);
}

static cel_value modulo(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return number_arithmetic(MODULO, v[0], v[1]);
}

static cel_value negate(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    if (v->type == CEL_DOUBLE)
        return number(-v->number);
    if (v->type != CEL_INT && v->type != CEL_DURATION)
        return fault("no such overload: -_");
    if (v->integer == INT64_MIN)
        return fault("integer overflow");
    return v->type == CEL_INT ? cel_int(-v->integer) : duration(-v->integer);
}

static cel_value not(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return v->type == CEL_BOOL ? cel_bool(!v->boolean) : no_such_overload();
}

/* ---- comparisons ---- */

static cel_value equals(evaluation *e, values v, size_t count)
{
    (void)count;
    return cel_bool(equal(e, v[0], v[1]));
}

static cel_value differs(evaluation *e, values v, size_t count)
{
    (void)count;
    return cel_bool(!equal(e, v[0], v[1]));
}

static bool has_order(cel_type type)
{
    return type != CEL_NULL && type != CEL_LIST && type != CEL_MAP && type != CEL_TYPE;
}

/* NaN is not before, at or after anything that could be compared, of whatever type. */
static cel_value ordered(values v, bool less, bool same, bool greater)
{
    int order;
    if (!has_order(v[0].type))
        return no_such_overload();
    if ((v[0].type == CEL_DOUBLE && isnan(v[0].number)) || (v[1].type == CEL_DOUBLE && isnan(v[1].number)))
        return cel_bool(false);
    if (!compare(v[0], v[1], &order))
        return no_such_overload();
    return cel_bool(order < 0 ? less : order == 0 ? same : greater);
}

static cel_value is_less(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return ordered(v, true, false, false);
}

static cel_value is_at_most(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return ordered(v, true, true, false);
}

static cel_value is_greater(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return ordered(v, false, false, true);
}

static cel_value is_at_least(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return ordered(v, false, true, true);
}

static cel_value is_in(evaluation *e, values v, size_t count)
{
    (void)count;
    if (v[1].type == CEL_MAP && v[0].type == CEL_BYTES && v[1].count)
        return fault("unsupported key type: bytes");
    if (v[1].type == CEL_MAP)
        return cel_bool(find_in_map(e, v[1], v[0]) != NULL);
    if (v[1].type != CEL_LIST)
        return no_such_overload();
    for (uint32_t i = 0; i < v[1].count; i++)
        if (equal(e, v[0], v[1].items[i]))
            return cel_bool(true);
    return cel_bool(false);
}

/* ---- texts ---- */

static cel_value size(evaluation *e, values v, size_t count)
{
    int64_t code_points = 0;
    (void)count;
    switch (v->type) {
    case CEL_LIST:
    case CEL_MAP:
        return cel_int(v->count);
    case CEL_BYTES:
        return cel_int((int64_t)v->text.size);
    case CEL_STRING:
        spend(e, v->text.size / 64);
        for (size_t i = 0; i < v->text.size; i++)
            code_points += ((unsigned char)v->text.bytes[i] & 0xc0) != 0x80;
        return cel_int(code_points);
    default:
        return fault("no such overload: size");
    }
}

static bool are_strings(values v)
{
    return v[0].type == CEL_STRING && v[1].type == CEL_STRING;
}

static cel_value contains(evaluation *e, values v, size_t count)
{
    (void)count;
    if (!are_strings(v) || !spend(e, v[0].text.size / 64))
        return no_such_overload();
    return cel_bool(v[1].text.size == 0 || (v[0].text.size && memmem(v[0].text.bytes, v[0].text.size, v[1].text.bytes, v[1].text.size)));
}

static cel_value starts_with(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return are_strings(v) ? cel_bool(kim_text_starts_with(v[0].text, v[1].text)) : no_such_overload();
}

static cel_value ends_with(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return are_strings(v) ? cel_bool(kim_text_ends_with(v[0].text, v[1].text)) : no_such_overload();
}

/* A pattern that is no constant is compiled each time; the memory that takes stands for the work. */
static const regex *compiled(evaluation *e, kim_text pattern, cel_value *failed)
{
    kim_error why = {0};
    size_t before = kim_arena_used(e->arena);
    const regex *r = regex_compile(pattern, e->arena, &why);
    if (r == NULL && why.code != KIM_ERR_INPUT)
        *failed = break_off(e, why.code, why.message);
    else if (r == NULL)
        *failed = cel_failed(e->arena, "error parsing regexp: %s", why.message);
    else if (!spend(e, (kim_arena_used(e->arena) - before) / 16))
        *failed = fault("broken off");
    return e->broken ? NULL : r;
}

static cel_value matches(evaluation *e, values v, size_t count)
{
    cel_value failed;
    (void)count;
    if (!are_strings(v))
        return no_such_overload();
    const regex *r = e->pattern ? e->pattern : compiled(e, v[1].text, &failed);
    if (r == NULL)
        return failed;
    if (!spend(e, regex_cost(r, v[0].text)))
        return fault("broken off");
    int matched = regex_search(r, v[0].text, e->arena);
    return matched < 0 ? break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression") : cel_bool(matched);
}

/* ---- conversions ---- */

static cel_value not_converted(evaluation *e, cel_value v, cel_type to)
{
    return cel_failed(e->arena, "type conversion error from '%s' to '%s'", type_name(v.type), type_name(to));
}

static cel_value no_overload_of(evaluation *e, const char *function, values v, size_t count)
{
    char types[256] = "";
    size_t size = 0;
    for (size_t i = 0; i < count && size < sizeof types; i++)
        size += (size_t)snprintf(types + size, sizeof types - size, "%s%s", i ? ", " : "", type_name(v[i].type));
    return cel_failed(e->arena, "no such overload: %s(%s)", function, types);
}

static cel_value to_int(evaluation *e, values v, size_t count)
{
    int64_t out;
    if (count != 1)
        return no_overload_of(e, "int", v, count);
    switch (v->type) {
    case CEL_INT:
        return *v;
    case CEL_UINT:
        return v->natural > INT64_MAX ? fault("integer overflow") : cel_int((int64_t)v->natural);
    case CEL_DOUBLE:
        return v->number > -TWO_TO_63 && v->number < TWO_TO_63 ? cel_int((int64_t)v->number) : fault("integer overflow");
    case CEL_STRING:
        return cel_read_integer(v->text, &out) ? cel_int(out) : not_converted(e, *v, CEL_INT);
    case CEL_TIMESTAMP:
        return cel_int(v->time.seconds);
    case CEL_DURATION:
        return cel_int(v->integer);
    default:
        return no_overload_of(e, "int", v, count);
    }
}

static cel_value to_uint(evaluation *e, values v, size_t count)
{
    uint64_t out;
    if (count != 1)
        return no_overload_of(e, "uint", v, count);
    switch (v->type) {
    case CEL_UINT:
        return *v;
    case CEL_INT:
        return v->integer < 0 ? fault("unsigned integer overflow") : natural((uint64_t)v->integer);
    case CEL_DOUBLE:
        return v->number >= 0 && v->number < TWO_TO_64 ? natural((uint64_t)v->number) : fault("unsigned integer overflow");
    case CEL_STRING:
        return cel_read_natural(v->text, false, &out) ? natural(out) : not_converted(e, *v, CEL_UINT);
    default:
        return no_overload_of(e, "uint", v, count);
    }
}

static cel_value to_double(evaluation *e, values v, size_t count)
{
    double out;
    if (count != 1)
        return no_overload_of(e, "double", v, count);
    switch (v->type) {
    case CEL_DOUBLE:
        return *v;
    case CEL_INT:
        return number((double)v->integer);
    case CEL_UINT:
        return number((double)v->natural);
    case CEL_STRING:
        return cel_read_double(v->text, &out) ? number(out) : not_converted(e, *v, CEL_DOUBLE);
    default:
        return no_overload_of(e, "double", v, count);
    }
}

/* A duration in seconds, as the double that Go makes of it. */
static double double_seconds(int64_t nanos)
{
    return (double)(nanos / 1000000000) + (double)(nanos % 1000000000) / 1e9;
}

static cel_value duration_to_string(evaluation *e, int64_t nanos)
{
    char out[CEL_DOUBLE_BYTES], with_unit[CEL_DOUBLE_BYTES + 1];
    kim_text plain = cel_write_double(double_seconds(nanos), 'f', out);
    memcpy(with_unit, plain.bytes, plain.size);
    with_unit[plain.size] = 's';
    return text_in(e, (kim_text){with_unit, plain.size + 1});
}

static cel_value to_string(evaluation *e, values v, size_t count)
{
    char out[CEL_DOUBLE_BYTES];
    if (count != 1)
        return no_overload_of(e, "string", v, count);
    switch (v->type) {
    case CEL_STRING:
        return *v;
    case CEL_BOOL:
        return cel_string(v->boolean ? KIM_TEXT("true") : KIM_TEXT("false"));
    case CEL_BYTES:
        return kim_text_is_utf8(v->text) ? cel_string(v->text) : fault("invalid UTF-8 in bytes, cannot convert to string");
    case CEL_INT:
        return text_in(e, kim_text_format(e->arena, "%lld", (long long)v->integer));
    case CEL_UINT:
        return text_in(e, kim_text_format(e->arena, "%llu", (unsigned long long)v->natural));
    case CEL_DOUBLE:
        return text_in(e, cel_write_double(v->number, 'g', out));
    case CEL_DURATION:
        return duration_to_string(e, v->integer);
    case CEL_TIMESTAMP:
        return text_in(e, cel_write_timestamp(*v, false, out));
    default:
        return no_overload_of(e, "string", v, count);
    }
}

static cel_value to_bytes(evaluation *e, values v, size_t count)
{
    if (count == 1 && (v->type == CEL_BYTES || v->type == CEL_STRING))
        return bytes(v->text);
    return no_overload_of(e, "bytes", v, count);
}

static cel_value to_bool(evaluation *e, values v, size_t count)
{
    static const char *const words[2][6] = {
        {"0", "f", "F", "FALSE", "false", "False"}, {"1", "t", "T", "TRUE", "true", "True"},
    };
    if (count == 1 && v->type == CEL_BOOL)
        return *v;
    if (count != 1 || v->type != CEL_STRING)
        return no_overload_of(e, "bool", v, count);
    for (size_t i = 0; i < 12; i++)
        if (kim_text_is(v->text, words[i / 6][i % 6]))
            return cel_bool(i / 6);
    return not_converted(e, *v, CEL_BOOL);
}

static cel_value to_duration(evaluation *e, values v, size_t count)
{
    int64_t nanos;
    if (count == 1 && v->type == CEL_DURATION)
        return *v;
    if (count != 1 || v->type != CEL_STRING)
        return no_overload_of(e, "duration", v, count);
    return cel_read_duration(v->text, &nanos) ? duration(nanos) : not_converted(e, *v, CEL_DURATION);
}

static cel_value to_timestamp(evaluation *e, values v, size_t count)
{
    cel_value out;
    if (count == 1 && v->type == CEL_TIMESTAMP)
        return *v;
    if (count == 1 && v->type == CEL_INT)
        return v->integer < CEL_MIN_SECONDS || v->integer > CEL_MAX_SECONDS ? fault("timestamp overflow")
            : (cel_value){.type = CEL_TIMESTAMP, .time = {v->integer, 0, 0}};
    if (count != 1 || v->type != CEL_STRING)
        return no_overload_of(e, "timestamp", v, count);
    switch (cel_read_timestamp(v->text, &out)) {
    case TIME_FINE:
        return out;
    case TIME_OUT_OF_RANGE:
        return fault("timestamp overflow");
    default:
        return not_converted(e, *v, CEL_TIMESTAMP);
    }
}

static cel_value to_type(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return (cel_value){.type = CEL_TYPE, .text = kim_text_of(type_name(v->type))};
}

static cel_value to_dyn(evaluation *e, values v, size_t count)
{
    (void)e, (void)count;
    return *v;
}

/* ---- parts of times ---- */

/* What a part is of a timestamp's calendar; and of a duration, where it has one: whole units, towards zero. */
typedef struct part_of_time {
    const char *name;
    int64_t (*of_calendar)(const cel_calendar *c, int32_t nanos);
    int64_t unit; /* nanoseconds; 0: durations have no such part */
} part_of_time;

static cel_value part(evaluation *e, values v, size_t count, const part_of_time *p)
{
    int32_t offset_s = 0;
    if (count == 1 && v->type == CEL_DURATION && p->unit == 1000000)
        return cel_int(v->integer / p->unit);
    if (count == 1 && v->type == CEL_DURATION && p->unit)
        return cel_int((int64_t)((double)(v->integer / p->unit) + (double)(v->integer % p->unit) / (double)p->unit));
    if (count < 1 || count > 2 || v->type != CEL_TIMESTAMP || (count == 2 && v[1].type != CEL_STRING))
        return no_overload_of(e, p->name, v, count);
    const char *why = count == 2 ? cel_zone_offset(v[1].text, v->time.seconds, &offset_s) : NULL;
    if (why)
        return cel_failed(e->arena, "%s %.*s", why, (int)(v[1].text.size < 100 ? v[1].text.size : 100), v[1].text.bytes);
    cel_calendar c = cel_calendar_of(v->time.seconds + offset_s);
    return cel_int(p->of_calendar(&c, v->time.nanos));
}

#define PART(function, written, duration_unit, expression) \
    static int64_t function##_of(const cel_calendar *c, int32_t nanos) \
    { \
        (void)c, (void)nanos; \
        return (expression); \
    } \
    static cel_value function(evaluation *e, values v, size_t count) \
    { \
        static const part_of_time p = {written, function##_of, duration_unit}; \
        return part(e, v, count, &p); \
    }

PART(full_year, "getFullYear", 0, c->year)
PART(month, "getMonth", 0, c->month - 1)
PART(day_of_year, "getDayOfYear", 0, c->yearday)
PART(day_of_month, "getDayOfMonth", 0, c->day - 1)
PART(date, "getDate", 0, c->day)
PART(day_of_week, "getDayOfWeek", 0, c->weekday)
PART(hours, "getHours", 3600000000000, c->hour)
PART(minutes, "getMinutes", 60000000000, c->minute)
PART(seconds, "getSeconds", 1000000000, c->second)
PART(milliseconds, "getMilliseconds", 1000000, nanos / 1000000)

/* ---- the table ---- */

static const builtin builtins[] = {
    {"!_", STRICT_ONE, 1, not}, {"-_", STRICT_ONE, 1, negate},
    {"_+_", STRICT_TWO, 2, add}, {"_-_", STRICT_TWO, 2, subtract}, {"_*_", STRICT_TWO, 2, multiply},
    {"_/_", STRICT_TWO, 2, divide}, {"_%_", STRICT_TWO, 2, modulo},
    {"_==_", STRICT_EQUALITY, 2, equals}, {"_!=_", STRICT_EQUALITY, 2, differs},
    {"_<_", STRICT_TWO, 2, is_less}, {"_<=_", STRICT_TWO, 2, is_at_most}, {"_>_", STRICT_TWO, 2, is_greater},
    {"_>=_", STRICT_TWO, 2, is_at_least}, {"@in", STRICT_TWO, 2, is_in},
    {"size", STRICT_ONE, 1, size}, {"type", STRICT_ONE, 1, to_type}, {"dyn", STRICT_ONE, 1, to_dyn},
    {"contains", STRICT_TWO, 2, contains}, {"startsWith", STRICT_TWO, 2, starts_with}, {"endsWith", STRICT_TWO, 2, ends_with},
    {"matches", STRICT_TWO, 2, matches},
    {"bool", STRICT_ANY, 0, to_bool}, {"bytes", STRICT_ANY, 0, to_bytes}, {"double", STRICT_ANY, 0, to_double},
    {"duration", STRICT_ANY, 0, to_duration}, {"int", STRICT_ANY, 0, to_int}, {"string", STRICT_ANY, 0, to_string},
    {"timestamp", STRICT_ANY, 0, to_timestamp}, {"uint", STRICT_ANY, 0, to_uint},
    {"getFullYear", STRICT_ANY, 0, full_year}, {"getMonth", STRICT_ANY, 0, month}, {"getDayOfYear", STRICT_ANY, 0, day_of_year},
    {"getDayOfMonth", STRICT_ANY, 0, day_of_month}, {"getDate", STRICT_ANY, 0, date}, {"getDayOfWeek", STRICT_ANY, 0, day_of_week},
    {"getHours", STRICT_ANY, 0, hours}, {"getMinutes", STRICT_ANY, 0, minutes}, {"getSeconds", STRICT_ANY, 0, seconds},
    {"getMilliseconds", STRICT_ANY, 0, milliseconds},
};

const builtin *builtin_find(kim_text name)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (kim_text_is(name, builtins[i].name))
            return &builtins[i];
    return NULL;
}
