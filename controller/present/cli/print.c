/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c - one way from an answer to standard output for all commands.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/items.h"
#include "controller/present/cli/print.h"

enum { ROW_ARENA_BYTES = 64 * 1024 * 1024 };

static int copy_out(void *context, const char *bytes, size_t size, kim_error *err)
{
    (void)context;
    if (fwrite(bytes, 1, size, stdout) != size)
        return kim_fail(err, KIM_ERR_IO, "standard output takes no more");
    return 0;
}

/* What goes out is watched for the end of a list that broke off. */
static int copy_and_watch(void *context, const char *bytes, size_t size, kim_error *err)
{
    return copy_out(NULL, bytes, size, err) < 0 ? -1 : items_take(context, bytes, size, err);
}

int print_json(const invocation *in, const char *path, const char *list, kim_error *err)
{
    kim_arena *arena = kim_arena_new(ROW_ARENA_BYTES);
    client *c = client_open(in->socket, err);
    items *it = c != NULL ? items_new(list, NULL, NULL, err) : NULL;
    int result = -1;
    if (arena == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an answer");
    else if (it != NULL && client_exchange(c, path, NULL, 0, copy_and_watch, it, err) == 0 &&
             items_rest(it, arena, err) != NULL)
        result = 0;
    if (fflush(stdout) != 0 && result == 0)
        result = kim_fail(err, KIM_ERR_IO, "standard output takes no more");
    items_free(it);
    client_close(c);
    kim_arena_free(arena);
    return result;
}

int print_written(kim_json_writer *written, kim_error *err)
{
    size_t size;
    const char *bytes = kim_json_writer_bytes(written, &size, err);
    int result = bytes != NULL ? copy_out(NULL, bytes, size, err) : -1;
    kim_json_writer_free(written);
    return result;
}

int print_value(const kim_json *value, const char *after, kim_error *err)
{
    kim_json_writer *to = kim_json_writer_new(false);
    if (to == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the answer");
    kim_json_put_json(to, value);
    if (print_written(to, err) < 0)
        return -1;
    return copy_out(NULL, after, strlen(after), err);
}

const kim_json *print_short(const invocation *in, const char *path, const char *body, print_answer *write,
                            kim_arena *arena, kim_error *err)
{
    client *c = client_open(in->socket, err);
    const kim_json *answer =
        c != NULL ? client_ask(c, path, body, body != NULL ? strlen(body) : 0, arena, err) : NULL;
    client_close(c);
    if (answer == NULL || (in->form == AS_JSON && print_value(answer, "\n", err) < 0))
        return NULL;
    if (in->form != AS_JSON)
        write(in, answer, rows_style_of_stdout(in->form == AS_CSV), arena);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return answer;
    kim_fail(err, KIM_ERR_IO, "standard output takes no more");
    return NULL;
}

typedef struct printing {
    const list_view *view;
    rows *to;
    kim_arena *arena;
} printing;

static int print_item(void *context, const kim_json *item, kim_error *err)
{
    printing *p = context;
    kim_arena_reset(p->arena);
    p->view->row(p->to, item, p->arena);
    return ferror(stdout) ? kim_fail(err, KIM_ERR_IO, "standard output takes no more") : 0;
}

static int print_rows(const invocation *in, const char *path, const list_view *view, kim_error *err)
{
    printing p = {.view = view, .arena = kim_arena_new(ROW_ARENA_BYTES)};
    client *c = client_open(in->socket, err);
    items *it = c != NULL ? items_new(view->list, print_item, &p, err) : NULL;
    int result = -1;
    if (p.arena == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a table");
    else if (it != NULL)
        p.to = rows_begin(stdout, rows_style_of_stdout(in->form == AS_CSV), view->columns, view->column_count, err);
    if (p.to != NULL && client_exchange(c, path, NULL, 0, items_take, it, err) == 0) {
        kim_arena_reset(p.arena);
        result = items_rest(it, p.arena, err) != NULL ? 0 : -1;
    }
    size_t count = p.to != NULL ? rows_count(p.to) : 0;
    if (result == 0) {
        result = rows_end(p.to, err);
        if (count == 0 && in->form == AS_TABLE && !in->quiet)
            fprintf(stderr, "%s\n", view->nothing);
    } else {
        rows_abandon(p.to);
    }
    items_free(it);
    client_close(c);
    kim_arena_free(p.arena);
    return result;
}

int print_list(const invocation *in, const char *path, const list_view *view, kim_error *err)
{
    return in->form == AS_JSON ? print_json(in, path, view->list, err) : print_rows(in, path, view, err);
}

void print_add_options(kim_bytes *path, const invocation *in, const char *const *names)
{
    for (size_t n = 0; names[n] != NULL; n++)
        for (size_t i = 0; i < in->given_count; i++) {
            if (strcmp(in->given[i].option->name, names[n]) != 0)
                continue;
            char param[32];
            snprintf(param, sizeof param, "%s", names[n]);
            for (char *at = param; *at != '\0'; at++)
                if (*at == '-')
                    *at = '_';
            client_param(path, param, in->given[i].value);
        }
}
