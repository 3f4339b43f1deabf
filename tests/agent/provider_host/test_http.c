/* SPDX-License-Identifier: Apache-2.0
 *
 * test_http.c - the provider host's HTTP service against a real server that misbehaves.
 *
 * The server is tests/agent/provider_host/misbehave.py, started on free ports. Only time is the test's own: waiting
 * moves the clock on and takes no time, so that patience is exact and costs nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kim/json.h>

#include "agent/provider_host/http.h"

#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

/* ---- the server and the world ---- */

typedef struct server {
    pid_t pid;
    int stdin_fd;
    unsigned http, https, proxy;
    char ca[256];
} server;

static server started;

typedef struct surroundings {
    int64_t waited_ms;          /* how far waiting has moved the clock */
    unsigned waits, dials;
    char dialled[256];          /* "host:port" of the last dial */
    bool refuse_dial, stop;
    bool real_time;             /* time passes beside the waits too */
    char log[4096];
    kim_setting settings_item;
    const char *endpoint;
    kim_settings settings;
    http_options options;
    http_service *service;
} surroundings;

static int start_server(void **state)
{
    (void)state;
    int in[2], out[2];
    if (pipe(in) < 0 || pipe(out) < 0)
        return -1;
    started.pid = fork();
    if (started.pid == 0) {
        char path[1024];
        snprintf(path, sizeof path, "%s/tests/agent/provider_host/misbehave.py", getenv("KIM_SOURCE_DIR"));
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("python3", "python3", path, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    started.stdin_fd = in[1];
    FILE *said = fdopen(out[0], "r");
    int found = fscanf(said, "ready %u %u %u %255s", &started.http, &started.https, &started.proxy, started.ca);
    return found == 4 ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    close(started.stdin_fd); /* ends it */
    waitpid(started.pid, NULL, 0);
    return 0;
}

static int dial(void *context, const char *host, uint16_t port, kim_error *err)
{
    surroundings *s = context;
    s->dials++;
    snprintf(s->dialled, sizeof s->dialled, "%s:%u", host, port);
    if (s->refuse_dial)
        return kim_fail(err, KIM_ERR_NETWORK, "%s: no route", host);
    unsigned to = port == 443 ? started.https : port == 3128 ? started.proxy : started.http;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* connect() itself is what agent/provider_host/http.c makes of it. */
    if (syscall(SYS_connect, fd, &address, sizeof address) < 0) {
        close(fd);
        return kim_fail(err, KIM_ERR_NETWORK, "%s: %m", host);
    }
    return fd;
}

static const char *secret(void *context, const char *name, kim_error *err)
{
    (void)context, (void)err;
    if (strcmp(name, "access_key_id") == 0)
        return "AKIDEXAMPLE";
    return strcmp(name, "secret_access_key") == 0 ? SECRET_KEY : NULL;
}

static void keep_log(void *context, uint32_t level, const char *event, const char *message)
{
    (void)level;
    surroundings *s = context;
    size_t used = strlen(s->log);
    snprintf(s->log + used, sizeof s->log - used, "%s: %s\n", event, message);
}

static bool should_stop(void *context)
{
    return ((surroundings *)context)->stop;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_unix_ms(void *context)
{
    (void)context;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t monotonic_ms(void *context)
{
    surroundings *s = context;
    return s->waited_ms + (s->real_time ? clock_ms(CLOCK_MONOTONIC) : 0);
}

static uint32_t largest(void *context, uint32_t below)
{
    (void)context;
    return below - 1;
}

static void skip_ahead(void *context, int64_t ms)
{
    surroundings *s = context;
    s->waited_ms += ms;
    s->waits++;
}

static const char *const plugin_hosts[] = {"*.example.com:443", NULL};

static int open_service(surroundings *s)
{
    http_world world = {.context = s, .dial = dial, .secret = secret, .log = keep_log, .should_stop = should_stop,
                        .now_unix_ms = now_unix_ms, .monotonic_ms = monotonic_ms, .random = largest, .wait = skip_ahead};
    kim_error err = {0};
    http_service_free(s->service);
    s->service = http_service_new(&s->options, &world, &err);
    if (s->service == NULL)
        print_error("%s\n", err.message);
    return s->service != NULL ? 0 : -1;
}

static int setup(void **state)
{
    surroundings *s = calloc(1, sizeof *s);
    s->endpoint = "http://aws.test:8080";
    s->settings_item = (kim_setting){.name = "endpoint_url", .values = &s->endpoint, .count = 1};
    s->settings = (kim_settings){.items = &s->settings_item, .count = 1};
    s->options = (http_options){.allow = {.plugin_hosts = plugin_hosts, .settings = &s->settings},
                                .ca_file = started.ca, .rate_per_s = 1000};
    *state = s;
    return open_service(s);
}

static int teardown(void **state)
{
    surroundings *s = *state;
    http_service_free(s->service);
    free(s);
    return 0;
}

/* ---- asking ---- */

typedef struct answer {
    int result;
    kim_http_response response;
    kim_error err;
} answer;

static answer ask(surroundings *s, kim_http_request request)
{
    answer a = {0};
    request.struct_size = sizeof request;
    if (request.method == NULL)
        request.method = "GET";
    a.result = http_send(s->service, &request, &a.response, &a.err);
    return a;
}

static answer get(surroundings *s, const char *path)
{
    char url[512];
    snprintf(url, sizeof url, "http://aws.test:8080%s", path);
    return ask(s, (kim_http_request){.url = url});
}

static answer get_signed(surroundings *s, const char *path)
{
    char url[512];
    snprintf(url, sizeof url, "http://aws.test:8080%s", path);
    return ask(s, (kim_http_request){.url = url, .sign = KIM_HTTP_AWS_SIGV4, .sigv4_service = "iam",
                                     .sigv4_region = "us-east-1"});
}

static void assert_answer(answer *a, int32_t status, const char *body, uint32_t attempts)
{
    if (a->result != 0)
        fail_msg("%s", a->err.message);
    assert_int_equal(a->response.status, status);
    assert_int_equal(a->response.body_size, strlen(body));
    assert_memory_equal(a->response.body, body, strlen(body));
    assert_int_equal(a->response.attempts, attempts);
    http_response_end(&a->response);
    assert_null(a->response.owner);
}

static void assert_refused(const answer *a, kim_code code, const char *words)
{
    assert_int_equal(a->result, -1);
    if (a->err.code != code || strstr(a->err.message, words) == NULL)
        fail_msg("expected %s with '%s', got %s: %s", kim_code_name(code), words, kim_code_name(a->err.code),
                 a->err.message);
    assert_null(a->response.owner);
    assert_null(a->response.body);
}

static const char *header(const answer *a, const char *name)
{
    for (uint32_t i = 0; i < a->response.header_count; i++) {
        if (strcmp(a->response.headers[i].name, name) == 0)
            return a->response.headers[i].value;
    }
    return NULL;
}

/* ---- what it promises ---- */

static void a_request_reaches_the_dialled_connection_as_written(void **state)
{
    surroundings *s = *state;
    kim_http_header headers[] = {{"X-Amz-Target", "AWSOrganizations.ListRoots"}, {"Content-Type", "application/json"}};
    answer a = ask(s, (kim_http_request){.method = "POST", .url = "http://aws.test:8080/echo?a=b%2Fc", .headers = headers,
                                         .header_count = 2, .body = (const uint8_t *)"{\"n\":1}", .body_size = 7});
    assert_int_equal(a.result, 0);
    assert_string_equal(s->dialled, "aws.test:8080");
    const char *body = (const char *)a.response.body;
    assert_non_null(strstr(body, "\"method\": \"POST\""));
    assert_non_null(strstr(body, "\"path\": \"/echo?a=b%2Fc\""));
    assert_non_null(strstr(body, "[\"host\", \"aws.test:8080\"]"));
    assert_non_null(strstr(body, "[\"x-amz-target\", \"AWSOrganizations.ListRoots\"]"));
    assert_non_null(strstr(body, "\"body\": \"{\\\"n\\\":1}\""));
    assert_null(strstr(body, "authorization"));
    assert_string_equal(header(&a, "x-two"), "a");
    http_response_end(&a.response);
}

static void a_second_request_takes_the_same_connection(void **state)
{
    surroundings *s = *state;
    answer a = get(s, "/status/200?key=same");
    assert_answer(&a, 200, "trouble", 1);
    a = get(s, "/status/200?key=same");
    assert_answer(&a, 200, "trouble", 1);
    assert_int_equal(s->dials, 1);
}

static void after_a_rest_it_connects_anew(void **state)
{
    surroundings *s = *state;
    answer a = get(s, "/status/200?key=rest");
    assert_answer(&a, 200, "trouble", 1);
    http_service_rest(s->service);
    http_service_rest(s->service);
    a = get(s, "/status/200?key=rest");
    assert_answer(&a, 200, "trouble", 1);
    assert_int_equal(s->dials, 2);
}

static void a_request_without_a_body_is_no_form(void **state)
{
    answer a = ask(*state, (kim_http_request){.method = "PUT", .url = "http://aws.test:8080/echo"});
    assert_int_equal(a.result, 0);
    assert_null(strstr((const char *)a.response.body, "x-www-form-urlencoded"));
    assert_non_null(strstr((const char *)a.response.body, "[\"content-length\", \"0\"]"));
    http_response_end(&a.response);
}

static void trouble_is_retried_with_growing_waits_until_the_attempts_end(void **state)
{
    surroundings *s = *state;
    answer a = get(s, "/status/500/2?key=t1");
    assert_answer(&a, 200, "fine", 3);
    assert_int_equal(s->waited_ms, 400 + 800); /* the largest that full jitter may choose */
    s->waited_ms = 0;
    a = get(s, "/status/503?key=t2");
    assert_answer(&a, 503, "trouble", HTTP_DEFAULT_ATTEMPTS);
    assert_int_equal(s->waited_ms, 400 + 800 + 1600 + 3200 + 6400);
    assert_non_null(strstr(s->log, "http_retry: aws.test answered 503"));
}

static void what_retrying_cannot_mend_is_an_answer_at_once(void **state)
{
    static const char *const paths[] = {"/status/400?key=n0", "/status/403?key=n1", "/status/404?key=n2",
                                        "/status/501?key=n3"};
    for (size_t i = 0; i < 4; i++) {
        answer a = get(*state, paths[i]);
        assert_answer(&a, (int32_t)strtol(paths[i] + 8, NULL, 10), "trouble", 1);
    }
}

static void retry_after_is_obeyed_up_to_its_cap(void **state)
{
    surroundings *s = *state;
    answer a = get(s, "/status/429/1?key=ra1&after=7");
    assert_answer(&a, 200, "fine", 2);
    assert_int_equal(s->waited_ms, 7000);
    s->waited_ms = 0;
    a = get(s, "/status/429/1?key=ra2&after=86400");
    assert_answer(&a, 200, "fine", 2);
    assert_int_equal(s->waited_ms, HTTP_RETRY_AFTER_MAX_MS);
    s->waited_ms = 0;
    a = get(s, "/status/429/1?key=ra3&after=Fri,%2031%20Dec%201999%2023:59:59%20GMT");
    assert_answer(&a, 200, "fine", 2);
    assert_int_equal(s->waited_ms, 400);
}

static void a_throttling_code_of_aws_in_a_400_is_retried_only_where_aws_was_asked(void **state)
{
    surroundings *s = *state;
    answer a = get_signed(s, "/aws-throttle/2?key=at1");
    assert_answer(&a, 200, "{}", 3);
    a = get(s, "/aws-throttle/2?key=at2");
    assert_int_equal(a.response.status, 400);
    assert_int_equal(a.response.attempts, 1);
    http_response_end(&a.response);
}

static void where_the_deadline_leaves_no_time_the_last_answer_is_the_answer(void **state)
{
    surroundings *s = *state;
    http_service_deadline(s->service, monotonic_ms(s) + 5000);
    answer a = get(s, "/status/429?key=dl&after=60");
    assert_answer(&a, 429, "trouble", 1);
}

static void a_body_cut_short_is_never_handed_over(void **state)
{
    surroundings *s = *state;
    answer a = get(s, "/cut/1?key=cut1");
    assert_answer(&a, 200, "whole", 2);
    a = get(s, "/cut/100?key=cut2");
    assert_refused(&a, KIM_ERR_NETWORK, "no whole answer after 6 attempts");
    a = get(s, "/drop/2?key=drop");
    assert_answer(&a, 200, "whole", 3);
    a = get(s, "/bad-gzip?key=gz");
    assert_refused(&a, KIM_ERR_NETWORK, "no whole answer");
}

static void an_answer_that_never_ends_is_cut_off_by_its_timeout(void **state)
{
    surroundings *s = *state;
    s->real_time = true;
    answer a = ask(s, (kim_http_request){.url = "http://aws.test:8080/slow?key=slow", .timeout_ms = 100, .attempts_max = 2});
    assert_refused(&a, KIM_ERR_NETWORK, "after 2 attempts");
    http_service_deadline(s->service, monotonic_ms(s) + 100);
    a = ask(s, (kim_http_request){.url = "http://aws.test:8080/slow?key=slow2"});
    assert_refused(&a, KIM_ERR_TIMEOUT, "deadline");
}

static void a_connection_that_cannot_be_had_is_tried_again_and_then_said(void **state)
{
    surroundings *s = *state;
    s->refuse_dial = true;
    answer a = get(s, "/echo");
    assert_refused(&a, KIM_ERR_NETWORK, "aws.test: no route");
    assert_int_equal(s->dials, HTTP_DEFAULT_ATTEMPTS);
}

static void asked_to_stop_it_stops(void **state)
{
    surroundings *s = *state;
    s->stop = true;
    answer a = get(s, "/echo");
    assert_refused(&a, KIM_ERR_STOPPED, "stop");
    assert_int_equal(s->dials, 0);
}

static void a_body_past_its_limit_is_refused_however_it_comes(void **state)
{
    static const char *const paths[] = {"/large/5000000", "/chunked/50000000", "/bomb"};
    for (size_t i = 0; i < 3; i++) {
        char url[128];
        snprintf(url, sizeof url, "http://aws.test:8080%s", paths[i]);
        answer a = ask(*state, (kim_http_request){.url = url, .max_bytes = 1000000});
        assert_refused(&a, KIM_ERR_LIMIT, "past 1000000 bytes");
        assert_int_equal(((surroundings *)*state)->waits, 0);
    }
    answer a = get(*state, "/headers/1000");
    assert_refused(&a, KIM_ERR_LIMIT, "headers");
}

static void gzip_is_inflated_unless_the_provider_wants_it_as_it_is(void **state)
{
    answer a = get(*state, "/gzip");
    assert_null(header(&a, "content-encoding"));
    assert_answer(&a, 200, "inflated", 1);
    kim_http_header raw = {"Accept-Encoding", "identity"};
    a = ask(*state, (kim_http_request){.url = "http://aws.test:8080/gzip", .headers = &raw, .header_count = 1});
    assert_string_equal(header(&a, "content-encoding"), "gzip");
    assert_int_equal(a.response.body[0], 0x1f);
    http_response_end(&a.response);
}

static void a_redirect_is_followed_on_the_same_host_only_and_not_for_ever(void **state)
{
    surroundings *s = *state;
    answer a = get(s, "/moved/once");
    assert_int_equal(a.response.status, 200);
    http_response_end(&a.response);
    a = get(s, "/moved/other");
    assert_answer(&a, 302, "moved", 1);
    a = get(s, "/moved/loop");
    assert_answer(&a, 302, "moved", 1 + HTTP_MAX_REDIRECTS);
    assert_string_equal(s->dialled, "aws.test:8080");
}

static void hosts_that_nobody_named_are_refused_before_any_connection(void **state)
{
    surroundings *s = *state;
    static const char *const urls[] = {"https://evil.test/", "https://example.com/", "http://iam.example.com/",
                                       "https://iam.example.com:444/", "http://aws.test/", "ftp://iam.example.com/",
                                       "https://user@iam.example.com/", "https://iam.example.com.evil.test/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        answer a = ask(s, (kim_http_request){.url = urls[i]});
        assert_int_equal(a.result, -1);
        assert_int_equal(a.err.code, KIM_ERR_INPUT);
    }
    const char *only = "sts.example.com";
    s->options.allow.operator_hosts = &only;
    s->options.allow.operator_host_count = 1;
    open_service(s);
    answer a = ask(s, (kim_http_request){.url = "https://iam.example.com/"});
    assert_refused(&a, KIM_ERR_INPUT, "https://iam.example.com:443 is not allowed");
    assert_int_equal(s->dials, 0);
}

static void a_header_with_a_line_break_is_refused(void **state)
{
    kim_http_header bad = {"X-A", "b\r\nAuthorization: mine"};
    answer a = ask(*state, (kim_http_request){.url = "http://aws.test:8080/echo", .headers = &bad, .header_count = 1});
    assert_refused(&a, KIM_ERR_INPUT, "line break");
}

static void tls_is_verified_against_the_ca_and_the_name(void **state)
{
    surroundings *s = *state;
    answer a = ask(s, (kim_http_request){.url = "https://iam.example.com/status/200"});
    assert_answer(&a, 200, "trouble", 1);
    assert_string_equal(s->dialled, "iam.example.com:443");
    a = ask(s, (kim_http_request){.url = "https://sts.example.com/status/200"}); /* the certificate names another */
    assert_refused(&a, KIM_ERR_NETWORK, "certificate is not trusted");
    s->options.ca_file = NULL; /* the system's authorities know nothing of it */
    open_service(s);
    a = ask(s, (kim_http_request){.url = "https://iam.example.com/status/200"});
    assert_refused(&a, KIM_ERR_NETWORK, "ca_file");
}

static void a_proxy_is_reached_by_dial_and_asked_to_connect(void **state)
{
    surroundings *s = *state;
    s->options.proxy = "http://ann:proxysecret@proxy.test:3128";
    open_service(s);
    answer a = ask(s, (kim_http_request){.url = "https://iam.example.com/connects"});
    assert_string_equal(s->dialled, "proxy.test:3128");
    assert_answer(&a, 200, "[[\"iam.example.com:443\", \"ann:proxysecret\"]]", 1);
    assert_null(strstr(s->log, "proxysecret"));
}

static void a_signature_follows_the_servers_clock_once_it_refused_ours(void **state)
{
    surroundings *s = *state;
    answer a = get_signed(s, "/aws-clock/7200?key=c1");
    assert_answer(&a, 200, "fine", 2);
    assert_non_null(strstr(s->log, "clock_skew: aws.test refused a signature: our clock is off by -7"));
    a = get_signed(s, "/aws-clock/7200?key=c2"); /* and remembers */
    assert_answer(&a, 200, "fine", 1);
    a = get_signed(s, "/aws-clock/-7200?key=c3");
    assert_answer(&a, 200, "fine", 2);
    a = get_signed(s, "/aws-denied?key=c4"); /* the time was right meanwhile? once corrected, no more */
    assert_int_equal(a.response.status, 403);
    assert_in_range(a.response.attempts, 1, 2);
    http_response_end(&a.response);
}

static void requests_of_a_group_keep_to_its_rate_and_others_are_not_slowed(void **state)
{
    surroundings *s = *state;
    s->options.rate_per_s = 0; /* the operator says nothing of it */
    open_service(s);
    int64_t start = monotonic_ms(s);
    for (int i = 0; i < 25; i++) {
        answer a = ask(s, (kim_http_request){.url = "http://aws.test:8080/status/200", .rate_group = "iam", .rate_per_s = 5});
        http_response_end(&a.response);
    }
    assert_in_range(monotonic_ms(s) - start, 4000, 4100); /* 5 at once, then 20 at 5 a second, by whole ms */
    int64_t waited = s->waited_ms;
    answer a = ask(s, (kim_http_request){.url = "http://aws.test:8080/status/200", .rate_group = "s3", .rate_per_s = 5});
    http_response_end(&a.response);
    assert_int_equal(s->waited_ms, waited);
    s->options.rate_per_s = 1000;
    open_service(s);
    for (int i = 0; i < 25; i++) {
        a = ask(s, (kim_http_request){.url = "http://aws.test:8080/status/200", .rate_group = "iam", .rate_per_s = 5});
        http_response_end(&a.response);
    }
    assert_int_equal(s->waited_ms, waited);
}

static char *file_text(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void a_recording_holds_no_secret_and_answers_again(void **state)
{
    surroundings *s = *state;
    char path[] = "/tmp/kim-tape-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    s->options.record_path = path;
    open_service(s);
    kim_http_header token = {"X-aws-ec2-metadata-token", "metadatasecret"};
    kim_http_request requests[] = {
        {.url = "http://aws.test:8080/sts?key=r1", .sign = KIM_HTTP_AWS_SIGV4, .sigv4_service = "sts", .method = "POST",
         .sigv4_region = "us-east-1", .body = (const uint8_t *)"Action=AssumeRoleWithWebIdentity&WebIdentityToken=websecret&Version=1",
         .body_size = 69},
        {.url = "http://aws.test:8080/status/200?token=querysecret", .headers = &token, .header_count = 1},
        {.url = "http://aws.test:8080/echo", .sign = KIM_HTTP_BEARER, .bearer = "bearersecret"},
        {.url = "http://aws.test:8080/binary", .sign = KIM_HTTP_AWS_SIGV4, .sigv4_service = "s3", .sigv4_region = "eu-west-1",
         .access_key = "ASIAEXAMPLE", .secret_key = "sessionsecret", .session_token = "sessiontokensecret"},
    };
    for (size_t i = 0; i < 4; i++) {
        answer a = ask(s, requests[i]);
        assert_int_equal(a.result, 0);
        http_response_end(&a.response);
    }
    char *text = file_text(path);
    static const char *const secrets[] = {"verysecretkey", "verysecrettoken", "websecret", "metadatasecret", "querysecret",
                                          "bearersecret", "sessionsecret", "sessiontokensecret", SECRET_KEY};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        assert_null(strstr(text, secrets[i]));
    assert_non_null(strstr(text, "ASIAEXAMPLE</AccessKeyId>")); /* the key's id is no secret */
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    s->options.record_path = NULL;
    s->options.replay_path = path;
    s->dials = 0;
    open_service(s);
    answer a = ask(s, requests[0]);
    assert_int_equal(a.result, 0);
    assert_non_null(strstr((const char *)a.response.body, "<SecretAccessKey>REDACTED</SecretAccessKey>"));
    http_response_end(&a.response);
    a = ask(s, requests[3]);
    assert_int_equal(a.response.body_size, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal(a.response.body[i], i);
    http_response_end(&a.response);
    a = ask(s, requests[3]); /* given once */
    assert_refused(&a, KIM_ERR_INPUT, "no answer left for GET http://aws.test:8080/binary");
    assert_int_equal(s->dials, 0);
    unlink(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_reaches_the_dialled_connection_as_written),
        TEST(a_second_request_takes_the_same_connection),
        TEST(after_a_rest_it_connects_anew),
        TEST(a_request_without_a_body_is_no_form),
        TEST(trouble_is_retried_with_growing_waits_until_the_attempts_end),
        TEST(what_retrying_cannot_mend_is_an_answer_at_once),
        TEST(retry_after_is_obeyed_up_to_its_cap),
        TEST(a_throttling_code_of_aws_in_a_400_is_retried_only_where_aws_was_asked),
        TEST(where_the_deadline_leaves_no_time_the_last_answer_is_the_answer),
        TEST(a_body_cut_short_is_never_handed_over),
        TEST(an_answer_that_never_ends_is_cut_off_by_its_timeout),
        TEST(a_connection_that_cannot_be_had_is_tried_again_and_then_said),
        TEST(asked_to_stop_it_stops),
        TEST(a_body_past_its_limit_is_refused_however_it_comes),
        TEST(gzip_is_inflated_unless_the_provider_wants_it_as_it_is),
        TEST(a_redirect_is_followed_on_the_same_host_only_and_not_for_ever),
        TEST(hosts_that_nobody_named_are_refused_before_any_connection),
        TEST(a_header_with_a_line_break_is_refused),
        TEST(tls_is_verified_against_the_ca_and_the_name),
        TEST(a_proxy_is_reached_by_dial_and_asked_to_connect),
        TEST(a_signature_follows_the_servers_clock_once_it_refused_ours),
        TEST(requests_of_a_group_keep_to_its_rate_and_others_are_not_slowed),
        TEST(a_recording_holds_no_secret_and_answers_again),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
