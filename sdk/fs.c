/* SPDX-License-Identifier: Apache-2.0
 *
 * fs.c - read, write, rename: with every way that they fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sdk/fs.h"

static int fail_system(kim_error *err, const char *what, const char *path)
{
    int number = errno;
    return kim_fail(err, number == ENOENT ? KIM_ERR_NOT_FOUND : KIM_ERR_IO, "%s '%s': %s", what,
                    path, strerror(number));
}

static int read_rest(int fd, const char *path, size_t max_bytes, kim_bytes *out, kim_error *err)
{
    size_t begin = out->size;
    uint8_t piece[64 * 1024];
    for (;;) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_system(err, "cannot read", path);
        if (got == 0)
            break;
        if ((size_t)got > max_bytes - (out->size - begin))
            return kim_fail(err, KIM_ERR_LIMIT, "'%s' has more than the %zu bytes that are read of one file", path,
                            max_bytes);
        kim_bytes_append(out, piece, (size_t)got);
    }
    kim_bytes_append(out, "", 1);
    if (out->failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory left to read '%s'", path);
    out->size--;
    return 0;
}

/* Room for the whole file at once, where its size is known. */
static int check_kind(int fd, const char *path, size_t max_bytes, kim_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail_system(err, "cannot look at", path);
    if (S_ISDIR(st.st_mode))
        return kim_fail(err, KIM_ERR_INPUT, "'%s' is a folder; name a file", path);
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max_bytes)
        return kim_fail(err, KIM_ERR_LIMIT, "'%s' has %lld bytes; at most %zu are read of one file", path,
                        (long long)st.st_size, max_bytes);
    return 0;
}

int kim_file_read(const char *path, size_t max_bytes, kim_bytes *out, kim_error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_system(err, "cannot open", path);
    size_t before = out->size;
    int result = check_kind(fd, path, max_bytes, err);
    if (result == 0)
        result = read_rest(fd, path, max_bytes, out, err);
    if (result < 0)
        out->size = before;
    if (!is_stdin)
        close(fd);
    return result;
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

/* A rename is on disk only when its folder is. */
static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (size >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, size ? path : ".", size ? size : 1);
    folder[size ? size : 1] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd);
    close(fd);
    return result;
}

int kim_file_write(const char *path, const void *bytes, size_t size, kim_error *err)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= (int)sizeof beside) {
        errno = ENAMETOOLONG;
        return fail_system(err, "cannot write", path);
    }
    int fd = mkostemp(beside, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return fail_system(err, "cannot write beside", path);
    bool written = write_all(fd, bytes, size) == 0 && fsync(fd) == 0;
    int number = errno;
    if (close(fd) < 0 && written) {
        number = errno;
        written = false;
    }
    if (written && rename(beside, path) < 0) {
        number = errno;
        written = false;
    }
    if (!written) {
        unlink(beside);
        errno = number;
        return fail_system(err, "cannot write", path);
    }
    if (sync_folder_of(path) < 0)
        return fail_system(err, "cannot bring to disk the folder of", path);
    return 0;
}

int kim_folder_make(const char *path, kim_error *err)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (size >= sizeof part) {
        errno = ENAMETOOLONG;
        return fail_system(err, "cannot make the folder", path);
    }
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return fail_system(err, "cannot make the folder", part);
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return fail_system(err, "cannot look at", path);
    if (!S_ISDIR(st.st_mode))
        return kim_fail(err, KIM_ERR_IO, "'%s' is a file, and a folder is needed there", path);
    return 0;
}
