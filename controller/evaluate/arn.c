/* SPDX-License-Identifier: Apache-2.0
 *
 * arn.c - each part is a small pattern of its own, so parts without wildcards cost one comparison.
 */
#include "controller/evaluate/arn.h"

arn arn_split(kim_text whole)
{
    arn a = arn_split_text(whole);
    a.is_pattern = glob_has_wildcard(whole);
    a.is_everything = kim_text_is(whole, "*");
    return a;
}

arn arn_split_text(kim_text whole)
{
    arn a;
    a.whole = whole;
    a.count = 0;
    a.is_pattern = a.is_everything = false;
    kim_text rest = whole;
    while (a.count < ARN_PARTS) {
        const char *colon = a.count + 1 < ARN_PARTS && rest.size ? memchr(rest.bytes, ':', rest.size) : NULL;
        size_t size = colon ? (size_t)(colon - rest.bytes) : rest.size;
        a.parts[a.count++] = (kim_text){rest.bytes, size};
        if (colon == NULL)
            break;
        rest = (kim_text){colon + 1, rest.size - size - 1};
    }
    return a;
}

kim_text arn_service(const arn *a)
{
    return a->count == ARN_PARTS ? a->parts[2] : KIM_NO_TEXT;
}

kim_text arn_account(const arn *a)
{
    return a->count == ARN_PARTS && a->parts[4].size ? a->parts[4] : KIM_NO_TEXT;
}

/* The end of the part that begins at `at`: the next colon that is not within ${...}. */
static size_t part_end(kim_text raw, size_t at, bool has_variables)
{
    while (at < raw.size && raw.bytes[at] != ':') {
        if (has_variables && raw.bytes[at] == '$' && at + 1 < raw.size && raw.bytes[at + 1] == '{') {
            const char *close = memchr(raw.bytes + at, '}', raw.size - at);
            at = close ? (size_t)(close - raw.bytes) : at;
        }
        at++;
    }
    return at;
}

int arn_pattern_compile(kim_text raw, arn_variables variables, key_table *keys, kim_arena *arena, arn_pattern *out)
{
    bool has_variables = variables != ARN_NO_VARIABLES;
    *out = (arn_pattern){.raw = raw, .is_everything = kim_text_is(raw, "*")};
    if (template_compile(raw, has_variables, keys, arena, &out->whole) < 0)
        return -1;
    out->is_plain = out->whole.parts == NULL && !glob_has_wildcard(raw);
    size_t at = 0;
    while (out->count < ARN_PARTS) {
        size_t end = out->count + 1 < ARN_PARTS ? part_end(raw, at, has_variables) : raw.size;
        kim_text part = {raw.bytes + at, end - at};
        bool in_part = variables == ARN_ALL_VARIABLES || (has_variables && out->count + 1 == ARN_PARTS);
        template *t = &out->parts[out->count];
        if (template_compile(part, in_part, keys, arena, t) < 0)
            return -1;
        out->plain_parts |= (uint8_t)((t->parts == NULL && !glob_has_wildcard(part)) << out->count);
        out->count++;
        if (end == raw.size)
            break;
        at = end + 1;
    }
    if (out->count == ARN_PARTS && out->whole.parts == NULL && (out->plain_parts & 31) == 31)
        out->lead = out->whole.literal;
    return 0;
}

/* One part, or a whole text. */
static arn_match match_part(const template *t, kim_text text, bool text_is_pattern, context *c, kim_arena *scratch)
{
    if (t->parts == NULL) {
        if (!text_is_pattern || !glob_has_wildcard(text))
            return glob_match_after(t->raw, t->literal, text) ? ARN_YES : ARN_NO;
        glob_relation relation = glob_relate(text, t->raw);
        return relation == GLOB_WITHIN ? ARN_YES : relation == GLOB_DISJOINT ? ARN_NO : ARN_PART;
    }
    units pattern;
    filling how = template_fill(t, c, true, scratch, &pattern);
    if (how == UNRESOLVED)
        return ARN_UNRESOLVED;
    units asked = text_is_pattern ? units_of_pattern(text, scratch) : units_of_text(text, scratch);
    glob_relation relation = units_relate(asked, pattern);
    if (relation == GLOB_DISJOINT)
        return how == NOT_KNOWN && template_filling(t, c) == NOT_KNOWN ? ARN_NO_VALUE_FITS : ARN_NO;
    if (how == NOT_KNOWN)
        return ARN_NOT_KNOWN;
    return relation == GLOB_WITHIN ? ARN_YES : ARN_PART;
}

arn_match arn_pattern_match(const arn_pattern *pattern, const arn *a, bool extend, context *c, kim_arena *scratch)
{
    if (pattern->is_everything)
        return ARN_YES;
    if (pattern->lead && !a->is_pattern)
        return glob_match_after(pattern->raw, pattern->lead, a->whole) ? ARN_YES : ARN_NO;
    if (pattern->is_plain && !a->is_pattern)
        if (pattern->count == ARN_PARTS || !extend)
            return kim_text_equal(pattern->raw, a->whole) ? ARN_YES : ARN_NO;
    if (pattern->count < ARN_PARTS && !extend)
        return match_part(&pattern->whole, a->whole, a->is_pattern, c, scratch);
    if (a->count < ARN_PARTS && !a->is_pattern)
        return ARN_NO;
    arn_match worst = ARN_YES;
    for (size_t i = pattern->count; i-- > 0;) { /* the last part tells most ARNs apart */
        kim_text part = i < a->count && !a->is_everything ? a->parts[i] : KIM_TEXT("*");
        if (!a->is_pattern && (pattern->plain_parts >> i & 1)) {
            if (!kim_text_equal(pattern->parts[i].raw, part))
                return ARN_NO;
            continue;
        }
        arn_match one = match_part(&pattern->parts[i], part, a->is_pattern, c, scratch);
        if (one == ARN_NO)
            return ARN_NO;
        if (one > worst || (one == ARN_PART && worst == ARN_YES))
            worst = one;
    }
    return worst;
}

kim_text arn_pattern_text(const arn_pattern *pattern, bool extend, kim_arena *arena)
{
    bool is_short = extend && pattern->count < ARN_PARTS && !pattern->is_everything;
    if (!is_short && (pattern->raw.size < 2 || memmem(pattern->raw.bytes, pattern->raw.size, "${", 2) == NULL))
        return pattern->raw;
    kim_text all = KIM_TEXT("");
    for (size_t i = 0; i < (is_short ? (size_t)ARN_PARTS : pattern->count); i++) {
        const template *part = &pattern->parts[i];
        kim_text text = i >= pattern->count ? KIM_TEXT("*") : part->parts ? part->raw : template_literal(part->raw, arena);
        all = kim_text_format(arena, "%.*s%s%.*s", KIM_PRINT(all), i ? ":" : "", KIM_PRINT(text));
    }
    return all;
}

const term *arn_pattern_resolves(const arn_pattern *pattern, context *c, kim_arena *scratch)
{
    const term *all = &term_true;
    for (size_t i = 0; i < pattern->count; i++)
        all = term_and(scratch, all, template_resolves(&pattern->parts[i], c, scratch));
    return all;
}

static uint32_t bit_of(kim_text service)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < service.size; i++)
        h = (h ^ (unsigned char)service.bytes[i]) * 16777619u;
    return UINT32_C(1) << (h >> 27);
}

uint32_t arn_service_bit(const arn *a)
{
    return a->count < ARN_PARTS || glob_has_wildcard(a->parts[2]) ? ~UINT32_C(0) : bit_of(a->parts[2]);
}

uint32_t arn_pattern_services(const arn_pattern *pattern)
{
    return pattern->count < ARN_PARTS || !(pattern->plain_parts >> 2 & 1) ? ~UINT32_C(0) : bit_of(pattern->parts[2].raw);
}
