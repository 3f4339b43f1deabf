/* SPDX-License-Identifier: Apache-2.0
 *
 * render.h - a proposal as AWS takes it: policy documents, or Terraform that makes and attaches them.
 */
#ifndef AWS_RENDER_H
#define AWS_RENDER_H

#include "plugins/aws/aws.h"

/* What IAM takes for one managed policy, white space not counted. Source: IAM User Guide, "IAM and AWS STS
 * quotas". A longer proposal becomes several policies. */
enum { AWS_POLICY_MAX_BYTES = 6144, AWS_ATTACHED_MAX = 10 };

/* plugin.render. format: "json" (documents, one after the other) or "terraform".
 * Errors: KIM_ERR_UNSUPPORTED another format, KIM_ERR_INPUT what is no proposal, KIM_ERR_LIMIT more policies
 * than can be attached, KIM_ERR_NOMEM */
int aws_render(void *instance, const char *format, const uint8_t *proposal, size_t size, kim_error *err);

#endif
