/* SPDX-License-Identifier: Apache-2.0
 *
 * test_catalogue.c - the action catalogue: a small one made here, and AWS's as it is installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "controller/evaluate/catalogue.h"

#define SMALL \
    "# a comment\n" \
    "catalogue\t1\taws\t6\n" \
    "key\taws:RequestTag/${TagKey}\tString\n" \
    "key\taws:SourceIp\tIPAddress\n" \
    "key\taws:TagKeys\tArrayOfString\n" \
    "key\tidp.${Domain}.example:sub\tString\n" \
    "service\ts3-x\t-\tS3 on x\n" \
    "action\ts3-x:GetObject\tread\t-\t-\n" \
    "service\ts3\trcp\tAmazon S3\n" \
    "resource\tbucket\tarn:${Partition}:s3:::${BucketName}\t-\n" \
    "resource\tobject\tarn:${Partition}:s3:::${BucketName}/${ObjectName}\taws:SourceIp,aws:TagKeys\n" \
    "resource\tobject\tarn:${Partition}:s3:${Region}:${Account}:accesspoint/${Name}/object/${ObjectName}\t-\n" \
    "action\ts3:GetBucketPolicy\tpermissions\tbucket!\t-\n" \
    "action\ts3:GetObject\tread\tbucket,object!\taws:SourceIp,aws:TagKeys\n" \
    "on\tobject\taws:TagKeys\n" \
    "action\ts3:GetObjectTagging\ttagging\tobject\t-\n" \
    "action\ts3:ListAllMyBuckets\tlist\t-\t-\n" \
    "action\ts3:PutObject\twrite\tobject\t-\n"

static catalogue *parsed(const char *text)
{
    kim_error err = {0};
    catalogue *cat = catalogue_parse(text, strlen(text), "small", &err);
    if (!cat)
        fail_msg("%s", err.message);
    return cat;
}

static void assert_text(kim_text text, const char *expected)
{
    if (!kim_text_is(text, expected))
        fail_msg("'%.*s' is not '%s'", KIM_PRINT(text), expected);
}

/* The names that a pattern covers, parted by spaces; checks the returned number too. */
static void assert_covers(const catalogue *cat, const char *pattern, const char *expected)
{
    static char names[4096];
    uint64_t set[8] = {0};
    size_t size = 0, found = 0;
    assert_true(catalogue_words(cat) <= 8);
    size_t count = catalogue_match(cat, kim_text_of(pattern), set);
    names[0] = 0;
    for (int32_t id = 0; id < (int32_t)catalogue_count(cat); id++)
        if (set[id / 64] >> id % 64 & 1) {
            kim_text name = catalogue_name(cat, id);
            size += (size_t)snprintf(names + size, sizeof names - size, "%s%.*s", found++ ? " " : "", KIM_PRINT(name));
        }
    if (strcmp(names, expected) != 0 || found != count)
        fail_msg("%s covers '%s' (it says %zu), not '%s'", pattern, names, count, expected);
}

static void an_action_is_found_in_any_case_and_spelt_as_the_provider_does(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    int32_t get = catalogue_action(cat, KIM_TEXT("S3:GETOBJECT"));
    assert_true(get >= 0);
    assert_int_equal(get, catalogue_action(cat, KIM_TEXT("s3:getobject")));
    assert_text(catalogue_name(cat, get), "s3:GetObject");
    assert_text(catalogue_lower(cat, get), "s3:getobject");
    assert_int_equal(catalogue_level_of(cat, get), CATALOGUE_READ);
    assert_text(catalogue_provider(cat), "aws");
    catalogue_free(cat);
}

static void what_is_no_action_is_not_found(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    char longest[5000];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(catalogue_action(cat, KIM_TEXT("s3:GetObjec")), -1);
    assert_int_equal(catalogue_action(cat, KIM_TEXT("s3:GetObjectt")), -1);
    assert_int_equal(catalogue_action(cat, KIM_TEXT("")), -1);
    assert_int_equal(catalogue_action(cat, KIM_NO_TEXT), -1);
    assert_int_equal(catalogue_action(cat, (kim_text){longest, sizeof longest}), -1);
    catalogue_free(cat);
}

static void a_pattern_covers_what_its_wildcards_say(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    assert_covers(cat, "*", "s3-x:GetObject s3:GetBucketPolicy s3:GetObject s3:GetObjectTagging s3:ListAllMyBuckets s3:PutObject");
    assert_covers(cat, "s3:*", "s3:GetBucketPolicy s3:GetObject s3:GetObjectTagging s3:ListAllMyBuckets s3:PutObject");
    assert_covers(cat, "S3:GET*", "s3:GetBucketPolicy s3:GetObject s3:GetObjectTagging");
    assert_covers(cat, "s3:getobject", "s3:GetObject");
    assert_covers(cat, "s3:getobject*", "s3:GetObject s3:GetObjectTagging");
    assert_covers(cat, "s3:?etObject", "s3:GetObject");
    assert_covers(cat, "s3:???Object", "s3:GetObject s3:PutObject");
    assert_covers(cat, "s3:GetObject?", "");
    assert_covers(cat, "*:*object", "s3-x:GetObject s3:GetObject s3:PutObject");
    assert_covers(cat, "s3*:get**ob*t", "s3-x:GetObject s3:GetObject");
    assert_covers(cat, "s3:Get*y*", "s3:GetBucketPolicy");
    assert_covers(cat, "ec2:*", "");
    assert_covers(cat, "", "");
    catalogue_free(cat);
}

static void a_pattern_of_any_length_is_answered(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    static char stars[9001], marks[9001];
    memset(stars, '*', 9000);
    memset(marks, '?', 9000);
    assert_covers(cat, stars, "s3-x:GetObject s3:GetBucketPolicy s3:GetObject s3:GetObjectTagging s3:ListAllMyBuckets s3:PutObject");
    assert_covers(cat, marks, "");
    catalogue_free(cat);
}

static void matching_only_adds_to_a_set(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    uint64_t set[1] = {1};
    assert_int_equal(catalogue_match(cat, KIM_TEXT("s3:Put*"), set), 1);
    assert_int_equal(set[0], 1 | 1u << 5);
    catalogue_free(cat);
}

static void an_action_names_what_it_is_done_to(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    size_t count;
    int32_t get = catalogue_action(cat, KIM_TEXT("s3:GetObject"));
    const catalogue_use *uses = catalogue_uses(cat, get, &count);
    const catalogue_resource_type *types = catalogue_resource_types(cat, &(size_t){0});

    assert_int_equal(count, 2);
    assert_text(types[uses[0].first_form].name, "bucket");
    assert_false(uses[0].required);
    assert_true(kim_text_is_absent(uses[0].keys));
    assert_true(uses[1].required);
    assert_int_equal(uses[1].form_count, 2);
    assert_text(types[uses[1].first_form].arn, "arn:${Partition}:s3:::${BucketName}/${ObjectName}");
    assert_text(types[uses[1].first_form + 1].arn, "arn:${Partition}:s3:${Region}:${Account}:accesspoint/${Name}/object/${ObjectName}");
    assert_text(uses[1].keys, "aws:TagKeys");
    assert_false(catalogue_takes_no_resource(cat, get));
    catalogue_free(cat);
}

static void an_action_may_take_no_resource(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    size_t count = 7;
    int32_t list = catalogue_action(cat, KIM_TEXT("s3:ListAllMyBuckets"));
    assert_true(catalogue_takes_no_resource(cat, list));
    assert_null(catalogue_uses(cat, list, &count));
    assert_int_equal(count, 0);
    catalogue_free(cat);
}

static void a_list_of_condition_keys_is_walked_name_by_name(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    kim_text rest = catalogue_keys(cat, catalogue_action(cat, KIM_TEXT("s3:GetObject"))), name;
    assert_true(catalogue_next(&rest, &name));
    assert_text(name, "aws:SourceIp");
    assert_true(catalogue_next(&rest, &name));
    assert_text(name, "aws:TagKeys");
    assert_false(catalogue_next(&rest, &name));
    rest = catalogue_keys(cat, catalogue_action(cat, KIM_TEXT("s3:PutObject")));
    assert_false(catalogue_next(&rest, &name));
    catalogue_free(cat);
}

static void a_service_knows_its_run_of_actions(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    const catalogue_service *s3 = catalogue_service_find(cat, KIM_TEXT("S3"));
    const catalogue_service *s3x = catalogue_service_find(cat, KIM_TEXT("s3-x"));
    size_t count;
    assert_non_null(s3);
    assert_non_null(s3x);
    assert_true(s3->takes_rcp);
    assert_false(s3x->takes_rcp);
    assert_text(s3->name, "Amazon S3");
    assert_int_equal(s3->first, 1);
    assert_int_equal(s3->count, 5);
    assert_int_equal(s3->resource_type_count, 3);
    assert_ptr_equal(catalogue_service_of(cat, 0), s3x);
    assert_ptr_equal(catalogue_service_of(cat, 5), s3);
    assert_null(catalogue_service_find(cat, KIM_TEXT("s3-")));
    assert_null(catalogue_service_find(cat, KIM_TEXT("")));
    assert_ptr_equal(catalogue_services(cat, &count), s3x);
    assert_int_equal(count, 2);
    catalogue_free(cat);
}

static void a_condition_key_with_a_variable_part_is_known_by_its_pattern(void **state)
{
    (void)state;
    catalogue *cat = parsed(SMALL);
    const catalogue_key *key = catalogue_key_find(cat, KIM_TEXT("AWS:requesttag/Team,x"));
    assert_non_null(key);
    assert_text(key->name, "aws:RequestTag/${TagKey}");
    assert_false(key->multivalued);
    assert_null(catalogue_key_find(cat, KIM_TEXT("aws:RequestTag/")));
    assert_null(catalogue_key_find(cat, KIM_TEXT("aws:RequestTa")));
    key = catalogue_key_find(cat, KIM_TEXT("idp.A.B.example:SUB"));
    assert_non_null(key);
    assert_text(key->name, "idp.${Domain}.example:sub");
    key = catalogue_key_find(cat, KIM_TEXT("aws:tagkeys"));
    assert_non_null(key);
    assert_true(key->multivalued);
    assert_int_equal(key->type, CATALOGUE_STRING);
    assert_int_equal(catalogue_key_find(cat, KIM_TEXT("aws:SourceIp"))->type, CATALOGUE_IP);
    assert_null(catalogue_key_find(cat, KIM_TEXT("aws:Nonsense")));
    catalogue_free(cat);
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
    (void)state;
#define HEAD "catalogue\t1\taws\t1\n"
#define SERVICE "service\ts3\t-\tS3\n"
    static const struct { const char *text, *message; } rows[] = {
        {"", "small:0: 0 actions where the first line promises 0"},
        {"catalogue\t2\taws\t1\n", "small:1: format 2; this program reads format 1"},
        {"catalogue\tone\taws\t1\n", "small:1: this is no number: 'one'"},
        {"catalogue\t1\taws\t999999999\n", "small:1: 999999999 is past"},
        {HEAD HEAD, "small:2: a second head"},
        {SERVICE, "small:1: the first line is 'catalogue', not 'service'"},
        {HEAD "rubbish\tx\n", "small:2: no such kind of line: 'rubbish'"},
        {HEAD "key\tx\n", "small:2: key has 2 fields after its kind, not 1"},
        {HEAD "key\tx\ty\tz\tz\tz\tz\n", "small:2: too many fields"},
        {HEAD "key\t\tString\n", "small:2: field 1 of key is empty"},
        {HEAD "key\tx\tStrings\n", "small:2: no type of condition keys: 'Strings'"},
        {HEAD "key\tx\tArrayOf\n", "small:2: no type of condition keys: 'ArrayOf'"},
        {HEAD "key\tb\tString\nkey\tA\tString\n", "small:3: keys are sorted by lower-case name, unlike 'A'"},
        {HEAD "key\tb\tString\nkey\tB\tString\n", "small:3: keys are sorted"},
        {HEAD SERVICE "key\tb\tString\n", "small:3: keys stand before all services"},
        {HEAD SERVICE SERVICE, "small:3: services are sorted by prefix"},
        {HEAD SERVICE "service\ts3-x\t-\tX\n", "small:3: services are sorted by prefix"},
        {HEAD "service\ts3\tscp\tS3\n", "small:2: no flag of a service: 'scp'"},
        {HEAD "resource\tb\tarn\t-\n", "small:2: before any service: 'resource'"},
        {HEAD "action\ts3:A\tread\t-\t-\n", "small:2: before any service: 'action'"},
        {HEAD "on\tb\t-\n", "small:2: before any service: 'on'"},
        {HEAD SERVICE "on\tb\t-\n", "small:3: not a resource type of the action above"},
        {HEAD SERVICE "resource\tb\tarn\t-\nresource\ta\tarn\t-\n", "small:4: resource types are sorted"},
        {HEAD SERVICE "action\tec2:A\tread\t-\t-\n", "small:3: not an action of the service above: 'ec2:A'"},
        {HEAD SERVICE "action\ts3:\tread\t-\t-\n", "small:3: not an action of the service above: 's3:'"},
        {HEAD SERVICE "action\ts3:A\trite\t-\t-\n", "small:3: no access level: 'rite'"},
        {HEAD SERVICE "action\ts3:A\tread\tb\t-\n", "small:3: no resource type of the service, or out of order: 'b'"},
        {HEAD SERVICE "resource\tb\tarn\t-\naction\ts3:A\tread\tb,b\t-\n", "small:4: no resource type of the service, or out of order: 'b'"},
        {HEAD SERVICE "resource\tb\tarn\t-\naction\ts3:A\tread\t!\t-\n", "small:4: no resource type of the service"},
        {HEAD SERVICE "action\ts3:B\tread\t-\t-\naction\ts3:a\tread\t-\t-\n", "small:4: actions are sorted"},
        {HEAD SERVICE "action\ts3:A\tread\t-\t-\naction\ts3:B\tread\t-\t-\n", "small:4: 2 actions where the first line promises 1"},
        {HEAD SERVICE "action\ts3:A\tread\t-\t-", "small:3: the last line has no end"},
        {HEAD SERVICE "action\ts3:\xc3\xa4\tread\t-\t-\n", "small:3: byte 0xc3 is neither printable ASCII"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kim_error err = {0};
        catalogue *cat = catalogue_parse(rows[i].text, strlen(rows[i].text), "small", &err);
        if (cat || strncmp(err.message, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("row %zu says '%s', not '%s'", i, cat ? "(nothing)" : err.message, rows[i].message);
    }
}

static void a_name_past_the_longest_is_refused(void **state)
{
    (void)state;
    char text[1000];
    kim_error err = {0};
    int size = snprintf(text, sizeof text, "catalogue\t1\taws\t0\nkey\t%0300d\tString\n", 0);
    assert_null(catalogue_parse(text, (size_t)size, "small", &err));
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_string_equal(err.message, "small:2: a name of 300 bytes; the longest may have 255");
}

/* Every file that differs from a good one in one byte, or is cut anywhere, is read or refused: with the
 * sanitizers this shows that no byte of it is trusted. */
static void no_damage_is_believed(void **state)
{
    (void)state;
    char text[] = SMALL;
    size_t size = sizeof text - 1;
    static const char bytes[] = "\t\n,!-:#9a\0\xff";
    for (size_t at = 0; at < size; at++) {
        char was = text[at];
        for (size_t b = 0; b < sizeof bytes - 1; b++) {
            text[at] = bytes[b];
            catalogue_free(catalogue_parse(text, size, "small", NULL));
        }
        text[at] = was;
        assert_null(catalogue_parse(text, at, "small", NULL));
    }
}

/* ---- AWS's own ---- */

static catalogue *aws;

static int load_aws(void **state)
{
    char path[4096];
    kim_error err = {0};
    const char *folder = getenv("KIM_DATA_DIR");
    (void)state;
    snprintf(path, sizeof path, "%s/catalogue/aws.catalogue", folder ? folder : "etc");
    aws = catalogue_load(path, &err);
    if (!aws)
        print_error("%s\n", err.message);
    return aws ? 0 : -1;
}

static int free_aws(void **state)
{
    (void)state;
    catalogue_free(aws);
    return 0;
}

static void every_aws_action_is_found_and_covered_by_its_own_patterns(void **state)
{
    (void)state;
    size_t words = catalogue_words(aws);
    uint64_t *set = calloc(words, sizeof *set);
    assert_non_null(set);
    for (int32_t id = 0; id < (int32_t)catalogue_count(aws); id++) {
        char pattern[CATALOGUE_MAX_NAME];
        kim_text name = catalogue_name(aws, id);
        assert_int_equal(catalogue_action(aws, name), id);
        memcpy(pattern, name.bytes, name.size);
        pattern[name.size - 1] = '?';
        set[id / 64] = 0;
        assert_true(catalogue_match(aws, (kim_text){pattern, name.size}, set) >= 1);
        assert_true(set[id / 64] >> id % 64 & 1);
    }
    memset(set, 0, words * sizeof *set);
    assert_int_equal(catalogue_match(aws, KIM_TEXT("*"), set), catalogue_count(aws));
    assert_int_equal(catalogue_match(aws, KIM_TEXT("?*"), set), catalogue_count(aws));
    free(set);
}

static void the_services_parts_make_up_the_whole(void **state)
{
    (void)state;
    size_t count, types;
    int32_t next = 0;
    uint32_t next_type = 0;
    const catalogue_service *services = catalogue_services(aws, &count);
    catalogue_resource_types(aws, &types);
    for (size_t s = 0; s < count; s++) {
        assert_int_equal(services[s].first, next);
        assert_int_equal(services[s].first_resource_type, next_type);
        assert_ptr_equal(catalogue_service_find(aws, services[s].prefix), &services[s]);
        next += services[s].count;
        next_type += services[s].resource_type_count;
    }
    assert_int_equal(next, catalogue_count(aws));
    assert_int_equal(next_type, types);
}

static void every_condition_key_that_an_action_has_is_known(void **state)
{
    (void)state;
    for (int32_t id = 0; id < (int32_t)catalogue_count(aws); id++)
        for (kim_text rest = catalogue_keys(aws, id), name; catalogue_next(&rest, &name);)
            if (!catalogue_key_find(aws, name))
                fail_msg("%.*s has the unknown key %.*s", KIM_PRINT(catalogue_name(aws, id)), KIM_PRINT(name));
}

static void some_facts_of_aws_hold(void **state)
{
    (void)state;
    static const struct { const char *action; catalogue_level level; bool no_resource; } actions[] = {
        {"s3:GetObject", CATALOGUE_READ, false},
        {"s3:ListAllMyBuckets", CATALOGUE_LIST, true},
        {"ec2:DescribeInstances", CATALOGUE_LIST, true},
        {"iam:PassRole", CATALOGUE_WRITE, false},
        {"iam:AttachRolePolicy", CATALOGUE_PERMISSIONS, false},
        {"sts:GetCallerIdentity", CATALOGUE_READ, true},
        {"ec2:CreateTags", CATALOGUE_TAGGING, false},
    };
    static const struct { const char *key; catalogue_type type; bool multivalued; } keys[] = {
        {"aws:SourceIp", CATALOGUE_IP, false},
        {"aws:PrincipalArn", CATALOGUE_ARN, false},
        {"aws:PrincipalTag/team", CATALOGUE_STRING, false},
        {"aws:TagKeys", CATALOGUE_STRING, true},
        {"aws:CalledVia", CATALOGUE_STRING, true},
        {"aws:PrincipalOrgPaths", CATALOGUE_STRING, true},
        {"aws:CurrentTime", CATALOGUE_DATE, false},
        {"aws:MultiFactorAuthPresent", CATALOGUE_BOOL, false},
        {"aws:MultiFactorAuthAge", CATALOGUE_NUMERIC, false},
        {"kms:EncryptionContext:app", CATALOGUE_STRING, false},
        {"github.com/enterprises/any:actor", CATALOGUE_STRING, false},
    };
    static const struct { const char *prefix; bool rcp; } services[] = {
        {"s3", true}, {"sts", true}, {"kms", true}, {"sqs", true}, {"secretsmanager", true}, {"ec2", false}, {"iam", false},
    };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        int32_t id = catalogue_action(aws, kim_text_of(actions[i].action));
        if (id < 0 || catalogue_level_of(aws, id) != actions[i].level ||
            catalogue_takes_no_resource(aws, id) != actions[i].no_resource)
            fail_msg("%s", actions[i].action);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const catalogue_key *key = catalogue_key_find(aws, kim_text_of(keys[i].key));
        if (!key || key->type != keys[i].type || key->multivalued != keys[i].multivalued)
            fail_msg("%s", keys[i].key);
    }
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        const catalogue_service *service = catalogue_service_find(aws, kim_text_of(services[i].prefix));
        if (!service || service->takes_rcp != services[i].rcp)
            fail_msg("%s", services[i].prefix);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    kim_error err = {0};
    assert_null(catalogue_load("/nonexistent/aws.catalogue", &err));
    assert_int_equal(err.code, KIM_ERR_IO);
    assert_string_equal(err.message, "/nonexistent/aws.catalogue: No such file or directory");
    assert_null(catalogue_load("/", &err));
    assert_int_equal(err.code, KIM_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_action_is_found_in_any_case_and_spelt_as_the_provider_does),
        cmocka_unit_test(what_is_no_action_is_not_found),
        cmocka_unit_test(a_pattern_covers_what_its_wildcards_say),
        cmocka_unit_test(a_pattern_of_any_length_is_answered),
        cmocka_unit_test(matching_only_adds_to_a_set),
        cmocka_unit_test(an_action_names_what_it_is_done_to),
        cmocka_unit_test(an_action_may_take_no_resource),
        cmocka_unit_test(a_list_of_condition_keys_is_walked_name_by_name),
        cmocka_unit_test(a_service_knows_its_run_of_actions),
        cmocka_unit_test(a_condition_key_with_a_variable_part_is_known_by_its_pattern),
        cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
        cmocka_unit_test(a_name_past_the_longest_is_refused),
        cmocka_unit_test(no_damage_is_believed),
        cmocka_unit_test_setup_teardown(every_aws_action_is_found_and_covered_by_its_own_patterns, load_aws, free_aws),
        cmocka_unit_test_setup_teardown(the_services_parts_make_up_the_whole, load_aws, free_aws),
        cmocka_unit_test_setup_teardown(every_condition_key_that_an_action_has_is_known, load_aws, free_aws),
        cmocka_unit_test_setup_teardown(some_facts_of_aws_hold, load_aws, free_aws),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
