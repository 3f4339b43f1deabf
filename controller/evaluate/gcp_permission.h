/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_permission.h - Google Cloud's permissions in their two spellings, and patterns of them.
 *
 * Roles say storage.objects.get (the IAM v1 API), deny and boundary policies storage.googleapis.com/objects.get
 * (v2). A document may hold either, so both are read everywhere and become one name.
 *
 * Source: IAM, "Permissions supported in deny policies": SERVICE is SERVICE.googleapis.com but for the services
 * that its notes name; "Deny policies", Permission groups.
 */
#ifndef KIM_GCP_PERMISSION_H
#define KIM_GCP_PERMISSION_H

#include <kim/text.h>

/* The one name of a permission, in its v1 spelling where the service has one: "resourcemanager.projects.get" for
 * "cloudresourcemanager.googleapis.com/projects.get" too. Borrowed from text or made in arena; absent without memory. */
kim_text gcp_permission_name(kim_text text, kim_arena *arena);

typedef struct gcp_pattern {
    enum {
        GCP_ONE,    /* no wildcard: service and rest are a permission's */
        GCP_GROUP,  /* SERVICE/RESOURCE.VERB with * for the resource, the verb or both */
        GCP_GLOB,   /* a wildcard elsewhere: no policy of Google's may hold it */
    } kind;
    bool full;               /* written as SERVICE_FQDN/... */
    kim_text service;        /* as written: "storage" or "storage.googleapis.com" */
    kim_text resource, verb; /* of a group; absent: any */
    kim_text text;           /* as written */
} gcp_pattern;

gcp_pattern gcp_pattern_read(kim_text text);

/* Does it cover the permission of that name (gcp_permission_name)? One that is GCP_GLOB is matched as a glob,
 * with the v2 spelling where it is written so. */
bool gcp_pattern_covers(const gcp_pattern *pattern, kim_text name);

#endif
