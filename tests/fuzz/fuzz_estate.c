/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_estate.c - any records that pass their checks make an estate, and every question of it has an answer.
 */
#include "controller/evaluate/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int next(void *user, kim_text identity, const answer *a)
{
    (void)user, (void)identity, (void)a;
    return 0;
}

static void ask(estate *es)
{
    static const char *const actions[] = {"s3:GetObject", "sts:AssumeRole", "kms:Decrypt", "publish"};
    evaluator *ev = evaluator_new(es, NULL);
    size_t count;
    const kim_record *identities = estate_records(es, KIM_IDENTITY, &count);
    for (size_t i = 0; ev && i < count && i < 4; i++)
        for (size_t k = 0; k < sizeof actions / sizeof *actions; k++) {
            question q = {.identity = identities[i].identity.id, .action = kim_text_of(actions[k]), .resource = KIM_TEXT("arn:aws:s3:::b/k"), .discover = true, .derive = true};
            answer a;
            kim_error err;
            evaluate_can(ev, &q, &a, &err);
            if (i == 0)
                evaluate_who_can(ev, &q, next, NULL, &err);
        }
    evaluator_free(ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_error err;
    kim_arena *arena = kim_arena_new((size_t)1 << 24);
    estate_builder *builder = estate_builder_new(NULL, &err);
    bool fine = size > 1 && arena && builder;
    if (fine && bytes[0] % 2)
        estate_builder_set_complete(builder);
    for (size_t at = 1, used; fine && at < size; at += used) {
        kim_record record;
        fine = kim_record_decode(bytes + at, size - at, arena, &record, &used, &err) == 0 && estate_builder_add(builder, &record, &err) == 0;
    }
    if (fine) {
        estate *es = estate_build(builder, &err);
        if (es)
            ask(es);
        estate_release(es);
    } else {
        estate_builder_free(builder);
    }
    kim_arena_free(arena);
    return 0;
}
