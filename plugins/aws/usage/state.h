/* SPDX-License-Identifier: Apache-2.0
 *
 * state.h - what reading on depends on: which logs were read, who is behind a session, what was seen.
 *
 * All of it is in the cursor, and each part is bounded, so that the cursor is.
 *
 * Logs: for each place (an entry of option `logs`) the logs above a mark are known one by one, and those
 * below it only by their number and the sum of their hashes. The order is the time in their names,
 * which is CloudTrail's time of delivery; one without a time comes first. What shows up below the mark is
 * told by its change time, where number and sum say that something did.
 * Sessions: the last STATE_SESSIONS access keys that STS gave out, by hash; later ones take the place of
 * earlier ones, so a chain that began too long ago shows only its last link.
 */
#ifndef AWS_USAGE_STATE_H
#define AWS_USAGE_STATE_H

#include <kim/error.h>
#include <kim/limits.h>
#include <kim/text.h>

enum {
    STATE_PLACES = 32,
    STATE_LOGS = 2048,     /* known one by one, over all places: 9 bytes each of the cursor */
    STATE_PARTS = 96,      /* logs read in part: 25 bytes each */
    STATE_SESSIONS = 1024, /* 10 bytes each */
    STATE_CALLERS = 96,
    STATE_CALLER_MAX_BYTES = 2048,
    STATE_CALLERS_BYTES = 8 * 1024,
    STATE_ACCOUNTS = 192,  /* 56 bytes each */
    STATE_REGIONS = 64,
    STATE_UNMAPPED = 64,   /* up to 84 bytes each */
    STATE_NAME_BYTES = 64,
};

/* Logs are ordered by minute, then hash: state_log_order. */
typedef struct state_log {
    uint32_t minute;       /* of the time in its name, since 1970; 0: none */
    uint64_t hash;         /* of its path within its place: STATE_HASH_BITS */
} state_log;

typedef struct state_place {
    uint64_t hash;         /* of its path as configured */
    bool is_marked;
    state_log mark;        /* logs up to it are known by number and sum only */
    uint64_t count, sum;
    int64_t listed_unix_ms;/* what was there up to the mark at this time was read */
} state_place;

typedef struct state_part {
    uint64_t hash;         /* of place and log together */
    uint64_t bytes;        /* the log's size then: where it is another, there is more to read */
    uint64_t records;      /* read */
    bool open;             /* a commit lies within it: read on whatever its size */
} state_part;

typedef struct state_account {
    char id[16];           /* 12 digits, or what stands for them; NUL-terminated */
    int64_t from_unix_ms, to_unix_ms;
    uint64_t regions;      /* bit i: region i was seen */
    uint32_t data;         /* bit i: data events of action_data_events[i] were seen */
    uint32_t unmapped, unreadable;
    bool changed;          /* since its coverage was handed over */
} state_account;

typedef struct state_unmapped {
    uint8_t account;
    char name[STATE_NAME_BYTES]; /* "signin.amazonaws.com CheckMfa" */
    uint32_t count;
} state_unmapped;

typedef struct usage_state {
    state_place places[STATE_PLACES];
    state_log logs[STATE_LOGS];
    uint8_t log_place[STATE_LOGS];
    state_part parts[STATE_PARTS];     /* the oldest first */
    uint64_t session_keys[STATE_SESSIONS]; /* hash; 0: free */
    uint8_t session_caller[STATE_SESSIONS];
    kim_text callers[STATE_CALLERS];   /* point into caller_bytes */
    char caller_bytes[STATE_CALLERS_BYTES];
    state_account accounts[STATE_ACCOUNTS];
    char regions[STATE_REGIONS][24];
    state_unmapped unmapped[STATE_UNMAPPED];
    uint32_t place_count, log_count, part_count, caller_count, caller_used, account_count, region_count, unmapped_count;
    uint64_t accounts_left_out;        /* events of accounts past STATE_ACCOUNTS */
    char unreadable[160];              /* the last place that could not be read, for the coverage */
} usage_state;

/* Reads a cursor; size 0 gives an empty state. Errors: KIM_ERR_CORRUPT, KIM_ERR_VERSION */
int state_decode(usage_state *s, const uint8_t *bytes, size_t size, kim_error *err);
/* Returns the size, never past KIM_CURSOR_MAX_BYTES. */
size_t state_encode(const usage_state *s, uint8_t out[KIM_CURSOR_MAX_BYTES]);

/* The same on every machine and in every run. */
uint64_t state_hash(uint64_t begin, kim_text text);

enum { STATE_HASH_BITS = 40 };
int state_log_order(state_log a, state_log b); /* <0, 0, >0 */
/* Is it one of those known by number and sum only? */
bool state_is_below(const state_place *place, state_log log);
/* The place of that name, made where it is new; NULL past STATE_PLACES. */
state_place *state_place_of(usage_state *s, const char *path);
/* Is it one of those known one by one? */
bool state_knows(const usage_state *s, const state_place *place, state_log log);
/* The log was read. */
void state_read(usage_state *s, state_place *place, state_log log);

/* The part entry of a log, or NULL. */
state_part *state_part_of(usage_state *s, uint64_t hash);
/* Sets it; the oldest that is not open makes room. */
void state_part_set(usage_state *s, state_part part);
void state_part_drop(usage_state *s, uint64_t hash);

/* Who stood behind the session of this access key; absent where that is not known. */
kim_text state_caller(const usage_state *s, kim_text key);
void state_caller_set(usage_state *s, kim_text key, kim_text caller);

/* The account, made where it is new; NULL past STATE_ACCOUNTS. */
state_account *state_account_of(usage_state *s, kim_text id);
/* Bit of the region; 0 past STATE_REGIONS. */
uint64_t state_region(usage_state *s, kim_text name);
void state_unmapped_add(usage_state *s, state_account *account, kim_text source, kim_text name);

#endif
