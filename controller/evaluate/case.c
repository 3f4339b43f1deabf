/* SPDX-License-Identifier: Apache-2.0
 *
 * case.c - one case, one answer: an estate of its own, built, asked and forgotten.
 */
#include <stdlib.h>

#include "controller/evaluate/cel.h"
#include "controller/evaluate/engine.h"
#include "controller/evaluate/evaluate.h"

#include <kim/limits.h>

struct case_reader {
    char *catalogues_dir;
    kim_arena *arena; /* the case's JSON and records */
};

case_reader *case_reader_new(const char *catalogues_dir, kim_error *err)
{
    case_reader *reader = calloc(1, sizeof *reader);
    if (reader) {
        reader->arena = kim_arena_new(64 * (size_t)KIM_CASE_MAX_BYTES);
        reader->catalogues_dir = catalogues_dir ? strdup(catalogues_dir) : NULL;
    }
    if (reader == NULL || reader->arena == NULL || (catalogues_dir && reader->catalogues_dir == NULL)) {
        case_reader_free(reader);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a reader of cases");
        return NULL;
    }
    return reader;
}

void case_reader_free(case_reader *reader)
{
    if (reader == NULL)
        return;
    kim_arena_free(reader->arena);
    free(reader->catalogues_dir);
    free(reader);
}

static estate *build(case_reader *reader, const uint8_t *records, size_t size, kim_error *err)
{
    estate_builder *builder = estate_builder_new(reader->catalogues_dir, err);
    if (builder == NULL)
        return NULL;
    estate_builder_set_complete(builder);
    while (size > 0) {
        kim_record record;
        size_t used;
        if (kim_record_decode(records, size, reader->arena, &record, &used, err) < 0 ||
            estate_builder_add(builder, &record, err) < 0) {
            estate_builder_free(builder);
            return NULL;
        }
        records += used;
        size -= used;
    }
    return estate_build(builder, err);
}

/* "mode", "known_absent", "known_present" and the request itself. */
static int read_question(const kim_json *line, kim_text provider, kim_arena *arena, question *q, kim_error *err)
{
    kim_text mode = kim_json_text_of(line, "mode");
    if (question_read(kim_json_get(line, "request"), provider, arena, q, err) < 0)
        return -1;
    if (!kim_text_is_absent(mode) && !kim_text_is(mode, "strict") && !kim_text_is(mode, "discover"))
        return kim_fail(err, KIM_ERR_INPUT, "mode '%.*s' is none; write strict or discover", KIM_PRINT(mode));
    q->discover = kim_text_is(mode, "discover");
    q->known_absent = kim_json_texts(kim_json_get(line, "known_absent"), arena);
    q->known_present = kim_json_texts(kim_json_get(line, "known_present"), arena);
    return 0;
}

static int answer_request(case_reader *reader, const kim_json *line, estate *es, const engine *e, kim_json_writer *writer, kim_error *err)
{
    question q;
    answer a;
    evaluator *ev = NULL;
    int result = read_question(line, kim_text_of(e->provider), reader->arena, &q, err);
    if (result == 0) { /* a case says all there is: what cannot be read in it is its author's mistake */
        const void *compiled = engine_compiled(e, es, err);
        kim_text unread = compiled ? e->first_unread(compiled) : KIM_NO_TEXT;
        if (compiled == NULL || !kim_text_is_absent(unread))
            result = compiled ? kim_fail(err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(unread)) : -1;
    }
    if (result == 0) {
        ev = evaluator_new(es, err);
        result = ev ? evaluate_can(ev, &q, &a, err) : -1;
    }
    if (result == 0)
        answer_write(&a, writer);
    evaluator_free(ev);
    return result;
}

static int cannot(const engine *e, const char *form, kim_error *err)
{
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "\"%s\" is not for provider %s", form, e->provider);
}

/* An expression has no documents, and so no provider that reads them. */
static int answer_cel(case_reader *reader, const kim_json *line, kim_json_writer *writer, kim_error *err)
{
    int result = cel_answer(line, reader->arena, writer, err);
    if (result < 0 && err->code == KIM_ERR_NOMEM && kim_arena_is_full(reader->arena))
        return kim_fail(err, KIM_ERR_LIMIT, "the expression takes more memory to evaluate than a case may have");
    return result;
}

static int answer_line(case_reader *reader, const kim_json *line, const uint8_t *records, size_t size, kim_json_writer *writer, kim_error *err)
{
    kim_text provider = kim_json_text_of(line, "provider");
    if (kim_text_is(provider, "cel"))
        return answer_cel(reader, line, writer, err);
    estate *es = build(reader, records, size, err);
    if (es == NULL)
        return -1;
    const engine *e = engine_find(es, provider);
    int result;
    if (e == NULL)
        result = kim_fail(err, KIM_ERR_INPUT, "provider '%.*s' is not known here", KIM_PRINT(provider));
    else if (kim_json_get(line, "compare"))
        result = e->compare ? e->compare(line, es, writer, err) : cannot(e, "compare", err);
    else if (kim_json_get(line, "expand"))
        result = e->expand ? e->expand(line, es, writer, err) : cannot(e, "expand", err);
    else if (kim_json_get(line, "may_grant"))
        result = e->may_grant ? e->may_grant(line, es, writer, err) : cannot(e, "may_grant", err);
    else
        result = answer_request(reader, line, es, e, writer, err);
    estate_release(es);
    return result;
}

static void begin(const kim_json *line, kim_json_writer *writer)
{
    const kim_json *id = kim_json_get(line, "id");
    kim_json_begin_object(writer);
    kim_json_key(writer, "id");
    if (id)
        kim_json_put_json(writer, id);
    else
        kim_json_put_null(writer);
}

int case_answer(case_reader *reader, kim_text line, const uint8_t *records, size_t size,
                const char *fault, kim_json_writer *writer, kim_error *err)
{
    kim_error why = {0};
    kim_arena_reset(reader->arena);
    const kim_json *json = kim_json_parse(line.bytes, line.size, "case", reader->arena, &why);
    begin(json, writer);
    int result = json ? 0 : -1;
    if (json && fault)
        result = kim_fail(&why, KIM_ERR_INPUT, "%s", fault);
    if (result == 0)
        result = answer_line(reader, json, records, size, writer, &why);
    if (result < 0 && why.code == KIM_ERR_NOMEM) {
        if (err)
            *err = why;
        return -1;
    }
    if (result < 0) {
        kim_json_key(writer, "error");
        kim_json_put_string(writer, why.message);
    }
    kim_json_end_object(writer);
    return result < 0 ? 1 : 0;
}
