/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluate.h - kim evaluate, for its own command and for `kim scan ... -- evaluate`.
 */
#ifndef KIM_CLI_EVALUATE_H
#define KIM_CLI_EVALUATE_H

#include "controller/present/cli/commands.h"

/* Answers cases without documents over the estate of the controller on in->socket.
 * Returns EXIT_FINE, EXIT_UNREAD, or -1 with err. */
int evaluate_over_estate(const invocation *in, kim_error *err);

#endif
