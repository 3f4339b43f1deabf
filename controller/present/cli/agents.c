/* SPDX-License-Identifier: Apache-2.0
 *
 * agents.c - kim agents, agent add, approve, revoke, show.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/present/cli/print.h"
#include "controller/present/cli/words.h"

/* ---- the list ---- */

static void write_agent(rows *r, const kim_json *item, kim_arena *arena)
{
    const kim_json *streams = kim_json_get(item, "streams");
    int64_t records = 0;
    kim_text problem = KIM_NO_TEXT;
    for (size_t i = 0; kim_json_is(streams, KIM_JSON_ARRAY) && i < streams->count; i++) {
        records += kim_json_int(kim_json_get(&streams->items[i], "records"), 0);
        if (kim_text_is_absent(problem))
            problem = kim_json_text_of(&streams->items[i], "problem");
    }
    bool connected = kim_json_bool(kim_json_get(item, "connected"), false);
    rows_cell(r, kim_json_text_of(item, "name"));
    rows_cell(r, kim_json_text_of(item, "state"));
    rows_cell_in(r, connected ? KIM_TEXT("yes") : KIM_TEXT("no"), connected ? GOOD : DIM);
    rows_cell(r, words_list(kim_json_get(item, "scopes"), arena));
    rows_int(r, records);
    rows_cell(r, words_time(kim_json_get(item, "last_seen_unix_ms"), arena));
    rows_cell_in(r, problem, BAD);
}

static const column agent_columns[] = {
    {"name", false, true},    {"state", false, false},     {"connected", false, false}, {"scopes", false, true},
    {"records", true, false}, {"last seen", false, false}, {"problem", false, true},
};
static const list_view agents_view = {
    "agents", agent_columns, 7, write_agent, "there are no agents yet: kim agent add NAME --scope SCOPE",
};

int run_agents(const invocation *in, kim_error *err)
{
    return print_list(in, "/v1/agents", &agents_view, err);
}

/* ---- one agent ---- */

static const kim_json *find_agent(const kim_json *answer, const char *name)
{
    const kim_json *agents = kim_json_get(answer, "agents");
    for (size_t i = 0; kim_json_is(agents, KIM_JSON_ARRAY) && i < agents->count; i++)
        if (kim_text_is(kim_json_text_of(&agents->items[i], "name"), name))
            return &agents->items[i];
    return NULL;
}

static void write_streams(const kim_json *agent, rows_style style, kim_arena *arena)
{
    static const column columns[] = {
        {"stream", false, false},    {"provider", false, false}, {"generation", true, false},
        {"records", true, false},    {"committed", false, false}, {"problem", false, true},
    };
    const kim_json *streams = kim_json_get(agent, "streams");
    rows *r = rows_begin(stdout, style, columns, 6, NULL);
    for (size_t i = 0; r != NULL && kim_json_is(streams, KIM_JSON_ARRAY) && i < streams->count; i++) {
        const kim_json *one = &streams->items[i];
        rows_cell(r, kim_json_text_of(one, "name"));
        rows_cell(r, kim_json_text_of(one, "provider"));
        rows_cell(r, kim_json_text_of(one, "generation"));
        rows_cell(r, kim_json_text_of(one, "records"));
        rows_cell(r, words_time(kim_json_get(one, "committed_unix_ms"), arena));
        rows_cell_in(r, kim_json_text_of(one, "problem"), BAD);
    }
    if (r != NULL)
        rows_end(r, NULL);
}

static int write_shown(const invocation *in, const kim_json *agent, kim_arena *arena, kim_error *err)
{
    rows_style style = rows_style_of_stdout(in->form == AS_CSV);
    if (in->form == AS_JSON) {
        if (print_value(agent, "\n", err) < 0)
            return -1;
    } else if (in->form == AS_CSV) {
        rows *r = rows_begin(stdout, style, agent_columns, 7, err);
        if (r == NULL)
            return -1;
        write_agent(r, agent, arena);
        return rows_end(r, err);
    } else {
        static const char *const texts[] = {"name", "state", "key", "version", "connected"};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            rows_field(stdout, style, texts[i], kim_json_text_of(agent, texts[i]), PLAIN);
        rows_field(stdout, style, "scopes", words_list(kim_json_get(agent, "scopes"), arena), PLAIN);
        rows_field(stdout, style, "added", words_time(kim_json_get(agent, "added_unix_ms"), arena), PLAIN);
        rows_field(stdout, style, "last seen", words_time(kim_json_get(agent, "last_seen_unix_ms"), arena), PLAIN);
        putchar('\n');
        write_streams(agent, style, arena);
    }
    return fflush(stdout) != 0 ? kim_fail(err, KIM_ERR_IO, "standard output takes no more") : EXIT_FINE;
}

int run_agent_show(const invocation *in, kim_error *err)
{
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    client *c = client_open(in->socket, err);
    int status = -1;
    const kim_json *answer = c != NULL && arena != NULL ? client_ask(c, "/v1/agents", NULL, 0, arena, err) : NULL;
    const kim_json *agent = find_agent(answer, in->arguments[0]);
    if (agent != NULL)
        status = write_shown(in, agent, arena, err);
    else if (answer != NULL)
        kim_fail(err, KIM_ERR_NOT_FOUND, "there is no agent '%.256s'; `kim agents` lists them", in->arguments[0]);
    client_close(c);
    kim_arena_free(arena);
    return status;
}

/* ---- changes ---- */

static void write_state(const invocation *in, const kim_json *answer, rows_style style, kim_arena *arena)
{
    (void)in, (void)arena;
    static const column columns[] = {{"name", false, false}, {"state", false, false}};
    rows *r = rows_begin(stdout, style, columns, 2, NULL);
    if (r == NULL)
        return;
    rows_cell(r, kim_json_text_of(answer, "name"));
    rows_cell(r, kim_json_text_of(answer, "state"));
    rows_end(r, NULL);
}

static int change_state(const invocation *in, const char *verb, kim_error *err)
{
    kim_bytes path = {0};
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    client_path(&path, "/v1/agents/");
    client_path_part(&path, in->arguments[0]);
    client_path(&path, verb);
    const char *text = client_path_text(&path, err);
    const kim_json *answer = text != NULL && arena != NULL ? print_short(in, text, "", write_state, arena, err) : NULL;
    kim_arena_free(arena);
    kim_bytes_free(&path);
    return answer != NULL ? EXIT_FINE : -1;
}

int run_agent_approve(const invocation *in, kim_error *err)
{
    return change_state(in, "/approve", err);
}

int run_agent_revoke(const invocation *in, kim_error *err)
{
    return change_state(in, "/revoke", err);
}

/* ---- a new one ---- */

static const char *new_agent_body(const invocation *in, kim_json_writer *to, kim_error *err)
{
    size_t size;
    kim_json_begin_object(to);
    kim_json_key(to, "name");
    kim_json_put_string(to, in->arguments[0]);
    kim_json_key(to, "scopes");
    kim_json_begin_array(to);
    for (size_t i = 0; i < in->given_count; i++)
        if (strcmp(in->given[i].option->name, "scope") == 0)
            kim_json_put_string(to, in->given[i].value);
    kim_json_end_array(to);
    kim_json_end_object(to);
    kim_json_end_line(to);
    return kim_json_writer_bytes(to, &size, err);
}

/* The token's file is made before the token is, so that a token never has nowhere to go. */
static int open_token_file(const char *path, kim_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return kim_fail(err, KIM_ERR_IO, "%s: cannot be made: %s; name a file that is not there yet", path, strerror(errno));
    return fd;
}

static int keep_token(int fd, const char *path, kim_text token, kim_error *err)
{
    bool kept = write(fd, token.bytes, token.size) == (ssize_t)token.size && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    return kept ? 0 : kim_fail(err, KIM_ERR_IO, "%s: the token could not be written: %s; add the agent again", path,
                               strerror(errno));
}

/* What kim-agent.conf needs to know of this controller. */
static void tell_controller(const kim_json *answer)
{
    static const char *const names[] = {"controller", "controller_enrol", "controller_key"};
    if (kim_json_get(answer, names[0]) == NULL)
        return;
    fputs("its kim-agent.conf needs (write this machine's name for 0.0.0.0):\n", stderr);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        fprintf(stderr, "    %s = \"%.*s\";\n", names[i], KIM_PRINT(kim_json_text_of(answer, names[i])));
}

static void write_new(const invocation *in, const kim_json *answer, rows_style style, kim_arena *arena)
{
    if (style.csv) {
        static const column columns[] = {{"name", false, false}, {"token", false, false}};
        rows *r = rows_begin(stdout, style, columns, 2, NULL);
        if (r == NULL)
            return;
        rows_cell(r, kim_json_text_of(answer, "name"));
        rows_cell(r, kim_json_text_of(answer, "token"));
        rows_end(r, NULL);
        return;
    }
    kim_text token = kim_json_text_of(answer, "token"), expires = words_time(kim_json_get(answer, "expires_unix_ms"), arena);
    printf("%.*s\n", KIM_PRINT(token)); /* alone, so that it can be piped on */
    if (!in->quiet)
        fprintf(stderr, "good once, until %.*s UTC, for kim-agent enrol --token-file FILE\n", KIM_PRINT(expires));
    if (!in->quiet)
        tell_controller(answer);
}

int run_agent_add(const invocation *in, kim_error *err)
{
    if (!is_given(in, "scope")) {
        kim_fail(err, KIM_ERR_INPUT, "an agent needs at least one scope: kim agent add %.128s --scope aws:111122223333",
                 in->arguments[0]);
        return -EXIT_USAGE;
    }
    const char *token_file = given(in, "token-file", NULL);
    kim_json_writer *to = kim_json_writer_new(false);
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    int fd = -1, status = -1;
    const char *body = to != NULL && arena != NULL ? new_agent_body(in, to, err) : NULL;
    if (body != NULL && token_file == NULL)
        status = print_short(in, "/v1/agents", body, write_new, arena, err) != NULL ? EXIT_FINE : -1;
    else if (body != NULL && (fd = open_token_file(token_file, err)) >= 0) {
        client *c = client_open(in->socket, err);
        const kim_json *answer = c != NULL ? client_ask(c, "/v1/agents", body, strlen(body), arena, err) : NULL;
        if (answer != NULL && keep_token(fd, token_file, kim_json_text_of(answer, "token"), err) == 0) {
            status = EXIT_FINE;
            if (!in->quiet)
                tell_controller(answer);
        } else
            unlink(token_file);
        client_close(c);
        close(fd);
    }
    kim_json_writer_free(to);
    kim_arena_free(arena);
    return status;
}
