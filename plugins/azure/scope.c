/* SPDX-License-Identifier: Apache-2.0
 *
 * scope.c - ids cut at their slashes.
 */
#include "plugins/azure/scope.h"

kim_text azure_id(kim_arena *arena, kim_text id)
{
    char *bytes = kim_arena_bytes(arena, id.size + 2);
    size_t size = 0;
    if (bytes == NULL)
        return KIM_NO_TEXT;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.bytes[i];
        if (c == '/' || (c == ' ' && size == 0))
            continue;
        if (size == 0 || id.bytes[i - 1] == '/')
            bytes[size++] = '/';
        bytes[size++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    while (size > 0 && bytes[size - 1] == ' ')
        size--;
    if (size == 0)
        bytes[size++] = '/';
    return (kim_text){bytes, size};
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

kim_text azure_last(kim_arena *arena, kim_text id)
{
    kim_text whole = azure_id(arena, id);
    const char *slash = whole.size ? memrchr(whole.bytes, '/', whole.size) : NULL;
    if (slash == NULL)
        return whole;
    kim_text last = {slash + 1, whole.size - (size_t)(slash + 1 - whole.bytes)};
    if (last.size != 32)
        return last;
    for (size_t i = 0; i < last.size; i++)
        if (!is_hex(last.bytes[i]))
            return last;
    return kim_text_format(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", last.bytes, last.bytes + 8, last.bytes + 12, last.bytes + 16, last.bytes + 20);
}

kim_text azure_group_scope(kim_arena *arena, kim_text tenant, kim_text name)
{
    return kim_text_format(arena, "azure:%.*s/mg/%.*s", KIM_PRINT(tenant), KIM_PRINT(azure_last(arena, name)));
}

/* The next segment of a path in azure_id's form, which loses it. */
static kim_text cut(kim_text *path)
{
    if (path->size < 2)
        return KIM_NO_TEXT;
    const char *begin = path->bytes + 1, *slash = memchr(begin, '/', path->size - 1);
    size_t size = slash ? (size_t)(slash - begin) : path->size - 1;
    *path = (kim_text){begin + size, path->size - 1 - size};
    return (kim_text){begin, size};
}

azure_place azure_place_of(kim_arena *arena, kim_text tenant, kim_text id)
{
    kim_text path = azure_id(arena, id), rest = path;
    azure_place p = {.scope = kim_text_format(arena, "azure:%.*s", KIM_PRINT(tenant))};
    kim_text first = cut(&rest), second = cut(&rest), third = cut(&rest), fourth = cut(&rest);
    if (first.size == 0) {
        p.on_scope = p.scope;
        return p;
    }
    if (kim_text_is(first, "providers") && kim_text_is(second, "microsoft.management") &&
        kim_text_is(third, "managementgroups") && fourth.size) {
        p.group = fourth;
        p.scope = azure_group_scope(arena, tenant, fourth);
        p.on_scope = rest.size ? KIM_NO_TEXT : p.scope;
    } else if (kim_text_is(first, "subscriptions") && second.size) {
        p.subscription = second;
        p.scope = kim_text_format(arena, "azure:%.*s", KIM_PRINT(second));
        bool in_group = kim_text_is(third, "resourcegroups") && fourth.size;
        if (in_group)
            p.scope = kim_text_format(arena, "%.*s/%.*s", KIM_PRINT(p.scope), KIM_PRINT(fourth));
        p.on_scope = rest.size == 0 && (in_group || third.size == 0) ? p.scope : KIM_NO_TEXT;
    }
    if (kim_text_is_absent(p.on_scope))
        p.resource = path;
    return p;
}

kim_text azure_scope_of_id(kim_text id)
{
    static const char mark[] = "/providers/microsoft.authorization/";
    size_t size = sizeof mark - 1, found = SIZE_MAX;
    for (size_t i = 0; i + size <= id.size; i++)
        if (kim_text_equal_nocase((kim_text){id.bytes + i, size}, (kim_text){mark, size}))
            found = i;
    return found == SIZE_MAX ? KIM_NO_TEXT : found == 0 ? KIM_TEXT("/") : (kim_text){id.bytes, found};
}
