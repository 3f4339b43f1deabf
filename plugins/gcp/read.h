/* SPDX-License-Identifier: Apache-2.0
 *
 * read.h - what gcloud and Google's APIs print, to records: each element is known by its own members.
 *
 * A file may hold one answer, pages of one, a list, or lines (an export of the Cloud Asset Inventory). What an
 * answer does not say of itself, such as whose allow policy it is, the context says.
 *
 * Everything is read twice. The first time only the places are learned: which number is which project's, what
 * lies below what. So a policy knows its scope whichever file comes first.
 */
#ifndef GCP_READ_H
#define GCP_READ_H

#include "plugins/gcp/out.h"
#include "plugins/gcp/places.h"

typedef struct gcp_context {
    const char *origin;   /* for messages: a path */
    kim_text resource;    /* full name of what was asked about; absent: not known */
    kim_text group;       /* "group:g@example.com" of a list of members; absent: not known */
} gcp_context;

/* Is it one of ours? 0 no, 1 perhaps, 2 surely. head may be cut short. */
int gcp_recognise_document(kim_text name, kim_text head);

/* What a path says of the document in it: get-iam-policy__SUBJECT.json, projects/ID/..., memberships/GROUP.json. */
void gcp_context_of_path(kim_arena *arena, const char *path, gcp_context *context);

/* The first reading of a document. Errors: KIM_ERR_INPUT no JSON, KIM_ERR_LIMIT, KIM_ERR_NOMEM */
int gcp_learn(gcp_places *places, kim_arena *arena, const gcp_context *context, kim_text bytes, kim_error *err);

/* The second: its records. What of it cannot be read becomes coverage or `unread`, and is logged.
 * Errors: KIM_ERR_INPUT no JSON at all, or nothing that is known in it; those of gcp_put */
int gcp_read(gcp_out *out, gcp_places *places, const gcp_context *context, kim_text bytes, kim_error *err);

/* After all documents: the places themselves, and what was known of and not read. */
int gcp_read_end(gcp_out *out, gcp_places *places, kim_error *err);

#endif
