/* SPDX-License-Identifier: Apache-2.0
 *
 * log_rollup.c - CloudTrail archives to daily counts, as the AWS provider reads them: from files on disk to
 * encoded usage records and cursors, handed to a host that checks nothing and keeps nothing.
 *
 *     log_rollup FOLDER RUNS BYTES     BYTES: what the logs are once inflated, for the rate
 *
 * Prints a line for each run: seconds of CPU, megabytes a second, counted events, usage records, commits, and at
 * the end the process's greatest memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kim/record.h>

#include "plugins/aws/usage/usage.h"

typedef struct sink {
    bool checks;
    uint64_t events, records, commits, bytes;
} sink;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int take(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    sink *s = context;
    (void)cursor;
    s->commits++;
    s->bytes += size + cursor_size;
    if (!s->checks)
        return 0;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    for (size_t at = 0, used; at < size; at += used) {
        kim_record record;
        if (kim_record_decode(records + at, size - at, arena, &record, &used, err) < 0)
            return -1;
        if (record.type != KIM_USAGE)
            continue;
        s->records++;
        s->events += (uint64_t)record.usage.count;
    }
    kim_arena_free(arena);
    return 0;
}

static const uint8_t *no_cursor(void *context, const char *stream, size_t *size)
{
    (void)context;
    (void)stream;
    *size = 0;
    return NULL;
}

static int64_t now(void *context)
{
    (void)context;
    return (int64_t)time(NULL) * 1000;
}

static void note(void *context, uint32_t level, const char *word, const char *message)
{
    (void)context;
    if (level >= KIM_LOG_WARNING)
        fprintf(stderr, "%s: %s\n", word, message);
}

/* Of this program alone: getrusage would count what its parent had before exec. */
static long greatest_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6))
            kb = atol(line + 6);
    if (status)
        fclose(status);
    return kb;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: log_rollup FOLDER RUNS BYTES\n");
        return 2;
    }
    const char *logs[] = {argv[1]};
    double megabytes = atof(argv[3]) / 1e6;
    for (int run = 0; run <= atoi(argv[2]); run++) { /* the first checks what comes out and is not timed */
        sink s = {.checks = run == 0};
        kim_host host = {.struct_size = sizeof host, .context = &s, .emit = take, .cursor = no_cursor,
                         .log = note, .now_unix_ms = now};
        kim_error err = {0};
        double begin = cpu_s();
        if (aws_usage_logs(&host, logs, 1, NULL, &err) < 0) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        double took = cpu_s() - begin;
        if (run == 0)
            printf("counted %llu events in %llu usage records\n", (unsigned long long)s.events, (unsigned long long)s.records);
        else
            printf("run %d: %.3f s, %.1f MB/s, %llu commits, %.1f MB out\n", run, took, megabytes / took,
                   (unsigned long long)s.commits, (double)s.bytes / 1e6);
    }
    printf("memory %ld kB\n", greatest_kb());
    return 0;
}
