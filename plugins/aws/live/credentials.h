/* SPDX-License-Identifier: Apache-2.0
 *
 * credentials.h - with which keys do we ask, and how are they renewed?
 *
 * The operator's keys come from the first source that is configured, in this order:
 *   1. the secrets access_key_id, secret_access_key and session_token
 *   2. credentials_file, a file as the AWS CLI has it, and credentials_profile in it
 *   3. web_identity_token_file with role_arn (a Kubernetes service account, any OIDC workload)
 *   4. container_credentials_url (ECS, EKS pod identity)
 *   5. metadata_url (EC2, IMDSv2 only)
 * Keys of another account come from AssumeRole with these.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers"; EC2 User Guide,
 * "Use the Instance Metadata Service".
 */
#ifndef AWS_LIVE_CREDENTIALS_H
#define AWS_LIVE_CREDENTIALS_H

#include "plugins/aws/aws.h"
#include "plugins/aws/live/api.h"

/* A role to assume with other keys. */
typedef struct aws_role {
    char arn[2048];
    const char *external_id;  /* NULL: none */
    const char *session_name;
    int64_t duration_s;       /* 0: AWS's default, an hour */
} aws_role;

/* Errors: KIM_ERR_INPUT (no source is configured, or it holds no keys; says what to set), KIM_ERR_IO (a
 * file), KIM_ERR_DENIED (a source refuses), those of host->http. No message holds a key. */
int aws_keys_find(const aws_plugin *self, const aws_api *api, const char *region, aws_keys *keys, kim_error *err);

/* Errors: KIM_ERR_DENIED (AWS refuses, with its reason), those of aws_ask */
int aws_keys_assume(const aws_api *api, const aws_keys *with, const char *region, const aws_role *role, aws_keys *keys,
                    kim_error *err);

/* Do they end within five minutes? */
bool aws_keys_end_soon(const aws_keys *keys, int64_t now_unix_ms);

#endif
