/* SPDX-License-Identifier: Apache-2.0
 *
 * providers.h - the provider hosts that kim starts, one for each provider it meets.
 */
#ifndef KIM_CLI_PROVIDERS_H
#define KIM_CLI_PROVIDERS_H

#include <kim/text.h>

#include "sdk/host_client.h"

enum { PROVIDERS_MAX = 32, PROVIDER_NAME_MAX_BYTES = 32 };

/* The names of all installed plugins, with ", " between, in alphabetical order: "aws, neutral". */
const char *providers_known(void);
/* [count] of them, at most PROVIDERS_MAX; borrowed for ever. */
const char *const *providers_all(size_t *count);
bool providers_is_known(kim_text name);

#endif
