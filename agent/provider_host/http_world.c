/* SPDX-License-Identifier: Apache-2.0
 *
 * http_world.c - the system's clocks, chance and waiting.
 */
#include <sodium.h>
#include <time.h>

#include "agent/provider_host/http.h"

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_unix_ms(void *context)
{
    (void)context;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(void *context)
{
    (void)context;
    return clock_ms(CLOCK_MONOTONIC);
}

static uint32_t system_random(void *context, uint32_t below)
{
    (void)context;
    return randombytes_uniform(below);
}

static void system_wait(void *context, int64_t ms)
{
    (void)context;
    struct timespec slice = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&slice, NULL);
}

void http_world_system(http_world *world)
{
    *world = (http_world){
        .now_unix_ms = system_unix_ms,
        .monotonic_ms = system_monotonic_ms,
        .random = system_random,
        .wait = system_wait,
    };
}
