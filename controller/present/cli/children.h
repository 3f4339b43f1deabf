/* SPDX-License-Identifier: Apache-2.0
 *
 * children.h - a private controller, and nothing of it left behind, however kim ends.
 */
#ifndef KIM_CLI_CHILDREN_H
#define KIM_CLI_CHILDREN_H

#include <kim/error.h>

/* SIGINT, SIGTERM and SIGHUP end the children, remove what they made, and then kim; a reader of
 * standard output that has gone is an error of writing and no signal. Call once, before any child. */
void children_guard(void);

typedef struct private_controller private_controller;

/* Starts kim-controller on a socket in a new folder (mode 0700) and waits until it answers.
 *
 * Errors: KIM_ERR_NOT_FOUND (no such program; says where it was looked for), KIM_ERR_IO (it ended,
 *         with its last words), KIM_ERR_TIMEOUT
 */
private_controller *private_start(kim_error *err);
const char *private_socket(const private_controller *pc);
/* Adds to err that the controller has ended, and its last words, where it has. Returns -1. */
int private_explain(private_controller *pc, kim_error *err);
void private_stop(private_controller *pc); /* NULL is fine */

#endif
