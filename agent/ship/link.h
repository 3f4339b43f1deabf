/* SPDX-License-Identifier: Apache-2.0
 *
 * link.h - one CURVE connection to a controller, and the key pair that it is known by.
 */
#ifndef KIM_AGENT_LINK_H
#define KIM_AGENT_LINK_H

#include "sdk/protocol.h"

enum { LINK_KEY_TEXT_BYTES = 41 }; /* Z85, with its NUL */

typedef struct link_keys {
    char public_text[LINK_KEY_TEXT_BYTES], secret_text[LINK_KEY_TEXT_BYTES];
    uint8_t public_key[PROTOCOL_KEY_BYTES];
} link_keys;

/* STATE_DIR/agent.key, made where it is not there (make) or refused (not make).
 * Errors: KIM_ERR_NOT_FOUND, KIM_ERR_CORRUPT, KIM_ERR_IO */
int link_keys_load(const char *state_dir, bool make, link_keys *out, kim_error *err);
bool link_is_key(const char *text); /* a key in Z85 */

typedef struct link_context link_context;
typedef struct uplink uplink;

/* One per process, after the last fork. */
link_context *link_context_new(kim_error *err);
void link_context_free(link_context *context); /* NULL is fine */

/* Begins to connect; whether it can shows in link_poll. It never connects a second time.
 * Errors: KIM_ERR_INPUT (the endpoint), KIM_ERR_IO */
uplink *link_open(link_context *context, const char *endpoint, const char *controller_key, const link_keys *keys,
                kim_error *err);
void link_close(uplink *l); /* NULL is fine; drops what was not sent */

/* Sends a message. 1: taken; 0: no room now; -1 with err. */
int link_send(uplink *l, const protocol_message *message, kim_error *err);
/* The next message, decoded; good until the next call. 1; 0: none now; -1: KIM_ERR_INPUT and others of
 * protocol_decode. */
int link_receive(uplink *l, protocol_message *out, kim_error *err);
/* Waits at most timeout_ms for the link, or for `wake` (a descriptor; -1: none) to be readable.
 * 0; -1: KIM_ERR_NETWORK: it is gone, or could not be made: says why */
int link_poll(uplink *l, int wake, int timeout_ms, kim_error *err);

#endif
