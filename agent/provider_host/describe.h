/* SPDX-License-Identifier: Apache-2.0
 *
 * describe.h - a plugin in words for programs: `kim-provider-host --describe FILE.so`.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_DESCRIBE_H
#define KIM_AGENT_PROVIDER_HOST_DESCRIBE_H

#include <kim/plugin.h>

/* Writes one JSON object to standard output: id, version, vendor, summary, abi, capabilities, hosts, and
 * options with their types, units, defaults, bounds and help. Errors: KIM_ERR_IO, KIM_ERR_NOMEM,
 * KIM_ERR_INPUT (a text that is not UTF-8) */
int plugin_describe(const kim_plugin *plugin, kim_error *err);

#endif
