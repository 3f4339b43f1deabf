/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c - every file below the given paths is recognised first and read then, in the order of the
 * table of kinds and of the paths: whichever way the files are named, the records are the same.
 *
 * A file that does not say whose answer it is belongs to the account that its path names, else to the
 * one of the option `account`, else to the only account that the other files speak of.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kim/limits.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/files.h"
#include "plugins/aws/normalise.h"
#include "plugins/aws/usage/usage.h"

enum { FOLDERS_MAX_DEPTH = 32, HEAD_BYTES = 64 * 1024 };

typedef struct found_file {
    char *path;
    dev_t device;
    ino_t inode;
    const char *kind; /* NULL: not recognised */
    size_t rank;
    bool named;  /* by the operator, not found in a folder */
    bool waits;  /* for an account that only other files name */
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
            return kim_fail(list->err, KIM_ERR_NOMEM, "aws: no memory for %zu files", list->count);
        list->items = bigger;
        list->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return kim_fail(list->err, KIM_ERR_NOMEM, "aws: no memory for %zu files", list->count);
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

/* At most max_bytes of a file; the caller frees them. */
static char *read_file(const char *path, size_t max_bytes, bool whole, size_t *size, kim_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *bytes = NULL;
    if (fd < 0 || fstat(fd, &st) < 0) {
        kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
        goto end;
    }
    if (whole && (uint64_t)st.st_size > max_bytes) {
        kim_fail(err, KIM_ERR_LIMIT, "%s: the file has %lld bytes; at most %zu are read", path, (long long)st.st_size, max_bytes);
        goto end;
    }
    size_t wanted = (uint64_t)st.st_size < max_bytes ? (size_t)st.st_size : max_bytes;
    bytes = malloc(wanted + 1);
    *size = 0;
    if (bytes == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for %zu bytes", path, wanted);
    while (bytes && *size < wanted) {
        ssize_t got = read(fd, bytes + *size, wanted - *size);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
            free(bytes);
            bytes = NULL;
            break;
        }
        *size += (size_t)got;
    }
end:
    if (fd >= 0)
        close(fd);
    return bytes;
}

/* ---- what a path tells ---- */

static bool is_region(kim_text text)
{
    size_t dashes = 0;
    if (text.size < 9 || text.size > 20 || text.bytes[text.size - 1] < '1' || text.bytes[text.size - 1] > '9')
        return false;
    for (size_t i = 0; i + 1 < text.size; i++) {
        dashes += text.bytes[i] == '-';
        if (text.bytes[i] != '-' && (text.bytes[i] < 'a' || text.bytes[i] > 'z'))
            return false;
    }
    return dashes >= 2 && text.bytes[2] == '-' && text.bytes[text.size - 2] == '-';
}

static bool is_organization(kim_text text)
{
    return text.size >= 12 && text.size <= 34 && kim_text_starts_with(text, KIM_TEXT("o-"));
}

/* Folders named after an account, a region, an organisation; an account's number within a file's name too. */
static void context_of_path(kim_arena *arena, const char *path, const char *kind, aws_context *context)
{
    kim_text rest = kim_text_of(path), last = KIM_NO_TEXT;
    while (rest.bytes) {
        const char *slash = memchr(rest.bytes, '/', rest.size);
        last = (kim_text){rest.bytes, slash ? (size_t)(slash - rest.bytes) : rest.size};
        rest = slash ? (kim_text){slash + 1, rest.size - last.size - 1} : KIM_NO_TEXT;
        if (aws_is_account(last))
            context->account = last;
        else if (is_region(last))
            context->region = last;
        else if (is_organization(last))
            context->organization = last;
    }
    const char *behind = memmem(last.bytes, last.size, "__", 2);
    size_t end = behind ? (size_t)(behind - last.bytes) : last.size;
    for (size_t i = 0; i + 12 <= end; i++) {
        bool alone = (i == 0 || last.bytes[i - 1] < '0' || last.bytes[i - 1] > '9') &&
                     (i + 12 == last.size || last.bytes[i + 12] < '0' || last.bytes[i + 12] > '9');
        if (alone && aws_is_account((kim_text){last.bytes + i, 12}))
            context->account = (kim_text){last.bytes + i, 12};
    }
    if (kind)
        aws_subjects_of_name(arena, kim_text_of(path), kind, context);
}

int aws_normalise_file(aws_out *out, const char *name, kim_text account, kim_text bytes, kim_error *err)
{
    aws_context context = {.account = account, .origin = kim_text_of(name)};
    const char *kind = aws_recognise_kind(context.origin, bytes);
    kim_arena *arena = kim_arena_new(64 * 1024);
    if (arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", name);
    context_of_path(arena, name, kind, &context);
    int result = aws_normalise(out, kind, &context, bytes, err);
    kim_arena_free(arena);
    return result;
}

/* ---- the only account, the only organisation ---- */

typedef struct only_ones {
    kim_text account, organization;
    bool accounts_differ, organizations_differ;
} only_ones;

static void take_only(kim_text *only, bool *differ, kim_text one)
{
    *differ = *differ || (only->bytes && !kim_text_equal(*only, one));
    *only = one;
}

static int take_scope(void *context, const kim_record *record, kim_error *err)
{
    only_ones *ones = context;
    kim_text id = {record->scope.bytes + 4, record->scope.size > 4 ? record->scope.size - 4 : 0};
    (void)err;
    if (kim_text_is(record->as_scope.kind, "account"))
        take_only(&ones->account, &ones->accounts_differ, id);
    else if (kim_text_is(record->as_scope.kind, "organisation"))
        take_only(&ones->organization, &ones->organizations_differ, id);
    return 0;
}

/* ---- one file, and what to do where it is bad ---- */

typedef struct files_run {
    const aws_plugin *self;
    aws_out *out;
    bool skip_bad;
    size_t taken;
    kim_error *err;
} files_run;

/* Said, and kept as coverage, so that nobody takes silence for "there is nothing". */
static int pass_over(files_run *run, const found_file *file, const kim_error *why)
{
    if (run->out->host->log)
        run->out->host->log(run->out->host->context, KIM_LOG_ERROR, "file_unread", why->message);
    if (!run->skip_bad) {
        *run->err = *why;
        return -1;
    }
    aws_context context = {.account = kim_text_of(aws_setting_text(run->self, "account"))};
    kim_arena_reset(run->out->arena);
    context_of_path(run->out->arena, file->path, NULL, &context);
    kim_text scope = context.account.size ? aws_scope_of(run->out->arena, context.account) : KIM_TEXT("aws:files");
    kim_text text = kim_text_of(why->message);
    text.size = kim_text_utf8_size(text);
    kim_text part = context.account.size ? KIM_TEXT("iam") : KIM_TEXT("files");
    return aws_put_coverage(run->out, scope, part, context.account.size ? KIM_PARTIAL : KIM_UNREADABLE, text,
                            kim_text_utf8_size(kim_text_of(file->path)) == strlen(file->path) ? kim_text_of(file->path) : KIM_NO_TEXT, run->err);
}

/* last: nobody else can tell the account any more. */
static int take_file(files_run *run, found_file *file, const aws_context *known, bool last)
{
    kim_error why = {0};
    size_t size;
    aws_context context = *known;
    kim_arena *arena = kim_arena_new(64 * 1024);
    char *bytes = arena ? read_file(file->path, KIM_DOCUMENT_MAX_BYTES, true, &size, &why) : NULL;
    int result = bytes ? 0 : -1;
    context.origin = kim_text_of(file->path);
    if (bytes) {
        context_of_path(arena, file->path, file->kind, &context);
        result = aws_normalise(run->out, file->kind, &context, (kim_text){bytes, size}, &why);
    }
    free(bytes);
    kim_arena_free(arena);
    file->waits = result < 0 && why.code == KIM_ERR_CONFLICT && !last;
    if (result == 0)
        run->taken++;
    if (result == 0 || file->waits)
        return 0;
    if (why.code == KIM_ERR_STOPPED || why.code == KIM_ERR_TIMEOUT || arena == NULL) {
        *run->err = why;
        return -1;
    }
    return pass_over(run, file, &why);
}

static int take_all(files_run *run, file_list *list)
{
    aws_context known = {.account = kim_text_of(aws_setting_text(run->self, "account"))};
    only_ones ones = {0};
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind && take_file(run, &list->items[i], &known, false) < 0)
            return -1;
    aws_out_each(run->out, KIM_SCOPE, take_scope, &ones, NULL);
    if (known.account.size == 0 && !ones.accounts_differ)
        known.account = ones.account;
    if (!ones.organizations_differ)
        known.organization = ones.organization;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].waits && take_file(run, &list->items[i], &known, true) < 0)
            return -1;
    return 0;
}

/* ---- all files ---- */

static int recognise_files(files_run *run, file_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        found_file *file = &list->items[i];
        kim_error why = {0};
        size_t size = 0;
        char *head = read_file(file->path, HEAD_BYTES, false, &size, &why);
        if (head) {
            file->kind = aws_recognise_kind(kim_text_of(file->path), (kim_text){head, size});
            file->rank = file->kind ? aws_kind_rank(file->kind) : 0;
            if (file->kind == NULL && (!file->named || aws_usage_recognise(file->path, (const uint8_t *)head, size) == 2)) {
                free(head);
                continue; /* a folder may hold anything, and logs are usage's */
            }
            if (file->kind == NULL)
                kim_fail(&why, KIM_ERR_INPUT, "%s: nothing that kim knows of AWS; see the list of files in the manual", file->path);
        }
        free(head);
        if (file->kind == NULL && pass_over(run, file, &why) < 0)
            return -1;
    }
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    const found_file *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return strcmp(x->path, y->path);
}

int aws_collect_files(aws_plugin *self, aws_out *out, kim_error *err)
{
    kim_setting paths = aws_setting(self, "files");
    files_run run = {.self = self, .out = out, .skip_bad = aws_setting_bool(self, "skip_bad_files"), .err = err};
    file_list list = {.err = err};
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < paths.count; i++)
        result = add_path(&list, paths.values[i], true, 0);
    if (result == 0)
        result = recognise_files(&run, &list);
    if (result == 0 && list.count) {
        qsort(list.items, list.count, sizeof *list.items, compare_files);
        result = take_all(&run, &list);
    }
    if (result == 0 && run.taken == 0)
        result = kim_fail(err, KIM_ERR_INPUT, "aws: none of the %zu files below `files` holds anything that kim knows of AWS", list.count);
    for (size_t i = 0; i < list.count; i++)
        free(list.items[i].path);
    free(list.items);
    return result;
}
