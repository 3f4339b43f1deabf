/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.h - an estate's statements, readied for many decisions.
 *
 * Compiled once an estate and shared by all who ask: patterns are split, conditions read, subjects
 * sorted into kinds, policies gathered by whom, where and what they hang on. What could not be compiled
 * stays as a rule that is `unread`, so that no answer forgets it.
 */
#ifndef KIM_RULES_H
#define KIM_RULES_H

#include "controller/estate/estate.h"
#include "controller/evaluate/aws_condition.h"
#include "controller/evaluate/text_map.h"

typedef enum subject_kind {
    SUBJECT_EVERYONE,   /* "*" */
    SUBJECT_ACCOUNT,    /* an account's number or root: a delegation to it */
    SUBJECT_ROLE,
    SUBJECT_SESSION,    /* arn:aws:sts::A:assumed-role/ROLE/SESSION */
    SUBJECT_NAMED,      /* a user, a federated user's session: matches the ARN itself */
    SUBJECT_SERVICE,
    SUBJECT_FEDERATED,  /* an identity provider */
    SUBJECT_CANONICAL,  /* an S3 canonical user: which account that is, nobody tells */
    SUBJECT_GONE,       /* AIDA..., AROA...: a principal that was deleted */
} subject_kind;

typedef struct subject {
    subject_kind kind;
    kim_text raw;     /* without "AWS:" and the like */
    kim_text account, name, session;
} subject;

typedef struct policy_rules policy_rules;

/* What every decision reads stands first: an estate's rules are more than a cache holds. */
typedef struct rule {
    int32_t effect;              /* kim_effect; 0: unread */
    uint32_t number;             /* among all rules of the estate */
    bool actions_turned, resources_turned, subjects_turned; /* NotAction, NotResource, NotPrincipal */
    bool any_action, any_resource, any_subject;             /* the element is absent */
    bool resource_everything;    /* "*" stands among the resources */
    const arn_pattern *const *resources; /* [resource_count] equal patterns are one */
    size_t resource_count;
    const aws_condition *condition; /* NULL: none; equal conditions are one */
    kim_text unread;             /* why; absent: all was understood */
    const policy_rules *policy;
    kim_text name;               /* in answers: its Sid, else its index */
    const subject *subjects;
    size_t subject_count;
    const uint32_t *actions;     /* [action_count] numbers of action patterns */
    size_t action_count;
    const kim_statement *source;
} rule;

struct policy_rules {
    const kim_policy *source;    /* NULL where only its statements are known */
    kim_text id;
    kim_text label;              /* in answers: a case's own name for it, else its id */
    const rule *rules;           /* [count], in the order written */
    size_t count;
    uint32_t first;              /* the number of rules[0]; the others follow it */
    kim_text unread;             /* the document could not be read */
};

/* The rules of a policy by their numbers: all that a decision reads of a policy that does not speak of
 * the action. */
typedef struct rule_range {
    uint32_t first, count;
} rule_range;

typedef struct policy_list {
    const policy_rules **items; /* [count] */
    rule_range *ranges;         /* [count] */
    size_t count;
    bool has_unread;            /* the document of one could not be read */
    bool is_set;                 /* something is attached, if only an empty document */
} policy_list;

/* What hangs on an identity. */
typedef struct holder {
    const kim_record *identity;  /* NULL: only attachments name it */
    kim_text id;
    policy_list grants, boundary, session; /* grants: its own and its groups' */
} holder;

/* What hangs on a scope: one level of a chain. */
typedef struct level {
    const kim_record *scope;     /* NULL: not known */
    kim_text id;
    policy_list scp, rcp;
} level;

/* What hangs on a resource. */
typedef struct target {
    const kim_record *resource;  /* NULL: only attachments name it */
    kim_text id;
    policy_list policies;        /* layer "resource" */
    policy_list endpoint;        /* layer "endpoint" */
} target;

typedef struct rules rules;

/* NULL with err: KIM_ERR_NOMEM */
rules *rules_compile(estate *es, kim_error *err);
void rules_free(void *r);
/* The estate's, compiled by the first who asks. NULL with err: KIM_ERR_NOMEM */
const rules *rules_of(estate *es, kim_error *err);

const estate *rules_estate(const rules *r);
const key_table *rules_keys(const rules *r);
size_t rules_count(const rules *r);
const rule *rules_all(const rules *r); /* [rules_count] */

/* Patterns of actions, in lower case, numbered. */
size_t rules_action_patterns(const rules *r);
kim_text rules_action_pattern(const rules *r, uint32_t number);

const policy_rules *rules_policy(const rules *r, kim_text id); /* NULL: not there */
const holder *rules_holder(const rules *r, kim_text identity);
const level *rules_level(const rules *r, kim_text scope);
const target *rules_target(const rules *r, kim_text resource);
const holder *rules_holders(const rules *r, size_t *count); /* by id; not all have a record */
const target *rules_targets(const rules *r, size_t *count);
/* The role of that name in an account, as a session's ARN names it; NULL: not there. */
const holder *rules_role(const rules *r, kim_text account, kim_text name);
/* The first thing in all the estate that could not be read, in words; absent: all was. */
kim_text rules_first_unread(const rules *r);

/* Sorts a principal of a policy, as records hold it ("AWS:arn:...", "*"), into its kind. */
subject subject_read(kim_text text);


#endif
