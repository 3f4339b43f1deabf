/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_public.c - a table of the keys that can make a statement for everyone one for a few.
 */
#include "controller/evaluate/aws_public.h"

#include <stdlib.h>

typedef enum fixing { FIXED_TEXT, FIXED_NETWORK, FIXED_ARN } fixing;

static const struct { const char *key; fixing how; } fixing_keys[] = {
    {"aws:PrincipalArn", FIXED_ARN}, {"aws:PrincipalAccount", FIXED_TEXT}, {"aws:PrincipalOrgID", FIXED_TEXT},
    {"aws:PrincipalOrgPaths", FIXED_TEXT}, {"aws:SourceIp", FIXED_NETWORK}, {"aws:SourceArn", FIXED_TEXT},
    {"aws:SourceVpc", FIXED_TEXT}, {"aws:SourceVpce", FIXED_TEXT}, {"aws:SourceOwner", FIXED_TEXT},
    {"aws:SourceAccount", FIXED_TEXT}, {"aws:SourceOrgID", FIXED_TEXT},
    {"s3:x-amz-server-side-encryption-aws-kms-key-id", FIXED_TEXT}, {"aws:userid", FIXED_TEXT},
    {"s3:DataAccessPointArn", FIXED_ARN}, {"s3:DataAccessPointAccount", FIXED_TEXT},
};

/* Ranges wider than /8 (IPv4) and /32 (IPv6) are the public's. */
static bool is_narrow(kim_text network)
{
    const char *slash = memchr(network.bytes, '/', network.size);
    if (slash == NULL)
        return true;
    int bits = atoi(slash + 1); /* a value that no address matches is narrow enough */
    return memchr(network.bytes, ':', network.size) ? bits >= 32 : bits >= 8;
}

/* An ARN whose account is written out says whose it is. */
static bool is_fixed(kim_text value, fixing how)
{
    if (how == FIXED_NETWORK)
        return is_narrow(value);
    if (value.size > 1 && memmem(value.bytes, value.size, "${", 2))
        return false;
    if (how == FIXED_TEXT)
        return !glob_has_wildcard(value);
    arn a = arn_split(value);
    return a.count == ARN_PARTS && !glob_has_wildcard(a.parts[4]) && (a.parts[4].size || !glob_has_wildcard(a.parts[5]));
}

static bool fixes(kim_text op, const kim_json_member *key, kim_arena *scratch)
{
    op = kim_text_lower(scratch, op);
    if (kim_text_starts_with(op, KIM_TEXT("forallvalues:")) || kim_text_ends_with(op, KIM_TEXT("ifexists")) || kim_text_is(op, "null") ||
        op.size == 0 || memmem(op.bytes, op.size, "not", 3))
        return false; /* true of a request that lacks the key */
    for (size_t i = 0; i < sizeof fixing_keys / sizeof *fixing_keys; i++) {
        if (!kim_text_equal_nocase(key->name, kim_text_of(fixing_keys[i].key)))
            continue;
        kim_texts values = kim_json_texts(key->value, scratch);
        for (size_t k = 0; k < values.count; k++)
            if (!is_fixed(values.items[k], fixing_keys[i].how))
                return false;
        return values.count > 0;
    }
    return false;
}

static bool is_fixed_by_condition(const rule *one)
{
    kim_arena *scratch = kim_arena_new(SIZE_MAX);
    kim_text text = one->source->condition.text;
    const kim_json *root = text.size ? kim_json_parse(text.bytes, text.size, "condition", scratch, NULL) : NULL;
    bool fixed = false;
    for (size_t i = 0; root && kim_json_is(root, KIM_JSON_OBJECT) && i < root->count; i++) {
        const kim_json *block = root->members[i].value;
        for (size_t k = 0; kim_json_is(block, KIM_JSON_OBJECT) && k < block->count && !fixed; k++)
            fixed = fixes(root->members[i].name, &block->members[k], scratch);
    }
    kim_arena_free(scratch);
    return fixed;
}

/* Whoever has a token of some identity provider is the public too. */
static bool names_everyone(const rule *one)
{
    for (size_t i = 0; i < one->subject_count && !one->subjects_turned; i++)
        if (one->subjects[i].kind == SUBJECT_EVERYONE || one->subjects[i].kind == SUBJECT_FEDERATED)
            return true;
    return one->subjects_turned;
}

bool policies_are_public(const policy_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; k < set->items[i]->count; k++) {
            const rule *one = &set->items[i]->rules[k];
            if (one->effect == KIM_ALLOW && names_everyone(one) && !is_fixed_by_condition(one))
                return true;
        }
    return false;
}
