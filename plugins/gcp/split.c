/* SPDX-License-Identifier: Apache-2.0
 *
 * split.c - brackets are counted outside of strings.
 */
#include "plugins/gcp/split.h"

static void skip(kim_text *text, size_t size)
{
    text->bytes += size;
    text->size -= size;
}

static void skip_blank(gcp_split *split)
{
    while (split->rest.size && strchr(" \t\r\n,", split->rest.bytes[0]) && split->rest.bytes[0])
        skip(&split->rest, 1);
}

gcp_split gcp_split_start(kim_text text)
{
    if (kim_text_starts_with(text, KIM_TEXT("\xEF\xBB\xBF")))
        skip(&text, 3);
    return (gcp_split){.rest = text};
}

/* Where the value at the front ends; 0: it does not. */
static size_t value_size(kim_text text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.bytes[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            continue;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return i;
            depth--;
        } else if (depth == 0 && (c == ',' || c == '\n' || c == ' ' || c == '\t' || c == '\r')) {
            return i;
        }
        if (depth == 0 && !in_string && (c == '"' || c == '}' || c == ']'))
            return i + 1;
    }
    return depth == 0 && !in_string ? text.size : 0;
}

bool gcp_split_next(gcp_split *split, kim_text *value)
{
    for (;;) {
        skip_blank(split);
        if (split->rest.size == 0)
            return false;
        char c = split->rest.bytes[0];
        if (c != '[' && c != ']')
            break;
        if (c == '[' && split->in_list)
            break; /* a list in a list is an element */
        split->in_list = c == '[';
        skip(&split->rest, 1);
    }
    size_t size = value_size(split->rest);
    split->is_cut = size == 0;
    if (size == 0)
        return false;
    *value = (kim_text){split->rest.bytes, size};
    skip(&split->rest, size);
    return true;
}
