/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c - a tree with contiguous arrays from yajl's events.
 *
 * How many children a container has is known only at its end. Until then values wait on one stack;
 * the end of a container moves its own from the top of the stack into the arena, side by side. So
 * each value is moved once, whatever the document's shape, and the stack and the arena stay within
 * the arena's ceiling together.
 *
 * yajl decodes but does not guard: what it lets through (texts that are not UTF-8, lone surrogates)
 * is refused before it is called, and a failed allocation, which it does not check for, leaves it by
 * longjmp.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include <kim/json.h>
#include <kim/limits.h>

/* An array or an object that is still open. */
typedef struct level {
    size_t values_below; /* of the stack, which belong to the levels outside */
    uint32_t line;
    bool is_object;
} level;

typedef struct parser {
    kim_arena *arena;
    const char *origin;
    kim_error *err;
    const char *bytes;
    size_t size;
    yajl_handle yajl;
    bool at_end;          /* yajl was told that nothing follows: its offsets are of no use any more */
    size_t counted;       /* lines are counted up to here */
    uint32_t line;        /* from 1 */
    kim_json *values;     /* [value_count]: complete, waiting for their container's end */
    size_t value_count, value_room;
    kim_text *names;      /* [name_count]: of the members among the values, and of one to come */
    size_t name_count, name_room;
    level levels[KIM_JSON_MAX_DEPTH];
    size_t depth;
    bool failed;          /* err is filled */
    struct allocation *allocations; /* yajl's, so that they can be freed after a longjmp */
    jmp_buf out_of_memory;
} parser;

/* ---- yajl's memory ---- */

typedef struct allocation {
    struct allocation *next, **link;
    _Alignas(max_align_t) unsigned char bytes[];
} allocation;

static allocation *allocation_of(void *bytes)
{
    return (allocation *)((unsigned char *)bytes - offsetof(allocation, bytes));
}

static void *allocation_link(parser *p, allocation *a)
{
    if (a == NULL)
        longjmp(p->out_of_memory, 1);
    a->next = p->allocations;
    a->link = &p->allocations;
    if (a->next != NULL)
        a->next->link = &a->next;
    p->allocations = a;
    return a->bytes;
}

static void allocation_unlink(allocation *a)
{
    *a->link = a->next;
    if (a->next != NULL)
        a->next->link = a->link;
}

static void *allocate(void *context, size_t size)
{
    return allocation_link(context, malloc(sizeof(allocation) + size));
}

static void release(void *context, void *bytes)
{
    (void)context;
    if (bytes == NULL)
        return;
    allocation_unlink(allocation_of(bytes));
    free(allocation_of(bytes));
}

static void *reallocate(void *context, void *bytes, size_t size)
{
    if (bytes == NULL)
        return allocate(context, size);
    allocation *a = allocation_of(bytes);
    allocation_unlink(a);
    allocation *bigger = realloc(a, sizeof *a + size);
    if (bigger == NULL)
        free(a);
    return allocation_link(context, bigger);
}

/* ---- where we are ---- */

static uint32_t lines_between(const char *at, const char *end)
{
    uint32_t lines = 0;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        lines++;
    }
    return lines;
}

/* The line of the token that yajl has just read: no token spans lines, so its end will do. */
static uint32_t line_now(parser *p)
{
    size_t at = p->at_end ? p->size : yajl_get_bytes_consumed(p->yajl);
    if (at > p->counted) {
        p->line += lines_between(p->bytes + p->counted, p->bytes + at);
        p->counted = at;
    }
    return p->line;
}

static int no_memory(parser *p)
{
    p->failed = true;
    kim_fail(p->err, KIM_ERR_NOMEM, "%s:%u: no memory left for this document of %zu bytes",
             p->origin, p->line, p->size);
    return 0;
}

/* ---- the stack ---- */

/* Doubles a stack; the arena's ceiling counts for it too, for it bounds the whole piece of work. */
static bool grow(parser *p, void **items, size_t *room, size_t size)
{
    size_t more = *room ? *room * 2 : 64, bytes;
    if (__builtin_mul_overflow(more, size, &bytes) || bytes / 2 > kim_arena_left(p->arena))
        return false;
    void *bigger = realloc(*items, bytes);
    if (bigger == NULL)
        return false;
    *items = bigger;
    *room = more;
    return true;
}

static int push(parser *p, kim_json value)
{
    if (p->value_count == p->value_room &&
        !grow(p, (void **)&p->values, &p->value_room, sizeof *p->values))
        return no_memory(p);
    p->values[p->value_count++] = value;
    return 1;
}

static int push_text(parser *p, kim_json_type type, const void *bytes, size_t size)
{
    uint32_t line = line_now(p);
    kim_text text = kim_text_copy(p->arena, (kim_text){bytes ? bytes : "", size});
    if (kim_text_is_absent(text))
        return no_memory(p);
    return push(p, (kim_json){.type = type, .line = line, .text = text});
}

static int open_level(parser *p, bool is_object)
{
    uint32_t line = line_now(p);
    if (p->depth == KIM_JSON_MAX_DEPTH) {
        p->failed = true;
        kim_fail(p->err, KIM_ERR_LIMIT, "%s:%u: arrays and objects nest deeper than %d levels",
                 p->origin, line, KIM_JSON_MAX_DEPTH);
        return 0;
    }
    p->levels[p->depth++] =
        (level){.values_below = p->value_count, .line = line, .is_object = is_object};
    return 1;
}

static int close_level(parser *p)
{
    const level *closed = &p->levels[--p->depth];
    size_t count = p->value_count - closed->values_below;
    kim_json *items = KIM_NEW_ARRAY(p->arena, kim_json, count);
    if (items == NULL)
        return no_memory(p);
    if (count > 0)
        memcpy(items, p->values + closed->values_below, count * sizeof *items);
    kim_json value = {.type = KIM_JSON_ARRAY, .line = closed->line, .count = count, .items = items};
    if (closed->is_object) {
        kim_json_member *members = KIM_NEW_ARRAY(p->arena, kim_json_member, count);
        if (members == NULL)
            return no_memory(p);
        p->name_count -= count;
        for (size_t i = 0; i < count; i++)
            members[i] = (kim_json_member){p->names[p->name_count + i], &items[i]};
        value.type = KIM_JSON_OBJECT;
        value.members = members;
    }
    p->value_count = closed->values_below;
    return push(p, value);
}

/* ---- yajl's events ---- */

static int on_null(void *context)
{
    parser *p = context;
    return push(p, (kim_json){.type = KIM_JSON_NULL, .line = line_now(p)});
}

static int on_boolean(void *context, int boolean)
{
    parser *p = context;
    return push(p, (kim_json){.type = KIM_JSON_BOOL, .boolean = boolean != 0, .line = line_now(p)});
}

static int on_number(void *context, const char *bytes, size_t size)
{
    return push_text(context, KIM_JSON_NUMBER, bytes, size);
}

static int on_string(void *context, const unsigned char *bytes, size_t size)
{
    return push_text(context, KIM_JSON_STRING, bytes, size);
}

static int on_name(void *context, const unsigned char *bytes, size_t size)
{
    parser *p = context;
    kim_text name = kim_text_copy(p->arena, (kim_text){bytes ? (const char *)bytes : "", size});
    if (kim_text_is_absent(name))
        return no_memory(p);
    if (p->name_count == p->name_room &&
        !grow(p, (void **)&p->names, &p->name_room, sizeof *p->names))
        return no_memory(p);
    p->names[p->name_count++] = name;
    return 1;
}

static int on_object(void *context)
{
    return open_level(context, true);
}

static int on_array(void *context)
{
    return open_level(context, false);
}

static int on_end(void *context)
{
    return close_level(context);
}

/* ---- what yajl lets through ---- */

static int fail_at(parser *p, size_t at, const char *what)
{
    return kim_fail(p->err, KIM_ERR_INPUT, "%s:%u: %s", p->origin,
                    1 + lines_between(p->bytes, p->bytes + at), what);
}

/* The code unit of an escape \uXXXX at `at`, or -1. */
static long code_unit(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    long unit = 0;
    for (int i = 2; i < 6; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Backslashes stand only in strings (elsewhere yajl refuses them), so all escapes are found without
 * knowing where strings begin. */
static int check_surrogates(parser *p)
{
    const char *end = p->bytes + p->size, *at = p->bytes;
    while (at < end && (at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        long unit = code_unit(at, end);
        bool first = unit >= 0xd800 && unit <= 0xdbff, second = unit >= 0xdc00 && unit <= 0xdfff;
        long next = first ? code_unit(at + 6, end) : -1;
        if (second || (first && (next < 0xdc00 || next > 0xdfff)))
            return fail_at(p, (size_t)(at - p->bytes),
                           "an escape \\uD800 to \\uDFFF stands without its other half");
        at += unit < 0 ? 2 : first ? 12 : 6;
    }
    return 0;
}

static int check_utf8(parser *p)
{
    size_t good = kim_text_utf8_size((kim_text){p->bytes, p->size});
    return good == p->size ? 0 : fail_at(p, good, "a byte is not UTF-8; save the file as UTF-8");
}

/* ---- parsing ---- */

static int refuse(parser *p)
{
    if (p->failed)
        return -1;
    uint32_t line = line_now(p);
    unsigned char *why = yajl_get_error(p->yajl, 0, NULL, 0);
    size_t size = strcspn((const char *)why, "\n");
    return kim_fail(p->err, KIM_ERR_INPUT, "%s:%u: no JSON document: %.*s", p->origin, line,
                    (int)size, (const char *)why);
}

static int run(parser *p)
{
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null, .yajl_boolean = on_boolean, .yajl_number = on_number,
        .yajl_string = on_string, .yajl_start_map = on_object, .yajl_map_key = on_name,
        .yajl_end_map = on_end, .yajl_start_array = on_array, .yajl_end_array = on_end,
    };
    yajl_alloc_funcs memory = {allocate, reallocate, release, p};
    if (setjmp(p->out_of_memory) != 0) {
        no_memory(p);
        return -1;
    }
    p->yajl = yajl_alloc(&callbacks, &memory, p);
    yajl_config(p->yajl, yajl_dont_validate_strings, 1); /* check_utf8 is stricter */
    if (yajl_parse(p->yajl, (const unsigned char *)p->bytes, p->size) != yajl_status_ok)
        return refuse(p);
    p->at_end = true;
    if (yajl_complete_parse(p->yajl) != yajl_status_ok)
        return refuse(p);
    return 0;
}

const kim_json *kim_json_parse(const char *bytes, size_t size, const char *origin,
                               kim_arena *arena, kim_error *err)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (size >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) {
        bytes += 3;
        size -= 3;
    }
    parser *p = calloc(1, sizeof *p);
    if (p == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory left to read JSON", origin);
        return NULL;
    }
    p->arena = arena;
    p->origin = origin;
    p->err = err;
    p->bytes = bytes;
    p->size = size;
    p->line = 1;
    kim_json *root = NULL;
    if (check_utf8(p) == 0 && check_surrogates(p) == 0 && run(p) == 0) {
        root = KIM_NEW(arena, kim_json);
        if (root != NULL)
            *root = p->values[0];
        else
            no_memory(p);
    }
    while (p->allocations != NULL)
        release(p, p->allocations->bytes);
    free(p->values);
    free(p->names);
    free(p);
    return root;
}

/* ---- walking ---- */

const kim_json *kim_json_get_text(const kim_json *object, kim_text name)
{
    if (!kim_json_is(object, KIM_JSON_OBJECT))
        return NULL;
    for (size_t i = object->count; i-- > 0;) {
        if (kim_text_equal(object->members[i].name, name))
            return object->members[i].value;
    }
    return NULL;
}

const kim_json *kim_json_get(const kim_json *object, const char *name)
{
    return kim_json_get_text(object, kim_text_of(name));
}

kim_text kim_json_text(const kim_json *value)
{
    if (value == NULL)
        return KIM_NO_TEXT;
    switch (value->type) {
    case KIM_JSON_STRING:
    case KIM_JSON_NUMBER:
        return value->text;
    case KIM_JSON_BOOL:
        return value->boolean ? KIM_TEXT("true") : KIM_TEXT("false");
    default:
        return KIM_NO_TEXT;
    }
}

kim_text kim_json_text_of(const kim_json *object, const char *name)
{
    return kim_json_text(kim_json_get(object, name));
}

bool kim_json_is(const kim_json *value, kim_json_type type)
{
    return value != NULL && value->type == type;
}

bool kim_json_bool(const kim_json *value, bool otherwise)
{
    return kim_json_is(value, KIM_JSON_BOOL) ? value->boolean : otherwise;
}

int64_t kim_json_int(const kim_json *value, int64_t otherwise)
{
    if (!kim_json_is(value, KIM_JSON_NUMBER))
        return otherwise;
    bool negative = value->text.bytes[0] == '-';
    int64_t number = 0;
    for (size_t i = negative; i < value->text.size; i++) {
        int digit = value->text.bytes[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, digit, &number)) /* downwards: INT64_MIN has no opposite */
            return otherwise;
    }
    if (negative)
        return number;
    return number == INT64_MIN ? otherwise : -number;
}

kim_texts kim_json_texts(const kim_json *value, kim_arena *arena)
{
    if (value == NULL)
        return (kim_texts){NULL, 0};
    bool is_list = value->type == KIM_JSON_ARRAY;
    size_t room = is_list ? value->count : 1;
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, room);
    if (items == NULL)
        return (kim_texts){NULL, 0};
    size_t count = 0;
    for (size_t i = 0; i < room; i++) {
        kim_text text = kim_json_text(is_list ? &value->items[i] : value);
        if (!kim_text_is_absent(text))
            items[count++] = text;
    }
    return (kim_texts){items, count};
}

const char *kim_json_type_name(kim_json_type type)
{
    static const char *const names[] = {
        [KIM_JSON_NULL] = "null",     [KIM_JSON_BOOL] = "boolean", [KIM_JSON_NUMBER] = "number",
        [KIM_JSON_STRING] = "string", [KIM_JSON_ARRAY] = "array",  [KIM_JSON_OBJECT] = "object",
    };
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "unknown";
}
