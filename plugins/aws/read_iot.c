/* SPDX-License-Identifier: Apache-2.0
 *
 * read_iot.c - things, their certificates, the policies on those, and role aliases.
 *
 * A certificate is what a policy is attached to and what a device signs in with: it is an identity, and
 * the thing can become it.
 *
 * Source: AWS IoT API Reference.
 */
#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"

static int read_thing(aws_reading *r, const kim_json *thing)
{
    kim_text arn = kim_json_text_of(thing, "thingArn"), type = kim_json_text_of(thing, "thingTypeName");
    if (arn.size == 0)
        return aws_read_skip(r, "iot", KIM_NO_TEXT, "a thing has no thingArn");
    if (aws_read_account(r, arn) < 0)
        return -1;
    kim_pair fact = {KIM_TEXT("thing_type"), type};
    kim_record record = {.type = KIM_IDENTITY,
                         .identity = {.id = arn, .kind = KIM_DEVICE, .name = kim_json_text_of(thing, "thingName"),
                                      .tags = aws_tags(r->out->arena, kim_json_get(thing, "attributes")),
                                      .facts = {&fact, type.size ? 1 : 0}}};
    return aws_read_put(r, &record);
}

static int put_certificate(aws_reading *r, kim_text arn, int64_t created, kim_text status)
{
    aws_arn split;
    if (!aws_arn_split(arn, &split))
        return aws_read_skip(r, "iot", KIM_NO_TEXT, "a certificate has no ARN");
    if (aws_read_account(r, arn) < 0)
        return -1;
    int32_t state = kim_text_is(status, "ACTIVE") ? KIM_ACTIVE : status.size ? KIM_DISABLED : 0;
    kim_record identity = {.type = KIM_IDENTITY,
                           .identity = {.id = arn, .kind = KIM_DEVICE, .name = aws_arn_name(&split), .state = state, .created_unix_ms = created}};
    kim_record credential = {.type = KIM_CREDENTIAL,
                             .credential = {.id = arn, .identity = arn, .kind = KIM_TEXT("certificate"), .state = state, .created_unix_ms = created}};
    if (aws_read_put(r, &identity) < 0)
        return -1;
    return aws_read_put(r, &credential);
}

static int read_certificate(aws_reading *r, const kim_json *certificate)
{
    return put_certificate(r, kim_json_text_of(certificate, "certificateArn"), aws_time(kim_json_get(certificate, "creationDate")),
                           kim_json_text_of(certificate, "status"));
}

static int read_one_certificate(aws_reading *r, const kim_json *document)
{
    return read_certificate(r, kim_json_get(document, "certificateDescription"));
}

/* {"principals":[ARN, ...]} of a thing. */
static int read_principals_of_thing(aws_reading *r, const kim_json *document)
{
    kim_text thing = aws_read_subject(r, document, "thingArn", "thingName", NULL);
    kim_texts principals = kim_json_texts(kim_json_get(document, "principals"), r->out->arena);
    for (size_t i = 0; i < principals.count; i++) {
        aws_arn split;
        if (put_certificate(r, principals.items[i], 0, KIM_NO_TEXT) < 0)
            return -1;
        if (!aws_arn_split(principals.items[i], &split))
            continue;
        if (thing.size == 0)
            return aws_read_untold(r, "the thing (thingName)");
        kim_text arn = kim_text_starts_with(thing, KIM_TEXT("arn:")) ? thing
            : aws_read_arn(r, "iot", split.region, split.account, aws_concat(r->out->arena, KIM_TEXT("thing/"), thing));
        kim_record edge = {.type = KIM_EDGE, .edge = {.kind = KIM_CAN_BECOME, .from = arn, .to = principals.items[i], .via = KIM_TEXT("iot:certificate")}};
        if (aws_read_put(r, &edge) < 0)
            return -1;
    }
    return 0;
}

/* {"policyName","policyArn","policyDocument","defaultVersionId"} */
static int read_policy(aws_reading *r, const kim_json *document)
{
    kim_text arn = kim_json_text_of(document, "policyArn");
    const kim_json *policy = kim_json_get(document, "policyDocument");
    if (arn.size == 0)
        return aws_read_skip(r, "iot", KIM_NO_TEXT, "a policy has no policyArn");
    if (aws_read_account(r, arn) < 0)
        return -1;
    aws_policy as = {.scope = r->scope, .id = arn, .name = kim_json_text_of(document, "policyName"), .kind = KIM_TEXT("iot"),
                     .revision = kim_json_text_of(document, "defaultVersionId")};
    if (policy == NULL)
        return aws_document_put_unread(r->out, &as, KIM_TEXT("its document was not asked for"), r->err);
    return aws_document_put(r->out, &as, policy, r->err);
}

/* {"policies":[{"policyName","policyArn"}]} of a target: a certificate, a thing group or a Cognito identity. */
static int read_policies_of_target(aws_reading *r, const kim_json *document)
{
    const kim_json *policies = kim_json_get(document, "policies");
    kim_text target = aws_read_subject(r, document, "principal", "target", NULL);
    if (target.size == 0)
        return aws_read_untold(r, "the target (principal or target)");
    for (size_t i = 0; kim_json_is(policies, KIM_JSON_ARRAY) && i < policies->count; i++) {
        kim_text arn = kim_json_text_of(&policies->items[i], "policyArn");
        if (read_policy(r, &policies->items[i]) < 0 || (arn.size && aws_read_attach(r, arn, "identity", target, KIM_NO_TEXT) < 0))
            return -1;
    }
    return 0;
}

/* {"targets":[ARN, ...]} of a policy. */
static int read_targets_of_policy(aws_reading *r, const kim_json *document)
{
    kim_text policy = aws_read_subject(r, document, "policyArn", "policyName", NULL);
    kim_texts targets = kim_json_texts(kim_json_get(document, "targets"), r->out->arena);
    for (size_t i = 0; i < targets.count; i++) {
        aws_arn split;
        if (policy.size == 0)
            return aws_read_untold(r, "the policy (policyName)");
        if (!aws_arn_split(targets.items[i], &split))
            continue;
        if (aws_read_account(r, targets.items[i]) < 0)
            return -1;
        kim_text arn = kim_text_starts_with(policy, KIM_TEXT("arn:")) ? policy
            : aws_read_arn(r, "iot", split.region, split.account, aws_concat(r->out->arena, KIM_TEXT("policy/"), policy));
        if (aws_read_attach(r, arn, "identity", targets.items[i], KIM_NO_TEXT) < 0)
            return -1;
    }
    return 0;
}

/* {"roleAliasDescription":{"roleAlias","roleAliasArn","roleArn"}}: whoever may use the alias gets the role. */
static int read_role_alias(aws_reading *r, const kim_json *document)
{
    const kim_json *alias = kim_json_get(document, "roleAliasDescription");
    kim_text arn = kim_json_text_of(alias, "roleAliasArn");
    if (arn.size == 0)
        return aws_read_skip(r, "iot", KIM_NO_TEXT, "a role alias has no roleAliasArn");
    if (aws_read_account(r, arn) < 0)
        return -1;
    kim_pair fact = {KIM_TEXT("role"), kim_json_text_of(alias, "roleArn")};
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = arn, .type = KIM_TEXT("iot:rolealias"), .name = kim_json_text_of(alias, "roleAlias"),
                                      .facts = {&fact, fact.value.size ? 1 : 0}}};
    return aws_read_put(r, &record);
}

static int read_role_aliases(aws_reading *r, const kim_json *document)
{
    return aws_read_names(r, kim_json_get(document, "roleAliases"), "iot", "rolealias");
}

const aws_row aws_rows_iot[] = {
    {"iot:ListThings", "things[].thingArn", "things", read_thing, NULL, "iot"},
    {"iot:ListCertificates", "certificates[].certificateArn", "certificates", read_certificate, NULL, "iot"},
    {"iot:DescribeCertificate", "certificateDescription{}", NULL, read_one_certificate, NULL, "iot"},
    {"iot:ListThingPrincipals", "principals[]", NULL, read_principals_of_thing, "thingName", "iot"},
    {"iot:ListPolicies", "policies[].policyArn", "policies", read_policy, NULL, "iot"},
    {"iot:GetPolicy", "policyArn policyDocument", NULL, read_policy, NULL, "iot"},
    {"iot:ListPrincipalPolicies", "policies[].policyArn", NULL, read_policies_of_target, "principal", "iot"},
    {"iot:ListAttachedPolicies", "policies[].policyArn", NULL, read_policies_of_target, "target", "iot"},
    {"iot:ListTargetsForPolicy", "targets[]", NULL, read_targets_of_policy, "policyName", "iot"},
    {"iot:ListRoleAliases", "roleAliases[]", NULL, read_role_aliases, NULL, "iot"},
    {"iot:DescribeRoleAlias", "roleAliasDescription{}", NULL, read_role_alias, NULL, "iot"},
    {NULL},
};
