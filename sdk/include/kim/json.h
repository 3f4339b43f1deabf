/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h - JSON documents to read and to write.
 *
 * Reading gives a tree in the caller's arena. Accessors take NULL and the wrong type and give
 * nothing, so that a walk over an unknown document reads like the format and checks where it matters.
 * Writing goes to a growing buffer with one sticky fault.
 */
#ifndef KIM_JSON_H
#define KIM_JSON_H

#include <kim/error.h>
#include <kim/text.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kim_json_type {
    KIM_JSON_NULL,
    KIM_JSON_BOOL,
    KIM_JSON_NUMBER, /* text as written */
    KIM_JSON_STRING, /* text, unescaped */
    KIM_JSON_ARRAY,
    KIM_JSON_OBJECT,
} kim_json_type;

typedef struct kim_json kim_json;
typedef struct kim_json_member {
    kim_text name;
    const kim_json *value;
} kim_json_member;

struct kim_json {
    kim_json_type type;
    bool boolean;
    uint32_t line;    /* where the value begins, from 1: for error messages */
    kim_text text;    /* of a number or a string */
    size_t count;     /* of an array or an object */
    union {
        const kim_json *items;          /* [count] */
        const kim_json_member *members; /* [count], in the order written, duplicates kept */
    };
};

/* Parses one whole document (RFC 8259; nothing may follow it but white space).
 *
 * bytes, size  UTF-8; need not outlive the call
 * origin       names the input in messages: a path, or "case 17"
 * Errors: KIM_ERR_INPUT "ORIGIN:LINE: ...", KIM_ERR_LIMIT past KIM_JSON_MAX_DEPTH, KIM_ERR_NOMEM
 */
const kim_json *kim_json_parse(const char *bytes, size_t size, const char *origin,
                               kim_arena *arena, kim_error *err);

/* The last member of that name (as most readers take duplicates), or NULL. */
const kim_json *kim_json_get(const kim_json *object, const char *name);
const kim_json *kim_json_get_text(const kim_json *object, kim_text name);
/* A string's or a number's text; a boolean's "true" or "false"; absent for anything else. */
kim_text kim_json_text(const kim_json *value);
/* kim_json_text(kim_json_get(object, name)). */
kim_text kim_json_text_of(const kim_json *object, const char *name);
bool kim_json_is(const kim_json *value, kim_json_type type); /* false for NULL */
bool kim_json_bool(const kim_json *value, bool otherwise);
/* An integer that fits; `otherwise` for all else. */
int64_t kim_json_int(const kim_json *value, int64_t otherwise);
/* A value, or the list of values, as a list: AWS and others write one as itself. [count] in arena.
 * Absent for NULL; elements that are no string, number or boolean are left out. */
kim_texts kim_json_texts(const kim_json *value, kim_arena *arena);
/* "array", "object" ... for messages. */
const char *kim_json_type_name(kim_json_type type);

/* ---- writing ---- */

typedef struct kim_json_writer kim_json_writer;

/* pretty  indented by two spaces, for people */
kim_json_writer *kim_json_writer_new(bool pretty);
void kim_json_writer_free(kim_json_writer *writer);
void kim_json_begin_object(kim_json_writer *writer);
void kim_json_end_object(kim_json_writer *writer);
void kim_json_begin_array(kim_json_writer *writer);
void kim_json_end_array(kim_json_writer *writer);
void kim_json_key(kim_json_writer *writer, const char *name);
void kim_json_key_text(kim_json_writer *writer, kim_text name);
void kim_json_put_text(kim_json_writer *writer, kim_text text); /* absent writes null */
void kim_json_put_string(kim_json_writer *writer, const char *text);
void kim_json_put_int(kim_json_writer *writer, int64_t value);
void kim_json_put_double(kim_json_writer *writer, double value);
void kim_json_put_bool(kim_json_writer *writer, bool value);
void kim_json_put_null(kim_json_writer *writer);
void kim_json_put_json(kim_json_writer *writer, const kim_json *value); /* a parsed tree again */
void kim_json_put_texts(kim_json_writer *writer, kim_texts texts);
/* Ends one document with a newline, so that the next may begin (JSON Lines). */
void kim_json_end_line(kim_json_writer *writer);
/* What was written so far: belongs to the writer until its next call. NULL, with err, after a fault
 * (KIM_ERR_NOMEM; KIM_ERR_INPUT for text that is not UTF-8; KIM_ERR_INTERNAL for calls out of order). */
const char *kim_json_writer_bytes(kim_json_writer *writer, size_t *size, kim_error *err);
void kim_json_writer_reset(kim_json_writer *writer); /* empty again, memory kept */

#ifdef __cplusplus
}
#endif

#endif
