/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_context.c - a table of keys and how each is derived; asked only for keys that a rule looks at.
 */
#include "controller/evaluate/aws_context.h"

static key_value absent(void)
{
    return (key_value){.state = KEY_ABSENT};
}

static key_value unknown(void)
{
    return (key_value){.state = KEY_UNKNOWN};
}

/* Of a resource that is somebody's, and nobody knows whose: in strict mode too. */
static key_value somebodys(void)
{
    return (key_value){.state = KEY_PRESENT};
}

static key_value given(aws_request *r, kim_text value)
{
    kim_text *item = KIM_NEW(r->ev->scratch, kim_text);
    if (item == NULL)
        return unknown();
    *item = value;
    return (key_value){.state = KEY_GIVEN, .values = {item, 1}};
}

static bool is_principal(const aws_request *r)
{
    return r->caller.account.size > 0;
}

static key_value principal_arn(aws_request *r, kim_text rest)
{
    (void)rest;
    if (!is_principal(r))
        return absent();
    if (r->caller.is_anyone)
        return (key_value){.state = KEY_PRESENT};
    if (r->caller.kind != CALLER_SESSION)
        return given(r, r->caller.text);
    if (r->caller.role_arn.size)
        return given(r, r->caller.role_arn);
    return (key_value){.state = KEY_PRESENT}; /* the role's path is not known */
}

static key_value principal_account(aws_request *r, kim_text rest)
{
    (void)rest;
    return is_principal(r) ? given(r, r->caller.account) : absent();
}

static key_value principal_type(aws_request *r, kim_text rest)
{
    static const kim_text names[] = {
        [CALLER_USER] = {"User", 4}, [CALLER_ROLE] = {"AssumedRole", 11}, [CALLER_SESSION] = {"AssumedRole", 11},
        [CALLER_FEDERATED_USER] = {"FederatedUser", 13}, [CALLER_ROOT] = {"Account", 7},
        [CALLER_ANONYMOUS] = {"Anonymous", 9},
    };
    (void)rest;
    if (r->caller.is_anyone)
        return (key_value){.state = KEY_PRESENT};
    return r->caller.kind == CALLER_SERVICE || r->caller.kind == CALLER_IDP ? absent() : given(r, names[r->caller.kind]);
}

static key_value organization(aws_request *r, const account *a)
{
    if (a == NULL)
        return absent();
    if (a->organization.size)
        return given(r, a->organization);
    if (a->is_read && !a->organization_unread)
        return absent();
    return (key_value){.state = KEY_UNKNOWN, .values = account_strange_organizations(r->ev, a, false, r->ev->scratch)};
}

static key_value principal_org(aws_request *r, kim_text rest)
{
    (void)rest;
    return organization(r, is_principal(r) ? r->caller_account : NULL);
}

static key_value resource_org(aws_request *r, kim_text rest)
{
    (void)rest;
    return r->resource_account ? organization(r, r->resource_account) : somebodys();
}

/* "o-1/r-1/ou-1/": the path down to the account's own unit, as AWS writes it. */
static key_value org_path(aws_request *r, const account *a)
{
    if (a == NULL)
        return absent();
    if (a->organization.size == 0 || a->organization_unread)
        return organization(r, a).state == KEY_ABSENT
                   ? absent() : (key_value){.state = KEY_UNKNOWN, .values = account_strange_organizations(r->ev, a, true, r->ev->scratch)};
    kim_text path = kim_text_format(r->ev->scratch, "%.*s/", KIM_PRINT(a->organization));
    for (size_t i = 0; i + 1 < a->depth; i++) {
        kim_text id = a->chain[i]->id;
        const char *slash = memrchr(id.bytes, '/', id.size);
        if (slash)
            path = kim_text_format(r->ev->scratch, "%.*s%.*s/", KIM_PRINT(path),
                                   (int)(id.size - (size_t)(slash + 1 - id.bytes)), slash + 1);
    }
    return given(r, path);
}

static key_value principal_org_paths(aws_request *r, kim_text rest)
{
    (void)rest;
    return org_path(r, is_principal(r) ? r->caller_account : NULL);
}

static key_value resource_org_paths(aws_request *r, kim_text rest)
{
    (void)rest;
    return r->resource_account ? org_path(r, r->resource_account) : somebodys();
}

static kim_text tag_value(kim_pairs tags, kim_text name)
{
    for (size_t i = 0; i < tags.count; i++)
        if (kim_text_equal_nocase(tags.items[i].name, name)) /* keys fold, values do not */
            return tags.items[i].value;
    return KIM_NO_TEXT;
}

/* Tags of a session may be passed when a role is assumed, where its trust policy lets them. */
static bool may_bring_tags(const aws_request *r)
{
    const rules *all = r->ev->r;
    const target *role = r->caller.role_arn.size ? rules_target(all, r->caller.role_arn) : NULL;
    const policy_set *set = role ? rules_set(all, role->policies) : NULL;
    const asked_action *tagging = set ? action_index_find(r->ev->index, KIM_TEXT("sts:TagSession")) : NULL;
    for (size_t i = 0; tagging && i < set->count; i++)
        for (size_t k = 0; k < set->items[i]->count; k++) {
            const rule *one = &set->items[i]->rules[k];
            if (one->effect == KIM_ALLOW && (tagging->rules[one->number / 64] >> (one->number % 64) & 1))
                return true;
        }
    return false;
}

static key_value principal_tag(aws_request *r, kim_text rest)
{
    if (r->caller.is_anyone)
        return unknown();
    if (!is_principal(r) || r->caller.kind == CALLER_ROOT)
        return absent();
    const holder *h = r->caller.holder;
    if (h == NULL || h->identity == NULL)
        return unknown();
    kim_text value = tag_value(h->identity->identity.tags, rest);
    bool is_session = r->caller.kind == CALLER_ROLE || r->caller.kind == CALLER_SESSION;
    if (is_session && r->q->discover && may_bring_tags(r)) /* strict: the session brings what is given, else nothing */
        return unknown();
    return kim_text_is_absent(value) ? absent() : given(r, value);
}

static key_value user_id(aws_request *r, kim_text rest)
{
    (void)rest;
    const holder *h = r->caller.holder;
    if (!is_principal(r))
        return r->caller.kind == CALLER_ANONYMOUS ? given(r, KIM_TEXT("anonymous")) : absent();
    if (r->caller.is_anyone)
        return (key_value){.state = KEY_PRESENT};
    if (r->caller.kind == CALLER_ROOT)
        return given(r, r->caller.account);
    kim_text id = h && h->identity ? kim_pairs_get(h->identity->identity.facts, "unique_id") : KIM_NO_TEXT;
    if (r->caller.kind == CALLER_USER && id.size)
        return given(r, id);
    if (r->caller.kind == CALLER_SESSION && id.size)
        return given(r, kim_text_format(r->ev->scratch, "%.*s:%.*s", KIM_PRINT(id), KIM_PRINT(r->caller.session)));
    key_value value = {.state = KEY_PRESENT};
    if (r->caller.kind == CALLER_ROLE && id.size) /* the name of its session follows */
        value.values = given(r, kim_text_format(r->ev->scratch, "%.*s:", KIM_PRINT(id))).values;
    return value;
}

static key_value user_name(aws_request *r, kim_text rest)
{
    (void)rest;
    if (r->caller.is_anyone)
        return unknown();
    return r->caller.kind == CALLER_USER ? given(r, r->caller.name) : absent();
}

static key_value is_service(aws_request *r, kim_text rest)
{
    (void)rest;
    if (r->caller.kind == CALLER_ANONYMOUS || r->caller.kind == CALLER_IDP)
        return absent(); /* only signed requests carry it */
    bool is_service = r->caller.kind == CALLER_SERVICE && !kim_text_starts_with(r->caller.text, KIM_TEXT("arn:"));
    return given(r, is_service ? KIM_TEXT("true") : KIM_TEXT("false"));
}

static key_value service_name(aws_request *r, kim_text rest)
{
    (void)rest;
    return r->caller.kind == CALLER_SERVICE ? given(r, r->caller.text) : absent();
}

static key_value only_services(aws_request *r, kim_text rest)
{
    (void)rest;
    return r->caller.kind == CALLER_SERVICE ? unknown() : absent();
}

static key_value resource_account(aws_request *r, kim_text rest)
{
    (void)rest;
    return r->resource_account ? given(r, r->resource_account->id) : somebodys();
}

/* Users and roles are resources too, of IAM's actions. */
static const kim_pairs *tags_of_identity(const aws_request *r)
{
    const holder *h = rules_holder(r->ev->r, r->resource.whole);
    return h && h->identity ? &h->identity->identity.tags : NULL;
}

static key_value resource_tag(aws_request *r, kim_text rest)
{
    const kim_record *known = r->target ? r->target->resource : NULL;
    const kim_pairs *identity = tags_of_identity(r);
    if (identity) {
        kim_text value = tag_value(*identity, rest);
        return kim_text_is_absent(value) ? absent() : given(r, value);
    }
    if (known == NULL)
        return unknown();
    kim_text value = tag_value(known->resource.tags, rest);
    if (!kim_text_is_absent(value))
        return given(r, value);
    return known->resource.tags.items ? absent() : unknown(); /* no list of tags: they were not read */
}

static const struct derivation {
    kim_text name;  /* lower case; one that ends in '/' stands for all that begin so */
    key_value (*derive)(aws_request *r, kim_text rest);
} derivations[] = {
    {KIM_TEXT("aws:principalarn"), principal_arn},
    {KIM_TEXT("aws:principalaccount"), principal_account},
    {KIM_TEXT("kms:calleraccount"), principal_account},
    {KIM_TEXT("aws:principaltype"), principal_type},
    {KIM_TEXT("aws:principalorgid"), principal_org},
    {KIM_TEXT("aws:principalorgpaths"), principal_org_paths},
    {KIM_TEXT("aws:principaltag/"), principal_tag},
    {KIM_TEXT("iam:principaltag/"), principal_tag},
    {KIM_TEXT("aws:principalisawsservice"), is_service},
    {KIM_TEXT("aws:principalservicename"), service_name},
    {KIM_TEXT("aws:userid"), user_id},
    {KIM_TEXT("aws:username"), user_name},
    {KIM_TEXT("aws:sourcearn"), only_services},
    {KIM_TEXT("aws:sourceaccount"), only_services},
    {KIM_TEXT("aws:sourceorgid"), only_services},
    {KIM_TEXT("aws:sourceorgpaths"), only_services},
    {KIM_TEXT("aws:resourceaccount"), resource_account},
    {KIM_TEXT("s3:resourceaccount"), resource_account},
    {KIM_TEXT("aws:resourceorgid"), resource_org},
    {KIM_TEXT("aws:resourceorgpaths"), resource_org_paths},
    {KIM_TEXT("aws:resourcetag/"), resource_tag},
    {KIM_TEXT("iam:resourcetag/"), resource_tag},
    {KIM_TEXT("ec2:resourcetag/"), resource_tag},
    {KIM_TEXT("ecr:resourcetag/"), resource_tag},
    {KIM_TEXT("secretsmanager:resourcetag/"), resource_tag},
    {KIM_TEXT("ssm:resourcetag/"), resource_tag},
    {KIM_TEXT("s3:buckettag/"), resource_tag},
};

void aws_context_sort(const key_table *keys, uint8_t *sorted)
{
    for (uint32_t key = 0; key < key_table_count(keys); key++) {
        kim_text name = key_table_name(keys, key);
        for (size_t i = 0; i < sizeof derivations / sizeof *derivations && sorted[key] == 0; i++) {
            kim_text wanted = derivations[i].name;
            bool prefix = wanted.bytes[wanted.size - 1] == '/';
            if (prefix ? kim_text_starts_with(name, wanted) : kim_text_equal(name, wanted))
                sorted[key] = (uint8_t)(i + 1);
        }
    }
}

static key_value look(void *from, uint32_t key)
{
    aws_request *r = from;
    if (r->q->derive && r->ev->derivations[key]) {
        const struct derivation *d = &derivations[r->ev->derivations[key] - 1];
        kim_text name = key_table_name(rules_keys(r->ev->r), key);
        key_value value = d->derive(r, (kim_text){name.bytes + d->name.size, name.size - d->name.size});
        if (value.state != KEY_UNKNOWN || (value.values.count && r->q->discover))
            return value;
    }
    return r->q->discover ? unknown() : absent();
}

/* The number of the question's i-th key. */
static uint32_t number_of(evaluator *ev, size_t i, kim_text name)
{
    known_key *last = i < LAST_KEYS ? &ev->last_keys[i] : NULL;
    if (last && last->size && last->size == name.size && memcmp(last->name, name.bytes, name.size) == 0)
        return last->key;
    uint32_t key = key_table_find(rules_keys(ev->r), name);
    if (last && name.size <= LAST_KEY_BYTES) {
        *last = (known_key){.key = key, .size = (uint8_t)name.size};
        if (name.size)
            memcpy(last->name, name.bytes, name.size);
    }
    return key;
}

static void fill(evaluator *ev, uint32_t key, key_value value)
{
    if (key == UINT32_MAX)
        return; /* no rule looks at it */
    ev->context.slots[key] = value;
    ev->context.stamps[key] = ev->context.stamp;
}

void aws_context_start(aws_request *request)
{
    evaluator *ev = request->ev;
    const question *q = request->q;
    const key_table *keys = rules_keys(ev->r);
    if (++ev->context.stamp == 0) {
        memset(ev->context.stamps, 0, key_table_count(rules_keys(ev->r)) * sizeof *ev->context.stamps);
        memset(ev->context.decided, 0, rules_conditions(ev->r) * sizeof *ev->context.decided);
        ev->context.stamp = 1;
    }
    ev->context.look = look;
    ev->context.from = request;
    for (size_t i = 0; i < q->known_absent.count; i++)
        fill(ev, key_table_find(keys, q->known_absent.items[i]), absent());
    for (size_t i = 0; i < q->known_present.count; i++)
        fill(ev, key_table_find(keys, q->known_present.items[i]), (key_value){.state = KEY_PRESENT});
    for (size_t i = 0; i < q->context_count; i++) {
        const context_entry *e = &q->context[i];
        fill(ev, number_of(ev, i, e->key), e->values.count ? (key_value){.state = KEY_GIVEN, .values = e->values} : absent());
    }
}
