/* SPDX-License-Identifier: Apache-2.0
 *
 * credentials.c - a table of sources, asked in order until one is configured.
 *
 * A source that is configured but fails is an error and not a reason to try the next: an operator who
 * named a role wants that role.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kim/json.h>

#include "plugins/aws/live/credentials.h"
#include "plugins/aws/parts.h"

enum { ANSWER_MAX_BYTES = 256 * 1024, FILE_MAX_BYTES = 256 * 1024, RENEW_BEFORE_MS = 5 * 60 * 1000, METADATA_TIMEOUT_MS = 2000 };

bool aws_keys_end_soon(const aws_keys *keys, int64_t now_unix_ms)
{
    return keys->expires_unix_ms > 0 && now_unix_ms > keys->expires_unix_ms - RENEW_BEFORE_MS;
}

/* One text into a fixed field; -1 where it is absent (unless it may be) or too long. */
static int keep(char *field, size_t room, kim_text text, bool may_lack)
{
    if (text.bytes == NULL || text.size == 0)
        return may_lack ? 0 : -1;
    if (text.size >= room)
        return -1;
    memcpy(field, text.bytes, text.size);
    field[text.size] = '\0';
    return 0;
}

static int keep_keys(aws_keys *keys, kim_text access_key, kim_text secret_key, kim_text session_token, const char *source,
                     kim_error *err)
{
    memset(keys, 0, sizeof *keys);
    if (keep(keys->access_key, sizeof keys->access_key, access_key, false) < 0 ||
        keep(keys->secret_key, sizeof keys->secret_key, secret_key, false) < 0 ||
        keep(keys->session_token, sizeof keys->session_token, session_token, true) < 0) {
        aws_keys_wipe(keys);
        return kim_fail(err, KIM_ERR_INPUT, "%s: an access key id, a secret access key, or both are lacking there", source);
    }
    return 0;
}

/* ---- AWS STS ---- */

static int from_sts(const aws_api *api, const aws_call *call, aws_keys *keys, kim_error *err)
{
    kim_arena *arena = kim_arena_new(ANSWER_MAX_BYTES * 8);
    aws_answer answer;
    int result = -1;
    if (arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", call->kind);
    if (aws_ask(api, call, arena, &answer, err) == 0 && answer.status >= 300) {
        kim_fail(err, answer.status >= 500 ? KIM_ERR_NETWORK : KIM_ERR_DENIED, "%s of %s: %d %s %s", call->kind, call->args[0],
                 answer.status, answer.code, answer.message);
    } else if (answer.json.bytes != NULL) {
        const kim_json *json = kim_json_parse(answer.json.bytes, answer.json.size, call->kind, arena, err);
        const kim_json *found = kim_json_get(json, "Credentials");
        result = json == NULL ? -1
                              : keep_keys(keys, kim_json_text_of(found, "AccessKeyId"), kim_json_text_of(found, "SecretAccessKey"),
                                          kim_json_text_of(found, "SessionToken"), call->kind, err);
        if (result == 0)
            keys->expires_unix_ms = aws_time(kim_json_get(found, "Expiration"));
    }
    kim_arena_free(arena);
    return result;
}

int aws_keys_assume(const aws_api *api, const aws_keys *with, const char *region, const aws_role *role, aws_keys *keys,
                    kim_error *err)
{
    char duration[24], form[160];
    snprintf(duration, sizeof duration, "%lld", (long long)role->duration_s);
    snprintf(form, sizeof form, "RoleArn={0}&RoleSessionName={1}%s%s%s", role->external_id != NULL ? "&ExternalId={2}" : "",
             role->duration_s > 0 ? "&DurationSeconds=" : "", role->duration_s > 0 ? duration : "");
    aws_call call = {.kind = "sts:AssumeRole", .form = form, .args = {role->arn, role->session_name, role->external_id},
                     .region = region, .keys = with};
    return from_sts(api, &call, keys, err);
}

/* ---- files ---- */

/* A small file's text, freed by the caller. */
static char *read_file(const char *path, kim_error *err)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        kim_fail(err, KIM_ERR_IO, "%s cannot be read: %m", path);
        return NULL;
    }
    char *text = malloc(FILE_MAX_BYTES + 1);
    size_t size = text != NULL ? fread(text, 1, FILE_MAX_BYTES + 1, file) : 0;
    fclose(file);
    if (text == NULL || size > FILE_MAX_BYTES) {
        kim_fail(err, text == NULL ? KIM_ERR_NOMEM : KIM_ERR_LIMIT, "%s is past %d bytes", path, FILE_MAX_BYTES);
        free(text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static kim_text trimmed(const char *from, const char *to)
{
    while (from < to && strchr(" \t\r\n", *from) != NULL)
        from++;
    while (to > from && strchr(" \t\r\n", to[-1]) != NULL)
        to--;
    return (kim_text){from, (size_t)(to - from)};
}

typedef struct profile {
    kim_text access_key, secret_key, session_token;
    bool found;
} profile;

/* One line of "name = value" within the wanted profile. */
static void take_line(profile *p, kim_text line)
{
    static const struct { const char *name; size_t offset; } fields[] = {
        {"aws_access_key_id", offsetof(profile, access_key)},
        {"aws_secret_access_key", offsetof(profile, secret_key)},
        {"aws_session_token", offsetof(profile, session_token)},
    };
    const char *equals = memchr(line.bytes, '=', line.size);
    if (equals == NULL)
        return;
    kim_text name = trimmed(line.bytes, equals);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (kim_text_is(name, fields[i].name))
            *(kim_text *)((char *)p + fields[i].offset) = trimmed(equals + 1, line.bytes + line.size);
}

/* "[name]" and "[profile name]" begin one; '#' and ';' a comment. */
static profile find_profile(const char *text, const char *wanted)
{
    profile p = {0};
    bool inside = false;
    while (*text != '\0') {
        const char *end = text + strcspn(text, "\n");
        kim_text line = trimmed(text, end);
        if (line.size > 1 && line.bytes[0] == '[' && line.bytes[line.size - 1] == ']') {
            kim_text name = trimmed(line.bytes + 1, line.bytes + line.size - 1);
            if (kim_text_starts_with(name, KIM_TEXT("profile ")))
                name = trimmed(name.bytes + 8, name.bytes + name.size);
            inside = kim_text_is(name, wanted);
            p.found |= inside;
        } else if (inside && line.size > 0 && line.bytes[0] != '#' && line.bytes[0] != ';') {
            take_line(&p, line);
        }
        text = end + (*end == '\n');
    }
    return p;
}

/* ---- the sources ---- */

typedef struct asking {
    const aws_plugin *self;
    const aws_api *api;
    const char *region;
} asking;

static int from_secrets(const asking *a, const char *setting, aws_keys *keys, kim_error *err)
{
    (void)setting;
    const kim_host *host = a->self->host;
    static const char *const names[] = {"access_key_id", "secret_access_key", "session_token"};
    char *copies[3] = {NULL};
    bool lacking = false;
    for (size_t i = 0; i < 3; i++) {
        const char *value = host->secret(host->context, names[i], i < 2 ? err : NULL);
        lacking |= value == NULL && i < 2;
        copies[i] = strdup(value != NULL ? value : "");
    }
    int result = lacking || copies[0] == NULL || copies[1] == NULL || copies[2] == NULL
                     ? -1
                     : keep_keys(keys, kim_text_of(copies[0]), kim_text_of(copies[1]), kim_text_of(copies[2]),
                                 "the secrets access_key_id and secret_access_key", err);
    for (size_t i = 0; i < 3; i++)
        wipe(copies[i]);
    return result;
}

static int from_file(const asking *a, const char *path, aws_keys *keys, kim_error *err)
{
    const char *name = aws_setting_text(a->self, "credentials_profile");
    char *text = read_file(path, err);
    if (text == NULL)
        return kim_fail_in(err, "credentials_file");
    profile p = find_profile(text, name != NULL ? name : "default");
    int result = p.found ? keep_keys(keys, p.access_key, p.secret_key, p.session_token, path, err)
                         : kim_fail(err, KIM_ERR_INPUT, "%s has no profile [%s]: set credentials_profile", path,
                                    name != NULL ? name : "default");
    wipe(text);
    return result;
}

static int from_web_identity(const asking *a, const char *path, aws_keys *keys, kim_error *err)
{
    const char *role = aws_setting_text(a->self, "role_arn"), *session = aws_setting_text(a->self, "session_name");
    if (role == NULL)
        return kim_fail(err, KIM_ERR_INPUT, "web_identity_token_file needs role_arn: the role that the token may assume");
    char *token = read_file(path, err);
    if (token == NULL)
        return kim_fail_in(err, "web_identity_token_file");
    token[strcspn(token, "\r\n")] = '\0';
    aws_call call = {.kind = "sts:AssumeRoleWithWebIdentity", .form = "RoleArn={0}&RoleSessionName={1}&WebIdentityToken={2}",
                     .args = {role, session != NULL ? session : "kim", token}, .region = a->region};
    int result = from_sts(a->api, &call, keys, err);
    wipe(token);
    return result;
}

/* One exchange with a local credentials service, as text. Not signed, and tried few times: it is near. */
static char *ask_local(const asking *a, const char *method, const char *url, const kim_http_header *header, kim_error *err)
{
    kim_http_request request = {.struct_size = sizeof request, .method = method, .url = url, .headers = header,
                                .header_count = header != NULL, .attempts_max = 3, .timeout_ms = METADATA_TIMEOUT_MS,
                                .max_bytes = ANSWER_MAX_BYTES, .rate_group = "credentials", .rate_per_s = 20};
    kim_http_response response = {.struct_size = sizeof response};
    const kim_host *host = a->self->host;
    if (host->http(host->context, &request, &response, err) < 0)
        return NULL;
    char *text = response.status == 200 ? strndup((const char *)response.body, response.body_size) : NULL;
    if (response.status != 200)
        kim_fail(err, KIM_ERR_DENIED, "%s answers %d: no credentials are to be had there", url, response.status);
    else if (text == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for credentials");
    host->http_response_free(host->context, &response);
    return text;
}

/* {"AccessKeyId","SecretAccessKey","Token","Expiration"}, as the local services answer. */
static int read_local(char *text, const char *url, aws_keys *keys, kim_error *err)
{
    kim_arena *arena = kim_arena_new(ANSWER_MAX_BYTES * 8);
    const kim_json *json = arena != NULL ? kim_json_parse(text, strlen(text), url, arena, err) : NULL;
    int result = json == NULL ? -1
                              : keep_keys(keys, kim_json_text_of(json, "AccessKeyId"), kim_json_text_of(json, "SecretAccessKey"),
                                          kim_json_text_of(json, "Token"), url, err);
    if (result == 0)
        keys->expires_unix_ms = aws_time(kim_json_get(json, "Expiration"));
    kim_arena_free(arena);
    wipe(text);
    return result;
}

static int from_container(const asking *a, const char *url, aws_keys *keys, kim_error *err)
{
    const char *token_file = aws_setting_text(a->self, "container_token_file");
    char *token = NULL;
    if (token_file != NULL && (token = read_file(token_file, err)) == NULL)
        return kim_fail_in(err, "container_token_file");
    if (token != NULL)
        token[strcspn(token, "\r\n")] = '\0';
    kim_http_header authorization = {"Authorization", token};
    char *text = ask_local(a, "GET", url, token != NULL ? &authorization : NULL, err);
    wipe(token);
    return text != NULL ? read_local(text, url, keys, err) : -1;
}

/* A token first (a PUT, which a forwarder does not pass on), then the role's name, then its keys. */
static int from_metadata(const asking *a, const char *base, aws_keys *keys, kim_error *err)
{
    char url[1024];
    size_t size = strlen(base);
    while (size > 0 && base[size - 1] == '/')
        size--;
    snprintf(url, sizeof url, "%.*s/latest/api/token", (int)size, base);
    kim_http_header ttl = {"X-aws-ec2-metadata-token-ttl-seconds", "300"};
    char *token = ask_local(a, "PUT", url, &ttl, err);
    if (token == NULL)
        return -1;
    kim_http_header with_token = {"X-aws-ec2-metadata-token", token};
    snprintf(url, sizeof url, "%.*s/latest/meta-data/iam/security-credentials/", (int)size, base);
    char *role = ask_local(a, "GET", url, &with_token, err), *text = NULL;
    if (role != NULL) {
        role[strcspn(role, "\r\n")] = '\0';
        if (role[0] == '\0' || strspn(role, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-") != strlen(role)) {
            kim_fail(err, KIM_ERR_INPUT, "%s names no role: attach an instance profile", url);
        } else {
            size_t used = strlen(url);
            snprintf(url + used, sizeof url - used, "%s", role);
            text = ask_local(a, "GET", url, &with_token, err);
        }
    }
    wipe(token);
    free(role);
    return text != NULL ? read_local(text, url, keys, err) : -1;
}

/* By the setting that configures each. */
static const struct {
    const char *setting;
    int (*find)(const asking *a, const char *setting, aws_keys *keys, kim_error *err);
} sources[] = {
    {"credentials_file", from_file},
    {"web_identity_token_file", from_web_identity},
    {"container_credentials_url", from_container},
    {"metadata_url", from_metadata},
};

static bool has_secret(const kim_host *host, const char *name)
{
    const char *value = host->secret != NULL ? host->secret(host->context, name, NULL) : NULL;
    return value != NULL && value[0] != '\0';
}

int aws_keys_find(const aws_plugin *self, const aws_api *api, const char *region, aws_keys *keys, kim_error *err)
{
    asking a = {self, api, region};
    if (has_secret(self->host, "access_key_id"))
        return from_secrets(&a, NULL, keys, err);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        const char *setting = aws_setting_text(self, sources[i].setting);
        if (setting != NULL && setting[0] != '\0')
            return sources[i].find(&a, setting, keys, err);
    }
    return kim_fail(err, KIM_ERR_INPUT,
                    "aws: there are no credentials to ask with: set the secrets access_key_id and secret_access_key, or one "
                    "of the options credentials_file, web_identity_token_file, container_credentials_url, metadata_url");
}
