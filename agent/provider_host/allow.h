/* SPDX-License-Identifier: Apache-2.0
 *
 * allow.h - which hosts may a provider reach?
 *
 * Those that its descriptor names, narrowed by the operator's own list where there is one; and those
 * that the operator wrote into an option as an absolute URL (an endpoint override, a metadata
 * service). Both sides of `dial` ask here: the provider host before it sends, kim-agent before it
 * connects. Pure.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_ALLOW_H
#define KIM_AGENT_PROVIDER_HOST_ALLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <kim/plugin.h>

/* A pattern is HOST[:PORT]: the host exact or "*.SUFFIX" (one label or more in front of the suffix),
 * letters in any case; no port means 443, ":*" any. */
typedef struct allow_list {
    const char *const *plugin_hosts;   /* the descriptor's, ends with NULL; NULL: none */
    const char *const *operator_hosts; /* [operator_host_count]; count 0: no narrowing */
    uint32_t operator_host_count;
    const kim_settings *settings;      /* absolute http and https URLs among them are allowed; NULL: none */
} allow_list;

/* "https://host:port/path" taken apart. */
typedef struct allow_place {
    bool encrypted;   /* https */
    char host[256];   /* lower case, without the brackets of an IPv6 address */
    uint16_t port;    /* 443 or 80 where the URL names none */
    const char *path; /* within the URL, from the first '/' or '?' on; "" of none */
} allow_place;

/* Errors: KIM_ERR_INPUT: no http or https URL, a user in it, no host, or a port that is none */
int allow_place_of(const char *url, allow_place *place, kim_error *err);

bool allow_matches(const char *pattern, const char *host, uint16_t port);

/* May this host and port be reached? `unencrypted`: without TLS, which only the operator's own URLs
 * may ask for. */
bool allow_permits(const allow_list *list, const char *host, uint16_t port, bool unencrypted);

#endif
