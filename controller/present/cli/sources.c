/* SPDX-License-Identifier: Apache-2.0
 *
 * sources.c - every file is shown to the providers' hosts; a folder of one kind stays one path.
 *
 * So a folder of a hundred thousand logs is handed on as itself, and only where kinds mix are its
 * files named one by one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/present/cli/progress.h"
#include "controller/present/cli/report.h"
#include "controller/present/cli/sources.h"

enum { HEAD_BYTES = 16 * 1024, FOLDER_MAX_DEPTH = 64, IS_LOG = 3 };

/* What a path holds: nothing, what cannot be read, nothing that is known, one kind, or several. */
typedef struct holding {
    enum { HOLDS_NOTHING, HOLDS_UNREAD, HOLDS_UNKNOWN, HOLDS_ONE, HOLDS_SEVERAL } what;
    size_t source; /* of HOLDS_ONE: its place in sources.all */
    bool is_log;
} holding;

typedef struct finder {
    sources *found;
    host_client *hosts[PROVIDERS_MAX];
    bool is_decided; /* there is one provider, and whatever is named is its own */
    bool quiet;
    report_notes *notes;
    kim_error *err;
} finder;

static int add_path(paths *to, const char *path, kim_error *err)
{
    char **grown = realloc(to->items, (to->count + 1) * sizeof *grown);
    if (grown != NULL)
        to->items = grown;
    if (grown == NULL || (grown[to->count] = strdup(path)) == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the names of files");
    to->count++;
    return 0;
}

static void free_paths(paths *of)
{
    for (size_t i = 0; i < of->count; i++)
        free(of->items[i]);
    free(of->items);
}

void sources_free(sources *found)
{
    if (found == NULL)
        return;
    for (size_t i = 0; i < found->count; i++) {
        free_paths(&found->all[i].files);
        free_paths(&found->all[i].logs);
    }
    free_paths(&found->unknown);
    free(found->all);
    free(found);
}

/* What was named must be readable. What lies in a folder is noted, and costs no more than itself. */
static int cannot_read(finder *f, const char *path, bool is_named, const char *why, holding *out)
{
    kim_error note;
    kim_fail(is_named ? f->err : &note, KIM_ERR_IO, "%s: cannot be read: %s", path, why);
    if (is_named)
        return -1;
    report_note(f->notes, note.message);
    *out = (holding){.what = HOLDS_UNREAD};
    return 0;
}

/* ---- one file ---- */

/* -1 with errno */
static ssize_t read_head(const char *path, uint8_t head[HEAD_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t size = 0;
    ssize_t got = 0;
    while (fd >= 0 && size < HEAD_BYTES && (got = read(fd, head + size, HEAD_BYTES - size)) > 0)
        size += (size_t)got;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return fd < 0 || got < 0 ? -1 : (ssize_t)size;
}

/* The provider that is surest; of equals the first. */
static int recognise(finder *f, const char *path, const uint8_t *head, size_t size, holding *out)
{
    int64_t best = 0;
    *out = (holding){.what = HOLDS_UNKNOWN};
    for (size_t i = 0; i < f->found->count; i++) {
        host_result result;
        uint64_t call = host_client_recognise(f->hosts[i], path, head, size, f->err);
        if (call == 0 || host_client_wait_result(f->hosts[i], call, &result, f->err) < 0)
            return -1;
        int64_t sure = result.value > 2 ? 2 : result.value;
        if (sure <= best)
            continue;
        best = sure;
        *out = (holding){.what = HOLDS_ONE, .source = i, .is_log = result.value == IS_LOG};
    }
    return 0;
}

static int look_at_file(finder *f, const char *path, bool is_named, holding *out)
{
    static uint8_t head[HEAD_BYTES];
    ssize_t size = read_head(path, head);
    if (size < 0)
        return cannot_read(f, path, is_named, strerror(errno), out);
    f->found->file_count++;
    progress_show(f->quiet, f->found->file_count, "files looked at");
    return recognise(f, path, head, (size_t)size, out);
}

static int add_holding(finder *f, const char *path, holding what)
{
    source *s = &f->found->all[what.source];
    if (what.what == HOLDS_ONE)
        return add_path(what.is_log ? &s->logs : &s->files, path, f->err);
    return 0;
}

/* ---- folders ---- */

static int look_at(finder *f, const char *path, bool is_named, int depth, holding *out);

typedef struct child {
    char *path;
    holding holds;
} child;

static void join(holding *all, holding one)
{
    if (one.what == HOLDS_NOTHING)
        return;
    if (all->what == HOLDS_NOTHING)
        *all = one;
    else if (one.what != all->what || one.what != HOLDS_ONE || one.source != all->source || one.is_log != all->is_log)
        all->what = HOLDS_SEVERAL;
}

static int look_at_children(finder *f, const char *path, DIR *folder, int depth, child **children, size_t *count,
                            holding *all)
{
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        child *grown;
        char *name = NULL;
        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&name, "%s/%s", path, entry->d_name) < 0 ||
            (grown = realloc(*children, (*count + 1) * sizeof *grown)) == NULL) {
            free(name);
            return kim_fail(f->err, KIM_ERR_NOMEM, "%s: no memory for the names of its files", path);
        }
        *children = grown;
        grown[*count].path = name;
        if (look_at(f, name, false, depth + 1, &grown[(*count)++].holds) < 0)
            return -1;
        join(all, (*children)[*count - 1].holds);
    }
    return 0;
}

static int look_at_folder(finder *f, const char *path, bool is_named, int depth, holding *out)
{
    child *children = NULL;
    size_t count = 0;
    DIR *folder = depth < FOLDER_MAX_DEPTH ? opendir(path) : NULL;
    if (folder == NULL)
        return cannot_read(f, path, is_named,
                           depth < FOLDER_MAX_DEPTH ? strerror(errno) : "folders lie too deep in each other", out);
    *out = (holding){.what = HOLDS_NOTHING};
    int result = look_at_children(f, path, folder, depth, &children, &count, out);
    closedir(folder);
    for (size_t i = 0; i < count; i++) {
        if (result == 0 && out->what != HOLDS_ONE)
            result = add_holding(f, children[i].path, children[i].holds);
        f->found->passed_over += children[i].holds.what == HOLDS_UNKNOWN;
        free(children[i].path);
    }
    free(children);
    if (out->what == HOLDS_UNKNOWN)
        out->what = HOLDS_SEVERAL; /* counted here */
    return result;
}

/* depth 0: it was named on the command line. A link to a folder inside a folder is not followed. */
static int look_at(finder *f, const char *path, bool is_named, int depth, holding *out)
{
    struct stat what, itself;
    *out = (holding){.what = HOLDS_NOTHING};
    if (stat(path, &what) != 0 || lstat(path, &itself) != 0) {
        if (!is_named && (errno == ENOENT || errno == ELOOP))
            return 0; /* a dangling link, or gone meanwhile */
        if (errno != ENOENT)
            return cannot_read(f, path, is_named, strerror(errno), out);
        return kim_fail(f->err, KIM_ERR_NOT_FOUND, "%s: %s; name files or folders", path, strerror(errno));
    }
    if (S_ISDIR(what.st_mode))
        return S_ISLNK(itself.st_mode) && !is_named ? 0 : look_at_folder(f, path, is_named, depth, out);
    if (!S_ISREG(what.st_mode) && !is_named)
        return 0;
    return look_at_file(f, path, is_named, out);
}

/* ---- all that was named ---- */

static int find_named(finder *f, const char *path)
{
    holding holds;
    if (look_at(f, path, true, 0, &holds) < 0)
        return -1;
    if (holds.what == HOLDS_UNKNOWN && f->is_decided)
        holds = (holding){.what = HOLDS_ONE, .source = 0};
    if (holds.what == HOLDS_UNKNOWN)
        return add_path(&f->found->unknown, path, f->err);
    return add_holding(f, path, holds);
}

static int start_hosts(finder *f, const char *provider)
{
    size_t count;
    const char *const *known = providers_all(&count);
    f->found->all = calloc(count > 0 ? count : 1, sizeof *f->found->all);
    if (f->found->all == NULL)
        return kim_fail(f->err, KIM_ERR_NOMEM, "no memory for provider hosts");
    for (size_t i = 0; i < count; i++) {
        host_options options = {.plugin = known[i], .call_timeout_ms = 20 * 1000};
        if (provider != NULL && strcmp(known[i], provider) != 0)
            continue;
        f->hosts[f->found->count] = host_client_start(&options, f->err);
        if (f->hosts[f->found->count] == NULL)
            return -1;
        f->found->all[f->found->count++].provider = known[i];
    }
    if (f->found->count == 0)
        return kim_fail(f->err, KIM_ERR_NOT_FOUND, "no provider is installed; install kim whole, or set KIM_PLUGIN_PATH");
    return 0;
}

sources *sources_find(const char *const *given, size_t count, const char *provider, bool quiet,
                      report_notes *notes, kim_error *err)
{
    finder f = {.found = calloc(1, sizeof *f.found), .is_decided = provider != NULL, .quiet = quiet, .notes = notes, .err = err};
    if (f.found == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to look at files");
        return NULL;
    }
    int result = start_hosts(&f, provider);
    for (size_t i = 0; i < count && result == 0; i++)
        result = find_named(&f, given[i]);
    progress_clear();
    for (size_t i = 0; i < PROVIDERS_MAX; i++)
        host_client_stop(f.hosts[i], 1000);
    if (result == 0)
        return f.found;
    sources_free(f.found);
    return NULL;
}
