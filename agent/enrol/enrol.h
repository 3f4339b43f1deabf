/* SPDX-License-Identifier: Apache-2.0
 *
 * enrol.h - an agent's first word: its one-time token and its key.
 */
#ifndef KIM_AGENT_ENROL_H
#define KIM_AGENT_ENROL_H

#include "agent/settings.h"

enum { ENROL_TIMEOUT_MS = 30000 };

/* Makes the key pair where there is none, says ENROL, and keeps the name that the controller gives in
 * STATE_DIR/agent.name.
 *
 * token_file  "-": standard input
 * name        [PROTOCOL_NAME_MAX_BYTES + 1], filled
 * approved    false: a person has to approve it first
 * Errors: KIM_ERR_DENIED (the controller's reason), KIM_ERR_NETWORK, KIM_ERR_TIMEOUT, KIM_ERR_IO, KIM_ERR_INPUT
 */
int enrol(const settings *set, const char *token_file, char *name, bool *approved, kim_error *err);
/* The name that enrolment gave. Errors: KIM_ERR_NOT_FOUND (not enrolled: says how), KIM_ERR_IO */
int enrol_name(const char *state_dir, char *name, kim_error *err);

#endif
