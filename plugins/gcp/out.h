/* SPDX-License-Identifier: Apache-2.0
 *
 * out.h - records on their way out: what several documents say of one thing is joined into one record.
 *
 * A project stands in a listing, as the parent in an inventory and in the name of its policy's file, and each
 * knows what the others do not. Records with one key are therefore joined field by field: what is absent is
 * filled in, of two texts the greater stays. So the order of the documents cannot matter.
 */
#ifndef GCP_OUT_H
#define GCP_OUT_H

#include <kim/arena.h>
#include <kim/emit.h>
#include <kim/json.h>

typedef struct gcp_join gcp_join;
struct gcp_places; /* places.h */

typedef struct gcp_out {
    const kim_host *host;
    kim_emitter emitter;
    kim_arena *arena;        /* for the document at hand; its user resets it */
    gcp_join *join;          /* NULL: every record goes out at once */
    struct gcp_places *places; /* which scope defines a principal; NULL: the one that names it */
    bool dry;                /* records are checked, and go nowhere: so a case goes out whole or not at all */
} gcp_out;

/* max_bytes  what one document's records and parsed parts may take
 * joined     false: every record goes out at once, and the same key twice is the caller's affair
 * Errors: KIM_ERR_NOMEM */
int gcp_out_start(gcp_out *out, const kim_host *host, size_t max_bytes, bool joined, kim_error *err);
/* Frees everything; what was not flushed is dropped. Fine on a zeroed struct. */
void gcp_out_stop(gcp_out *out);

/* Copies the record. Joined, one that breaks a limit of kim/record.h does not fail the run: it is logged, a policy
 * or statement is cut down to its key and `unread`, and coverage says what else was left out.
 * Errors: KIM_ERR_NOMEM, those of host->emit; not joined also those of kim_record_check */
int gcp_put(gcp_out *out, const kim_record *record, kim_error *err);

/* A document of that kind and name may be put: nobody put one before (joined outs only). Where one was put whose
 * text was another, *differs. */
bool gcp_out_first(gcp_out *out, const char *kind, kim_text name, kim_text text, bool *differs, kim_error *err);

/* The joined record of this type, scope and key so far, or NULL; good until the next gcp_put. */
const kim_record *gcp_out_find(const gcp_out *out, const kim_record *like);
/* Calls back for each joined record so far of that type, in no particular order; what it puts may be met or not. */
typedef int gcp_out_function(void *context, const kim_record *record, kim_error *err);
int gcp_out_each(const gcp_out *out, kim_record_type type, gcp_out_function *function, void *context, kim_error *err);

/* Sends the joined records, in the order of their keys, and all that is pending. */
int gcp_out_flush(gcp_out *out, kim_error *err);

/* At most 80 bytes of a text from outside, whole characters, for a message. */
kim_text gcp_shown(kim_arena *arena, kim_text text);
/* Something that could not be read: logged, and coverage of the part. resource absent: some of the part. */
int gcp_put_unread(gcp_out *out, kim_text scope, const char *part, kim_text resource, const char *why, kim_error *err);
/* The profile that says how Google Cloud is evaluated. */
int gcp_put_profile(gcp_out *out, kim_text scope, kim_error *err);

#endif
