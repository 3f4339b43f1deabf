/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes_name.c - the signs between the parts are found first; then each part's escapes are undone.
 */
#include "controller/evaluate/kubernetes_name.h"

#define CLUSTER "k8s:"

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The part without its escapes. */
static int undo(kim_text *part, kim_arena *arena, kim_error *err)
{
    if (part->size == 0 || memchr(part->bytes, '%', part->size) == NULL)
        return 0;
    char *bytes = kim_arena_bytes(arena, part->size);
    size_t size = 0;
    if (bytes == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to read a resource");
    for (size_t i = 0; i < part->size; i++) {
        int high = part->bytes[i] == '%' && part->size - i > 2 ? digit(part->bytes[i + 1]) : -1;
        int low = high < 0 ? -1 : digit(part->bytes[i + 2]);
        if (part->bytes[i] == '%' && low < 0)
            return kim_fail(err, KIM_ERR_INPUT, "resource '%.*s': %% is followed by two hexadecimal digits; the sign itself is %%25",
                            (int)(part->size < 80 ? part->size : 80), part->bytes);
        bytes[size++] = low < 0 ? part->bytes[i] : (char)(high << 4 | low);
        i += low < 0 ? 0 : 2;
    }
    *part = (kim_text){bytes, size};
    return 0;
}

/* What stands before the first of these signs; *rest begins with the sign, or is empty. */
static kim_text up_to(kim_text *rest, const char *signs)
{
    size_t at = 0;
    while (at < rest->size && (rest->bytes[at] == '\0' || strchr(signs, rest->bytes[at]) == NULL))
        at++;
    kim_text part = {rest->bytes, at};
    *rest = (kim_text){rest->bytes + at, rest->size - at};
    return part;
}

/* The same behind a sign; absent where the rest does not begin with it. */
static kim_text behind(kim_text *rest, char sign, const char *signs)
{
    if (rest->size == 0 || rest->bytes[0] != sign)
        return KIM_NO_TEXT;
    *rest = (kim_text){rest->bytes + 1, rest->size - 1};
    return up_to(rest, signs);
}

static int read_cluster(kim_text *text, kubernetes_name *out, kim_error *err)
{
    if (!kim_text_starts_with(*text, KIM_TEXT(CLUSTER)))
        return 0;
    kim_text rest = {text->bytes + sizeof CLUSTER - 1, text->size - (sizeof CLUSTER - 1)};
    out->cluster = up_to(&rest, "/");
    if (rest.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "resource '%.*s' names a cluster and nothing in it; write k8s:CLUSTER/RESOURCE", KIM_PRINT(*text));
    *text = (kim_text){rest.bytes + 1, rest.size - 1};
    return 0;
}

int kubernetes_name_read(kim_text text, kim_arena *arena, kubernetes_name *out, kim_error *err)
{
    kubernetes_name n = {.namespace = KIM_TEXT("")};
    if (read_cluster(&text, &n, err) < 0)
        return -1;
    if (text.size && text.bytes[0] == '/') {
        n.path = text;
        *out = n;
        return 0;
    }
    kim_text rest = text, empty = KIM_TEXT("\"\"");
    n.resource = up_to(&rest, "./@:");
    n.api_group = behind(&rest, '.', "/@:");
    n.subresource = behind(&rest, '/', "@:");
    n.type = (kim_text){text.bytes, text.size - rest.size};
    kim_text namespace = behind(&rest, '@', ":");
    if (rest.size)
        n.name = (kim_text){rest.bytes + 1, rest.size - 1};
    n.any_namespace = kim_text_is(namespace, "*");
    n.any_name = kim_text_is(n.name, "*");
    n.namespace = kim_text_is_absent(namespace) || n.any_namespace ? n.namespace : namespace;
    n.api_group = kim_text_is_absent(n.api_group) ? KIM_TEXT("") : n.api_group;
    n.resource = kim_text_equal(n.resource, empty) ? KIM_TEXT("") : n.resource;
    if (undo(&n.resource, arena, err) < 0 || undo(&n.api_group, arena, err) < 0 || undo(&n.subresource, arena, err) < 0 ||
        undo(&n.namespace, arena, err) < 0 || undo(&n.name, arena, err) < 0)
        return -1;
    *out = n;
    return 0;
}

static void put(char **at, kim_text text)
{
    if (text.size)
        memcpy(*at, text.bytes, text.size);
    *at += text.size;
}

/* With the signs that would be read otherwise as %XX, and a "*" that stands alone. */
static void put_escaped(char **at, kim_text text, const char *signs)
{
    static const char digits[] = "0123456789ABCDEF";
    bool alone = kim_text_is(text, "*");
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (alone || (c && strchr(signs, c))) {
            *(*at)++ = '%';
            *(*at)++ = digits[c >> 4];
            *(*at)++ = digits[c & 15];
        } else {
            *(*at)++ = (char)c;
        }
    }
}

kim_text kubernetes_pattern(kim_arena *arena, kim_text type, kim_text name)
{
    char *bytes = kim_arena_bytes(arena, type.size + 3 * name.size + 2), *at = bytes;
    if (bytes == NULL)
        return KIM_NO_TEXT;
    put(&at, type);
    *at++ = ':';
    if (kim_text_is_absent(name))
        *at++ = '*';
    else
        put_escaped(&at, name, "%");
    return (kim_text){bytes, (size_t)(at - bytes)};
}

kim_text kubernetes_name_in(kim_arena *arena, kim_text cluster, kim_text pattern, kim_text namespace, bool any_namespace)
{
    char *bytes = kim_arena_bytes(arena, 16 + cluster.size + pattern.size + 3 * namespace.size), *at = bytes;
    const char *colon = pattern.size && pattern.bytes[0] != '/' ? memchr(pattern.bytes, ':', pattern.size) : NULL;
    kim_text type = {pattern.bytes, colon ? (size_t)(colon - pattern.bytes) : pattern.size};
    if (bytes == NULL)
        return KIM_NO_TEXT;
    if (cluster.size) {
        put(&at, KIM_TEXT(CLUSTER));
        put(&at, cluster);
        *at++ = '/';
    }
    put(&at, kim_text_starts_with(pattern, KIM_TEXT(CLUSTER)) ? KIM_TEXT("%6B8s") : type); /* a resource k8s is no cluster */
    if (any_namespace || namespace.size)
        *at++ = '@';
    if (any_namespace)
        *at++ = '*';
    else
        put_escaped(&at, namespace, "%:");
    put(&at, (kim_text){pattern.bytes + type.size, pattern.size - type.size});
    *at = '\0';
    return (kim_text){bytes, (size_t)(at - bytes)};
}

kim_text kubernetes_combined(char *buffer, kim_text resource, kim_text subresource)
{
    char *at = buffer;
    put(&at, resource);
    *at++ = '/';
    put(&at, subresource);
    return (kim_text){buffer, (size_t)(at - buffer)};
}

/* ---- identities ---- */

#define USER "user:"
#define GROUP "group:"

kim_text kubernetes_user_id(kim_arena *arena, kim_text name)
{
    if (name.size && !kim_text_starts_with(name, KIM_TEXT(USER)) && !kim_text_starts_with(name, KIM_TEXT(GROUP)))
        return name;
    char *bytes = kim_arena_bytes(arena, sizeof USER + name.size), *at = bytes;
    if (bytes == NULL)
        return KIM_NO_TEXT;
    put(&at, KIM_TEXT(USER));
    put(&at, name);
    return (kim_text){bytes, (size_t)(at - bytes)};
}

kim_text kubernetes_id_name(kim_text id, bool *is_group)
{
    size_t prefix = kim_text_starts_with(id, KIM_TEXT(GROUP)) ? sizeof GROUP - 1 : kim_text_starts_with(id, KIM_TEXT(USER)) ? sizeof USER - 1 : 0;
    *is_group = prefix == sizeof GROUP - 1;
    return (kim_text){id.bytes + prefix, id.size - prefix};
}
