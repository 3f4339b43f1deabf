/* SPDX-License-Identifier: Apache-2.0
 *
 * record.c - one walk over a record's rows, for its bytes, its checks, its key and its JSON.
 *
 * Bytes are canonical: each number in its shortest form, each text with its shortest head, pairs
 * sorted, nothing after the last field that says something. So equal records have equal bytes, and a
 * hash of the bytes is a hash of the record. Writing goes to a sink, which keeps the bytes, hashes
 * them or only counts them.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include <kim/limits.h>
#include <kim/record.h>

/* The first bytes of msgpack's forms. Source: the msgpack specification, "Formats". */
enum {
    FIX_MAP = 0x80, FIX_ARRAY = 0x90, FIX_STR = 0xa0, NIL = 0xc0, NEVER_USED = 0xc1, FALSE = 0xc2,
    TRUE = 0xc3, BIN_8 = 0xc4, EXT_8 = 0xc7, FLOAT_32 = 0xca, UINT_8 = 0xcc, INT_8 = 0xd0,
    FIX_EXT_1 = 0xd4, STR_8 = 0xd9, ARRAY_16 = 0xdc, MAP_16 = 0xde, NEGATIVE_FIX = 0xe0,
};

/* ---- buffers ---- */

void kim_bytes_append(kim_bytes *bytes, const void *data, size_t size)
{
    if (bytes->failed || size == 0)
        return;
    if (size > bytes->capacity - bytes->size) {
        size_t need, capacity;
        bytes->failed = __builtin_add_overflow(bytes->size, size, &need) ||
                        __builtin_add_overflow(need, need / 2 + 256, &capacity);
        uint8_t *bigger = bytes->failed ? NULL : realloc(bytes->data, capacity);
        bytes->failed = bigger == NULL;
        if (bytes->failed)
            return;
        bytes->data = bigger;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void kim_bytes_free(kim_bytes *bytes)
{
    if (bytes == NULL)
        return;
    free(bytes->data);
    *bytes = (kim_bytes){0};
}

/* ---- fields ---- */

static const void *at(const kim_record *record, const kim_field *field)
{
    return (const char *)record + field->offset;
}

static inline bool is_absent(const kim_record *record, const kim_field *field)
{
    const void *value = at(record, field);
    switch (field->kind) {
    case KIM_FIELD_TEXT:
        return ((const kim_text *)value)->bytes == NULL;
    case KIM_FIELD_TEXTS:
        return ((const kim_texts *)value)->items == NULL;
    case KIM_FIELD_PAIRS:
        return ((const kim_pairs *)value)->items == NULL;
    case KIM_FIELD_INT:
    case KIM_FIELD_TIME:
        return *(const int64_t *)value == 0;
    case KIM_FIELD_BOOL:
        return !*(const bool *)value;
    case KIM_FIELD_ENUM:
        return *(const int32_t *)value == 0;
    case KIM_FIELD_CONDITION:
        return ((const kim_condition *)value)->lang.bytes == NULL &&
               ((const kim_condition *)value)->text.bytes == NULL;
    }
    return true;
}

/* ---- writing ---- */

/* Where bytes go: kept, hashed, or, with neither, counted. */
typedef struct sink {
    kim_bytes *keep;
    crypto_generichash_state *hash;
    size_t size;
    bool failed; /* no memory for sorting */
} sink;

static inline void put(sink *to, const void *bytes, size_t size)
{
    kim_bytes *keep = to->keep;
    to->size += size;
    if (keep != NULL && !keep->failed && size <= keep->capacity - keep->size) { /* nearly always */
        memcpy(keep->data + keep->size, bytes, size);
        keep->size += size;
    } else if (keep != NULL)
        kim_bytes_append(keep, bytes, size);
    if (to->hash != NULL)
        crypto_generichash_update(to->hash, bytes, size);
}

/* `form`, then the lowest `width` bytes of value, the highest first. */
static inline void put_form(sink *to, unsigned form, uint64_t value, size_t width)
{
    uint8_t bytes[9] = {(uint8_t)form};
    for (size_t i = 0; i < width; i++)
        bytes[1 + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    put(to, bytes, 1 + width);
}

static void put_int(sink *to, int64_t value)
{
    uint64_t bits = (uint64_t)value;
    if (value >= 0) {
        if (value < 0x80)
            put_form(to, (unsigned)value, 0, 0);
        else if (value <= UINT8_MAX)
            put_form(to, UINT_8, bits, 1);
        else if (value <= UINT16_MAX)
            put_form(to, UINT_8 + 1, bits, 2);
        else if (value <= UINT32_MAX)
            put_form(to, UINT_8 + 2, bits, 4);
        else
            put_form(to, UINT_8 + 3, bits, 8);
    } else if (value >= -32) {
        put_form(to, (unsigned)(bits & 0xff), 0, 0);
    } else if (value >= INT8_MIN) {
        put_form(to, INT_8, bits, 1);
    } else if (value >= INT16_MIN) {
        put_form(to, INT_8 + 1, bits, 2);
    } else if (value >= INT32_MIN) {
        put_form(to, INT_8 + 2, bits, 4);
    } else {
        put_form(to, INT_8 + 3, bits, 8);
    }
}

static void put_text(sink *to, kim_text text)
{
    if (kim_text_is_absent(text)) {
        put_form(to, NIL, 0, 0);
        return;
    }
    if (text.size < 32)
        put_form(to, FIX_STR | (unsigned)text.size, 0, 0);
    else if (text.size <= UINT8_MAX)
        put_form(to, STR_8, text.size, 1);
    else if (text.size <= UINT16_MAX)
        put_form(to, STR_8 + 1, text.size, 2);
    else
        put_form(to, STR_8 + 2, text.size, 4);
    put(to, text.bytes, text.size);
}

static void put_count(sink *to, unsigned fix, unsigned form_16, size_t count)
{
    if (count < 16)
        put_form(to, fix | (unsigned)count, 0, 0);
    else if (count <= UINT16_MAX)
        put_form(to, form_16, count, 2);
    else
        put_form(to, form_16 + 1, count, 4);
}

static void put_texts(sink *to, kim_texts texts)
{
    put_count(to, FIX_ARRAY, ARRAY_16, texts.count);
    for (size_t i = 0; i < texts.count; i++)
        put_text(to, texts.items[i]);
}

static int compare_pairs(const void *one, const void *other)
{
    const kim_pair *a = one, *b = other;
    int order = kim_text_compare(a->name, b->name);
    return order ? order : kim_text_compare(a->value, b->value);
}

/* Providers list tags in no order of their own; a record must not change where only that changed. */
static void put_pairs(sink *to, kim_pairs pairs)
{
    kim_pair *sorted = NULL;
    for (size_t i = 1; i < pairs.count && sorted == NULL && !to->failed; i++) {
        if (compare_pairs(&pairs.items[i - 1], &pairs.items[i]) <= 0)
            continue;
        sorted = calloc(pairs.count, sizeof *sorted);
        to->failed = sorted == NULL;
    }
    if (sorted != NULL) {
        memcpy(sorted, pairs.items, pairs.count * sizeof *sorted);
        qsort(sorted, pairs.count, sizeof *sorted, compare_pairs);
        pairs.items = sorted;
    }
    put_count(to, FIX_MAP, MAP_16, pairs.count);
    for (size_t i = 0; i < pairs.count; i++) {
        put_text(to, pairs.items[i].name);
        put_text(to, pairs.items[i].value);
    }
    free(sorted);
}

static void put_field(sink *to, const kim_record *record, const kim_field *field)
{
    const void *value = at(record, field);
    if (is_absent(record, field)) {
        put_form(to, NIL, 0, 0);
        return;
    }
    switch (field->kind) {
    case KIM_FIELD_TEXT:
        put_text(to, *(const kim_text *)value);
        break;
    case KIM_FIELD_TEXTS:
        put_texts(to, *(const kim_texts *)value);
        break;
    case KIM_FIELD_PAIRS:
        put_pairs(to, *(const kim_pairs *)value);
        break;
    case KIM_FIELD_INT:
    case KIM_FIELD_TIME:
        put_int(to, *(const int64_t *)value);
        break;
    case KIM_FIELD_BOOL:
        put_form(to, TRUE, 0, 0);
        break;
    case KIM_FIELD_ENUM:
        put_int(to, *(const int32_t *)value);
        break;
    case KIM_FIELD_CONDITION:
        put_count(to, FIX_ARRAY, ARRAY_16, 2);
        put_text(to, ((const kim_condition *)value)->lang);
        put_text(to, ((const kim_condition *)value)->text);
        break;
    }
}

static void put_record(sink *to, const kim_record *record)
{
    size_t count;
    const kim_field *fields = kim_record_fields(record->type, &count);
    while (count > 0 && is_absent(record, &fields[count - 1]))
        count--;
    put_count(to, FIX_ARRAY, ARRAY_16, 2 + count);
    put_int(to, record->type);
    put_text(to, record->scope);
    for (size_t i = 0; i < count; i++)
        put_field(to, record, &fields[i]);
}

int kim_record_encode(const kim_record *record, kim_bytes *out, kim_error *err)
{
    size_t before = out->size;
    sink to = {.keep = out};
    put_record(&to, record);
    if (!to.failed && !out->failed)
        return 0;
    out->size = before;
    return kim_fail(err, KIM_ERR_NOMEM, "no memory left to encode a record of %zu bytes", to.size);
}

/* ---- keys, hashes, digests ---- */

/* libsodium picks its fastest code for this processor once. */
static void sodium_ready(void)
{
    if (sodium_init() < 0)
        return; /* its portable code hashes as well */
}

static void ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, sodium_ready);
}

void kim_record_key(const kim_record *record, uint8_t key[KIM_RECORD_KEY_BYTES])
{
    ready();
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, KIM_RECORD_KEY_BYTES);
    sink to = {.hash = &hash};
    put_int(&to, record->type);
    put_text(&to, record->scope);
    size_t count;
    const kim_field *fields = kim_record_fields(record->type, &count);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].is_key)
            put_field(&to, record, &fields[i]);
    }
    crypto_generichash_final(&hash, key, KIM_RECORD_KEY_BYTES);
}

void kim_record_hash(const uint8_t *bytes, size_t size, uint8_t hash[KIM_RECORD_HASH_BYTES])
{
    ready();
    crypto_generichash(hash, KIM_RECORD_HASH_BYTES, bytes, size, NULL, 0);
}

static uint64_t number_at(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

static void combine(uint8_t *digest, const uint8_t *hash, bool add)
{
    for (size_t i = 0; i < KIM_RECORD_HASH_BYTES; i += 8) {
        uint64_t number = number_at(hash + i);
        uint64_t sum = number_at(digest + i) + (add ? number : -number);
        for (size_t b = 0; b < 8; b++)
            digest[i + b] = (uint8_t)(sum >> (8 * b));
    }
}

void kim_digest_add(uint8_t digest[KIM_RECORD_HASH_BYTES], const uint8_t hash[KIM_RECORD_HASH_BYTES])
{
    combine(digest, hash, true);
}

void kim_digest_remove(uint8_t digest[KIM_RECORD_HASH_BYTES], const uint8_t hash[KIM_RECORD_HASH_BYTES])
{
    combine(digest, hash, false);
}

/* ---- checking ---- */

/* Says which record is meant: "edge kind=can_become from=... to=...". */
static void describe(const kim_record *record, char *out, size_t size)
{
    size_t count, used = 0;
    const kim_field *fields = kim_record_fields(record->type, &count);
    used += (size_t)snprintf(out, size, "%s", kim_record_type_name(record->type));
    for (size_t i = 0; i < count && used < size; i++) {
        const kim_field *f = &fields[i];
        if (!f->is_key || is_absent(record, f))
            continue;
        if (f->kind == KIM_FIELD_TEXT) {
            kim_text text = *(const kim_text *)at(record, f);
            int shown = text.size < 80 ? (int)text.size : 80;
            used += (size_t)snprintf(out + used, size - used, " %s=%.*s%s", f->name, shown,
                                     text.bytes, text.size > 80 ? "..." : "");
        } else if (f->kind == KIM_FIELD_INT) {
            used += (size_t)snprintf(out + used, size - used, " %s=%lld", f->name,
                                     (long long)*(const int64_t *)at(record, f));
        }
    }
}

typedef struct checker {
    const kim_record *record;
    kim_code code; /* KIM_OK: nothing wrong yet */
    char what[160];
} checker;

static void wrong(checker *check, kim_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong(checker *check, kim_code code, const char *format, ...)
{
    if (check->code != KIM_OK)
        return;
    check->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(check->what, sizeof check->what, format, args);
    va_end(args);
}

static void check_text(checker *check, kim_text text, size_t max_bytes, const char *part)
{
    if (text.size > max_bytes)
        wrong(check, KIM_ERR_LIMIT, "%s has %zu bytes; at most %zu are kept", part, text.size, max_bytes);
    else if (!kim_text_is_utf8(text))
        wrong(check, KIM_ERR_INPUT, "%s is not UTF-8", part);
}

static void check_count(checker *check, size_t count)
{
    if (count > KIM_LIST_MAX_ITEMS)
        wrong(check, KIM_ERR_LIMIT, "the list has %zu items; at most %d are kept", count, KIM_LIST_MAX_ITEMS);
}

static void check_texts(checker *check, kim_texts texts, size_t max_bytes)
{
    check_count(check, texts.count);
    for (size_t i = 0; i < texts.count && check->code == KIM_OK; i++) {
        if (kim_text_is_absent(texts.items[i]))
            wrong(check, KIM_ERR_INPUT, "item %zu of the list is absent", i);
        check_text(check, texts.items[i], max_bytes, "an item");
    }
}

static void check_pairs(checker *check, kim_pairs pairs, size_t max_bytes)
{
    check_count(check, pairs.count);
    for (size_t i = 0; i < pairs.count && check->code == KIM_OK; i++) {
        if (kim_text_is_absent(pairs.items[i].name) || kim_text_is_absent(pairs.items[i].value))
            wrong(check, KIM_ERR_INPUT, "pair %zu lacks its name or its value", i);
        check_text(check, pairs.items[i].name, KIM_NAME_MAX_BYTES, "a name");
        check_text(check, pairs.items[i].value, max_bytes, "a value");
    }
}

static void check_enum(checker *check, int32_t value, const char *const *values)
{
    int32_t known = 0;
    while (values[known + 1] != NULL)
        known++;
    if (value < 0 || value > known)
        wrong(check, KIM_ERR_INPUT, "%d is none of its values, which are 1 to %d", value, known);
}

static void check_condition(checker *check, const kim_condition *condition, size_t max_bytes)
{
    if (kim_text_is_absent(condition->lang) != kim_text_is_absent(condition->text))
        wrong(check, KIM_ERR_INPUT, "a condition has a language and a text, or neither");
    check_text(check, condition->lang, KIM_NAME_MAX_BYTES, "the language");
    check_text(check, condition->text, max_bytes, "the text");
}

static void check_field(checker *check, const kim_field *field)
{
    const void *value = at(check->record, field);
    bool absent = is_absent(check->record, field);
    bool empty = field->kind == KIM_FIELD_TEXT && ((const kim_text *)value)->size == 0;
    if (field->is_required && (absent || empty))
        wrong(check, KIM_ERR_INPUT, "it is required, and %s", absent ? "absent" : "empty");
    switch (field->kind) {
    case KIM_FIELD_TEXT:
        check_text(check, *(const kim_text *)value, field->max_bytes, "the text");
        break;
    case KIM_FIELD_TEXTS:
        check_texts(check, *(const kim_texts *)value, field->max_bytes);
        break;
    case KIM_FIELD_PAIRS:
        check_pairs(check, *(const kim_pairs *)value, field->max_bytes);
        break;
    case KIM_FIELD_ENUM:
        check_enum(check, *(const int32_t *)value, field->values);
        break;
    case KIM_FIELD_CONDITION:
        check_condition(check, value, field->max_bytes);
        break;
    case KIM_FIELD_INT:
    case KIM_FIELD_TIME:
    case KIM_FIELD_BOOL:
        break;
    }
}

static int refuse(const checker *check, const char *field, kim_error *err)
{
    char which[320];
    describe(check->record, which, sizeof which);
    return kim_fail(err, check->code, "%s: field '%s': %s", which, field, check->what);
}

static int check_fields(const kim_record *record, kim_error *err)
{
    checker check = {.record = record};
    size_t count;
    const kim_field *fields = kim_record_fields(record->type, &count);
    if (record->scope.size == 0)
        wrong(&check, KIM_ERR_INPUT, "it is required, and %s",
              kim_text_is_absent(record->scope) ? "absent" : "empty");
    check_text(&check, record->scope, KIM_ID_MAX_BYTES, "the text");
    if (check.code == KIM_OK && record->type == KIM_SCOPE &&
        !kim_text_equal(record->scope, record->as_scope.id))
        wrong(&check, KIM_ERR_INPUT, "a scope's record stands in the scope itself, so it must equal 'id'");
    if (check.code != KIM_OK)
        return refuse(&check, "scope", err);
    for (size_t i = 0; i < count; i++) {
        check_field(&check, &fields[i]);
        if (check.code != KIM_OK)
            return refuse(&check, fields[i].name, err);
    }
    return 0;
}

static int check_size(const kim_record *record, size_t size, kim_error *err)
{
    if (size <= KIM_RECORD_MAX_BYTES)
        return 0;
    char which[320];
    describe(record, which, sizeof which);
    return kim_fail(err, KIM_ERR_LIMIT, "%s: the record has %zu bytes; at most %d are kept", which,
                    size, KIM_RECORD_MAX_BYTES);
}

int kim_record_check(const kim_record *record, kim_error *err)
{
    if (kim_record_type_name(record->type) == NULL)
        return kim_fail(err, KIM_ERR_INPUT, "record type %d is none of 1 to %d", (int)record->type,
                        KIM_RECORD_TYPES - 1);
    if (check_fields(record, err) < 0)
        return -1;
    sink counted = {0};
    put_record(&counted, record);
    return check_size(record, counted.size, err);
}

/* ---- reading ---- */

typedef struct reader {
    const uint8_t *start, *at, *end;
    kim_arena *arena;
    const char *fault; /* the first one; from then on nothing is read */
    size_t fault_at;
    kim_code code;
} reader;

static void stop(reader *in, kim_code code, const uint8_t *where, const char *fault)
{
    if (in->fault != NULL)
        return;
    in->fault = fault;
    in->fault_at = (size_t)(where - in->start);
    in->code = code;
}

static void cut_short(reader *in)
{
    stop(in, KIM_ERR_INPUT, in->at, "the bytes end in the middle of it");
}

static uint8_t next(reader *in)
{
    if (in->fault == NULL && in->at == in->end)
        cut_short(in);
    return in->fault ? NEVER_USED : *in->at++;
}

static uint64_t number(reader *in, size_t width)
{
    if (in->fault == NULL && (size_t)(in->end - in->at) < width)
        cut_short(in);
    uint64_t value = 0;
    for (size_t i = 0; in->fault == NULL && i < width; i++)
        value = value << 8 | *in->at++;
    return value;
}

static bool take_nil(reader *in)
{
    if (in->fault != NULL || in->at == in->end || *in->at != NIL)
        return false;
    in->at++;
    return true;
}

static int64_t read_int(reader *in)
{
    const uint8_t *where = in->at;
    uint8_t form = next(in);
    if (form < 0x80)
        return form;
    if (form >= NEGATIVE_FIX)
        return (int8_t)form;
    if (form >= UINT_8 && form < UINT_8 + 4) {
        uint64_t value = number(in, (size_t)1 << (form - UINT_8));
        if (value > INT64_MAX)
            stop(in, KIM_ERR_LIMIT, where, "the number is past 2^63-1");
        return (int64_t)value;
    }
    if (form >= INT_8 && form < INT_8 + 4) {
        size_t width = (size_t)1 << (form - INT_8);
        unsigned unused = 64 - 8 * (unsigned)width;
        return (int64_t)(number(in, width) << unused) >> unused; /* with its sign */
    }
    stop(in, KIM_ERR_INPUT, where, "a number is due");
    return 0;
}

static bool read_bool(reader *in)
{
    const uint8_t *where = in->at;
    uint8_t form = next(in);
    if (form != TRUE && form != FALSE)
        stop(in, KIM_ERR_INPUT, where, "true or false is due");
    return form == TRUE;
}

static kim_text read_text(reader *in)
{
    const uint8_t *where = in->at;
    uint8_t form = next(in);
    uint64_t size = 0;
    if (form >= FIX_STR && form < FIX_STR + 32)
        size = form & 31;
    else if (form >= STR_8 && form < STR_8 + 3)
        size = number(in, (size_t)1 << (form - STR_8));
    else
        stop(in, KIM_ERR_INPUT, where, "a text is due");
    if (in->fault == NULL && size > (size_t)(in->end - in->at))
        cut_short(in);
    if (in->fault != NULL)
        return KIM_NO_TEXT;
    kim_text text = {(const char *)in->at, size};
    in->at += size;
    return text;
}

/* The count of an array or a map, each of whose items takes at least `least` bytes: a count that the
 * bytes left cannot hold is a lie, found out before anything is allocated for it. With `least` 0 it
 * is believed: for the record itself, where nothing is, and the field that lacks is a better place. */
static size_t read_count(reader *in, unsigned fix, unsigned form_16, size_t least, const char *due)
{
    const uint8_t *where = in->at;
    uint8_t form = next(in);
    uint64_t count = 0;
    if (form >= fix && form < fix + 16)
        count = form & 15;
    else if (form == form_16 || form == form_16 + 1)
        count = number(in, form == form_16 ? 2 : 4);
    else
        stop(in, KIM_ERR_INPUT, where, due);
    if (in->fault == NULL && least > 0 && count > (size_t)(in->end - in->at) / least)
        stop(in, KIM_ERR_INPUT, where, "it claims more items than there are bytes left");
    return in->fault ? 0 : count;
}

static void *read_list(reader *in, unsigned fix, unsigned form_16, size_t least, size_t item_size,
                       const char *due, size_t *count)
{
    const uint8_t *where = in->at;
    *count = read_count(in, fix, form_16, least, due);
    if (in->fault == NULL && *count > KIM_LIST_MAX_ITEMS)
        stop(in, KIM_ERR_LIMIT, where, "the list has more than 16384 items");
    if (in->fault != NULL)
        return NULL;
    void *items = kim_arena_array(in->arena, *count, item_size);
    if (items == NULL)
        stop(in, KIM_ERR_NOMEM, where, "no memory left for its items");
    return items;
}

static kim_texts read_texts(reader *in)
{
    size_t count;
    kim_text *items = read_list(in, FIX_ARRAY, ARRAY_16, 1, sizeof *items, "a list is due", &count);
    for (size_t i = 0; in->fault == NULL && i < count; i++)
        items[i] = read_text(in);
    return (kim_texts){items, count};
}

static kim_pairs read_pairs(reader *in)
{
    size_t count;
    kim_pair *items = read_list(in, FIX_MAP, MAP_16, 2, sizeof *items, "a map is due", &count);
    for (size_t i = 0; in->fault == NULL && i < count; i++) {
        items[i].name = read_text(in);
        items[i].value = read_text(in);
    }
    return (kim_pairs){items, count};
}

static kim_condition read_condition(reader *in)
{
    const uint8_t *where = in->at;
    kim_condition condition = {KIM_NO_TEXT, KIM_NO_TEXT};
    if (read_count(in, FIX_ARRAY, ARRAY_16, 1, "a list of language and text is due") != 2)
        stop(in, KIM_ERR_INPUT, where, "a list of language and text is due");
    condition.lang = read_text(in);
    condition.text = read_text(in);
    return condition;
}

static void read_field(reader *in, kim_record *record, const kim_field *field)
{
    void *value = (char *)record + field->offset;
    if (take_nil(in))
        return; /* the record began as zeros: absent */
    switch (field->kind) {
    case KIM_FIELD_TEXT:
        *(kim_text *)value = read_text(in);
        break;
    case KIM_FIELD_TEXTS:
        *(kim_texts *)value = read_texts(in);
        break;
    case KIM_FIELD_PAIRS:
        *(kim_pairs *)value = read_pairs(in);
        break;
    case KIM_FIELD_INT:
    case KIM_FIELD_TIME:
        *(int64_t *)value = read_int(in);
        break;
    case KIM_FIELD_BOOL:
        *(bool *)value = read_bool(in);
        break;
    case KIM_FIELD_ENUM: {
        const uint8_t *where = in->at;
        int64_t number = read_int(in);
        if (number < 0 || number > INT32_MAX)
            stop(in, KIM_ERR_INPUT, where, "the number is none of its values");
        else
            *(int32_t *)value = (int32_t)number;
        break;
    }
    case KIM_FIELD_CONDITION:
        *(kim_condition *)value = read_condition(in);
        break;
    }
}

/* How many bytes follow the first byte of a form, as content; and how many values, as items. */
static void skip_one(reader *in, uint64_t *items)
{
    const uint8_t *where = in->at;
    uint8_t form = next(in);
    uint64_t bytes = 0;
    if (form < FIX_MAP || form >= NEGATIVE_FIX || form == NIL || form == FALSE || form == TRUE)
        bytes = 0;
    else if (form < FIX_ARRAY)
        *items += 2u * (form & 15u);
    else if (form < FIX_STR)
        *items += form & 15u;
    else if (form < NIL)
        bytes = form & 31u;
    else if (form >= BIN_8 && form < BIN_8 + 3)
        bytes = number(in, (size_t)1 << (form - BIN_8));
    else if (form >= EXT_8 && form < EXT_8 + 3)
        bytes = 1 + number(in, (size_t)1 << (form - EXT_8));
    else if (form >= FLOAT_32 && form < FLOAT_32 + 2)
        bytes = form == FLOAT_32 ? 4 : 8;
    else if (form >= UINT_8 && form < INT_8 + 4)
        bytes = (uint64_t)1 << ((form - UINT_8) & 3);
    else if (form >= FIX_EXT_1 && form < FIX_EXT_1 + 5)
        bytes = 1 + ((uint64_t)1 << (form - FIX_EXT_1));
    else if (form >= STR_8 && form < STR_8 + 3)
        bytes = number(in, (size_t)1 << (form - STR_8));
    else if (form == ARRAY_16 || form == ARRAY_16 + 1)
        *items += number(in, form == ARRAY_16 ? 2 : 4);
    else if (form == MAP_16 || form == MAP_16 + 1)
        *items += 2 * number(in, form == MAP_16 ? 2 : 4);
    else
        stop(in, KIM_ERR_INPUT, where, "a byte 0xc1 begins no value");
    if (in->fault == NULL && bytes > (size_t)(in->end - in->at))
        cut_short(in);
    if (in->fault == NULL)
        in->at += bytes;
}

/* Skips one value of any shape. Counts the values still to come instead of descending into them, so
 * that no nesting can exhaust the stack; each takes a byte, so a lie ends with the bytes. */
static void skip(reader *in)
{
    for (uint64_t items = 1; items > 0 && in->fault == NULL; items--) {
        skip_one(in, &items);
        if (in->fault == NULL && items - 1 > (size_t)(in->end - in->at))
            cut_short(in);
    }
}

int kim_record_decode(const uint8_t *bytes, size_t size, kim_arena *arena, kim_record *record,
                      size_t *used, kim_error *err)
{
    reader in = {.start = bytes, .at = bytes, .end = bytes + size, .arena = arena};
    const char *type_name = "record", *field_name = "type";
    kim_record read = {0};
    size_t given = read_count(&in, FIX_ARRAY, ARRAY_16, 0, "a record is an array, and begins with its type and scope");
    if (in.fault == NULL && given < 2)
        stop(&in, KIM_ERR_INPUT, bytes, "a record is an array, and begins with its type and scope");
    const uint8_t *type_at = in.at;
    int64_t type = read_int(&in);
    read.type = (kim_record_type)(type > 0 && type < KIM_RECORD_TYPES ? type : 0);
    if (read.type == 0)
        stop(&in, KIM_ERR_INPUT, type_at, "a record's type is a number from 1 to 12");
    size_t count;
    const kim_field *fields = kim_record_fields(read.type, &count);
    if (in.fault == NULL) {
        type_name = kim_record_type_name(read.type);
        field_name = "scope";
        read.scope = read_text(&in);
    }
    for (size_t i = 0; i < count && i + 2 < given && in.fault == NULL; i++) {
        field_name = fields[i].name;
        read_field(&in, &read, &fields[i]);
    }
    for (size_t i = count + 2; i < given && in.fault == NULL; i++) {
        field_name = "(unknown, after the last)";
        skip(&in);
    }
    if (in.fault != NULL)
        return kim_fail(err, in.code, "%s: field '%s' at byte %zu of %zu: %s", type_name, field_name,
                        in.fault_at, size, in.fault);
    if (check_size(&read, (size_t)(in.at - in.start), err) < 0 || check_fields(&read, err) < 0)
        return -1;
    *record = read;
    *used = (size_t)(in.at - in.start);
    return 0;
}

/* ---- JSON ---- */

static void write_pairs(kim_json_writer *writer, kim_pairs pairs)
{
    kim_json_begin_object(writer);
    for (size_t i = 0; i < pairs.count; i++) {
        kim_json_key_text(writer, pairs.items[i].name);
        kim_json_put_text(writer, pairs.items[i].value);
    }
    kim_json_end_object(writer);
}

static void write_field(kim_json_writer *writer, const kim_record *record, const kim_field *field)
{
    const void *value = at(record, field);
    kim_json_key(writer, field->name);
    switch (field->kind) {
    case KIM_FIELD_TEXT:
        kim_json_put_text(writer, *(const kim_text *)value);
        break;
    case KIM_FIELD_TEXTS:
        kim_json_put_texts(writer, *(const kim_texts *)value);
        break;
    case KIM_FIELD_PAIRS:
        write_pairs(writer, *(const kim_pairs *)value);
        break;
    case KIM_FIELD_INT:
    case KIM_FIELD_TIME:
        kim_json_put_int(writer, *(const int64_t *)value);
        break;
    case KIM_FIELD_BOOL:
        kim_json_put_bool(writer, true);
        break;
    case KIM_FIELD_ENUM:
        kim_json_put_string(writer, kim_enum_name(kim_record_type_name(record->type), field->name,
                                                  *(const int32_t *)value));
        break;
    case KIM_FIELD_CONDITION:
        kim_json_begin_object(writer);
        kim_json_key(writer, "lang");
        kim_json_put_text(writer, ((const kim_condition *)value)->lang);
        kim_json_key(writer, "text");
        kim_json_put_text(writer, ((const kim_condition *)value)->text);
        kim_json_end_object(writer);
        break;
    }
}

void kim_record_write_json(const kim_record *record, kim_json_writer *writer)
{
    size_t count;
    const kim_field *fields = kim_record_fields(record->type, &count);
    kim_json_begin_object(writer);
    kim_json_key(writer, "record");
    kim_json_put_string(writer, kim_record_type_name(record->type));
    kim_json_key(writer, "scope");
    kim_json_put_text(writer, record->scope);
    for (size_t i = 0; i < count; i++) {
        bool is_index = fields[i].kind == KIM_FIELD_INT && fields[i].is_key; /* 0 is a place too */
        if (is_index || !is_absent(record, &fields[i]))
            write_field(writer, record, &fields[i]);
    }
    kim_json_end_object(writer);
}
