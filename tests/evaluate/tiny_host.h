/* SPDX-License-Identifier: Apache-2.0
 *
 * tiny_host.h - a provider and the evaluator in one process, for tests and benchmarks: no daemon, no socket.
 *
 * The same plugin file that kim-provider-host loads is loaded here, with a host table that only takes
 * records.
 */
#ifndef TESTS_TINY_HOST_H
#define TESTS_TINY_HOST_H

#include <kim/plugin.h>
#include <kim/record.h>

typedef struct tiny_host tiny_host;

/* Loads PROVIDER.so from KIM_PLUGIN_DIR, else from the build tree (KIM_BUILD_DIR). Ends the program with
 * a message where that cannot be done. */
tiny_host *tiny_host_open(const char *provider);
void tiny_host_close(tiny_host *d); /* NULL is fine */

/* The records that normalise makes of a document, encoded end to end; borrowed until the next call.
 * NULL with err where the provider refuses it. */
const uint8_t *tiny_host_normalise(tiny_host *d, const char *kind, const char *name, const void *bytes, size_t size,
                              size_t *records_size, kim_error *err);

#endif
