/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_tree.h - Google Cloud's resources, each below another: object, bucket, project, folders, organisation.
 *
 * Source: Resource Manager, "Resource hierarchy"; Cloud Asset Inventory, "Resource names".
 */
#ifndef KIM_GCP_TREE_H
#define KIM_GCP_TREE_H

#include "controller/estate/estate.h"
#include "controller/evaluate/text_map.h"

enum { GCP_NOWHERE = UINT32_MAX };

typedef struct gcp_place {
    kim_text name;            /* its full resource name */
    uint32_t parent;          /* GCP_NOWHERE: none is known */
    const kim_record *record; /* NULL: only others name it */
} gcp_place;

typedef struct gcp_tree {
    kim_arena *arena;
    text_map *names;          /* as they are settled */
    text_map *aliases;        /* other names, the projects' numbers among them */
    uint32_t *alias_of;       /* [aliases] the number of the name in `names` */
    gcp_place *places;        /* [count] */
    uint32_t count, capacity;
} gcp_tree;

/* The estate's resources of Google Cloud. -1: no memory. */
int gcp_tree_read(gcp_tree *tree, estate *es, kim_arena *arena);
/* The place of that name, made where there is none; GCP_NOWHERE without memory. */
uint32_t gcp_tree_add(gcp_tree *tree, kim_text name);
/* GCP_NOWHERE: nobody spoke of it. */
uint32_t gcp_tree_find(const gcp_tree *tree, kim_text name, kim_arena *scratch);
/* Where a resource that nobody listed lies: what is listed and begins its name, else the project, folder or
 * organisation in it. GCP_NOWHERE: nothing tells. */
uint32_t gcp_tree_above(const gcp_tree *tree, kim_text name, kim_arena *scratch);

#endif
