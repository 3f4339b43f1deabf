/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_spool.c - a spool's folder as a crash or a bad disk may leave it: it opens, takes a batch and gives it back.
 *
 * The first byte says how much of the input is the state file; the rest is the only segment.
 */
#include "agent/spool/spool.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *at)
{
    (void)what, (void)kind, (void)at;
    return remove(path);
}

static void put_file(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char folder[] = "/dev/shm/kim-fuzz-XXXXXX"; /* it syncs: in memory that costs nothing */
    if (size < 1 || !mkdtemp(folder))
        return 0;
    size_t state = bytes[0] < size - 1 ? bytes[0] : size - 1;
    put_file(folder, "state", bytes + 1, state);
    put_file(folder, "0000000000000001.seg", bytes + 1 + state, size - 1 - state);
    const spool_limits limits = {1 << 20, 0};
    kim_error noted, err;
    spool *sp = spool_open(folder, &limits, &noted, &err);
    if (!sp)
        abort();
    protocol_data data;
    while (spool_next(sp, &data, &err) > 0)
        ;
    kim_bytes cursor = {0};
    if (spool_anchor(sp, 5, (const uint8_t *)"c", 1, &err) < 0 || spool_cursor(sp, &cursor, &err) < 0)
        abort();
    if (spool_append(sp, (const uint8_t *)"x", 1, 1, (const uint8_t *)"d", 1, &err) < 0)
        abort();
    int found = 0;
    while (spool_next(sp, &data, &err) > 0)
        found++;
    if (found == 0)
        abort();
    kim_bytes_free(&cursor);
    spool_close(sp);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
