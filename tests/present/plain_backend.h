/* SPDX-License-Identifier: Apache-2.0
 *
 * plain_backend.h - a small estate and two agents behind the API, for its tests.
 */
#ifndef KIM_TESTS_PLAIN_BACKEND_H
#define KIM_TESTS_PLAIN_BACKEND_H

#include "controller/present/http/http.h"

#define PLAIN_NOW_UNIX_MS INT64_C(1795285800000) /* 2026-11-21 18:30 UTC */
#define PLAIN_DAY_MS INT64_C(86400000)
#define PLAIN_LOG_END_UNIX_MS (PLAIN_NOW_UNIX_MS - 450 * PLAIN_DAY_MS) /* an old archive */

/* Users ann and bob and `more` roles role-000000 ... in the account 111122223333; ann is a member of the
 * group dev, which may read the bucket b; bob may do so from 192.0.2.0/24 alone, and list queues. Of the log
 * there is a year, up to PLAIN_LOG_END_UNIX_MS. Ends with the program. */
http_backend plain_backend(size_t more);
void plain_backend_end(void);
/* What was asked of it last: "add web-17 aws:1", "approve web-17", "import 12", "publish"; "" for nothing. */
const char *plain_backend_last(void);

#endif
