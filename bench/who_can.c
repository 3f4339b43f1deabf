/* SPDX-License-Identifier: Apache-2.0
 *
 * who_can - who may do s3:GetObject on one object, over an account's authorization details.
 *
 * Usage: who_can GAAD.json [RUNS]. The file goes through the AWS provider as `kim scan` reads it; only the
 * question is timed, after the load.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "controller/evaluate/evaluate.h"
#include "tests/evaluate/tiny_host.h"

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static char *slurp(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *bytes = NULL;
    *size = 0;
    if (f && fseek(f, 0, SEEK_END) == 0 && (bytes = malloc((size_t)ftell(f) + 1))) {
        *size = (size_t)ftell(f);
        rewind(f);
        *size = fread(bytes, 1, *size, f);
    }
    if (f)
        fclose(f);
    return bytes;
}

static estate *load(const char *path, kim_error *err)
{
    char catalogues[4096];
    size_t size, records_size = 0;
    char *bytes = slurp(path, &size);
    tiny_host *host = tiny_host_open("aws");
    kim_arena *arena = kim_arena_new((size_t)-1);
    const uint8_t *records = bytes ? tiny_host_normalise(host, "file", path, bytes, size, &records_size, err) : NULL;
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    estate_builder *builder = records ? estate_builder_new(catalogues, err) : NULL;
    bool fine = builder != NULL;
    while (fine && records_size) {
        kim_record record;
        size_t used;
        fine = kim_record_decode(records, records_size, arena, &record, &used, err) == 0 && estate_builder_add(builder, &record, err) == 0;
        records += used;
        records_size -= used;
    }
    estate *es = fine ? estate_build(builder, err) : NULL;
    kim_arena_free(arena);
    tiny_host_close(host);
    free(bytes);
    return es;
}

typedef struct tally {
    size_t verdicts[4], statements;
} tally;

static int count(void *user, kim_text identity, const answer *a)
{
    tally *t = user;
    (void)identity;
    t->verdicts[a->verdict]++;
    t->statements += a->because_count;
    return 0;
}

int main(int argc, char **argv)
{
    int runs = argc > 2 ? atoi(argv[2]) : 21;
    kim_error err = {0};
    double times[64];
    estate *es = argc > 1 && runs > 0 && runs <= 64 ? load(argv[1], &err) : NULL;
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    if (ev == NULL) {
        fprintf(stderr, "who_can: %s\n", err.message[0] ? err.message : "usage: who_can GAAD.json [RUNS]");
        return 2;
    }
    tally t;
    for (int r = 0; r < runs; r++) {
        const question q = {.provider = KIM_TEXT("aws"), .action = KIM_TEXT("s3:GetObject"),
                            .resource = KIM_TEXT("arn:aws:s3:::team-7-data/x"), .discover = true, .derive = true};
        double start = cpu_s();
        t = (tally){0};
        if (evaluate_who_can(ev, &q, count, &t, &err) < 0)
            return 1;
        times[r] = (cpu_s() - start) * 1000;
    }
    qsort(times, (size_t)runs, sizeof *times, by_size);
    printf("%.2f ms median, %.2f best; %zu allowed, %zu conditional, %zu unknown, %zu statements\n", times[runs / 2], times[0],
           t.verdicts[ALLOWED], t.verdicts[CONDITIONAL], t.verdicts[UNKNOWN], t.statements);
    evaluator_free(ev);
    estate_release(es);
    return 0;
}
