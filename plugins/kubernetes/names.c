/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - names are put together here and nowhere else in the provider.
 */
#include "plugins/kubernetes/names.h"

/* "" as a name of its own: ids are never empty. */
static kim_text or_quotes(kim_text name)
{
    return name.size ? name : KIM_TEXT("\"\"");
}

static kim_text join(kim_arena *arena, kim_text a, kim_text b)
{
    char *bytes = kim_arena_bytes(arena, a.size + b.size + 1);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    memcpy(bytes, a.bytes, a.size);
    if (b.size)
        memcpy(bytes + a.size, b.bytes, b.size);
    bytes[a.size + b.size] = '\0';
    return (kim_text){bytes, a.size + b.size};
}

kim_text k8s_scope(kim_arena *arena, kim_text cluster, kim_text namespace)
{
    kim_text scope = join(arena, KIM_TEXT("k8s:"), cluster);
    if (namespace.size == 0 || kim_text_is_absent(scope))
        return scope;
    kim_text folder = join(arena, scope, KIM_TEXT("/"));
    return kim_text_is_absent(folder) ? folder : join(arena, folder, namespace);
}

kim_text k8s_user(kim_arena *arena, kim_text name)
{
    bool plain = name.size && !kim_text_starts_with(name, KIM_TEXT("user:")) && !kim_text_starts_with(name, KIM_TEXT("group:"));
    return plain ? name : join(arena, KIM_TEXT("user:"), name);
}

kim_text k8s_group(kim_arena *arena, kim_text name)
{
    return join(arena, KIM_TEXT("group:"), name);
}

kim_text k8s_service_account(kim_arena *arena, kim_text namespace, kim_text name)
{
    kim_text of_namespace = join(arena, KIM_TEXT("system:serviceaccount:"), namespace);
    kim_text colon = kim_text_is_absent(of_namespace) ? of_namespace : join(arena, of_namespace, KIM_TEXT(":"));
    return kim_text_is_absent(colon) ? colon : join(arena, colon, name);
}

kim_text k8s_role(kim_arena *arena, const kim_text *namespace, kim_text name)
{
    if (namespace == NULL)
        return or_quotes(name);
    kim_text folder = join(arena, *namespace, KIM_TEXT("/"));
    return kim_text_is_absent(folder) ? folder : join(arena, folder, name);
}

/* ---- resources ---- */

typedef struct writing {
    char *at;
} writing;

static void put(writing *w, kim_text text, const char *special)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c && strchr(special, c)) {
            *w->at++ = '%';
            *w->at++ = digits[c >> 4];
            *w->at++ = digits[c & 15];
        } else {
            *w->at++ = (char)c;
        }
    }
}

kim_text k8s_resource(kim_arena *arena, kim_text api_group, kim_text resource, const kim_text *name)
{
    const char *slash = resource.size ? memchr(resource.bytes, '/', resource.size) : NULL;
    kim_text whole = {resource.bytes, slash ? (size_t)(slash - resource.bytes) : resource.size};
    kim_text part = slash ? (kim_text){slash + 1, resource.size - whole.size - 1} : KIM_NO_TEXT;
    size_t most = 8 + 3 * (api_group.size + resource.size + (name ? name->size : 0));
    char *bytes = kim_arena_bytes(arena, most);
    writing w = {bytes};
    if (bytes == NULL)
        return KIM_NO_TEXT;
    bool is_prefix = name && !slash && api_group.size == 0 && kim_text_is(whole, "k8s"); /* "k8s:" names a cluster */
    put(&w, or_quotes(whole), is_prefix ? "k" : whole.size ? "%.@:\"" : "");
    if (api_group.size) {
        *w.at++ = '.';
        put(&w, api_group, "%/@:");
    }
    if (slash) {
        *w.at++ = '/';
        put(&w, part, "%@:");
    }
    if (name) {
        *w.at++ = ':';
        put(&w, *name, kim_text_is(*name, "*") ? "*" : "%");
    }
    return (kim_text){bytes, (size_t)(w.at - bytes)};
}
