/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.h - named points at which a test may end the process as a power cut would.
 *
 * KIM_FAULT="NAME:N" in the environment ends it with status 137 the Nth time that it passes the point
 * NAME. The points are always compiled in, so that what is tested is what is shipped; without the
 * variable one costs a comparison with NULL. They are
 *
 *   of kim-agent       collect_begin collect_records collect_end snapshot_map snapshot_file
 *                      snapshot_rename spool_append spool_written spool_synced spool_rotate spool_ack
 *                      ship_hello ship_begin ship_data ship_commit ship_ack ship_welcome state_acked
 *   of kim-controller  intake_hello intake_begin intake_data intake_commit (each before its message is
 *                      applied) group_written (before the commit) group_committed (after it, before any
 *                      answer) group_answered estate_built
 */
#ifndef KIM_SDK_FAULT_H
#define KIM_SDK_FAULT_H

/* Reads the environment; once, before threads start. */
void fault_setup(void);
void fault_point(const char *name);

#endif
