/* SPDX-License-Identifier: Apache-2.0
 *
 * cel.h - the Common Expression Language, in which Google Cloud writes conditions.
 *
 * An expression is compiled once and evaluated often, by any number of threads. It is never
 * type-checked: each operator looks at the values it gets, as cel-go does with a parsed expression,
 * and one that has no meaning for them gives an error, which && and || may absorb. What nobody knows
 * is a value too, CEL_UNKNOWN; it goes through an expression unless the rest decides.
 *
 * Pure: the rules of time zones are compiled in, and there is no "now".
 * Source: github.com/google/cel-spec, doc/langdef.md; where it leaves a choice, cel-go.
 */
#ifndef KIM_CEL_H
#define KIM_CEL_H

#include <kim/error.h>
#include <kim/json.h>
#include <kim/text.h>

enum {
    CEL_MAX_BYTES = 100000,        /* of an expression: cel-go's bound, in code points there */
    CEL_MAX_DEPTH = 250,           /* of nesting, and of operators on one another: cel-go's bound */
    CEL_MAX_STEPS = 10000000,      /* of one cel_eval: nodes evaluated, elements compared, bytes searched */
    CEL_MAX_TEXT_BYTES = 4 * 1024 * 1024, /* a text that + makes */
    CEL_MAX_RESULT_VALUES = 100000,/* in a result, all lists and maps unfolded */
};

/* ---- values ---- */

typedef enum cel_type {
    CEL_NULL, CEL_BOOL, CEL_INT, CEL_UINT, CEL_DOUBLE, CEL_STRING, CEL_BYTES, CEL_LIST, CEL_MAP,
    CEL_TIMESTAMP, CEL_DURATION, CEL_TYPE,
    CEL_ERROR,   /* text: why, in cel-go's words */
    CEL_UNKNOWN, /* names: the attributes that nobody knows */
    CEL_ABSENT,  /* from a lookup alone: there is no such variable */
} cel_type;

typedef struct cel_value cel_value;
typedef struct cel_entry cel_entry;
struct cel_value {
    cel_type type;
    uint32_t count;             /* of a list or a map */
    union {
        bool boolean;
        int64_t integer;        /* CEL_INT; CEL_DURATION in nanoseconds */
        uint64_t natural;       /* CEL_UINT */
        double number;
        kim_text text;          /* string, bytes; the name of a type; the reason of an error */
        kim_texts names;        /* unknown */
        const cel_value *items; /* [count] of a list */
        const cel_entry *entries; /* [count] of a map, in the order written */
        struct {
            int64_t seconds;    /* Unix time, from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z */
            int32_t nanos;      /* 0 to 999999999 */
            int32_t offset_s;   /* east of UTC, as it was written: string() keeps it */
        } time;
    };
};
struct cel_entry {
    cel_value key, value;
};

static inline cel_value cel_bool(bool b) { return (cel_value){.type = CEL_BOOL, .boolean = b}; }
static inline cel_value cel_int(int64_t i) { return (cel_value){.type = CEL_INT, .integer = i}; }
static inline cel_value cel_string(kim_text t) { return (cel_value){.type = CEL_STRING, .text = t}; }
static inline cel_value cel_absent(void) { return (cel_value){.type = CEL_ABSENT}; }
static inline bool cel_is_true(cel_value v) { return v.type == CEL_BOOL && v.boolean; }
static inline bool cel_is_false(cel_value v) { return v.type == CEL_BOOL && !v.boolean; }

/* An error with a text; CEL_ERROR without memory too. */
cel_value cel_failed(kim_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Unknown because of one attribute, or function, of that name (borrowed). */
cel_value cel_unknown(kim_arena *arena, kim_text name);
/* A list of texts as a list of strings, copied; CEL_ERROR without memory. */
cel_value cel_string_list(kim_arena *arena, kim_texts texts);
/* RFC 3339, as timestamp() reads it; CEL_ERROR for all else. */
cel_value cel_timestamp(kim_arena *arena, kim_text text);

/* ---- what an expression may refer to ---- */

/* What an attribute is: `path` is its whole dotted name ("request.time", "request.auth.claims"). The longest
 * path that an expression can mean is asked first: for request.auth.claims.groups also request.auth.claims,
 * request.auth and request follow while the answer is CEL_ABSENT, and the rest is selected from what is found.
 * CEL_UNKNOWN: nobody knows it, nor what is selected from it. Values live in scratch or longer. */
typedef cel_value cel_lookup(void *from, kim_text path, kim_arena *scratch);

/* A function beside the standard ones. Its arguments are values that are known (an error or unknown among them
 * is the result without a call); it checks their types itself, and may return CEL_UNKNOWN or cel_failed(). */
typedef cel_value cel_call(void *from, const cel_value *arguments, size_t count, kim_arena *scratch);
typedef struct cel_function {
    const char *name;
    const char *receiver; /* NULL: called as name(...). "*": as x.name(...), and arguments[0] is x. Else a path such as
                             "resource" or "api", which need be no attribute: as resource.name(...), and it is no argument */
    uint8_t min, max;     /* how many arguments; another number is refused by cel_compile */
    cel_call *call;
} cel_function;

typedef struct cel_scope {
    cel_lookup *look;
    void *from;         /* handed to look and to the functions */
    kim_texts unknown;  /* attribute paths that nobody knows; with them all that they are part of, and all parts of them */
} cel_scope;

/* ---- programs ---- */

typedef struct cel_program cel_program; /* immutable: any threads may share it */

/* Compiles an expression. It and the texts it needs are copied into arena; functions must outlive it.
 *
 * functions  [count], searched before the standard ones; NULL where there are none
 * Returns the program, or NULL with err:
 *   KIM_ERR_INPUT  "LINE:COLUMN: ...": it is no expression, or calls a function with a number of arguments that it never takes
 *   KIM_ERR_UNSUPPORTED  it constructs a message
 *   KIM_ERR_LIMIT  past CEL_MAX_BYTES or CEL_MAX_DEPTH
 *   KIM_ERR_NOMEM
 */
cel_program *cel_compile(kim_text text, const cel_function *functions, size_t count, kim_arena *arena, kim_error *err);

/* Evaluates it. The value lives in scratch, program and scope.
 * Returns 0 with *out (which may be CEL_ERROR or CEL_UNKNOWN); -1 with err:
 *   KIM_ERR_LIMIT  past CEL_MAX_STEPS, CEL_MAX_TEXT_BYTES or CEL_MAX_RESULT_VALUES
 *   KIM_ERR_NOMEM
 */
int cel_eval(const cel_program *program, const cel_scope *scope, kim_arena *scratch, cel_value *out, kim_error *err);

/* What of the expression still matters, as text that a person reads: what is known is put in and folded away.
 * For an expression that cel_eval finds unknown; else it is "true", "false" or the value.
 *
 *     resource.name.startsWith("x") && request.time < timestamp("2030-01-01T00:00:00Z")
 *       with resource.name known to be "xy"      -> request.time < timestamp("2030-01-01T00:00:00Z")
 *
 * Under any completion of what is unknown it gives what the expression gives, but that an error may become another.
 * Returns 0 with *out in scratch; -1 with err as cel_eval.
 */
int cel_residual(const cel_program *program, const cel_scope *scope, kim_arena *scratch, kim_text *out, kim_error *err);

/* The expression as text, written in one way (spaces, quotes and brackets). Absent without memory. */
kim_text cel_text(const cel_program *program, kim_arena *arena);

/* ---- values of cases ---- */

/* Reads {"int":1}, {"list":[...]} ... as doc/kim-evaluate.7 has it. Errors: KIM_ERR_INPUT, KIM_ERR_LIMIT, KIM_ERR_NOMEM */
int cel_value_read(const kim_json *json, kim_arena *arena, cel_value *out, kim_error *err);
void cel_value_write(cel_value value, kim_json_writer *writer);

/* Answers {"expression","bindings"[,"unknown"]} of a case: writes "value", "unknown" with "residual", or returns -1 with
 * the error that is its answer. All that it needs is in arena. */
int cel_answer(const kim_json *line, kim_arena *arena, kim_json_writer *writer, kim_error *err);

#endif
