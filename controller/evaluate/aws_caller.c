/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_caller.c - an ARN sorted into its kind once, so that each comparison is one of a few texts.
 */
#include "controller/evaluate/aws_caller.h"

static kim_text last_part(kim_text path)
{
    const char *slash = path.size ? memrchr(path.bytes, '/', path.size) : NULL;
    return slash ? (kim_text){slash + 1, path.size - (size_t)(slash + 1 - path.bytes)} : path;
}

static bool is_service_linked(const caller *c)
{
    if (c->role_arn.size)
        return memmem(c->role_arn.bytes, c->role_arn.size, ":role/aws-service-role/", 23) != NULL;
    return kim_text_starts_with(c->name, KIM_TEXT("AWSServiceRoleFor")); /* a session's ARN drops the path */
}

static void read_session(evaluator *ev, kim_text rest, caller *out)
{
    const char *slash = rest.size ? memchr(rest.bytes, '/', rest.size) : NULL;
    out->kind = CALLER_SESSION;
    out->name = slash ? (kim_text){rest.bytes, (size_t)(slash - rest.bytes)} : rest;
    out->session = slash ? (kim_text){slash + 1, rest.size - out->name.size - 1} : KIM_TEXT("");
    const holder *role = rules_role(ev->r, out->account, out->name);
    if (role)
        out->role_arn = role->id;
    if (out->holder == NULL || (out->holder->grants == 0 && role))
        out->holder = role;
}

/* A user or role that the estate knows was read when its rules were compiled. */
bool caller_of_holder(const question *q, const holder *h, caller *out)
{
    if (h == NULL || h->kind == HOLDER_OTHER)
        return false;
    *out = (caller){.kind = h->kind == HOLDER_ROLE ? CALLER_ROLE : CALLER_USER, .text = h->id, .account = holder_account(h),
                    .name = holder_name(h), .role_arn = h->kind == HOLDER_ROLE ? h->id : KIM_NO_TEXT, .holder = h,
                    .is_service_linked = h->is_service_linked, .discover = q->discover, .is_anyone = q->anyone_of_account};
    return true;
}

static int read_arn(evaluator *ev, const question *q, caller *out, kim_error *err)
{
    kim_text text = q->identity;
    const holder *known = rules_holder(ev->r, text);
    if (caller_of_holder(q, known, out))
        return 0;
    arn a = arn_split(text);
    if (a.count < ARN_PARTS || a.is_pattern)
        return kim_fail(err, KIM_ERR_INPUT, "principal '%.*s' is none of AWS's; write the ARN of a user, role, session or root, an account's 12 digits, a service such as lambda.amazonaws.com, or *",
                        KIM_PRINT(text));
    kim_text rest = a.parts[5];
    if (kim_text_is(a.parts[4], "cloudfront")) { /* an origin access identity: AWS's own user, without policies */
        out->kind = CALLER_SERVICE;
        return 0;
    }
    out->account = a.parts[4];
    out->holder = known;
    const struct { kim_text prefix; caller_kind kind; } kinds[] = {
        {KIM_TEXT("user/"), CALLER_USER}, {KIM_TEXT("role/"), CALLER_ROLE},
        {KIM_TEXT("federated-user/"), CALLER_FEDERATED_USER}, {KIM_TEXT("assumed-role/"), CALLER_SESSION},
    };
    if (kim_text_is(rest, "root")) {
        out->kind = CALLER_ROOT;
        return 0;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kim_text_starts_with(rest, kinds[i].prefix))
            continue;
        rest = (kim_text){rest.bytes + kinds[i].prefix.size, rest.size - kinds[i].prefix.size};
        out->kind = kinds[i].kind;
        if (out->kind == CALLER_SESSION) {
            read_session(ev, rest, out);
        } else {
            out->name = last_part(rest);
            out->role_arn = out->kind == CALLER_ROLE ? text : KIM_NO_TEXT;
        }
        out->is_service_linked = (out->kind == CALLER_ROLE || out->kind == CALLER_SESSION) && is_service_linked(out);
        return 0;
    }
    return kim_fail(err, KIM_ERR_INPUT, "principal '%.*s' is an ARN, but not of a user, role, session or root",
                    KIM_PRINT(text));
}

static bool all_digits(kim_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.size == 12;
}

int caller_read(evaluator *ev, const question *q, caller *out, kim_error *err)
{
    *out = (caller){.text = q->identity, .discover = q->discover, .is_anyone = q->anyone_of_account};
    if (q->federated.size) {
        out->kind = CALLER_IDP;
        out->text = q->federated;
        return 0;
    }
    if (kim_text_is(q->identity, "*")) {
        out->kind = CALLER_ANONYMOUS;
        return 0;
    }
    if (all_digits(q->identity)) {
        out->kind = CALLER_ROOT;
        out->account = q->identity;
        out->text = kim_text_format(ev->scratch, "arn:aws:iam::%.*s:root", KIM_PRINT(q->identity));
        out->holder = rules_holder(ev->r, q->identity);
        return 0;
    }
    if (!kim_text_starts_with(q->identity, KIM_TEXT("arn:")) && q->identity.size > 2 &&
        memchr(q->identity.bytes, '.', q->identity.size)) {
        out->kind = CALLER_SERVICE;
        return 0;
    }
    return read_arn(ev, q, out, err);
}

/* ---- a policy's principals ---- */

static grade match_role(const caller *c, const subject *s)
{
    if (c->kind != CALLER_ROLE && c->kind != CALLER_SESSION)
        return GRADE_NONE;
    if (c->role_arn.size)
        return kim_text_equal(c->role_arn, s->raw) ? GRADE_ROLE : GRADE_NONE;
    return kim_text_equal(c->account, s->account) && kim_text_equal(c->name, s->name) ? GRADE_ROLE : GRADE_NONE;
}

static const term *session_is(kim_text session, kim_arena *scratch)
{
    kim_text *value = KIM_NEW(scratch, kim_text);
    if (value == NULL)
        return NULL;
    *value = session;
    return term_condition(scratch, KIM_TEXT("sts:RoleSessionName"), KIM_TEXT("StringEquals"), (kim_texts){value, 1});
}

static grade match_session(const caller *c, const subject *s, kim_arena *scratch, const term **when)
{
    if (!kim_text_equal(c->account, s->account) || !kim_text_equal(c->name, s->name))
        return GRADE_NONE;
    if (c->kind == CALLER_SESSION)
        return kim_text_equal(c->session, s->session) ? GRADE_NAMED : GRADE_NONE;
    if (c->kind != CALLER_ROLE || !c->discover)
        return GRADE_NONE;
    *when = session_is(s->session, scratch);
    return GRADE_NAMED;
}

static grade match_subject(const caller *c, const subject *s, kim_arena *scratch, const term **when)
{
    *when = &term_true;
    switch (s->kind) {
    case SUBJECT_EVERYONE:
        return GRADE_EVERYONE;
    case SUBJECT_ACCOUNT:
        return c->account.size && kim_text_equal(c->account, s->account) ? GRADE_ACCOUNT : GRADE_NONE;
    case SUBJECT_ROLE:
        return match_role(c, s);
    case SUBJECT_SESSION:
        return match_session(c, s, scratch, when);
    case SUBJECT_NAMED:
        return kim_text_equal(c->text, s->raw) ? GRADE_NAMED : GRADE_NONE;
    case SUBJECT_SERVICE:
        return c->kind == CALLER_SERVICE && (kim_text_is(s->raw, "*") || kim_text_equal_nocase(c->text, s->raw)) ? GRADE_NAMED : GRADE_NONE;
    case SUBJECT_FEDERATED:
        return c->kind == CALLER_IDP && (kim_text_is(s->raw, "*") || kim_text_equal(c->text, s->raw)) ? GRADE_NAMED : GRADE_NONE;
    case SUBJECT_CANONICAL:
    case SUBJECT_GONE:
        break;
    }
    return GRADE_NONE;
}

/* NotPrincipal with Deny spares only a caller that is named at every level it is known by: the account,
 * the role, the session. One with a permissions boundary is never spared. */
static const term *spared(const caller *c, const rule *one, kim_arena *scratch)
{
    bool its_account = c->account.size == 0, its_role = false;
    const term *named = &term_false;
    if (c->holder && c->holder->boundary)
        return &term_false;
    for (size_t i = 0; i < one->subject_count; i++) {
        const term *when;
        switch (match_subject(c, &one->subjects[i], scratch, &when)) {
        case GRADE_EVERYONE:
            return &term_true;
        case GRADE_ACCOUNT:
            its_account = true;
            break;
        case GRADE_ROLE:
            its_role = true;
            break;
        case GRADE_NAMED:
            named = term_or(scratch, named, when);
            break;
        case GRADE_NONE:
            break;
        }
    }
    if (c->kind == CALLER_ROOT)
        return its_account ? &term_true : &term_false;
    if (c->kind == CALLER_ROLE && !c->discover)
        return its_account && its_role ? &term_true : &term_false;
    if (c->kind == CALLER_ROLE || c->kind == CALLER_SESSION)
        return its_account && its_role ? named : &term_false;
    return its_account ? named : &term_false;
}

bool caller_named(const caller *c, const rule *one, kim_arena *scratch, const term *named[GRADES])
{
    for (int g = 0; g < GRADES; g++)
        named[g] = &term_false;
    if (one->any_subject)
        return false;
    if (one->subjects_turned && one->effect == KIM_DENY) {
        named[GRADE_EVERYONE] = term_not(scratch, spared(c, one, scratch));
        return named[GRADE_EVERYONE] != &term_false;
    }
    const term *listed = &term_false;
    for (size_t i = 0; i < one->subject_count; i++) {
        const term *when;
        grade g = match_subject(c, &one->subjects[i], scratch, &when);
        if (g == GRADE_NONE)
            continue;
        named[g] = term_or(scratch, named[g], when);
        listed = term_or(scratch, listed, when);
    }
    if (one->subjects_turned) { /* NotPrincipal with Allow: everyone but these */
        for (int g = 0; g < GRADES; g++)
            named[g] = &term_false;
        named[GRADE_EVERYONE] = term_not(scratch, listed);
        return named[GRADE_EVERYONE] != &term_false;
    }
    return listed != &term_false;
}
