/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gcp.c - what holds of Google Cloud's engine whatever the documents say: names, who-can and can, what could not
 * be read, limits, and memory that runs out. What single documents mean stands in tests/conformance/gcp.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/gcp_member.h"
#include "controller/evaluate/gcp_permission.h"
#include "tests/evaluate/tiny_host.h"
#include "tests/support/fail_malloc.h"

#define MANAGER "//cloudresourcemanager.googleapis.com/"
#define BUCKET "//storage.googleapis.com/projects/_/buckets/b"

static tiny_host *host;
static case_reader *reader;

static int open_host(void **state)
{
    kim_error err = {0};
    (void)state;
    host = tiny_host_open("gcp");
    reader = case_reader_new(NULL, &err);
    return reader ? 0 : -1;
}

static int close_host(void **state)
{
    (void)state;
    case_reader_free(reader);
    tiny_host_close(host);
    return 0;
}

/* ---- names ---- */

static void a_principal_has_one_id_in_every_spelling(void **state)
{
    static const struct { const char *text, *id; gcp_member_kind kind; } rows[] = {
        {"user:Ann@Example.com", "user:ann@example.com", GCP_USER},
        {"principal://goog/subject/Ann@Example.com", "user:ann@example.com", GCP_USER},
        {"principalSet://goog/group/G@x.y", "group:g@x.y", GCP_GROUP_OF},
        {"principal://iam.googleapis.com/projects/-/serviceAccounts/a@p.iam.gserviceaccount.com", "serviceAccount:a@p.iam.gserviceaccount.com", GCP_SERVICE_ACCOUNT},
        {"principalSet://goog/public:all", "allUsers", GCP_EVERYONE},
        {"principalSet://goog/cloudIdentityCustomerId/C1", "principalSet://goog/cloudIdentityCustomerId/C1", GCP_CUSTOMER},
        {"serviceAccount:p.svc.id.goog[n/a]", "principal://gke/p.svc.id.goog/subject/ns/n/sa/a", GCP_FEDERATED},
        {"principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/p.svc.id.goog/subject/ns/n/sa/a",
         "principal://gke/p.svc.id.goog/subject/ns/n/sa/a", GCP_FEDERATED},
        {"principalSet://iam.googleapis.com/locations/global/workforcePools/w/*", "principalSet://iam.googleapis.com/locations/global/workforcePools/w/*", GCP_POOL},
        {"principalSet://iam.googleapis.com/locations/global/workforcePools/w/group/g", "principalSet://iam.googleapis.com/locations/global/workforcePools/w/group/g", GCP_POOL_PART},
        {"deleted:user:a@x.y?uid=1", "deleted:user:a@x.y?uid=1", GCP_DELETED},
        {"", "", GCP_OTHER}, {"user:", "user:", GCP_USER}, {"serviceAccount:[", "serviceAccount:[", GCP_SERVICE_ACCOUNT}, {"principal://", "principal://", GCP_OTHER},
        {"principalSet://iam.googleapis.com/locations/global/workforcePools/", "principalSet://iam.googleapis.com/locations/global/workforcePools/", GCP_OTHER},
    };
    (void)state;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gcp_member m = gcp_member_read(kim_text_of(rows[i].text), arena);
        if (m.kind != rows[i].kind || !kim_text_is(m.id, rows[i].id))
            fail_msg("%s: %.*s of kind %d", rows[i].text, KIM_PRINT(m.id), m.kind);
        gcp_member again = gcp_member_read(m.id, arena); /* an id says all that its node does */
        if (m.kind != GCP_OTHER && (again.kind != m.kind || !kim_text_equal(again.id, m.id) || !kim_text_equal(again.pool, m.pool) || !kim_text_equal(again.subject, m.subject)))
            fail_msg("%.*s is read as %.*s", KIM_PRINT(m.id), KIM_PRINT(again.id));
    }
    kim_arena_free(arena);
}

static void a_pattern_covers_a_permission_in_both_spellings(void **state)
{
    static const struct { const char *pattern, *permission; bool covers; } rows[] = {
        {"storage.googleapis.com/objects.get", "storage.objects.get", true}, {"storage.objects.get", "storage.googleapis.com/objects.get", true},
        {"storage.googleapis.com/objects.*", "storage.objects.get", true}, {"storage.googleapis.com/*.get", "storage.objects.get", true},
        {"storage.googleapis.com/*.*", "storage.objects.get", true}, {"storage.googleapis.com/*.list", "storage.objects.get", false},
        {"storage.*", "storage.googleapis.com/objects.get", true}, {"storage.*", "storagetransfer.jobs.get", false},
        {"cloudresourcemanager.googleapis.com/projects.*", "resourcemanager.projects.get", true}, {"cloudresourcemanager.googleapis.com/*.*", "resourcemanager.folders.get", true},
        {"bigquery.googleapis.com/*.*", "bigquery.connections.use", false}, {"bigqueryconnection.googleapis.com/*.*", "bigquery.connections.use", true},
        {"bigquery.googleapis.com/*.*", "bigquery.tables.getData", true}, {"storage.googleapis.com/objects.get", "storage.objects.getIamPolicy", false},
        {"", "storage.objects.get", false}, {"/", "storage.objects.get", false}, {".", ".", true}, {"storage.objects.get", "", false},
    };
    (void)state;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gcp_pattern p = gcp_pattern_read(kim_text_of(rows[i].pattern));
        if (gcp_pattern_covers(&p, gcp_permission_name(kim_text_of(rows[i].permission), arena)) != rows[i].covers)
            fail_msg("%s %s %s", rows[i].pattern, rows[i].covers ? "does not cover" : "covers", rows[i].permission);
    }
    kim_arena_free(arena);
}

static void an_account_tells_its_project(void **state)
{
    static const struct { const char *address, *project; } rows[] = {
        {"a@p.iam.gserviceaccount.com", "p"}, {"p@appspot.gserviceaccount.com", "p"}, {"77-compute@developer.gserviceaccount.com", "77"},
        {"service-77@gcp-sa-x.iam.gserviceaccount.com", ""}, {"77@cloudservices.gserviceaccount.com", ""}, {"a@example.com", ""}, {"", ""}, {"@", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(kim_text_equal(gcp_account_project(kim_text_of(rows[i].address)), kim_text_of(rows[i].project)));
}

/* ---- estates ---- */

static estate *estate_of(const char *file, size_t fail_at, kim_error *err)
{
    size_t size = 0;
    const uint8_t *records = tiny_host_normalise(host, "file", "estate.json", file, strlen(file), &size, err);
    if (records == NULL)
        fail_msg("%s", err->message);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    if (fail_at)
        fail_malloc_start(fail_at);
    estate_builder *builder = estate_builder_new(NULL, err);
    bool good = builder != NULL;
    while (good && size > 0) {
        kim_record record;
        size_t used = 0;
        good = kim_record_decode(records, size, arena, &record, &used, err) == 0 && estate_builder_add(builder, &record, err) == 0;
        records += used;
        size -= used;
    }
    estate *es = NULL;
    if (good)
        es = estate_build(builder, err);
    else
        estate_builder_free(builder);
    kim_arena_free(arena);
    return es;
}

static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

#define POOL "iam.googleapis.com/locations/global/workforcePools/w/"
static const char *const people[] = {"user:a@x.y", "user:b@x.y", "serviceAccount:s@p.iam.gserviceaccount.com", "principal://" POOL "subject/u"};
static const char *const members[] = {"user:a@x.y", "user:b@x.y", "serviceAccount:s@p.iam.gserviceaccount.com", "principal://" POOL "subject/u", "group:g@x.y", "group:h@x.y", "domain:x.y",
                                      "allUsers", "allAuthenticatedUsers", "principalSet://" POOL "*", "projectOwner:p", "group:lost@x.y"};
static const char *const roles[] = {"roles/one", "roles/two", "roles/owner", "roles/lost"};
static const char *const permissions[] = {"s.a.get", "s.a.set", "t.b.get"};
static const char *const resources[] = {MANAGER "organizations/1", MANAGER "projects/p", BUCKET};
enum { PEOPLE = 4, MEMBERS = 12, ROLES = 4, PERMISSIONS = 3, RESOURCES = 3 };

static void put_policy(char *out, size_t room)
{
    size_t at = (size_t)snprintf(out, room, "\"policy\":{\"bindings\":[");
    for (unsigned i = 0, count = pick(4); i < count; i++)
        at += (size_t)snprintf(out + at, room - at, "%s{\"role\":\"%s\",\"members\":[\"%s\",\"%s\"]%s}", i ? "," : "", roles[pick(ROLES)], members[pick(MEMBERS)], members[pick(MEMBERS)],
                               pick(4) ? "" : ",\"condition\":{\"expression\":\"resource.type == 'x/Y'\"}");
    snprintf(out + at, room - at, "]}");
}

static void put_deny(char *out, size_t room)
{
    *out = '\0';
    if (pick(2))
        snprintf(out, room, ",\"deny\":[{\"name\":\"d%u\",\"rules\":[{\"denyRule\":{\"deniedPrincipals\":[\"%s\"],\"exceptionPrincipals\":[\"%s\"],\"deniedPermissions\":[\"s.googleapis.com/a.*\"]}}]}]",
                 pick(1000), members[pick(MEMBERS)], members[pick(MEMBERS)]);
}

static void make_estate(char *out, size_t room)
{
    char policies[RESOURCES][1024], denies[RESOURCES][512];
    for (unsigned i = 0; i < RESOURCES; i++) {
        put_policy(policies[i], sizeof policies[i]);
        put_deny(denies[i], i < 2 ? sizeof denies[i] : 1);
    }
    snprintf(out, room, "{\"resources\":{\"%s\":{%s%s},\"%s\":{\"parent\":\"%s\",%s%s},\"%s\":{\"parent\":\"%s\",%s}},"
             "\"roles\":{\"roles/one\":[\"s.a.get\"],\"roles/two\":[\"s.a.set\",\"t.b.get\"],\"roles/owner\":[\"t.b.get\"]},"
             "\"groups\":{\"group:g@x.y\":[\"user:a@x.y\",\"group:h@x.y\"],\"group:h@x.y\":[\"group:g@x.y\",\"serviceAccount:s@p.iam.gserviceaccount.com\"]%s},"
             "\"principal_access_boundaries\":[{\"principals\":[\"%s\",\"user:a@x.y\",\"user:b@x.y\"],\"policy\":{\"name\":\"b\",\"details\":{\"rules\":[{\"effect\":\"ALLOW\",\"resources\":[\"%s\"]}]}},\"blocked_permissions\":[\"t.*\"]}]}",
             resources[0], policies[0], denies[0], resources[1], resources[0], policies[1], denies[1], resources[2], resources[1], policies[2],
             pick(2) ? ",\"group:lost@x.y\":[\"principal://" POOL "subject/u\"]" : "", members[pick(5)], resources[pick(3)]);
}

typedef struct heard {
    char text[16384];
    verdict verdicts[64];
    char who[64][128];
    size_t count;
} heard;

static int hear_who(void *context, kim_text identity, const answer *a)
{
    heard *h = context;
    assert_true(h->count < 64 && identity.size < 128);
    h->verdicts[h->count] = a->verdict;
    snprintf(h->who[h->count++], 128, "%.*s", KIM_PRINT(identity));
    return 0;
}

static size_t find_who(const heard *h, const char *who)
{
    size_t i = 0;
    while (i < h->count && strcmp(h->who[i], who) != 0)
        i++;
    return i;
}

static void who_can_names_whom_can_allows_and_nobody_else(void **state)
{
    size_t met[4] = {0};
    (void)state;
    for (uint64_t round = 0; round < 120; round++) {
        char file[8192];
        kim_error err = {0};
        seed = round;
        make_estate(file, sizeof file);
        estate *es = estate_of(file, 0, &err);
        evaluator *ev = evaluator_new(es, &err);
        for (size_t r = 0; r < RESOURCES; r++)
            for (size_t p = 0; p < PERMISSIONS; p++) {
                heard h = {.count = 0};
                question q = {.provider = KIM_TEXT("gcp"), .action = kim_text_of(permissions[p]), .resource = kim_text_of(resources[r]), .discover = true};
                assert_int_equal(evaluate_who_can(ev, &q, hear_who, &h, &err), 0);
                for (size_t i = 0; i < PEOPLE; i++) {
                    answer one;
                    q.identity = kim_text_of(people[i]);
                    assert_int_equal(evaluate_can(ev, &q, &one, &err), 0);
                    size_t at = find_who(&h, people[i]);
                    met[one.verdict]++;
                    if (at == h.count && one.verdict != DENIED && strstr(file, people[i]))
                        fail_msg("round %d: %s may %s on %s and is not named\n%s", (int)round, people[i], permissions[p], resources[r], file);
                    if (at < h.count && one.verdict != h.verdicts[at])
                        fail_msg("round %d: %s is named as %s, and is %s", (int)round, people[i], verdict_name(h.verdicts[at]), verdict_name(one.verdict));
                }
                for (size_t i = 0; i < h.count; i++) {
                    answer one;
                    q.identity = kim_text_of(h.who[i]);
                    assert_int_equal(evaluate_can(ev, &q, &one, &err), 0);
                    assert_int_equal(one.verdict, h.verdicts[i]);
                }
            }
        evaluator_free(ev);
        estate_release(es);
    }
    for (size_t v = 0; v < 4; v++)
        assert_true(met[v] > 50);
}

typedef struct list {
    evaluator *ev;
    question q;
    const char *resource;
    bool has[PERMISSIONS], open;
    size_t count;
} list;

static int hear_what(void *context, const grant *g, const answer *a)
{
    list *l = context;
    l->count++;
    if (kim_text_is(g->action, "*")) {
        assert_int_equal(a->verdict, UNKNOWN);
        l->open = true;
    }
    for (size_t p = 0; p < PERMISSIONS; p++)
        if (kim_text_is(g->action, permissions[p]) && kim_text_is(g->resource, l->resource))
            l->has[p] = true;
    return 0;
}

static void what_can_lists_what_can_allows(void **state)
{
    size_t listed = 0;
    (void)state;
    for (uint64_t round = 0; round < 120; round++) {
        char file[8192];
        kim_error err = {0};
        seed = round + 5000;
        make_estate(file, sizeof file);
        estate *es = estate_of(file, 0, &err);
        evaluator *ev = evaluator_new(es, &err), *second = evaluator_new(es, &err);
        for (size_t r = 0; r < RESOURCES; r++)
            for (size_t i = 0; i < PEOPLE; i++) {
                question q = {.provider = KIM_TEXT("gcp"), .identity = kim_text_of(people[i]), .resource = kim_text_of(resources[r]), .discover = true};
                list l = {.resource = resources[r]};
                assert_int_equal(evaluate_what_can(ev, &q, hear_what, &l, &err), 0);
                for (size_t p = 0; p < PERMISSIONS; p++) {
                    answer one;
                    q.action = kim_text_of(permissions[p]);
                    assert_int_equal(evaluate_can(second, &q, &one, &err), 0);
                    if (l.has[p] == (one.verdict == DENIED) && !(one.verdict == UNKNOWN && l.open))
                        fail_msg("round %d: %s, %s on %s is %s\n%s", (int)round, people[i], permissions[p], resources[r], verdict_name(one.verdict), file);
                }
                listed += l.count;
            }
        evaluator_free(ev);
        evaluator_free(second);
        estate_release(es);
    }
    assert_true(listed > 500);
}

static void what_can_of_everything_names_each_place(void **state)
{
    kim_error err = {0};
    list l = {.resource = BUCKET};
    (void)state;
    estate *es = estate_of("{\"resources\":{\"" MANAGER "projects/p\":{\"policy\":{\"bindings\":[]}},\"" BUCKET "\":{\"parent\":\"" MANAGER "projects/p\",\"policy\":{\"bindings\":["
                           "{\"role\":\"roles/one\",\"members\":[\"user:a@x.y\"]}]}}},\"roles\":{\"roles/one\":[\"s.a.get\"]},\"groups\":{}}", 0, &err);
    evaluator *ev = evaluator_new(es, &err);
    const question q = {.provider = KIM_TEXT("gcp"), .identity = KIM_TEXT("user:a@x.y"), .discover = true};
    assert_int_equal(evaluate_what_can(ev, &q, hear_what, &l, &err), 0);
    assert_int_equal(l.count, 1);
    assert_true(l.has[0]);
    evaluator_free(ev);
    estate_release(es);
}

/* ---- what could not be read ---- */

static verdict with_gap(const char *scope, const char *resource, const char *part, const char *who, const char *action)
{
    static const char file[] = "{\"resources\":{\"" MANAGER "projects/p\":{\"policy\":{\"bindings\":[{\"role\":\"roles/one\",\"members\":[\"user:a@x.y\"]}]},"
                               "\"deny\":[{\"name\":\"d\",\"rules\":[{\"denyRule\":{\"deniedPrincipals\":[\"user:b@x.y\"],\"deniedPermissions\":[\"s.googleapis.com/a.get\"]}}]}]},"
                               "\"" MANAGER "projects/q\":{\"policy\":{\"bindings\":[]}},\"" BUCKET "\":{\"parent\":\"" MANAGER "projects/p\"}},\"roles\":{\"roles/one\":[\"s.a.get\"]},\"groups\":{}}";
    kim_error err = {0};
    size_t size = 0;
    answer a;
    const uint8_t *records = tiny_host_normalise(host, "file", "estate.json", file, strlen(file), &size, &err);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    estate_builder *builder = estate_builder_new(NULL, &err);
    while (size > 0) {
        kim_record record;
        size_t used = 0;
        assert_int_equal(kim_record_decode(records, size, arena, &record, &used, &err), 0);
        assert_int_equal(estate_builder_add(builder, &record, &err), 0);
        records += used;
        size -= used;
    }
    const kim_record gap = {.type = KIM_COVERAGE, .scope = kim_text_of(scope), .coverage = {.part = kim_text_of(part), .status = KIM_PARTIAL, .why = KIM_TEXT("no"),
                            .resource = resource ? kim_text_of(resource) : KIM_NO_TEXT}};
    assert_int_equal(estate_builder_add(builder, &gap, &err), 0);
    estate *es = estate_build(builder, &err);
    evaluator *ev = evaluator_new(es, &err);
    const question q = {.provider = KIM_TEXT("gcp"), .identity = kim_text_of(who), .action = kim_text_of(action), .resource = KIM_TEXT(BUCKET), .discover = true};
    assert_int_equal(evaluate_can(ev, &q, &a, &err), 0);
    verdict found = a.verdict;
    evaluator_free(ev);
    estate_release(es);
    kim_arena_free(arena);
    return found;
}

static void what_could_not_be_read_makes_what_it_touches_unknown(void **state)
{
    (void)state;
    assert_int_equal(with_gap("gcp:organizations/1", NULL, "iam", "user:a@x.y", "s.a.get"), UNKNOWN);
    assert_int_equal(with_gap("gcp:files", NULL, "files", "user:c@x.y", "s.a.get"), UNKNOWN);
    assert_int_equal(with_gap("gcp:projects/p", NULL, "iam", "user:a@x.y", "s.a.get"), UNKNOWN);
    assert_int_equal(with_gap("gcp:projects/q", NULL, "iam", "user:a@x.y", "s.a.get"), ALLOWED);
    assert_int_equal(with_gap("gcp:projects/q", NULL, "iam", "user:c@x.y", "s.a.get"), DENIED);
    assert_int_equal(with_gap("gcp:organizations/1", MANAGER "projects/q", "iam", "user:a@x.y", "s.a.get"), ALLOWED);
    assert_int_equal(with_gap("gcp:organizations/1", BUCKET, "iam", "user:c@x.y", "s.a.get"), UNKNOWN);
    assert_int_equal(with_gap("gcp:organizations/1", NULL, "iam", "user:b@x.y", "s.a.get"), DENIED); /* it is denied whatever else there is */
    assert_int_equal(with_gap("gcp:organizations/1", NULL, "log:audit", "user:a@x.y", "s.a.get"), ALLOWED);
}

/* ---- limits ---- */

static char *answered(const char *line)
{
    kim_error err = {0};
    size_t records_size = 0, size;
    kim_json_writer *writer = kim_json_writer_new(false);
    const uint8_t *records = tiny_host_normalise(host, "case", "case", line, strlen(line), &records_size, &err);
    assert_true(case_answer(reader, kim_text_of(line), records, records_size, records ? NULL : err.message, writer, &err) >= 0);
    const char *bytes = kim_json_writer_bytes(writer, &size, &err);
    char *copy = strndup(bytes, size);
    kim_json_writer_free(writer);
    return copy;
}

static void a_place_too_deep_is_unknown_and_never_denied(void **state)
{
    char *line = malloc(1 << 20), *said;
    size_t at = 0;
    (void)state;
    at += (size_t)sprintf(line, "{\"provider\":\"gcp\",\"request\":{\"principal\":\"user:a@x.y\",\"permission\":\"s.a.get\",\"resource\":\"" MANAGER "folders/0\"},\"resources\":{");
    for (int i = 0; i < 2000; i++)
        at += (size_t)sprintf(line + at, "%s\"" MANAGER "folders/%d\":{\"parent\":\"" MANAGER "folders/%d\"}", i ? "," : "", i, i + 1);
    sprintf(line + at, "}}");
    said = answered(line);
    assert_says(said, "\"decision\":\"unknown\"");
    free(said);
    sprintf(line + at - 1, ",\"deny\":[{\"name\":\"d\",\"rules\":[{\"denyRule\":{\"deniedPrincipals\":[\"allUsers\"],\"deniedPermissions\":[\"t.b.get\"]}}]}]}}}");
    said = answered(line);
    assert_says(said, "\"decision\":\"unknown\"");
    free(said);
    free(line);
}

static void groups_nest_as_deep_as_they_like(void **state)
{
    char *line = malloc(1 << 20), *said;
    size_t at = 0;
    (void)state;
    at += (size_t)sprintf(line, "{\"provider\":\"gcp\",\"request\":{\"principal\":\"user:a@x.y\",\"permission\":\"s.a.get\",\"resource\":\"" BUCKET "\"},"
                          "\"resources\":{\"" BUCKET "\":{\"policy\":{\"bindings\":[{\"role\":\"r\",\"members\":[\"group:0@x.y\"]}]}}},\"roles\":{\"r\":[\"s.a.get\"]},\"groups\":{");
    for (int i = 0; i < 3000; i++)
        at += (size_t)sprintf(line + at, "\"group:%d@x.y\":[\"group:%d@x.y\"],", i, i + 1);
    sprintf(line + at, "\"group:3000@x.y\":[\"user:a@x.y\",\"group:0@x.y\"]}}");
    said = answered(line);
    assert_says(said, "\"decision\":\"allowed\"");
    free(said);
    free(line);
}

/* ---- memory ---- */

static int hear_nothing(void *context, kim_text identity, const answer *a)
{
    (void)identity, (void)a;
    ++*(size_t *)context;
    return 0;
}

static void without_memory_nothing_is_decided_wrongly(void **state)
{
    static const char file[] =
        "{\"resources\":{\"" MANAGER "projects/p\":{\"tags\":{\"1/e\":\"v\"},\"policy\":{\"bindings\":[{\"role\":\"roles/one\",\"members\":[\"group:g@x.y\",\"projectOwner:p\"],"
        "\"condition\":{\"expression\":\"resource.type == 'x/Y'\"}},{\"role\":\"roles/owner\",\"members\":[\"user:b@x.y\"]}]},"
        "\"deny\":[{\"name\":\"d\",\"rules\":[{\"denyRule\":{\"deniedPrincipals\":[\"principalSet://goog/public:all\"],\"exceptionPrincipals\":[\"group:h@x.y\"],"
        "\"deniedPermissions\":[\"s.googleapis.com/a.*\"],\"denialCondition\":{\"expression\":\"resource.matchTag('1/e','v')\"}}}]}]}},"
        "\"roles\":{\"roles/one\":[\"s.a.get\",\"t.b.get\"],\"roles/owner\":[]},\"groups\":{\"group:g@x.y\":[\"user:a@x.y\"],\"group:h@x.y\":[\"group:g@x.y\"]},"
        "\"principal_access_boundaries\":[{\"principals\":[\"user:a@x.y\"],\"policy\":{\"name\":\"b\",\"details\":{\"rules\":[{\"effect\":\"ALLOW\",\"resources\":[\"" MANAGER "projects/p\"]}]}}}]}";
    (void)state;
    for (size_t n = 1; n == 1 || fail_malloc_stop(); n++) {
        kim_error err = {0};
        answer a;
        size_t people_heard = 0;
        const question q = {.provider = KIM_TEXT("gcp"), .identity = KIM_TEXT("user:a@x.y"), .action = KIM_TEXT("s.a.get"), .resource = KIM_TEXT(MANAGER "projects/p"), .discover = true};
        estate *es = estate_of(file, n, &err);
        evaluator *ev = es ? evaluator_new(es, &err) : NULL;
        int decided = ev ? evaluate_can(ev, &q, &a, &err) : -1;
        if (decided == 0)
            assert_int_equal(a.verdict, CONDITIONAL);
        int listed = ev ? evaluate_who_can(ev, &q, hear_nothing, &people_heard, &err) : -1;
        if (listed == 0)
            assert_int_equal(people_heard, 1);
        if (decided < 0 || listed < 0)
            assert_int_equal(err.code, KIM_ERR_NOMEM);
        evaluator_free(ev);
        estate_release(es);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_principal_has_one_id_in_every_spelling),
        cmocka_unit_test(a_pattern_covers_a_permission_in_both_spellings),
        cmocka_unit_test(an_account_tells_its_project),
        cmocka_unit_test(who_can_names_whom_can_allows_and_nobody_else),
        cmocka_unit_test(what_can_lists_what_can_allows),
        cmocka_unit_test(what_can_of_everything_names_each_place),
        cmocka_unit_test(what_could_not_be_read_makes_what_it_touches_unknown),
        cmocka_unit_test(a_place_too_deep_is_unknown_and_never_denied),
        cmocka_unit_test(groups_nest_as_deep_as_they_like),
        cmocka_unit_test(without_memory_nothing_is_decided_wrongly),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
