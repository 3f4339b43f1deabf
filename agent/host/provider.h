/* SPDX-License-Identifier: Apache-2.0
 *
 * provider.h - one provider's life: a process that is started, called when due, and started again.
 *
 * Each provider has a thread of its own, which does nothing but speak to its process, so a slow or hung
 * one costs the others nothing.
 */
#ifndef KIM_AGENT_PROVIDER_H
#define KIM_AGENT_PROVIDER_H

#include "agent/settings.h"
#include "agent/ship/ship.h"

typedef struct provider provider;

/* set      outlives it
 * streams   its entry of ship_options.providers: kick and context are set here
 * Errors: KIM_ERR_NOMEM, KIM_ERR_IO */
provider *provider_start(const provider_settings *set, ship_provider *streams, ship *to,
                         void (*log)(const char *provider, uint32_t level, const char *event, const char *message),
                         kim_error *err);
/* Asks it to end; then waits for that. NULL is fine. */
void provider_stop(provider *p);
void provider_free(provider *p);

#endif
