/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h - configured values against the table of the plugin's options.
 *
 * Pure: what comes in is text as the operator wrote it, what goes out is what kim/plugin.h promises a
 * plugin: every value of its type and within its bounds, defaults filled in, nothing unknown.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_SETTINGS_H
#define KIM_AGENT_PROVIDER_HOST_SETTINGS_H

#include <kim/plugin.h>
#include <kim/text.h>

typedef struct setting_given {
    kim_text name;
    kim_text *values; /* [count], as written */
    uint32_t count;
    bool secret;      /* its value is kept elsewhere, and asked for by `secret` */
} setting_given;

/* given  [count]
 * out    lives in arena
 * Errors: KIM_ERR_INPUT  an option is unknown, missing, given twice, of the wrong type or out of bounds, or a secret
 *                        stands in the clear: names it, and says what is expected
 *         KIM_ERR_NOMEM
 */
int settings_check(const kim_plugin *plugin, const setting_given *given, size_t count, kim_arena *arena,
                   kim_settings *out, kim_error *err);

#endif
