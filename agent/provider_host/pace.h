/* SPDX-License-Identifier: Apache-2.0
 *
 * pace.h - how long must a request of this group wait? A token bucket a group. Pure.
 *
 * A bucket holds one second's budget, so that short bursts pass and the mean never exceeds the rate.
 * A throttled answer halves a group's rate; it grows back by a twentieth of the full rate a second.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_PACE_H
#define KIM_AGENT_PROVIDER_HOST_PACE_H

#include <stdint.h>

enum { PACE_MAX_GROUPS = 64, PACE_GROUP_CHARS = 48 };

typedef struct pace_group {
    char name[PACE_GROUP_CHARS];
    double tokens, slowed; /* slowed: 1 full rate, 0.5 half ... */
    int64_t at_ms;
} pace_group;

typedef struct pace {
    pace_group groups[PACE_MAX_GROUPS]; /* past the last, groups share it */
    uint32_t count;
} pace;

/* Takes one request's token at now_ms (monotonic) and returns how long to wait before sending: 0 where
 * the budget has room. */
int64_t pace_take(pace *p, const char *group, uint32_t rate_per_s, int64_t now_ms);
void pace_throttled(pace *p, const char *group);

#endif
