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

/* What every decision reads stands first, in one line of a cache: an estate's rules are more than it holds. */
typedef struct rule {
    _Alignas(64) uint32_t number; /* among all rules of the estate */
    uint32_t services;           /* a bit for each service that its resources may be of: arn_service_bit */
    uint32_t resource_count;
    int8_t effect;               /* kim_effect; 0: unread */
    bool actions_turned, resources_turned, subjects_turned; /* NotAction, NotResource, NotPrincipal */
    bool any_action, any_resource, any_subject;             /* the element is absent */
    bool resource_everything;    /* "*" stands among the resources */
    bool is_doubtful;            /* unread, or without an effect */
    bool names_all;              /* "*" is its only subject */
    bool resources_fixed;        /* which resources it means depends on no variable and on no layer */
    const arn_pattern *const *resources; /* [resource_count] equal patterns are one */
    const arn_pattern *only_resource;    /* where resources is one */
    const aws_condition *condition; /* NULL: none; equal conditions are one */
    const policy_rules *policy;
    const subject *subjects;     /* [subject_count] */
    /* what only some read */
    kim_text name;               /* in answers: its Sid, else its index */
    kim_text unread;             /* why; absent: all was understood */
    uint32_t subject_count, action_count;
    const uint32_t *actions;     /* [action_count] numbers of action patterns */
    const kim_statement *source;
} rule;

struct policy_rules {
    const kim_policy *source;    /* NULL where only its statements are known */
    kim_text id;
    kim_text label;              /* in answers: a case's own name for it, else its id */
    const rule *rules;           /* [count], in the order written */
    size_t count;
    uint32_t first;              /* the number of rules[0]; the others follow it */
    uint32_t number;             /* among all policies */
    kim_text unread;             /* the document could not be read */
};

/* Rules by their numbers: all that a decision reads of a policy that does not speak of the action. */
typedef struct rule_range {
    uint32_t first, count;
} rule_range;

/* Policies that hang together on something: written once, however many have the same. */
typedef struct policy_set {
    rule_range first;                 /* the first of its ranges; the others stand in `more` */
    uint32_t count, range_count;
    const rule_range *more;           /* [range_count - 1] runs of rules, in the order of items */
    const policy_rules *const *items; /* [count] */
    bool has_unread;                  /* the document of one could not be read */
} policy_set;

/* What an identity is to AWS, read off its ARN once. */
typedef enum holder_kind { HOLDER_OTHER, HOLDER_USER, HOLDER_ROLE } holder_kind;

/* What hangs on an identity. Sets are told by their numbers: rules_set. */
typedef struct holder {
    const kim_record *identity;  /* NULL: only attachments name it */
    kim_text id;
    uint32_t grants, boundary, session; /* grants: its own and its groups'; 0: nothing is attached */
    uint32_t account;            /* its number among the accounts of holders */
    uint16_t account_at, name_at; /* where in the id these begin; the name ends with it */
    uint8_t account_size;
    uint8_t kind;                /* holder_kind */
    bool is_service_linked, is_group;
} holder;

static inline kim_text holder_account(const holder *h)
{
    return (kim_text){h->id.bytes + h->account_at, h->account_size};
}

static inline kim_text holder_name(const holder *h)
{
    return (kim_text){h->id.bytes + h->name_at, h->id.size - h->name_at};
}

/* What hangs on a scope: one level of a chain. */
typedef struct level {
    const kim_record *scope;     /* NULL: not known */
    kim_text id;
    uint32_t scp, rcp;
    bool has_identities;         /* of its own, that is: an account with users or roles */
} level;

/* What hangs on a resource. */
typedef struct target {
    const kim_record *resource;  /* NULL: only attachments name it */
    kim_text id;
    uint32_t policies;           /* layer "resource" */
    uint32_t endpoint;           /* layer "endpoint" */
} target;

typedef struct rules rules;

/* Of the records of AWS's scopes. NULL with err: KIM_ERR_NOMEM */
rules *rules_compile(estate *es, kim_error *err);
/* Of a newer estate, from what was compiled of the older one, which stays; NULL: to be compiled anew. */
rules *rules_change(const rules *before, estate *es);
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
size_t rules_conditions(const rules *r); /* how many different ones there are */
/* NULL: that of number 0, nothing */
const policy_set *rules_set(const rules *r, uint32_t number);
size_t rules_sets(const rules *r);       /* how many, with number 0 */
size_t rules_policies(const rules *r);   /* how many, with those without a document */
size_t rules_accounts(const rules *r);   /* how many are named by holders */
/* [rules_sets] The sets that differ from the older estate's; NULL: all may. Of rules_change's result. */
const bool *rules_changed_sets(const rules *r);
bool rules_have_endpoints(const rules *r); /* some target has an endpoint's policy */
bool rules_have_objects(const rules *r);   /* some target lies in a bucket of S3 */
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
