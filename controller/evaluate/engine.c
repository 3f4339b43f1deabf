/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c - the table of engines, and what each keeps with an estate and with an evaluator.
 */
#include "controller/evaluate/engine.h"

#include "controller/evaluate/evaluator.h"

/* An engine's place is its slot. The neutral one stands last: it has every scope that no other has. */
static const engine *const engines[] = {&aws_engine, &azure_engine, &gcp_engine, &kubernetes_engine, &neutral_engine};
enum { ENGINES = sizeof engines / sizeof *engines };
_Static_assert((int)ENGINES <= (int)ENGINES_MAX && (int)ENGINES_MAX <= (int)ESTATE_SLOTS, "an engine without a slot");

static unsigned slot_of(const engine *e)
{
    unsigned slot = 0;
    while (engines[slot] != e)
        slot++;
    return slot;
}

const engine *engine_of_scope(kim_text scope)
{
    for (size_t i = 0; i < ENGINES; i++)
        if ((engines[i]->scope_prefix && kim_text_starts_with(scope, kim_text_of(engines[i]->scope_prefix))) ||
            (engines[i]->owns && engines[i]->owns(scope)))
            return engines[i];
    return &neutral_engine;
}

bool engine_reads(const engine *e, kim_text scope)
{
    return engine_of_scope(scope) == e;
}

const engine *engine_find(const estate *es, kim_text provider)
{
    for (size_t i = 0; i < ENGINES; i++)
        if (kim_text_is(provider, engines[i]->provider))
            return engines[i];
    return estate_find(es, KIM_PROFILE, provider) ? &neutral_engine : NULL;
}

const void *engine_compiled(const engine *e, estate *es, kim_error *err)
{
    return estate_derived(es, slot_of(e), e->compile, e->forget, err);
}

static bool is_touched(const engine *e, const estate *es)
{
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        size_t count;
        const kim_record *items = estate_changed(es, (kim_record_type)type, &count);
        for (size_t i = 0; i < count; i++)
            if (engine_reads(e, items[i].scope))
                return true;
    }
    return false;
}

void evaluate_carry(estate *es)
{
    for (unsigned i = 0; i < ENGINES && estate_before(es); i++) {
        void *compiled = estate_derived_already(estate_before(es), i), *changed = NULL;
        if (compiled && !is_touched(engines[i], es))
            estate_derive(es, i, compiled, NULL);
        else if (compiled && engines[i]->change && (changed = engines[i]->change(compiled, es)))
            estate_derive(es, i, changed, engines[i]->forget);
    }
}

void *engine_state(const engine *e, evaluator *ev, kim_error *err)
{
    unsigned slot = slot_of(e);
    const void *compiled = ev->states[slot] ? NULL : engine_compiled(e, ev->es, err);
    if (compiled)
        ev->states[slot] = e->state_new(ev, compiled, err);
    return ev->states[slot];
}

void engines_close(evaluator *ev)
{
    for (unsigned i = 0; i < ENGINES; i++)
        if (ev->states[i])
            engines[i]->state_free(ev->states[i]);
}
