/* SPDX-License-Identifier: Apache-2.0
 *
 * pace.c - tokens may go below zero: the debt is the wait.
 */
#include <stdio.h>
#include <string.h>

#include "agent/provider_host/pace.h"

#define SLOWEST 0.05
#define RECOVERY_PER_S 0.05

static pace_group *group_of(pace *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (strcmp(p->groups[i].name, name) == 0)
            return &p->groups[i];
    }
    if (p->count == PACE_MAX_GROUPS)
        return &p->groups[PACE_MAX_GROUPS - 1];
    pace_group *g = &p->groups[p->count++];
    *g = (pace_group){.slowed = 1, .at_ms = -1};
    snprintf(g->name, sizeof g->name, "%s", name);
    return g;
}

int64_t pace_take(pace *p, const char *group, uint32_t rate_per_s, int64_t now_ms)
{
    pace_group *g = group_of(p, group);
    if (g->at_ms < 0) {
        g->at_ms = now_ms;
        g->tokens = rate_per_s;
    }
    double passed_s = (double)(now_ms - g->at_ms) / 1000;
    g->at_ms = now_ms;
    g->slowed = g->slowed + passed_s * RECOVERY_PER_S < 1 ? g->slowed + passed_s * RECOVERY_PER_S : 1;
    double rate = rate_per_s * g->slowed;
    g->tokens = g->tokens + passed_s * rate < rate_per_s ? g->tokens + passed_s * rate : rate_per_s;
    g->tokens -= 1;
    return g->tokens >= 0 ? 0 : (int64_t)(-g->tokens / rate * 1000) + 1;
}

void pace_throttled(pace *p, const char *group)
{
    pace_group *g = group_of(p, group);
    g->slowed = g->slowed / 2 > SLOWEST ? g->slowed / 2 : SLOWEST;
}
