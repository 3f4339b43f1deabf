/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - a plugin's life: settings, open, one call after the other, close.
 *
 * The other side of sdk/host_client.h; sdk/host_frames.h is what they say to each other.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_SESSION_H
#define KIM_AGENT_PROVIDER_HOST_SESSION_H

#include <kim/plugin.h>

/* Loads the plugin, opens it with the settings that come first, and carries out calls until the parent
 * closes the socket. What goes wrong before the plugin is open goes to the parent in READY too.
 *
 * socket  of a SOCK_STREAM pair; borrowed
 * mark    memory shared with the parent, for the number of the call that began last; closed
 * Errors: KIM_ERR_IO, KIM_ERR_CORRUPT (the parent is gone, or spoke nonsense), or why it could not open
 */
int session_run(int socket, int mark, const char *plugin_path, kim_error *err);

#endif
