/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluate.h - may this identity do this there, under which condition, and which statements say so?
 *
 * Pure: no store, clock or network. The same estate and question give the same answer on any machine,
 * so that a finding can be checked again from its evidence years later. An estate may be asked by many
 * threads at once; each brings an `evaluator` of its own (scratch memory).
 */
#ifndef KIM_EVALUATE_H
#define KIM_EVALUATE_H

#include "controller/estate/estate.h"

typedef enum verdict { DENIED, UNKNOWN, CONDITIONAL, ALLOWED } verdict;
typedef enum reason {
    EXPLICIT_ALLOW, EXPLICIT_DENY, IMPLICIT_DENY, CEILING, ELIGIBLE_ONLY, BYPASS, CONDITION, UNREAD,
} reason;

/* One of the statements that decided. */
typedef struct because {
    kim_text layer;     /* "identity", "scp" ... */
    kim_text policy;    /* its name or id; a level's target where a whole level was silent */
    kim_text statement; /* its Sid, or its index in the policy; absent: no statement of it allowed */
    const kim_statement *source;       /* the same as they stand in the estate, where there are any: NULL */
    const kim_attachment *attachment;
} because;

typedef struct term term; /* a residual condition; terms.h */

typedef struct context_entry {
    kim_text key;
    kim_texts values;
    const kim_json *json; /* as given: a number and a boolean are more than their text; NULL: texts alone */
} context_entry;

/* A Kubernetes request's attributes; path not absent: a non-resource request. */
typedef struct kubernetes_request {
    kim_texts groups;       /* all of the user's, none is added; absent: those that the estate knows */
    kim_text verb, api_group, resource, subresource, name, namespace, path;
    kim_text cluster;       /* of an estate that has several; absent: the only one */
} kubernetes_request;

typedef struct question {
    kim_text provider;      /* "aws"; absent: the estate's only one */
    kim_text identity;      /* as the request names it */
    kim_text federated;     /* a caller with this identity provider's token, in place of identity */
    bool anyone_of_account; /* identity is an account's root, and stands for whoever is in that account */
    kim_text action;
    kim_text resource;      /* may be a pattern */
    kim_text resource_account; /* absent: from the resource, or the identity's */
    bool data;              /* azure: a data action */
    const kubernetes_request *kubernetes; /* a request in the API server's own words; NULL: action and resource say it */
    const context_entry *context;
    size_t context_count;
    bool discover;          /* a key not given is not known; else it is absent */
    kim_texts known_absent, known_present; /* keys; discover only */
    bool derive;            /* add what the estate knows of the identity and the resource to the context */
} question;

typedef struct answer {
    verdict verdict;
    reason reason;
    const because *because;
    size_t because_count;
    const term *condition;   /* the residual; NULL where there is none */
    kim_texts unread;        /* what was not known */
} answer;

/* Of an estate that was built from an older one, before others know it: what was worked out for all askers of
 * the older one goes on to be used where nothing of it changed, or is changed in the places that did. */
void evaluate_carry(estate *es);

typedef struct evaluator evaluator;
/* Holds a reference to the estate. NULL with err: KIM_ERR_NOMEM */
evaluator *evaluator_new(estate *es, kim_error *err);
void evaluator_free(evaluator *ev); /* NULL is fine */

/* Reads {"principal":...,"action":...,"resource":...,"context":{...}} in the provider's form (CASES).
 * Texts live in arena. Errors: KIM_ERR_INPUT naming the field, KIM_ERR_NOMEM */
int question_read(const kim_json *request, kim_text provider, kim_arena *arena, question *out, kim_error *err);

/* The answer's parts live in the evaluator and end with its next call.
 * Errors: KIM_ERR_INPUT (what cannot be asked), KIM_ERR_NOMEM */
int evaluate_can(evaluator *ev, const question *q, answer *out, kim_error *err);

/* Whose question it is: "aws", "kubernetes", or the id of a profile; where the question does not say, from the
 * identity and the resource. Borrowed. Absent with err: KIM_ERR_INPUT it cannot be told, KIM_ERR_UNSUPPORTED */
kim_text evaluate_provider(evaluator *ev, const question *q, kim_error *err);

/* Calls back for each identity that is not denied, in the order of their ids; q->identity is ignored. For
 * AWS also for outsiders whom the resource's policy names or admits by a condition: services, providers of
 * tokens, "*", other accounts' principals, and an account (by its root's ARN) for whoever is in it.
 * A nonzero result of the callback ends the walk and is returned. */
typedef int who_can_function(void *context, kim_text identity, const answer *a);
int evaluate_who_can(evaluator *ev, const question *q, who_can_function *found, void *context, kim_error *err);

/* What is granted: an action of the catalogue, or a pattern where the provider has none, less others. */
typedef struct grant {
    kim_text action;
    kim_texts not_actions;  /* patterns: not these of what `action` covers */
    kim_text resource;      /* a pattern */
} grant;

/* Calls back for each action that the identity may do on some resource, with the patterns of the
 * statements that grant it; q->action is ignored, q->resource absent: any. */
typedef int what_can_function(void *context, const grant *what, const answer *a);
int evaluate_what_can(evaluator *ev, const question *q, what_can_function *found, void *context, kim_error *err);

/* ---- what stands in an identity's own policies ---- */

/* One statement of the identity's own or its groups' policies. */
typedef struct own_statement {
    const kim_policy *policy;       /* NULL where only its statements are known */
    const kim_statement *statement;
    bool conditional;               /* it has a condition */
} own_statement;
typedef int own_statement_function(void *user, const own_statement *own);

/* Calls back for each allow and deny of the identity's own policies, in the order of policies and
 * indexes. A nonzero result ends the walk and is returned. */
int evaluate_own(evaluator *ev, kim_text identity, own_statement_function *found, void *user);
/* The same for the allows that cover this action on this resource (absent: on any), conditions aside. */
int evaluate_own_grants(evaluator *ev, kim_text identity, kim_text action, kim_text resource,
                        own_statement_function *found, void *user);

/* Are the identity's grants counted in actions of a catalogue? AWS's are; a provider without one has patterns
 * alone, of which nobody can say how many actions they are. */
bool evaluate_is_counted(const kim_record *identity);

/* The catalogue's actions that the identity may do on some resource, by its own policies within its
 * boundary and its account's guardrails; bitsets of catalogue_words().
 *
 * granted      with or without a condition
 * conditional  of these, the ones that every grant ties to a condition
 * Errors: KIM_ERR_NOT_FOUND no such identity, or no catalogue; KIM_ERR_UNSUPPORTED it is not counted; KIM_ERR_NOMEM
 */
int evaluate_granted(evaluator *ev, kim_text identity, uint64_t *granted, uint64_t *conditional, kim_error *err);

/* The same of all of AWS's users and roles. Those who have the same policies within the same ceilings follow
 * each other and share one result, which is worked out once; within them the order is that of ids.
 *
 * part, parts  for several threads, each with an evaluator of its own: the results are dealt out among
 *              0 .. parts - 1
 * Errors: KIM_ERR_NOT_FOUND no catalogue; KIM_ERR_NOMEM; a nonzero result of the callback ends the walk */
typedef struct granted_set {
    const uint64_t *granted, *conditional; /* as above; borrowed until the callback returns */
    bool is_new;                           /* the first identity of a result */
} granted_set;
typedef int granted_all_function(void *user, kim_text identity, const granted_set *what);
int evaluate_granted_all(evaluator *ev, size_t part, size_t parts, granted_all_function *found, void *user, kim_error *err);
/* Of those alone whose results may differ from the older estate's, where the evaluator's was built from one
 * (evaluate_carry); all, where more than documents of policies changed. */
int evaluate_granted_changed(evaluator *ev, granted_all_function *found, void *user, kim_error *err);
const catalogue *evaluator_catalogue(const evaluator *ev); /* NULL: none is installed */

/* "allowed" ... and "explicit_allow" ... */
const char *verdict_name(verdict v);
const char *reason_name(reason r);
/* Writes the members "decision","reason","because" and, where there is one, "if" and "unread" into an
 * open object. */
void answer_write(const answer *a, kim_json_writer *writer);

/* ---- whole cases, as `kim evaluate` reads them ---- */

typedef struct case_reader case_reader;
case_reader *case_reader_new(const char *catalogues_dir, kim_error *err);
void case_reader_free(case_reader *reader); /* NULL is fine */

/* Answers one case and writes its line, without the newline.
 *
 * line     the case's JSON as written; its documents are not read from here
 * records  what the provider's normalise("case") made of it, encoded end to end
 * fault    why the provider could not read it; NULL where it could
 * Returns 0 where it was answered, 1 where the line says "error"; -1 with err: KIM_ERR_NOMEM
 */
int case_answer(case_reader *reader, kim_text line, const uint8_t *records, size_t size,
                const char *fault, kim_json_writer *writer, kim_error *err);

#endif
