/* SPDX-License-Identifier: Apache-2.0
 *
 * test_server.c - the API on its socket, asked by the client that kim uses.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/present/cli/client.h"
#include "controller/present/cli/items.h"
#include "controller/present/http/http.h"
#include "tests/present/plain_backend.h"
#include "tests/support/cmocka.h"

enum { MORE = 20000 }; /* identities: several rings of an answer */

static char folder[] = "/tmp/kim-test-XXXXXX";
static char path[64];
static http_backend backend;
static http_server *server;

static http_server *started(const char *at, http_role role, kim_error *err)
{
    http_options options = {.socket_path = at, .role = role, .backend = backend};
    return http_start(&options, err);
}

static int begin(void **state)
{
    (void)state;
    kim_error err;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    backend = plain_backend(MORE);
    server = started(path, HTTP_ADMINISTRATOR, &err);
    if (server == NULL)
        fail_msg("%s", err.message);
    return 0;
}

static int end(void **state)
{
    (void)state;
    http_stop(server);
    assert_int_equal(access(path, F_OK), -1);
    plain_backend_end();
    return rmdir(folder);
}

static int count_item(void *context, const kim_json *item, kim_error *err)
{
    (void)item, (void)err;
    ++*(size_t *)context;
    return 0;
}

static int stop_soon(void *context, const char *bytes, size_t size, kim_error *err)
{
    (void)context, (void)bytes, (void)size;
    return kim_fail(err, KIM_ERR_STOPPED, "enough");
}

static void only_its_owner_may_open_the_socket(void **state)
{
    (void)state;
    struct stat what;
    assert_int_equal(stat(path, &what), 0);
    assert_true(S_ISSOCK(what.st_mode));
    assert_int_equal(what.st_mode & 0777, 0600);
}

static void a_short_answer_comes_whole(void **state)
{
    (void)state;
    kim_error err;
    kim_arena *arena = kim_arena_new(1 << 20);
    client *c = client_open(path, &err);
    for (int i = 0; i < 3; i++) { /* on one connection */
        const kim_json *answer = client_ask(c, "/v1/status", NULL, 0, arena, &err);
        assert_int_equal(kim_json_int(kim_json_get(kim_json_get(answer, "records"), "identity"), 0), 3 + MORE);
    }
    client_close(c);
    kim_arena_free(arena);
}

static void a_long_list_is_streamed_whole(void **state)
{
    (void)state;
    kim_error err = {0};
    size_t count = 0;
    client *c = client_open(path, &err);
    items *it = items_new("identities", count_item, &count, &err);
    if (client_exchange(c, "/v1/identities?limit=10000", NULL, 0, items_take, it, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(count, 10000);
    items_free(it);
    client_close(c);
}

static void a_reader_that_leaves_in_the_middle_harms_nobody(void **state)
{
    (void)state;
    kim_error err;
    for (int i = 0; i < 5; i++) {
        client *c = client_open(path, &err);
        assert_int_equal(client_exchange(c, "/v1/identities?limit=10000", NULL, 0, stop_soon, NULL, &err), -1);
        assert_int_equal(err.code, KIM_ERR_STOPPED);
        client_close(c);
    }
    a_short_answer_comes_whole(NULL);
}

static void a_refusal_keeps_its_code_and_words(void **state)
{
    (void)state;
    kim_error err;
    kim_arena *arena = kim_arena_new(1 << 20);
    client *c = client_open(path, &err);
    assert_null(client_ask(c, "/v1/identities/show?id=nobody%26%C3%A9", NULL, 0, arena, &err));
    assert_int_equal(err.code, KIM_ERR_NOT_FOUND);
    assert_says(err.message, "'nobody&\u00e9'");
    assert_null(client_ask(c, "/v1/identities/show?id=%ff", NULL, 0, arena, &err));
    assert_int_equal(err.code, KIM_ERR_INPUT);
    assert_null(client_ask(c, "/v1/identities/show?id=a%00b", NULL, 0, arena, &err));
    assert_int_equal(err.code, KIM_ERR_INPUT);
    client_close(c);
    kim_arena_free(arena);
}

static void a_body_past_the_limit_is_refused_and_one_at_it_is_read(void **state)
{
    (void)state;
    kim_error err = {0};
    kim_arena *arena = kim_arena_new(1 << 26);
    client *c = client_open(path, &err);
    char *body = calloc(1, HTTP_BODY_MAX_BYTES + 1);
    assert_null(client_ask(c, "/v1/records", body, HTTP_BODY_MAX_BYTES + 1, arena, &err));
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_string_equal(plain_backend_last(), "");
    if (client_ask(c, "/v1/records", body, HTTP_BODY_MAX_BYTES, arena, &err) == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(plain_backend_last(), "import 8388608");
    client_close(c);
    free(body);
    kim_arena_free(arena);
}

static void more_parameters_than_fit_are_refused(void **state)
{
    (void)state;
    kim_error err;
    kim_bytes long_path = {0};
    kim_arena *arena = kim_arena_new(1 << 20);
    client *c = client_open(path, &err);
    client_path(&long_path, "/v1/can");
    for (int i = 0; i < 300; i++)
        client_param(&long_path, "context", "k=v");
    assert_null(client_ask(c, client_path_text(&long_path, &err), NULL, 0, arena, &err));
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    kim_bytes_free(&long_path);
    client_close(c);
    kim_arena_free(arena);
}

static void the_role_of_the_socket_is_the_callers(void **state)
{
    (void)state;
    kim_error err;
    char other[80];
    snprintf(other, sizeof other, "%s/viewer", folder);
    http_server *viewers = started(other, HTTP_VIEWER, &err);
    kim_arena *arena = kim_arena_new(1 << 20);
    client *c = client_open(other, &err);
    assert_non_null(client_ask(c, "/v1/status", NULL, 0, arena, &err));
    assert_null(client_ask(c, "/v1/agents/web-17/revoke", "", 0, arena, &err));
    assert_int_equal(err.code, KIM_ERR_DENIED);
    client_close(c);
    kim_arena_free(arena);
    http_stop(viewers);
}

static void a_second_controller_does_not_take_the_socket_away(void **state)
{
    (void)state;
    kim_error err;
    assert_null(started(path, HTTP_ADMINISTRATOR, &err));
    assert_int_equal(err.code, KIM_ERR_CONFLICT);
    assert_says(err.message, "another controller listens");
    a_short_answer_comes_whole(NULL);
}

static void a_dead_socket_is_replaced_and_a_file_is_not(void **state)
{
    (void)state;
    kim_error err = {0};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/dead", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
    http_server *other = started(at.sun_path, HTTP_VIEWER, &err);
    if (other == NULL)
        fail_msg("%s", err.message);
    http_stop(other);
    FILE *file = fopen(at.sun_path, "w");
    fclose(file);
    assert_null(started(at.sun_path, HTTP_VIEWER, &err));
    assert_says(err.message, "is no socket");
    assert_int_equal(unlink(at.sun_path), 0);
}

static void a_path_too_long_for_a_socket_is_refused_in_words(void **state)
{
    (void)state;
    kim_error err;
    char too_long[200];
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    assert_null(started(too_long, HTTP_VIEWER, &err));
    assert_says(err.message, "is longer than 107 bytes");
}

static void nobody_on_the_socket_is_an_error_that_names_it(void **state)
{
    (void)state;
    kim_error err;
    kim_arena *arena = kim_arena_new(1 << 20);
    client *c = client_open("/nonexistent/socket", &err);
    assert_null(client_ask(c, "/v1/status", NULL, 0, arena, &err));
    assert_int_equal(err.code, KIM_ERR_NETWORK);
    assert_says(err.message, "no controller answers on /nonexistent/socket");
    client_close(c);
    kim_arena_free(arena);
}

static void *ask_many(void *context)
{
    kim_error err;
    kim_arena *arena = kim_arena_new(1 << 22);
    client *c = client_open(path, &err);
    for (int i = 0; i < 20; i++) {
        kim_arena_reset(arena);
        const kim_json *answer = client_ask(
            c, "/v1/can?identity=arn%3Aaws%3Aiam%3A%3A111122223333%3Auser%2Fann&action=s3:GetObject&resource=arn:aws:s3:::b/k",
            NULL, 0, arena, &err);
        *(int *)context += kim_text_is(kim_json_text_of(answer, "decision"), "allowed");
    }
    client_close(c);
    kim_arena_free(arena);
    return NULL;
}

static void many_ask_at_once(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int right[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, ask_many, &right[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(right[i], 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_owner_may_open_the_socket),
        cmocka_unit_test(a_short_answer_comes_whole),
        cmocka_unit_test(a_long_list_is_streamed_whole),
        cmocka_unit_test(a_reader_that_leaves_in_the_middle_harms_nobody),
        cmocka_unit_test(a_refusal_keeps_its_code_and_words),
        cmocka_unit_test(a_body_past_the_limit_is_refused_and_one_at_it_is_read),
        cmocka_unit_test(more_parameters_than_fit_are_refused),
        cmocka_unit_test(the_role_of_the_socket_is_the_callers),
        cmocka_unit_test(a_second_controller_does_not_take_the_socket_away),
        cmocka_unit_test(a_dead_socket_is_replaced_and_a_file_is_not),
        cmocka_unit_test(a_path_too_long_for_a_socket_is_refused_in_words),
        cmocka_unit_test(nobody_on_the_socket_is_an_error_that_names_it),
        cmocka_unit_test(many_ask_at_once),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
