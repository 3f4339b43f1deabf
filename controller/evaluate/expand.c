/* SPDX-License-Identifier: Apache-2.0
 *
 * expand.c - patterns to a bitset over the catalogue, allows less denies.
 */
#include "controller/evaluate/expand.h"

#include <stdlib.h>

#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/rules.h"

/* Sets the bits of the rule's actions. */
static void cover(const catalogue *cat, const rules *r, const rule *one, uint64_t *set)
{
    memset(set, 0, catalogue_words(cat) * sizeof *set);
    for (size_t i = 0; i < one->action_count; i++)
        catalogue_match(cat, rules_action_pattern(r, one->actions[i]), set);
    for (size_t i = 0; i < catalogue_words(cat); i++)
        set[i] = one->any_action ? ~UINT64_C(0) : one->actions_turned ? ~set[i] : set[i];
}

static bool denies_outright(const rule *one)
{
    return one->effect == KIM_DENY && one->condition == NULL && one->resource_everything && !one->resources_turned;
}

int expand_answer(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    (void)line; /* its document is among the estate's policies */
    const catalogue *cat = estate_catalogue(es, KIM_TEXT("aws"));
    const rules *r = rules_of(es, err);
    if (cat == NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "the catalogue of AWS's actions is not installed; run `make install`, or set KIM_DATA_DIR");
    if (r == NULL)
        return -1;
    if (!kim_text_is_absent(rules_first_unread(r)))
        return kim_fail(err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(rules_first_unread(r)));
    size_t words = catalogue_words(cat);
    uint64_t *allowed = calloc(words * 3, sizeof *allowed);
    if (allowed == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a set of actions");
    uint64_t *denied = allowed + words, *set = denied + words;
    for (size_t i = 0; i < rules_count(r); i++) {
        const rule *one = &rules_all(r)[i];
        if (one->effect != KIM_ALLOW && !denies_outright(one))
            continue;
        cover(cat, r, one, set);
        uint64_t *into = one->effect == KIM_ALLOW ? allowed : denied;
        for (size_t w = 0; w < words; w++)
            into[w] |= set[w];
    }
    kim_json_key(writer, "actions");
    kim_json_begin_array(writer);
    for (size_t a = 0; a < catalogue_count(cat); a++)
        if ((allowed[a / 64] & ~denied[a / 64]) >> (a % 64) & 1)
            kim_json_put_text(writer, catalogue_lower(cat, (int32_t)a));
    kim_json_end_array(writer);
    free(allowed);
    return 0;
}
