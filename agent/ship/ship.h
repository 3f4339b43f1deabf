/* SPDX-License-Identifier: Apache-2.0
 *
 * ship.h - everything that waits, to the controller: in order, within its credit, until it acknowledges.
 *
 * doc/protocol.md is what it speaks. One thread ships; the providers' threads only add to the streams
 * and wake it.
 */
#ifndef KIM_AGENT_SHIP_H
#define KIM_AGENT_SHIP_H

#include "agent/delta/delta.h"
#include "agent/ship/link.h"
#include "agent/spool/spool.h"

#include <kim/plugin.h> /* KIM_LOG_* */

/* How a provider fares, for STATUS. Written by its thread, under the lock that ship_status takes. */
typedef struct ship_health {
    int64_t collected_unix_ms, usage_unix_ms;
    kim_error problem; /* code 0: none */
    bool changed;
} ship_health;

/* One provider's two streams; the texts, delta and spool are its own and outlive the ship. */
typedef struct ship_provider {
    const char *name;
    char plugin[64], plugin_version[64];
    delta *state;
    spool *usage;
    ship_health health;
    void (*kick)(void *context); /* a full collect is wanted, or doubt is over: look again */
    void *context;
} ship_provider;

typedef struct ship_options {
    const char *endpoint, *controller_key, *agent_name;
    link_keys keys;
    uint8_t spool_id[PROTOCOL_SPOOL_BYTES];
    uint32_t ping_ms, dead_ms; /* 0: PROTOCOL_PING_MS, PROTOCOL_DEAD_MS */
    ship_provider *providers;  /* [provider_count], at most PROTOCOL_MAX_STREAMS / 2 */
    size_t provider_count;
    /* event, and the sentence of the error; the program's edge logs it */
    void (*tell)(uint32_t level, const char *event, const kim_error *what);
} ship_options;

typedef struct ship ship;
ship *ship_new(link_context *context, const ship_options *options, kim_error *err);
void ship_free(ship *s); /* NULL is fine */

/* Ships until ship_stop. */
void ship_run(ship *s);
void ship_stop(ship *s); /* async-signal-safe */
/* Something new waits. By any thread. */
void ship_wake(ship *s);
/* Notes how a provider fares; by its thread. */
void ship_note(ship *s, ship_provider *provider, const ship_health *health);

#endif
