/* SPDX-License-Identifier: Apache-2.0
 *
 * aws.c - AWS's decision: what grants, what each grant is subject to, and what forbids.
 *
 * Every layer is weighed by itself into two terms: when it allows, when it denies. The answer is one
 * formula over them:
 *
 *     (grants) and (every level of SCPs) and (every level of RCPs) and endpoint and not (any deny)
 *
 * A grant by a resource's policy passes by some of the ceilings, depending on how it names the caller;
 * across accounts nothing is passed by and both sides must allow. In the usual case all terms are plain
 * true or false and nothing is built.
 *
 * Source: AWS IAM User Guide, "Policy evaluation logic" and its pages on single-account, cross-account
 * and deny/allow evaluation; Organizations User Guide, "SCP evaluation", "RCP evaluation"; KMS Developer
 * Guide, "Key policies"; S3 User Guide, "Blocking public access".
 */
#include "controller/evaluate/aws_account.h"
#include "controller/evaluate/aws_caller.h"
#include "controller/evaluate/aws_context.h"
#include "controller/evaluate/aws_public.h"
#include "controller/evaluate/catalogue.h"

/* What a layer says. */
typedef struct weight {
    const term *allow, *deny;
    const term *by_grade[GRADES]; /* of allow, in a resource's policy */
} weight;

typedef struct layer {
    const char *name;
    bool extends;  /* a short ARN stands for all that it begins */
    bool names;    /* its statements name whom they speak of */
} layer;

static const layer IDENTITY = {"identity", true, false}, BOUNDARY = {"boundary", true, false},
                   SESSION = {"session", true, false}, SCP = {"scp", false, false}, RCP = {"rcp", false, true},
                   RESOURCE = {"resource", false, true}, ENDPOINT = {"endpoint", false, true};

typedef struct deciding {
    aws_request request;
    const uint64_t *bits;   /* rules that cover the action */
    bool takes_no_resource; /* the action is matched by Resource "*" alone */
} deciding;

/* ---- one statement ---- */

static void note(evaluator *ev, say said)
{
    if (ev->say_count < BECAUSE_MAX)
        ev->says[ev->say_count++] = said;
}

static const term *unread(evaluator *ev, const char *side, kim_text what)
{
    const term *t = term_of(ev->scratch, TERM_UNREAD, what);
    if (t)
        ((term *)t)->key = kim_text_of(side); /* what may be allowed and what denied are two unknowns */
    return t;
}

static const term *unread_rule(evaluator *ev, const rule *one, bool denies)
{
    kim_text what = kim_text_format(ev->scratch, "policy %.*s, statement %.*s: %.*s", KIM_PRINT(one->policy->label),
                                    KIM_PRINT(one->name), KIM_PRINT(one->unread));
    return unread(ev, denies ? "deny" : "allow", what);
}

static const term *in_resources(deciding *d, const rule *one, bool extends)
{
    evaluator *ev = d->request.ev;
    if (one->any_resource)
        return &term_true;
    if (d->takes_no_resource)
        return one->resource_everything != one->resources_turned ? &term_true : &term_false;
    const term *any = &term_false, *resolved = &term_true;
    for (size_t i = 0; i < one->resource_count; i++) {
        const term *part;
        arn_match match = arn_pattern_match(one->resources[i], &d->request.resource, extends, &ev->context, ev->scratch);
        switch (match) {
        case ARN_YES:
            return one->resources_turned ? &term_false : &term_true;
        case ARN_NO:
            continue;
        case ARN_UNRESOLVED:
            if (one->resources_turned)
                return &term_false;
            continue;
        case ARN_NO_VALUE_FITS:
        case ARN_NOT_KNOWN:
            if (one->resources_turned) /* it has to be resolved, for the statement to apply at all */
                resolved = term_and(ev->scratch, resolved, arn_pattern_resolves(one->resources[i], &ev->context, ev->scratch));
            if (match == ARN_NO_VALUE_FITS)
                continue;
            /* fall through */
        case ARN_PART:
            part = term_of(ev->scratch, TERM_RESOURCE, arn_pattern_text(one->resources[i], extends, ev->scratch));
            any = term_or(ev->scratch, any, part);
            break;
        }
    }
    return one->resources_turned ? term_and(ev->scratch, resolved, term_not(ev->scratch, any)) : any;
}

/* When the statement applies, its principals left aside. */
static const term *applies(deciding *d, const rule *one, const layer *l)
{
    evaluator *ev = d->request.ev;
    const term *t = in_resources(d, one, l->extends);
    if (t == &term_false || one->condition == NULL)
        return t;
    const term *condition = aws_condition_decide(one->condition, &ev->context, ev->scratch);
    return condition == &term_true ? t : term_and(ev->scratch, t, condition);
}

static const term *any_grade(evaluator *ev, const term *const named[GRADES])
{
    return term_any(ev->scratch, named, GRADES);
}

static void weigh_rule(deciding *d, const rule *one, const layer *l, weight *w)
{
    evaluator *ev = d->request.ev;
    const term *named[GRADES];
    if (one->effect == KIM_ALLOW && w->allow == &term_true && l != &RESOURCE)
        return; /* the layer allows already */
    bool has_names = l->names && !(l == &RCP && one->any_subject);
    if (has_names && !caller_named(&d->request.caller, one, ev->scratch, named))
        return;
    const term *when = has_names ? any_grade(ev, named) : &term_true;
    const term *what = applies(d, one, l);
    if (what == &term_false)
        return;
    bool may_deny = one->effect != KIM_ALLOW, may_allow = one->effect != KIM_DENY;
    bool doubtful = !kim_text_is_absent(one->unread) || one->effect == 0;
    const term *all = term_and(ev->scratch, when, what);
    if (may_deny) {
        const term *t = doubtful ? term_and(ev->scratch, all, unread_rule(ev, one, true)) : all;
        w->deny = term_or(ev->scratch, w->deny, t);
        note(ev, (say){.layer = l->name, .policy = one->policy, .rule = one, .denies = true, .surely = t == &term_true});
    }
    if (may_allow) {
        const term *doubt = doubtful ? unread_rule(ev, one, false) : &term_true;
        const term *t = term_and(ev->scratch, all, doubt);
        note(ev, (say){.layer = l->name, .policy = one->policy, .rule = one, .surely = t == &term_true});
        w->allow = term_or(ev->scratch, w->allow, t);
        for (int g = 0; l == &RESOURCE && g < GRADES; g++)
            if (named[g] != &term_false)
                w->by_grade[g] = term_or(ev->scratch, w->by_grade[g], term_all(ev->scratch, (const term *[]){named[g], what, doubt}, 3));
    }
}

/* ---- one layer ---- */

static void weigh_unread(deciding *d, const policy_list *list, const layer *l, weight *w)
{
    evaluator *ev = d->request.ev;
    for (size_t i = 0; i < list->count; i++) {
        const policy_rules *policy = list->items[i];
        if (kim_text_is_absent(policy->unread))
            continue;
        kim_text what = kim_text_format(ev->scratch, "policy %.*s: %.*s", KIM_PRINT(policy->label), KIM_PRINT(policy->unread));
        w->allow = term_or(ev->scratch, w->allow, unread(ev, "allow", what));
        w->deny = term_or(ev->scratch, w->deny, unread(ev, "deny", what));
        for (int g = GRADE_ACCOUNT; l == &RESOURCE && g < GRADES; g++)
            w->by_grade[g] = term_or(ev->scratch, w->by_grade[g], unread(ev, "allow", what));
    }
}

/* The bits of the rules from `number` on, `count` (at most 64) of them. */
static uint64_t bits_from(const uint64_t *bits, uint32_t number, uint32_t count)
{
    uint64_t word = bits[number / 64] >> (number % 64);
    if (number % 64 + count > 64)
        word |= bits[number / 64 + 1] << (64 - number % 64);
    return count < 64 ? word & ((UINT64_C(1) << count) - 1) : word;
}

static weight weigh(deciding *d, const policy_list *list, const layer *l)
{
    weight w = {.allow = &term_false, .deny = &term_false};
    const rule *all = rules_all(d->request.ev->r);
    for (int g = 0; g < GRADES; g++)
        w.by_grade[g] = &term_false;
    if (list && list->has_unread)
        weigh_unread(d, list, l, &w);
    for (size_t i = 0; list && i < list->count; i++)
        for (uint32_t number = list->ranges[i].first, left = list->ranges[i].count; left > 0;) {
            uint32_t count = left < 64 ? left : 64;
            for (uint64_t word = bits_from(d->bits, number, count); word; word &= word - 1)
                weigh_rule(d, &all[number + (uint32_t)__builtin_ctzll(word)], l, &w);
            number += count;
            left -= count;
        }
    return w;
}

/* A ceiling that is not set allows all; one that is set and silent is named. */
static weight weigh_ceiling(deciding *d, const policy_list *list, const layer *l)
{
    weight w = weigh(d, list, l);
    if (list == NULL || !list->is_set)
        w.allow = &term_true;
    else if (w.allow == &term_false)
        note(d->request.ev, (say){.layer = l->name, .policy = list->count ? list->items[0] : NULL});
    return w;
}

/* The last part of a level's id: "o-root" of "aws:o-1/o-root". */
static kim_text target_name(kim_text id)
{
    const char *slash = id.size ? memrchr(id.bytes, '/', id.size) : NULL;
    return slash ? (kim_text){slash + 1, id.size - (size_t)(slash + 1 - id.bytes)} : id;
}

/* Within a level any policy allows; every level must. */
static weight weigh_chain(deciding *d, const account *a, const layer *l)
{
    evaluator *ev = d->request.ev;
    weight all = {.allow = &term_true, .deny = &term_false};
    bool used = a && (l == &SCP ? a->has_scp : a->has_rcp);
    for (size_t i = 0; used && i < a->depth; i++) {
        const policy_list *list = l == &SCP ? &a->chain[i]->scp : &a->chain[i]->rcp;
        if (!list->is_set)
            continue;
        weight one = weigh(d, list, l);
        if (l == &RCP && !estate_is_complete(ev->es))
            one.allow = &term_true; /* RCPFullAWSAccess hangs on every level and cannot be taken off */
        if (one.allow == &term_false)
            note(ev, (say){.layer = l->name, .target = target_name(a->chain[i]->id)});
        all.allow = term_and(ev->scratch, all.allow, one.allow);
        all.deny = term_or(ev->scratch, all.deny, one.deny);
    }
    if (a && a->organization_unread) {
        kim_text what = kim_text_format(ev->scratch, "%s of account %.*s", l == &SCP ? "service control policies" : "resource control policies", KIM_PRINT(a->id));
        all.allow = term_and(ev->scratch, all.allow, unread(ev, "allow", what));
        all.deny = term_or(ev->scratch, all.deny, unread(ev, "deny", what));
    }
    return all;
}

/* ---- the request ---- */

static bool is_sts_assume(kim_text action)
{
    return kim_text_starts_with(action, KIM_TEXT("sts:assumerole")) || kim_text_is(action, "sts:tagsession") ||
           kim_text_is(action, "sts:setsourceidentity");
}

/* Whether the resource's own policy must allow, even within one account. */
static bool resource_side_is_required(const deciding *d, kim_text action)
{
    const arn *a = &d->request.resource;
    if (is_sts_assume(action))
        return true;
    return kim_text_starts_with(action, KIM_TEXT("kms:")) && a->count == ARN_PARTS && !d->takes_no_resource &&
           kim_text_starts_with(a->parts[5], KIM_TEXT("key/"));
}

const target *aws_target(const rules *r, const arn *a)
{
    const target *exact = rules_target(r, a->whole);
    if (exact || a->count < ARN_PARTS)
        return exact;
    kim_text service = a->parts[2], last = a->parts[5];
    const char *slash = last.size ? memchr(last.bytes, '/', last.size) : NULL;
    if (kim_text_is(service, "s3") && slash)
        return rules_target(r, (kim_text){a->whole.bytes, (size_t)(slash - a->whole.bytes)});
    const char *second = slash ? memchr(slash + 1, '/', last.size - (size_t)(slash + 1 - last.bytes)) : NULL;
    kim_text rest = second ? (kim_text){second, last.size - (size_t)(second - last.bytes)} : KIM_TEXT("");
    bool is_index = kim_text_is(service, "dynamodb") && kim_text_starts_with(rest, KIM_TEXT("/index/"));
    bool is_document = kim_text_is(service, "es") && second;
    if (is_index || is_document)
        return rules_target(r, (kim_text){a->whole.bytes, (size_t)(second - a->whole.bytes)});
    return NULL;
}

/* Services whose resources can carry a policy of their own, and the coverage part that tells whether
 * these were read; a part of NULL: kim collects none of them. Source: IAM User Guide, "AWS services that
 * work with IAM", column resource-based policies. */
static const struct { kim_text service; const char *part; } with_policies[] = {
    {KIM_TEXT("s3"), "s3:bucket-policy"}, {KIM_TEXT("kms"), "kms:key-policy"}, {KIM_TEXT("sqs"), "sqs:queue-policy"},
    {KIM_TEXT("sns"), "sns:topic-policy"}, {KIM_TEXT("lambda"), "lambda:policy"},
    {KIM_TEXT("secretsmanager"), "secretsmanager:resource-policy"}, {KIM_TEXT("ecr"), "ecr:repository-policy"},
    {KIM_TEXT("dynamodb"), "dynamodb:resource-policy"}, {KIM_TEXT("events"), "events:event-bus-policy"},
    {KIM_TEXT("execute-api"), "apigateway:policy"}, {KIM_TEXT("backup"), "backup:vault-policy"},
    {KIM_TEXT("elasticfilesystem"), "elasticfilesystem:file-system-policy"},
    {KIM_TEXT("glacier"), "glacier:vault-policy"}, {KIM_TEXT("es"), "es:domain-policy"}, {KIM_TEXT("acm-pca"), NULL},
    {KIM_TEXT("bedrock"), NULL}, {KIM_TEXT("cloudhsm"), NULL}, {KIM_TEXT("cloudtrail"), NULL},
    {KIM_TEXT("codeartifact"), NULL}, {KIM_TEXT("codebuild"), NULL}, {KIM_TEXT("comprehend"), NULL},
    {KIM_TEXT("glue"), NULL}, {KIM_TEXT("imagebuilder"), NULL}, {KIM_TEXT("kafka"), NULL},
    {KIM_TEXT("kinesis"), NULL}, {KIM_TEXT("lex"), NULL}, {KIM_TEXT("logs"), NULL}, {KIM_TEXT("mediastore"), NULL},
    {KIM_TEXT("network-firewall"), NULL}, {KIM_TEXT("networkmanager"), NULL}, {KIM_TEXT("oam"), NULL},
    {KIM_TEXT("redshift"), NULL}, {KIM_TEXT("redshift-serverless"), NULL}, {KIM_TEXT("refactor-spaces"), NULL},
    {KIM_TEXT("rekognition"), NULL}, {KIM_TEXT("resource-explorer-2"), NULL}, {KIM_TEXT("s3-outposts"), NULL},
    {KIM_TEXT("s3express"), NULL}, {KIM_TEXT("s3tables"), NULL}, {KIM_TEXT("s3vectors"), NULL},
    {KIM_TEXT("sagemaker"), NULL}, {KIM_TEXT("schemas"), NULL}, {KIM_TEXT("serverlessrepo"), NULL},
    {KIM_TEXT("servicediscovery"), NULL}, {KIM_TEXT("ses"), NULL}, {KIM_TEXT("signer"), NULL},
    {KIM_TEXT("ssm"), NULL}, {KIM_TEXT("ssm-contacts"), NULL}, {KIM_TEXT("ssm-incidents"), NULL},
    {KIM_TEXT("vpc-lattice"), NULL},
};

/* Keys and roles cannot be without a policy: where none of theirs is in the estate it was not read. */
static bool lacks_its_policy(const aws_request *r, bool is_role)
{
    if (r->target && r->target->policies.is_set)
        return false;
    if (!is_role)
        return kim_text_is(r->resource.parts[2], "kms") && kim_text_starts_with(r->resource.parts[5], KIM_TEXT("key/"));
    const holder *role = rules_holder(r->ev->r, r->resource.whole);
    return role && role->identity;
}

/* The coverage part of the service's policies; NULL: kim collects none of them. False where it has none. */
static bool has_policies(kim_text service, bool only_collected, const char **part)
{
    for (size_t i = 0; i < sizeof with_policies / sizeof *with_policies; i++) {
        *part = with_policies[i].part;
        if (only_collected && *part == NULL)
            return false; /* those that kim collects stand in front */
        if (kim_text_equal(service, with_policies[i].service))
            return true;
    }
    return false;
}

/* Is the policy of this resource one that was not read? */
static bool is_policy_missing(const deciding *d, kim_text action, kim_text id)
{
    const aws_request *r = &d->request;
    if (estate_is_complete(r->ev->es) || d->takes_no_resource || r->resource.count < ARN_PARTS || r->resource.is_everything)
        return false;
    const char *part = "iam";
    bool is_role = is_sts_assume(action), is_strange = r->resource_account == NULL || r->resource_account->is_strange;
    if (is_role ? !kim_text_is(r->resource.parts[2], "iam") : !has_policies(r->resource.parts[2], !is_strange, &part))
        return false;
    return is_strange || lacks_its_policy(r, is_role) ||
           account_part_is_unread(r->ev, r->resource_account, kim_text_of(part), id);
}

static void add_missing_policy(deciding *d, kim_text action, weight *resource)
{
    evaluator *ev = d->request.ev;
    kim_text id = d->request.target ? d->request.target->id : d->request.resource.whole;
    if (!is_policy_missing(d, action, id))
        return;
    kim_text what = kim_text_format(ev->scratch, "the policy of %.*s", KIM_PRINT(id));
    resource->deny = term_or(ev->scratch, resource->deny, unread(ev, "deny", what));
    resource->allow = term_or(ev->scratch, resource->allow, unread(ev, "allow", what));
    for (int g = GRADE_ACCOUNT; g < GRADES; g++)
        resource->by_grade[g] = term_or(ev->scratch, resource->by_grade[g], unread(ev, "allow", what));
}

static const account *find_resource_account(aws_request *r)
{
    if (r->q->resource_account.size)
        return account_of(r->ev, r->q->resource_account);
    kim_text named = arn_account(&r->resource);
    if (named.size == 12 && !glob_has_wildcard(named))
        return account_of(r->ev, named);
    const kim_record *known = r->target ? r->target->resource : NULL;
    if (known && kim_text_starts_with(known->scope, KIM_TEXT("aws:")))
        return account_of(r->ev, (kim_text){known->scope.bytes + 4, known->scope.size - 4});
    /* An ARN of S3 names no account. A bucket that is not among those that were read is somebody else's. */
    bool is_bucket = kim_text_is(arn_service(&r->resource), "s3") && !r->resource.is_everything && !r->resource.is_pattern;
    bool is_strange = is_bucket && !estate_is_complete(r->ev->es) && part_was_read(r->ev, KIM_TEXT("s3:bucket-policy"));
    r->is_foreign = is_strange && r->caller_account && account_part_is_read(r->ev, r->caller_account, KIM_TEXT("s3:bucket"));
    return is_strange ? NULL : r->caller_account;
}

static int start(evaluator *ev, const question *q, deciding *d, kim_text *action, kim_error *err)
{
    *d = (deciding){.request = {.ev = ev, .q = q, .resource = arn_split(q->resource.size ? q->resource : KIM_TEXT("*"))}};
    aws_request *r = &d->request;
    ev->say_count = 0;
    *action = kim_text_lower(ev->scratch, q->action);
    if (q->action.size == 0 || memchr(q->action.bytes, ':', q->action.size) == NULL || glob_has_wildcard(q->action))
        return kim_fail(err, KIM_ERR_INPUT, "action '%.*s' is none of AWS's; write SERVICE:ACTION, such as s3:GetObject", KIM_PRINT(q->action));
    if (caller_read(ev, q, &r->caller, err) < 0)
        return -1;
    d->bits = action_index_rules(ev->index, *action);
    r->target = aws_target(ev->r, &r->resource);
    if (r->caller.account.size)
        r->caller_account = account_of(ev, r->caller.account);
    r->resource_account = find_resource_account(r);
    if (d->bits == NULL || kim_text_is_absent(*action) || (r->caller.account.size && r->caller_account == NULL))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    int32_t id = ev->cat ? catalogue_action(ev->cat, *action) : -1;
    d->takes_no_resource = id >= 0 && catalogue_takes_no_resource(ev->cat, id);
    aws_context_start(r);
    return 0;
}

static void append_units(units from, char *to, size_t *size)
{
    for (size_t i = 0; i < from.count; i++)
        to[(*size)++] = from.items[i] == UNIT_ANY_RUN ? '*' : from.items[i] == UNIT_ANY_ONE ? '?' : (char)from.items[i];
}

kim_text aws_resource_for(evaluator *ev, const question *q, const arn_pattern *pattern, kim_arena *arena)
{
    deciding d;
    kim_text action;
    units parts[ARN_PARTS];
    size_t room = ARN_PARTS, size = 0;
    question one = *q;
    one.action = KIM_TEXT("sts:GetCallerIdentity");
    one.resource = KIM_TEXT("*");
    if (pattern->count < ARN_PARTS)
        return pattern->raw;
    if (start(ev, &one, &d, &action, NULL) < 0)
        return KIM_NO_TEXT;
    for (size_t i = 0; i < ARN_PARTS; i++) {
        if (template_fill(&pattern->parts[i], &ev->context, true, ev->scratch, &parts[i]) == UNRESOLVED)
            return KIM_NO_TEXT;
        room += parts[i].count;
    }
    char *bytes = kim_arena_bytes(arena, room);
    for (size_t i = 0; bytes && i < ARN_PARTS; i++) {
        if (i)
            bytes[size++] = ':';
        append_units(parts[i], bytes, &size);
    }
    return bytes ? (kim_text){bytes, size} : KIM_NO_TEXT;
}

/* ---- the layers of both sides ---- */

typedef struct sides {
    weight identity, boundary, session, scp, rcp, endpoint, resource;
} sides;

static bool is_of_account(const caller *c)
{
    return c->account.size > 0;
}

/* The caller's own policies. Where its account was not collected they are not known. */
static void weigh_caller(deciding *d, sides *s)
{
    aws_request *r = &d->request;
    evaluator *ev = r->ev;
    const holder *h = r->caller.holder;
    s->identity = weigh(d, h ? &h->grants : NULL, &IDENTITY);
    s->boundary = weigh_ceiling(d, h ? &h->boundary : NULL, &BOUNDARY);
    s->session = weigh_ceiling(d, h ? &h->session : NULL, &SESSION);
    if (r->caller.kind == CALLER_ROOT && !r->caller.is_anyone) { /* the root user may do everything that no guardrail forbids */
        s->identity.allow = s->boundary.allow = &term_true;
        s->identity.deny = s->boundary.deny = &term_false;
    } else if (r->caller.kind == CALLER_FEDERATED_USER && (h == NULL || !h->session.is_set)) {
        s->session.allow = &term_false; /* GetFederationToken without a policy gives no permissions */
        note(ev, (say){.layer = "session", .target = r->caller.text});
    }
    bool is_known = estate_is_complete(ev->es) || (r->caller_account->is_read && h && h->identity);
    if (r->caller.is_anyone || (!is_known && r->caller.kind != CALLER_ROOT)) {
        kim_text what = kim_text_format(ev->scratch, "the policies of %.*s", KIM_PRINT(r->caller.text));
        s->identity.allow = unread(ev, "allow", what);
        s->identity.deny = unread(ev, "deny", what);
    }
}

/* *strange: the endpoint that the request came through, where others were read and it was not. */
static const policy_list *endpoint_policies(aws_request *r, kim_text *strange)
{
    evaluator *ev = r->ev;
    size_t count;
    *strange = KIM_NO_TEXT;
    const target *targets = rules_targets(ev->r, &count);
    if (estate_is_complete(ev->es)) {
        for (size_t i = 0; i < count; i++)
            if (targets[i].endpoint.is_set)
                return &targets[i].endpoint;
        return NULL;
    }
    for (size_t i = 0; i < r->q->context_count; i++) {
        const context_entry *e = &r->q->context[i];
        if (!kim_text_equal_nocase(e->key, KIM_TEXT("aws:SourceVpce")) || e->values.count != 1)
            continue;
        const target *t = rules_target(ev->r, e->values.items[0]);
        if (t == NULL && part_was_read(ev, KIM_TEXT("ec2:vpc-endpoint")))
            *strange = e->values.items[0];
        return t ? &t->endpoint : NULL;
    }
    return NULL;
}

static weight weigh_endpoint(deciding *d)
{
    kim_text strange;
    evaluator *ev = d->request.ev;
    weight w = weigh_ceiling(d, endpoint_policies(&d->request, &strange), &ENDPOINT);
    if (!kim_text_is_absent(strange)) {
        kim_text what = kim_text_format(ev->scratch, "the policy of endpoint %.*s", KIM_PRINT(strange));
        w.allow = unread(ev, "allow", what);
        w.deny = unread(ev, "deny", what);
    }
    return w;
}

/* Block Public Access: a public policy counts for the bucket's own account and for services alone. */
static void restrict_public(deciding *d, kim_text action, sides *s)
{
    aws_request *r = &d->request;
    bool own = is_of_account(&r->caller) && r->caller_account == r->resource_account;
    bool is_s3 = kim_text_is(arn_service(&r->resource), "s3") || kim_text_starts_with(action, KIM_TEXT("s3:"));
    if (own || r->caller.kind == CALLER_SERVICE || r->target == NULL || !is_s3)
        return;
    const kim_record *bucket = r->target->resource;
    const kim_record *scope = r->resource_account ? r->resource_account->scope : NULL;
    const char *fact = "s3.restrict_public_buckets";
    bool restricted = (bucket && kim_text_is(kim_pairs_get(bucket->resource.facts, fact), "true")) ||
                      (scope && kim_text_is(kim_pairs_get(scope->as_scope.facts, fact), "true"));
    if (!restricted || !policies_are_public(&r->target->policies))
        return;
    s->resource.allow = &term_false;
    for (int g = 0; g < GRADES; g++)
        s->resource.by_grade[g] = &term_false;
    note(r->ev, (say){.layer = "resource", .target = KIM_TEXT("RestrictPublicBuckets")});
}

/* Nobody is to lock himself out: a bucket's policy cannot keep the root user of its own account from the
 * policy itself. Source: S3 API Reference, PutBucketPolicy. */
static bool is_owner_at_his_policy(const aws_request *r, kim_text action)
{
    return r->caller.kind == CALLER_ROOT && !r->caller.is_anyone && r->caller_account == r->resource_account &&
           (kim_text_is(action, "s3:getbucketpolicy") || kim_text_is(action, "s3:putbucketpolicy") || kim_text_is(action, "s3:deletebucketpolicy"));
}

static sides weigh_all(deciding *d, kim_text action)
{
    aws_request *r = &d->request;
    evaluator *ev = r->ev;
    sides s;
    const weight open = {.allow = &term_true, .deny = &term_false};
    const weight silent = {.allow = &term_false, .deny = &term_false};
    bool bound = is_of_account(&r->caller) && !r->caller.is_service_linked;
    s.identity = silent;
    s.boundary = s.session = open;
    if (is_of_account(&r->caller))
        weigh_caller(d, &s);
    s.resource = weigh(d, r->target ? &r->target->policies : NULL, &RESOURCE);
    add_missing_policy(d, action, &s.resource);
    if (is_owner_at_his_policy(r, action))
        s.resource.deny = &term_false;
    restrict_public(d, action, &s);
    s.scp = bound && !r->caller_account->is_management ? weigh_chain(d, r->caller_account, &SCP) : open;
    kim_text service = {action.bytes, (size_t)((const char *)memchr(action.bytes, ':', action.size) - action.bytes)};
    const catalogue_service *known = ev->cat ? catalogue_service_find(ev->cat, service) : NULL;
    bool under_rcp = ev->cat == NULL || (known && known->takes_rcp);
    s.rcp = under_rcp && r->resource_account && !r->resource_account->is_management && !r->caller.is_service_linked
                ? weigh_chain(d, r->resource_account, &RCP) : open;
    s.endpoint = weigh_endpoint(d);
    return s;
}

/* ---- the formula ---- */

/* What grants, with the ceilings that each grant is subject to. */
static const term *grants(deciding *d, const sides *s, kim_text action, const term **bare)
{
    aws_request *r = &d->request;
    kim_arena *scratch = r->ev->scratch;
    const term *own = term_all(scratch, (const term *[]){s->identity.allow, s->boundary.allow, s->session.allow}, 3);
    const term *const *by = s->resource.by_grade;
    if (!is_of_account(&r->caller)) {
        *bare = s->resource.allow;
        return s->resource.allow;
    }
    if (r->is_foreign || (r->resource_account && r->resource_account != r->caller_account)) {
        *bare = term_and(scratch, s->resource.allow, s->identity.allow);
        return term_and(scratch, s->resource.allow, own);
    }
    bool required = resource_side_is_required(d, action);
    const term *items[] = {
        term_and(scratch, by[GRADE_ACCOUNT], own),
        term_all(scratch, (const term *[]){by[GRADE_ROLE], s->boundary.allow, s->session.allow}, 3),
        by[GRADE_EVERYONE],
        by[GRADE_NAMED],
        required ? &term_false : own,
    };
    const term *bares[] = {
        term_and(scratch, by[GRADE_ACCOUNT], s->identity.allow), by[GRADE_ROLE], by[GRADE_EVERYONE], by[GRADE_NAMED],
        required ? &term_false : s->identity.allow,
    };
    *bare = term_any(scratch, bares, 5);
    const term *same = term_any(scratch, items, 5);
    if (r->resource_account) /* the owner is known: the caller's own account */
        return same;
    /* Whose the resource is, is not known: it is the caller's account or another. */
    const term *other = term_and(scratch, s->resource.allow, own);
    kim_text what = kim_text_format(scratch, "the account of %.*s", KIM_PRINT(r->resource.whole));
    const term *is_own = unread(r->ev, "allow", what);
    return term_or(scratch, term_and(scratch, is_own, same), term_and(scratch, term_not(scratch, is_own), other));
}

static bool is_named(const answer *a, const because *b)
{
    for (size_t i = 0; i < a->because_count; i++)
        if (a->because[i].policy.bytes == b->policy.bytes && kim_text_equal(a->because[i].statement, b->statement) &&
            a->because[i].layer.bytes == b->layer.bytes)
            return true;
    return false;
}

static void keep_says(evaluator *ev, answer *out, bool denies, bool only_sure, bool silent)
{
    out->because = ev->reasons;
    out->because_count = 0;
    for (size_t i = 0; i < ev->say_count; i++) {
        const say *s = &ev->says[i];
        bool is_silent = s->rule == NULL;
        if (is_silent != silent || (!silent && s->denies != denies && only_sure) || (!silent && only_sure && !s->surely))
            continue;
        because b = {.layer = kim_text_of(s->layer), .policy = s->policy ? s->policy->label : s->target};
        if (s->rule)
            b.statement = s->rule->name;
        if (!is_named(out, &b)) /* one policy may hang on several levels */
            ev->reasons[out->because_count++] = b;
    }
}

static void explain(evaluator *ev, const term *bare, const term *deny, const term *all, answer *out)
{
    answer_from_term(ev, all, out);
    if (out->verdict == ALLOWED) {
        out->reason = EXPLICIT_ALLOW;
        keep_says(ev, out, false, true, false);
    } else if (deny == &term_true) {
        out->reason = EXPLICIT_DENY;
        keep_says(ev, out, true, true, false);
    } else if (out->verdict != DENIED) {
        keep_says(ev, out, false, false, false);
    } else if (term_settle(bare)->kind == TERM_FALSE) {
        out->reason = IMPLICIT_DENY;
    } else {
        out->reason = CEILING;
        keep_says(ev, out, false, false, true);
        if (out->because_count == 0) { /* an allow and a deny that leave nothing between them */
            out->reason = deny == &term_false ? IMPLICIT_DENY : EXPLICIT_DENY;
            keep_says(ev, out, false, false, false);
        }
    }
}

int aws_decide(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    deciding d;
    kim_text action;
    if (start(ev, q, &d, &action, err) < 0)
        return -1;
    *out = (answer){.verdict = DENIED, .reason = IMPLICIT_DENY};
    bool has_credentials = d.request.caller.kind != CALLER_ANONYMOUS && d.request.caller.kind != CALLER_IDP;
    if (has_credentials && kim_text_is(action, "sts:getcalleridentity")) { /* no permission is asked for, and no deny heard */
        *out = (answer){.verdict = ALLOWED, .reason = BYPASS};
        return 0;
    }
    if (d.request.caller.kind == CALLER_ROOT && !d.request.caller.is_anyone && kim_text_is(action, "sts:assumerole"))
        return 0; /* STS API, AssumeRole: not with root credentials */
    sides s = weigh_all(&d, action);
    kim_arena *scratch = ev->scratch;
    const term *bare;
    const term *granted = grants(&d, &s, action, &bare);
    const term *denies[] = {s.identity.deny, s.boundary.deny, s.session.deny, s.scp.deny, s.rcp.deny, s.endpoint.deny, s.resource.deny};
    const term *deny = term_any(scratch, denies, sizeof denies / sizeof *denies);
    const term *parts[] = {granted, s.scp.allow, s.rcp.allow, s.endpoint.allow, term_not(scratch, deny)};
    const term *all = term_all(scratch, parts, sizeof parts / sizeof *parts);
    if (all == NULL || kim_arena_is_full(scratch))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    explain(ev, bare, deny, all, out);
    return 0;
}
