/* SPDX-License-Identifier: Apache-2.0
 *
 * plain_backend.c - the estate is built as the controller builds its own; agents are constants.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/present/plain_backend.h"

#define ACCOUNT "aws:111122223333"
#define ARN "arn:aws:iam::111122223333:"

static estate *es;
static char last[256];

static void add(estate_builder *builder, kim_record record)
{
    kim_error err;
    if (kim_text_is_absent(record.scope))
        record.scope = KIM_TEXT(ACCOUNT);
    if (estate_builder_add(builder, &record, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
}

static void add_identity(estate_builder *builder, const char *id, const char *name, int32_t kind)
{
    add(builder, (kim_record){.type = KIM_IDENTITY,
                              .identity = {.id = kim_text_of(id), .name = kim_text_of(name), .kind = kind}});
}

static void add_grant(estate_builder *builder, const char *policy, const char *subject, const char *action,
                      const char *resource, const char *condition)
{
    const kim_text actions[] = {kim_text_of(action)}, resources[] = {kim_text_of(resource)};
    add(builder, (kim_record){.type = KIM_POLICY, .policy = {.id = kim_text_of(policy), .name = kim_text_of(policy),
                                                             .version = KIM_TEXT("2012-10-17"), .kind = KIM_TEXT("inline")}});
    kim_statement statement = {.policy = kim_text_of(policy), .sid = KIM_TEXT("Read"), .effect = KIM_ALLOW,
                               .actions = {actions, 1}, .resources = {resources, 1}};
    if (condition != NULL)
        statement.condition = (kim_condition){KIM_TEXT("aws"), kim_text_of(condition)};
    add(builder, (kim_record){.type = KIM_STATEMENT, .statement = statement});
    add(builder, (kim_record){.type = KIM_ATTACHMENT, .attachment = {.policy = kim_text_of(policy),
                                                                    .layer = KIM_TEXT("identity"),
                                                                    .subject = kim_text_of(subject)}});
}

static void add_all(estate_builder *builder, size_t more)
{
    static const kim_pair layers[] = {{{"identity", 8}, {"grant", 5}}, {{"resource", 8}, {"grant", 5}}};
    add(builder, (kim_record){.type = KIM_PROFILE, .profile = {.id = KIM_TEXT("aws"), .combining = KIM_TEXT("layered"),
                                                              .wildcard = KIM_TEXT("arn"), .letter_case = KIM_TEXT("sensitive"),
                                                              .layers = {layers, 2}, .catalogue = KIM_TEXT("aws")}});
    add(builder, (kim_record){.type = KIM_SCOPE, .scope = KIM_TEXT(ACCOUNT),
                              .as_scope = {.id = KIM_TEXT(ACCOUNT), .kind = KIM_TEXT("account")}});
    add_identity(builder, ARN "user/ann", "ann", KIM_HUMAN);
    add_identity(builder, ARN "user/bob", "bob", KIM_HUMAN);
    add_identity(builder, ARN "group/dev", "dev", KIM_GROUP);
    add(builder, (kim_record){.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = KIM_TEXT(ARN "user/ann"),
                                                        .to = KIM_TEXT(ARN "group/dev"), .via = KIM_TEXT("group")}});
    add_grant(builder, "dev-read", ARN "group/dev", "s3:GetObject", "arn:aws:s3:::b/*", NULL);
    add_grant(builder, "bob-read", ARN "user/bob", "s3:GetObject", "arn:aws:s3:::b/*", "{\"IpAddress\":{\"aws:SourceIp\":\"192.0.2.0/24\"}}");
    add_grant(builder, "bob-list", ARN "user/bob", "sqs:*", "*", NULL);
    add(builder, (kim_record){.type = KIM_CREDENTIAL, .credential = {.id = KIM_TEXT("AKIA1"), .identity = KIM_TEXT(ARN "user/ann"),
                                                                    .kind = KIM_TEXT("access_key"), .created_unix_ms = 1000}});
    add(builder, (kim_record){.type = KIM_COVERAGE, .coverage = {.part = KIM_TEXT("iam"), .status = KIM_READ}});
    add(builder, (kim_record){.type = KIM_COVERAGE, .coverage = {.part = KIM_TEXT("kms:key-policy"), .status = KIM_UNREADABLE,
                                                                .why = KIM_TEXT("access denied")}});
    add(builder, (kim_record){.type = KIM_COVERAGE, .coverage = {.part = KIM_TEXT("s3:bucket-policy"), .status = KIM_READ}});
    add(builder, (kim_record){.type = KIM_COVERAGE, .coverage = {.part = KIM_TEXT("log:management"), .status = KIM_READ,
                                                                .from_unix_ms = PLAIN_LOG_END_UNIX_MS - 365 * PLAIN_DAY_MS,
                                                                .to_unix_ms = PLAIN_LOG_END_UNIX_MS}});
    add(builder, (kim_record){.type = KIM_RESOURCE, .resource = {.id = KIM_TEXT("arn:aws:s3:::b"), .type = KIM_TEXT("s3:bucket")}});
    for (size_t i = 0; i < more; i++) {
        char id[96], name[32];
        snprintf(name, sizeof name, "role-%06zu", i);
        snprintf(id, sizeof id, ARN "role/%s", name);
        add_identity(builder, id, name, KIM_ROLE);
    }
}

static estate *get_estate(void *context)
{
    (void)context;
    return estate_hold(es);
}

static int64_t get_now(void *context)
{
    (void)context;
    return PLAIN_NOW_UNIX_MS;
}

static int get_status(void *context, http_status *out, kim_error *err)
{
    (void)context, (void)err;
    *out = (http_status){.started_unix_ms = PLAIN_NOW_UNIX_MS - 60000, .published_unix_ms = PLAIN_NOW_UNIX_MS - 1000, .usage_rows = 7};
    return 0;
}

static int list_agents(void *context, http_agent_function *found, void *found_context, kim_error *err)
{
    (void)context, (void)err;
    static const kim_text scopes[] = {{ACCOUNT, sizeof ACCOUNT - 1}};
    const http_stream stream = {.name = KIM_TEXT("aws-main"), .provider = KIM_TEXT("aws"), .generation = 7, .records = 12};
    const http_agent agents[] = {
        {.name = KIM_TEXT("old"), .state = KIM_TEXT("revoked"), .scopes = {scopes, 1}},
        {.name = KIM_TEXT("web-17"), .state = KIM_TEXT("active"), .scopes = {scopes, 1}, .connected = true,
         .last_seen_unix_ms = PLAIN_NOW_UNIX_MS, .streams = &stream, .stream_count = 1},
    };
    for (size_t i = 0; i < 2; i++) {
        int result = found(found_context, &agents[i]);
        if (result != 0)
            return result;
    }
    return 0;
}

static int add_agent(void *context, kim_text name, kim_texts scopes, char token[HTTP_TOKEN_BYTES],
                     int64_t *expires_unix_ms, kim_error *err)
{
    (void)context;
    if (kim_text_is(name, "web-17"))
        return kim_fail(err, KIM_ERR_CONFLICT, "web-17 is enrolled already");
    snprintf(last, sizeof last, "add %.*s %.*s", KIM_PRINT(name), KIM_PRINT(scopes.items[0]));
    strcpy(token, "once-only");
    *expires_unix_ms = PLAIN_NOW_UNIX_MS + 1000;
    return 0;
}

static int approve_agent(void *context, kim_text name, kim_error *err)
{
    (void)context;
    if (!kim_text_is(name, "web-17"))
        return kim_fail(err, KIM_ERR_NOT_FOUND, "there is no agent '%.*s'", KIM_PRINT(name));
    snprintf(last, sizeof last, "approve %.*s", KIM_PRINT(name));
    return 0;
}

static int revoke_agent(void *context, kim_text name, kim_error *err)
{
    (void)context, (void)err;
    snprintf(last, sizeof last, "revoke %.*s", KIM_PRINT(name));
    return 0;
}

static int import(void *context, const uint8_t *records, size_t size, uint64_t *count, kim_error *err)
{
    (void)context, (void)records, (void)err;
    snprintf(last, sizeof last, "import %zu", size);
    *count = 1;
    return 0;
}

static int publish(void *context, kim_error *err)
{
    (void)context, (void)err;
    strcpy(last, "publish");
    return 0;
}

http_backend plain_backend(size_t more)
{
    kim_error err = {0};
    char catalogues[4096];
    const char *data = getenv("KIM_DATA_DIR");
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", data != NULL ? data : "etc");
    estate_builder *builder = estate_builder_new(catalogues, &err);
    if (builder != NULL) {
        add_all(builder, more);
        es = estate_build(builder, &err);
    }
    if (es == NULL) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    last[0] = '\0';
    return (http_backend){
        .estate = get_estate, .now_unix_ms = get_now, .status = get_status, .agents = list_agents,
        .agent_add = add_agent, .agent_approve = approve_agent, .agent_revoke = revoke_agent,
        .import = import, .publish = publish,
    };
}

void plain_backend_end(void)
{
    estate_release(es);
    es = NULL;
}

const char *plain_backend_last(void)
{
    return last;
}
