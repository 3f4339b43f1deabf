/* SPDX-License-Identifier: Apache-2.0
 *
 * arn.c - an ARN is six parts between colons; the last one may hold colons itself.
 */
#include "plugins/aws/arn.h"
#include "plugins/aws/out.h"

/* The text up to the next colon; *rest goes behind it, and is absent where there was none. */
static kim_text part(kim_text *rest)
{
    if (rest->bytes == NULL)
        return KIM_NO_TEXT;
    kim_text whole = *rest;
    const char *colon = memchr(whole.bytes, ':', whole.size);
    if (colon == NULL) {
        *rest = KIM_NO_TEXT;
        return whole;
    }
    size_t size = (size_t)(colon - whole.bytes);
    *rest = (kim_text){colon + 1, whole.size - size - 1};
    return (kim_text){whole.bytes, size};
}

bool aws_arn_split(kim_text text, aws_arn *arn)
{
    if (!kim_text_starts_with(text, KIM_TEXT("arn:")))
        return false;
    kim_text rest = {text.bytes + 4, text.size - 4};
    aws_arn split;
    split.partition = part(&rest);
    split.service = part(&rest);
    split.region = part(&rest);
    split.account = part(&rest);
    if (rest.bytes == NULL)
        return false;
    split.resource = rest;
    *arn = split;
    return true;
}

kim_text aws_arn_kind(const aws_arn *arn)
{
    for (size_t i = 0; i < arn->resource.size; i++)
        if (arn->resource.bytes[i] == '/' || arn->resource.bytes[i] == ':')
            return (kim_text){arn->resource.bytes, i};
    return KIM_TEXT("");
}

kim_text aws_arn_name(const aws_arn *arn)
{
    size_t from = arn->resource.size;
    while (from > 0 && arn->resource.bytes[from - 1] != '/' && arn->resource.bytes[from - 1] != ':')
        from--;
    return (kim_text){arn->resource.bytes + from, arn->resource.size - from};
}

bool aws_is_account(kim_text text)
{
    if (text.size != 12)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return true;
}

kim_text aws_account_of(kim_text text)
{
    aws_arn arn;
    if (aws_is_account(text))
        return text;
    if (!aws_arn_split(text, &arn) || arn.account.size == 0 || kim_text_is(arn.account, "aws") ||
        memchr(arn.account.bytes, '*', arn.account.size) || memchr(arn.account.bytes, '?', arn.account.size))
        return KIM_NO_TEXT;
    return arn.account;
}

/* Services whose ARNs do not begin with the kind of resource: those with a '/' in the resource, and
 * those without. Source: Service Authorization Reference, "Resource types defined by ...". */
static const struct {
    const char *service, *bare, *slashed;
} kinds[] = {
    {"s3", "s3:bucket", "s3:object"},
    {"sqs", "sqs:queue", "sqs:queue"},
    {"sns", "sns:topic", "sns:topic"},
    {"apigateway", "apigateway:resource", "apigateway:resource"},
    {"execute-api", "execute-api:api", "execute-api:api"},
};

kim_text aws_resource_type(kim_arena *arena, kim_text id)
{
    aws_arn arn;
    if (!aws_arn_split(id, &arn))
        return KIM_TEXT("aws:resource");
    kim_text kind = aws_arn_kind(&arn);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kim_text_is(arn.service, kinds[i].service))
            return kim_text_of(kind.size ? kinds[i].slashed : kinds[i].bare);
    if (kind.size == 0)
        kind = KIM_TEXT("resource");
    return aws_concat3(arena, arn.service, KIM_TEXT(":"), kind);
}
