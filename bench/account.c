/* SPDX-License-Identifier: Apache-2.0
 *
 * account.c - the file goes through the AWS provider in this process.
 */
#include "bench/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/evaluate/tiny_host.h"

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double cpu_s(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

double wall_s(void)
{
    return seconds(CLOCK_MONOTONIC);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, by_size);
    return times[count / 2];
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

estate_builder *account_read(const char *path, kim_error *err)
{
    char catalogues[4096];
    size_t size, records_size = 0;
    char *bytes = slurp(path, &size);
    if (bytes == NULL) {
        kim_fail(err, KIM_ERR_IO, "%s cannot be read", path);
        return NULL;
    }
    tiny_host *host = tiny_host_open("aws");
    kim_arena *arena = kim_arena_new((size_t)-1);
    const uint8_t *records = tiny_host_normalise(host, "file", path, bytes, size, &records_size, err);
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    estate_builder *builder = records ? estate_builder_new(catalogues, err) : NULL;
    bool fine = builder != NULL;
    while (fine && records_size) {
        kim_record record;
        size_t used;
        kim_arena_reset(arena);
        fine = kim_record_decode(records, records_size, arena, &record, &used, err) == 0 && estate_builder_add(builder, &record, err) == 0;
        records += used;
        records_size -= used;
    }
    if (!fine) {
        estate_builder_free(builder);
        builder = NULL;
    }
    kim_arena_free(arena);
    tiny_host_close(host);
    free(bytes);
    return builder;
}
