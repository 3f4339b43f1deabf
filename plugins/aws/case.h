/* SPDX-License-Identifier: Apache-2.0
 *
 * case.h - one line of `kim evaluate` for AWS to records.
 *
 * Ids: the identity's is request.principal as written ("Federated:NAME" for {"Federated":NAME}); a
 * document's is its name, or where it stands: "identity[0]", "boundary[1]", "resource",
 * "o-root/FullAWSAccess", "o-root/[0]", "o-root/[]" for a level without policies; a name that stands
 * twice in a case gives way to where it stands. "reference", "candidate", "document" for compare, expand.
 *
 * Scopes: "aws:A" (the principal's account; "aws:case" where it has none), "aws:B" (the resource's;
 * "aws:case/resource" where neither the request nor the ARN nor the principal tells), the levels
 * "aws:case/scp/I/TARGET" and "aws:case/rcp/I/TARGET" above them, "aws:o-1" on top. Endpoint policies
 * are attached to the resource "endpoint".
 */
#ifndef AWS_CASE_H
#define AWS_CASE_H

#include "plugins/aws/out.h"

/* Puts the case's records; `out` is not joined, and reset first.
 *
 * Errors: KIM_ERR_INPUT "case: ..." where it is no case, KIM_ERR_LIMIT, and those of aws_put; nothing
 * of it has gone out then.
 */
int aws_case_normalise(aws_out *out, const char *name, const char *bytes, size_t size, kim_error *err);

#endif
