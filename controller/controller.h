/* SPDX-License-Identifier: Apache-2.0
 *
 * controller.h - the stages of a running kim-controller, joined.
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "controller/current.h"
#include "controller/ingest/ingest.h"
#include "controller/present/http/http.h"
#include "controller/settings.h"
#include "controller/store/store.h"

typedef struct controller {
    settings set;
    bool is_private; /* store in memory, no agents; ends with its standard input */
    int64_t started_unix_ms;
    int lock;        /* descriptor of the state folder's lock; -1: none */
    store *st;
    current *cu;
    ingest *in;      /* NULL where private */
    char key_text[INGEST_KEY_TEXT_BYTES]; /* the public key, for agents; "": none */
    http_server *http;
} controller;

int64_t controller_now_unix_ms(void);

/* What the API asks of us (backend.c). */
http_backend controller_backend(controller *c);

#endif
