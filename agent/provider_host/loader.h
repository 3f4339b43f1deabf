/* SPDX-License-Identifier: Apache-2.0
 *
 * loader.h - one plugin, out of its file and checked before anything of it is called.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_LOADER_H
#define KIM_AGENT_PROVIDER_HOST_LOADER_H

#include <kim/plugin.h>

/* Loads the file, which stays loaded until the process ends, and copies its descriptor.
 *
 * out  what the plugin says of itself, as far as both sides know it: a function that it lacks, or that
 *      came with a later ABI, is NULL. Its texts belong to the plugin. options are re-spaced to this
 *      build's kim_option.
 * Errors, each with the field, both values and what to do:
 *   KIM_ERR_NOT_FOUND  cannot be loaded (the linker's reason)
 *   KIM_ERR_INPUT      no kim plugin, or a descriptor that is wrong
 *   KIM_ERR_VERSION    another ABI
 */
int plugin_load(const char *path, kim_plugin *out, kim_error *err);

#endif
