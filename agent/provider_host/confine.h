/* SPDX-License-Identifier: Apache-2.0
 *
 * confine.h - what a provider's process may not do, decided before any of its code is loaded.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_CONFINE_H
#define KIM_AGENT_PROVIDER_HOST_CONFINE_H

#include <kim/error.h>

/* Closes every descriptor above keep_up_to, and takes from this process: new privileges, core dumps,
 * being traced, outliving the thread of the parent that started it, and memory without end.
 * Errors: KIM_ERR_IO, where the kernel refuses one of them */
int confine_process(int keep_up_to, kim_error *err);

#endif
