/* SPDX-License-Identifier: Apache-2.0
 *
 * api.c - five protocols, one request.
 *
 * They differ in where the form goes (body or URL), how an argument is escaped in it, and how a page's
 * token joins it. The answer of all five becomes JSON text or a code and a message.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kim/json.h>
#include <kim/record.h>

#include "plugins/aws/live/api.h"
#include "plugins/aws/live/xml.h"

/* Endpoints and targets: AWS General Reference, "Service endpoints and quotas", and each service's API
 * reference. Rates: the quotas there, where they are published; a tenth to a half of them. */
static const aws_service services[] = {
    {"apigateway", AWS_REST_JSON, "apigateway.{r}", "apigateway", NULL, NULL, false, 3},
    {"backup", AWS_REST_JSON, "backup.{r}", "backup", NULL, NULL, false, 5},
    {"cloudtrail", AWS_JSON, "cloudtrail.{r}", "cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "1.1", false, 2},
    {"dynamodb", AWS_JSON, "dynamodb.{r}", "dynamodb", "DynamoDB_20120810", "1.0", false, 10},
    {"ec2", AWS_EC2_QUERY, "ec2.{r}", "ec2", "2016-11-15", NULL, false, 10},
    {"ecr", AWS_JSON, "api.ecr.{r}", "ecr", "AmazonEC2ContainerRegistry_V20150921", "1.1", false, 10},
    {"efs", AWS_REST_JSON, "elasticfilesystem.{r}", "elasticfilesystem", NULL, NULL, false, 10},
    {"events", AWS_JSON, "events.{r}", "events", "AWSEvents", "1.1", false, 10},
    {"iam", AWS_QUERY, "iam", "iam", "2010-05-08", NULL, true, 15},
    {"identitystore", AWS_JSON, "identitystore.{r}", "identitystore", "AWSIdentityStore", "1.1", false, 10},
    {"iot", AWS_REST_JSON, "iot.{r}", "iot", NULL, NULL, false, 10},
    {"kms", AWS_JSON, "kms.{r}", "kms", "TrentService", "1.1", false, 30},
    {"lambda", AWS_REST_JSON, "lambda.{r}", "lambda", NULL, NULL, false, 10},
    {"organizations", AWS_JSON, "organizations.{r}", "organizations", "AWSOrganizationsV20161128", "1.1", true, 5},
    {"s3", AWS_REST_XML, "s3.{r}", "s3", NULL, NULL, false, 50},
    {"s3control", AWS_REST_XML, "{a}.s3-control.{r}", "s3", NULL, NULL, false, 10},
    {"secretsmanager", AWS_JSON, "secretsmanager.{r}", "secretsmanager", "secretsmanager", "1.1", false, 20},
    {"sns", AWS_QUERY, "sns.{r}", "sns", "2010-03-31", NULL, false, 20},
    {"sqs", AWS_JSON, "sqs.{r}", "sqs", "AmazonSQS", "1.0", false, 30},
    {"sso-admin", AWS_JSON, "sso.{r}", "sso", "SWBExternalService", "1.1", false, 10},
    {"sts", AWS_QUERY, "sts.{r}", "sts", "2011-06-15", NULL, false, 20},
};

const aws_service *aws_service_named(kim_text name)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (kim_text_is(name, services[i].name))
            return &services[i];
    return NULL;
}

const aws_service *aws_service_of(const char *kind)
{
    return aws_service_named((kim_text){kind, strcspn(kind, ":")});
}

/* Where a partition keeps what it has only once. */
static const struct { const char *partition, *suffix, *home, *iam; } partitions[] = {
    {"aws", "amazonaws.com", "us-east-1", "iam.amazonaws.com"},
    {"aws-cn", "amazonaws.com.cn", "cn-north-1", "iam.cn-north-1.amazonaws.com.cn"},
    {"aws-us-gov", "amazonaws.com", "us-gov-west-1", "iam.us-gov.amazonaws.com"},
};
enum { PARTITIONS = sizeof partitions / sizeof *partitions };

static size_t partition_of(const char *name)
{
    for (size_t i = 0; i < PARTITIONS; i++)
        if (name != NULL && strcmp(partitions[i].partition, name) == 0)
            return i;
    return 0;
}

const char *aws_home_region(const char *partition)
{
    return partitions[partition_of(partition)].home;
}

void aws_keys_wipe(aws_keys *keys)
{
    explicit_bzero(keys, sizeof *keys);
}

/* ---- forms ---- */

typedef enum escape { AS_IT_IS, FOR_URL, FOR_JSON } escape;

static void put(kim_bytes *out, const char *text)
{
    kim_bytes_append(out, text, strlen(text));
}

static void put_url(kim_bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        char escaped[4];
        if (isalnum(c) || strchr("-._~", c) != NULL)
            kim_bytes_append(out, text, 1);
        else
            kim_bytes_append(out, escaped, (size_t)snprintf(escaped, sizeof escaped, "%%%02X", c));
    }
}

static void put_json(kim_bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        char escaped[7];
        if (c == '"' || c == '\\')
            kim_bytes_append(out, "\\", 1);
        if (c < 0x20)
            kim_bytes_append(out, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
        else
            kim_bytes_append(out, text, 1);
    }
}

static void put_escaped(kim_bytes *out, const char *text, escape how)
{
    if (text == NULL)
        return;
    if (how == FOR_URL)
        put_url(out, text);
    else if (how == FOR_JSON)
        put_json(out, text);
    else
        put(out, text);
}

/* What "{x}" stands for; NULL where it stands for itself. */
static const char *placeholder(char x, const char *const args[AWS_ARGS], const char *const named[3])
{
    if (x >= '0' && x < '0' + AWS_ARGS)
        return args[x - '0'] != NULL ? args[x - '0'] : "";
    return x == 'p' ? named[0] : x == 'r' ? named[1] : x == 'a' ? named[2] : NULL;
}

static void put_form(kim_bytes *out, const char *form, const char *const args[AWS_ARGS], const char *const named[3], escape how)
{
    for (; *form != '\0'; form++) {
        const char *value = form[0] == '{' && form[1] != '\0' && form[2] == '}' ? placeholder(form[1], args, named) : NULL;
        if (value == NULL) {
            kim_bytes_append(out, form, 1);
        } else {
            put_escaped(out, value, how);
            form += 2;
        }
    }
}

kim_text aws_fill(kim_arena *arena, const char *form, const char *const args[AWS_ARGS], const char *partition,
                  const char *region, const char *account)
{
    kim_bytes out = {0};
    const char *const named[3] = {partition, region, account};
    put_form(&out, form, args, named, AS_IT_IS);
    kim_text text = out.failed ? KIM_NO_TEXT : kim_text_copy(arena, (kim_text){(const char *)out.data, out.size});
    kim_bytes_free(&out);
    return text;
}

/* ---- the request ---- */

typedef struct outgoing {
    kim_bytes url, body; /* url NUL-terminated by finish() */
    char method[8];
    kim_http_header headers[4];
    uint32_t header_count;
    char target[160], content_type[48];
} outgoing;

static void add_header(outgoing *o, const char *name, const char *value)
{
    o->headers[o->header_count++] = (kim_http_header){name, value};
}

static void put_endpoint(const aws_api *api, const aws_call *call, const aws_service *service, kim_bytes *url)
{
    size_t p = partition_of(api->partition);
    static const char *const none[AWS_ARGS];
    const char *const named[3] = {NULL, service->global ? partitions[p].home : call->region, call->account};
    if (api->endpoint_url != NULL) {
        size_t size = strlen(api->endpoint_url);
        while (size > 0 && api->endpoint_url[size - 1] == '/')
            size--;
        kim_bytes_append(url, api->endpoint_url, size);
        return;
    }
    put(url, "https://");
    if (strcmp(service->name, "iam") == 0) {
        put(url, partitions[p].iam);
        return;
    }
    put_form(url, service->endpoint, none, named, AS_IT_IS);
    put(url, ".");
    put(url, partitions[p].suffix);
}

static void write_query(const aws_call *call, const aws_service *service, const char *operation, outgoing *o)
{
    static const char *const named[3];
    strcpy(o->method, "POST");
    put(&o->url, "/");
    put(&o->body, "Action=");
    put(&o->body, operation);
    put(&o->body, "&Version=");
    put(&o->body, service->version);
    if (call->form != NULL) {
        put(&o->body, "&");
        put_form(&o->body, call->form, call->args, named, FOR_URL);
    }
    if (call->token_name != NULL) {
        put(&o->body, "&");
        put(&o->body, call->token_name);
        put(&o->body, "=");
        put_url(&o->body, call->token);
    }
    add_header(o, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
}

static void write_json(const aws_call *call, const aws_service *service, const char *operation, outgoing *o)
{
    static const char *const named[3];
    const char *form = call->form != NULL ? call->form : "{}";
    strcpy(o->method, "POST");
    put(&o->url, "/");
    put_form(&o->body, form, call->args, named, FOR_JSON);
    if (call->token_name != NULL && o->body.size > 0) { /* one more member before the last brace */
        o->body.size--;
        put(&o->body, strcmp(form, "{}") == 0 ? "\"" : ",\"");
        put(&o->body, call->token_name);
        put(&o->body, "\":\"");
        put_json(&o->body, call->token);
        put(&o->body, "\"}");
    }
    snprintf(o->target, sizeof o->target, "%s.%s", service->version, operation);
    snprintf(o->content_type, sizeof o->content_type, "application/x-amz-json-%s", service->json);
    add_header(o, "X-Amz-Target", o->target);
    add_header(o, "Content-Type", o->content_type);
}

static void write_rest(const aws_call *call, const aws_service *service, outgoing *o)
{
    static const char *const named[3];
    size_t method = strcspn(call->form, " ");
    snprintf(o->method, sizeof o->method, "%.*s", (int)method, call->form);
    put_form(&o->url, call->form + method + 1, call->args, named, FOR_URL);
    if (call->token_name != NULL) {
        put(&o->url, strchr(call->form, '?') != NULL ? "&" : "?");
        put(&o->url, call->token_name);
        put(&o->url, "=");
        put_url(&o->url, call->token);
    }
    if (strcmp(service->name, "s3control") == 0)
        add_header(o, "x-amz-account-id", call->account);
}

static int write_request(const aws_api *api, const aws_call *call, const aws_service *service, outgoing *o, kim_error *err)
{
    const char *operation = strchr(call->kind, ':') + 1;
    put_endpoint(api, call, service, &o->url);
    if (service->protocol == AWS_JSON)
        write_json(call, service, operation, o);
    else if (service->protocol == AWS_QUERY || service->protocol == AWS_EC2_QUERY)
        write_query(call, service, operation, o);
    else
        write_rest(call, service, o);
    kim_bytes_append(&o->url, "", 1);
    return o->url.failed || o->body.failed ? kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for the request", call->kind) : 0;
}

/* ---- the answer ---- */

static const char *header(const kim_http_response *response, const char *name)
{
    for (uint32_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

const char *aws_bucket_region(const kim_http_response *response)
{
    return header(response, "x-amz-bucket-region");
}

/* "com.amazonaws.kms#NotFoundException:http://..." is NotFoundException. */
static void keep_code(aws_answer *answer, kim_text code)
{
    const char *hash = code.bytes != NULL ? memchr(code.bytes, '#', code.size) : NULL;
    if (hash != NULL)
        code = (kim_text){hash + 1, code.size - (size_t)(hash + 1 - code.bytes)};
    size_t size = 0;
    while (size < code.size && size + 1 < sizeof answer->code && (isalnum((unsigned char)code.bytes[size]) || strchr("._-", code.bytes[size]) != NULL))
        size++;
    memcpy(answer->code, size > 0 ? code.bytes : "", size);
    answer->code[size] = '\0';
}

/* Printable characters only: it goes into logs and coverage. */
static void keep_message(aws_answer *answer, kim_text message)
{
    size_t size = 0;
    for (size_t i = 0; i < message.size && size + 1 < sizeof answer->message; i++)
        answer->message[size++] = (unsigned char)message.bytes[i] < 0x20 || (unsigned char)message.bytes[i] > 0x7e ? ' ' : message.bytes[i];
    answer->message[size] = '\0';
}

/* The text between <Name> and </Name>. */
static kim_text xml_text(kim_text body, const char *name)
{
    char start[24], end[24];
    snprintf(start, sizeof start, "<%s>", name);
    snprintf(end, sizeof end, "</%s>", name);
    const char *from = memmem(body.bytes, body.size, start, strlen(start));
    if (from == NULL)
        return KIM_NO_TEXT;
    from += strlen(start);
    const char *to = memmem(from, (size_t)(body.bytes + body.size - from), end, strlen(end));
    return to != NULL ? (kim_text){from, (size_t)(to - from)} : KIM_NO_TEXT;
}

/* Errors of all protocols: {"__type"|"code","message"|"Message"}, a header, or <Code> and <Message>. */
static void read_refusal(const kim_http_response *response, kim_text body, kim_arena *arena, aws_answer *answer)
{
    const kim_json *json = body.size > 0 && body.bytes[0] == '{' ? kim_json_parse(body.bytes, body.size, "error", arena, NULL) : NULL;
    static const char *const code_names[] = {"__type", "code", "Code"};
    kim_text code = KIM_NO_TEXT;
    for (size_t i = 0; i < 3 && code.bytes == NULL; i++)
        code = kim_json_text_of(json, code_names[i]);
    kim_text message = kim_json_text_of(json, "message");
    if (message.bytes == NULL)
        message = kim_json_text_of(json, "Message");
    if (header(response, "x-amzn-errortype") != NULL)
        code = kim_text_of(header(response, "x-amzn-errortype"));
    if (json == NULL && body.size > 0) {
        code = code.bytes != NULL ? code : xml_text(body, "Code");
        message = xml_text(body, "Message");
    }
    keep_code(answer, code);
    keep_message(answer, message);
}

static kim_text policy_body(kim_arena *arena, kim_text body)
{
    kim_json_writer *writer = kim_json_writer_new(false);
    if (writer == NULL)
        return KIM_NO_TEXT;
    kim_json_begin_object(writer);
    kim_json_key(writer, "Policy");
    kim_json_put_text(writer, body);
    kim_json_end_object(writer);
    size_t size;
    const char *json = kim_json_writer_bytes(writer, &size, NULL);
    kim_text result = json != NULL ? kim_text_copy(arena, (kim_text){json, size}) : KIM_NO_TEXT;
    kim_json_writer_free(writer);
    return result;
}

/* API Gateway's lists are called "item" on the wire, and "items" by the CLI. */
static kim_text with_items(kim_arena *arena, kim_text body, const char *kind, kim_error *err)
{
    const kim_json *json = kim_json_parse(body.bytes, body.size, kind, arena, err);
    kim_json_writer *writer = json != NULL ? kim_json_writer_new(false) : NULL;
    if (writer == NULL)
        return KIM_NO_TEXT;
    kim_json_begin_object(writer);
    for (size_t i = 0; json->type == KIM_JSON_OBJECT && i < json->count; i++) {
        kim_json_key_text(writer, kim_text_is(json->members[i].name, "item") ? KIM_TEXT("items") : json->members[i].name);
        kim_json_put_json(writer, json->members[i].value);
    }
    kim_json_end_object(writer);
    size_t size;
    const char *text = kim_json_writer_bytes(writer, &size, err);
    kim_text result = text != NULL ? kim_text_copy(arena, (kim_text){text, size}) : KIM_NO_TEXT;
    kim_json_writer_free(writer);
    return result;
}

static int read_answer(const aws_call *call, const aws_service *service, const kim_http_response *response, kim_arena *arena,
                       aws_answer *answer, kim_error *err)
{
    kim_text body = {(const char *)response->body, response->body_size};
    const char *region = aws_bucket_region(response);
    snprintf(answer->bucket_region, sizeof answer->bucket_region, "%s", region != NULL ? region : "");
    answer->status = response->status;
    if (response->status >= 300) {
        read_refusal(response, body, arena, answer);
        return 0;
    }
    bool is_xml = service->protocol != AWS_JSON && service->protocol != AWS_REST_JSON;
    if (call->body_is_policy) {
        answer->json = policy_body(arena, body);
        if (answer->json.bytes == NULL)
            return kim_fail(err, KIM_ERR_INPUT, "%s: the answer is no UTF-8 text", call->kind);
    } else if (is_xml) {
        answer->json = aws_xml_to_json(arena, body, service->protocol == AWS_EC2_QUERY ? AWS_XML_EC2 : AWS_XML_PLAIN, call->kind, err);
    } else if (strcmp(service->name, "apigateway") == 0) {
        answer->json = with_items(arena, body, call->kind, err);
    } else {
        answer->json = kim_text_copy(arena, body.size > 0 ? body : KIM_TEXT("{}"));
        if (answer->json.bytes == NULL)
            kim_fail(err, KIM_ERR_NOMEM, "%s: the answer is past the memory for one", call->kind);
    }
    return answer->json.bytes != NULL ? 0 : -1;
}

int aws_ask(const aws_api *api, const aws_call *call, kim_arena *arena, aws_answer *answer, kim_error *err)
{
    const aws_service *service = aws_service_of(call->kind);
    memset(answer, 0, sizeof *answer);
    if (service == NULL)
        return kim_fail(err, KIM_ERR_INTERNAL, "%s: no such service in the table", call->kind);
    outgoing o = {0};
    int result = write_request(api, call, service, &o, err);
    if (result == 0) {
        kim_http_request request = {
            .struct_size = sizeof request, .method = o.method, .url = (const char *)o.url.data, .headers = o.headers,
            .header_count = o.header_count, .body = o.body.data, .body_size = o.body.size,
            .sign = call->keys != NULL ? KIM_HTTP_AWS_SIGV4 : KIM_HTTP_UNSIGNED, .sigv4_service = service->signing,
            .sigv4_region = service->global ? aws_home_region(api->partition) : call->region,
            .rate_group = service->name, .rate_per_s = service->rate_per_s,
        };
        if (call->keys != NULL) {
            request.access_key = call->keys->access_key;
            request.secret_key = call->keys->secret_key;
            request.session_token = call->keys->session_token;
        }
        kim_http_response response = {.struct_size = sizeof response};
        result = api->host->http(api->host->context, &request, &response, err);
        if (result == 0) {
            result = read_answer(call, service, &response, arena, answer, err);
            api->host->http_response_free(api->host->context, &response);
        } else {
            kim_fail_in(err, "%s", call->kind);
        }
    }
    kim_bytes_free(&o.url);
    if (o.body.data != NULL)
        explicit_bzero(o.body.data, o.body.size); /* may hold a web identity's token */
    kim_bytes_free(&o.body);
    return result;
}

/* A key's path keeps its slashes. */
static void put_key(kim_bytes *out, const char *key)
{
    for (const char *at = key; *at != '\0';) {
        char part[1032]; /* S3 keys have up to 1024 bytes */
        size_t size = strcspn(at, "/");
        snprintf(part, sizeof part, "%.*s", (int)size, at);
        put_url(out, part);
        at += size;
        if (*at == '/') {
            put(out, "/");
            at++;
        }
    }
}

int aws_get_range(const aws_api *api, const aws_call *call, const char *bucket, const char *key, uint64_t from, uint64_t size,
                  kim_http_response *response, kim_error *err)
{
    const aws_service *service = aws_service_of(call->kind);
    kim_bytes url = {0};
    char range[64];
    put_endpoint(api, call, service, &url);
    put(&url, "/");
    put_url(&url, bucket);
    put(&url, "/");
    put_key(&url, key);
    kim_bytes_append(&url, "", 1);
    snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)from, (unsigned long long)(from + size - 1));
    const kim_http_header headers[] = {{"Range", range}, {"Accept-Encoding", "identity"}}; /* the bytes as they lie there */
    kim_http_request request = {
        .struct_size = sizeof request, .method = "GET", .url = (const char *)url.data, .headers = headers, .header_count = 2,
        .sign = KIM_HTTP_AWS_SIGV4, .sigv4_service = service->signing, .sigv4_region = call->region,
        .access_key = call->keys->access_key, .secret_key = call->keys->secret_key, .session_token = call->keys->session_token,
        .rate_group = service->name, .rate_per_s = service->rate_per_s,
    };
    memset(response, 0, sizeof *response);
    response->struct_size = sizeof *response;
    int result = url.failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory to read s3://%s/%s", bucket, key)
                            : api->host->http(api->host->context, &request, response, err);
    kim_bytes_free(&url);
    return result;
}
