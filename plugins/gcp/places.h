/* SPDX-License-Identifier: Apache-2.0
 *
 * places.h - organisations, folders and projects as the documents tell of them, in pieces.
 *
 * One listing has a project's number, another its id, an inventory its ancestors; only together they say which
 * scope a record belongs to.
 */
#ifndef GCP_PLACES_H
#define GCP_PLACES_H

#include <kim/arena.h>
#include <kim/error.h>
#include <kim/text.h>

typedef struct gcp_place {
    kim_text part;        /* "projects/1234", "folders/5", "organizations/6": as it was met first */
    kim_text id;          /* of a project: "my-project"; absent: not told */
    kim_text number;      /* of a project; absent: not told */
    kim_text name;        /* for people */
    kim_text customer;    /* of an organisation: its directory customer id */
    struct gcp_place *parent; /* NULL: not told */
    struct gcp_place *same;   /* another entry of the same project (id and number were met apart); NULL: it is the one */
    struct gcp_place *child;  /* the first that an inventory's chain led up from */
    bool no_parent;       /* a listing says so */
    bool has_policy;      /* its allow policy was read */
    bool is_covered;      /* an inventory reaches to it: had it a policy, that would have been read */
    bool is_deleted;
} gcp_place;

typedef struct gcp_places {
    kim_arena *arena;     /* holds all of it */
    gcp_place **slots;    /* [room] by part; open addressing */
    size_t room, count;
    gcp_place **items;    /* [count] in the order they were met */
    gcp_place *organisation; /* the one; of several the first */
    size_t organisations;
    bool has_inventory;   /* an inventory of allow policies holds projects, folders or organisations */
} gcp_places;

/* KIM_ERR_NOMEM */
int gcp_places_start(gcp_places *places, kim_error *err);
void gcp_places_stop(gcp_places *places); /* fine on a zeroed struct */

/* "projects/x", "folders/1", "organizations/2"; NULL: it is none of these, or no memory. */
gcp_place *gcp_places_get(gcp_places *places, kim_text part);
/* The same where it is known already; NULL: it is not. */
gcp_place *gcp_places_find(const gcp_places *places, kim_text part);
/* That this id and this number are one project's. */
void gcp_places_same(gcp_places *places, kim_text id, kim_text number);
void gcp_places_set_parent(gcp_places *places, gcp_place *place, gcp_place *parent);

/* "gcp:projects/1234", "gcp:organizations/6": by number where it is known. */
kim_text gcp_place_scope(const gcp_place *place, kim_arena *arena);
/* The full name, by id where it is known. */
kim_text gcp_place_name(const gcp_place *place, kim_arena *arena);
/* The full name by the number, where the other has the id; absent: there is none. */
kim_text gcp_place_alias(const gcp_place *place, kim_arena *arena);
const char *gcp_place_kind(const gcp_place *place); /* "project", "folder", "organisation" */

gcp_place *gcp_place_parent(const gcp_place *place); /* NULL: not told */
/* Where a resource lies: the project, folder or organisation that its full name has; NULL: it has none. */
gcp_place *gcp_place_of(gcp_places *places, kim_text resource);
/* Where what belongs to no project is defined: the one organisation, else that of the place, else the place. */
gcp_place *gcp_places_root(const gcp_places *places, gcp_place *of);

#endif
