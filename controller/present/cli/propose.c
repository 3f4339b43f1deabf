/* SPDX-License-Identifier: Apache-2.0
 *
 * propose.c - kim propose: the reduced policy, in the provider's own language.
 *
 * Standard output has the policy and nothing else, ready for a file; what is to be said about it goes
 * to standard error.
 */
#include <string.h>

#include "controller/present/cli/print.h"
#include "controller/present/cli/providers.h"
#include "controller/present/cli/words.h"

/* ---- the policy ---- */

static void keep_output(void *context, uint64_t call, const uint8_t *bytes, size_t size)
{
    (void)call;
    kim_bytes_append(context, bytes, size);
}

/* A policy is its provider's to write: it knows the language and its limits. */
static int render(const kim_json *proposal, const char *format, kim_bytes *to, kim_error *err)
{
    kim_text provider = kim_json_text_of(proposal, "provider");
    char name[PROVIDER_NAME_MAX_BYTES];
    host_options options = {.plugin = name, .call_timeout_ms = 60 * 1000,
                            .handlers = {.context = to, .output = keep_output}};
    if (!providers_is_known(provider))
        return kim_fail(err, KIM_ERR_NOT_FOUND, "the provider '%.*s' is not installed here; known are %s",
                        (int)(provider.size < 64 ? provider.size : 64), provider.bytes ? provider.bytes : "", providers_known());
    snprintf(name, sizeof name, "%.*s", KIM_PRINT(provider));
    kim_json_writer *asked = kim_json_writer_new(false);
    if (asked == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a proposal");
    kim_json_put_json(asked, proposal);
    size_t size;
    const char *text = kim_json_writer_bytes(asked, &size, err);
    host_client *host = text != NULL ? host_client_start(&options, err) : NULL;
    uint64_t call = host != NULL ? host_client_render(host, format, (const uint8_t *)text, size, err) : 0;
    int result = call != 0 ? host_client_wait(host, call, err) : -1;
    host_client_stop(host, 1000);
    kim_json_writer_free(asked);
    return result == 0 && to->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a policy") : result;
}

/* ---- what is to be said about it ---- */

/* A line a reason, with the first few actions that it holds for; -o json has all. */
static void explain_kept(const kim_json *kept, rows_style plain, kim_arena *arena)
{
    enum { SHOWN = 4 };
    for (size_t i = 0; kim_json_is(kept, KIM_JSON_ARRAY) && i < kept->count; i++) {
        kim_text reason = kim_json_text_of(&kept->items[i], "reason"), names = KIM_TEXT("");
        size_t count = 0;
        bool told = false;
        for (size_t k = 0; k < i && !told; k++)
            told = kim_text_equal(kim_json_text_of(&kept->items[k], "reason"), reason);
        for (size_t k = i; k < kept->count && !told; k++) {
            if (!kim_text_equal(kim_json_text_of(&kept->items[k], "reason"), reason))
                continue;
            kim_text action = kim_json_text_of(&kept->items[k], "action"), resource = kim_json_text_of(&kept->items[k], "resource");
            if (count++ < SHOWN)
                names = kim_text_format(arena, "%.*s%s%.*s on %.*s", KIM_PRINT(names), names.size ? ", " : "", KIM_PRINT(action), KIM_PRINT(resource));
        }
        kim_text more = count > SHOWN ? kim_text_format(arena, " and %zu more", count - SHOWN) : KIM_TEXT("");
        if (!told)
            rows_field(stderr, plain, "kept", kim_text_format(arena, "%.*s%.*s: %.*s", KIM_PRINT(names), KIM_PRINT(more), KIM_PRINT(reason)), PLAIN);
    }
}

static void explain(const kim_json *proposal, kim_arena *arena)
{
    rows_style plain = {0};
    const kim_json *replay = kim_json_get(proposal, "replay"), *kept = kim_json_get(proposal, "kept");
    kim_text granted = kim_json_text_of(proposal, "granted"), proposed = kim_json_text_of(proposal, "proposed");
    kim_text used = kim_json_text_of(replay, "used"), allowed = kim_json_text_of(replay, "still_allowed");
    kim_text conditional = kim_json_text_of(proposal, "conditional");
    rows_field(stderr, plain, "actions",
               kim_text_format(arena, "%.*s granted, %.*s proposed, of these %.*s under a condition", KIM_PRINT(granted),
                               KIM_PRINT(proposed), KIM_PRINT(conditional)), PLAIN);
    rows_field(stderr, plain, "replay",
               kim_text_format(arena, "%.*s of %.*s uses still allowed, nothing new is", KIM_PRINT(allowed), KIM_PRINT(used)), PLAIN);
    rows_field(stderr, plain, "replaces", words_list(kim_json_get(proposal, "replaces"), arena), PLAIN);
    explain_kept(kept, plain, arena);
}

/* A policy is for taking away. One that would give is a defect, and nobody gets it into a file. */
static int check_replay(const kim_json *proposal, kim_error *err)
{
    if (!kim_json_bool(kim_json_get(kim_json_get(proposal, "replay"), "new_access"), true))
        return 0;
    return kim_fail(err, KIM_ERR_INTERNAL, "the policy that would be proposed allows what is not allowed now, so it is not printed; "
                                           "this is a defect of kim: please report it with what -o json says");
}

static int print_one(const invocation *in, const kim_json *proposal, kim_arena *arena, kim_error *err)
{
    const char *format = given(in, "format", "json");
    kim_bytes text = {0};
    int result = check_replay(proposal, err) < 0 ? -1 : render(proposal, format, &text, err);
    if (result == 0 && fwrite(text.data, 1, text.size, stdout) != text.size)
        result = kim_fail(err, KIM_ERR_IO, "standard output takes no more");
    if (result == 0 && !in->quiet)
        explain(proposal, arena);
    kim_bytes_free(&text);
    return result;
}

static const char *proposal_path(const invocation *in, kim_bytes *path, kim_error *err)
{
    static const char *const options[] = {"days", NULL};
    client_path(path, "/v1/proposals");
    client_param(path, "identity", in->arguments[0]);
    print_add_options(path, in, options);
    return client_path_text(path, err);
}

int run_propose(const invocation *in, kim_error *err)
{
    if (in->form == AS_CSV) {
        kim_fail(err, KIM_ERR_UNSUPPORTED, "a policy has no rows; leave out -o csv, or write -o json for the whole proposal");
        return -EXIT_USAGE;
    }
    kim_bytes path = {0};
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    client *c = client_open(in->socket, err);
    const char *text = proposal_path(in, &path, err);
    int result = -1;
    if (in->form == AS_JSON && text != NULL)
        result = print_json(in, text, "proposals", err);
    else if (c != NULL && arena != NULL && text != NULL) {
        const kim_json *answer = client_ask(c, text, NULL, 0, arena, err);
        const kim_json *list = kim_json_get(answer, "proposals");
        if (kim_json_is(list, KIM_JSON_ARRAY) && list->count > 0)
            result = print_one(in, &list->items[0], arena, err);
        else if (answer != NULL)
            kim_fail(err, KIM_ERR_NOT_FOUND, "there is nothing to propose for '%.256s'", in->arguments[0]);
    }
    client_close(c);
    kim_arena_free(arena);
    kim_bytes_free(&path);
    return result;
}
