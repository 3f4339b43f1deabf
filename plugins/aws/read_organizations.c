/* SPDX-License-Identifier: Apache-2.0
 *
 * read_organizations.c - the tree of an organisation, and the policies that hang on its levels.
 *
 * Every record but the accounts' own scopes is of the organisation's scope, "aws:o-1". An ARN of
 * Organizations names the organisation: arn:aws:organizations::111122223333:ou/o-1/ou-1.
 *
 * Source: AWS Organizations API Reference.
 */
#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"

/* The organisation's id: what an ARN names, else the context. */
static kim_text organization_of(aws_reading *r, kim_text arn)
{
    aws_arn split;
    if (aws_arn_split(arn, &split) && kim_text_is(split.service, "organizations")) {
        kim_text rest = split.resource;
        for (size_t i = 0; i + 2 < rest.size; i++) {
            if (rest.bytes[i] != '/' || memcmp(rest.bytes + i + 1, "o-", 2) != 0)
                continue;
            kim_text id = {rest.bytes + i + 1, rest.size - i - 1};
            const char *end = memchr(id.bytes, '/', id.size);
            return (kim_text){id.bytes, end ? (size_t)(end - id.bytes) : id.size};
        }
    }
    return r->context->organization;
}

static int untold_organization(aws_reading *r)
{
    return aws_read_untold(r, "which organisation it is (OrganizationId)");
}

/* Takes the organisation as the scope of what follows. */
static int take_organization(aws_reading *r, kim_text arn)
{
    kim_text id = organization_of(r, arn);
    if (id.size == 0)
        return untold_organization(r);
    r->scope = aws_concat(r->keep, KIM_TEXT("aws:"), id);
    return 0;
}

/* The scope of a root, an organisational unit or an account. */
static kim_text level_scope(aws_reading *r, kim_text id)
{
    if (aws_is_account(id))
        return aws_scope_of(r->out->arena, id);
    return aws_concat3(r->out->arena, r->scope, KIM_TEXT("/"), id);
}

/* {"Key":..,"Value":..} tags are rare here; a level has a name, an ARN and a parent. */
static int put_level(aws_reading *r, const kim_json *level, kim_text id, kim_text parent, kim_pairs facts)
{
    bool account = aws_is_account(id);
    kim_text scope = level_scope(r, id);
    kim_record record = {.type = KIM_SCOPE, .scope = scope,
                         .as_scope = {.id = scope, .kind = account ? KIM_TEXT("account") : KIM_TEXT("ou"),
                                      .parent = parent, .name = kim_json_text_of(level, "Name"),
                                      .native_id = kim_json_text_of(level, "Arn"),
                                      .tags = aws_tags(r->out->arena, kim_json_get(level, "Tags")), .facts = facts}};
    return aws_put(r->out, &record, r->err);
}

/* {"Organization":{"Id","Arn","MasterAccountId"}}, and RootId in a collected file. */
static int read_organization(aws_reading *r, const kim_json *document)
{
    const kim_json *organization = kim_json_get(document, "Organization");
    kim_text id = kim_json_text_of(organization, "Id"), manager = kim_json_text_of(organization, "MasterAccountId");
    if (manager.size == 0)
        manager = kim_json_text_of(organization, "ManagementAccountId");
    if (id.size == 0)
        return aws_read_skip(r, "organizations", KIM_NO_TEXT, "the organisation has no Id");
    r->scope = aws_concat(r->keep, KIM_TEXT("aws:"), id);
    kim_text root = kim_json_text_of(organization, "RootId");
    kim_pair facts[2];
    size_t count = 0;
    if (manager.size)
        facts[count++] = (kim_pair){KIM_TEXT("management_account"), manager};
    if (root.size)
        facts[count++] = (kim_pair){KIM_TEXT("root"), root};
    kim_record record = {.type = KIM_SCOPE,
                         .as_scope = {.id = r->scope, .kind = KIM_TEXT("organisation"), .name = id,
                                      .native_id = kim_json_text_of(organization, "Arn"), .facts = {count ? facts : NULL, count}}};
    if (aws_read_put(r, &record) < 0 || aws_put_profile(r->out, r->scope, r->err) < 0)
        return -1;
    return root.size ? put_level(r, NULL, root, r->scope, (kim_pairs){NULL, 0}) : 0;
}

static int read_root(aws_reading *r, const kim_json *root)
{
    kim_text id = kim_json_text_of(root, "Id");
    if (take_organization(r, kim_json_text_of(root, "Arn")) < 0)
        return -1;
    kim_pair fact = {KIM_TEXT("root"), id};
    kim_record organization = {.type = KIM_SCOPE,
                               .as_scope = {.id = r->scope, .kind = KIM_TEXT("organisation"), .facts = {&fact, 1}}};
    if (aws_read_put(r, &organization) < 0)
        return -1;
    return put_level(r, root, id, r->scope, (kim_pairs){NULL, 0});
}

/* The parent as the scope it is: of the call's subject; absent where nobody tells. */
static kim_text parent_scope(aws_reading *r)
{
    kim_text parent = r->context->subject;
    return parent.size ? level_scope(r, parent) : KIM_NO_TEXT;
}

static int read_unit(aws_reading *r, const kim_json *unit)
{
    if (take_organization(r, kim_json_text_of(unit, "Arn")) < 0)
        return -1;
    return put_level(r, unit, kim_json_text_of(unit, "Id"), parent_scope(r), (kim_pairs){NULL, 0});
}

/* An account without a known parent hangs below the organisation, until a better one is told: joined,
 * the longer id of the two wins. */
static int read_member_account(aws_reading *r, const kim_json *account)
{
    kim_text id = kim_json_text_of(account, "Id"), status = kim_json_text_of(account, "Status");
    if (!aws_is_account(id))
        return aws_read_skip(r, "organizations", KIM_NO_TEXT, "an account has no Id of 12 digits");
    if (take_organization(r, kim_json_text_of(account, "Arn")) < 0)
        return -1;
    kim_text parent = parent_scope(r);
    kim_pair facts[3];
    size_t count = 0;
    if (status.size && !kim_text_is(status, "ACTIVE"))
        facts[count++] = (kim_pair){KIM_TEXT("state"), kim_text_lower(r->out->arena, status)};
    if (kim_json_text_of(account, "Email").size)
        facts[count++] = (kim_pair){KIM_TEXT("email"), kim_json_text_of(account, "Email")};
    return put_level(r, account, id, parent.size ? parent : r->scope, (kim_pairs){count ? facts : NULL, count});
}

static int read_delegated_administrator(aws_reading *r, const kim_json *account)
{
    kim_pair fact = {KIM_TEXT("delegated_administrator"), KIM_TEXT("true")};
    kim_text id = kim_json_text_of(account, "Id");
    if (take_organization(r, kim_json_text_of(account, "Arn")) < 0)
        return -1;
    return aws_is_account(id) ? put_level(r, account, id, r->scope, (kim_pairs){&fact, 1}) : 0;
}

/* {"DelegatedServices":[{"ServicePrincipal"}]} of an account. */
static int read_delegated_services(aws_reading *r, const kim_json *document)
{
    kim_text account = aws_read_subject(r, document, "AccountId", NULL), list = KIM_NO_TEXT;
    const kim_json *services = kim_json_get(document, "DelegatedServices");
    if (!aws_is_account(account))
        return aws_read_untold(r, "the account (AccountId)");
    for (size_t i = 0; kim_json_is(services, KIM_JSON_ARRAY) && i < services->count; i++) {
        kim_text one = kim_json_text_of(&services->items[i], "ServicePrincipal");
        list = list.size ? aws_concat3(r->out->arena, list, KIM_TEXT(" "), one) : one;
    }
    kim_pair fact = {KIM_TEXT("delegated_services"), list};
    kim_text scope = aws_scope_of(r->out->arena, account);
    kim_record record = {.type = KIM_SCOPE, .scope = scope,
                         .as_scope = {.id = scope, .kind = KIM_TEXT("account"), .facts = {&fact, list.size ? 1 : 0}}};
    return aws_put(r->out, &record, r->err);
}

/* {"Children":[{"Id","Type"}]} of a parent; {"Parents":[{"Id","Type"}]} of a child. */
static int read_children(aws_reading *r, const kim_json *document)
{
    const kim_json *children = kim_json_get(document, "Children");
    kim_text parent = aws_read_subject(r, document, "ParentId", NULL);
    if (parent.size == 0)
        return aws_read_untold(r, "whose children they are (ParentId)");
    if (take_organization(r, kim_json_text_of(document, "OrganizationArn")) < 0)
        return -1;
    for (size_t i = 0; kim_json_is(children, KIM_JSON_ARRAY) && i < children->count; i++)
        if (put_level(r, NULL, kim_json_text_of(&children->items[i], "Id"), level_scope(r, parent), (kim_pairs){NULL, 0}) < 0)
            return -1;
    return 0;
}

static int read_parents(aws_reading *r, const kim_json *document)
{
    const kim_json *parents = kim_json_get(document, "Parents");
    kim_text child = aws_read_subject(r, document, "ChildId", NULL);
    if (child.size == 0)
        return aws_read_untold(r, "whose parent it is (ChildId)");
    if (take_organization(r, kim_json_text_of(document, "OrganizationArn")) < 0)
        return -1;
    if (!kim_json_is(parents, KIM_JSON_ARRAY) || parents->count == 0)
        return 0;
    return put_level(r, NULL, child, level_scope(r, kim_json_text_of(&parents->items[0], "Id")), (kim_pairs){NULL, 0});
}

/* ---- policies ---- */

/* Types of organisation policy that decide on access; the others (tags, backups ...) do not. */
static const struct { const char *type, *layer; } layers[] = {
    {"SERVICE_CONTROL_POLICY", "scp"},
    {"RESOURCE_CONTROL_POLICY", "rcp"},
};

static const char *layer_of(kim_text type)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (kim_text_is(type, layers[i].type))
            return layers[i].layer;
    return NULL;
}

/* What a summary says; document NULL: it was not read. */
static int put_policy(aws_reading *r, const kim_json *summary, kim_text arn, const kim_json *document)
{
    aws_arn split;
    const char *layer = layer_of(kim_json_text_of(summary, "Type"));
    if (layer == NULL)
        return 0;
    if (!aws_arn_split(arn, &split))
        return aws_read_skip(r, "organizations", KIM_NO_TEXT, "a policy has no ARN");
    if (take_organization(r, arn) < 0)
        return -1;
    aws_policy as = {.scope = r->scope, .id = arn, .name = kim_json_text_of(summary, "Name"), .kind = kim_text_of(layer),
                     .provider_managed = kim_text_is(split.account, "aws")};
    if (document == NULL)
        return aws_document_put_unread(r->out, &as, KIM_TEXT("its document was not asked for"), r->err);
    return aws_document_put(r->out, &as, document, r->err);
}

/* {"Policy":{"PolicySummary":{"Arn","Name","Type"},"Content":"..."}} */
static int read_policy(aws_reading *r, const kim_json *document)
{
    const kim_json *policy = kim_json_get(document, "Policy"), *summary = kim_json_get(policy, "PolicySummary");
    return put_policy(r, summary, kim_json_text_of(summary, "Arn"), kim_json_get(policy, "Content"));
}

static int read_policy_summary(aws_reading *r, const kim_json *summary)
{
    return put_policy(r, summary, kim_json_text_of(summary, "Arn"), NULL);
}

static int attach(aws_reading *r, kim_text policy, const char *layer, kim_text target)
{
    kim_record record = {.type = KIM_ATTACHMENT,
                         .attachment = {.policy = policy, .layer = kim_text_of(layer), .on_scope = level_scope(r, target)}};
    return aws_read_put(r, &record);
}

/* {"Policies":[summary, ...]} of a target. */
static int read_policies_of_target(aws_reading *r, const kim_json *document)
{
    const kim_json *policies = kim_json_get(document, "Policies");
    kim_text target = aws_read_subject(r, document, "TargetId", NULL);
    if (target.size == 0)
        return aws_read_untold(r, "the target (TargetId)");
    for (size_t i = 0; kim_json_is(policies, KIM_JSON_ARRAY) && i < policies->count; i++) {
        const kim_json *summary = &policies->items[i];
        kim_text arn = kim_json_text_of(summary, "Arn");
        const char *layer = layer_of(kim_json_text_of(summary, "Type"));
        if (layer && (put_policy(r, summary, arn, NULL) < 0 || attach(r, arn, layer, target) < 0))
            return -1;
    }
    return 0;
}

/* {"Targets":[{"TargetId","Arn","Type"}]} of a policy, whose ARN tells its type. */
static int read_targets_of_policy(aws_reading *r, const kim_json *document)
{
    const kim_json *targets = kim_json_get(document, "Targets");
    kim_text policy = aws_read_subject(r, document, "PolicyArn", "PolicyId", NULL);
    const char *layer = memmem(policy.bytes, policy.size, "/resource_control_policy/", 25) ? "rcp"
                        : memmem(policy.bytes, policy.size, "/service_control_policy/", 24) ? "scp" : NULL;
    if (layer == NULL)
        return aws_read_untold(r, "the policy's ARN (PolicyArn)");
    for (size_t i = 0; kim_json_is(targets, KIM_JSON_ARRAY) && i < targets->count; i++)
        if (take_organization(r, kim_json_text_of(&targets->items[i], "Arn")) < 0 ||
            attach(r, policy, layer, kim_json_text_of(&targets->items[i], "TargetId")) < 0)
            return -1;
    return 0;
}

const aws_row aws_rows_organizations[] = {
    {"organizations:DescribeOrganization", "Organization.Arn", NULL, read_organization, NULL, "organizations"},
    {"organizations:ListRoots", "Roots[].Arn", "Roots", read_root, NULL, "organizations"},
    {"organizations:ListOrganizationalUnitsForParent", "OrganizationalUnits[].Arn", "OrganizationalUnits", read_unit, "ParentId", "organizations"},
    {"organizations:ListAccounts", "Accounts[].JoinedMethod", "Accounts", read_member_account, NULL, "organizations"},
    {"organizations:ListAccountsForParent", "Accounts[].JoinedMethod", "Accounts", read_member_account, "ParentId", "organizations"},
    {"organizations:ListChildren", "Children[].Type", NULL, read_children, "ParentId", "organizations"},
    {"organizations:ListParents", "Parents[].Type", NULL, read_parents, "ChildId", "organizations"},
    {"organizations:DescribePolicy", "Policy.PolicySummary", NULL, read_policy, NULL, "organizations"},
    {"organizations:ListPolicies", "Policies[].Type Policies[].AwsManaged", "Policies", read_policy_summary, NULL, "organizations"},
    {"organizations:ListPoliciesForTarget", "Policies[].Type Policies[].AwsManaged", NULL, read_policies_of_target, "TargetId", "organizations"},
    {"organizations:ListTargetsForPolicy", "Targets[].TargetId", NULL, read_targets_of_policy, "PolicyArn", "organizations"},
    {"organizations:ListDelegatedAdministrators", "DelegatedAdministrators[]", "DelegatedAdministrators", read_delegated_administrator, NULL, "organizations"},
    {"organizations:ListDelegatedServicesForAccount", "DelegatedServices[]", NULL, read_delegated_services, "AccountId", "organizations"},
    {NULL},
};
