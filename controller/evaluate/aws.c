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
#include "controller/evaluate/aws.h"
#include "controller/evaluate/aws_account.h"
#include "controller/evaluate/aws_caller.h"
#include "controller/evaluate/aws_context.h"
#include "controller/evaluate/aws_public.h"
#include "controller/evaluate/catalogue.h"

/* What a layer says. */
typedef struct weight {
    const term *allow, *deny;
} weight;

typedef struct layer {
    kim_text name;
    bool extends;  /* a short ARN stands for all that it begins */
    bool names;    /* its statements name whom they speak of */
} layer;

static const layer IDENTITY = {{"identity", 8}, true, false}, BOUNDARY = {{"boundary", 8}, true, false},
                   SESSION = {{"session", 7}, true, false}, SCP = {{"scp", 3}, false, false}, RCP = {{"rcp", 3}, false, true},
                   RESOURCE = {{"resource", 8}, false, true}, ENDPOINT = {{"endpoint", 8}, false, true};

typedef struct deciding {
    aws_request request;
    const asked_action *action;
    const uint64_t *bits;  /* of the rules that may have a say */
    const term *by_grade[GRADES]; /* what the resource's policy allows, by how it names the caller */
} deciding;

/* ---- one statement ---- */

static void note(evaluator *ev, say said)
{
    if (said.rule) { /* read once the verdict is known */
        __builtin_prefetch(&said.rule->name);
        __builtin_prefetch(said.policy);
    }
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
    if (one->resource_everything || d->action->takes_no_resource)
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
    bool has_names = l->names && !(l == &RCP && one->any_subject) && !one->names_all;
    if (has_names && !caller_named(&d->request.caller, one, ev->scratch, named))
        return;
    const term *when = has_names ? any_grade(ev, named) : &term_true;
    const term *what = applies(d, one, l);
    if (what == &term_false)
        return;
    bool may_deny = one->effect != KIM_ALLOW, may_allow = one->effect != KIM_DENY;
    bool doubtful = one->is_doubtful;
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
        if (l == &RESOURCE && one->names_all)
            d->by_grade[GRADE_EVERYONE] = term_or(ev->scratch, d->by_grade[GRADE_EVERYONE], term_and(ev->scratch, what, doubt));
        for (int g = 0; l == &RESOURCE && has_names && g < GRADES; g++)
            if (named[g] != &term_false)
                d->by_grade[g] = term_or(ev->scratch, d->by_grade[g], term_all(ev->scratch, (const term *[]){named[g], what, doubt}, 3));
    }
}

/* ---- one layer ---- */

static void weigh_unread(deciding *d, const policy_set *set, const layer *l, weight *w)
{
    evaluator *ev = d->request.ev;
    for (size_t i = 0; i < set->count; i++) {
        const policy_rules *policy = set->items[i];
        if (kim_text_is_absent(policy->unread))
            continue;
        kim_text what = kim_text_format(ev->scratch, "policy %.*s: %.*s", KIM_PRINT(policy->label), KIM_PRINT(policy->unread));
        w->allow = term_or(ev->scratch, w->allow, unread(ev, "allow", what));
        w->deny = term_or(ev->scratch, w->deny, unread(ev, "deny", what));
        for (int g = GRADE_ACCOUNT; l == &RESOURCE && g < GRADES; g++)
            d->by_grade[g] = term_or(ev->scratch, d->by_grade[g], unread(ev, "allow", what));
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

static void weigh_range(deciding *d, rule_range range, const layer *l, weight *w)
{
    const rule *all = rules_all(d->request.ev->r);
    while (range.count) {
        uint32_t count = range.count < 64 ? range.count : 64;
        for (uint64_t word = bits_from(d->bits, range.first, count); word; word &= word - 1)
            weigh_rule(d, &all[range.first + (uint32_t)__builtin_ctzll(word)], l, w);
        range.first += count;
        range.count -= count;
    }
}

/* number: of a set of policies; 0: there is none. */
static weight weigh(deciding *d, uint32_t number, const layer *l)
{
    weight w = {.allow = &term_false, .deny = &term_false};
    const policy_set *set = rules_set(d->request.ev->r, number);
    if (set == NULL)
        return w;
    if (set->has_unread)
        weigh_unread(d, set, l, &w);
    for (size_t i = 0; i < set->range_count; i++)
        weigh_range(d, i ? set->more[i - 1] : set->first, l, &w);
    return w;
}

/* A ceiling that is not set allows all; one that is set and silent is named. */
static weight weigh_ceiling(deciding *d, uint32_t number, const layer *l)
{
    if (number == 0)
        return (weight){.allow = &term_true, .deny = &term_false};
    weight w = weigh(d, number, l);
    if (w.allow == &term_false)
        note(d->request.ev, (say){.layer = l->name, .policy = rules_set(d->request.ev->r, number)->items[0]});
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
        uint32_t number = l == &SCP ? a->chain[i]->scp : a->chain[i]->rcp;
        if (number == 0)
            continue;
        weight one = weigh(d, number, l);
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

/* Whether the resource's own policy must allow, even within one account. */
static bool resource_side_is_required(const deciding *d)
{
    const arn *a = &d->request.resource;
    if (d->action->assumes)
        return true;
    return d->action->is_kms && a->count == ARN_PARTS && !d->action->takes_no_resource &&
           kim_text_starts_with(a->parts[5], KIM_TEXT("key/"));
}

const target *aws_target(const rules *r, const arn *a)
{
    kim_text service = a->count == ARN_PARTS ? a->parts[2] : KIM_TEXT(""), last = a->count == ARN_PARTS ? a->parts[5] : KIM_TEXT("");
    const char *slash = last.size ? memchr(last.bytes, '/', last.size) : NULL;
    bool is_object = slash && kim_text_is(service, "s3");
    const target *exact = is_object && !rules_have_objects(r) ? NULL : rules_target(r, a->whole);
    if (exact || a->count < ARN_PARTS)
        return exact;
    if (is_object)
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
    if (r->target && r->target->policies)
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
static bool is_policy_missing(const deciding *d, kim_text id)
{
    const aws_request *r = &d->request;
    if (estate_is_complete(r->ev->es) || d->action->takes_no_resource || r->resource.count < ARN_PARTS || r->resource.is_everything)
        return false;
    const char *part = "iam";
    bool is_role = d->action->assumes, is_strange = r->resource_account == NULL || r->resource_account->is_strange;
    if (is_role ? !kim_text_is(r->resource.parts[2], "iam") : !has_policies(r->resource.parts[2], !is_strange, &part))
        return false;
    return is_strange || lacks_its_policy(r, is_role) ||
           account_part_is_unread(r->ev, r->resource_account, kim_text_of(part), id);
}

static void add_missing_policy(deciding *d, weight *resource)
{
    evaluator *ev = d->request.ev;
    kim_text id = d->request.target ? d->request.target->id : d->request.resource.whole;
    if (!is_policy_missing(d, id))
        return;
    kim_text what = kim_text_format(ev->scratch, "the policy of %.*s", KIM_PRINT(id));
    resource->deny = term_or(ev->scratch, resource->deny, unread(ev, "deny", what));
    resource->allow = term_or(ev->scratch, resource->allow, unread(ev, "allow", what));
    for (int g = GRADE_ACCOUNT; g < GRADES; g++)
        d->by_grade[g] = term_or(ev->scratch, d->by_grade[g], unread(ev, "allow", what));
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

/* Whose the resource is, asked anew only for a caller of another account. */
static void find_owner(aws_request *r, aws_matter *m)
{
    if (!m->is_known || m->asked_by != r->caller_account || r->caller_account == NULL) {
        m->owner = find_resource_account(r);
        m->asked_by = r->caller_account;
        m->is_foreign = r->is_foreign;
        m->is_known = true;
    }
    r->resource_account = m->owner;
    r->is_foreign = m->is_foreign;
}

/* Whatever the question asks for, with all the rules that cover the action. */
static int find_matter(evaluator *ev, const question *q, aws_matter *m, kim_error *err)
{
    m->action = action_index_trim(ev->index) ? action_index_find(ev->index, q->action.size ? q->action : KIM_TEXT("*")) : NULL;
    if (m->action == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    if (!m->action->is_one)
        return kim_fail(err, KIM_ERR_INPUT, "action '%.*s' is none of AWS's; write SERVICE:ACTION, such as s3:GetObject", KIM_PRINT(q->action));
    m->resource = arn_split(q->resource.size ? q->resource : KIM_TEXT("*"));
    m->target = aws_target(ev->r, &m->resource);
    m->rules = m->action->rules;
    m->is_known = false;
    return 0;
}

/* h: what hangs on the identity; NULL: to be found. */
static int start(evaluator *ev, const question *q, aws_matter *m, const holder *h, deciding *d, kim_error *err)
{
    aws_request *r = &d->request;
    *r = (aws_request){.ev = ev, .q = q, .resource = m->resource, .target = m->target};
    d->action = m->action;
    d->bits = m->rules;
    for (int g = 0; g < GRADES; g++)
        d->by_grade[g] = &term_false;
    ev->say_count = 0;
    if (!caller_of_holder(q, h, &r->caller) && caller_read(ev, q, &r->caller, err) < 0)
        return -1;
    h = r->caller.holder;
    if (h && h->grants)
        __builtin_prefetch(rules_set(ev->r, h->grants)); /* far away, where there are many */
    if (r->caller.account.size)
        r->caller_account = h && h->kind != HOLDER_OTHER ? account_of_holder(ev, h) : account_of(ev, r->caller.account);
    if (r->caller.account.size && r->caller_account == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    find_owner(r, m);
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
    units parts[ARN_PARTS];
    size_t room = ARN_PARTS, size = 0;
    question one = *q;
    one.action = KIM_TEXT("sts:GetCallerIdentity");
    one.resource = KIM_TEXT("*");
    if (pattern->count < ARN_PARTS)
        return pattern->raw;
    aws_matter m;
    if (find_matter(ev, &one, &m, NULL) < 0 || start(ev, &one, &m, NULL, &d, NULL) < 0)
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
    s->identity = weigh(d, h ? h->grants : 0, &IDENTITY);
    s->boundary = weigh_ceiling(d, h ? h->boundary : 0, &BOUNDARY);
    s->session = weigh_ceiling(d, h ? h->session : 0, &SESSION);
    if (r->caller.kind == CALLER_ROOT && !r->caller.is_anyone) { /* the root user may do everything that no guardrail forbids */
        s->identity.allow = s->boundary.allow = &term_true;
        s->identity.deny = s->boundary.deny = &term_false;
    } else if (r->caller.kind == CALLER_FEDERATED_USER && (h == NULL || h->session == 0)) {
        s->session.allow = &term_false; /* GetFederationToken without a policy gives no permissions */
        note(ev, (say){.layer = SESSION.name, .target = r->caller.text});
    }
    bool is_known = estate_is_complete(ev->es) || (r->caller_account->is_read && h && h->identity);
    if (r->caller.is_anyone || (!is_known && r->caller.kind != CALLER_ROOT)) {
        kim_text what = kim_text_format(ev->scratch, "the policies of %.*s", KIM_PRINT(r->caller.text));
        s->identity.allow = unread(ev, "allow", what);
        s->identity.deny = unread(ev, "deny", what);
    }
}

/* Of a case: the one endpoint's that it may have. */
static uint32_t only_endpoint(const evaluator *ev)
{
    size_t count = 0;
    const target *targets = rules_have_endpoints(ev->r) ? rules_targets(ev->r, &count) : NULL;
    for (size_t i = 0; i < count; i++)
        if (targets[i].endpoint)
            return targets[i].endpoint;
    return 0;
}

/* *strange: the endpoint that the request came through, where others were read and it was not. */
static uint32_t endpoint_policies(aws_request *r, kim_text *strange)
{
    static const kim_text key = {"aws:SourceVpce", 14};
    evaluator *ev = r->ev;
    *strange = KIM_NO_TEXT;
    if (estate_is_complete(ev->es))
        return only_endpoint(ev);
    for (size_t i = 0; i < r->q->context_count; i++) {
        const context_entry *e = &r->q->context[i];
        if (e->key.size != key.size || e->values.count != 1 || !kim_text_equal_nocase(e->key, key))
            continue;
        const target *t = rules_target(ev->r, e->values.items[0]);
        if (t == NULL && part_was_read(ev, KIM_TEXT("ec2:vpc-endpoint")))
            *strange = e->values.items[0];
        return t ? t->endpoint : 0;
    }
    return 0;
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
static void restrict_public(deciding *d, sides *s)
{
    aws_request *r = &d->request;
    bool own = is_of_account(&r->caller) && r->caller_account == r->resource_account;
    bool is_s3 = kim_text_is(arn_service(&r->resource), "s3") || kim_text_starts_with(d->action->lower, KIM_TEXT("s3:"));
    if (own || r->caller.kind == CALLER_SERVICE || r->target == NULL || !is_s3)
        return;
    const kim_record *bucket = r->target->resource;
    const kim_record *scope = r->resource_account ? r->resource_account->scope : NULL;
    const char *fact = "s3.restrict_public_buckets";
    bool restricted = (bucket && kim_text_is(kim_pairs_get(bucket->resource.facts, fact), "true")) ||
                      (scope && kim_text_is(kim_pairs_get(scope->as_scope.facts, fact), "true"));
    if (!restricted || (r->target->policies == 0 || !policies_are_public(rules_set(r->ev->r, r->target->policies))))
        return;
    s->resource.allow = &term_false;
    for (int g = 0; g < GRADES; g++)
        d->by_grade[g] = &term_false;
    note(r->ev, (say){.layer = RESOURCE.name, .target = KIM_TEXT("RestrictPublicBuckets")});
}

/* Nobody is to lock himself out: a bucket's policy cannot keep the root user of its own account from the
 * policy itself. Source: S3 API Reference, PutBucketPolicy. */
static bool is_owner_at_his_policy(const deciding *d)
{
    const aws_request *r = &d->request;
    return d->action->is_bucket_policy && r->caller.kind == CALLER_ROOT && !r->caller.is_anyone && r->caller_account == r->resource_account;
}

static const weight OPEN = {.allow = &term_true, .deny = &term_false}, SILENT = {.allow = &term_false, .deny = &term_false};

/* The sides that may grant: the caller's and the resource's. */
static void weigh_grants(deciding *d, sides *s)
{
    aws_request *r = &d->request;
    s->identity = SILENT;
    s->boundary = s->session = OPEN;
    if (is_of_account(&r->caller))
        weigh_caller(d, s);
    s->resource = weigh(d, r->target ? r->target->policies : 0, &RESOURCE);
    add_missing_policy(d, &s->resource);
    if (is_owner_at_his_policy(d))
        s->resource.deny = &term_false;
    restrict_public(d, s);
}

static void weigh_guardrails(deciding *d, sides *s)
{
    aws_request *r = &d->request;
    bool bound = is_of_account(&r->caller) && !r->caller.is_service_linked;
    s->scp = bound && !r->caller_account->is_management ? weigh_chain(d, r->caller_account, &SCP) : OPEN;
    s->rcp = d->action->takes_rcp && r->resource_account && !r->resource_account->is_management && !r->caller.is_service_linked
                 ? weigh_chain(d, r->resource_account, &RCP) : OPEN;
    s->endpoint = weigh_endpoint(d);
}

/* ---- the formula ---- */

static bool is_across(const aws_request *r)
{
    return r->is_foreign || (r->resource_account && r->resource_account != r->caller_account);
}

/* What would grant if no ceiling cut it: tells a refusal by a ceiling from silence. */
static const term *grants_bare(deciding *d, const sides *s)
{
    aws_request *r = &d->request;
    kim_arena *scratch = r->ev->scratch;
    const term *const *by = d->by_grade;
    if (!is_of_account(&r->caller))
        return s->resource.allow;
    if (is_across(r))
        return term_and(scratch, s->resource.allow, s->identity.allow);
    const term *items[] = {
        term_and(scratch, by[GRADE_ACCOUNT], s->identity.allow), by[GRADE_ROLE], by[GRADE_EVERYONE], by[GRADE_NAMED],
        resource_side_is_required(d) ? &term_false : s->identity.allow,
    };
    return term_any(scratch, items, sizeof items / sizeof *items);
}

/* What grants, with the ceilings that each grant is subject to. */
static const term *grants(deciding *d, const sides *s)
{
    aws_request *r = &d->request;
    kim_arena *scratch = r->ev->scratch;
    const term *own = term_all(scratch, (const term *[]){s->identity.allow, s->boundary.allow, s->session.allow}, 3);
    const term *const *by = d->by_grade;
    if (!is_of_account(&r->caller))
        return s->resource.allow;
    if (is_across(r))
        return term_and(scratch, s->resource.allow, own);
    const term *items[] = {
        term_and(scratch, by[GRADE_ACCOUNT], own),
        term_all(scratch, (const term *[]){by[GRADE_ROLE], s->boundary.allow, s->session.allow}, 3),
        by[GRADE_EVERYONE],
        by[GRADE_NAMED],
        resource_side_is_required(d) ? &term_false : own,
    };
    const term *same = term_any(scratch, items, sizeof items / sizeof *items);
    if (r->resource_account) /* the owner is known: the caller's own account */
        return same;
    /* Whose the resource is, is not known: it is the caller's account or another. */
    const term *other = term_and(scratch, s->resource.allow, own);
    kim_text what = kim_text_format(scratch, "the account of %.*s", KIM_PRINT(r->resource.whole));
    const term *is_own = unread(r->ev, "allow", what);
    return term_or(scratch, term_and(scratch, is_own, same), term_and(scratch, term_not(scratch, is_own), other));
}

/* Was that said by one of these already? Names alone do not tell policies apart. */
static bool is_said(const say *const *said, size_t count, const say *one)
{
    for (size_t i = 0; i < count; i++)
        if (said[i]->layer.bytes == one->layer.bytes && said[i]->policy == one->policy && said[i]->target.bytes == one->target.bytes &&
            (said[i]->rule == one->rule || (said[i]->rule && one->rule && kim_text_equal(said[i]->rule->name, one->rule->name))))
            return true;
    return false;
}

static void keep_says(evaluator *ev, answer *out, bool denies, bool only_sure, bool silent)
{
    const say *said[BECAUSE_MAX];
    out->because = ev->reasons;
    out->because_count = 0;
    for (size_t i = 0; i < ev->say_count; i++) {
        const say *s = &ev->says[i];
        bool is_silent = s->rule == NULL;
        if (is_silent != silent || (!silent && s->denies != denies && only_sure) || (!silent && only_sure && !s->surely))
            continue;
        because b = {.layer = s->layer, .policy = s->policy ? s->policy->label : s->target};
        if (s->rule)
            b.statement = s->rule->name;
        if (!is_said(said, out->because_count, s)) { /* one policy may hang on several levels */
            said[out->because_count] = s;
            ev->reasons[out->because_count++] = b;
        }
    }
}

static void explain(deciding *d, const sides *s, const term *deny, const term *all, answer *out)
{
    evaluator *ev = d->request.ev;
    answer_from_term(ev, all, out);
    if (out->verdict == ALLOWED) {
        out->reason = EXPLICIT_ALLOW;
        keep_says(ev, out, false, true, false);
    } else if (deny == &term_true) {
        out->reason = EXPLICIT_DENY;
        keep_says(ev, out, true, true, false);
    } else if (out->verdict != DENIED) {
        keep_says(ev, out, false, false, false);
    } else if (term_settle(grants_bare(d, s))->kind == TERM_FALSE) {
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

/* says_why: denied ones too are explained. */
static int decide(deciding *d, bool says_why, answer *out, kim_error *err)
{
    evaluator *ev = d->request.ev;
    kim_arena *scratch = ev->scratch;
    const caller *c = &d->request.caller;
    *out = (answer){.verdict = DENIED, .reason = IMPLICIT_DENY};
    bool has_credentials = c->kind != CALLER_ANONYMOUS && c->kind != CALLER_IDP;
    if (has_credentials && d->action->is_whoami) { /* no permission is asked for, and no deny heard */
        *out = (answer){.verdict = ALLOWED, .reason = BYPASS};
        return 0;
    }
    if (c->kind == CALLER_ROOT && !c->is_anyone && d->action->is_assume_role)
        return 0; /* STS API, AssumeRole: not with root credentials */
    sides s;
    weigh_grants(d, &s);
    const term *granted = grants(d, &s);
    if (granted == &term_false && !says_why)
        return 0;
    weigh_guardrails(d, &s);
    const term *denies[] = {s.identity.deny, s.boundary.deny, s.session.deny, s.scp.deny, s.rcp.deny, s.endpoint.deny, s.resource.deny};
    const term *deny = term_any(scratch, denies, sizeof denies / sizeof *denies);
    const term *parts[] = {granted, s.scp.allow, s.rcp.allow, s.endpoint.allow, term_not(scratch, deny)};
    const term *all = term_all(scratch, parts, sizeof parts / sizeof *parts);
    if (all == NULL || kim_arena_is_full(scratch))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    if (all == &term_false && !says_why)
        return 0;
    explain(d, &s, deny, all, out);
    return kim_arena_is_full(scratch) ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision") : 0;
}

int aws_decide(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    deciding d;
    aws_matter m;
    if (evaluator_ready(ev, err) < 0 || find_matter(ev, q, &m, err) < 0 || start(ev, q, &m, NULL, &d, err) < 0)
        return -1;
    return decide(&d, true, out, err);
}

/* ---- one question of many ---- */

/* The keys that differ from asker to asker: those that are derived, and that the question does not give. */
static bool *keys_of_askers(evaluator *ev, const question *q)
{
    uint32_t count = key_table_count(rules_keys(ev->r));
    bool *marked = KIM_NEW_ARRAY(ev->scratch, bool, count + 1);
    for (uint32_t key = 0; marked && key < count; key++)
        marked[key] = q->derive && ev->derivations[key] && ev->context.stamps[key] != ev->context.stamp;
    return marked;
}

/* May the rule have a say, whoever asks? */
static bool may_count(deciding *d, const rule *one, const bool *marked)
{
    evaluator *ev = d->request.ev;
    if (one->resources_fixed && in_resources(d, one, true) == &term_false)
        return false;
    return one->condition == NULL || aws_condition_looks_at(one->condition, marked) ||
           aws_condition_decide(one->condition, &ev->context, ev->scratch) != &term_false;
}

int aws_matter_ready(evaluator *ev, const question *q, uint64_t *bits, aws_matter *matter, kim_error *err)
{
    size_t words = rules_count(ev->r) / 64 + 1;
    if (find_matter(ev, q, matter, err) < 0)
        return -1;
    kim_arena_reset(ev->scratch);
    deciding d = {.request = {.ev = ev, .q = q, .resource = matter->resource, .target = matter->target}, .action = matter->action};
    aws_context_start(&d.request);
    const bool *marked = keys_of_askers(ev, q);
    uint32_t service = matter->action->takes_no_resource ? ~UINT32_C(0) : arn_service_bit(&matter->resource);
    if (marked == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    for (size_t w = 0; w < words; w++) {
        const rule *all = rules_all(ev->r) + w * 64;
        for (uint64_t word = w + 1 < words ? matter->rules[w + 1] : 0; word; word &= word - 1)
            __builtin_prefetch(&all[64 + __builtin_ctzll(word)]);
        bits[w] = matter->rules[w];
        for (uint64_t word = bits[w]; word; word &= word - 1) {
            const rule *one = &all[__builtin_ctzll(word)];
            if (!(one->services & service) || !may_count(&d, one, marked))
                bits[w] &= ~(word & -word);
        }
    }
    if (kim_arena_is_full(ev->scratch))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    matter->rules = bits;
    return 0;
}

int aws_decide_matter(evaluator *ev, const question *q, aws_matter *matter, const holder *h, answer *out, kim_error *err)
{
    deciding d;
    return start(ev, q, matter, h, &d, err) < 0 ? -1 : decide(&d, false, out, err);
}
