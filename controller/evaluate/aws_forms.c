/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_forms.c - "arn:${Partition}:s3:::${BucketName}" read as a pattern, or filled in.
 */
#include "controller/evaluate/aws_forms.h"

#include <string.h>

#include "controller/evaluate/arn.h"

/* The form with `fill(part)` for each variable; `part` counts the colons before it. Absent without memory. */
static kim_text fill_form(kim_text form, const kim_text by_part[ARN_PARTS], kim_arena *arena)
{
    size_t room = form.size + 1, part = 0, size = 0;
    for (size_t i = 0; i < ARN_PARTS; i++)
        room += form.size * by_part[i].size;
    char *bytes = kim_arena_bytes(arena, room);
    for (size_t i = 0; bytes && i < form.size; i++) {
        const char *close = form.bytes[i] == '$' ? memchr(form.bytes + i, '}', form.size - i) : NULL;
        if (close == NULL) {
            part += form.bytes[i] == ':' && part + 1 < ARN_PARTS;
            bytes[size++] = form.bytes[i];
            continue;
        }
        memcpy(bytes + size, by_part[part].bytes, by_part[part].size);
        size += by_part[part].size;
        i = (size_t)(close - form.bytes);
    }
    return bytes ? (kim_text){bytes, size} : KIM_NO_TEXT;
}

bool aws_may_be_done_to(const catalogue *cat, int32_t action, kim_text resource, kim_arena *scratch)
{
    static const kim_text anything[ARN_PARTS] = {{"*", 1}, {"*", 1}, {"*", 1}, {"*", 1}, {"*", 1}, {"*", 1}};
    size_t uses, total;
    const catalogue_use *use = catalogue_uses(cat, action, &uses);
    const catalogue_resource_type *types = catalogue_resource_types(cat, &total);
    bool is_object = resource.size && memchr(resource.bytes, '/', resource.size) != NULL;
    arn a = arn_split(resource);
    if (uses == 0 || a.count < ARN_PARTS)
        return true;
    for (size_t u = 0; u < uses; u++)
        for (uint32_t f = 0; f < use[u].form_count; f++) {
            kim_text form = types[use[u].first_form + f].arn;
            if (is_object && kim_text_ends_with(form, KIM_TEXT(":s3:::${BucketName}")))
                continue; /* a bucket's name has no slash */
            arn of = arn_split(fill_form(form, anything, scratch));
            bool may = of.count == ARN_PARTS;
            for (size_t p = 0; p < ARN_PARTS && may; p++)
                may = glob_relate(a.parts[p], of.parts[p]) != GLOB_DISJOINT;
            if (may)
                return true;
        }
    return false;
}

kim_text aws_resource_of_form(const catalogue *cat, int32_t action, size_t form, kim_text account, kim_arena *arena)
{
    const kim_text by_part[ARN_PARTS] = {
        KIM_TEXT("arn"), KIM_TEXT("aws"), KIM_TEXT("example"), KIM_TEXT("us-east-1"), account, KIM_TEXT("kim-example"),
    };
    size_t uses, total;
    const catalogue_use *use = catalogue_uses(cat, action, &uses);
    const catalogue_resource_type *types = catalogue_resource_types(cat, &total);
    for (size_t u = 0; u < uses; u++) {
        if (form < use[u].form_count)
            return fill_form(types[use[u].first_form + form].arn, by_part, arena);
        form -= use[u].form_count;
    }
    return KIM_NO_TEXT;
}
