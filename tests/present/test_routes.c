/* SPDX-License-Identifier: Apache-2.0
 *
 * test_routes.c - every route, asked as a handler is: without a socket.
 */
#include <stdio.h>

#include "controller/present/http/routes.h"
#include "tests/present/plain_backend.h"
#include "tests/support/cmocka.h"
#include "tests/support/fail_malloc.h"

#define ANN "arn:aws:iam::111122223333:user/ann"
#define BOB "arn:aws:iam::111122223333:user/bob"

static http_backend backend;
static pools *shared_pools;
static store *usage;
static size_t failing; /* which allocation of the next answer fails; 0: none. After it: whether one did */
static kim_arena *arena;

typedef struct told {
    unsigned status;
    const kim_json *json; /* of one document; NULL where it is none */
    char text[64 * 1024];
} told;

static int keep(void *context, const char *bytes, size_t size, kim_error *err)
{
    told *t = context;
    size_t used = strlen(t->text);
    if (used + size >= sizeof t->text)
        return kim_fail(err, KIM_ERR_LIMIT, "too long for this test");
    memcpy(t->text + used, bytes, size);
    t->text[used + size] = '\0';
    return 0;
}

/* params: "name=value&name=value", not encoded. */
static const told *ask_as(http_role role, const char *method, const char *path, const char *params, const void *body,
                          size_t body_size)
{
    static told t;
    kim_error err;
    kim_text allowed;
    kim_pair pairs[HTTP_PARAMS_MAX];
    request rq = {.method = method, .path = kim_text_of(path), .role = role, .params = pairs, .body = body,
                  .body_size = body_size, .backend = &backend, .store = usage, .pools = shared_pools, .arena = arena};
    kim_arena_reset(arena);
    for (const char *at = params; *at != '\0'; rq.param_count++) {
        size_t size = strcspn(at, "&"), name = strcspn(at, "=");
        pairs[rq.param_count] = (kim_pair){{at, name}, {at + name + 1, size - name - 1}};
        at += size + (at[size] == '&');
    }
    memset(&t, 0, sizeof t);
    reply *rp = reply_new(keep, &t, &err);
    const route *found = routes_find(method, rq.path, &rq.name, &allowed, arena);
    fail_malloc_start(failing);
    routes_answer(&rq, found, allowed, rp);
    failing = fail_malloc_stop();
    t.status = reply_status(rp);
    reply_free(rp);
    t.json = kim_json_parse(t.text, strlen(t.text), "answer", arena, &err);
    return &t;
}

static const told *ask(const char *path, const char *params)
{
    return ask_as(HTTP_VIEWER, "GET", path, params, NULL, 0);
}

static const told *post(const char *path, const char *params, const char *body)
{
    return ask_as(HTTP_ADMINISTRATOR, "POST", path, params, body, strlen(body));
}

static void assert_error(const told *t, unsigned status, const char *code, const char *message)
{
    const kim_json *error = kim_json_get(t->json, "error");
    if (t->status != status || !kim_text_is(kim_json_text_of(error, "code"), code))
        fail_msg("not %u %s: %u %s", status, code, t->status, t->text);
    assert_says(t->text, message);
}

static void assert_told(const told *t, const char *part)
{
    assert_int_equal(t->status, 200);
    assert_says(t->text, part);
}

/* A path in which {name} is a name. */
static const char *example_of(const route *r)
{
    static char path[128];
    const char *brace = strchr(r->path, '{');
    if (brace == NULL)
        return r->path;
    snprintf(path, sizeof path, "%.*sweb-17%s", (int)(brace - r->path), r->path, strchr(brace, '}') + 1);
    return path;
}

/* ---- the table ---- */

static void every_route_refuses_a_caller_below_its_role(void **state)
{
    (void)state;
    size_t count;
    const route *all = routes_all(&count);
    for (size_t i = 0; i < count; i++)
        for (http_role role = 0; role < all[i].role; role++) {
            const told *t = ask_as(role, all[i].method, example_of(&all[i]), "", "", 0);
            assert_error(t, 403, "denied", "is for the role");
        }
    assert_string_equal(plain_backend_last(), "");
}

static void every_route_refuses_another_method_and_names_its_own(void **state)
{
    (void)state;
    size_t count;
    const route *all = routes_all(&count);
    static const char *const others[] = {"PUT", "DELETE", "PATCH", "HEAD", "get", ""};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            assert_error(ask_as(HTTP_ADMINISTRATOR, others[k], example_of(&all[i]), "", "", 0), 405, "method", all[i].method);
    assert_string_equal(plain_backend_last(), "");
}

static void every_route_refuses_a_parameter_that_it_does_not_know(void **state)
{
    (void)state;
    size_t count;
    const route *all = routes_all(&count);
    for (size_t i = 0; i < count; i++)
        assert_error(ask_as(HTTP_ADMINISTRATOR, all[i].method, example_of(&all[i]), "frob=1", "", 0), 400, "input",
                     "has no parameter 'frob'");
    assert_string_equal(plain_backend_last(), "");
}

static void no_two_routes_answer_the_same_request(void **state)
{
    (void)state;
    size_t count;
    const route *all = routes_all(&count);
    kim_text name, allowed;
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(routes_find(all[i].method, kim_text_of(example_of(&all[i])), &name, &allowed, arena), &all[i]);
}

static void doc_api_md_lists_every_route_with_its_role(void **state)
{
    (void)state;
    static const char *const roles[] = {"", "viewer", "reviewer", "approver", "administrator"};
    static char page[128 * 1024];
    char path[1024];
    size_t count;
    const char *source = getenv("KIM_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/doc/api.md", source != NULL ? source : ".");
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    page[fread(page, 1, sizeof page - 1, in)] = '\0';
    fclose(in);
    const route *all = routes_all(&count);
    for (size_t i = 0; i < count; i++) {
        char row[256];
        snprintf(row, sizeof row, "| `%s %s` | %s |", all[i].method, all[i].path, roles[all[i].role]);
        if (strstr(page, row) == NULL)
            fail_msg("doc/api.md has no row %s", row);
    }
}

static void paths_fit_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char *const wrong[] = {"/", "", "/v1", "/v1/", "/v1/statu", "/v1/status/", "/v1/status/x", "//v1/status",
                                        "/v1/agents//approve", "/v1/agents/a/b/approve", "/v1/agents/approve", "/v2/status"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_error(ask(wrong[i], ""), 404, "not_found", "there is no route");
}

static void a_parameter_is_given_as_often_as_is_meant(void **state)
{
    (void)state;
    assert_error(ask("/v1/can", "identity=a&action=b"), 400, "input", "needs the parameter 'resource'");
    assert_error(ask("/v1/can", "identity=a&identity=b&action=c&resource=d"), 400, "input", "takes the parameter 'identity' once");
    assert_error(ask("/v1/identities", "limit=0"), 400, "input", "whole number from 1 to 10000");
    assert_error(ask("/v1/identities", "limit=99999999999999999999"), 400, "input", "whole number");
    assert_error(ask("/v1/identities", "limit=-1"), 400, "input", "whole number");
    assert_error(ask("/v1/identities", "limit="), 400, "input", "whole number");
    assert_error(ask("/v1/identities", "kind=person"), 400, "input", "known are human, service");
    assert_error(ask("/v1/can", "identity=a&action=b&resource=c&mode=lax"), 400, "input", "it is discover or strict");
    assert_error(ask("/v1/can", "identity=a&action=b&resource=c&context=k"), 400, "input", "has no '='");
    assert_error(ask("/v1/can", "identity=a&action=b&resource=c&mode=strict&known_absent=k"), 400, "input", "mode discover");
}

/* ---- what the routes tell ---- */

static void status_counts_what_there_is(void **state)
{
    (void)state;
    const told *t = ask("/v1/status", "");
    assert_told(t, "\"agents\":{\"invited\":0,\"pending\":0,\"active\":1,\"revoked\":1,\"connected\":1}");
    assert_told(t, "\"identity\":3");
    assert_told(t, "\"usage\":7");
    assert_told(t, "\"human\":2");
    assert_told(t, "\"coverage\":{\"read\":3,\"partial\":0,\"unreadable\":1,\"stale\":0,\"lacking\":[{\"scope\":\"aws:111122223333\","
                   "\"part\":\"kms:key-policy\",\"status\":\"unreadable\",\"why\":\"access denied\"}]}");
}

static void identities_come_in_order_and_page_by_page(void **state)
{
    (void)state;
    const told *t = ask("/v1/identities", "limit=2");
    const kim_json *list = kim_json_get(t->json, "identities");
    assert_int_equal(list->count, 2);
    assert_true(kim_text_is(kim_json_text_of(&list->items[0], "id"), "arn:aws:iam::111122223333:group/dev"));
    assert_true(kim_text_is(kim_json_text_of(t->json, "next"), ANN));
    t = ask("/v1/identities", "limit=2&page=" ANN);
    list = kim_json_get(t->json, "identities");
    assert_int_equal(list->count, 1);
    assert_true(kim_text_is(kim_json_text_of(&list->items[0], "id"), BOB));
    assert_null(kim_json_get(t->json, "next"));
    assert_int_equal(kim_json_get(ask("/v1/identities", "page=zzz")->json, "identities")->count, 0);
}

static void identities_are_filtered(void **state)
{
    (void)state;
    assert_int_equal(kim_json_get(ask("/v1/identities", "filter=USER/A")->json, "identities")->count, 1);
    assert_int_equal(kim_json_get(ask("/v1/identities", "kind=group")->json, "identities")->count, 1);
    assert_int_equal(kim_json_get(ask("/v1/identities", "kind=group&kind=human")->json, "identities")->count, 3);
    assert_int_equal(kim_json_get(ask("/v1/identities", "scope=aws:111122223333")->json, "identities")->count, 3);
    assert_int_equal(kim_json_get(ask("/v1/identities", "scope=aws:999988887777")->json, "identities")->count, 0);
}

static void an_identity_is_shown_with_all_that_belongs_to_it(void **state)
{
    (void)state;
    const told *t = ask("/v1/identities/show", "id=" ANN);
    assert_told(t, "\"groups\":[{\"id\":\"arn:aws:iam::111122223333:group/dev\",\"via\":\"group\",\"eligible\":false}]");
    assert_told(t, "AKIA1");
    const kim_json *policies = kim_json_get(t->json, "policies");
    assert_int_equal(policies->count, 1);
    assert_true(kim_text_is(kim_json_text_of(&policies->items[0], "through"), "arn:aws:iam::111122223333:group/dev"));
    assert_int_equal(kim_json_get(&policies->items[0], "statements")->count, 1);
    assert_told(ask("/v1/identities/show", "id=ann"), ANN); /* by its name */
    assert_told(ask("/v1/identities/show", "id=dev"), "\"members\":[{\"id\":\"" ANN "\"");
    assert_error(ask("/v1/identities/show", "id=nobody"), 404, "not_found", "no identity has the id or the name 'nobody'");
}

static void can_answers_with_its_reasons(void **state)
{
    (void)state;
    const told *t = ask("/v1/can", "identity=" ANN "&action=s3:GetObject&resource=arn:aws:s3:::b/k");
    assert_told(t, "\"decision\":\"allowed\"");
    assert_told(t, "\"because\":[{\"layer\":\"identity\",\"policy\":\"dev-read\",\"statement\":\"Read\"}]");
    assert_told(ask("/v1/can", "identity=ann&action=s3:GetObject&resource=arn:aws:s3:::b/k"), "{\"identity\":\"" ANN "\"");
    assert_told(ask("/v1/can", "identity=" ANN "&action=s3:PutObject&resource=arn:aws:s3:::b/k"), "\"decision\":\"denied\"");
}

static void the_context_decides_what_depends_on_it(void **state)
{
    (void)state;
    const char *asked = "identity=" BOB "&action=s3:GetObject&resource=arn:aws:s3:::b/k";
    char with[256];
    assert_told(ask("/v1/can", asked), "\"decision\":\"conditional\"");
    snprintf(with, sizeof with, "%s&mode=strict", asked);
    assert_told(ask("/v1/can", with), "\"decision\":\"denied\"");
    snprintf(with, sizeof with, "%s&known_absent=aws:SourceIp", asked);
    assert_told(ask("/v1/can", with), "\"decision\":\"denied\"");
    snprintf(with, sizeof with, "%s&context=aws:SourceIp=192.0.2.7", asked);
    assert_told(ask("/v1/can", with), "\"decision\":\"allowed\"");
    snprintf(with, sizeof with, "%s&context=aws:sourceip=198.51.100.1", asked);
    assert_told(ask("/v1/can", with), "\"decision\":\"denied\"");
}

static void who_can_names_all_who_are_not_denied(void **state)
{
    (void)state;
    const told *t = ask("/v1/who-can", "action=s3:GetObject&resource=arn:aws:s3:::b/k");
    assert_told(t, "{\"resource\":\"arn:aws:s3:::b/k\",\"action\":\"s3:GetObject\",\"answers\":[");
    const kim_json *answers = kim_json_get(t->json, "answers");
    assert_true(answers->count >= 2);
    for (size_t i = 0; i < answers->count; i++)
        assert_false(kim_text_is(kim_json_text_of(&answers->items[i], "decision"), "denied"));
    assert_int_equal(kim_json_get(ask("/v1/who-can", "action=s3:PutObject&resource=arn:aws:s3:::b/k")->json, "answers")->count, 0);
}

static void agents_are_listed_with_their_streams(void **state)
{
    (void)state;
    const told *t = ask("/v1/agents", "");
    assert_told(t, "\"streams\":[{\"name\":\"aws-main\",\"provider\":\"aws\",\"generation\":7,\"records\":12}]");
    assert_int_equal(kim_json_get(t->json, "agents")->count, 2);
}

static void an_agent_is_added_with_a_token(void **state)
{
    (void)state;
    const told *t = post("/v1/agents", "", "{\"name\":\"new\",\"scopes\":[\"aws:1\"]}");
    assert_int_equal(t->status, 201);
    assert_says(t->text, "\"token\":\"once-only\"");
    assert_string_equal(plain_backend_last(), "add new aws:1");
    assert_error(post("/v1/agents", "", "{\"name\":\"web-17\",\"scopes\":[\"aws:1\"]}"), 409, "conflict", "enrolled already");
    assert_error(post("/v1/agents", "", "{\"name\":\"new\"}"), 400, "input", "at least one scope");
    assert_error(post("/v1/agents", "", "{\"name\":\"new\",\"scope\":[]}"), 400, "input", "unknown key 'scope'");
    assert_error(post("/v1/agents", "", "{\"name\":"), 400, "input", "body:1");
    assert_error(post("/v1/agents", "", ""), 400, "input", "body");
}

static void an_agent_is_approved_and_revoked_by_its_name(void **state)
{
    (void)state;
    assert_told(post("/v1/agents/web-17/approve", "", ""), "{\"name\":\"web-17\",\"state\":\"active\"}");
    assert_string_equal(plain_backend_last(), "approve web-17");
    assert_told(post("/v1/agents/web-17/revoke", "", ""), "{\"name\":\"web-17\",\"state\":\"revoked\"}");
    assert_error(post("/v1/agents/nobody/approve", "", ""), 404, "not_found", "there is no agent 'nobody'");
}

static void requests_over_the_estate_are_answered_line_by_line(void **state)
{
    (void)state;
    const told *t = post("/v1/evaluate-requests", "",
                         "{\"id\":\"1\",\"request\":{\"principal\":\"" ANN "\",\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/k\"}}\n"
                         "\n"
                         "{\"id\":2,\"oops\":1}\n"
                         "not json\n"
                         "{\"id\":\"3\",\"mode\":\"discover\",\"request\":{\"principal\":\"" BOB "\",\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/k\"}}\n"
                         "{\"id\":\"4\",\"request\":{\"principal\":\"" BOB "\",\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/k\"}}");
    assert_int_equal(t->status, 200);
    static const char *const expected[] = {"{\"id\":\"1\",\"decision\":\"allowed\"", "{\"id\":2,\"error\":\"unknown key 'oops'", "{\"id\":null,\"error\":",
                                           "{\"id\":\"3\",\"decision\":\"conditional\"", "{\"id\":\"4\",\"decision\":\"denied\""};
    const char *at = t->text;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (strncmp(at, expected[i], strlen(expected[i])) != 0)
            fail_msg("line %zu is not %s: %s", i, expected[i], at);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, '\0');
}

static void a_line_of_zero_bytes_is_a_request_that_cannot_be_read(void **state)
{
    (void)state;
    static const char body[] = "\0\0\n \t\r\n\0";
    const told *t = ask_as(HTTP_VIEWER, "POST", "/v1/evaluate-requests", "", body, sizeof body - 1);
    assert_int_equal(t->status, 200);
    size_t lines = 0;
    for (const char *at = t->text; (at = strstr(at, "{\"id\":null,\"error\":")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 2);
}

static void cases_that_are_no_msgpack_are_refused_with_their_place(void **state)
{
    (void)state;
    static const uint8_t good_then_bad[] = {0x93, 0xc4, 2, '{', '}', 0xa1, 'x', 0xc4, 0, 0x93, 0xc4, 9};
    assert_error(ask_as(HTTP_VIEWER, "POST", "/v1/evaluate", "", good_then_bad, sizeof good_then_bad), 400, "input",
                 "case 1 of the body, at byte 9,");
    assert_error(post("/v1/evaluate", "", "x"), 400, "input", "case 0 of the body");
    const told *t = ask_as(HTTP_VIEWER, "POST", "/v1/evaluate", "", good_then_bad, 9);
    assert_int_equal(t->status, 200);
    assert_string_equal(t->text, "{\"id\":null,\"error\":\"x\"}\n");
    assert_string_equal(post("/v1/evaluate", "", "")->text, "");
}

static void a_private_controller_takes_records_and_another_does_not(void **state)
{
    (void)state;
    http_backend was = backend;
    assert_told(post("/v1/records", "", "abc"), "{\"records\":1}");
    assert_string_equal(plain_backend_last(), "import 3");
    assert_told(post("/v1/publish", "", ""), "\"version\":");
    backend.import = NULL;
    assert_error(post("/v1/records", "", "abc"), 501, "unsupported", "from its agents only");
    assert_error(post("/v1/publish", "", ""), 501, "unsupported", "from its agents only");
    backend = was;
}

static estate *no_estate(void *context)
{
    (void)context;
    return NULL;
}

static void without_an_estate_every_question_says_so(void **state)
{
    (void)state;
    http_backend was = backend;
    backend.estate = no_estate;
    assert_error(ask("/v1/can", "identity=a&action=b&resource=c"), 409, "conflict", "no estate yet");
    assert_error(ask("/v1/identities", ""), 409, "conflict", "no estate yet");
    assert_error(ask("/v1/identities/show", "id=a"), 409, "conflict", "no estate yet");
    assert_told(ask("/v1/status", ""), "\"identity\":0");
    backend = was;
}

/* ---- usage ---- */

static const char *identity_at(const told *t, const char *list, size_t i)
{
    const kim_json *items = kim_json_get(t->json, list);
    if (!kim_json_is(items, KIM_JSON_ARRAY) || i >= items->count)
        return "none";
    return kim_text_copy(arena, kim_json_text_of(&items->items[i], "identity")).bytes;
}

static void gaps_are_counted_and_the_largest_comes_first(void **state)
{
    (void)state;
    const told *t = ask("/v1/gaps", "");
    assert_string_equal(identity_at(t, "gaps", 0), BOB);
    assert_string_equal(identity_at(t, "gaps", 1), "none"); /* ann used what she may do */
    const kim_json *bob = &kim_json_get(t->json, "gaps")->items[0];
    assert_int_equal(kim_json_int(kim_json_get(bob, "used"), 0), 1);
    assert_int_equal(kim_json_int(kim_json_get(bob, "granted"), 0) - kim_json_int(kim_json_get(bob, "unused"), 0), 1);
    assert_string_equal(identity_at(ask("/v1/gaps", "identity=bob"), "gaps", 0), BOB);
    assert_string_equal(identity_at(ask("/v1/gaps", "identity=" ANN), "gaps", 0), "none");
    assert_string_equal(identity_at(ask("/v1/gaps", "scope=aws:444455556666"), "gaps", 0), "none");
}

static void a_kind_is_one_that_there_is(void **state)
{
    (void)state;
    static const char *const findings[] = {"administrator", "can_become_administrator", "wildcard_grant", "unused_identity",
                                           "unused_credential", "password_without_second_factor"};
    char params[64];
    for (int32_t kind = KIM_HUMAN; kind <= KIM_PUBLIC; kind++) {
        snprintf(params, sizeof params, "kind=%s", kim_enum_name("identity", "kind", kind));
        assert_told(ask("/v1/identities", params), "\"identities\":");
        if (kind != KIM_GROUP) /* which does nothing itself, and so has no gap */
            assert_told(ask("/v1/gaps", params), "\"gaps\":");
    }
    for (size_t i = 0; i < sizeof findings / sizeof *findings; i++) {
        snprintf(params, sizeof params, "kind=%s", findings[i]);
        assert_told(ask("/v1/findings", params), "\"findings\":");
    }
    assert_error(ask("/v1/identities", "kind=human&kind=hum"), 400, "input", "'kind' is 'hum'; known are human, service");
    assert_error(ask("/v1/gaps", "kind=group"), 400, "input", "'kind' is 'group'; known are human, service");
    assert_error(ask("/v1/gaps", "kind="), 400, "input", "'kind' is ''; known are human, service");
    assert_error(ask("/v1/gaps", "kind=human, service"), 400, "input", "'kind' is 'human, service'");
    assert_error(ask("/v1/findings", "kind=human"), 400, "input", "'kind' is 'human'; known are administrator,");
}

static void findings_are_selected(void **state)
{
    (void)state;
    assert_string_equal(identity_at(ask("/v1/findings", "kind=wildcard_grant"), "findings", 0), BOB);
    assert_string_equal(identity_at(ask("/v1/findings", "identity=bob&kind=wildcard_grant"), "findings", 0), BOB);
    assert_string_equal(identity_at(ask("/v1/findings", "identity=bob&kind=unused_identity"), "findings", 0), "none");
    assert_string_equal(identity_at(ask("/v1/findings", "identity=ann&kind=wildcard_grant"), "findings", 0), "none");
}

static void a_proposal_is_for_whom_it_was_asked(void **state)
{
    (void)state;
    assert_string_equal(identity_at(ask("/v1/proposals", ""), "proposals", 0), BOB);
    const told *t = ask("/v1/proposals", "identity=bob");
    assert_string_equal(identity_at(t, "proposals", 0), BOB);
    assert_told(t, "\"Action\":[\"sqs:ListQueues\"]");
    assert_string_equal(identity_at(ask("/v1/proposals", "identity=bob&scope=aws:111122223333"), "proposals", 0), BOB);
    t = ask("/v1/proposals", "identity=bob&scope=aws:444455556666");
    assert_string_equal(identity_at(t, "proposals", 0), "none");
    assert_told(t, "\"proposals\":[],\"mean_reduction\":0");
    assert_error(ask("/v1/proposals", "identity=nobody"), 404, "not_found", "no identity 'nobody'");
}

static void usage_is_shown_as_far_back_as_the_log_goes(void **state)
{
    (void)state;
    const told *t = ask("/v1/identities/show", "id=bob");
    assert_told(t, "\"actions\":[{\"action\":\"sqs:ListQueues\",\"count\":7");
    const kim_json *of = kim_json_get(t->json, "usage");
    assert_int_equal(kim_json_int(kim_json_get(of, "from_day"), 0), PLAIN_LOG_END_UNIX_MS / PLAIN_DAY_MS - 400);
}

/* What happens without memory: an error that says so, and never a part that looks like the whole. */
static void assert_survives(const char *path, const char *params)
{
    static char whole[sizeof(told)];
    snprintf(whole, sizeof whole, "%s", ask(path, params)->text);
    for (size_t n = 1; n == 1 || failing != 0; n++) {
        failing = n;
        const told *t = ask(path, params);
        if (strcmp(t->text, whole) != 0)
            assert_says(t->text, "{\"code\":\"nomem\",\"message\":\"");
    }
}

static void without_memory_a_question_about_usage_is_refused_whole(void **state)
{
    (void)state;
    assert_survives("/v1/gaps", "");
    assert_survives("/v1/findings", "");
}

static void add_usage(const char *identity, const char *action, const char *resource, int64_t count)
{
    kim_error err;
    const store_mark mark = {.agent = KIM_TEXT("web-17"), .stream = KIM_TEXT("aws/usage")};
    int64_t at_unix_ms = PLAIN_LOG_END_UNIX_MS - 10 * PLAIN_DAY_MS;
    const kim_record record = {
        .type = KIM_USAGE, .scope = KIM_TEXT("aws:111122223333"),
        .usage = {.identity = kim_text_of(identity), .action = kim_text_of(action), .resource = kim_text_of(resource), .outcome = KIM_SUCCESS,
                  .day = at_unix_ms / PLAIN_DAY_MS, .count = count, .first_unix_ms = at_unix_ms, .last_unix_ms = at_unix_ms}};
    if (store_add_usage(usage, &mark, &record, 1, &err) < 0)
        fail_msg("%s", err.message);
}

static int begin(void **state)
{
    (void)state;
    kim_error err;
    backend = plain_backend(0);
    shared_pools = pools_new(NULL, &err);
    arena = kim_arena_new(1 << 24);
    usage = store_open(":memory:", 0, &err);
    if (shared_pools == NULL || arena == NULL || usage == NULL)
        return -1;
    add_usage(ANN, "s3:GetObject", "arn:aws:s3:::b/k", 3);
    add_usage(BOB, "sqs:ListQueues", NULL, 7);
    return 0;
}

static int end(void **state)
{
    (void)state;
    kim_arena_free(arena);
    store_close(usage);
    pools_free(shared_pools);
    plain_backend_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_refuses_a_caller_below_its_role),
        cmocka_unit_test(every_route_refuses_another_method_and_names_its_own),
        cmocka_unit_test(every_route_refuses_a_parameter_that_it_does_not_know),
        cmocka_unit_test(no_two_routes_answer_the_same_request),
        cmocka_unit_test(doc_api_md_lists_every_route_with_its_role),
        cmocka_unit_test(paths_fit_whole_or_not_at_all),
        cmocka_unit_test(a_parameter_is_given_as_often_as_is_meant),
        cmocka_unit_test(status_counts_what_there_is),
        cmocka_unit_test(identities_come_in_order_and_page_by_page),
        cmocka_unit_test(identities_are_filtered),
        cmocka_unit_test(an_identity_is_shown_with_all_that_belongs_to_it),
        cmocka_unit_test(can_answers_with_its_reasons),
        cmocka_unit_test(the_context_decides_what_depends_on_it),
        cmocka_unit_test(who_can_names_all_who_are_not_denied),
        cmocka_unit_test(agents_are_listed_with_their_streams),
        cmocka_unit_test(an_agent_is_added_with_a_token),
        cmocka_unit_test(an_agent_is_approved_and_revoked_by_its_name),
        cmocka_unit_test(requests_over_the_estate_are_answered_line_by_line),
        cmocka_unit_test(a_line_of_zero_bytes_is_a_request_that_cannot_be_read),
        cmocka_unit_test(cases_that_are_no_msgpack_are_refused_with_their_place),
        cmocka_unit_test(a_private_controller_takes_records_and_another_does_not),
        cmocka_unit_test(without_an_estate_every_question_says_so),
        cmocka_unit_test(gaps_are_counted_and_the_largest_comes_first),
        cmocka_unit_test(a_kind_is_one_that_there_is),
        cmocka_unit_test(findings_are_selected),
        cmocka_unit_test(a_proposal_is_for_whom_it_was_asked),
        cmocka_unit_test(usage_is_shown_as_far_back_as_the_log_goes),
        cmocka_unit_test(without_memory_a_question_about_usage_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
