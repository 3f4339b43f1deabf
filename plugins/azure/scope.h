/* SPDX-License-Identifier: Apache-2.0
 *
 * scope.h - where something holds: Azure's own ids to the scopes and resources of records.
 *
 *   /                                                         azure:TENANT
 *   /providers/Microsoft.Management/managementGroups/NAME     azure:TENANT/mg/name
 *   /subscriptions/ID                                         azure:id
 *   /subscriptions/ID/resourceGroups/NAME                     azure:id/name
 *   anything below                                            a resource, by its id in lower case
 *
 * Azure compares ids without regard to case and by whole segments, so they are kept in lower case, with
 * single slashes and none at the end.
 * Source: Microsoft Learn, "Understand scope for Azure RBAC".
 */
#ifndef AZURE_SCOPE_H
#define AZURE_SCOPE_H

#include <kim/text.h>

/* The tenant of documents that do not tell: of cases, too. */
#define AZURE_NO_TENANT KIM_TEXT("-")

typedef struct azure_place {
    kim_text scope;    /* that defines what stands here: azure:... */
    kim_text on_scope; /* for an attachment; absent: it hangs on the resource */
    kim_text resource;
    kim_text subscription; /* lower case; absent: none */
    kim_text group;        /* a management group's name in lower case; absent: it is none */
} azure_place;

/* Any of Azure's ids; texts in arena. */
azure_place azure_place_of(kim_arena *arena, kim_text tenant, kim_text id);
/* "/", or segments in lower case with one slash before each. */
kim_text azure_id(kim_arena *arena, kim_text id);
/* What stands behind the last slash, in lower case; a GUID of 32 digits gets its dashes. */
kim_text azure_last(kim_arena *arena, kim_text id);
/* azure:TENANT/mg/name of a management group's name or id. */
kim_text azure_group_scope(kim_arena *arena, kim_text tenant, kim_text name);
/* What stands before "/providers/Microsoft.Authorization/..." of an assignment's id; absent: nothing tells. */
kim_text azure_scope_of_id(kim_text id);

#endif
