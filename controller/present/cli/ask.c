/* SPDX-License-Identifier: Apache-2.0
 *
 * ask.c - kim can, explain, who-can, what-can, effective.
 */
#include <stdio.h>
#include <string.h>

#include "controller/present/cli/print.h"
#include "controller/present/cli/words.h"

static const char *const question_options[] = {
    "context", "mode", "known-absent", "known-present", "resource-account", "plane", "provider", NULL,
};

static void put(rows *r, const kim_json *item, const char *name)
{
    rows_cell(r, kim_json_text_of(item, name));
}

static void put_decision(rows *r, const kim_json *item)
{
    kim_text decision = kim_json_text_of(item, "decision");
    rows_cell_in(r, decision, words_color_of(decision));
}

/* ---- can ---- */

static void write_can_csv(const kim_json *answer, rows_style style, kim_arena *arena)
{
    static const column columns[] = {{"identity", 0, 0}, {"action", 0, 0}, {"resource", 0, 0},
                                     {"decision", 0, 0}, {"reason", 0, 0}, {"why", 0, 0}};
    rows *r = rows_begin(stdout, style, columns, 6, NULL);
    if (r == NULL)
        return;
    put(r, answer, "identity");
    put(r, answer, "action");
    put(r, answer, "resource");
    put_decision(r, answer);
    put(r, answer, "reason");
    rows_cell(r, words_why(answer, arena));
    rows_end(r, NULL);
}

/* One answer has no rows to compare it with: a line a part. */
static void write_can(const invocation *in, const kim_json *answer, rows_style style, kim_arena *arena)
{
    (void)in;
    if (style.csv) {
        write_can_csv(answer, style, arena);
        return;
    }
    kim_text decision = kim_json_text_of(answer, "decision");
    rows_field(stdout, style, "decision", decision, words_color_of(decision));
    rows_field(stdout, style, "reason", kim_json_text_of(answer, "reason"), PLAIN);
    if (kim_json_get(answer, "unread") == NULL)
        rows_field(stdout, style, "if", words_condition(kim_json_get(answer, "if"), arena), PLAIN);
    rows_field(stdout, style, "not read", words_list(kim_json_get(answer, "unread"), arena), PLAIN);
    rows_field(stdout, style, "because", words_because(kim_json_get(answer, "because"), arena), PLAIN);
}

static int exit_status_of(kim_text decision)
{
    return kim_text_is(decision, "allowed")   ? EXIT_FINE
           : kim_text_is(decision, "denied")  ? EXIT_DENIED
           : kim_text_is(decision, "unknown") ? EXIT_UNKNOWN
                                              : EXIT_CONDITIONAL;
}

static int ask_one(const invocation *in, const char *route, print_answer *write, kim_error *err)
{
    kim_bytes path = {0};
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    int status = -1;
    client_path(&path, route);
    client_param(&path, "identity", in->arguments[0]);
    client_param(&path, "action", in->arguments[1]);
    client_param(&path, "resource", in->arguments[2]);
    print_add_options(&path, in, question_options);
    const char *text = client_path_text(&path, err);
    const kim_json *answer = text != NULL && arena != NULL ? print_short(in, text, NULL, write, arena, err) : NULL;
    if (answer != NULL)
        status = is_given(in, "exit-code") ? exit_status_of(kim_json_text_of(answer, "decision")) : EXIT_FINE;
    kim_arena_free(arena);
    kim_bytes_free(&path);
    return status;
}

/* ---- explain ---- */

static void write_explanation(const invocation *in, const kim_json *answer, rows_style style, kim_arena *arena)
{
    kim_texts sentences = kim_json_texts(kim_json_get(answer, "explanation"), arena);
    if (style.csv) {
        write_can_csv(answer, style, arena);
        return;
    }
    write_can(in, answer, style, arena);
    putchar('\n');
    for (size_t i = 0; i < sentences.count; i++)
        rows_sentence(stdout, sentences.items[i]);
}

int run_can(const invocation *in, kim_error *err)
{
    return ask_one(in, "/v1/can", write_can, err);
}

int run_explain(const invocation *in, kim_error *err)
{
    return ask_one(in, "/v1/explain", write_explanation, err);
}

/* ---- who-can, what-can, effective ---- */

static void write_who(rows *r, const kim_json *item, kim_arena *arena)
{
    put(r, item, "identity");
    put_decision(r, item);
    rows_cell(r, words_why(item, arena));
}

static void write_what(rows *r, const kim_json *item, kim_arena *arena)
{
    put(r, item, "action");
    put(r, item, "resource");
    put_decision(r, item);
    rows_cell(r, words_why(item, arena));
}

static int ask_list(const invocation *in, kim_bytes *path, const list_view *view, kim_error *err)
{
    print_add_options(path, in, question_options);
    const char *text = client_path_text(path, err);
    int result = text != NULL ? print_list(in, text, view, err) : -1;
    kim_bytes_free(path);
    return result;
}

int run_who_can(const invocation *in, kim_error *err)
{
    static const column columns[] = {{"identity", false, true}, {"decision", false, false}, {"why", false, true}};
    static const list_view view = {"answers", columns, 3, write_who, "nobody who is known may do that"};
    kim_bytes path = {0};
    client_path(&path, "/v1/who-can");
    client_param(&path, "action", in->arguments[0]);
    client_param(&path, "resource", in->arguments[1]);
    return ask_list(in, &path, &view, err);
}

int run_what_can(const invocation *in, kim_error *err)
{
    static const column columns[] = {
        {"action", false, false}, {"resource", false, true}, {"decision", false, false}, {"why", false, true}};
    static const list_view view = {"answers", columns, 4, write_what, "it may do nothing that is known"};
    kim_bytes path = {0};
    client_path(&path, "/v1/what-can");
    client_param(&path, "identity", in->arguments[0]);
    if (in->argument_count > 1)
        client_param(&path, "resource", in->arguments[1]);
    return ask_list(in, &path, &view, err);
}

static void write_effective(rows *r, const kim_json *item, kim_arena *arena)
{
    kim_text but = words_list(kim_json_get(item, "not_actions"), arena), actions = words_list(kim_json_get(item, "actions"), arena);
    put(r, item, "identity");
    rows_cell(r, but.size ? kim_text_format(arena, "%.*s but %.*s", KIM_PRINT(actions), KIM_PRINT(but)) : actions);
    put(r, item, "resource");
    put_decision(r, item);
    rows_cell(r, words_why(item, arena));
}

int run_effective(const invocation *in, kim_error *err)
{
    static const column columns[] = {{"identity", false, true}, {"actions", false, true}, {"resource", false, true},
                                     {"decision", false, false}, {"why", false, true}};
    static const list_view view = {"grants", columns, 5, write_effective, "they may do nothing that is known"};
    static const char *const more[] = {"resource", NULL};
    kim_bytes path = {0};
    client_path(&path, "/v1/effective");
    for (int i = 0; i < in->argument_count; i++)
        client_param(&path, "identity", in->arguments[i]);
    print_add_options(&path, in, more);
    return ask_list(in, &path, &view, err);
}
