/* SPDX-License-Identifier: Apache-2.0
 *
 * propose.c - kim propose: the reduced policy, in the provider's own language.
 */
#include "controller/present/cli/print.h"

int run_propose(const invocation *in, kim_error *err)
{
    kim_bytes path = {0};
    static const char *const options[] = {"days", NULL};
    client_path(&path, "/v1/proposals");
    client_param(&path, "identity", in->arguments[0]);
    print_add_options(&path, in, options);
    const char *text = client_path_text(&path, err);
    int result = text != NULL ? print_json(in, text, err) : -1;
    kim_bytes_free(&path);
    return result;
}
