/* SPDX-License-Identifier: Apache-2.0
 *
 * split.c - the end of a value is where its brackets are closed, strings left out of the count.
 */
#include "plugins/aws/split.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(kim_text *text)
{
    while (text->size && is_space(*text->bytes)) {
        text->bytes++;
        text->size--;
    }
}

static void advance(kim_text *text, size_t size)
{
    text->bytes += size;
    text->size -= size;
}

/* Bytes of the string that begins here, with its quotes; 0 where it does not end. */
static size_t string_size(kim_text text)
{
    const char *end = text.bytes + text.size, *at = text.bytes + 1;
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (quote == NULL)
            return 0;
        const char *escape = memchr(at, '\\', (size_t)(quote - at));
        if (escape == NULL)
            return (size_t)(quote + 1 - text.bytes);
        at = escape + 2;
    }
    return 0;
}

/* Bytes of the value that begins here; 0 where it does not end. */
static size_t value_size(kim_text text)
{
    size_t at = 0, depth = 0;
    while (at < text.size) {
        char c = text.bytes[at];
        if (c == '"') {
            size_t string = string_size((kim_text){text.bytes + at, text.size - at});
            if (string == 0)
                return 0;
            at += string;
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
            at++;
        } else if (depth) {
            at++;
            continue;
        } else { /* a number, true, false, null, or nonsense: to the next separator */
            while (at < text.size && !is_space(text.bytes[at]) && strchr(",]}:\"[{", text.bytes[at]) == NULL)
                at++;
        }
        if (depth == 0)
            return at;
    }
    return depth ? 0 : at;
}

aws_split aws_split_values(kim_text text)
{
    if (kim_text_starts_with(text, KIM_TEXT("\xef\xbb\xbf")))
        advance(&text, 3);
    return (aws_split){.rest = text};
}

aws_split aws_split_inside(kim_text value)
{
    skip_space(&value);
    if (value.size == 0 || (*value.bytes != '{' && *value.bytes != '['))
        return (aws_split){.rest = {value.bytes, 0}};
    advance(&value, 1);
    return (aws_split){.rest = value, .inside = true};
}

static bool stop(aws_split *split, const char *fault)
{
    split->fault = fault;
    split->rest.size = 0;
    return false;
}

/* Goes to where the next value or name begins; false where there is none. */
static bool find_next(aws_split *split)
{
    skip_space(&split->rest);
    if (split->inside) {
        if (split->rest.size == 0)
            return split->fault || split->rest.bytes == NULL ? false : stop(split, "is cut short");
        if (*split->rest.bytes == '}' || *split->rest.bytes == ']') {
            split->rest.size = 0;
            split->inside = false; /* ended as it should */
            return false;
        }
        if (split->begun) {
            if (*split->rest.bytes != ',')
                return stop(split, "has no comma between two values");
            advance(&split->rest, 1);
            skip_space(&split->rest);
        }
    }
    split->begun = true;
    return split->rest.size > 0 || (split->inside && stop(split, "is cut short"));
}

static bool take_value(aws_split *split, kim_text *value)
{
    skip_space(&split->rest);
    size_t size = value_size(split->rest);
    if (size == 0)
        return stop(split, split->rest.size == 0 || strchr("{[\"", *split->rest.bytes) ? "is cut short" : "has a stray character");
    *value = (kim_text){split->rest.bytes, size};
    advance(&split->rest, size);
    return true;
}

bool aws_split_next(aws_split *split, kim_text *value)
{
    return find_next(split) && take_value(split, value);
}

bool aws_split_member(aws_split *split, kim_text *name, kim_text *value)
{
    if (!find_next(split))
        return false;
    size_t size = *split->rest.bytes == '"' ? string_size(split->rest) : 0;
    if (size == 0)
        return stop(split, *split->rest.bytes == '"' ? "is cut short" : "has a member without a name");
    *name = (kim_text){split->rest.bytes + 1, size - 2};
    advance(&split->rest, size);
    skip_space(&split->rest);
    if (split->rest.size == 0 || *split->rest.bytes != ':')
        return stop(split, split->rest.size ? "has a name without a value" : "is cut short");
    advance(&split->rest, 1);
    return take_value(split, value);
}

char aws_split_kind(kim_text value)
{
    skip_space(&value);
    return value.size ? *value.bytes : '\0';
}

kim_text aws_split_get(kim_text object, const char *wanted)
{
    aws_split members = aws_split_inside(object);
    kim_text name, value;
    if (aws_split_kind(object) == '{')
        while (aws_split_member(&members, &name, &value))
            if (kim_text_is(name, wanted))
                return value;
    return KIM_NO_TEXT;
}

static kim_text open_member(kim_text object, kim_text wanted)
{
    aws_split members = aws_split_inside(object);
    kim_text name = KIM_NO_TEXT, value, before;
    if (aws_split_kind(object) != '{')
        return KIM_NO_TEXT;
    for (;;) {
        before = members.rest;
        name = KIM_NO_TEXT;
        if (!aws_split_member(&members, &name, &value))
            break;
        if (kim_text_equal(name, wanted))
            return value;
    }
    if (!kim_text_equal(name, wanted) || members.fault == NULL)
        return KIM_NO_TEXT;
    const char *behind = name.bytes + name.size + 1, *end = before.bytes + before.size;
    const char *colon = memchr(behind, ':', (size_t)(end - behind));
    return colon ? (kim_text){colon + 1, (size_t)(end - colon - 1)} : KIM_NO_TEXT;
}

kim_text aws_split_open(kim_text object, const char *name)
{
    return open_member(object, kim_text_of(name));
}

bool aws_split_open_next(aws_split *split, kim_text *value)
{
    kim_text before = split->rest;
    if (aws_split_next(split, value))
        return true;
    if (split->fault == NULL)
        return false;
    split->fault = NULL;
    *value = before;
    return true;
}

/* One path of a shape, up to a space or the end. */
static int has_path(kim_text text, const char *path)
{
    for (;;) {
        size_t name = strcspn(path, ".[{ ");
        text = open_member(text, (kim_text){path, name});
        if (text.bytes == NULL)
            return 0;
        path += name;
        if (*path == '[' || *path == '{') {
            if (aws_split_kind(text) != *path)
                return 0;
            path += 2;
            if (*path == '.' && path[-1] == ']') {
                skip_space(&text);
                advance(&text, 1);
                skip_space(&text);
                if (text.size && *text.bytes == ']')
                    return 1;
            }
        }
        if (*path != '.')
            return 2;
        path++;
    }
}

int aws_split_has_shape(kim_text text, const char *shape)
{
    int least = 2;
    while (*shape && least) {
        int found = has_path(text, shape);
        least = found < least ? found : least;
        shape += strcspn(shape, " ");
        shape += strspn(shape, " ");
    }
    return least;
}
