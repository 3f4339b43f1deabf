/* SPDX-License-Identifier: Apache-2.0
 *
 * split.h - the pieces of a large JSON text, without a tree of the whole.
 *
 * The authorization details of a large account are 200 MB of four lists. Cut into elements they are
 * parsed one at a time, in the memory of the largest; and where a text is cut short or damaged, all
 * before that place is still read. A cut only finds where values end; whether they are JSON is for the
 * parser of each piece to say.
 */
#ifndef AWS_SPLIT_H
#define AWS_SPLIT_H

#include <kim/text.h>

typedef struct aws_split {
    kim_text rest;     /* what lies ahead */
    bool inside;       /* of an array or object: commas are due, and an end */
    bool begun;
    const char *fault; /* why it stopped before its end: "is cut short"; NULL: it did not */
} aws_split;

/* Values one after another, as in JSON Lines or pages written behind each other. */
aws_split aws_split_values(kim_text text);
/* The elements of an array or the members of an object; for any other value there are none. */
aws_split aws_split_inside(kim_text value);

/* The next value; false at the end, or at a fault. */
bool aws_split_next(aws_split *split, kim_text *value);
/* The next member. `name` is as written between the quotes, escapes and all. */
bool aws_split_member(aws_split *split, kim_text *name, kim_text *value);

/* The member's value (the first of that name), absent where there is none. */
kim_text aws_split_get(kim_text object, const char *name);
/* The same where the text may be cut short: what there is of the value. */
kim_text aws_split_open(kim_text object, const char *name);
/* Like aws_split_next, but gives a last value that is cut short too. */
bool aws_split_open_next(aws_split *split, kim_text *value);
/* '{', '[', '"', 'n' ... : what kind of value a text is; 0 where it is empty. */
char aws_split_kind(kim_text value);

/* Does a text, which may be cut short, have this shape? 0 no, 1 as far as can be seen, 2 yes.
 *
 * shape  a path, or several between spaces that must all be there: "Users[].Arn", "PolicyVersion.Document",
 *        "Accounts{}". [] asks for an array and goes on in its first element (in an empty one nothing
 *        more can be seen), {} asks for an object.
 */
int aws_split_has_shape(kim_text text, const char *shape);

#endif
