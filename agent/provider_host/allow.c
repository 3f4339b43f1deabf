/* SPDX-License-Identifier: Apache-2.0
 *
 * allow.c - patterns of hosts, read in place.
 */
#include <string.h>
#include <strings.h>

#include "agent/provider_host/allow.h"

/* [at, end) as a port: 1 to 65535, or 0 for anything else. */
static uint16_t port_of(const char *at, const char *end)
{
    uint32_t port = 0;
    if (at == end || end - at > 5)
        return 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return 0;
        port = port * 10 + (uint32_t)(*at - '0');
    }
    return port <= 65535 ? (uint16_t)port : 0;
}

static bool host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':';
}

int allow_place_of(const char *url, allow_place *place, kim_error *err)
{
    allow_place found = {0};
    const char *at;
    if (strncasecmp(url, "https://", 8) == 0) {
        found.encrypted = true;
        at = url + 8;
    } else if (strncasecmp(url, "http://", 7) == 0) {
        at = url + 7;
    } else {
        return kim_fail(err, KIM_ERR_INPUT, "'%.200s' is no http or https URL", url);
    }
    const char *end = at + strcspn(at, "/?#");
    found.path = end;
    if (memchr(at, '@', (size_t)(end - at)) != NULL)
        return kim_fail(err, KIM_ERR_INPUT, "a URL names a user: credentials belong in the secrets, not in a URL");

    const char *host_end;
    if (*at == '[') {
        at++;
        host_end = memchr(at, ']', (size_t)(end - at));
        if (host_end == NULL)
            return kim_fail(err, KIM_ERR_INPUT, "'%.200s' has a '[' without its ']'", url);
    } else {
        host_end = memchr(at, ':', (size_t)(end - at));
        if (host_end == NULL)
            host_end = end;
    }
    size_t size = (size_t)(host_end - at);
    if (size == 0 || size >= sizeof found.host)
        return kim_fail(err, KIM_ERR_INPUT, "'%.200s' names no host", url);
    for (size_t i = 0; i < size; i++) {
        char c = at[i];
        found.host[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        if (!host_byte(found.host[i]))
            return kim_fail(err, KIM_ERR_INPUT, "'%.200s' has a character in its host that none has", url);
    }

    const char *after = *host_end == ']' ? host_end + 1 : host_end;
    found.port = found.encrypted ? 443 : 80;
    if (after < end) {
        found.port = *after == ':' ? port_of(after + 1, end) : 0;
        if (found.port == 0)
            return kim_fail(err, KIM_ERR_INPUT, "'%.200s' has a port that is none", url);
    }
    *place = found;
    return 0;
}

bool allow_matches(const char *pattern, const char *host, uint16_t port)
{
    const char *colon = strrchr(pattern, ':');
    size_t size = colon != NULL ? (size_t)(colon - pattern) : strlen(pattern);
    if (colon == NULL ? port != 443
                      : strcmp(colon, ":*") != 0 && port_of(colon + 1, colon + strlen(colon)) != port)
        return false;
    if (size < 2 || pattern[0] != '*' || pattern[1] != '.')
        return strlen(host) == size && strncasecmp(pattern, host, size) == 0;
    size_t suffix = size - 1; /* with its dot, so that "*.a.b" is not "xa.b" */
    size_t length = strlen(host);
    return length > suffix && strncasecmp(host + length - suffix, pattern + 1, suffix) == 0;
}

/* Does one of the operator's own URLs lead there, with or without TLS as asked? */
static bool settings_name(const kim_settings *settings, const char *host, uint16_t port, bool unencrypted)
{
    for (uint32_t i = 0; settings != NULL && i < settings->count; i++) {
        for (uint32_t k = 0; k < settings->items[i].count; k++) {
            allow_place place;
            if (allow_place_of(settings->items[i].values[k], &place, NULL) == 0 && place.port == port &&
                strcasecmp(place.host, host) == 0 && place.encrypted != unencrypted)
                return true;
        }
    }
    return false;
}

bool allow_permits(const allow_list *list, const char *host, uint16_t port, bool unencrypted)
{
    if (settings_name(list->settings, host, port, unencrypted))
        return true;
    if (unencrypted)
        return false;
    bool named = false;
    for (const char *const *at = list->plugin_hosts; at != NULL && *at != NULL && !named; at++)
        named = allow_matches(*at, host, port);
    if (!named || list->operator_host_count == 0)
        return named;
    for (uint32_t i = 0; i < list->operator_host_count; i++) {
        if (allow_matches(list->operator_hosts[i], host, port))
            return true;
    }
    return false;
}
