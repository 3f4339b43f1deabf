/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes.h - a request, as the cluster's index has it, and what its bindings say. Private to this folder.
 */
#ifndef KIM_KUBERNETES_H
#define KIM_KUBERNETES_H

#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/kubernetes_index.h"
#include "controller/evaluate/kubernetes_name.h"

enum { K8S_CELLS_MAX = 6 }; /* of a resource: its group or all, times itself, its subresource of any, or all */

enum { K8S_FEW_SUBJECTS = 12 };

/* What is asked for; the same for everyone who may be asking. */
typedef struct k8s_asked {
    const k8s_cluster *c;
    uint32_t verb, name, namespace;   /* K8S_UNKNOWN: no rule or binding names it */
    bool any_name, any_namespace, is_path;
    const uint32_t *cells;            /* [cell_count]: `few`, or in the arena; so it is never copied */
    uint32_t few[K8S_CELLS_MAX];
    size_t cell_count;
    uint64_t signature;               /* of the cells */
    kim_text type, given_name, given_namespace; /* as written, for what remains open; name absent: none was written */
    kim_text cluster_prefix;          /* the cluster, where the asker had to say it; else absent */
} k8s_asked;

/* Who asks: subjects of the cluster. */
typedef struct k8s_asker {
    const uint32_t *subjects; /* [count]: the user and its groups, those that the cluster names; `few`, or elsewhere, so never copied */
    size_t count;
    uint32_t few[K8S_FEW_SUBJECTS];
    bool is_master;           /* in system:masters: nobody is asked */
    bool is_open;             /* may be in more groups than are known */
    bool is_vague;            /* a membership has a condition */
} k8s_asker;

/* Scratch of one evaluator. */
typedef struct k8s_state {
    const kubernetes_index *index;
    uint32_t *subject_rounds; /* [most_subjects]: the walk that came by last */
    uint32_t *found;          /* [most_subjects]: of the walk at hand */
    uint32_t round;
    kim_arena *listing;       /* what who-can and what-can gather, beside the answers' scratch */
} k8s_state;

/* The cluster that is meant: the named one (absent: not said), else the only one, else the only one that knows the
 * identity. NULL with err: KIM_ERR_INPUT, KIM_ERR_NOT_FOUND */
const k8s_cluster *kubernetes_cluster_of(const kubernetes_index *index, kim_text named, kim_text identity, kim_error *err);

/* Texts and rows live in arena. */
int kubernetes_ask(const k8s_cluster *c, const kubernetes_request *r, kim_arena *arena, k8s_asked *out, kim_error *err);
/* A user and its groups, exactly these. */
int kubernetes_asker_given(const k8s_cluster *c, kim_text user, kim_texts groups, kim_arena *arena, k8s_asker *out, kim_error *err);

bool kubernetes_verb_matches(const k8s_rule *rule, uint32_t verb);
/* The first rule of the role that allows it, in whatever namespace the role is bound; NULL: none does. */
const k8s_rule *kubernetes_role_allows(const k8s_cluster *c, uint32_t role, const k8s_asked *asked);
/* The first of the asker's rules that allows it; NULL: none does. Unread roles allow nothing here. */
const k8s_rule *kubernetes_asker_may(const k8s_asked *asked, const k8s_asker *asker);

/* The bindings of one subject that count in a namespace: a run for the whole cluster, and one for it. */
typedef struct k8s_runs {
    k8s_run of[2];
} k8s_runs;
k8s_runs kubernetes_bindings_in(const k8s_cluster *c, const k8s_subject *subject, uint32_t namespace, bool any_namespace);

/* ---- the forms of cases that are not requests ---- */

/* A role, or rules that stand alone, by their id. K8S_UNKNOWN: there are none. */
uint32_t kubernetes_role_number(const k8s_cluster *c, const char *layer, kim_text id);
int kubernetes_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);
int kubernetes_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);
int kubernetes_may_grant(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);

#endif
