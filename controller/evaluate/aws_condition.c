/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_condition.c - a table of operators: how a value is read, and how two are compared.
 *
 * A negated operator is its positive one turned round, values and absent keys included, so only the
 * positive comparisons are written. What cannot be read as the operator wants it (a number, a date, an
 * address) matches nothing, and neither does a policy's value whose variable has none: "there is no equal
 * or like value" (IAM User Guide, "Policy variables with no value").
 */
#include "controller/evaluate/aws_condition.h"

#include <arpa/inet.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

#include <kim/time.h>

typedef struct address {
    int family; /* 0: unreadable */
    unsigned prefix;
    uint8_t bytes[16];
} address;

/* A policy's value, read for its operator. */
typedef struct wanted {
    template text;
    arn_pattern arn;
    double number; /* NAN: unreadable; dates are milliseconds */
    int truth;     /* of a Bool without variables: 1, 0; -1: unreadable */
    address net;
    bool is_unreadable; /* nothing can match it */
} wanted;

typedef enum quantifier { EACH_ONE, FOR_ALL, FOR_ANY } quantifier;

typedef struct operator_row operator_row;

typedef struct test {
    const operator_row *op;
    quantifier quantifier;
    bool if_exists;
    uint32_t key;
    kim_text key_text;          /* as first written */
    kim_text op_text;           /* as AWS spells it, without an IfExists that changes nothing */
    kim_texts raw;              /* as written */
    const wanted *values;       /* [raw.count] */
    bool has_variables;         /* the document takes them */
    bool is_filled;             /* a value has one */
} test;

struct aws_condition {
    uint32_t number;
    size_t count;
    test *tests;
};

/* What one comparison gives. OPEN: it depends on a variable whose value is not known. */
typedef enum outcome { NO, YES, OPEN } outcome;

struct operator_row {
    const char *name;
    bool negated;
    bool variables; /* its values may hold policy variables */
    int (*read)(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out);
    outcome (*compare)(const wanted *want, kim_text given, context *c, kim_arena *scratch);
};

/* ---- texts ---- */

static int read_text(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out)
{
    return template_compile(raw, has_variables, keys, arena, &out->text);
}

static outcome compare_filled(const wanted *want, kim_text given, bool wild, context *c, kim_arena *scratch)
{
    units pattern;
    filling how = template_fill(&want->text, c, wild, scratch, &pattern);
    if (how == UNRESOLVED)
        return NO; /* no value: equal to and like nothing */
    if (how == NOT_KNOWN)
        return units_match(pattern, given) ? OPEN : NO;
    return units_match(pattern, given) ? YES : NO;
}

static outcome equals(const wanted *want, kim_text given, context *c, kim_arena *scratch)
{
    if (want->text.parts == NULL)
        return kim_text_equal(want->text.raw, given) ? YES : NO;
    return compare_filled(want, given, false, c, scratch);
}

static outcome equals_nocase(const wanted *want, kim_text given, context *c, kim_arena *scratch)
{
    if (want->text.parts == NULL)
        return kim_text_equal_nocase(want->text.raw, given) ? YES : NO;
    units pattern;
    filling how = template_fill(&want->text, c, false, scratch, &pattern);
    if (how != FILLED)
        return how == UNRESOLVED ? NO : OPEN;
    if (pattern.count != given.size)
        return NO;
    for (size_t i = 0; i < given.size; i++) {
        char w = (char)pattern.items[i];
        if (!kim_text_equal_nocase((kim_text){&w, 1}, (kim_text){given.bytes + i, 1}))
            return NO;
    }
    return YES;
}

static outcome like(const wanted *want, kim_text given, context *c, kim_arena *scratch)
{
    if (want->text.parts == NULL)
        return glob_match(want->text.raw, given) ? YES : NO;
    return compare_filled(want, given, true, c, scratch);
}

/* ---- ARNs ---- */

static int read_arn(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out)
{
    int result = arn_pattern_compile(raw, has_variables ? ARN_ALL_VARIABLES : ARN_NO_VARIABLES, keys, arena, &out->arn);
    out->is_unreadable = out->arn.count < ARN_PARTS && !out->arn.is_everything;
    return result;
}

static outcome arn_like(const wanted *want, kim_text given, context *c, kim_arena *scratch)
{
    arn a = arn_split_text(given);
    if (a.count < ARN_PARTS)
        return NO;
    if (want->is_unreadable)
        return NO;
    switch (arn_pattern_match(&want->arn, &a, false, c, scratch)) {
    case ARN_YES:
        return YES;
    case ARN_NOT_KNOWN:
        return OPEN;
    default:
        return NO;
    }
}

/* ---- numbers, dates, booleans ---- */

static bool parse_number(kim_text text, double *out)
{
    char copy[64];
    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    if (strspn(copy, "+-.0123456789eE") != text.size)
        return false;
    char *end;
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out);
}

static int read_number(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out)
{
    (void)has_variables, (void)keys, (void)arena;
    out->is_unreadable = !parse_number(raw, &out->number);
    if (out->is_unreadable)
        out->number = NAN;
    return 0;
}

static bool digits(kim_text text, size_t at, size_t count, int *out)
{
    if (at + count > text.size)
        return false;
    *out = 0;
    for (size_t i = at; i < at + count; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        *out = *out * 10 + (text.bytes[i] - '0');
    }
    return true;
}

/* `+hh:mm`, `-hhmm` or `Z` at the end of a time; 0 where there is none. */
static bool parse_zone(kim_text text, size_t at, int *minutes)
{
    int h = 0, m = 0;
    *minutes = 0;
    if (at == text.size || (at + 1 == text.size && (text.bytes[at] == 'Z' || text.bytes[at] == 'z')))
        return true;
    if (text.bytes[at] != '+' && text.bytes[at] != '-')
        return false;
    size_t colon = at + 3 < text.size && text.bytes[at + 3] == ':';
    if (!digits(text, at + 1, 2, &h) || (at + 3 != text.size && !digits(text, at + 3 + colon, 2, &m)))
        return false;
    *minutes = (h * 60 + m) * (text.bytes[at] == '-' ? -1 : 1);
    return true;
}

/* W3C's ISO 8601 profile (a date, to minutes, to seconds, with a fraction), or Unix seconds. In ms. */
static bool parse_date(kim_text text, double *out)
{
    int y, mo = 1, d = 1, h = 0, mi = 0, s = 0, zone = 0;
    double fraction = 0;
    size_t at = 4;
    if (!(text.size >= 4 && digits(text, 0, 4, &y) && (text.size == 4 || text.bytes[4] == '-'))) {
        double seconds = 0;
        bool numeric = parse_number(text, &seconds);
        *out = seconds * 1000;
        return numeric;
    }
    if (text.size == 4) { /* four digits are a year to W3C and seconds to Unix: the latter, as AWS does */
        *out = y * 1000.0;
        return true;
    }
    if (!digits(text, 5, 2, &mo) || mo < 1 || mo > 12)
        return false;
    at = 7;
    if (at < text.size && text.bytes[at] == '-') {
        if (!digits(text, 8, 2, &d) || d < 1 || d > 31)
            return false;
        at = 10;
    }
    if (at < text.size && (text.bytes[at] == 'T' || text.bytes[at] == 't' || text.bytes[at] == ' ')) {
        if (!digits(text, at + 1, 2, &h) || at + 3 >= text.size || text.bytes[at + 3] != ':' ||
            !digits(text, at + 4, 2, &mi))
            return false;
        at += 6;
        if (at < text.size && text.bytes[at] == ':') {
            if (!digits(text, at + 1, 2, &s))
                return false;
            at += 3;
            if (at < text.size && text.bytes[at] == '.') {
                double unit = 0.1;
                for (at++; at < text.size && text.bytes[at] >= '0' && text.bytes[at] <= '9'; at++, unit /= 10)
                    fraction += (text.bytes[at] - '0') * unit;
            }
        }
        if (!parse_zone(text, at, &zone))
            return false;
    } else if (at != text.size) {
        return false;
    }
    *out = ((double)kim_days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - zone * 60.0) * 1000 + floor(fraction * 1000 + 0.5);
    return true;
}

static int read_date(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out)
{
    (void)has_variables, (void)keys, (void)arena;
    out->is_unreadable = !parse_date(raw, &out->number);
    if (out->is_unreadable)
        out->number = NAN;
    return 0;
}

#define COMPARE(name, parse, relation)                                                             \
    static outcome name(const wanted *want, kim_text given, context *c, kim_arena *scratch)        \
    {                                                                                              \
        double value;                                                                              \
        (void)c, (void)scratch;                                                                    \
        if (!parse(given, &value))                                                                 \
            return NO;                                                                             \
        return value relation want->number ? YES : NO; /* NAN compares false */                    \
    }
COMPARE(number_equals, parse_number, ==)
COMPARE(number_less, parse_number, <)
COMPARE(number_less_equal, parse_number, <=)
COMPARE(number_greater, parse_number, >)
COMPARE(number_greater_equal, parse_number, >=)
COMPARE(date_equals, parse_date, ==)
COMPARE(date_less, parse_date, <)
COMPARE(date_less_equal, parse_date, <=)
COMPARE(date_greater, parse_date, >)
COMPARE(date_greater_equal, parse_date, >=)

static int truth(kim_text text)
{
    return kim_text_equal_nocase(text, KIM_TEXT("true"))    ? 1
           : kim_text_equal_nocase(text, KIM_TEXT("false")) ? 0
                                                            : -1;
}

static int read_bool(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out)
{
    int result = read_text(raw, has_variables, keys, arena, out);
    out->truth = truth(raw);
    out->is_unreadable = out->text.parts == NULL && out->truth < 0;
    return result;
}

static outcome bool_equals(const wanted *want, kim_text given, context *c, kim_arena *scratch)
{
    int have = truth(given), wish = want->truth;
    if (want->text.parts) { /* a variable alone */
        units filled;
        filling how = template_fill(&want->text, c, false, scratch, &filled);
        if (how != FILLED)
            return how == UNRESOLVED ? NO : OPEN;
        char *copy = kim_arena_bytes(scratch, filled.count + 1);
        for (size_t i = 0; copy && i < filled.count; i++)
            copy[i] = (char)filled.items[i];
        wish = truth((kim_text){copy, copy ? filled.count : 0});
    }
    if (have < 0)
        return NO;
    return have == wish ? YES : NO;
}

/* ---- addresses ---- */

static bool parse_address(kim_text text, bool with_prefix, address *out)
{
    char copy[INET6_ADDRSTRLEN + 8];
    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    char *slash = strchr(copy, '/');
    if (slash && !with_prefix)
        return false;
    if (slash)
        *slash++ = '\0';
    address a = {.family = strchr(copy, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(a.family, copy, a.bytes) != 1)
        return false;
    unsigned most = a.family == AF_INET ? 32 : 128;
    a.prefix = most;
    if (slash) {
        char *end;
        unsigned long bits = strtoul(slash, &end, 10);
        if (*slash < '0' || *slash > '9' || *end || bits > most)
            return false;
        a.prefix = (unsigned)bits;
    }
    *out = a;
    return true;
}

static int read_address(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out)
{
    (void)has_variables, (void)keys, (void)arena;
    out->is_unreadable = !parse_address(raw, true, &out->net);
    if (out->is_unreadable)
        out->net.family = 0;
    return 0;
}

static outcome in_network(const wanted *want, kim_text given, context *c, kim_arena *scratch)
{
    (void)c, (void)scratch;
    address a;
    if (!parse_address(given, true, &a))
        return NO;
    if (a.family != want->net.family || a.prefix < want->net.prefix)
        return NO;
    unsigned whole = want->net.prefix / 8, rest = want->net.prefix % 8;
    if (memcmp(a.bytes, want->net.bytes, whole) != 0)
        return NO;
    uint8_t mask = (uint8_t)(0xFF00 >> rest);
    return rest == 0 || ((a.bytes[whole] ^ want->net.bytes[whole]) & mask) == 0 ? YES : NO;
}

/* ---- binary ---- */

static bool parse_base64(kim_text text, kim_arena *scratch, kim_text *out)
{
    unsigned char *bin = (unsigned char *)kim_arena_bytes(scratch, text.size + 1);
    size_t size;
    if (bin == NULL || sodium_base642bin(bin, text.size + 1, text.bytes, text.size, "\r\n ", &size, NULL,
                                         sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    *out = (kim_text){(const char *)bin, size};
    return true;
}

static int read_binary(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, wanted *out)
{
    kim_text bytes;
    out->is_unreadable = !parse_base64(raw, arena, &bytes);
    return read_text(raw, has_variables, keys, arena, out);
}

static outcome binary_equals(const wanted *want, kim_text given, context *c, kim_arena *scratch)
{
    kim_text a, b;
    (void)c;
    if (!parse_base64(given, scratch, &b))
        return NO;
    return parse_base64(want->text.raw, scratch, &a) && kim_text_equal(a, b) ? YES : NO;
}

/* ---- the operators ---- */

static const operator_row operators[] = {
    {"StringEquals", false, true, read_text, equals},
    {"StringNotEquals", true, true, read_text, equals},
    {"StringEqualsIgnoreCase", false, true, read_text, equals_nocase},
    {"StringNotEqualsIgnoreCase", true, true, read_text, equals_nocase},
    {"StringLike", false, true, read_text, like},
    {"StringNotLike", true, true, read_text, like},
    {"NumericEquals", false, false, read_number, number_equals},
    {"NumericNotEquals", true, false, read_number, number_equals},
    {"NumericLessThan", false, false, read_number, number_less},
    {"NumericLessThanEquals", false, false, read_number, number_less_equal},
    {"NumericGreaterThan", false, false, read_number, number_greater},
    {"NumericGreaterThanEquals", false, false, read_number, number_greater_equal},
    {"DateEquals", false, false, read_date, date_equals},
    {"DateNotEquals", true, false, read_date, date_equals},
    {"DateLessThan", false, false, read_date, date_less},
    {"DateLessThanEquals", false, false, read_date, date_less_equal},
    {"DateGreaterThan", false, false, read_date, date_greater},
    {"DateGreaterThanEquals", false, false, read_date, date_greater_equal},
    {"Bool", false, true, read_bool, bool_equals},
    {"BinaryEquals", false, false, read_binary, binary_equals},
    {"IpAddress", false, false, read_address, in_network},
    {"NotIpAddress", true, false, read_address, in_network},
    {"ArnEquals", false, true, read_arn, arn_like},
    {"ArnLike", false, true, read_arn, arn_like},
    {"ArnNotEquals", true, true, read_arn, arn_like},
    {"ArnNotLike", true, true, read_arn, arn_like},
    {"Null", false, false, read_text, NULL},
};

static const operator_row *find_operator(kim_text name)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (kim_text_equal_nocase(name, kim_text_of(operators[i].name)))
            return &operators[i];
    return NULL;
}

static bool strip_prefix(kim_text *name, kim_text prefix)
{
    if (name->size < prefix.size || !kim_text_equal_nocase((kim_text){name->bytes, prefix.size}, prefix))
        return false;
    *name = (kim_text){name->bytes + prefix.size, name->size - prefix.size};
    return true;
}

static bool strip_suffix(kim_text *name, kim_text suffix)
{
    if (name->size < suffix.size ||
        !kim_text_equal_nocase((kim_text){name->bytes + name->size - suffix.size, suffix.size}, suffix))
        return false;
    name->size -= suffix.size;
    return true;
}

/* "ForAnyValue:StringLikeIfExists" to its three parts. */
static int parse_operator(kim_text written, kim_arena *arena, test *out, kim_error *err)
{
    kim_text name = written;
    out->quantifier = strip_prefix(&name, KIM_TEXT("ForAllValues:"))  ? FOR_ALL
                      : strip_prefix(&name, KIM_TEXT("ForAnyValue:")) ? FOR_ANY
                                                                      : EACH_ONE;
    out->op = find_operator(name);
    if (out->op == NULL && strip_suffix(&name, KIM_TEXT("IfExists"))) {
        out->op = find_operator(name);
        out->if_exists = true;
    }
    if (out->op == NULL || (out->if_exists && out->op->compare == NULL))
        return kim_fail(err, KIM_ERR_INPUT,
                        "condition operator '%.*s' is none of AWS's; write one such as StringEquals",
                        KIM_PRINT(written));
    /* A negated test and ForAllValues hold without the key anyway: IfExists changes nothing. */
    out->if_exists &= out->quantifier == FOR_ANY || (out->quantifier == EACH_ONE && !out->op->negated);
    static const char *const prefixes[] = {[EACH_ONE] = "", [FOR_ALL] = "ForAllValues:", [FOR_ANY] = "ForAnyValue:"};
    out->op_text = kim_text_format(arena, "%s%s%s", prefixes[out->quantifier], out->op->name, out->if_exists ? "IfExists" : "");
    return 0;
}

static int read_values(const kim_json *json, bool has_variables, key_table *keys, kim_arena *arena,
                       test *out, kim_error *err)
{
    out->raw = kim_json_texts(json, arena);
    if (kim_text_is_absent((kim_text){(const char *)out->raw.items, 0}) ||
        (kim_json_is(json, KIM_JSON_ARRAY) && out->raw.count != json->count))
        return kim_fail(err, KIM_ERR_INPUT, "condition key '%.*s' has a value that is no string; write a string or a list of strings",
                        KIM_PRINT(out->key_text));
    wanted *values = KIM_NEW_ARRAY(arena, wanted, out->raw.count ? out->raw.count : 1);
    if (values == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a condition");
    for (size_t i = 0; i < out->raw.count; i++)
        if (out->op->read(out->raw.items[i], has_variables && out->op->variables, keys, arena, &values[i]) < 0)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for a condition");
    for (size_t i = 0; i < out->raw.count; i++)
        out->is_filled |= values[i].text.parts || values[i].arn.whole.parts;
    out->values = values;
    out->has_variables = has_variables && out->op->variables;
    return 0;
}

const aws_condition *aws_condition_compile(kim_text json, bool has_variables, uint32_t number, key_table *keys,
                                           kim_arena *arena, kim_error *err)
{
    const kim_json *root = kim_json_parse(json.bytes, json.size, "condition", arena, err);
    if (root == NULL)
        return NULL;
    if (!kim_json_is(root, KIM_JSON_OBJECT)) {
        kim_fail(err, KIM_ERR_INPUT, "Condition is %s; write an object of operators", kim_json_type_name(root->type));
        return NULL;
    }
    size_t total = 0;
    for (size_t i = 0; i < root->count; i++)
        total += kim_json_is(root->members[i].value, KIM_JSON_OBJECT) ? root->members[i].value->count : 1;
    aws_condition *condition = KIM_NEW(arena, aws_condition);
    test *tests = KIM_NEW_ARRAY(arena, test, total ? total : 1);
    if (condition == NULL || tests == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a condition");
        return NULL;
    }
    condition->number = number;
    condition->tests = tests;
    for (size_t i = 0; i < root->count; i++) {
        const kim_json *block = root->members[i].value;
        if (!kim_json_is(block, KIM_JSON_OBJECT)) {
            kim_fail(err, KIM_ERR_INPUT, "condition operator '%.*s' holds %s; write an object of keys",
                     KIM_PRINT(root->members[i].name), kim_json_type_name(block->type));
            return NULL;
        }
        for (size_t k = 0; k < block->count; k++) {
            test *t = &tests[condition->count++];
            t->key_text = block->members[k].name;
            t->key = key_table_add(keys, t->key_text);
            if (t->key == UINT32_MAX) {
                kim_fail(err, KIM_ERR_NOMEM, "no memory for a condition");
                return NULL;
            }
            t->key_text = key_table_spelling(keys, t->key);
            if (parse_operator(root->members[i].name, arena, t, err) < 0 ||
                read_values(block->members[k].value, has_variables, keys, arena, t, err) < 0)
                return NULL;
        }
    }
    return condition;
}

static bool template_looks_at(const template *t, const bool *marked)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->parts[i].key != UINT32_MAX && marked[t->parts[i].key])
            return true;
    return false;
}

bool aws_condition_looks_at(const aws_condition *condition, const bool *marked)
{
    for (size_t i = 0; i < condition->count; i++) {
        const test *t = &condition->tests[i];
        if (marked[t->key])
            return true;
        for (size_t k = 0; t->is_filled && k < t->raw.count; k++)
            if (template_looks_at(&t->values[k].text, marked) || template_looks_at(&t->values[k].arn.whole, marked))
                return true;
    }
    return false;
}

size_t aws_condition_count(const aws_condition *condition)
{
    return condition->count;
}

aws_test aws_condition_test(const aws_condition *condition, size_t index)
{
    const test *t = &condition->tests[index];
    return (aws_test){.key = t->key, .key_text = t->key_text, .op = t->op->name, .is_set = t->quantifier != EACH_ONE,
                      .values = t->raw, .compiled = t};
}

double aws_test_number(const aws_test *t, size_t value)
{
    return t->compiled->values[value].number;
}

const template *aws_test_template(const aws_test *t, size_t value)
{
    const wanted *want = &t->compiled->values[value];
    return want->arn.whole.parts ? &want->arn.whole : &want->text;
}

/* ---- deciding ---- */

/* Does a request's value equal (lie in, ...) one of the policy's? */
static outcome among(const test *t, kim_text given, context *c, kim_arena *scratch)
{
    outcome best = NO;
    for (size_t i = 0; i < t->raw.count; i++) {
        outcome one = t->op->compare(&t->values[i], given, c, scratch);
        if (one == YES)
            return YES;
        best = one == OPEN ? OPEN : best;
    }
    return best;
}

static const term *constant(bool value)
{
    return value ? &term_true : &term_false;
}

static const term *when_absent(const test *t)
{
    if (t->if_exists)
        return &term_true;
    if (t->quantifier != EACH_ONE)
        return constant(t->quantifier == FOR_ALL);
    return constant(t->op->negated);
}

/* Unreadable, or surely without a value: what it is compared with cannot be equal to it or like it. */
static bool is_void(const test *t, const wanted *want, context *c)
{
    return want->is_unreadable || (t->is_filled && (template_filling(&want->text, c) == UNRESOLVED || template_filling(&want->arn.whole, c) == UNRESOLVED));
}

/* An answer's values read alike whatever document they come from; those that match nothing are left out, if so wanted. */
static kim_texts values_of(const test *t, bool all, context *c, kim_arena *scratch)
{
    kim_text *values = KIM_NEW_ARRAY(scratch, kim_text, t->raw.count ? t->raw.count : 1);
    size_t count = 0;
    for (size_t i = 0; values && i < t->raw.count; i++)
        if (all || !is_void(t, &t->values[i], c))
            values[count++] = t->has_variables || !t->op->variables ? t->raw.items[i] : template_literal(t->raw.items[i], scratch);
    return (kim_texts){values, count};
}

static const term *is_absent(const test *t, kim_arena *scratch)
{
    static const kim_text yes = {"true", 4};
    return term_condition(scratch, t->key_text, KIM_TEXT("Null"), (kim_texts){&yes, 1});
}

/* The test as a term. present: the key is there, so IfExists is moot. */
static const term *itself(const test *t, bool present, context *c, kim_arena *scratch)
{
    kim_texts values = values_of(t, false, c, scratch);
    kim_text op = t->op_text;
    bool asks_for_any = t->quantifier == EACH_ONE || (t->quantifier == FOR_ANY) != t->op->negated;
    if (values.items && values.count == 0 && asks_for_any) { /* nothing can match */
        if (t->op->negated || !t->if_exists || present)
            return constant(t->op->negated);
        return is_absent(t, scratch);
    }
    if (t->if_exists && present)
        strip_suffix(&op, KIM_TEXT("IfExists"));
    return term_condition(scratch, t->key_text, op, values.count ? values : values_of(t, true, c, scratch));
}

static const term *decide_null(const test *t, key_value value, kim_arena *scratch)
{
    bool asks[2] = {false, false}; /* for a key that is there; for one that is not */
    for (size_t i = 0; i < t->raw.count; i++)
        if (truth(t->raw.items[i]) >= 0)
            asks[truth(t->raw.items[i])] = true;
    if (value.state != KEY_UNKNOWN || asks[0] == asks[1])
        return constant(asks[value.state == KEY_ABSENT]);
    return asks[1] ? is_absent(t, scratch) : term_not(scratch, is_absent(t, scratch));
}

static bool all_empty(kim_texts values)
{
    for (size_t i = 0; i < values.count; i++)
        if (values.items[i].size)
            return false;
    return true;
}

/* ForAllValues: each value passes; ForAnyValue: one does. An empty text is no value to them. */
static const term *decide_set(const test *t, kim_texts given, context *c, kim_arena *scratch)
{
    bool for_all = t->quantifier == FOR_ALL, open = false;
    if (all_empty(given))
        return constant(for_all);
    for (size_t i = 0; i < given.count; i++) {
        outcome one = among(t, given.items[i], c, scratch);
        if (one == OPEN) {
            open = true;
            continue;
        }
        if (((one == YES) != t->op->negated) != for_all)
            return constant(!for_all);
    }
    return open ? itself(t, true, c, scratch) : constant(for_all);
}

static const term *decide_each(const test *t, kim_texts given, context *c, kim_arena *scratch)
{
    outcome best = NO;
    for (size_t i = 0; i < given.count && best != YES; i++) {
        outcome one = among(t, given.items[i], c, scratch);
        best = one == NO ? best : one;
    }
    if (best == OPEN)
        return itself(t, true, c, scratch);
    return constant((best == YES) != t->op->negated);
}

/* Does the operator compare texts letter by letter? */
static bool is_exact(const test *t)
{
    static const char *const names[] = {"StringEquals", "StringNotEquals", "StringLike", "StringNotLike"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(t->op->name, names[i]) == 0)
            return true;
    return false;
}

/* Does a value that begins so match this one, whatever follows? */
static outcome matches_beginning(const test *t, kim_text want, kim_text begin)
{
    bool like = kim_text_ends_with(kim_text_of(t->op->name), KIM_TEXT("Like"));
    size_t fixed = 0;
    if (want.size == 0)
        return NO;
    if (memmem(want.bytes, want.size, "${", 2))
        return OPEN;
    while (fixed < want.size && !(like && (want.bytes[fixed] == '*' || want.bytes[fixed] == '?')))
        fixed++;
    size_t both = fixed < begin.size ? fixed : begin.size;
    if (memcmp(want.bytes, begin.bytes, both) != 0 || (fixed == want.size && want.size <= begin.size))
        return NO;
    bool open_end = like && want.bytes[want.size - 1] == '*';
    return open_end && glob_match(want, begin) ? YES : OPEN;
}

/* The value is not known but for its beginning. */
static const term *decide_beginning(const test *t, kim_text begin, context *c, kim_arena *scratch)
{
    outcome best = NO;
    if (!is_exact(t))
        return itself(t, true, c, scratch);
    for (size_t i = 0; i < t->raw.count && best != YES; i++) {
        outcome one = matches_beginning(t, t->raw.items[i], begin);
        best = one == NO ? best : one;
    }
    return best == OPEN ? itself(t, true, c, scratch) : constant((best == YES) != t->op->negated);
}

static bool is_excluded(kim_text want, kim_texts excluded)
{
    for (size_t i = 0; i < excluded.count; i++)
        if (kim_text_ends_with(excluded.items[i], KIM_TEXT("/")) ? kim_text_starts_with(want, excluded.items[i])
                                                                 : kim_text_equal(want, excluded.items[i]))
            return true;
    return false;
}

/* A value that may be absent, and is none of these: does it matter which? */
static const term *decide_excluded(const test *t, kim_texts excluded, context *c, kim_arena *scratch)
{
    bool matches_none = is_exact(t);
    for (size_t i = 0; i < t->raw.count; i++)
        matches_none &= is_excluded(t->raw.items[i], excluded);
    const term *present = constant(t->op->negated);
    return matches_none && when_absent(t) == present ? present : itself(t, false, c, scratch);
}

static const term *decide(const test *t, context *c, kim_arena *scratch)
{
    key_value value = context_value(c, t->key);
    if (t->op->compare == NULL)
        return decide_null(t, value, scratch);
    switch (value.state) {
    case KEY_ABSENT:
        return when_absent(t);
    case KEY_GIVEN:
        return t->quantifier == EACH_ONE ? decide_each(t, value.values, c, scratch)
                                         : decide_set(t, value.values, c, scratch);
    case KEY_PRESENT:
        if (value.values.count)
            return decide_beginning(t, value.values.items[0], c, scratch);
        break;
    case KEY_UNKNOWN:
        if (value.values.count)
            return decide_excluded(t, value.values, c, scratch);
        break;
    }
    return itself(t, value.state == KEY_PRESENT, c, scratch);
}

static const term *decide_all(const aws_condition *condition, context *c, kim_arena *scratch)
{
    const term *all = &term_true;
    for (size_t i = 0; i < condition->count; i++) {
        const term *one = decide(&condition->tests[i], c, scratch);
        if (one == &term_false)
            return one;
        all = one == &term_true ? all : term_and(scratch, all, one);
        if (all == NULL || all->kind == TERM_FALSE)
            return all;
    }
    return all;
}

const term *aws_condition_decide(const aws_condition *condition, context *c, kim_arena *scratch)
{
    if (c->decided == NULL)
        return decide_all(condition, c, scratch);
    decided *kept = &c->decided[condition->number];
    if (kept->stamp != c->stamp)
        *kept = (decided){decide_all(condition, c, scratch), c->stamp};
    return kept->result;
}
