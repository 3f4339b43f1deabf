/* SPDX-License-Identifier: Apache-2.0
 *
 * effective.h - a grant of an identity's effective set as members of an open object.
 */
#ifndef KIM_HTTP_EFFECTIVE_H
#define KIM_HTTP_EFFECTIVE_H

#include "controller/evaluate/effective.h"
#include "controller/present/http/members.h"

static inline void effective_write(const effective_grant *one, kim_json_writer *to)
{
    put_text(to, "identity", one->identity);
    put_text(to, "provider", one->provider);
    kim_json_key(to, "actions");
    kim_json_put_texts(to, one->actions);
    if (one->not_actions.count) {
        kim_json_key(to, "not_actions");
        kim_json_put_texts(to, one->not_actions);
    }
    put_text(to, "resource", one->resource);
    for (size_t i = 0; i < one->answer->count; i++) {
        kim_json_key_text(to, one->answer->members[i].name);
        kim_json_put_json(to, one->answer->members[i].value);
    }
}

#endif
