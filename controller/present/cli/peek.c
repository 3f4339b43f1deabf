/* SPDX-License-Identifier: Apache-2.0
 *
 * peek.c - values are stepped over by counting brackets outside of strings.
 *
 * What is no JSON is not noticed here; the provider that reads the whole line says so.
 */
#include "controller/present/cli/peek.h"

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blank(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n'))
        c->at++;
}

/* Steps over a string; false where it does not end. */
static bool skip_string(cursor *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
        const char *escape = memchr(c->at, '\\', (size_t)((quote != NULL ? quote : c->end) - c->at));
        if (escape != NULL) {
            c->at = escape + 1; /* and the character behind it, by the loop */
            continue;
        }
        if (quote == NULL)
            break;
        c->at = quote + 1;
        return true;
    }
    c->at = c->end;
    return false;
}

static bool skip_value(cursor *c)
{
    int depth = 0;
    do {
        if (c->at >= c->end)
            return false;
        switch (*c->at) {
        case '"':
            if (!skip_string(c))
                return false;
            break;
        case '{': case '[':
            depth++;
            c->at++;
            break;
        case '}': case ']':
            if (--depth < 0)
                return false;
            c->at++;
            break;
        case '\0': /* no JSON has it; strchr below would find it */
            return false;
        default:
            while (c->at < c->end && strchr("\"{}[],", *c->at) == NULL)
                c->at++;
            if (depth > 0 && c->at < c->end && *c->at == ',')
                c->at++;
        }
    } while (depth > 0);
    return true;
}

kim_text peek_member(kim_text object, const char *name)
{
    cursor c = {object.bytes, object.bytes + object.size};
    kim_text found = KIM_NO_TEXT, wanted = kim_text_of(name);
    skip_blank(&c);
    if (c.at == c.end || *c.at != '{')
        return found;
    for (c.at++;; c.at++) {
        skip_blank(&c);
        const char *key = c.at + 1;
        if (c.at == c.end || *c.at != '"' || !skip_string(&c))
            return found;
        bool is_it = kim_text_equal((kim_text){key, (size_t)(c.at - 1 - key)}, wanted);
        skip_blank(&c);
        if (c.at == c.end || *c.at++ != ':')
            return found;
        skip_blank(&c);
        const char *value = c.at;
        if (!skip_value(&c))
            return found;
        const char *value_end = c.at;
        while (value_end > value && strchr(" \t\r\n", value_end[-1]) != NULL)
            value_end--;
        if (is_it)
            found = (kim_text){value, (size_t)(value_end - value)};
        skip_blank(&c);
        if (c.at == c.end || *c.at != ',')
            return found;
    }
}

kim_text peek_string(kim_text object, const char *name)
{
    kim_text value = peek_member(object, name);
    if (value.size < 2 || value.bytes[0] != '"' || value.bytes[value.size - 1] != '"' ||
        memchr(value.bytes, '\\', value.size) != NULL)
        return KIM_NO_TEXT;
    return (kim_text){value.bytes + 1, value.size - 2};
}
