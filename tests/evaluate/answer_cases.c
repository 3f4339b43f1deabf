/* SPDX-License-Identifier: Apache-2.0
 *
 * answer_cases - cases on standard input, answers on standard output, in one process.
 *
 * What `kim evaluate` does without its daemons: for debuggers, profilers and sanitizers.
 * Usage: answer_cases < cases.jsonl. KIM_DATA_DIR says where catalogue/ is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "controller/evaluate/evaluate.h"
#include "tests/evaluate/tiny_host.h"

/* NULL: an expression, which no provider reads. */
static tiny_host *tiny_host_for(const char *line, size_t size, kim_arena *arena)
{
    static const char *const providers[] = {"aws", "azure", "gcp", "kubernetes", "neutral"};
    static tiny_host *hosts[sizeof providers / sizeof *providers];
    kim_text provider = kim_json_text_of(kim_json_parse(line, size, "case", arena, NULL), "provider");
    size_t at = 0;
    if (kim_text_is(provider, "cel"))
        return NULL;
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        at = kim_text_is(provider, providers[i]) ? i : at;
    return hosts[at] ? hosts[at] : (hosts[at] = tiny_host_open(providers[at]));
}

int main(void)
{
    char dir[4096];
    kim_error err = {0};
    snprintf(dir, sizeof dir, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    case_reader *reader = case_reader_new(dir, &err);
    kim_json_writer *writer = kim_json_writer_new(false);
    kim_arena *arena = kim_arena_new((size_t)1 << 30);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    int status = 0;
    while (reader && (size = getline(&line, &capacity, stdin)) > 0) {
        size_t records_size = 0;
        if (size == 1)
            continue;
        kim_arena_reset(arena);
        tiny_host *d = tiny_host_for(line, (size_t)size, arena);
        const uint8_t *records = d ? tiny_host_normalise(d, "case", "case", line, (size_t)size, &records_size, &err) : (const uint8_t *)"";
        if (case_answer(reader, (kim_text){line, (size_t)size}, records, records_size, records ? NULL : err.message, writer, &err) != 0)
            status = 1;
        kim_json_end_line(writer);
        size_t out_size;
        const char *out = kim_json_writer_bytes(writer, &out_size, &err);
        if (out)
            fwrite(out, 1, out_size, stdout);
        kim_json_writer_reset(writer);
    }
    if (reader == NULL)
        fprintf(stderr, "%s\n", err.message);
    free(line);
    kim_arena_free(arena);
    kim_json_writer_free(writer);
    case_reader_free(reader);
    return reader ? status : 2;
}
