/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - a table of how identifiers begin.
 */
#include "plugins/gcp/names.h"

#include <kim/record.h>

kim_text gcp_after(kim_text text, const char *prefix)
{
    kim_text p = kim_text_of(prefix);
    return kim_text_starts_with(text, p) ? (kim_text){text.bytes + p.size, text.size - p.size} : KIM_NO_TEXT;
}

kim_text gcp_last_part(kim_text name)
{
    size_t at = name.size;
    while (at > 0 && name.bytes[at - 1] != '/')
        at--;
    return (kim_text){name.bytes + at, name.size - at};
}

bool gcp_is_number(kim_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.size > 0;
}

/* How v2 writes what v1 writes with a prefix and an address. */
static const struct spelling {
    const char *v2, *v1;
} spellings[] = {
    {"principal://goog/subject/", "user:"},
    {"principal://iam.googleapis.com/projects/-/serviceAccounts/", "serviceAccount:"},
    {"principalSet://goog/group/", "group:"},
};

kim_text gcp_member_id(kim_arena *arena, kim_text member)
{
    static const char *const addresses[] = {"user:", "serviceAccount:", "group:", "domain:"};
    if (kim_text_is(member, "principalSet://goog/public:all"))
        return KIM_TEXT("allUsers");
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        kim_text address = gcp_after(member, spellings[i].v2);
        if (!kim_text_is_absent(address))
            member = kim_text_format(arena, "%s%.*s", spellings[i].v1, KIM_PRINT(address));
    }
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        kim_text address = gcp_after(member, addresses[i]);
        bool cluster = address.size && memchr(address.bytes, '[', address.size); /* Kubernetes names keep their case */
        if (!kim_text_is_absent(address) && !cluster)
            return kim_text_format(arena, "%s%.*s", addresses[i], KIM_PRINT(kim_text_lower(arena, address)));
    }
    return member;
}

int32_t gcp_member_kind(kim_text id)
{
    static const struct { const char *prefix; int32_t kind; } kinds[] = {
        {"user:", KIM_HUMAN}, {"serviceAccount:", KIM_WORKLOAD}, {"principal://", KIM_WORKLOAD}, {"allUsers", KIM_PUBLIC},
        {"allAuthenticatedUsers", KIM_PUBLIC}, {"deleted:user:", KIM_HUMAN}, {"deleted:serviceAccount:", KIM_WORKLOAD},
    };
    if (kim_text_starts_with(id, KIM_TEXT("principal://iam.googleapis.com/locations/global/workforcePools/")))
        return KIM_HUMAN;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kim_text_starts_with(id, kim_text_of(kinds[i].prefix)))
            return kinds[i].kind;
    return KIM_GROUP; /* group:, domain:, principalSet://, projectOwner: ... */
}

kim_text gcp_resource_name(kim_arena *arena, kim_text name)
{
    static const char *const managed[] = {"projects/", "folders/", "organizations/"};
    kim_text domain = gcp_after(name, "cloudresourcemanager.googleapis.com/");
    if (kim_text_starts_with(name, KIM_TEXT("//")))
        return name;
    if (!kim_text_is_absent(domain))
        name = domain;
    for (size_t i = 0; i < sizeof managed / sizeof *managed; i++) {
        kim_text rest = gcp_after(name, managed[i]);
        if (rest.size && memchr(rest.bytes, '/', rest.size) == NULL)
            return kim_text_format(arena, GCP_MANAGER "%.*s", KIM_PRINT(name));
    }
    kim_text account = gcp_after(name, "projects/");
    const char *slash = account.size ? memchr(account.bytes, '/', account.size) : NULL;
    if (slash && kim_text_starts_with((kim_text){slash, (size_t)(account.bytes + account.size - slash)}, KIM_TEXT("/serviceAccounts/")))
        return kim_text_format(arena, GCP_IAM "%.*s", KIM_PRINT(name));
    return KIM_NO_TEXT;
}

kim_text gcp_manager_part(kim_text name)
{
    return gcp_after(name, GCP_MANAGER);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

kim_text gcp_percent_decoded(kim_arena *arena, kim_text text)
{
    char *bytes = kim_arena_bytes(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; bytes && i < text.size; i++) {
        bool escape = text.bytes[i] == '%' && i + 2 < text.size && digit(text.bytes[i + 1]) >= 0 && digit(text.bytes[i + 2]) >= 0;
        bytes[size++] = escape ? (char)(digit(text.bytes[i + 1]) << 4 | digit(text.bytes[i + 2])) : text.bytes[i];
        i += escape ? 2 : 0;
    }
    if (bytes == NULL)
        return KIM_NO_TEXT;
    bytes[size] = '\0';
    return (kim_text){bytes, size};
}
