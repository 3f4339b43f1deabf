/* SPDX-License-Identifier: Apache-2.0
 *
 * zap.h - who may connect: ZeroMQ's authentication protocol (RFC 27), answered from the registry.
 *
 * Without an answerer libzmq lets any key in, so it runs before the first socket binds. What it
 * decides holds for the handshake only; the state of an agent is asked again for each message.
 */
#ifndef INGEST_ZAP_H
#define INGEST_ZAP_H

#include "controller/ingest/agents.h"

#define ZAP_DATA_DOMAIN "kim-data"   /* keys that are enrolled, whatever their state */
#define ZAP_ENROL_DOMAIN "kim-enrol" /* any key: the token decides */

typedef struct zap zap;

/* context  a ZeroMQ context; the thread ends with zmq_ctx_shutdown
 * A connection's messages carry the key, in Z85, as "User-Id".
 * Errors: KIM_ERR_IO, KIM_ERR_NOMEM */
zap *zap_start(void *context, agents *all, kim_error *err);
void zap_stop(zap *z); /* after zmq_ctx_shutdown; NULL is fine */

/* Binds nothing itself: connects to the endpoint with a key made up for it, and expects to be refused.
 * Errors: KIM_ERR_INTERNAL  it was let in, or nobody answered within some seconds; KIM_ERR_IO */
int zap_prove(void *context, const char *endpoint, const uint8_t server_key[STORE_KEY_BYTES], kim_error *err);

#endif
