/* SPDX-License-Identifier: Apache-2.0
 *
 * arn.h - Amazon resource names: six parts, compared part by part.
 *
 * arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE. A wildcard stays within its part, except that the last
 * part may hold colons itself. Source: AWS IAM User Guide, "Resource" element, "Using wildcards in
 * resource ARNs", and "ARN condition operators".
 */
#ifndef KIM_ARN_H
#define KIM_ARN_H

#include "controller/evaluate/template.h"

enum { ARN_PARTS = 6 };

/* A resource as a request names it: one ARN, or a pattern for several. */
typedef struct arn {
    kim_text whole;
    kim_text parts[ARN_PARTS]; /* [count] */
    size_t count;              /* below 6: not an ARN */
    bool is_pattern;           /* has wildcards */
    bool is_everything;        /* "*" */
} arn;

arn arn_split(kim_text whole);
arn arn_split_text(kim_text whole); /* in which a wildcard is only a character */
kim_text arn_service(const arn *a); /* absent where it is no ARN */
kim_text arn_account(const arn *a); /* absent where the ARN names none */

/* A pattern as a policy has it. */
typedef struct arn_pattern {
    bool is_everything;           /* "*" alone */
    bool is_plain;                /* no variables and no wildcards: compare bytes */
    uint8_t plain_parts;          /* a bit a part: it has neither */
    uint8_t count;                /* of parts */
    uint32_t lead;                /* bytes before the first wildcard, where five colons are among them and no
                                     variable is anywhere: what follows is of the last part; 0: not so */
    template parts[ARN_PARTS];    /* [count] */
    kim_text raw;
    template whole;               /* of a pattern that is "*" or no ARN */
} arn_pattern;

/* Where ${...} is a variable and not text. */
typedef enum arn_variables {
    ARN_NO_VARIABLES,
    ARN_RESOURCE_VARIABLES, /* after the fifth colon alone: the Resource element */
    ARN_ALL_VARIABLES,      /* conditions */
} arn_variables;

int arn_pattern_compile(kim_text raw, arn_variables variables, key_table *keys, kim_arena *arena, arn_pattern *out);

typedef enum arn_match {
    ARN_NO,         /* nothing asked for lies under the pattern */
    ARN_YES,        /* all that is asked for does */
    ARN_PART,       /* some of it does: `a` is a pattern */
    ARN_UNRESOLVED, /* a variable has no value: the element matches nothing, nor does its negation */
    ARN_NOT_KNOWN,  /* depends on a variable whose value is not known */
    ARN_NO_VALUE_FITS, /* ARN_NO where that variable has a value, else ARN_UNRESOLVED */
} arn_match;

/* extend: a pattern of fewer than six parts has "*" for the missing ones (identity policies) */
arn_match arn_pattern_match(const arn_pattern *pattern, const arn *a, bool extend, context *c, kim_arena *scratch);

/* The pattern as a document with variables, and without short ARNs, writes it; in arena. */
kim_text arn_pattern_text(const arn_pattern *pattern, bool extend, kim_arena *arena);

/* A bit for the service that an ARN is of, and for each that a pattern may be of: where they have none in
 * common the pattern matches nothing of it, in no layer. All bits, where that is not known. */
uint32_t arn_service_bit(const arn *a);
uint32_t arn_pattern_services(const arn_pattern *pattern);

/* That no variable of it is ARN_UNRESOLVED, where one is not known: template_resolves. */
const term *arn_pattern_resolves(const arn_pattern *pattern, context *c, kim_arena *scratch);

#endif
