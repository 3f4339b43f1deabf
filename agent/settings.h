/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h - kim-agent's configuration: a libconfig file against tables.
 */
#ifndef KIM_AGENT_SETTINGS_H
#define KIM_AGENT_SETTINGS_H

#include "sdk/host_client.h"

#include <kim/arena.h>

enum { SETTINGS_MAX_PROVIDERS = 32 }; /* PROTOCOL_MAX_STREAMS / 2 */

/* Where an option's secret is kept: a file or a variable of the environment. */
typedef struct secret_place {
    const char *option, *file, *env;
} secret_place;

typedef struct provider_settings {
    const char *name, *plugin;
    int64_t interval_ms, usage_interval_ms, timeout_ms;
    bool usage;
    host_setting *options; /* [option_count], "http.*" among them */
    size_t option_count;
    secret_place *secrets; /* [secret_count] */
    size_t secret_count;
} provider_settings;

typedef struct settings {
    kim_arena *arena; /* holds all of it */
    const char *controller, *controller_enrol, *controller_key, *state_dir, *log_level;
    int64_t spool_max_bytes, spool_segment_bytes, heartbeat_ms;
    provider_settings providers[SETTINGS_MAX_PROVIDERS];
    size_t provider_count;
} settings;

/* Errors: KIM_ERR_INPUT "PATH:LINE: ...", KIM_ERR_NOT_FOUND, KIM_ERR_NOMEM */
int settings_load(const char *path, settings *out, kim_error *err);
void settings_free(settings *s);

#endif
