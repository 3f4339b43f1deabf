/* SPDX-License-Identifier: Apache-2.0
 *
 * analyst.h - what the parts of this folder share.
 */
#ifndef KIM_ANALYST_H
#define KIM_ANALYST_H

#include "controller/analyse/analyse.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluate.h"

struct analyst {
    estate *es;
    evaluator *ev;
    evaluator *closed; /* of the same estate without what was not read; NULL: not made yet (propose.c) */
    const catalogue *cat;
    window over;
    uint64_t *granted, *conditional, *used; /* [catalogue_words] of the identity at hand */
    uint64_t *accessed; /* of the identity at hand: used within the window, says its last-accessed data */
    uint64_t *hidden;   /* of the identity at hand: `unseen`, and services it used the log does not show how */
    uint64_t *unseen;   /* of a scope's log */
    kim_text unseen_scope; /* whose log `unseen` was made for */
    bool unseen_is_made;
};

static inline bool set_has(const uint64_t *set, int32_t action)
{
    return set[action / 64] >> (action % 64) & 1;
}

static inline void set_add(uint64_t *set, int32_t action)
{
    set[action / 64] |= UINT64_C(1) << (action % 64);
}

/* The actions that the log of a scope cannot show: those of parts that its coverage calls unreadable, and
 * those that are no calls of their own. All of them, where no log of the scope was read. A part that is
 * partial shows its actions; that it shows all of them is what a proposal then rests on. */
const uint64_t *analyst_unseen(analyst *a, kim_text scope);
/* Was any log of the scope read? */
bool analyst_has_log(const analyst *a, kim_text scope);

#endif
