/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h - Google Cloud's names in one spelling: principals as allow policies have them, resources in full.
 *
 * Source: IAM, "Principal identifiers"; Cloud Asset Inventory, "Resource names".
 */
#ifndef GCP_NAMES_H
#define GCP_NAMES_H

#include <kim/text.h>

#define GCP_MANAGER "//cloudresourcemanager.googleapis.com/"
#define GCP_IAM "//iam.googleapis.com/"

/* "user:ann@example.com" of "user:Ann@example.com" and of "principal://goog/subject/ann@example.com"; what has no
 * other spelling stays. In arena or borrowed. */
kim_text gcp_member_id(kim_arena *arena, kim_text member);
/* Its kim_identity_kind. */
int32_t gcp_member_kind(kim_text id);

/* "//cloudresourcemanager.googleapis.com/projects/p" of "projects/p"; one that begins with "//" stays. Absent for
 * what is no resource's name. */
kim_text gcp_resource_name(kim_arena *arena, kim_text name);
/* "projects/p" of "//cloudresourcemanager.googleapis.com/projects/p"; absent for all else. */
kim_text gcp_manager_part(kim_text name);
/* Percent-decodes (RFC 3986: '+' stays); what is no escape stays as it is. */
kim_text gcp_percent_decoded(kim_arena *arena, kim_text text);
/* Does the text consist of digits? */
bool gcp_is_number(kim_text text);
/* What follows a prefix; absent: the text does not begin so. */
kim_text gcp_after(kim_text text, const char *prefix);
/* Behind the last '/'. */
kim_text gcp_last_part(kim_text name);

#endif
