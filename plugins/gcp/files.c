/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c - every file below the given paths is read twice, in the order of the paths: first for the places that all
 * of them speak of, then for records. So it does not matter which file knows what.
 */
#include "plugins/gcp/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kim/limits.h>

#include "plugins/gcp/read.h"

enum { FOLDERS_MAX_DEPTH = 32, HEAD_BYTES = 64 * 1024, CONTEXT_MAX_BYTES = 64 * 1024 };

typedef struct found_file {
    char *path;
    dev_t device;
    ino_t inode;
    bool named; /* by the operator, not found in a folder */
    bool taken;
} found_file;

typedef struct file_list {
    found_file *items; /* [count] */
    size_t count, room;
    kim_error *err;
} file_list;

/* ---- finding ---- */

static int add_file(file_list *list, const char *path, const struct stat *st, bool named)
{
    for (size_t i = 0; named && i < list->count; i++)
        if (list->items[i].device == st->st_dev && list->items[i].inode == st->st_ino)
            return 0; /* named twice */
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        found_file *bigger = realloc(list->items, room * sizeof *bigger);
        if (bigger == NULL)
            return kim_fail(list->err, KIM_ERR_NOMEM, "gcp: no memory for %zu files", list->count);
        list->items = bigger;
        list->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return kim_fail(list->err, KIM_ERR_NOMEM, "gcp: no memory for %zu files", list->count);
    list->items[list->count++] = (found_file){.path = copy, .device = st->st_dev, .inode = st->st_ino, .named = named};
    return 0;
}

static int add_path(file_list *list, const char *path, bool named, int depth);

static int add_folder(file_list *list, const char *path, int depth)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return kim_fail(list->err, KIM_ERR_IO, "%s: the folder cannot be read: %s", path, strerror(errno));
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(folder)) != NULL) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= sizeof inner)
            result = kim_fail(list->err, KIM_ERR_LIMIT, "%s: a path below it is too long", path);
        else
            result = add_path(list, inner, false, depth + 1);
    }
    closedir(folder);
    return result;
}

static int add_path(file_list *list, const char *path, bool named, int depth)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return named ? kim_fail(list->err, KIM_ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    if (S_ISREG(st.st_mode))
        return add_file(list, path, &st, named);
    if (S_ISDIR(st.st_mode) && depth < FOLDERS_MAX_DEPTH)
        return add_folder(list, path, depth);
    return 0;
}

/* ---- reading ---- */

/* All of a file, or its head; the caller frees it. NULL with err. */
static char *read_file(const char *path, bool whole, size_t *size, kim_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *bytes = NULL;
    *size = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
        goto end;
    }
    if (whole && st.st_size > KIM_DOCUMENT_MAX_BYTES) {
        kim_fail(err, KIM_ERR_LIMIT, "%s: the file has %lld bytes; at most %d are read: split it", path, (long long)st.st_size, KIM_DOCUMENT_MAX_BYTES);
        goto end;
    }
    size_t wanted = whole || st.st_size < HEAD_BYTES ? (size_t)st.st_size : HEAD_BYTES;
    bytes = malloc(wanted + 1);
    if (bytes == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for %zu bytes", path, wanted);
    while (bytes && *size < wanted) {
        ssize_t got = read(fd, bytes + *size, wanted - *size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
            free(bytes);
            bytes = NULL;
        }
        if (got <= 0)
            break;
        *size += (size_t)got;
    }
end:
    if (fd >= 0)
        close(fd);
    return bytes;
}

typedef struct files_run {
    gcp_out *out;
    gcp_places places;
    bool skip_bad;
    size_t taken;
    kim_error *err;
} files_run;

/* Said, and kept as coverage, so that nobody takes silence for "there is nothing". */
static int pass_over(files_run *run, const kim_error *why)
{
    if (!run->skip_bad) {
        *run->err = *why;
        return -1;
    }
    return gcp_put_unread(run->out, KIM_TEXT("gcp:files"), "files", KIM_NO_TEXT, why->message, run->err);
}

static bool ends_the_run(const kim_error *why)
{
    return why->code == KIM_ERR_STOPPED || why->code == KIM_ERR_TIMEOUT || why->code == KIM_ERR_NOMEM;
}

static int take_file(files_run *run, found_file *file, bool learn)
{
    kim_error why = {0};
    size_t size;
    kim_arena *arena = kim_arena_new(CONTEXT_MAX_BYTES);
    char *bytes = arena ? read_file(file->path, true, &size, &why) : NULL;
    gcp_context context = {.origin = file->path};
    int result = bytes ? 0 : -1;
    if (bytes) {
        gcp_context_of_path(arena, file->path, &context);
        kim_text text = {bytes, size};
        result = learn ? gcp_learn(&run->places, run->out->arena, &context, text, &why) : gcp_read(run->out, &run->places, &context, text, &why);
    }
    free(bytes);
    kim_arena_free(arena);
    if (result == 0 || learn) {
        run->taken += result == 0 && !learn;
        if (result < 0 && ends_the_run(&why))
            return kim_fail(run->err, why.code, "%s", why.message);
        return 0; /* what is wrong is said the second time */
    }
    if (ends_the_run(&why)) {
        *run->err = why;
        return -1;
    }
    return pass_over(run, &why);
}

static int recognise_files(files_run *run, file_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        found_file *file = &list->items[i];
        kim_error why = {0};
        size_t size;
        char *head = read_file(file->path, false, &size, &why);
        if (head) {
            file->taken = file->named || gcp_recognise_document(kim_text_of(file->path), (kim_text){head, size}) > 0; /* a folder may hold anything */
            if (file->named && gcp_recognise_document(kim_text_of(file->path), (kim_text){head, size}) == 0) {
                file->taken = false;
                kim_fail(&why, KIM_ERR_INPUT, "%s: nothing that kim knows of Google Cloud; see the list of files in the manual", file->path);
            }
        }
        free(head);
        if (why.code != KIM_OK && pass_over(run, &why) < 0)
            return -1;
    }
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const found_file *)a)->path, ((const found_file *)b)->path);
}

static int take_all(files_run *run, file_list *list)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < list->count; i++)
            if (list->items[i].taken && take_file(run, &list->items[i], pass == 0) < 0)
                return -1;
    return gcp_read_end(run->out, &run->places, run->err);
}

int gcp_collect_files(gcp_plugin *self, gcp_out *out, kim_error *err)
{
    kim_setting paths = gcp_setting(self, "files"), skip = gcp_setting(self, "skip_bad_files");
    files_run run = {.out = out, .skip_bad = skip.count && strcmp(skip.values[0], "true") == 0, .err = err};
    file_list list = {.err = err};
    int result = gcp_places_start(&run.places, err);
    for (uint32_t i = 0; result == 0 && i < paths.count; i++)
        result = add_path(&list, paths.values[i], true, 0);
    if (result == 0)
        result = recognise_files(&run, &list);
    if (result == 0 && list.count) {
        qsort(list.items, list.count, sizeof *list.items, compare_files);
        result = take_all(&run, &list);
    }
    if (result == 0 && run.taken == 0)
        result = kim_fail(err, KIM_ERR_INPUT, "gcp: none of the %zu files below `files` holds anything that kim knows of Google Cloud", list.count);
    for (size_t i = 0; i < list.count; i++)
        free(list.items[i].path);
    free(list.items);
    gcp_places_stop(&run.places);
    return result;
}

int gcp_normalise_file(gcp_out *out, const char *name, kim_text bytes, kim_error *err)
{
    gcp_places places;
    gcp_context context = {.origin = name};
    kim_arena *arena = kim_arena_new(CONTEXT_MAX_BYTES);
    int result = arena ? gcp_places_start(&places, err) : kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", name);
    if (result == 0) {
        gcp_context_of_path(arena, name, &context);
        result = gcp_learn(&places, out->arena, &context, bytes, err) < 0 || gcp_read(out, &places, &context, bytes, err) < 0 ? -1 : gcp_read_end(out, &places, err);
        gcp_places_stop(&places);
    }
    kim_arena_free(arena);
    return result;
}
