/* SPDX-License-Identifier: Apache-2.0
 *
 * order.h - records of one type in the order of their keys. Private to this folder.
 */
#ifndef KIM_ESTATE_ORDER_H
#define KIM_ESTATE_ORDER_H

#include <kim/record.h>

/* By the fields that are its key, in their order, then by scope; absent before empty. */
int order_compare(const kim_record *a, const kim_record *b);

/* Sorts records of one type; those with one key stay in the order they came. False without memory.
 *
 * Cost: each byte of the keys is looked at a few times, not once a comparison: keys share long beginnings. */
bool order_sort(kim_record *items, size_t count);

#endif
