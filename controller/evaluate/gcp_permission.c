/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_permission.c - a row for each service whose two names differ.
 *
 * Every name is brought into its v1 spelling, so that equal permissions are equal texts. Only a group over all
 * resources of a service asks for the v2 service itself: all of bigquery.googleapis.com is not what
 * bigqueryconnection.googleapis.com has, though both are "bigquery" in v1.
 */
#include "controller/evaluate/gcp_permission.h"

#include "controller/evaluate/wildcard.h"

#define DOMAIN ".googleapis.com"

/* Source: the notes "In the IAM v1 API, this permission is named ..." of "Permissions supported in deny policies",
 * and of "Permissions that principal access boundary policies block" for apiKeys. */
static const struct service {
    const char *v1, *v2;  /* without ".googleapis.com" */
    const char *resource; /* of the permissions that are named so; NULL: all of v2's */
} services[] = {
    {"resourcemanager", "cloudresourcemanager", NULL},
    {"serviceusage", "apikeys", "apiKeys"},
    {"bigquery", "bigqueryconnection", "connections"},
    {"bigquery", "bigquerydatapolicy", "dataPolicies"},
    {"bigquery", "bigquerydatatransfer", "transfers"},
    {"lookerstudio", "datastudio", "pro"},
    {"datastore", "firestore", "locations"},
};

static kim_text before(kim_text text, char byte)
{
    const char *at = text.size ? memchr(text.bytes, byte, text.size) : NULL;
    return at ? (kim_text){text.bytes, (size_t)(at - text.bytes)} : KIM_NO_TEXT;
}

static kim_text behind(kim_text text, size_t size)
{
    return (kim_text){text.bytes + size, text.size - size};
}

static bool has_resource(const struct service *s, kim_text rest)
{
    return s->resource == NULL || kim_text_is(before(rest, '.'), s->resource);
}

/* "storage" of "storage.googleapis.com"; absent: it is another's. */
static kim_text short_service(kim_text domain)
{
    kim_text suffix = kim_text_of(DOMAIN);
    return domain.size > suffix.size && kim_text_ends_with(domain, suffix) ? (kim_text){domain.bytes, domain.size - suffix.size} : KIM_NO_TEXT;
}

/* v1's name of the service that v2 calls so, for this permission. */
static kim_text v1_service(kim_text v2, kim_text rest)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (kim_text_is(v2, services[i].v2) && has_resource(&services[i], rest))
            return kim_text_of(services[i].v1);
    return v2;
}

/* v2's name of the service of a permission in v1's spelling. */
static kim_text v2_service(kim_text v1, kim_text rest)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (kim_text_is(v1, services[i].v1) && has_resource(&services[i], rest))
            return kim_text_of(services[i].v2);
    return v1;
}

kim_text gcp_permission_name(kim_text text, kim_arena *arena)
{
    kim_text domain = before(text, '/');
    if (kim_text_is_absent(domain))
        return text;
    kim_text rest = behind(text, domain.size + 1), v2 = short_service(domain);
    if (kim_text_is_absent(v2))
        return text; /* a partner's: it has the one spelling */
    kim_text v1 = v1_service(v2, rest);
    return kim_text_format(arena, "%.*s.%.*s", KIM_PRINT(v1), KIM_PRINT(rest));
}

/* ---- patterns ---- */

static bool is_star(kim_text text)
{
    return kim_text_is(text, "*");
}

gcp_pattern gcp_pattern_read(kim_text text)
{
    gcp_pattern p = {.kind = GCP_ONE, .text = text};
    p.service = before(text, '/');
    p.full = !kim_text_is_absent(p.service);
    if (!p.full)
        p.service = before(text, '.');
    if (!glob_has_wildcard(text))
        return p;
    p.kind = GCP_GLOB;
    if (kim_text_is_absent(p.service) || glob_has_wildcard(p.service))
        return p;
    kim_text rest = behind(text, p.service.size + 1);
    if (is_star(rest)) {
        p.kind = GCP_GROUP; /* as the pages on boundaries write a whole service */
        return p;
    }
    kim_text resource = before(rest, '.');
    kim_text verb = kim_text_is_absent(resource) ? KIM_NO_TEXT : behind(rest, resource.size + 1);
    if (kim_text_is_absent(resource) || (glob_has_wildcard(resource) && !is_star(resource)) || (glob_has_wildcard(verb) && !is_star(verb)))
        return p;
    p.kind = GCP_GROUP;
    p.resource = is_star(resource) ? KIM_NO_TEXT : resource;
    p.verb = is_star(verb) ? KIM_NO_TEXT : verb;
    return p;
}

/* A name's parts; one without a v1 spelling has its domain as the service. */
typedef struct parts {
    kim_text service, resource, verb, rest;
    bool full;
} parts;

static parts split(kim_text name)
{
    parts p = {.service = before(name, '/')};
    p.full = !kim_text_is_absent(p.service);
    if (!p.full)
        p.service = before(name, '.');
    if (kim_text_is_absent(p.service))
        return p;
    p.rest = behind(name, p.service.size + 1);
    p.resource = before(p.rest, '.');
    if (!kim_text_is_absent(p.resource))
        p.verb = behind(p.rest, p.resource.size + 1);
    return p;
}

static bool is_service(const gcp_pattern *pattern, const parts *p)
{
    if (!pattern->full || p->full)
        return pattern->full == p->full && kim_text_equal(pattern->service, p->service);
    kim_text v2 = short_service(pattern->service);
    if (kim_text_is_absent(v2))
        return false;
    if (kim_text_equal(v2, v2_service(p->service, p->rest)))
        return true;
    /* One resource may be called by its v1 service as well: Google's pages do. */
    return !kim_text_is_absent(pattern->resource) && kim_text_equal(v2, p->service);
}

static bool glob_covers(const gcp_pattern *pattern, kim_text name)
{
    char full[512];
    parts p = split(name);
    if (!pattern->full || p.full)
        return glob_match(pattern->text, name);
    kim_text v2 = v2_service(p.service, p.rest);
    if (v2.size + sizeof DOMAIN + p.rest.size > sizeof full)
        return false; /* no permission is that long */
    memcpy(full, v2.bytes, v2.size);
    memcpy(full + v2.size, DOMAIN "/", sizeof DOMAIN);
    memcpy(full + v2.size + sizeof DOMAIN, p.rest.bytes, p.rest.size);
    return glob_match(pattern->text, (kim_text){full, v2.size + sizeof DOMAIN + p.rest.size});
}

/* Equal in their v1 spelling. */
static bool is_one(const gcp_pattern *pattern, kim_text name)
{
    if (!pattern->full)
        return kim_text_equal(pattern->text, name);
    kim_text v2 = short_service(pattern->service);
    if (kim_text_is_absent(v2))
        return kim_text_equal(pattern->text, name);
    parts p = split(name);
    kim_text rest = behind(pattern->text, pattern->service.size + 1);
    return !p.full && kim_text_equal(p.rest, rest) && kim_text_equal(p.service, v1_service(v2, rest));
}

bool gcp_pattern_covers(const gcp_pattern *pattern, kim_text name)
{
    if (pattern->kind == GCP_ONE)
        return is_one(pattern, name);
    if (pattern->kind == GCP_GLOB)
        return glob_covers(pattern, name);
    parts p = split(name);
    return is_service(pattern, &p) && !kim_text_is_absent(p.resource) &&
           (kim_text_is_absent(pattern->resource) || kim_text_equal(pattern->resource, p.resource)) &&
           (kim_text_is_absent(pattern->verb) || kim_text_equal(pattern->verb, p.verb));
}
