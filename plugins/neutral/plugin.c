/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c - kim's own neutral documents as a provider: it only normalises, and keeps nothing.
 */
#include <stdlib.h>

#include <kim/plugin.h>

#include "plugins/neutral/case.h"

enum { CASE_MAX_BYTES = 32 * 1024 * 1024 }; /* a case of KIM_CASE_MAX_BYTES, parsed, with its records' lists */

typedef struct neutral_plugin {
    kim_emitter emitter;
    kim_arena *arena; /* for the case at hand */
} neutral_plugin;

static void neutral_close(void *instance)
{
    neutral_plugin *self = instance;
    if (self == NULL)
        return;
    kim_emitter_stop(&self->emitter);
    kim_arena_free(self->arena);
    free(self);
}

static int neutral_open(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err)
{
    (void)settings;
    neutral_plugin *self = calloc(1, sizeof *self);
    if (self == NULL || (self->arena = kim_arena_new(CASE_MAX_BYTES)) == NULL) {
        free(self);
        return kim_fail(err, KIM_ERR_NOMEM, "neutral: no memory to begin with");
    }
    kim_emitter_start(&self->emitter, host);
    *instance = self;
    return 0;
}

static int neutral_normalise(void *instance, const kim_document *document, kim_error *err)
{
    neutral_plugin *self = instance;
    if (strcmp(document->kind, "case") != 0)
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "neutral: documents of kind '%s' are not known; known is case", document->kind);
    return neutral_case_normalise(&self->emitter, self->arena, document->name, (const char *)document->bytes, document->size, err);
}

const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const kim_plugin plugin = {
        .magic = KIM_PLUGIN_MAGIC,
        .struct_size = sizeof(kim_plugin),
        .abi_major = KIM_ABI_MAJOR,
        .abi_minor = KIM_ABI_MINOR,
        .capabilities = KIM_CAN_NORMALISE,
        .id = "neutral",
        .version = "0.1.0",
        .vendor = "kim",
        .summary = "Cases in kim's own words, for systems without a provider and for every combining algorithm",
        .option_size = sizeof(kim_option),
        .open = neutral_open,
        .close = neutral_close,
        .normalise = neutral_normalise,
    };
    (void)host_minor; /* minors may differ either way */
    return host_major == KIM_ABI_MAJOR ? &plugin : NULL;
}
