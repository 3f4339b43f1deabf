/* SPDX-License-Identifier: Apache-2.0
 *
 * test_files.c - files of every kind become records, whatever their order; what is bad in them is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <kim/plugin.h>

#include "tests/plugins/aws/desk.h"

typedef struct fixture {
    desk desk;
    char folder[64];
    const kim_plugin *plugin;
    kim_error err;
} fixture;

static int start(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    desk_start(&f->desk);
    f->plugin = kim_plugin_entry(KIM_ABI_MAJOR, KIM_ABI_MINOR);
    strcpy(f->folder, "/tmp/kim-aws-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static int stop(void **state)
{
    fixture *f = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    desk_stop(&f->desk);
    free(f);
    return 0;
}

/* Puts a file below the test's folder; `name` may name folders. */
static void put_bytes(fixture *f, const char *name, const char *bytes, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    for (char *slash = path + strlen(f->folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fwrite(bytes, 1, size, out);
    fclose(out);
}

static void put_file(fixture *f, const char *name, const char *text)
{
    put_bytes(f, name, text, strlen(text));
}

/* Collects from the paths below the folder ("" is the folder itself). */
static int collect(fixture *f, bool skip_bad, const char *const *names, size_t count)
{
    char paths[16][512];
    const char *values[16], *yes = "true";
    void *instance;
    for (size_t i = 0; i < count; i++) {
        snprintf(paths[i], sizeof paths[i], "%s%s%s", *names[i] == '/' ? "" : f->folder, *names[i] == '/' ? "" : "/", names[i]);
        values[i] = paths[i];
    }
    const kim_setting items[] = {{"files", values, (uint32_t)count}, {"skip_bad_files", &yes, 1}};
    const kim_settings settings = {items, skip_bad ? 2 : 1};
    desk_clear(&f->desk);
    assert_int_equal(f->plugin->open(&f->desk.host, &settings, &instance, &f->err), 0);
    int result = f->plugin->collect(instance, KIM_COLLECT_FULL, &f->err);
    f->plugin->close(instance);
    return result;
}

static const desk *collected(fixture *f)
{
    static const char *const all[] = {""};
    if (collect(f, true, all, 1) < 0)
        fail_msg("%s", f->err.message);
    return &f->desk;
}

static const desk *collected_path(fixture *f, const char *path)
{
    if (collect(f, true, &path, 1) < 0)
        fail_msg("%s", f->err.message);
    return &f->desk;
}

static const char *fixtures(void)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/plugins/aws/fixtures", getenv("KIM_SOURCE_DIR"));
    return path;
}

#define ANN "arn:aws:iam::111122223333:user/staff/ann"
#define DOCUMENT "{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":\\\"*\\\",\\\"Action\\\":\\\"s3:GetObject\\\",\\\"Resource\\\":\\\"arn:aws:s3:::b/*\\\"}]}"

/* ---- what stands in the fixtures ---- */

static void every_kind_of_answer_is_read(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    assert_string_equal(d->log, "");
    assert_int_equal(desk_count(d, "\"unread\":", NULL), 0);
    static const char *const resources[] = {
        "arn:aws:sqs:eu-west-1:111122223333:orders", "arn:aws:sns:eu-west-1:111122223333:alerts",
        "arn:aws:lambda:eu-west-1:111122223333:function:mailer", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1b2c3",
        "arn:aws:ecr:eu-west-1:111122223333:repository/web", "arn:aws:dynamodb:eu-west-1:111122223333:table/carts",
        "arn:aws:events:eu-west-1:111122223333:event-bus/main", "arn:aws:execute-api:eu-west-1:111122223333:o1y243m4f5",
        "arn:aws:backup:eu-west-1:111122223333:backup-vault:vault", "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-c7a0456e",
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:s3:::reports", "arn:aws:s3:::prod-data",
    };
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        char policy[256], resource[256], id[256];
        snprintf(policy, sizeof policy, "\"policy\":\"%s/policy\"", resources[i]);
        snprintf(resource, sizeof resource, "\"resource\":\"%s\"", resources[i]);
        snprintf(id, sizeof id, "\"id\":\"%s\"", resources[i]);
        desk_one(d, "\"record\":\"attachment\"", "\"layer\":\"resource\"", policy, resource, NULL);
        desk_one(d, "\"record\":\"statement\"", policy, "\"effect\":\"allow\"", NULL);
        desk_one(d, "\"record\":\"resource\"", id, NULL);
    }
}

static void a_user_is_joined_from_all_that_speaks_of_her(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"record\":\"identity\"", "\"id\":\"" ANN "\"", "\"kind\":\"human\"", "\"last_seen_unix_ms\":1763622000000", "\"team\":\"blue\"", "AIDACKCEVSQ6C2EXAMPLE", NULL);
    desk_one(d, "\"record\":\"edge\"", "member_of", "\"from\":\"" ANN "\"", "\"to\":\"arn:aws:iam::111122223333:group/teams/developers\"", "\"via\":\"group\"", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"layer\":\"boundary\"", "\"subject\":\"" ANN "\"", "policy/limits", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"layer\":\"identity\"", ANN "/inline/own-keys", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"layer\":\"identity\"", "\"subject\":\"" ANN "\"", "arn:aws:iam::aws:policy/ReadOnlyAccess", NULL);
}

static void a_key_of_the_report_is_joined_to_the_listed_one_and_else_stays_as_reported(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"record\":\"credential\"", "\"id\":\"AKIAIOSFODNN7EXAMPLE\"", "\"identity\":\"" ANN "\"", "\"state\":\"active\"",
             "\"last_used_unix_ms\":1763532000000", "\"last_used_service\":\"s3\"", "\"last_used_region\":\"eu-west-1\"", NULL);
    desk_one(d, "\"record\":\"credential\"", "\"id\":\"" ANN "/access_key_2\"", NULL);
    assert_int_equal(desk_count(d, "/access_key_1", NULL), 0);
    desk_one(d, "\"record\":\"credential\"", "\"id\":\"" ANN "/password\"", "\"second_factor\":true", "\"expires_unix_ms\":1780272000000", NULL);
    desk_one(d, "\"record\":\"identity\"", "\"id\":\"arn:aws:iam::111122223333:root\"", NULL);
}

static void only_the_default_version_of_a_policy_counts(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"record\":\"policy\"", "policy/deploy\"", "\"revision\":\"v3\"", NULL);
    desk_one(d, "\"record\":\"statement\"", "policy/deploy\"", "\"actions\":[\"lambda:*\"]", NULL);
}

static void who_may_become_a_role_is_an_edge(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"from\":\"ec2.amazonaws.com\"", "\"to\":\"arn:aws:iam::111122223333:role/app\"", "\"via\":\"sts:AssumeRole\"", NULL);
    desk_one(d, "\"from\":\"arn:aws:iam::444455556666:root\"", "\"to\":\"arn:aws:iam::111122223333:role/app\"", NULL);
    desk_one(d, "\"from\":\"arn:aws:iam::111122223333:oidc-provider/token.example.com\"", "\"via\":\"sts:AssumeRoleWithWebIdentity\"", "repo:a/b", NULL);
    desk_one(d, "\"from\":\"94482488-3041-7000-0000-000000000001\"", "AWSReservedSSO_Developer_0123456789abcdef\"", "\"via\":\"sso:permission-set\"", NULL);
    desk_one(d, "\"record\":\"policy\"", "role/app/trust\"", "\"kind\":\"trust\"", NULL);
}

static void the_organisation_is_a_tree_with_policies_on_its_levels(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:444455556666\"", "\"parent\":\"aws:o-exampleorgid/ou-exam-prod1234\"", "\"s3.ignore_public_acls\":\"true\"",
             "\"delegated_administrator\":\"true\"", NULL);
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:o-exampleorgid/ou-exam-prod1234\"", "\"kind\":\"ou\"", "\"parent\":\"aws:o-exampleorgid/r-exam\"", "\"name\":\"prod\"", NULL);
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:o-exampleorgid\"", "\"management_account\":\"111122223333\"", "\"root\":\"r-exam\"", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"layer\":\"scp\"", "p-guard123", "\"on_scope\":\"aws:o-exampleorgid/ou-exam-prod1234\"", "\"scope\":\"aws:o-exampleorgid\"", NULL);
    assert_int_equal(desk_count(d, "tag_policy", NULL), 0);
}

static void an_account_that_nobody_reads_is_said_to_be_so(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:777788889999\"", "\"state\":\"suspended\"", NULL);
    desk_one(d, "\"record\":\"coverage\"", "\"scope\":\"aws:777788889999\"", "\"status\":\"unreadable\"", "no agent", NULL);
    desk_one(d, "\"record\":\"coverage\"", "\"scope\":\"aws:111122223333\"", "\"part\":\"iam\"", "\"status\":\"read\"", NULL);
}

static void public_grants_of_an_acl_count_only_where_they_are_not_ignored(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"record\":\"statement\"", "\"policy\":\"arn:aws:s3:::site/acl\"", "\"subjects\":[\"*\"]", "s3:ListBucket", NULL);
    assert_int_equal(desk_count(d, "arn:aws:s3:::reports/acl", NULL), 0);
}

static void devices_people_and_their_keys_are_identities(void **state)
{
    const desk *d = collected_path(*state, fixtures());
    desk_one(d, "\"record\":\"identity\"", "thing/robot-17\"", "\"kind\":\"device\"", NULL);
    desk_one(d, "\"record\":\"edge\"", "\"from\":\"arn:aws:iot:eu-west-1:111122223333:thing/robot-17\"", "\"via\":\"iot:certificate\"", NULL);
    desk_one(d, "\"record\":\"attachment\"", "policy/robots\"", "\"layer\":\"identity\"", ":cert/", NULL);
    desk_one(d, "\"record\":\"key\"", "\"type\":\"scim_external_id\"", "\"issuer\":\"https://sts.example.com\"", "11111111-2222", NULL);
    desk_one(d, "\"record\":\"key\"", "\"type\":\"upn\"", "bob@example.com", NULL);
    desk_one(d, "\"record\":\"identity\"", "role/app\"", "\"last_accessed.s3:GetObject\":\"2025-11-01T08:00:00+00:00\"", NULL);
    assert_int_equal(desk_count(d, "\"record\":\"usage\"", NULL), 0);
    desk_one(d, "\"record\":\"coverage\"", "\"part\":\"last-accessed\"", "\"resolution\":\"action\"", NULL);
}

/* ---- order ---- */

static void the_order_of_the_files_does_not_matter(void **state)
{
    fixture *f = *state;
    char here[2048], there[2048];
    char *forwards = desk_sorted(collected_path(f, fixtures()));
    snprintf(here, sizeof here, "%s/collected.json", fixtures());
    snprintf(there, sizeof there, "%s/111122223333", fixtures());
    char inner[4][2048];
    const char *const parts[] = {"organizations", "sso", "identitystore"};
    const char *paths[5] = {here, there};
    for (size_t i = 0; i < 3; i++) {
        snprintf(inner[i], sizeof inner[i], "%s/%s", fixtures(), parts[i]);
        paths[2 + i] = inner[i];
    }
    assert_int_equal(collect(f, false, paths, 5), 0);
    char *again = desk_sorted(&f->desk);
    assert_string_equal(forwards, again);
    const char *backwards[5] = {paths[4], paths[3], paths[2], paths[1], paths[0]};
    assert_int_equal(collect(f, false, backwards, 5), 0);
    char *reversed = desk_sorted(&f->desk);
    assert_string_equal(forwards, reversed);
    free(forwards);
    free(again);
    free(reversed);
}

static void the_same_file_twice_is_as_if_once(void **state)
{
    fixture *f = *state;
    char *once = desk_sorted(collected_path(f, fixtures()));
    const char *twice[] = {fixtures(), fixtures()};
    assert_int_equal(collect(f, false, twice, 2), 0);
    char *again = desk_sorted(&f->desk);
    assert_string_equal(once, again);
    free(once);
    free(again);
}

static void two_documents_of_one_policy_that_differ_are_said_to_do_so(void **state)
{
    fixture *f = *state;
    put_file(f, "1/get-bucket-policy__b.json", "{\"Policy\":\"" DOCUMENT "\"}");
    put_file(f, "2/get-bucket-policy__b.json", "{\"Policy\":\"{\\\"Statement\\\":[]}\"}");
    put_file(f, "list-users.json", "{\"Users\":[{\"UserName\":\"u\",\"Arn\":\"arn:aws:iam::111122223333:user/u\"}]}");
    const desk *d = collected(f);
    desk_one(d, "\"record\":\"policy\"", "two documents of this policy were given and differ", NULL);
    assert_int_equal(desk_count(d, "\"record\":\"statement\"", NULL), 1);
}

/* ---- pages ---- */

#define USER(name) "{\"UserName\":\"" name "\",\"Arn\":\"arn:aws:iam::111122223333:user/" name "\"}"
#define PAGE(users, more) "{\"UserDetailList\":[" users "],\"GroupDetailList\":[],\"RoleDetailList\":[],\"Policies\":[],\"IsTruncated\":" more "}"

static void pages_may_stand_one_behind_another_or_in_files_of_their_own(void **state)
{
    fixture *f = *state;
    put_file(f, "details.json", PAGE(USER("a"), "true") "\n" PAGE(USER("b"), "false"));
    const desk *d = collected(f);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", NULL), 2);
    desk_one(d, "\"record\":\"coverage\"", "\"status\":\"read\"", NULL);
    put_file(f, "details.json", PAGE(USER("a"), "true"));
    put_file(f, "details-2.json", PAGE(USER("b"), "false"));
    d = collected(f);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", NULL), 2);
    desk_one(d, "\"record\":\"coverage\"", "\"status\":\"read\"", NULL);
}

static void a_missing_last_page_is_partial(void **state)
{
    fixture *f = *state;
    put_file(f, "details.json", PAGE(USER("a"), "true"));
    desk_one(collected(f), "\"record\":\"coverage\"", "\"part\":\"iam\"", "\"status\":\"partial\"", "the last page of iam:GetAccountAuthorizationDetails is missing", NULL);
}

static void a_page_of_aws_s_own_policies_belongs_to_the_account_of_the_others(void **state)
{
    fixture *f = *state;
    put_file(f, "1.json", "{\"UserDetailList\":[],\"Policies\":[{\"PolicyName\":\"P\",\"Arn\":\"arn:aws:iam::aws:policy/P\",\"DefaultVersionId\":\"v1\",\"PolicyVersionList\":[{\"VersionId\":\"v1\",\"Document\":{\"Statement\":[]}}]}]}");
    put_file(f, "2.json", PAGE(USER("a"), "false"));
    desk_one(collected(f), "\"record\":\"policy\"", "\"scope\":\"aws:111122223333\"", "arn:aws:iam::aws:policy/P", "\"provider_managed\":true", NULL);
}

/* ---- whose it is ---- */

static void a_file_belongs_to_the_account_that_its_path_names(void **state)
{
    fixture *f = *state;
    put_file(f, "444455556666/s3/get-bucket-policy__b.json", "{\"Policy\":\"" DOCUMENT "\"}");
    put_file(f, "account-777788889999-buckets.json", "{\"Buckets\":[{\"Name\":\"c\",\"CreationDate\":\"2024-01-01\"}]}");
    const desk *d = collected(f);
    desk_one(d, "\"record\":\"policy\"", "\"scope\":\"aws:444455556666\"", "\"id\":\"arn:aws:s3:::b/policy\"", NULL);
    desk_one(d, "\"record\":\"resource\"", "\"scope\":\"aws:777788889999\"", "\"id\":\"arn:aws:s3:::c\"", NULL);
}

static void a_bucket_policy_names_its_bucket_where_the_file_does_not(void **state)
{
    fixture *f = *state;
    put_file(f, "111122223333/get-bucket-policy.json", "{\"Policy\":\"" DOCUMENT "\"}");
    desk_one(collected(f), "\"record\":\"attachment\"", "\"resource\":\"arn:aws:s3:::b\"", NULL);
}

static void a_member_beside_the_answer_tells_what_it_is_of(void **state)
{
    fixture *f = *state;
    put_file(f, "111122223333/x.json", "{\"ResourceArn\":\"arn:aws:sqs:eu-west-1:111122223333:q\",\"Policy\":\"" DOCUMENT "\"}");
    put_file(f, "111122223333/y.json", "{\"Bucket\":\"named\",\"Policy\":\"" DOCUMENT "\"}");
    put_file(f, "111122223333/keys.json", "{\"UserName\":\"u\",\"AccessKeyMetadata\":[{\"AccessKeyId\":\"AKIAX\",\"Status\":\"Inactive\"}]}");
    const desk *d = collected(f);
    desk_one(d, "\"record\":\"attachment\"", "\"resource\":\"arn:aws:sqs:eu-west-1:111122223333:q\"", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"resource\":\"arn:aws:s3:::named\"", NULL);
    desk_one(d, "\"record\":\"credential\"", "\"id\":\"AKIAX\"", "\"state\":\"disabled\"", NULL);
}

static void what_cannot_be_placed_is_said_with_what_to_do(void **state)
{
    fixture *f = *state;
    put_file(f, "get-key-policy.json", "{\"Policy\":\"" DOCUMENT "\"}");
    put_file(f, "list-users.json", "{\"Users\":[" USER("a") "]}");
    const desk *d = collected(f);
    assert_non_null(strstr(d->log, "kms:GetKeyPolicy does not say the resource"));
    desk_one(d, "\"record\":\"coverage\"", "\"part\":\"files\"", "\"status\":\"unreadable\"", "tell it by the file's name", NULL);
    desk_one(d, "\"record\":\"identity\"", NULL);
}

/* ---- bad input ---- */

static void a_text_that_is_cut_short_gives_what_stands_before(void **state)
{
    fixture *f = *state;
    put_file(f, "details.json", "{\"UserDetailList\":[" USER("a") "," USER("b") ",{\"UserName\":\"c\",\"Ar");
    const desk *d = collected(f);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", NULL), 2);
    desk_one(d, "\"record\":\"coverage\"", "\"part\":\"iam\"", "\"status\":\"partial\"", "cut short", NULL);
}

static void a_damaged_element_costs_itself(void **state)
{
    fixture *f = *state;
    put_file(f, "details.json", PAGE(USER("a") ",{\"UserName\":tru,\"Arn\":\"x\"}," USER("b"), "false"));
    const desk *d = collected(f);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", NULL), 2);
    desk_one(d, "\"record\":\"coverage\"", "\"status\":\"partial\"", "UserDetailList[1]", NULL);
}

static void wrong_types_everywhere_are_named_and_nothing_else_is_lost(void **state)
{
    fixture *f = *state;
    put_file(f, "details.json",
             "{\"UserDetailList\":[7,null,[],\"x\",{},{\"Arn\":7},{\"Arn\":\"arn:aws:iam::111122223333:user/a\",\"UserName\":[],\"GroupList\":{},\"Tags\":\"x\","
             "\"UserPolicyList\":[1,{\"PolicyName\":\"p\",\"PolicyDocument\":[]}],\"AttachedManagedPolicies\":[{},7],\"PermissionsBoundary\":[],\"CreateDate\":{}}],"
             "\"RoleDetailList\":{},\"GroupDetailList\":[{\"Arn\":\"arn:aws:iam::111122223333:user/notagroup\"}],\"Policies\":[{\"Arn\":\"arn:aws:iam::111122223333:policy/p\",\"PolicyVersionList\":7}]}");
    const desk *d = collected(f);
    desk_one(d, "\"record\":\"identity\"", NULL);
    desk_one(d, "\"record\":\"policy\"", "user/a/inline/p", "\"unread\":\"the document is array", NULL);
    desk_one(d, "\"record\":\"policy\"", "policy/p\"", "\"unread\":\"its default version is not among its versions\"", NULL);
    desk_one(d, "\"record\":\"coverage\"", "\"part\":\"iam\"", "\"status\":\"partial\"", NULL);
    assert_non_null(strstr(d->log, "RoleDetailList is no list"));
}

static void nesting_without_end_costs_the_element_that_has_it(void **state)
{
    enum { DEPTH = 10000 };
    fixture *f = *state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "{\"UserDetailList\":[{\"Tags\":");
    for (int i = 0; i < DEPTH; i++)
        fputc('[', out);
    for (int i = 0; i < DEPTH; i++)
        fputc(']', out);
    fprintf(out, "},%s]}", USER("a"));
    fclose(out);
    put_bytes(f, "details.json", text, size);
    free(text);
    const desk *d = collected(f);
    desk_one(d, "\"record\":\"identity\"", NULL);
    assert_non_null(strstr(d->log, "nest deeper than"));
}

static void a_bad_file_keeps_the_last_snapshot_unless_it_is_to_be_skipped(void **state)
{
    fixture *f = *state;
    put_file(f, "a.json", "{\"Users\":[" USER("a") "]}");
    put_file(f, "b.json", "this is no JSON");
    const char *both[] = {"a.json", "b.json"};
    assert_int_equal(collect(f, false, both, 2), -1);
    assert_non_null(strstr(f->err.message, "b.json"));
    assert_int_equal(f->desk.count, 0);
    assert_int_equal(collect(f, true, both, 2), 0);
    desk_one(&f->desk, "\"record\":\"identity\"", NULL);
    desk_one(&f->desk, "\"record\":\"coverage\"", "\"part\":\"files\"", "nothing that kim knows of AWS", NULL);
}

static void a_file_that_is_not_there_and_a_folder_of_nothing_are_errors(void **state)
{
    fixture *f = *state;
    const char *missing[] = {"missing.json"}, *folder[] = {""};
    assert_int_equal(collect(f, true, missing, 1), -1);
    assert_int_equal(f->err.code, KIM_ERR_IO);
    put_file(f, "notes.txt", "hello");
    assert_int_equal(collect(f, true, folder, 1), -1);
    assert_non_null(strstr(f->err.message, "none of the 1 files"));
}

static void a_file_of_200_megabytes_is_read_in_the_memory_of_its_elements(void **state)
{
    fixture *f = *state;
    char path[512];
    snprintf(path, sizeof path, "%s/details.json", f->folder);
    FILE *out = fopen(path, "w");
    fprintf(out, "{\"UserDetailList\":[");
    for (int i = 0; i < 200; i++) {
        fprintf(out, "%s{\"UserName\":\"u%d\",\"Arn\":\"arn:aws:iam::111122223333:user/u%d\",\"Filler\":\"", i ? "," : "", i, i);
        for (int k = 0; k < 1024; k++)
            fprintf(out, "%01024d", 0);
        fprintf(out, "\"}");
    }
    fprintf(out, "],\"RoleDetailList\":[]}");
    fclose(out);
    const desk *d = collected(f);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", NULL), 200);
    assert_string_equal(d->log, "");
}

/* ---- real data ---- */

static void a_real_account_is_read_whole(void **state)
{
    fixture *f = *state;
    size_t size;
    char *text = desk_shared("aws/authorization-details/cloudsplaining-example.json.xz", &size);
    if (text == NULL)
        skip();
    put_bytes(f, "details.json", text, size);
    free(text);
    const desk *d = collected(f);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", "\"kind\":\"human\"", NULL), 44);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", "\"kind\":\"role\"", NULL), 78);
    assert_int_equal(desk_count(d, "\"record\":\"identity\"", "\"kind\":\"group\"", NULL), 5);
    assert_int_equal(desk_count(d, "\"unread\":", NULL), 0);
    assert_string_equal(d->log, "");
}

static void recorded_answers_are_recognised_and_read(void **state)
{
    fixture *f = *state;
    static const char *const shared[] = {"aws/api-responses/c7n-placebo.json.xz", "aws/api-responses/fixinventory.json.xz"};
    size_t files = 0;
    for (size_t s = 0; s < 2; s++) {
        size_t size, written;
        kim_error err = {0};
        char *text = desk_shared(shared[s], &size), name[512];
        if (text == NULL)
            skip();
        kim_arena *arena = kim_arena_new(SIZE_MAX);
        const kim_json *root = kim_json_parse(text, size, shared[s], arena, &err);
        kim_json_writer *writer = kim_json_writer_new(false);
        for (size_t i = 0; i < root->count; i++, files++) {
            kim_json_writer_reset(writer);
            kim_json_put_json(writer, root->members[i].value);
            const char *bytes = kim_json_writer_bytes(writer, &written, &err);
            snprintf(name, sizeof name, "644160558196/%.*s", KIM_PRINT(root->members[i].name));
            put_bytes(f, name, bytes, written);
        }
        kim_json_writer_free(writer);
        kim_arena_free(arena);
        free(text);
    }
    const desk *d = collected(f);
    assert_int_equal(files, 741);
    assert_true(desk_count(d, "\"record\":\"identity\"", "\"kind\":\"role\"", NULL) > 20);
    assert_true(desk_count(d, "\"record\":\"attachment\"", "\"layer\":\"resource\"", "arn:aws:sqs:", NULL) > 5);
    assert_true(desk_count(d, "\"record\":\"attachment\"", "\"layer\":\"resource\"", "arn:aws:s3:::", NULL) > 5);
}

/* ---- recognising ---- */

static void files_are_recognised_by_their_shape(void **state)
{
    fixture *f = *state;
    static const struct { const char *name, *head; int expected; } files[] = {
        {"x.json", "{\"UserDetailList\":[{\"Path\":\"/", 2},
        {"x.json", "{\"Accounts\":{\"1", 2},
        {"x.json", "{\"Users\":[{\"UserName\":\"a\",\"Arn\":\"arn", 2},
        {"get-bucket-policy__b.json", "{\"Policy\":\"{", 2},
        {"x.json", "{\"items\":[{\"metadata\":{}", 0},
        {"x.json", "[1,2]", 0},
        {"x.txt", "hello", 0},
        {"x", "", 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(f->plugin->recognise(files[i].name, (const uint8_t *)files[i].head, strlen(files[i].head)), files[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        TEST(every_kind_of_answer_is_read),
        TEST(a_user_is_joined_from_all_that_speaks_of_her),
        TEST(a_key_of_the_report_is_joined_to_the_listed_one_and_else_stays_as_reported),
        TEST(only_the_default_version_of_a_policy_counts),
        TEST(who_may_become_a_role_is_an_edge),
        TEST(the_organisation_is_a_tree_with_policies_on_its_levels),
        TEST(an_account_that_nobody_reads_is_said_to_be_so),
        TEST(public_grants_of_an_acl_count_only_where_they_are_not_ignored),
        TEST(devices_people_and_their_keys_are_identities),
        TEST(the_order_of_the_files_does_not_matter),
        TEST(the_same_file_twice_is_as_if_once),
        TEST(two_documents_of_one_policy_that_differ_are_said_to_do_so),
        TEST(pages_may_stand_one_behind_another_or_in_files_of_their_own),
        TEST(a_missing_last_page_is_partial),
        TEST(a_page_of_aws_s_own_policies_belongs_to_the_account_of_the_others),
        TEST(a_file_belongs_to_the_account_that_its_path_names),
        TEST(a_bucket_policy_names_its_bucket_where_the_file_does_not),
        TEST(a_member_beside_the_answer_tells_what_it_is_of),
        TEST(what_cannot_be_placed_is_said_with_what_to_do),
        TEST(a_text_that_is_cut_short_gives_what_stands_before),
        TEST(a_damaged_element_costs_itself),
        TEST(wrong_types_everywhere_are_named_and_nothing_else_is_lost),
        TEST(nesting_without_end_costs_the_element_that_has_it),
        TEST(a_bad_file_keeps_the_last_snapshot_unless_it_is_to_be_skipped),
        TEST(a_file_that_is_not_there_and_a_folder_of_nothing_are_errors),
        TEST(a_file_of_200_megabytes_is_read_in_the_memory_of_its_elements),
        TEST(a_real_account_is_read_whole),
        TEST(recorded_answers_are_recognised_and_read),
        TEST(files_are_recognised_by_their_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
