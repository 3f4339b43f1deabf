/* SPDX-License-Identifier: Apache-2.0
 *
 * name_list.c - a row that doubles, then a sort.
 */
#include "controller/evaluate/name_list.h"

#include <stdlib.h>

static int compare_texts(const void *a, const void *b)
{
    return kim_text_compare(*(const kim_text *)a, *(const kim_text *)b);
}

void name_list_add(name_list *list, kim_text name)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        kim_text *items = KIM_NEW_ARRAY(list->arena, kim_text, capacity);
        if (items == NULL) {
            list->failed = true;
            return;
        }
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = name;
}

void name_list_settle(name_list *list)
{
    size_t kept = 0;
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare_texts);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || !kim_text_equal(list->items[kept - 1], list->items[i]))
            list->items[kept++] = list->items[i];
    list->count = kept;
}
