/* SPDX-License-Identifier: Apache-2.0
 *
 * blocked.h - what principal access boundaries block, by enforcement version.
 *
 * Source: IAM, "Permissions that principal access boundary policies block" (as of 2026-04-08).
 */
#ifndef GCP_BLOCKED_H
#define GCP_BLOCKED_H

#include "plugins/gcp/document.h"

/* The permissions and exceptions of a version and all before it; "latest" and an absent one are the default
 * version. A version that the table does not have blocks what the last one does: NULL is given, for every
 * permission. Texts live in arena. */
gcp_blocked gcp_blocked_of(kim_text version, kim_arena *arena);

#endif
