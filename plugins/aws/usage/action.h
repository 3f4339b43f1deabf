/* SPDX-License-Identifier: Apache-2.0
 *
 * action.h - the IAM action that an event stands for.
 *
 * CloudTrail names the API call; IAM decides about actions, and the two differ for many. An event is looked
 * up in three steps, the first that answers counts: the table of events that are spelt otherwise; the
 * catalogue (etc/catalogue/aws.catalogue, compiled in) under the service's prefix, letters folded; the
 * same without the API version that Lambda and CloudFront append. Nothing is guessed: what is in none
 * is unmapped.
 *
 * Sources: AWS CloudTrail User Guide, "CloudTrail record contents" (eventSource, eventName, eventType);
 * Amazon S3 User Guide, "Amazon S3 CloudTrail events" and "Required permissions for Amazon S3 API
 * operations"; Lambda Developer Guide, "Logging AWS Lambda API calls"; API Gateway Developer Guide,
 * "Control access to API Gateway with IAM" (HTTP verbs); Service Authorization Reference. The service's
 * names in eventSource are the endpoint prefixes and signing names of botocore's service models
 * (PyPI botocore 1.44.5, Apache-2.0).
 */
#ifndef AWS_USAGE_ACTION_H
#define AWS_USAGE_ACTION_H

#include <kim/text.h>

typedef enum action_kind {
    ACTION_UNMAPPED, /* an API call for which no action is known */
    ACTION_KNOWN,
    ACTION_NONE,     /* nothing that IAM decides by an action: a sign-in, a service's own event */
} action_kind;

/* What resources the catalogue has for an action. */
typedef enum action_takes {
    TAKES_NONE,    /* none: a policy can allow it on "*" alone */
    TAKES_ONE,     /* one type must be named, others may be */
    TAKES_ANY,     /* one of several types */
    TAKES_SEVERAL, /* several types must be named together */
} action_takes;

enum { ACTION_MAX_BYTES = 160 }; /* prefix, ':' and name */

/* A further action that the same call needs. */
typedef enum action_also_kind {
    ALSO_SAME,        /* on the same resource */
    ALSO_ARN,         /* on the ARN at `path` of requestParameters; nothing where there is none */
    ALSO_COPY_SOURCE, /* on the S3 object that `path` names as "bucket/key" */
} action_also_kind;
typedef struct action_also {
    const char *event, *action; /* "lambda:CreateFunction", "iam:PassRole" */
    action_also_kind kind;
    const char *path[4];        /* names, NULL after the last */
} action_also;

typedef struct action {
    action_kind kind;
    action_takes takes;
    char text[ACTION_MAX_BYTES]; /* "s3:ListBucket", NUL-terminated */
    size_t size, prefix_size;    /* of text; of "s3" */
    bool by_resources;           /* the event's own resources tell the action's */
    bool on_object;              /* s3: on an object and not on its bucket */
    uint8_t rows[4], row_count;  /* of target.c's table: how the request names the resource */
    bool has_version;            /* s3: with a versionId the action is another (action_versioned) */
    const action_also *also;     /* rows whose event is this one; NULL: none */
    size_t also_count;
} action;

/* source: "s3.amazonaws.com"; name: "ListObjects"; type: eventType, may be absent. Slow: keep the result. */
void action_resolve(kim_text source, kim_text name, kim_text type, action *out);

/* The same for an action as a message writes it, "iam:PassRole". */
void action_written(kim_text text, action *out);

/* Is "prefix:Name" in the catalogue? Its spelling there, into out; letters are folded. */
bool action_spell(kim_text written, char out[ACTION_MAX_BYTES], action_takes *takes);

/* The action on a named version of an object: "s3:GetObjectVersion" for "s3:GetObject". */
const char *action_versioned(const char *text);

/* What CloudTrail logs as data events, which a trail has only where it was told to.
 * Source: AWS CloudTrail User Guide, "Logging data events". Ends with a row of NULLs. */
typedef struct action_data {
    const char *prefix;
    const char *const *actions; /* ends with NULL */
} action_data;
extern const action_data action_data_events[];

/* For the test of the tables: each row's spelling; NULL after the last. */
const char *action_table_row(size_t i, const char **to);

#endif
