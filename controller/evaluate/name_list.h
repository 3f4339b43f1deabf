/* SPDX-License-Identifier: Apache-2.0
 *
 * name_list.h - names in the making; sorted, and each once, after name_list_settle.
 */
#ifndef KIM_NAME_LIST_H
#define KIM_NAME_LIST_H

#include <kim/text.h>

typedef struct name_list {
    kim_arena *arena; /* holds items; the names are borrowed */
    kim_text *items;  /* [count] */
    size_t count, capacity;
    bool failed;      /* out of memory: names are missing */
} name_list;

void name_list_add(name_list *list, kim_text name);
void name_list_settle(name_list *list);

#endif
