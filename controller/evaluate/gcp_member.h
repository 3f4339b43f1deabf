/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_member.h - Google Cloud's principals and sets of principals in their two spellings.
 *
 * user:ann@example.com (allow policies) is principal://goog/subject/ann@example.com (deny policies), and so on:
 * both become one id, with addresses in lower case, since these are case-insensitive.
 *
 * Source: IAM, "Principal identifiers".
 */
#ifndef KIM_GCP_MEMBER_H
#define KIM_GCP_MEMBER_H

#include <kim/text.h>

typedef enum gcp_member_kind {
    GCP_USER,            /* a Google account */
    GCP_SERVICE_ACCOUNT,
    GCP_FEDERATED,       /* one identity of a workforce or workload pool, an agent */
    GCP_GROUP_OF,        /* a Google group */
    GCP_DOMAIN,          /* all users of a Workspace or Cloud Identity domain */
    GCP_CUSTOMER,        /* the same by its customer id */
    GCP_POOL,            /* all of a pool, or of a trust domain */
    GCP_POOL_PART,       /* its identities with a group, an attribute, a namespace ... */
    GCP_HOLDERS,         /* projectOwner:P, projectEditor:P, projectViewer:P */
    GCP_ACCOUNTS_OF,     /* all service accounts in a project, folder, organisation */
    GCP_AGENTS_OF,       /* all service agents of one */
    GCP_PRINCIPALS_OF,   /* the principal set of one, to which boundaries are bound */
    GCP_AUTHENTICATED,   /* allAuthenticatedUsers */
    GCP_EVERYONE,        /* allUsers */
    GCP_DELETED,         /* deleted:...: matches nobody, not even an account made anew */
    GCP_OTHER,           /* some set that kim does not know, or no principal at all */
} gcp_member_kind;

typedef struct gcp_member {
    gcp_member_kind kind;
    kim_text id;         /* one for both spellings: the v1 one where there is one */
    kim_text pool;       /* of GCP_FEDERATED, GCP_POOL, GCP_POOL_PART: what its other ids begin with */
    kim_text subject;    /* of one that can ask: an address; a federated one's subject */
    kim_text resource;   /* of GCP_..._OF: the resource's full name; of GCP_HOLDERS: the project */
    const char *role;    /* of GCP_HOLDERS: "roles/owner" ... */
} gcp_member;

/* Reads either spelling; ids are made in arena or borrowed. id is absent without memory. */
gcp_member gcp_member_read(kim_text text, kim_arena *arena);

/* Can this be who sends a request? (A group and a domain stand for any of their members.) */
bool gcp_member_can_ask(const gcp_member *m);
/* Is it one whose members are told by the identities themselves, or by a list? Else only itself. */
bool gcp_member_is_set(const gcp_member *m);

/* Is it of allAuthenticatedUsers: authenticated with a Google account or a service account, and not with an external
 * identity provider? Source: IAM API reference, "Binding", members. */
bool gcp_member_is_authenticated(const gcp_member *m);

/* The sets that surely hold it by what it is called: its domain, its pool, a namespace of its cluster;
 * at most GCP_IMPLIED_MAX. Ids are made in arena. */
enum { GCP_IMPLIED_MAX = 4 };
size_t gcp_member_implied(const gcp_member *m, kim_text ids[GCP_IMPLIED_MAX], kim_arena *arena);

/* The project that a service account's address names: its id or its number; absent: it names none. */
kim_text gcp_account_project(kim_text address);
/* A service agent: an account that Google makes for a service. */
bool gcp_account_is_agent(kim_text address);

/* "iam.googleapis.com/ServiceAccount" ..., as principal.type of conditions has it; NULL: not one principal. */
const char *gcp_member_type(const gcp_member *m);

#endif
