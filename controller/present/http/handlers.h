/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.h - what the route table names. doc/api.md says what each answers.
 */
#ifndef KIM_HTTP_HANDLERS_H
#define KIM_HTTP_HANDLERS_H

#include "controller/present/http/routes.h"

route_handler show_status;                                    /* status.c */
route_handler list_agents, add_agent, approve_agent, revoke_agent; /* agents.c */
route_handler list_identities;                                /* identities.c */
route_handler show_identity;                                  /* show.c */
route_handler answer_can, answer_explain, answer_who_can, answer_what_can, answer_effective; /* ask.c */
route_handler show_diff;                                      /* diff.c */
route_handler list_gaps, list_findings, list_proposals;       /* gaps.c */
route_handler evaluate_cases, evaluate_requests;              /* cases.c */
route_handler import_records, publish_estate;                 /* private.c */

#endif
