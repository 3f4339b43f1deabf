/* SPDX-License-Identifier: Apache-2.0
 *
 * dial.h - connections for providers, which may open none themselves.
 */
#ifndef KIM_AGENT_DIAL_H
#define KIM_AGENT_DIAL_H

#include <kim/error.h>
#include <stdint.h>

enum { DIAL_TIMEOUT_MS = 10000 };

/* Resolves and connects, one address after the other. A descriptor; -1 with err: KIM_ERR_NOT_FOUND
 * (there is no such name), KIM_ERR_NETWORK, KIM_ERR_TIMEOUT. */
int dial_tcp(const char *host, uint16_t port, kim_error *err);

#endif
