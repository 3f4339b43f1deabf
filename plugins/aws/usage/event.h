/* SPDX-License-Identifier: Apache-2.0
 *
 * event.h - from the text of a log to its events, one after another.
 *
 * A text is one or several JSON values: {"Records":[event ...]}, {"Events":[{"CloudTrailEvent":"..."}]},
 * a list of events, or an event. A record that cannot be read is told to the caller with its place,
 * and the walk goes on behind it.
 */
#ifndef AWS_USAGE_EVENT_H
#define AWS_USAGE_EVENT_H

#include <kim/error.h>
#include <kim/text.h>

enum { EVENT_MAX_RESOURCES = 4 }; /* of `resources`; what follows is not looked at */

/* What of an event usage needs. Texts are raw: as between the quotes, escapes left as they are (so
 * that equal values have equal bytes and nothing is copied); absent where the event has none. They
 * point into the log's text. */
typedef struct event {
    kim_text time, source, name, region, error_code, error_message;
    kim_text type;          /* eventType: "AwsApiCall", "AwsServiceEvent", "AwsConsoleSignIn" ... */
    kim_text category;      /* eventCategory: "Management", "Data", "Insight", "NetworkActivity" */
    kim_text recipient;     /* recipientAccountId */
    bool is_data;           /* managementEvent is false, or the category says so */

    struct {
        kim_text type, principal, arn, account, key, user, invoked_by;
        kim_text issuer_arn, issuer_account, source_identity; /* of sessionContext */
        kim_text store_arn, store_user;                       /* of onBehalfOf */
        kim_text provider;
    } who;

    size_t resource_count;
    kim_text resources[EVENT_MAX_RESOURCES]; /* their ARNs */

    /* Where requestParameters and responseElements begin; for event_find. 0: there are none. */
    struct event_walk *walk;
    size_t request, response;
    size_t offset;          /* of the record in the text */
    kim_text inner;         /* CloudTrailEvent: this is no event, but has one as its text */
} event;

typedef struct event_handler {
    void *context;
    /* Non-zero ends the walk. */
    int (*event)(void *context, const event *e, kim_error *err);
    /* number: of the record, from 0. offset: in the text. why: static */
    int (*bad)(void *context, uint64_t number, size_t offset, const char *why, kim_error *err);
} event_handler;

typedef struct event_reader event_reader;

/* max_bytes  the longest text
 * Returns what event_reader_free() frees; NULL without memory. */
event_reader *event_reader_new(size_t max_bytes);
void event_reader_free(event_reader *reader); /* NULL is fine */

/* Walks text[size]; JSON_INDEX_PADDING readable bytes follow it.
 *
 * is_piece  the text was cut between two records of something longer: it may begin and end inside a list
 * records   how many records there were, good and bad: added to, and what handler->bad counts from
 * cut       set: the text ends within a record, or within its list. That record is neither counted nor bad:
 *           the rest of it may come later
 * Errors: those of the handler; KIM_ERR_NOMEM. Unreadable text is no error: handler->bad hears of it.
 */
int event_reader_walk(event_reader *reader, const char *text, size_t size, bool is_piece,
                      const event_handler *handler, uint64_t *records, bool *cut, kim_error *err);

/* A raw text (or a number as written) below requestParameters or responseElements (`at`) by its path
 * of names, which ends with NULL. The first list on the way is entered at element nth, others at their
 * first. Absent where there is none, and for nth > 0 where there was no list; `at` 0 gives nothing. */
kim_text event_find(const event *e, size_t at, const char *const *path, size_t nth);

/* A raw text with its escapes resolved: `raw` itself where it has none, else in to[size of raw], cut
 * off at a NUL. \u escapes become UTF-8; a lone surrogate becomes U+FFFD. */
kim_text event_unescape(kim_text raw, char *to);

#endif
