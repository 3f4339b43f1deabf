/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_member.c - a table of how identifiers begin.
 */
#include "controller/evaluate/gcp_member.h"

static kim_text rest_of(kim_text text, size_t size)
{
    return (kim_text){text.bytes + size, text.size - size};
}

/* What follows a prefix; absent: the text does not begin so. */
static kim_text after(kim_text text, const char *prefix)
{
    kim_text p = kim_text_of(prefix);
    return kim_text_starts_with(text, p) ? rest_of(text, p.size) : KIM_NO_TEXT;
}

static kim_text until(kim_text text, char byte)
{
    const char *at = text.size ? memchr(text.bytes, byte, text.size) : NULL;
    return at ? (kim_text){text.bytes, (size_t)(at - text.bytes)} : KIM_NO_TEXT;
}

static kim_text joined(kim_arena *arena, const char *prefix, kim_text value)
{
    return kim_text_format(arena, "%s%.*s", prefix, KIM_PRINT(value));
}

/* ---- pools ---- */

#define GKE_SUFFIX ".svc.id.goog"

/* The pool that an identifier behind "principal://" or "principalSet://" begins with, and the rest behind its
 * '/'; absent: there is none. Of a trust domain the pool is the domain itself. */
static kim_text pool_of(kim_text path, kim_text *rest)
{
    static const char *const kinds[] = {"/workforcePools/", "/workloadIdentityPools/"};
    kim_text iam = after(path, "iam.googleapis.com/"), gke = after(path, "gke/");
    if (kim_text_is_absent(iam)) { /* a trust domain; or a pool as settled_pool names it */
        kim_text domain = until(kim_text_is_absent(gke) ? path : gke, '/');
        if (!kim_text_is_absent(gke) && !kim_text_is_absent(domain))
            domain = (kim_text){path.bytes, domain.size + 4};
        if (kim_text_is_absent(domain))
            return KIM_NO_TEXT;
        *rest = rest_of(path, domain.size + 1);
        return domain;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *at = memmem(path.bytes, path.size, kinds[i], strlen(kinds[i]));
        if (at == NULL)
            continue;
        size_t begun = (size_t)(at - path.bytes) + strlen(kinds[i]);
        kim_text name = until(rest_of(path, begun), '/');
        if (kim_text_is_absent(name))
            return KIM_NO_TEXT;
        *rest = rest_of(path, begun + name.size + 1);
        return (kim_text){path.bytes, begun + name.size};
    }
    return KIM_NO_TEXT;
}

/* The pool of a project's clusters is known by its own name: no other project can have it, and the older
 * spelling of its members does not tell the project's number. */
static kim_text settled_pool(kim_text pool, kim_arena *arena)
{
    size_t at = pool.size;
    while (at > 0 && pool.bytes[at - 1] != '/')
        at--;
    kim_text name = rest_of(pool, at);
    return kim_text_ends_with(name, KIM_TEXT(GKE_SUFFIX)) ? joined(arena, "gke/", name) : pool;
}

/* path: behind "principal://" (one) or "principalSet://" */
static gcp_member read_pool(kim_text path, bool one, kim_text text, kim_arena *arena)
{
    kim_text rest = KIM_NO_TEXT, pool = pool_of(path, &rest);
    gcp_member m = {.kind = GCP_OTHER, .id = text};
    if (pool.size == 0 || rest.size == 0)
        return m;
    m.pool = settled_pool(pool, arena);
    m.kind = one ? GCP_FEDERATED : kim_text_is(rest, "*") ? GCP_POOL : GCP_POOL_PART;
    m.id = kim_text_format(arena, "%s%.*s/%.*s", one ? "principal://" : "principalSet://", KIM_PRINT(m.pool), KIM_PRINT(rest));
    kim_text subject = after(rest, "subject/");
    m.subject = kim_text_is_absent(subject) ? rest : subject;
    return m;
}

/* serviceAccount:PROJECT.svc.id.goog[NAMESPACE/ACCOUNT] */
static bool read_gke(kim_text address, gcp_member *m, kim_arena *arena)
{
    kim_text pool = until(address, '[');
    if (kim_text_is_absent(pool) || !kim_text_ends_with(pool, KIM_TEXT(GKE_SUFFIX)) || address.bytes[address.size - 1] != ']')
        return false;
    kim_text inside = {pool.bytes + pool.size + 1, address.size - pool.size - 2};
    kim_text namespace = until(inside, '/');
    if (kim_text_is_absent(namespace))
        return false;
    kim_text account = rest_of(inside, namespace.size + 1);
    m->kind = GCP_FEDERATED;
    m->pool = joined(arena, "gke/", pool);
    m->subject = kim_text_format(arena, "ns/%.*s/sa/%.*s", KIM_PRINT(namespace), KIM_PRINT(account));
    m->id = kim_text_format(arena, "principal://%.*s/subject/%.*s", KIM_PRINT(m->pool), KIM_PRINT(m->subject));
    return true;
}

/* ---- sets of resources ---- */

/* principalSet://cloudresourcemanager.googleapis.com/projects/N/type/ServiceAccount */
static bool read_set_of_resource(kim_text path, gcp_member *m, kim_arena *arena)
{
    static const struct { const char *suffix; gcp_member_kind kind; } types[] = {
        {"/type/ServiceAccount", GCP_ACCOUNTS_OF}, {"/type/ServiceAgent", GCP_AGENTS_OF},
    };
    if (kim_text_is_absent(after(path, "cloudresourcemanager.googleapis.com/")))
        return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kim_text_ends_with(path, kim_text_of(types[i].suffix))) {
            m->kind = types[i].kind;
            m->resource = joined(arena, "//", (kim_text){path.bytes, path.size - strlen(types[i].suffix)});
            return true;
        }
    return false;
}

/* What a boundary is bound to: //iam.googleapis.com/locations/global/workforcePools/P and the like. */
static gcp_member read_target(kim_text text, kim_arena *arena)
{
    gcp_member m = {.kind = GCP_OTHER, .id = text};
    kim_text path = rest_of(text, 2), customer = after(path, "iam.googleapis.com/locations/global/workspace/");
    if (!kim_text_is_absent(after(path, "cloudresourcemanager.googleapis.com/"))) {
        m.kind = GCP_PRINCIPALS_OF;
        m.resource = text;
    } else if (!kim_text_is_absent(customer)) {
        m.kind = GCP_CUSTOMER;
        m.id = joined(arena, "principalSet://goog/cloudIdentityCustomerId/", customer);
    } else if (memmem(text.bytes, text.size, "Pools/", 6)) {
        return read_pool(kim_text_format(arena, "%.*s/*", KIM_PRINT(path)), false, text, arena);
    }
    return m;
}

/* ---- one by one ---- */

static gcp_member named(gcp_member_kind kind, const char *prefix, kim_text value, kim_arena *arena)
{
    kim_text low = kim_text_lower(arena, value);
    return (gcp_member){.kind = kind, .id = joined(arena, prefix, low), .subject = low};
}

static gcp_member holders(const char *prefix, const char *role, kim_text project, kim_arena *arena)
{
    return (gcp_member){.kind = GCP_HOLDERS, .id = joined(arena, prefix, project), .resource = project, .role = role};
}

static gcp_member read_account(kim_text address, kim_arena *arena)
{
    gcp_member m;
    if (address.size && read_gke(address, &m, arena))
        return m;
    return named(GCP_SERVICE_ACCOUNT, "serviceAccount:", address, arena);
}

/* principal://iam.googleapis.com/projects/-/serviceAccounts/ADDRESS; "-" may be the project too. */
static kim_text account_of_path(kim_text path)
{
    kim_text in_project = after(path, "iam.googleapis.com/projects/");
    kim_text project = until(in_project, '/');
    return kim_text_is_absent(project) ? KIM_NO_TEXT : after(rest_of(in_project, project.size), "/serviceAccounts/");
}

static gcp_member read_principal(kim_text path, kim_text text, kim_arena *arena)
{
    kim_text user = after(path, "goog/subject/"), account = account_of_path(path);
    if (!kim_text_is_absent(user))
        return named(GCP_USER, "user:", user, arena);
    if (!kim_text_is_absent(account))
        return read_account(account, arena);
    return read_pool(path, true, text, arena);
}

static gcp_member read_principal_set(kim_text path, kim_text text, kim_arena *arena)
{
    gcp_member m = {.kind = GCP_OTHER, .id = text};
    kim_text group = after(path, "goog/group/");
    if (!kim_text_is_absent(group))
        return named(GCP_GROUP_OF, "group:", group, arena);
    if (kim_text_is(path, "goog/public:all"))
        return (gcp_member){.kind = GCP_EVERYONE, .id = KIM_TEXT("allUsers")};
    if (!kim_text_is_absent(after(path, "goog/cloudIdentityCustomerId/"))) {
        m.kind = GCP_CUSTOMER;
        return m;
    }
    if (read_set_of_resource(path, &m, arena) || !kim_text_is_absent(after(path, "goog/")))
        return m;
    return read_pool(path, false, text, arena);
}

gcp_member gcp_member_read(kim_text text, kim_arena *arena)
{
    static const struct { const char *prefix; gcp_member_kind kind; } addresses[] = {
        {"user:", GCP_USER}, {"group:", GCP_GROUP_OF}, {"domain:", GCP_DOMAIN},
    };
    static const struct { const char *prefix, *role; } conveniences[] = {
        {"projectOwner:", "roles/owner"}, {"projectEditor:", "roles/editor"}, {"projectViewer:", "roles/viewer"},
    };
    kim_text path;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (!kim_text_is_absent(path = after(text, addresses[i].prefix)))
            return named(addresses[i].kind, addresses[i].prefix, path, arena);
    if (!kim_text_is_absent(path = after(text, "serviceAccount:")))
        return read_account(path, arena);
    if (kim_text_is(text, "allUsers"))
        return (gcp_member){.kind = GCP_EVERYONE, .id = text};
    if (kim_text_is(text, "allAuthenticatedUsers"))
        return (gcp_member){.kind = GCP_AUTHENTICATED, .id = text};
    for (size_t i = 0; i < sizeof conveniences / sizeof *conveniences; i++)
        if (!kim_text_is_absent(path = after(text, conveniences[i].prefix)))
            return holders(conveniences[i].prefix, conveniences[i].role, path, arena);
    if (!kim_text_is_absent(path = after(text, "principal://")))
        return read_principal(path, text, arena);
    if (!kim_text_is_absent(path = after(text, "principalSet://")))
        return read_principal_set(path, text, arena);
    if (kim_text_starts_with(text, KIM_TEXT("//")))
        return read_target(text, arena);
    return (gcp_member){.kind = kim_text_starts_with(text, KIM_TEXT("deleted:")) ? GCP_DELETED : GCP_OTHER, .id = text};
}

bool gcp_member_can_ask(const gcp_member *m)
{
    return m->kind != GCP_OTHER;
}

bool gcp_member_is_set(const gcp_member *m)
{
    return m->kind >= GCP_GROUP_OF && m->kind != GCP_DELETED;
}

/* ---- what an id tells ---- */

static kim_text domain_of(kim_text address)
{
    for (size_t i = address.size; i-- > 0;)
        if (address.bytes[i] == '@')
            return rest_of(address, i + 1);
    return KIM_NO_TEXT;
}

static kim_text namespace_of(kim_text subject)
{
    kim_text rest = after(subject, "ns/");
    return until(rest, '/');
}

bool gcp_member_is_authenticated(const gcp_member *m)
{
    return m->kind != GCP_DELETED && m->kind != GCP_EVERYONE && m->pool.size == 0;
}

size_t gcp_member_implied(const gcp_member *m, kim_text ids[GCP_IMPLIED_MAX], kim_arena *arena)
{
    size_t count = 0;
    kim_text domain = m->kind == GCP_USER ? domain_of(m->subject) : KIM_NO_TEXT;
    if (gcp_member_is_authenticated(m))
        ids[count++] = KIM_TEXT("allAuthenticatedUsers");
    ids[count++] = KIM_TEXT("allUsers");
    if (domain.size)
        ids[count++] = joined(arena, "domain:", domain);
    if (m->kind == GCP_FEDERATED || m->kind == GCP_POOL_PART)
        ids[count++] = kim_text_format(arena, "principalSet://%.*s/*", KIM_PRINT(m->pool));
    kim_text namespace = m->kind == GCP_FEDERATED && kim_text_starts_with(m->pool, KIM_TEXT("gke/")) ? namespace_of(m->subject) : KIM_NO_TEXT;
    if (namespace.size)
        ids[count++] = kim_text_format(arena, "principalSet://%.*s/namespace/%.*s", KIM_PRINT(m->pool), KIM_PRINT(namespace));
    return count;
}

/* service-NUMBER@..., NUMBER@cloudservices.gserviceaccount.com */
bool gcp_account_is_agent(kim_text address)
{
    kim_text service = after(address, "service-"), local = until(kim_text_is_absent(service) ? address : service, '@');
    for (size_t i = 0; i < local.size; i++)
        if (local.bytes[i] < '0' || local.bytes[i] > '9')
            return false;
    return local.size && (!kim_text_is_absent(service) || kim_text_is(domain_of(address), "cloudservices.gserviceaccount.com"));
}

kim_text gcp_account_project(kim_text address)
{
    static const kim_text suffix = {".iam.gserviceaccount.com", 24};
    kim_text domain = domain_of(address), local = {address.bytes, address.size > domain.size ? address.size - domain.size - 1 : 0};
    if (gcp_account_is_agent(address))
        return KIM_NO_TEXT; /* its domain is the service's */
    if (kim_text_ends_with(domain, suffix))
        return (kim_text){domain.bytes, domain.size - suffix.size};
    if (kim_text_is(domain, "appspot.gserviceaccount.com"))
        return local;
    if (kim_text_is(domain, "developer.gserviceaccount.com") && kim_text_ends_with(local, KIM_TEXT("-compute")))
        return (kim_text){local.bytes, local.size - strlen("-compute")};
    return KIM_NO_TEXT;
}

const char *gcp_member_type(const gcp_member *m)
{
    switch (m->kind) {
    case GCP_USER:
        return "iam.googleapis.com/WorkspaceIdentity";
    case GCP_SERVICE_ACCOUNT:
        return "iam.googleapis.com/ServiceAccount";
    case GCP_FEDERATED:
        return memmem(m->pool.bytes, m->pool.size, "/workforcePools/", 16) ? "iam.googleapis.com/WorkforcePoolIdentity"
               : kim_text_starts_with(m->pool, KIM_TEXT("iam.googleapis.com/")) || kim_text_starts_with(m->pool, KIM_TEXT("gke/"))
                   ? "iam.googleapis.com/WorkloadPoolIdentity"
                   : "iam.googleapis.com/AgentPoolIdentity";
    default:
        return NULL;
    }
}
