/* SPDX-License-Identifier: Apache-2.0
 *
 * document.h - Google Cloud's documents to records, one function each; cases and files both come here.
 *
 * A binding becomes an attachment for each of its members: the role on the resource, under the condition.
 * A role, a deny policy and a boundary are policies with statements. What is wrong in a document is an error that
 * says where (KIM_ERR_INPUT "WHAT.bindings[2].role: ..."); nothing of it was put then, if the out is dry first.
 */
#ifndef GCP_DOCUMENT_H
#define GCP_DOCUMENT_H

#include "plugins/gcp/out.h"

/* {"bindings":[{"role","members","condition"}]} of a resource. */
int gcp_put_allow(gcp_out *out, kim_text scope, kim_text resource, const kim_json *policy, const char *what, kim_error *err);
/* Its allow policy is there, and was not read. */
int gcp_put_allow_unread(gcp_out *out, kim_text scope, kim_text resource, kim_text why, kim_error *err);

/* A role's permissions: a list of them, or the role as the API has it ({"includedPermissions","stage","deleted"}).
 * One that is disabled or deleted has none. permissions NULL: they were not listed. */
int gcp_put_role(gcp_out *out, kim_text scope, kim_text name, const kim_json *permissions, const char *what, kim_error *err);

/* {"name","rules":[{"denyRule":{...}}]} that is attached to the resource; id: where it has no name. */
int gcp_put_deny(gcp_out *out, kim_text scope, kim_text resource, kim_text id, const kim_json *policy, const char *what, kim_error *err);

/* What a boundary blocks; both NULL: every permission. */
typedef struct gcp_blocked {
    const kim_texts *permissions, *exceptions;
} gcp_blocked;

/* {"name","details":{"rules":[{"resources","effect"}],"enforcementVersion"}} */
int gcp_put_boundary(gcp_out *out, kim_text scope, kim_text id, const kim_json *policy, gcp_blocked blocked, const char *what, kim_error *err);
/* The boundary is bound to a principal or a set of them. condition: of the binding, {"expression"}; NULL: none. */
int gcp_put_bound(gcp_out *out, kim_text scope, kim_text boundary, kim_text principal, kim_text native_id, const kim_json *condition,
                  const char *what, kim_error *err);

/* The group, or another set, and all its members. */
int gcp_put_members(gcp_out *out, kim_text scope, kim_text set, const kim_json *members, const char *what, kim_error *err);

/* Somebody, as documents name them; joined outs only. id as gcp_member_id makes it. */
int gcp_put_identity(gcp_out *out, kim_text scope, kim_text id, kim_error *err);

/* The condition of a binding or a rule: lang "cel". An error where it is no {"expression"}; absent for NULL and null. */
int gcp_condition(const kim_json *condition, const char *what, kim_condition *into, kim_error *err);

#endif
