/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.c - a log in blocks: ranges of an object, or pages of events.
 *
 * Both are fetched block by block as they are read, so that memory does not grow with the log. A page of
 * LookupEvents is a JSON value, and several one after another are a log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kim/json.h>

#include "plugins/aws/live/archive.h"
#include "plugins/aws/live/credentials.h"
#include "plugins/aws/live/walk.h"
#include "plugins/aws/parts.h"

#define BUCKET_PLACE "s3://"
#define LOOKUP_PLACE "lookup:"

enum {
    BLOCK_BYTES = 4 * 1024 * 1024,
    ANSWER_ARENA_MAX_BYTES = 64 * 1024 * 1024,
    WINDOW_S = 6 * 3600,
    KEPT_DAYS = 90,          /* as long as CloudTrail keeps its event history */
    SETTLED_AFTER_S = 20 * 60, /* events show up within 15 minutes, mostly. CloudTrail User Guide */
    PATH_CHARS = 2048,
};

struct aws_archive {
    const aws_plugin *self;
    aws_api api;
    char partition[16], region[32];
    aws_session own, role;      /* role.base: &own, where logs_role_arn is set */
    aws_session *session;
    char bucket_region[32];     /* of the bucket asked last */
    /* The log at hand. */
    char path[PATH_CHARS];
    uint8_t *block;             /* [block_size], read up to block_at */
    size_t block_size, block_at;
    uint64_t offset;            /* of an object: where the next block begins */
    char *token;                /* of events: the next page's */
    bool at_end;
};

bool aws_archive_is_place(const char *place)
{
    return strncmp(place, BUCKET_PLACE, strlen(BUCKET_PLACE)) == 0 || strncmp(place, LOOKUP_PLACE, strlen(LOOKUP_PLACE)) == 0;
}

aws_archive *aws_archive_open(const aws_plugin *self, kim_error *err)
{
    aws_archive *a = calloc(1, sizeof *a);
    if (a == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to read logs at AWS");
        return NULL;
    }
    const char *region = aws_setting_text(self, "region"), *endpoint = aws_setting_text(self, "endpoint_url");
    const char *role = aws_setting_text(self, "logs_role_arn"), *name = aws_setting_text(self, "session_name");
    snprintf(a->region, sizeof a->region, "%s", region != NULL ? region : "us-east-1");
    snprintf(a->partition, sizeof a->partition, "%s", strncmp(a->region, "cn-", 3) == 0 ? "aws-cn" : "aws");
    a->self = self;
    a->api = (aws_api){.host = self->host, .endpoint_url = endpoint != NULL && endpoint[0] != '\0' ? endpoint : NULL, .partition = a->partition};
    a->own = (aws_session){.self = self, .api = &a->api, .region = a->region};
    a->session = &a->own;
    if (role != NULL) {
        a->role = (aws_session){.self = self, .api = &a->api, .region = a->region, .base = &a->own,
                                .role = {.external_id = aws_setting_text(self, "external_id"), .session_name = name != NULL ? name : "kim"}};
        snprintf(a->role.role.arn, sizeof a->role.role.arn, "%s", role);
        a->session = &a->role;
    }
    if (aws_session_keys(a->session, err) == NULL) {
        aws_archive_close(a);
        return NULL;
    }
    return a;
}

static void end_log(aws_archive *a)
{
    free(a->block);
    free(a->token);
    a->block = NULL;
    a->token = NULL;
    a->block_size = a->block_at = 0;
    a->offset = 0;
    a->at_end = false;
}

void aws_archive_close(aws_archive *a)
{
    if (a == NULL)
        return;
    end_log(a);
    aws_keys_wipe(&a->own.keys);
    aws_keys_wipe(&a->role.keys);
    free(a);
}

/* "s3://bucket/a/b": the bucket, and what follows it. */
static const char *split_bucket(const char *path, char bucket[64])
{
    const char *name = path + strlen(BUCKET_PLACE);
    size_t size = strcspn(name, "/");
    snprintf(bucket, 64, "%.*s", (int)size, name);
    return name[size] == '/' ? name + size + 1 : name + size;
}

/* A signed call, in the bucket's own region once S3 names it. AWS's refusal is an error here: KIM_ERR_IO. */
static int ask(aws_archive *a, aws_call *call, kim_arena *arena, aws_answer *answer, kim_error *err)
{
    call->keys = aws_session_keys(a->session, err);
    if (call->keys == NULL || aws_ask(&a->api, call, arena, answer, err) < 0)
        return -1;
    if (answer->status >= 300 && answer->bucket_region[0] != '\0' && strcmp(answer->bucket_region, call->region) != 0) {
        snprintf(a->bucket_region, sizeof a->bucket_region, "%s", answer->bucket_region);
        call->region = a->bucket_region;
        if (aws_ask(&a->api, call, arena, answer, err) < 0)
            return -1;
    }
    return answer->status < 300 ? 0 : kim_fail(err, KIM_ERR_IO, "%s of %s: %d %s %s", call->kind, call->args[0], answer->status,
                                               answer->code, answer->message);
}

/* ---- lists ---- */

/* One page of a bucket; *token: the next one's. */
static int list_page(aws_archive *a, const char *bucket, const char *prefix, char **token, aws_archive_each *each, void *context,
                     kim_error *err)
{
    kim_arena *arena = kim_arena_new(ANSWER_ARENA_MAX_BYTES);
    aws_call call = {.kind = "s3:ListObjectsV2", .form = "GET /{0}?list-type=2&prefix={1}", .args = {bucket, prefix},
                     .token_name = *token != NULL ? "continuation-token" : NULL, .token = *token,
                     .region = a->bucket_region[0] != '\0' ? a->bucket_region : a->region};
    aws_answer answer;
    const kim_json *json = NULL;
    int result = arena == NULL ? kim_fail(err, KIM_ERR_NOMEM, "no memory to list %s", bucket) : ask(a, &call, arena, &answer, err);
    if (result == 0 && (json = kim_json_parse(answer.json.bytes, answer.json.size, call.kind, arena, err)) == NULL)
        result = -1;
    const kim_json *objects = kim_json_get(json, "Contents");
    for (size_t i = 0; result == 0 && kim_json_is(objects, KIM_JSON_ARRAY) && i < objects->count; i++) {
        const kim_json *o = &objects->items[i];
        char path[PATH_CHARS];
        kim_text key = kim_json_text_of(o, "Key");
        int size = snprintf(path, sizeof path, BUCKET_PLACE "%s/%.*s", bucket, KIM_PRINT(key));
        if (key.size > 0 && (size_t)size < sizeof path && path[size - 1] != '/')
            result = each(context, path, (uint64_t)kim_json_int(kim_json_get(o, "Size"), 0), aws_time(kim_json_get(o, "LastModified")), err);
    }
    kim_text next = kim_json_text_of(json, "NextContinuationToken");
    bool again = next.size > 0 && *token != NULL && kim_text_is(next, *token);
    if (result == 0 && again)
        result = kim_fail(err, KIM_ERR_INPUT, "s3:ListObjectsV2 of %s gives the same page token again: the list would never end", bucket);
    free(*token);
    *token = result == 0 && next.size > 0 ? strndup(next.bytes, next.size) : NULL;
    kim_arena_free(arena);
    return result;
}

static int list_bucket(aws_archive *a, const char *place, aws_archive_each *each, void *context, kim_error *err)
{
    char bucket[64], *token = NULL;
    const char *prefix = split_bucket(place, bucket);
    a->bucket_region[0] = '\0';
    size_t pages = 0;
    int result;
    do {
        result = list_page(a, bucket, prefix, &token, each, context, err);
    } while (result == 0 && token != NULL && ++pages < 1000000);
    free(token);
    return result;
}

/* Windows that are over; named by their beginning, as CloudTrail names its files. */
static int list_windows(aws_archive *a, const char *place, aws_archive_each *each, void *context, kim_error *err)
{
    int64_t now = a->self->host->now_unix_ms(a->self->host->context) / 1000;
    int64_t last = (now - SETTLED_AFTER_S) / WINDOW_S * WINDOW_S;
    int result = 0;
    for (int64_t at = last - (int64_t)KEPT_DAYS * 86400 + WINDOW_S; at < last && result == 0; at += WINDOW_S) {
        char path[256], stamp[32];
        struct tm utc;
        time_t begin = (time_t)at;
        gmtime_r(&begin, &utc);
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%MZ", &utc);
        snprintf(path, sizeof path, "%.200s/%s.json", place, stamp);
        result = each(context, path, 0, (at + WINDOW_S) * 1000, err);
    }
    return result;
}

int aws_archive_list(aws_archive *a, const char *place, aws_archive_each *each, void *context, kim_error *err)
{
    if (strncmp(place, LOOKUP_PLACE, strlen(LOOKUP_PLACE)) == 0)
        return list_windows(a, place, each, context, err);
    return list_bucket(a, place, each, context, err);
}

/* ---- blocks ---- */

static int take_block(aws_archive *a, const char *bytes, size_t size, kim_error *err)
{
    free(a->block);
    a->block = malloc(size + 1);
    a->block_size = a->block_at = 0;
    if (a->block == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to read %s", a->path);
    memcpy(a->block, bytes, size);
    a->block_size = size;
    return 0;
}

static int next_range(aws_archive *a, kim_error *err)
{
    char bucket[64];
    const char *key = split_bucket(a->path, bucket);
    aws_call call = {.kind = "s3:GetObject", .region = a->bucket_region[0] != '\0' ? a->bucket_region : a->region};
    call.keys = aws_session_keys(a->session, err);
    if (call.keys == NULL)
        return -1;
    kim_http_response response;
    for (int attempt = 0;; attempt++) {
        if (aws_get_range(&a->api, &call, bucket, key, a->offset, BLOCK_BYTES, &response, err) < 0)
            return -1;
        const char *elsewhere = aws_bucket_region(&response);
        if (attempt > 0 || response.status < 300 || response.status == 416 || elsewhere == NULL || strcmp(elsewhere, call.region) == 0)
            break;
        snprintf(a->bucket_region, sizeof a->bucket_region, "%s", elsewhere);
        call.region = a->bucket_region;
        a->api.host->http_response_free(a->api.host->context, &response);
    }
    int result = 0;
    if (response.status == 416) { /* nothing from there on */
        a->at_end = true;
    } else if (response.status >= 300) {
        result = kim_fail(err, KIM_ERR_IO, "%s: S3 answers %d; grant s3:GetObject", a->path, response.status);
    } else {
        result = take_block(a, (const char *)response.body, response.body_size, err);
        a->offset += response.body_size;
        a->at_end = response.status == 200 || response.body_size < BLOCK_BYTES;
    }
    a->api.host->http_response_free(a->api.host->context, &response);
    return result;
}

/* "lookup:eu-west-1/20260801T0600Z.json": the region and the window. */
static int64_t split_window(const char *path, char region[32])
{
    const char *name = path + strlen(LOOKUP_PLACE), *slash = strrchr(path, '/');
    snprintf(region, 32, "%.*s", (int)strcspn(name, "/"), name);
    struct tm utc = {0};
    if (slash == NULL || sscanf(slash + 1, "%4d%2d%2dT%2d%2dZ", &utc.tm_year, &utc.tm_mon, &utc.tm_mday, &utc.tm_hour, &utc.tm_min) != 5)
        return -1;
    utc.tm_year -= 1900;
    utc.tm_mon -= 1;
    return (int64_t)timegm(&utc);
}

static int next_events(aws_archive *a, kim_error *err)
{
    char region[32], form[96];
    int64_t begin = split_window(a->path, region);
    snprintf(form, sizeof form, "{\"StartTime\":%lld,\"EndTime\":%lld,\"MaxResults\":50}", (long long)begin,
             (long long)(begin + WINDOW_S - 1)); /* both ends count */
    aws_call call = {.kind = "cloudtrail:LookupEvents", .form = form, .args = {region}, .region = region,
                     .token_name = a->token != NULL ? "NextToken" : NULL, .token = a->token};
    kim_arena *arena = kim_arena_new(ANSWER_ARENA_MAX_BYTES);
    aws_answer answer;
    const kim_json *json = NULL;
    int result = arena == NULL || begin < 0 ? kim_fail(err, KIM_ERR_IO, "%s cannot be read", a->path) : ask(a, &call, arena, &answer, err);
    if (result == 0 && (json = kim_json_parse(answer.json.bytes, answer.json.size, call.kind, arena, err)) == NULL)
        result = -1;
    if (result == 0)
        result = take_block(a, answer.json.bytes, answer.json.size, err);
    kim_text next = kim_json_text_of(json, "NextToken");
    if (result == 0 && a->token != NULL && kim_text_is(next, a->token))
        result = kim_fail(err, KIM_ERR_IO, "%s: the same page token again: it would never end", a->path);
    free(a->token);
    a->token = result == 0 && next.size > 0 ? strndup(next.bytes, next.size) : NULL;
    a->at_end = a->token == NULL;
    kim_arena_free(arena);
    return result;
}

void aws_archive_begin(aws_archive *a, const char *path)
{
    end_log(a);
    snprintf(a->path, sizeof a->path, "%s", path);
}

ssize_t aws_archive_read(void *archive, void *to, size_t size, kim_error *err)
{
    aws_archive *a = archive;
    size_t given = 0;
    while (given < size) {
        if (a->block_at == a->block_size) {
            kim_error why = {0};
            if (a->at_end)
                break;
            if ((strncmp(a->path, LOOKUP_PLACE, strlen(LOOKUP_PLACE)) == 0 ? next_events(a, &why) : next_range(a, &why)) < 0) {
                if (why.code == KIM_ERR_STOPPED || why.code == KIM_ERR_NOMEM || why.code == KIM_ERR_TIMEOUT)
                    return err != NULL ? (*err = why, -1) : -1;
                return kim_fail(err, KIM_ERR_IO, "%.400s", why.message);
            }
            continue;
        }
        size_t part = a->block_size - a->block_at < size - given ? a->block_size - a->block_at : size - given;
        memcpy((uint8_t *)to + given, a->block + a->block_at, part);
        a->block_at += part;
        given += part;
    }
    return (ssize_t)given;
}
