/* SPDX-License-Identifier: Apache-2.0
 *
 * language.h - the wildcard languages that a profile may name.
 *
 * A pattern is read once and matched often. What a text of a request is depends on the language: in mqtt and
 * nats it may be a subscription's filter, which a pattern matches where it covers all of it, as the brokers do.
 *
 *     exact             the same text
 *     glob              * any run of characters, also none, also '/'; ? one character; no escapes
 *     arn               six parts between colons, each a glob; the last may hold colons; "*" is everything
 *     mqtt              + one level, # this level's parent and all below it; a first + or # matches no $-topic
 *     nats              * one token, > one or more to the end
 *     regex-unanchored  Perl's regular expressions, anywhere in the text, by bytes; "" is ^$, as in RabbitMQ
 *     path-prefix       the path itself and all below it, by whole segments; "" is everything
 *     bitmask           resources are exact; an action is one bit, a pattern a set of bits
 *
 * Actions are words that are compared whole, but in glob and arn, where they may be globs, and in bitmask. A pattern
 * that uses its language's wildcards where they cannot stand (a/#/b, a+/b, a.>.b) matches nothing.
 *
 * Sources: MQTT 5.0, 4.7 "Topic Names and Topic Filters"; NATS, "Subject-Based Messaging", Wildcards; RabbitMQ, "Access
 * Control", "How Permissions Work"; AWS IAM User Guide, "Using wildcards in resource ARNs".
 */
#ifndef KIM_LANGUAGE_H
#define KIM_LANGUAGE_H

#include <kim/error.h>
#include <kim/text.h>

enum {
    REGEX_MAX_STEPS = 100000, /* of one match: a hundred times what a sane pattern takes on a name of 255 bytes */
    REGEX_MAX_STRIKES = 8,    /* matches of one question that may take that many; then none is tried */
};

typedef struct language language;
/* "exact", "glob" ...; NULL: none such. */
const language *language_find(kim_text name);
/* All names with ", " between, for messages. */
const char *language_names(void);

typedef struct wording wording;
typedef struct pattern {
    kim_text text;          /* as written; borrowed */
    const wording *words;   /* how it is matched */
    bool nocase;            /* ASCII letters fold */
    bool is_plain;          /* matches its own text alone */
    bool is_void;           /* matches nothing */
    size_t head_size;       /* every text that it matches begins as its own text does, this far; 0 where letters fold */
    uint64_t bits;          /* of bitmask's actions */
    void *code;             /* of a regular expression, in the arena that it was read with */
} pattern;

typedef enum pattern_use { PATTERN_OF_RESOURCES, PATTERN_OF_ACTIONS } pattern_use;

/* Errors: KIM_ERR_INPUT a text that is no pattern (a regular expression, a set of bits), with what is wrong;
 * KIM_ERR_NOMEM */
int pattern_read(const language *l, pattern_use use, kim_text text, bool nocase, kim_arena *arena, pattern *out, kim_error *err);

/* What matching needs besides: scratch of one thread. NULL with err: KIM_ERR_NOMEM */
typedef struct matcher matcher;
matcher *matcher_new(kim_error *err);
void matcher_free(matcher *m);    /* NULL is fine */
void matcher_begin(matcher *m);   /* another question: its strikes are its own */

typedef enum pattern_match { MATCH_NO, MATCH_YES, MATCH_UNSETTLED /* it takes too many steps */ } pattern_match;
pattern_match pattern_matches(const pattern *p, kim_text text, matcher *m);

/* Of the texts that `a` matches, how many does `b` match? Both of one language and use. */
typedef enum pattern_relation { RELATE_NONE, RELATE_SOME /* or it could not be settled */, RELATE_ALL } pattern_relation;
pattern_relation pattern_relate(const pattern *a, const pattern *b, matcher *m);

bool language_numbers_actions(const language *l); /* bitmask */
/* A set of bits as bitmask writes it: decimal, 0x..., 0b...; false where it is none, or takes more than 64. */
bool language_bits(kim_text text, uint64_t *out);

#endif
