/* SPDX-License-Identifier: Apache-2.0
 *
 * confine.c - a list of things to give up, each one call of the kernel.
 */
#include "agent/provider_host/confine.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define DATA_MAX RLIM_INFINITY /* its shadow memory alone is terabytes of address space */
#define DUMPABLE 1             /* the leak check traces its own process */
#else
#define DUMPABLE 0
#define DATA_MAX ((rlim_t)2 << 30) /* a document of KIM_DOCUMENT_MAX_BYTES, inflated and parsed, with room */
#endif
enum { FILES_MAX = 1024, HEAP_BLOCK_MAX_BYTES = 128 * 1024 };

static int limit(int what, rlim_t most, const char *name, kim_error *err)
{
    struct rlimit now;
    if (getrlimit(what, &now) < 0)
        return kim_fail(err, KIM_ERR_IO, "cannot read the limit %s: %s", name, strerror(errno));
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
        most = now.rlim_max;
    if (setrlimit(what, &(struct rlimit){most, most}) < 0)
        return kim_fail(err, KIM_ERR_IO, "cannot limit %s: %s", name, strerror(errno));
    return 0;
}

static int refuse(int what, unsigned long value, const char *name, kim_error *err)
{
    if (prctl(what, value, 0UL, 0UL, 0UL) < 0)
        return kim_fail(err, KIM_ERR_IO, "cannot set %s: %s", name, strerror(errno));
    return 0;
}

int confine_process(int keep_up_to, kim_error *err)
{
    if (close_range((unsigned)keep_up_to + 1, ~0U, 0) < 0)
        return kim_fail(err, KIM_ERR_IO, "cannot close stray descriptors: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_MAX_BYTES); /* fixed: large blocks go back when freed */
    if (limit(RLIMIT_CORE, 0, "core dumps", err) < 0 || limit(RLIMIT_NOFILE, FILES_MAX, "open files", err) < 0 ||
        limit(RLIMIT_DATA, DATA_MAX, "memory", err) < 0)
        return -1;
    if (refuse(PR_SET_NO_NEW_PRIVS, 1, "no_new_privs", err) < 0 || refuse(PR_SET_DUMPABLE, DUMPABLE, "dumpable", err) < 0)
        return -1;
    return refuse(PR_SET_PDEATHSIG, SIGKILL, "the signal of the parent's end", err);
}
