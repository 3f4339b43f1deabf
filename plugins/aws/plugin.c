/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c - the AWS provider as the host sees it: what it can be told, and who does what it is asked.
 */
#include <stdlib.h>

#include <kim/limits.h>

#include "plugins/aws/aws.h"
#include "plugins/aws/case.h"
#include "plugins/aws/files.h"
#include "plugins/aws/live/live.h"
#include "plugins/aws/normalise.h"
#include "plugins/aws/usage/usage.h"
#include "plugins/aws/render.h"

enum {
    CASE_MAX_BYTES = 32 * 1024 * 1024,      /* a case of KIM_CASE_MAX_BYTES, parsed, with its records' lists */
    DOCUMENT_MAX_BYTES = 512 * 1024 * 1024, /* the largest single element of an answer, parsed */
};

/* One row an option; live/ and usage/ add theirs here. */
static const kim_option options[] = {
    {.name = "files", .type = KIM_OPTION_PATH, .flags = KIM_OPTION_LIST,
     .help = "Files and folders to collect from in place of the APIs: what the AWS CLI printed, or one collected file."},
    {.name = "skip_bad_files", .type = KIM_OPTION_BOOL, .default_value = "false",
     .help = "Take the rest where a file cannot be read, in place of keeping the last good snapshot."},
    {.name = "logs", .type = KIM_OPTION_PATH, .flags = KIM_OPTION_LIST,
     .help = "CloudTrail archives to read usage from: files and folders, plain or gzip; s3://BUCKET/PREFIX; "
             "lookup:REGION for CloudTrail's event history."},
    {.name = "logs_role_arn", .type = KIM_OPTION_TEXT, .help = "The role to assume for logs in buckets and in the event history."},
    {.name = "account", .type = KIM_OPTION_TEXT,
     .help = "The account (12 digits) that a file or log belongs to where it does not say so itself."},

    {.name = "accounts", .type = KIM_OPTION_TEXT, .flags = KIM_OPTION_LIST,
     .help = "The accounts (12 digits each) to read, by assuming role_name in each; none: the one that the credentials belong to."},
    {.name = "role_name", .type = KIM_OPTION_TEXT, .default_value = "kim-read",
     .help = "The role, with its path, to assume in each of accounts."},
    {.name = "external_id", .type = KIM_OPTION_TEXT, .help = "The external id that the trust policies of these roles ask for."},
    {.name = "session_name", .type = KIM_OPTION_TEXT, .default_value = "kim", .help = "How these sessions are called in CloudTrail."},
    {.name = "regions", .type = KIM_OPTION_TEXT, .flags = KIM_OPTION_LIST,
     .help = "The regions to read; none: all that are enabled, as ec2:DescribeRegions says."},
    {.name = "region", .type = KIM_OPTION_TEXT, .default_value = "us-east-1",
     .help = "Where STS and EC2 are asked for accounts and regions."},
    {.name = "last_accessed", .type = KIM_OPTION_BOOL, .default_value = "false",
     .help = "Ask IAM for the last accessed services and actions of each user and role: two calls more for each."},
    {.name = "endpoint_url", .type = KIM_OPTION_TEXT,
     .help = "A URL in place of all of AWS's endpoints: a test server, or a gateway."},
    {.name = "access_key_id", .type = KIM_OPTION_TEXT, .flags = KIM_OPTION_SECRET, .help = "The id of the access key to ask with."},
    {.name = "secret_access_key", .type = KIM_OPTION_TEXT, .flags = KIM_OPTION_SECRET, .help = "Its secret."},
    {.name = "session_token", .type = KIM_OPTION_TEXT, .flags = KIM_OPTION_SECRET, .help = "Its session token, where it is temporary."},
    {.name = "credentials_file", .type = KIM_OPTION_PATH,
     .help = "A file of keys as the AWS CLI has it, where there is no access_key_id."},
    {.name = "credentials_profile", .type = KIM_OPTION_TEXT, .default_value = "default", .help = "The profile of that file."},
    {.name = "web_identity_token_file", .type = KIM_OPTION_PATH,
     .help = "A token of an OIDC provider, such as a Kubernetes service account's, with which role_arn is assumed."},
    {.name = "role_arn", .type = KIM_OPTION_TEXT, .help = "The role that this token may assume."},
    {.name = "container_credentials_url", .type = KIM_OPTION_TEXT,
     .help = "Where a container finds its keys: http://169.254.170.2/... in ECS, http://169.254.170.23/v1/credentials in EKS."},
    {.name = "container_token_file", .type = KIM_OPTION_PATH, .help = "The file with the token that this URL asks for."},
    {.name = "metadata_url", .type = KIM_OPTION_TEXT,
     .help = "The metadata service of an EC2 instance whose role is to be used: http://169.254.169.254."},
};
enum { OPTIONS = sizeof options / sizeof *options };

/* ---- settings ---- */

static int copy_settings(aws_plugin *self, const kim_settings *from)
{
    kim_arena *arena = self->settings_arena;
    kim_setting *items = KIM_NEW_ARRAY(arena, kim_setting, from->count);
    for (uint32_t i = 0; items && i < from->count; i++) {
        const char **values = KIM_NEW_ARRAY(arena, const char *, from->items[i].count);
        for (uint32_t k = 0; values && k < from->items[i].count; k++)
            values[k] = kim_text_copy(arena, kim_text_of(from->items[i].values[k])).bytes;
        items[i] = (kim_setting){kim_text_copy(arena, kim_text_of(from->items[i].name)).bytes, values, from->items[i].count};
    }
    self->settings = (kim_settings){items, from->count};
    return kim_arena_is_full(arena) ? -1 : 0;
}

kim_setting aws_setting(const aws_plugin *self, const char *name)
{
    for (uint32_t i = 0; i < self->settings.count; i++)
        if (strcmp(self->settings.items[i].name, name) == 0)
            return self->settings.items[i];
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0 && options[i].default_value)
            return (kim_setting){options[i].name, &options[i].default_value, 1};
    return (kim_setting){name, NULL, 0};
}

const char *aws_setting_text(const aws_plugin *self, const char *name)
{
    kim_setting setting = aws_setting(self, name);
    return setting.count ? setting.values[0] : NULL;
}

int64_t aws_setting_int(const aws_plugin *self, const char *name, int64_t otherwise)
{
    const char *text = aws_setting_text(self, name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

bool aws_setting_bool(const aws_plugin *self, const char *name)
{
    const char *text = aws_setting_text(self, name);
    return text && strcmp(text, "true") == 0;
}

/* ---- what the host calls ---- */

static void aws_close(void *instance)
{
    aws_plugin *self = instance;
    if (self == NULL)
        return;
    aws_out_stop(&self->cases);
    kim_arena_free(self->settings_arena);
    free(self);
}

static int aws_open(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err)
{
    static const kim_settings none;
    aws_plugin *self = calloc(1, sizeof *self);
    if (self == NULL || (self->settings_arena = kim_arena_new(1024 * 1024)) == NULL ||
        copy_settings(self, settings ? settings : &none) < 0) {
        aws_close(self);
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory to begin with");
    }
    self->host = host;
    if (aws_out_start(&self->cases, host, CASE_MAX_BYTES, false, err) < 0) {
        aws_close(self);
        return -1;
    }
    *instance = self;
    return 0;
}

static int aws_recognise(const char *name, const uint8_t *head, size_t size)
{
    int log = aws_usage_recognise(name, head, size);
    if (log == 2)
        return 3;
    return aws_recognise_kind(kim_text_of(name), (kim_text){(const char *)head, size}) ? 2 : log;
}

/* What one document, or all of a collection, says: joined, then sent. */
typedef int aws_work(aws_plugin *self, aws_out *out, const void *what, kim_error *err);

static int as_one(aws_plugin *self, aws_work *work, const void *what, kim_error *err)
{
    aws_out out;
    if (aws_out_start(&out, self->host, DOCUMENT_MAX_BYTES, true, err) < 0)
        return -1;
    int result = work(self, &out, what, err);
    if (result == 0)
        result = aws_normalise_end(&out, err);
    if (result == 0)
        result = aws_out_flush(&out, err);
    aws_out_stop(&out);
    return result;
}

static int normalise_document(aws_plugin *self, aws_out *out, const void *what, kim_error *err)
{
    const kim_document *document = what;
    kim_text bytes = {(const char *)document->bytes, document->size};
    aws_context context = {.account = kim_text_of(aws_setting_text(self, "account")), .origin = kim_text_of(document->name)};
    if (strcmp(document->kind, "file") == 0)
        return aws_normalise_file(out, document->name, context.account, bytes, err);
    return aws_normalise(out, document->kind, &context, bytes, err);
}

static int aws_plugin_normalise(void *instance, const kim_document *document, kim_error *err)
{
    aws_plugin *self = instance;
    if (strcmp(document->kind, "case") == 0)
        return aws_case_normalise(&self->cases, document->name, (const char *)document->bytes, document->size, err);
    if (strcmp(document->kind, "file") == 0 && aws_usage_recognise(document->name, document->bytes, document->size) == 2)
        return aws_usage_normalise(self->host, aws_setting_text(self, "account"), document, err);
    return as_one(self, normalise_document, document, err);
}

static int collect_all(aws_plugin *self, aws_out *out, const void *what, kim_error *err)
{
    if (aws_setting(self, "files").count)
        return aws_collect_files(self, out, err);
    return aws_collect_live(self, *(const uint32_t *)what, out, err);
}

static int aws_collect(void *instance, uint32_t mode, kim_error *err)
{
    return as_one(instance, collect_all, &mode, err);
}

static int aws_plugin_usage(void *instance, kim_error *err)
{
    return aws_usage(instance, err);
}

const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const char *const hosts[] = {
        "*.amazonaws.com:443", "*.amazonaws.com.cn:443", "*.api.aws:443", NULL};
    static const kim_plugin plugin = {
        .magic = KIM_PLUGIN_MAGIC,
        .struct_size = sizeof(kim_plugin),
        .abi_major = KIM_ABI_MAJOR,
        .abi_minor = KIM_ABI_MINOR,
        .capabilities = KIM_CAN_NORMALISE | KIM_CAN_COLLECT | KIM_CAN_USAGE | KIM_CAN_RENDER,
        .id = "aws",
        .version = "0.1.0",
        .vendor = "kim",
        .summary = "Amazon Web Services: identities, policies and usage of accounts and organisations",
        .options = options,
        .option_count = OPTIONS,
        .option_size = sizeof(kim_option),
        .hosts = hosts,
        .open = aws_open,
        .close = aws_close,
        .recognise = aws_recognise,
        .normalise = aws_plugin_normalise,
        .collect = aws_collect,
        .usage = aws_plugin_usage,
        .render = aws_render,
    };
    (void)host_minor; /* minors may differ either way */
    return host_major == KIM_ABI_MAJOR ? &plugin : NULL;
}
