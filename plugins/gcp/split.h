/* SPDX-License-Identifier: Apache-2.0
 *
 * split.h - the values of a large JSON text one by one, without a tree of the whole.
 *
 * An export of the inventory is a line a resource, or one list of them; cut up it is read in the memory of its
 * largest element, and all before a damaged place is still read. A cut only finds where values end; whether they
 * are JSON is for the parser of each to say.
 */
#ifndef GCP_SPLIT_H
#define GCP_SPLIT_H

#include <kim/text.h>

typedef struct gcp_split {
    kim_text rest;
    bool in_list;  /* of the list at hand: commas are due, and an end */
    bool is_cut;   /* the text ends within a value */
} gcp_split;

gcp_split gcp_split_start(kim_text text);
/* The next value: a list at the top gives its elements. False at the end, or where nothing can be made out any more. */
bool gcp_split_next(gcp_split *split, kim_text *value);

#endif
