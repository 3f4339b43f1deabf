/* SPDX-License-Identifier: Apache-2.0
 *
 * json_writer.c - JSON to a growing buffer; the first fault stays.
 *
 * What may come next follows from the innermost open container alone: each level knows whether a
 * name or a value is due. So every call is checked, and a caller that goes wrong gets a fault instead
 * of a malformed document. (yajl's generator nests no deeper than 128 levels, less than its parser
 * reads here, takes surrogates and overlong forms for UTF-8, and does not survive a failed
 * allocation.)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <kim/json.h>
#include <kim/limits.h>
#include <kim/record.h>

/* A tree as deep as may be read, within an answer of a few levels of its own. */
enum { WRITER_MAX_DEPTH = KIM_JSON_MAX_DEPTH + 64 };

typedef enum due { DUE_DOCUMENT, DUE_ITEM, DUE_NAME, DUE_VALUE, DUE_NOTHING } due;

typedef struct level {
    due due;    /* DUE_NOTHING: the document is complete, and kim_json_end_line may follow */
    bool begun; /* something stands in it: a comma is due too */
} level;

struct kim_json_writer {
    kim_bytes out;
    bool pretty;
    kim_code fault; /* KIM_OK: none */
    const char *why;
    size_t depth;
    level levels[WRITER_MAX_DEPTH + 1]; /* [0] is the document */
};

kim_json_writer *kim_json_writer_new(bool pretty)
{
    kim_json_writer *writer = calloc(1, sizeof *writer);
    if (writer != NULL)
        writer->pretty = pretty;
    return writer;
}

void kim_json_writer_free(kim_json_writer *writer)
{
    if (writer == NULL)
        return;
    kim_bytes_free(&writer->out);
    free(writer);
}

void kim_json_writer_reset(kim_json_writer *writer)
{
    writer->out.size = 0;
    writer->out.failed = false;
    writer->fault = KIM_OK;
    writer->depth = 0;
    writer->levels[0] = (level){.due = DUE_DOCUMENT};
}

static void fault(kim_json_writer *writer, kim_code code, const char *why)
{
    if (writer->fault != KIM_OK)
        return;
    writer->fault = code;
    writer->why = why;
}

static void append(kim_json_writer *writer, const char *bytes, size_t size)
{
    if (writer->fault == KIM_OK)
        kim_bytes_append(&writer->out, bytes, size);
}

static void new_line(kim_json_writer *writer)
{
    if (!writer->pretty)
        return;
    append(writer, "\n", 1);
    for (size_t i = 0; i < writer->depth; i++)
        append(writer, "  ", 2);
}

/* Goes before each value: the comma, the place, and whether a value may stand here at all. */
static bool begin_value(kim_json_writer *writer)
{
    level *in = &writer->levels[writer->depth];
    switch (in->due) {
    case DUE_DOCUMENT:
        in->due = DUE_NOTHING;
        break;
    case DUE_ITEM:
        if (in->begun)
            append(writer, ",", 1);
        new_line(writer);
        break;
    case DUE_VALUE:
        in->due = DUE_NAME;
        break;
    default:
        fault(writer, KIM_ERR_INTERNAL,
              in->due == DUE_NAME ? "a value without a name in an object" : "a second document in a line");
    }
    in->begun = true;
    return writer->fault == KIM_OK;
}

static void quote(kim_json_writer *writer, kim_text text)
{
    static const char hex[] = "0123456789abcdef";
    if (!kim_text_is_utf8(text)) {
        fault(writer, KIM_ERR_INPUT, "a text is not UTF-8");
        return;
    }
    append(writer, "\"", 1);
    size_t plain = 0; /* from here on nothing needs an escape */
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        append(writer, text.bytes + plain, i - plain);
        plain = i + 1;
        static const char shorts[0x20] = {
            ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
        char escape[6] = {'\\', (char)c};
        if (c < 0x20 && shorts[c] == 0)
            memcpy(escape, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        else if (c < 0x20)
            escape[1] = shorts[c];
        append(writer, escape, escape[1] == 'u' ? 6 : 2);
    }
    append(writer, text.bytes ? text.bytes + plain : "", text.size - plain);
    append(writer, "\"", 1);
}

static void begin(kim_json_writer *writer, const char *bracket, due wanted)
{
    if (!begin_value(writer))
        return;
    if (writer->depth == WRITER_MAX_DEPTH) {
        fault(writer, KIM_ERR_INTERNAL, "arrays and objects nest too deep");
        return;
    }
    append(writer, bracket, 1);
    writer->levels[++writer->depth] = (level){.due = wanted};
}

static void end(kim_json_writer *writer, const char *bracket, due wanted)
{
    if (writer->depth == 0 || writer->levels[writer->depth].due != wanted) {
        fault(writer, KIM_ERR_INTERNAL, "an array or object ends that is not open, or in the midst of a member");
        return;
    }
    bool begun = writer->levels[writer->depth--].begun;
    if (begun)
        new_line(writer);
    append(writer, bracket, 1);
}

void kim_json_begin_object(kim_json_writer *writer)
{
    begin(writer, "{", DUE_NAME);
}

void kim_json_end_object(kim_json_writer *writer)
{
    end(writer, "}", DUE_NAME);
}

void kim_json_begin_array(kim_json_writer *writer)
{
    begin(writer, "[", DUE_ITEM);
}

void kim_json_end_array(kim_json_writer *writer)
{
    end(writer, "]", DUE_ITEM);
}

void kim_json_key_text(kim_json_writer *writer, kim_text name)
{
    level *in = &writer->levels[writer->depth];
    if (in->due != DUE_NAME) {
        fault(writer, KIM_ERR_INTERNAL, "a name outside an object, or two in a row");
        return;
    }
    if (in->begun)
        append(writer, ",", 1);
    new_line(writer);
    quote(writer, name);
    append(writer, ": ", writer->pretty ? 2 : 1);
    in->begun = true;
    in->due = DUE_VALUE;
}

void kim_json_key(kim_json_writer *writer, const char *name)
{
    kim_json_key_text(writer, kim_text_of(name));
}

static void put(kim_json_writer *writer, const char *bytes, size_t size)
{
    if (begin_value(writer))
        append(writer, bytes, size);
}

void kim_json_put_text(kim_json_writer *writer, kim_text text)
{
    if (kim_text_is_absent(text))
        put(writer, "null", 4);
    else if (begin_value(writer))
        quote(writer, text);
}

void kim_json_put_string(kim_json_writer *writer, const char *text)
{
    kim_json_put_text(writer, kim_text_of(text));
}

void kim_json_put_int(kim_json_writer *writer, int64_t value)
{
    char text[24];
    put(writer, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)value));
}

/* The fewest digits that read back as the same number. */
void kim_json_put_double(kim_json_writer *writer, double value)
{
    if (!isfinite(value)) {
        fault(writer, KIM_ERR_INPUT, "a number is not finite");
        return;
    }
    char text[32];
    int size = 0;
    for (int digits = 1; digits <= 17; digits++) {
        size = snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *comma = memchr(text, ',', (size_t)size); /* some locales' point */
    if (comma != NULL)
        *comma = '.';
    put(writer, text, (size_t)size);
}

void kim_json_put_bool(kim_json_writer *writer, bool value)
{
    put(writer, value ? "true" : "false", value ? 4 : 5);
}

void kim_json_put_null(kim_json_writer *writer)
{
    put(writer, "null", 4);
}

/* Recurses as deep as kim_json_parse reads. */
void kim_json_put_json(kim_json_writer *writer, const kim_json *value)
{
    if (value == NULL) {
        kim_json_put_null(writer);
        return;
    }
    switch (value->type) {
    case KIM_JSON_NULL:
        kim_json_put_null(writer);
        break;
    case KIM_JSON_BOOL:
        kim_json_put_bool(writer, value->boolean);
        break;
    case KIM_JSON_NUMBER:
        put(writer, value->text.bytes, value->text.size);
        break;
    case KIM_JSON_STRING:
        kim_json_put_text(writer, value->text);
        break;
    case KIM_JSON_ARRAY:
        kim_json_begin_array(writer);
        for (size_t i = 0; i < value->count && writer->fault == KIM_OK; i++)
            kim_json_put_json(writer, &value->items[i]);
        kim_json_end_array(writer);
        break;
    case KIM_JSON_OBJECT:
        kim_json_begin_object(writer);
        for (size_t i = 0; i < value->count && writer->fault == KIM_OK; i++) {
            kim_json_key_text(writer, value->members[i].name);
            kim_json_put_json(writer, value->members[i].value);
        }
        kim_json_end_object(writer);
        break;
    }
}

void kim_json_put_texts(kim_json_writer *writer, kim_texts texts)
{
    if (texts.items == NULL) {
        kim_json_put_null(writer);
        return;
    }
    kim_json_begin_array(writer);
    for (size_t i = 0; i < texts.count; i++)
        kim_json_put_text(writer, texts.items[i]);
    kim_json_end_array(writer);
}

void kim_json_end_line(kim_json_writer *writer)
{
    if (writer->depth != 0 || writer->levels[0].due != DUE_NOTHING) {
        fault(writer, KIM_ERR_INTERNAL, "a line ends before its document");
        return;
    }
    append(writer, "\n", 1);
    writer->levels[0] = (level){.due = DUE_DOCUMENT};
}

const char *kim_json_writer_bytes(kim_json_writer *writer, size_t *size, kim_error *err)
{
    kim_bytes_append(&writer->out, "", 1); /* a NUL, so that the bytes are also a C string */
    if (writer->out.failed)
        fault(writer, KIM_ERR_NOMEM, "no memory left");
    else
        writer->out.size--;
    if (writer->fault != KIM_OK) {
        kim_fail(err, writer->fault, "writing JSON: %s", writer->why);
        return NULL;
    }
    *size = writer->out.size;
    return (const char *)writer->out.data;
}
