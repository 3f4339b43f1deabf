/* SPDX-License-Identifier: Apache-2.0
 *
 * live.c - from the settings to sessions and regions, and a walk over each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kim/json.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/live/live.h"
#include "plugins/aws/live/walk.h"

enum { ANSWER_ARENA_MAX_BYTES = 16 * 1024 * 1024 };

typedef struct region_list {
    const char *names[AWS_REGIONS_MAX];
    size_t count;
    kim_arena *arena; /* of names that were asked for; NULL: they are the settings' own */
} region_list;

/* ---- one call outside the walk ---- */

static int ask_json(const aws_api *api, const aws_call *call, kim_arena *arena, const kim_json **json, kim_error *err)
{
    aws_answer answer;
    if (aws_ask(api, call, arena, &answer, err) < 0)
        return -1;
    if (answer.status >= 300)
        return kim_fail(err, answer.status >= 500 || answer.status == 429 ? KIM_ERR_NETWORK : KIM_ERR_DENIED, "%s: %d %s %s", call->kind,
                        answer.status, answer.code, answer.message);
    *json = kim_json_parse(answer.json.bytes, answer.json.size, call->kind, arena, err);
    return *json != NULL ? 0 : -1;
}

/* Whose keys are these? Fills the session's account and, from the ARN, the partition. */
static int find_account(aws_session *s, char partition[16], kim_error *err)
{
    kim_arena *arena = kim_arena_new(ANSWER_ARENA_MAX_BYTES);
    const aws_keys *keys = aws_session_keys(s, err);
    const kim_json *json = NULL;
    aws_call call = {.kind = "sts:GetCallerIdentity", .region = s->region, .keys = keys};
    int result = -1;
    if (arena == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "aws: no memory to begin with");
    else if (keys != NULL && ask_json(s->api, &call, arena, &json, err) == 0) {
        kim_text account = kim_json_text_of(json, "Account");
        aws_arn arn;
        if (!aws_is_account(account) || !aws_arn_split(kim_json_text_of(json, "Arn"), &arn) || arn.partition.size >= 16)
            kim_fail(err, KIM_ERR_INPUT, "sts:GetCallerIdentity names no account: is endpoint_url an endpoint of AWS?");
        else {
            snprintf(s->account, sizeof s->account, "%.*s", KIM_PRINT(account));
            snprintf(partition, 16, "%.*s", KIM_PRINT(arn.partition));
            result = 0;
        }
    }
    kim_arena_free(arena);
    return result;
}

/* ---- regions ---- */

/* As the operator says; else all that are enabled, as EC2 says; else the home region alone. */
static int find_regions(aws_session *s, region_list *list, kim_error *err)
{
    kim_setting setting = aws_setting(s->self, "regions");
    for (uint32_t i = 0; i < setting.count && list->count < AWS_REGIONS_MAX; i++)
        list->names[list->count++] = setting.values[i];
    if (list->count > 0)
        return 0;
    list->arena = kim_arena_new(ANSWER_ARENA_MAX_BYTES);
    const aws_keys *keys = aws_session_keys(s, err);
    if (list->arena == NULL || keys == NULL)
        return list->arena == NULL ? kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for the regions") : -1;
    const kim_json *json = NULL;
    aws_call call = {.kind = "ec2:DescribeRegions", .region = s->region, .keys = keys};
    kim_error why = {0};
    if (ask_json(s->api, &call, list->arena, &json, &why) < 0) {
        if (why.code != KIM_ERR_DENIED)
            return err != NULL ? (*err = why, -1) : -1;
        return kim_fail(err, KIM_ERR_DENIED, "the regions of account %s are not known: %.300s; grant ec2:DescribeRegions, or set "
                        "the option regions", s->account, why.message);
    }
    const kim_json *regions = kim_json_get(json, "Regions");
    for (size_t i = 0; kim_json_is(regions, KIM_JSON_ARRAY) && i < regions->count && list->count < AWS_REGIONS_MAX; i++) {
        kim_text name = kim_text_copy(list->arena, kim_json_text_of(&regions->items[i], "RegionName"));
        if (name.size > 0 && name.size < 32)
            list->names[list->count++] = name.bytes;
    }
    return list->count > 0 ? 0 : kim_fail(err, KIM_ERR_INPUT, "ec2:DescribeRegions names no region: set the option regions");
}

/* ---- accounts ---- */

static void say_done(const aws_plugin *self, const char *account, size_t regions)
{
    char text[96];
    snprintf(text, sizeof text, "account=%s regions=%zu", account, regions);
    self->host->log(self->host->context, KIM_LOG_INFO, "account_read", text);
}

static int read_account(aws_walk *walk, aws_session *s, kim_error *err)
{
    region_list regions = {0};
    int result = find_regions(s, &regions, err);
    if (result == 0)
        result = aws_walk_account(walk, s, regions.names, regions.count, err);
    if (result == 0)
        say_done(s->self, s->account, regions.count);
    kim_arena_free(regions.arena);
    return result;
}

/* Another account by its role. 1: read; 0: it does not let us in, which is coverage; -1 with err */
static int read_other(aws_walk *walk, const aws_session *base, const char *account, kim_error *err)
{
    const aws_plugin *self = base->self;
    const char *role = aws_setting_text(self, "role_name"), *session_name = aws_setting_text(self, "session_name");
    aws_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for account %s", account);
    s->self = self;
    s->api = base->api;
    s->region = base->region;
    s->base = base;
    s->role = (aws_role){.external_id = aws_setting_text(self, "external_id"), .session_name = session_name != NULL ? session_name : "kim"};
    snprintf(s->role.arn, sizeof s->role.arn, "arn:%s:iam::%s:role/%s", base->api->partition, account, role != NULL ? role : "kim-read");
    snprintf(s->account, sizeof s->account, "%s", account);
    kim_error why = {0};
    int result;
    if (aws_session_keys(s, &why) != NULL) {
        result = read_account(walk, s, err) < 0 ? -1 : 1;
    } else if (why.code == KIM_ERR_DENIED) {
        self->host->log(self->host->context, KIM_LOG_WARNING, "account_closed", why.message);
        result = aws_walk_closed(walk, account, why.message, err);
    } else {
        result = err != NULL ? (*err = why, -1) : -1;
    }
    aws_keys_wipe(&s->keys);
    free(s);
    return result;
}

static int read_accounts(aws_walk *walk, aws_session *base, kim_error *err)
{
    kim_setting accounts = aws_setting(base->self, "accounts");
    if (accounts.count == 0)
        return read_account(walk, base, err);
    uint32_t entered = 0;
    for (uint32_t i = 0; i < accounts.count; i++) {
        const char *account = accounts.values[i];
        if (!aws_is_account(kim_text_of(account)))
            return kim_fail(err, KIM_ERR_INPUT, "accounts: '%.40s' is no account: write its twelve digits", account);
        int result = strcmp(account, base->account) == 0 ? (read_account(walk, base, err) < 0 ? -1 : 1)
                                                         : read_other(walk, base, account, err);
        if (result < 0)
            return -1;
        entered += result > 0;
    }
    return entered > 0 ? 0 : kim_fail(err, KIM_ERR_DENIED, "none of the %u accounts lets the role %s be assumed: see the log for the "
                                      "reasons", accounts.count, aws_setting_text(base->self, "role_name"));
}

int aws_collect_live(aws_plugin *self, uint32_t mode, aws_out *out, kim_error *err)
{
    (void)mode; /* AWS has no feed of changes: each run reads all, and the agent finds what changed */
    char partition[16] = "aws";
    const char *region = aws_setting_text(self, "region"), *endpoint = aws_setting_text(self, "endpoint_url");
    aws_api api = {.host = self->host, .endpoint_url = endpoint != NULL && endpoint[0] != '\0' ? endpoint : NULL, .partition = partition};
    aws_session *base = calloc(1, sizeof *base);
    aws_walk *walk = aws_walk_new(self, &api, out, err);
    int result = -1;
    if (base == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "aws: no memory to begin with");
    } else if (walk != NULL) {
        base->self = self;
        base->api = &api;
        base->region = region != NULL ? region : "us-east-1";
        result = find_account(base, partition, err);
        if (result == 0)
            result = read_accounts(walk, base, err);
        if (result == 0)
            result = aws_walk_end(walk, err);
    }
    aws_walk_free(walk);
    if (base != NULL)
        aws_keys_wipe(&base->keys);
    free(base);
    return result;
}
