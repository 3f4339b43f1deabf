/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.h - every size that an outsider can choose, with the reason for its bound.
 */
#ifndef KIM_LIMITS_H
#define KIM_LIMITS_H

enum {
    /* The ladder of sizes: record < frame = batch before compression < message. */
    KIM_RECORD_MAX_BYTES = 256 * 1024,      /* the longest native documents (S3, KMS, Backup: 20-64 KiB), with room */
    KIM_FRAME_MAX_BYTES = 1024 * 1024,      /* plugin host to agent, either way */
    KIM_CURSOR_MAX_BYTES = 64 * 1024,       /* a provider's place in its source; stands in a frame beside records */
    KIM_BATCH_MAX_BYTES = 1024 * 1024,      /* before compression; more is sent as more batches */
    KIM_BATCH_TARGET_BYTES = 64 * 1024,     /* on the wire: the knee of CURVE's cost */
    KIM_MESSAGE_MAX_BYTES = 2 * 1024 * 1024,/* ZMQ_MAXMSGSIZE on both sides */

    /* Parts of a record. */
    KIM_ID_MAX_BYTES = 2048,                /* the longest ARN (AWS STS: 2048) */
    KIM_NAME_MAX_BYTES = 1024,
    KIM_VALUE_MAX_BYTES = 4096,             /* a tag's or a fact's value */
    KIM_CONDITION_MAX_BYTES = 128 * 1024,   /* one condition as written */
    KIM_LIST_MAX_ITEMS = 16384,             /* actions, resources, subjects of one statement; tags */

    /* Documents. */
    KIM_JSON_MAX_DEPTH = 512,               /* real documents nest below 20; a stack frame a level */
    KIM_DOCUMENT_MAX_BYTES = 256 * 1024 * 1024, /* one file to normalise */
    KIM_LOG_RECORD_MAX_BYTES = 1024 * 1024, /* one CloudTrail event; AWS caps an event at 256 KB */
    KIM_LOG_FILE_MAX_BYTES = 1024 * 1024 * 1024, /* one log file once inflated, streamed */
    KIM_CASE_MAX_BYTES = 768 * 1024,        /* one line of `kim evaluate`: it travels in one frame */

    /* Evaluation. */
    KIM_POLICY_MAX_STATEMENTS = 4096,
    KIM_MEMBERSHIP_MAX_DEPTH = 64,
    KIM_SCOPE_MAX_DEPTH = 64,
};

#endif
