/* SPDX-License-Identifier: Apache-2.0
 *
 * items.c - brackets counted outside of strings; what lies between two commas of the list is an item.
 */
#include <stdio.h>
#include <stdlib.h>

#include <kim/record.h>

#include "controller/present/cli/client.h"
#include "controller/present/cli/items.h"

enum { ITEM_MAX_BYTES = 64 * 1024 * 1024, ARENA_FACTOR = 24 };

struct items {
    char opening[64];  /* "LIST": */
    items_function *each;
    void *context;
    kim_bytes rest;    /* what stands outside of the list */
    kim_bytes item;    /* the one being read */
    kim_arena *arena;
    int depth;
    bool in_list, in_string, is_escaped;
};

items *items_new(const char *list, items_function *each, void *context, kim_error *err)
{
    items *it = calloc(1, sizeof *it);
    if (it != NULL)
        it->arena = kim_arena_new((size_t)ITEM_MAX_BYTES * ARENA_FACTOR);
    if (it == NULL || it->arena == NULL) {
        items_free(it);
        kim_fail(err, KIM_ERR_NOMEM, "no memory to read a list");
        return NULL;
    }
    snprintf(it->opening, sizeof it->opening, "\"%s\":", list);
    it->each = each;
    it->context = context;
    return it;
}

void items_free(items *it)
{
    if (it == NULL)
        return;
    kim_bytes_free(&it->rest);
    kim_bytes_free(&it->item);
    kim_arena_free(it->arena);
    free(it);
}

static bool opens_list(const items *it)
{
    size_t size = strlen(it->opening);
    return it->depth == 1 && it->rest.size >= size &&
           memcmp(it->rest.data + it->rest.size - size, it->opening, size) == 0;
}

static int end_item(items *it, kim_error *err)
{
    size_t blank = 0;
    while (blank < it->item.size && it->item.data[blank] != '\0' && strchr(" \t\r\n", it->item.data[blank]) != NULL)
        blank++;
    if (blank == it->item.size) {
        it->item.size = 0;
        return 0;
    }
    kim_arena_reset(it->arena);
    const kim_json *item = kim_json_parse((const char *)it->item.data, it->item.size, "the controller's answer",
                                          it->arena, err);
    it->item.size = 0;
    return item != NULL ? it->each(it->context, item, err) : -1;
}

/* One character that is not within a string. -1 with err; 1 where it belongs to nobody. */
static int step(items *it, char c, kim_error *err)
{
    if (it->in_list && it->depth == 2 && (c == ',' || c == ']')) {
        if (end_item(it, err) < 0)
            return -1;
        it->in_list = c == ',';
        it->depth -= c == ']';
        return c == ',';
    }
    if (c == '[' && !it->in_list && opens_list(it)) {
        kim_bytes_append(&it->rest, "[", 1);
        it->in_list = true;
        it->depth++;
        return 1;
    }
    it->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    return 0;
}

int items_take(void *context, const char *bytes, size_t size, kim_error *err)
{
    items *it = context;
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];
        int taken = 0;
        if (it->in_string) {
            it->in_string = c != '"' || it->is_escaped;
            it->is_escaped = c == '\\' && !it->is_escaped;
        } else if (c == '"') {
            it->in_string = true;
        } else {
            taken = step(it, c, err);
        }
        if (taken < 0)
            return -1;
        kim_bytes *to = it->in_list ? &it->item : &it->rest;
        if (taken == 0 && (to == &it->rest || it->each != NULL))
            kim_bytes_append(to, &c, 1);
        if (to->size > ITEM_MAX_BYTES)
            return kim_fail(err, KIM_ERR_LIMIT, "an item of the answer is larger than %d bytes", ITEM_MAX_BYTES);
    }
    return it->rest.failed || it->item.failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for the answer; ask for less") : 0;
}

const kim_json *items_rest(items *it, kim_arena *arena, kim_error *err)
{
    const kim_json *rest = kim_json_parse((const char *)it->rest.data, it->rest.size, "the controller's answer", arena, err);
    return client_check_whole(rest, err) == 0 ? rest : NULL;
}
