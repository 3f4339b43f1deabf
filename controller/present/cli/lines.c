/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.c - one buffer, longer than the longest line; what was used moves out at its front.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/present/cli/lines.h"

enum { READ_BYTES = 256 * 1024 };

struct lines {
    int fd;
    char *path;
    size_t max, number;
    size_t begin, end, looked; /* within the buffer; before `looked` there is no newline */
    bool at_end;
    char *buffer; /* [max + READ_BYTES] */
};

lines *lines_open(const char *path, size_t max, kim_error *err)
{
    bool is_stdin = path == NULL || strcmp(path, "-") == 0;
    lines *in = calloc(1, sizeof *in);
    if (in != NULL) {
        in->fd = -1;
        in->path = strdup(is_stdin ? "standard input" : path);
        in->buffer = malloc(max + READ_BYTES);
        in->max = max;
    }
    if (in == NULL || in->path == NULL || in->buffer == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to read lines");
    } else {
        in->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
        if (in->fd >= 0)
            return in;
        kim_fail(err, errno == ENOENT ? KIM_ERR_NOT_FOUND : KIM_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    lines_close(in);
    return NULL;
}

void lines_close(lines *in)
{
    if (in == NULL)
        return;
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    free(in->path);
    free(in->buffer);
    free(in);
}

/* Reads once. The buffer always has room: a line is never kept past max. */
static int fill(lines *in, kim_error *err)
{
    if (in->begin > 0) {
        memmove(in->buffer, in->buffer + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->looked -= in->begin;
        in->begin = 0;
    }
    ssize_t got;
    do
        got = read(in->fd, in->buffer + in->end, in->max + READ_BYTES - in->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return kim_fail(err, KIM_ERR_IO, "%s: cannot be read on: %s", in->path, strerror(errno));
    in->at_end = got == 0;
    in->end += (size_t)got;
    return 0;
}

/* The newline of the line at `begin`, or NULL while it is not there yet. */
static const char *newline(lines *in)
{
    const char *found = memchr(in->buffer + in->looked, '\n', in->end - in->looked);
    if (found == NULL)
        in->looked = in->end;
    return found;
}

static void go_on_after(lines *in, const char *at)
{
    in->begin = in->looked = (size_t)(at - in->buffer);
}

/* What is left of a line that was too long. */
static int pass_over(lines *in, kim_error *err)
{
    const char *end;
    while ((end = newline(in)) == NULL && !in->at_end) {
        in->end = in->looked = in->begin + in->max; /* its beginning stays, for the caller */
        if (fill(in, err) < 0)
            return -1;
    }
    return 0;
}

int lines_next(lines *in, kim_text *line, bool *too_long, kim_error *err)
{
    const char *end;
    *too_long = false;
    while ((end = newline(in)) == NULL && !in->at_end && in->end - in->begin <= in->max)
        if (fill(in, err) < 0)
            return -1;
    size_t size = (size_t)((end != NULL ? end : in->buffer + in->end) - (in->buffer + in->begin));
    if (size > in->max) {
        *too_long = true;
        if (end == NULL && pass_over(in, err) < 0)
            return -1;
        end = newline(in);
        size = in->max;
    } else if (end == NULL && size == 0) {
        return 0;
    }
    *line = (kim_text){in->buffer + in->begin, size};
    in->number++;
    go_on_after(in, end != NULL ? end + 1 : in->buffer + in->end);
    return 1;
}

bool lines_would_wait(const lines *in)
{
    struct pollfd fd = {.fd = in->fd, .events = POLLIN};
    if (in->at_end || memchr(in->buffer + in->begin, '\n', in->end - in->begin) != NULL)
        return false;
    return poll(&fd, 1, 0) == 0;
}

size_t lines_number(const lines *in)
{
    return in->number;
}
