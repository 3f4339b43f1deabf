/* SPDX-License-Identifier: Apache-2.0
 *
 * who.c - one row a kind of userIdentity.
 */
#include "plugins/aws/usage/who.h"

#include <stdio.h>

#include <kim/limits.h>

typedef struct scratch {
    char *at;
    size_t left;
} scratch;

/* Unescaped; absent where it does not fit (an identity is no longer than KIM_ID_MAX_BYTES). */
static kim_text plain(scratch *s, kim_text raw)
{
    if (kim_text_is_absent(raw) || !raw.size || raw.size > KIM_ID_MAX_BYTES || raw.size > s->left)
        return KIM_NO_TEXT;
    kim_text text = event_unescape(raw, s->at);
    if (text.bytes == s->at) {
        s->at += text.size;
        s->left -= text.size;
    }
    return text.size ? text : KIM_NO_TEXT;
}

static kim_text print(scratch *s, const char *format, kim_text a, kim_text b, kim_text c)
{
    int size = snprintf(s->at, s->left, format, KIM_PRINT(a), KIM_PRINT(b), KIM_PRINT(c));
    if (size <= 0 || (size_t)size >= s->left || size > KIM_ID_MAX_BYTES)
        return KIM_NO_TEXT;
    kim_text text = {s->at, (size_t)size};
    s->at += size;
    s->left -= (size_t)size;
    return text;
}

/* Asked several times an event: eight bytes at once. A digit less '0' is below 10, and stays below 0x80
 * with 0x76 added to it. */
bool who_is_account(kim_text text)
{
    uint64_t eight;
    uint32_t four;
    if (text.size != 12)
        return false;
    memcpy(&eight, text.bytes, 8);
    memcpy(&four, text.bytes + 8, 4);
    eight ^= 0x3030303030303030u;
    four ^= 0x30303030u;
    return (((eight + 0x7676767676767676u) | eight) & 0x8080808080808080u) == 0 &&
           (((four + 0x76767676u) | four) & 0x80808080u) == 0;
}

/* Field i of an ARN: 1 partition, 4 account; absent where it is none. */
static kim_text arn_field(kim_text arn, unsigned i)
{
    if (arn.size < 4 || memcmp(arn.bytes, "arn:", 4))
        return KIM_NO_TEXT;
    const char *at = arn.bytes, *end = arn.bytes + arn.size;
    for (;; i--) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if (!colon)
            return KIM_NO_TEXT;
        if (!i)
            return (kim_text){at, (size_t)(colon - at)};
        at = colon + 1;
    }
}

/* The role of a session's ARN, arn:aws:sts::A:assumed-role/NAME/SESSION, where the event does not give
 * it: its path is not known then, and taken for none. */
static kim_text role_of_session(scratch *s, kim_text arn)
{
    static const char KIND[] = ":assumed-role/";
    for (size_t i = 0; i + sizeof KIND - 1 < arn.size; i++)
        if (!memcmp(arn.bytes + i, KIND, sizeof KIND - 1)) {
            kim_text name = {arn.bytes + i + sizeof KIND - 1, arn.size - i - (sizeof KIND - 1)};
            const char *slash = memchr(name.bytes, '/', name.size);
            if (slash)
                name.size = (size_t)(slash - name.bytes);
            return name.size ? print(s, "arn:%.*s:iam::%.*s:role/%.*s", arn_field(arn, 1), arn_field(arn, 4), name)
                             : KIM_NO_TEXT;
        }
    return KIM_NO_TEXT;
}

static kim_text before_colon(kim_text text)
{
    const char *colon = text.size ? memchr(text.bytes, ':', text.size) : NULL;
    return colon ? (kim_text){text.bytes, (size_t)(colon - text.bytes)} : text;
}

/* ---- the kinds ---- */

typedef struct door {
    const event *e;
    scratch s;
    kim_text here;     /* the account whose log it is */
    kim_text identity, account, via;
    bool via_session;
} door;

static void is_arn_of_event(door *d)
{
    d->identity = plain(&d->s, d->e->who.arn);
    d->account = d->e->who.account;
    if (kim_text_is_absent(d->identity) && who_is_account(d->account) && d->e->who.user.size)
        d->identity = print(&d->s, "arn:aws:iam::%.*s:user/%.*s%.*s", d->account, d->e->who.user, KIM_TEXT(""));
}

static void is_role(door *d)
{
    kim_text session = plain(&d->s, d->e->who.arn);
    d->identity = plain(&d->s, d->e->who.issuer_arn);
    if (kim_text_is_absent(d->identity))
        d->identity = role_of_session(&d->s, session);
    if (kim_text_is_absent(d->identity))
        d->identity = session;
    d->account = who_is_account(d->e->who.issuer_account) ? d->e->who.issuer_account : d->e->who.account;
    if (!kim_text_equal(session, d->identity)) {
        d->via = session;
        d->via_session = true;
    }
}

static void is_root(door *d)
{
    d->account = d->e->who.account;
    d->identity = plain(&d->s, d->e->who.arn);
    if (kim_text_is_absent(d->identity))
        d->identity = print(&d->s, "arn:aws:iam::%.*s:root%.*s%.*s", d->account, KIM_TEXT(""), KIM_TEXT(""));
}

/* GetFederationToken: what it may is what its issuer may, cut by a policy. */
static void is_federated(door *d)
{
    kim_text arn = plain(&d->s, d->e->who.arn);
    d->identity = plain(&d->s, d->e->who.issuer_arn);
    d->account = d->e->who.account;
    if (kim_text_is_absent(d->identity))
        d->identity = arn;
    else
        d->via = arn;
}

static void is_service(door *d)
{
    d->identity = plain(&d->s, d->e->who.invoked_by);
    d->account = d->here;
}

/* Another account's caller, as the owner of the resource sees it: by its unique id, not by its name. */
static void is_account(door *d)
{
    kim_text principal = plain(&d->s, before_colon(d->e->who.principal));
    d->account = d->e->who.account;
    d->identity = plain(&d->s, d->e->who.arn);
    if (kim_text_is_absent(d->identity))
        d->identity = principal;
    if (!who_is_account(d->account) || kim_text_is(principal, "anonymous") || kim_text_is_absent(d->identity)) {
        d->identity = KIM_TEXT("anonymous");
        d->account = d->here;
    }
}

/* A caller with a token of an identity provider, who has no identity in AWS yet. */
static void is_token(door *d)
{
    d->identity = plain(&d->s, d->e->who.principal);
    d->account = d->here;
}

static void is_directory_user(door *d)
{
    d->identity = plain(&d->s, d->e->who.store_user);
    d->account = d->e->who.account;
}

static void is_anything(door *d)
{
    if (d->e->who.invoked_by.size && kim_text_is_absent(d->e->who.arn))
        is_service(d);
    else if (d->e->who.arn.size)
        is_arn_of_event(d);
    else
        is_token(d);
}

static const struct kind {
    const char *type;
    void (*is)(door *d);
} kinds[] = {
    {"AssumedRole", is_role},     {"IAMUser", is_arn_of_event}, {"AWSService", is_service},
    {"AWSAccount", is_account},   {"Root", is_root},            {"FederatedUser", is_federated},
    {"SAMLUser", is_token},       {"WebIdentityUser", is_token},{"IdentityCenterUser", is_directory_user},
    {"Role", is_role},
};

/* The scope of an Identity Center user: its directory, the end of arn:aws:identitystore::A:identitystore/d-1. */
static kim_text directory_scope(door *d)
{
    kim_text arn = plain(&d->s, d->e->who.store_arn);
    for (size_t i = arn.size; i-- > 0;)
        if (arn.bytes[i] == '/')
            return print(&d->s, "aws:%.*s%.*s%.*s", (kim_text){arn.bytes + i + 1, arn.size - i - 1}, KIM_TEXT(""),
                         KIM_TEXT(""));
    return KIM_NO_TEXT;
}

static kim_text scope_of(scratch *s, kim_text account)
{
    if (s->left < 16)
        return KIM_NO_TEXT;
    memcpy(s->at, "aws:", 4);
    memcpy(s->at + 4, account.bytes, 12);
    s->at += 16;
    s->left -= 16;
    return (kim_text){s->at - 16, 16};
}

const char *who_of(const event *e, const usage_state *state, kim_text own_account, char room[WHO_SCRATCH_BYTES],
                   who *out)
{
    door d = {.e = e, .s = {room, WHO_SCRATCH_BYTES}};
    void (*is)(door *) = is_anything;
    d.here = who_is_account(e->recipient) ? e->recipient : who_is_account(e->who.account) ? e->who.account : own_account;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kim_text_is(e->who.type, kinds[i].type)) {
            is = kinds[i].is;
            break;
        }
    is(&d);
    if (kim_text_is_absent(d.identity))
        return "who did it, its userIdentity does not say";
    if (!who_is_account(d.account))
        d.account = who_is_account(arn_field(d.identity, 4)) ? arn_field(d.identity, 4) : d.here;
    kim_text scope = is == is_directory_user ? directory_scope(&d) : KIM_NO_TEXT;
    if (kim_text_is_absent(scope) && who_is_account(d.account))
        scope = scope_of(&d.s, d.account);
    if (kim_text_is_absent(scope))
        return "in which account, it does not say; set the option account";

    kim_text behind = plain(&d.s, e->who.source_identity);
    if (kim_text_is_absent(behind))
        behind = state_caller(state, e->who.key);
    if (kim_text_is_absent(behind) && is != is_service)
        behind = plain(&d.s, e->who.invoked_by);
    if (!kim_text_is_absent(behind) && !kim_text_equal(behind, d.identity)) {
        d.via = behind;
        d.via_session = false;
    }
    kim_text partition = arn_field(d.identity, 1);
    *out = (who){.identity = d.identity, .scope = scope, .via = d.via, .via_session = d.via_session,
                 .partition = partition.size ? partition : KIM_TEXT("aws")};
    return NULL;
}
