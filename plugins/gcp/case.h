/* SPDX-License-Identifier: Apache-2.0
 *
 * case.h - one line of `kim evaluate` for Google Cloud to records.
 *
 * All is defined in the scope "gcp:case". A resource's id is its name in `resources`; a binding is an attachment of
 * its role, native_id "bindings[INDEX]"; a deny policy's and a boundary's id is its `name`, or where it stands:
 * "RESOURCE/deny[0]", "principal_access_boundaries[0]". A key of `groups` is an identity with the fact members=read.
 * Of compare and expand the documents are "reference", "candidate" and "document".
 */
#ifndef GCP_CASE_H
#define GCP_CASE_H

#include "plugins/gcp/out.h"

/* Puts the case's records; `out` is not joined, and reset first. A case goes out whole or not at all.
 * Errors: KIM_ERR_INPUT "case: ..." where it is no case, KIM_ERR_LIMIT, and those of gcp_put */
int gcp_case_normalise(gcp_out *out, const char *name, const char *bytes, size_t size, kim_error *err);

/* The documents of a case without its request, {"resources","roles","groups","principal_access_boundaries"}, as part of an
 * estate: all in the given scope. Errors: as above, without "case: " */
int gcp_put_collected(gcp_out *out, kim_text scope, const kim_json *root, kim_error *err);

#endif
