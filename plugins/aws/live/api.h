/* SPDX-License-Identifier: Apache-2.0
 *
 * api.h - one call of one AWS API: a form and its arguments to a request, the answer to CLI-like JSON.
 *
 * A form says what to send, in the protocol's own notation, with {0} to {2} for the arguments:
 *   query and EC2   "UserName={0}&MaxItems=1000"
 *   JSON            {"KeyId":"{0}","PolicyName":"default"}
 *   REST            "GET /2015-03-31/functions/{0}/policy"
 */
#ifndef AWS_LIVE_API_H
#define AWS_LIVE_API_H

#include <kim/arena.h>
#include <kim/plugin.h>
#include <kim/text.h>

typedef enum aws_protocol { AWS_QUERY, AWS_EC2_QUERY, AWS_JSON, AWS_REST_JSON, AWS_REST_XML } aws_protocol;

typedef struct aws_service {
    const char *name;     /* as kinds have it: "iam" of "iam:ListUsers" */
    aws_protocol protocol;
    const char *endpoint; /* in front of ".amazonaws.com"; {r}: the region */
    const char *signing;
    const char *version;  /* query: of the API; JSON: the target's prefix */
    const char *json;     /* "1.0" or "1.1" */
    bool global;          /* one endpoint for all regions of a partition */
    uint32_t rate_per_s;  /* below what AWS allows one account, for others are asking too */
} aws_service;

/* NULL: no such service in the table. */
const aws_service *aws_service_named(kim_text name);
/* The service of a kind: "iam" of "iam:ListUsers". */
const aws_service *aws_service_of(const char *kind);

enum { AWS_ARGS = 3, AWS_KEY_CHARS = 256, AWS_TOKEN_CHARS = 16384, AWS_CODE_CHARS = 96, AWS_MESSAGE_CHARS = 320 };

typedef struct aws_keys {
    char access_key[AWS_KEY_CHARS], secret_key[AWS_KEY_CHARS], session_token[AWS_TOKEN_CHARS];
    int64_t expires_unix_ms; /* 0: not known to expire */
} aws_keys;
void aws_keys_wipe(aws_keys *keys);

typedef struct aws_call {
    const char *kind;       /* "iam:ListUsers": service and operation */
    const char *form;       /* NULL: nothing to say */
    const char *args[AWS_ARGS];
    const char *token_name; /* of the page's token in the request; NULL: first page */
    const char *token;
    const char *region, *account; /* account: for the services that want it beside the keys; may be NULL */
    const aws_keys *keys;   /* NULL: unsigned */
    bool body_is_policy;    /* the whole body is the text of {"Policy": ...} */
} aws_call;

typedef struct aws_answer {
    int32_t status;
    kim_text json;                     /* of a status below 300: in the arena */
    char code[AWS_CODE_CHARS];         /* of others: AWS's word for the error; "" of none */
    char message[AWS_MESSAGE_CHARS];   /* what AWS says of it */
    char bucket_region[32];            /* where S3 says the bucket is; "" where it does not */
} aws_answer;

typedef struct aws_api {
    const kim_host *host;
    const char *endpoint_url; /* in place of every AWS endpoint; NULL: AWS's own */
    const char *partition;    /* "aws", "aws-cn", "aws-us-gov" */
} aws_api;

/* Errors: those of host->http, KIM_ERR_INPUT (a body that is not what the protocol promises, or breaks
 * off), KIM_ERR_NOMEM, KIM_ERR_INTERNAL (no such service). AWS's refusals are answers. */
int aws_ask(const aws_api *api, const aws_call *call, kim_arena *arena, aws_answer *answer, kim_error *err);

/* `size` bytes of an object from `from` on, as they are: 206 and fewer at the end, 416 behind it, 200 from a
 * server that knows no ranges. For host->http_response_free. Of `call` only kind, keys and region count.
 * Errors: those of host->http, KIM_ERR_NOMEM */
int aws_get_range(const aws_api *api, const aws_call *call, const char *bucket, const char *key, uint64_t from, uint64_t size,
                  kim_http_response *response, kim_error *err);
/* Where S3 says the bucket is; NULL where it does not. Ends with the response. */
const char *aws_bucket_region(const kim_http_response *response);

/* The region that a partition's global services sign for: "us-east-1" of aws. */
const char *aws_home_region(const char *partition);

/* Puts the arguments in, as they are, and {p}, {r}, {a} for partition, region and account. In the arena. */
kim_text aws_fill(kim_arena *arena, const char *form, const char *const args[AWS_ARGS], const char *partition,
                  const char *region, const char *account);

#endif
