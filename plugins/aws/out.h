/* SPDX-License-Identifier: Apache-2.0
 *
 * out.h - records on their way out: what several documents say of one thing is joined into one record.
 *
 * A user stands in the authorization details, in list-users and in the credential report, and each
 * knows something that the others do not. Records with the same key are therefore joined, field by
 * field: what is absent is filled in, of two times the later counts, of two texts the greater by
 * bytes. That is commutative, associative and idempotent, so the order of the documents cannot matter.
 * Statements and usage are not joined: they go out as they come, once (aws_out_first_document).
 */
#ifndef AWS_OUT_H
#define AWS_OUT_H

#include <kim/arena.h>
#include <kim/emit.h>
#include <kim/json.h>

typedef struct aws_join aws_join;

typedef struct aws_out {
    const kim_host *host;
    kim_emitter emitter;
    kim_arena *arena;        /* for the document at hand; its user resets it */
    kim_json_writer *writer; /* to write pieces of a document again */
    aws_join *join;          /* NULL: every record goes out at once */
} aws_out;

/* max_bytes  what one document's records and parsed parts may take
 * joined     false: every record goes out at once, and the same key twice is the caller's affair
 * Errors: KIM_ERR_NOMEM */
int aws_out_start(aws_out *out, const kim_host *host, size_t max_bytes, bool joined, kim_error *err);
/* Frees everything; what was not flushed is dropped. Fine on a zeroed struct. */
void aws_out_stop(aws_out *out);

/* Copies the record. One that breaks a limit of kim/record.h does not fail the run: it is cut down to
 * its key and `unread` (policy, statement), or becomes coverage of its scope that says what was left
 * out. Errors: KIM_ERR_NOMEM and those of host->emit */
int aws_put(aws_out *out, const kim_record *record, kim_error *err);

/* The policy's statements may be put: nobody put them before. False where the policy was given already;
 * if its document was another one then, the policy record's `unread` says so. */
bool aws_out_first_document(aws_out *out, const kim_record *policy);

/* Was a record of this type, scope and key put (joined outs only)? The joined record so far, or NULL;
 * good until the next aws_put. */
const kim_record *aws_out_find(const aws_out *out, const kim_record *like);

/* Calls back for each joined record so far of that type, in no particular order. */
typedef int aws_out_function(void *context, const kim_record *record, kim_error *err);
int aws_out_each(const aws_out *out, kim_record_type type, aws_out_function *function, void *context, kim_error *err);

/* Sends the joined records and all that is pending. Errors: those of host->emit, KIM_ERR_NOMEM */
int aws_out_flush(aws_out *out, kim_error *err);
/* Forgets what was not sent: the next piece of work starts clean. */
void aws_out_drop(aws_out *out);

/* a followed by b (and c), in the arena; KIM_NO_TEXT on a full arena. */
kim_text aws_concat(kim_arena *arena, kim_text a, kim_text b);
kim_text aws_concat3(kim_arena *arena, kim_text a, kim_text b, kim_text c);
/* The scope of an account id: "aws:111122223333". */
kim_text aws_scope_of(kim_arena *arena, kim_text account);
/* At most 80 bytes of a text from outside, whole characters, for a message. */
kim_text aws_shown(kim_arena *arena, kim_text text);

/* Coverage of a part of a scope. `resource` absent: all of the part. */
int aws_put_coverage(aws_out *out, kim_text scope, kim_text part, int32_t status, kim_text why,
                     kim_text resource, kim_error *err);
/* The profile that says how AWS is evaluated, once a scope. */
int aws_put_profile(aws_out *out, kim_text scope, kim_error *err);

#endif
