/* SPDX-License-Identifier: Apache-2.0
 *
 * document.h - one document of Azure or Entra to records, whether REST, `az`, PowerShell or Graph printed it.
 *
 * The same facts come in several dresses: members wrapped in "properties" (REST) or flat (`az`), with
 * small or capital initials (PowerShell), one element or a list. A document is known by its members, and
 * its members are found in any of these. What becomes of each is told in doc/model.md, "How Azure becomes
 * records".
 */
#ifndef AZURE_DOCUMENT_H
#define AZURE_DOCUMENT_H

#include <kim/json.h>

#include "plugins/azure/out.h"
#include "plugins/azure/scope.h"

typedef struct azure_reader {
    azure_out *out;
    kim_text tenant;     /* of what does not say it; AZURE_NO_TENANT: not known */
    bool strict;         /* a case: what cannot be read is an error, not `unread` */
    const char *where;   /* the document at hand, for messages: "role_definitions[3]", a path */
    kim_text subject;    /* what was asked about, where only the file's name says it: a group */
    kim_error *err;
} azure_reader;

typedef enum azure_kind {
    AZURE_UNKNOWN,
    AZURE_ROLE_DEFINITION, AZURE_ROLE_ASSIGNMENT, AZURE_DENY_ASSIGNMENT, AZURE_ELIGIBLE_ASSIGNMENT,
    AZURE_SUBSCRIPTION, AZURE_MANAGEMENT_GROUP, AZURE_LOCK, AZURE_CLASSIC_ADMINISTRATOR,
    ENTRA_ROLE_DEFINITION, ENTRA_ROLE_ASSIGNMENT, ENTRA_ELIGIBLE_ASSIGNMENT, ENTRA_APP_ROLE, ENTRA_APP_ROLE_ASSIGNMENT,
    ENTRA_USER, ENTRA_GROUP, ENTRA_SERVICE_PRINCIPAL, ENTRA_ADMINISTRATIVE_UNIT, ENTRA_ORGANIZATION,
    AZURE_KINDS,
} azure_kind;

azure_kind azure_kind_of(const kim_json *document);
/* Puts the records of a document of that kind. eligible: it can be activated (an assignment).
 * -1 with r->err: KIM_ERR_INPUT where r->strict and a member is not what it must be; those of azure_put */
int azure_read(azure_reader *r, azure_kind kind, bool eligible, const kim_json *document);

/* {"GROUP":["MEMBER", ...]}; a member may be Graph's object. */
int azure_read_groups(azure_reader *r, const kim_json *groups);
/* {"child":"parent"}: management groups by name or id, "/subscriptions/ID" as a child. */
int azure_read_management_groups(azure_reader *r, const kim_json *parents);
/* The profile that says how Azure is evaluated, and the tenant's two scopes. */
int azure_put_profile(azure_reader *r);

/* ---- shared by the readers ---- */

/* A member by its name, whatever the case, of the document or of its "properties"; NULL where it is absent or null. */
const kim_json *azure_get(const kim_json *document, const char *name);
kim_text azure_text(const kim_json *document, const char *name); /* a string's text; absent: all else */
/* The first of two names that is there: REST's and PowerShell's. */
kim_text azure_either(const kim_json *document, const char *one, const char *other);
/* The list at a member; {NULL, 0} where it is absent. -1 with r->err, or *unread filled, where it holds
 * something else than strings. */
int azure_texts(azure_reader *r, const kim_json *document, const char *name, kim_texts *out, kim_text *unread);
/* Says that a document is not as it must be: fails where r->strict, else fills *unread. */
int azure_problem(azure_reader *r, kim_text *unread, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Of RFC 3339 text; -1 where it is there and is no time. 0: absent. */
int64_t azure_time(const kim_json *document, const char *name);
/* Puts a principal whose kind an assignment tells ("User", "Group", "ServicePrincipal" ...). */
int azure_put_principal(azure_reader *r, kim_text id, kim_text type, kim_text name);
int azure_put_member(azure_reader *r, kim_text member, kim_text group, const char *via);
/* The condition and the times that an assignment holds under. */
int azure_read_terms(azure_reader *r, const kim_json *document, kim_attachment *a);
/* An instance of a schedule that was refused or taken back: it grants nothing. */
bool azure_is_void(const kim_json *document);
/* What tells an assignment without an id from others of the same role, principal and place. */
kim_text azure_nameless(kim_arena *arena, const kim_attachment *a);
kim_text azure_directory(azure_reader *r); /* dir:TENANT */
int azure_put_scope(azure_reader *r, const azure_place *place);

/* document_entra.c: the kinds that begin with ENTRA_. */
int entra_read(azure_reader *r, azure_kind kind, bool eligible, const kim_json *document);

#endif
