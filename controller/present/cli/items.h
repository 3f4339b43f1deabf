/* SPDX-License-Identifier: Apache-2.0
 *
 * items.h - the items of an answer's list, one at a time as they arrive, so that a list of any length
 * needs no more memory than one item.
 */
#ifndef KIM_CLI_ITEMS_H
#define KIM_CLI_ITEMS_H

#include <kim/json.h>

typedef struct items items;

/* Takes one item; it ends with the call. -1 with err ends the reading. */
typedef int items_function(void *context, const kim_json *item, kim_error *err);

/* list  the name of the list's member: the answer is {...,"LIST":[{...},...],...}
 * each  NULL: nobody wants the items, and they are passed over without being read
 * NULL with err: KIM_ERR_NOMEM */
items *items_new(const char *list, items_function *each, void *context, kim_error *err);
void items_free(items *it); /* NULL is fine */

/* A client_sink. Errors: KIM_ERR_LIMIT (an item past 64 MiB), those of kim_json_parse and of `each` */
int items_take(void *it, const char *bytes, size_t size, kim_error *err);
/* What stands around the list, once all has been taken: an object with an empty list. In arena.
 * NULL with err: cut short; or the list broke off (client_check_whole) */
const kim_json *items_rest(items *it, kim_arena *arena, kim_error *err);

#endif
