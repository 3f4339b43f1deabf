/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c - every file's documents are added to one set of objects, in the order of the paths; then the set goes out.
 *
 * A file is JSON or YAML with one document or several, a document an object, a list of objects, or a list that says
 * of which kind it is. Only the last tells, where it is empty, that there are none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kim/limits.h>

#include "plugins/kubernetes/aggregate.h"
#include "plugins/kubernetes/files.h"
#include "plugins/kubernetes/yaml.h"

enum { FOLDERS_MAX_DEPTH = 32, HEAD_BYTES = 64 * 1024, LISTS_MAX_DEPTH = 4, OTHERS_MAX = 12 };

typedef struct found_file {
    char *path;
    dev_t device;
    ino_t inode;
    bool named; /* by the operator, not found in a folder */
} found_file;

typedef struct run {
    k8s_out *out;
    const k8s_files *from;
    k8s_set set;
    bool seen[K8S_KINDS];      /* a kind that is there, or that a list says is empty */
    kim_text others[OTHERS_MAX]; /* kinds that bear on nothing here */
    size_t other_counts[OTHERS_MAX], other_count, passed_over;
    kim_text unread;           /* a file that could not be read, and why; absent: all were */
    found_file *files;         /* [count] */
    size_t count, room, taken;
    kim_error *err;
} run;

/* ---- what a document is ---- */

static bool holds(kim_text text, const char *part)
{
    return text.size && memmem(text.bytes, text.size, part, strlen(part)) != NULL;
}

/* "kind: Role", "kind":"Role", with or without blanks and quotes. */
static bool names_kind(kim_text head, const char *kind)
{
    size_t size = strlen(kind);
    for (const char *at = head.bytes; at && (at = memmem(at, head.size - (size_t)(at - head.bytes), "kind", 4)) != NULL;) {
        const char *end = head.bytes + head.size;
        at += 4;
        while (at < end && strchr("\"': \t", *at) && *at)
            at++;
        if ((size_t)(end - at) >= size && memcmp(at, kind, size) == 0 &&
            ((size_t)(end - at) == size || strchr("\"' \t\r\n,}", at[size])))
            return true;
    }
    return false;
}

int k8s_recognise(kim_text head)
{
    static const char *const sure[] = {"ServiceAccount", "ServiceAccountList", "Namespace", "NamespaceList", "List"};
    if (!holds(head, "apiVersion") || !holds(head, "kind"))
        return holds(head, "apiVersion") && holds(head, "items") ? 1 : 0;
    if (holds(head, "rbac.authorization.k8s.io"))
        return 2;
    for (size_t i = 0; i < sizeof sure / sizeof *sure; i++)
        if (names_kind(head, sure[i]))
            return 2;
    return 1;
}

/* RBAC's kinds are of RBAC's group: other systems have a Role too. */
static k8s_kind kind_of(kim_text kind, kim_text api_version)
{
    k8s_kind found = k8s_kind_of(kind);
    bool is_rbac = kim_text_starts_with(api_version, KIM_TEXT("rbac.authorization.k8s.io/"));
    bool is_core = kim_text_is(api_version, "v1");
    return found == K8S_KINDS || (found < K8S_SERVICE_ACCOUNT ? is_rbac : is_core) ? found : K8S_KINDS;
}

static void pass_over_kind(run *r, kim_text kind)
{
    size_t at = 0;
    while (at < r->other_count && !kim_text_equal(r->others[at], kind))
        at++;
    r->passed_over++;
    if (at == OTHERS_MAX)
        return;
    r->other_count += at == r->other_count;
    r->others[at] = kind;
    r->other_counts[at]++;
}

/* The kind of a list's items: "RoleList" holds Roles; "List" does not say. */
static kim_text item_kind(kim_text list)
{
    static const char suffix[] = "List";
    if (!kim_text_ends_with(list, KIM_TEXT(suffix)) || list.size == sizeof suffix - 1)
        return KIM_NO_TEXT;
    return (kim_text){list.bytes, list.size - (sizeof suffix - 1)};
}

/* kind, api_version: what the list around it says, for objects that do not say it themselves. */
static int take_value(run *r, const kim_json *value, kim_text kind, kim_text api_version, const char *origin, int depth)
{
    kim_text own = kim_json_text_of(value, "kind"), own_version = kim_json_text_of(value, "apiVersion");
    const kim_json *items = kim_json_is(value, KIM_JSON_ARRAY) ? value : kim_json_get(value, "items");
    kind = kim_text_is_absent(own) ? kind : own;
    api_version = kim_text_is_absent(own_version) ? api_version : own_version;
    if (value->type == KIM_JSON_NULL)
        return 0;
    if (!kim_json_is(items, KIM_JSON_ARRAY)) {
        k8s_kind known = kind_of(kind, api_version);
        char where[256];
        if (kim_text_is_absent(kind) || !kim_json_is(value, KIM_JSON_OBJECT))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s:%u: no object of Kubernetes: it has no kind", origin, value->line);
        if (known == K8S_KINDS) {
            pass_over_kind(r, kind);
            return 0;
        }
        snprintf(where, sizeof where, "%.200s:%u", origin, value->line);
        r->seen[known] = true;
        return k8s_set_add(&r->set, known, value, where, r->err);
    }
    kim_text inner = item_kind(kind);
    k8s_kind listed = kind_of(inner, api_version);
    if (listed < K8S_KINDS)
        r->seen[listed] = true;
    if (depth == LISTS_MAX_DEPTH)
        return kim_fail(r->err, KIM_ERR_LIMIT, "%s:%u: lists lie in lists too deep", origin, value->line);
    for (size_t i = 0; i < items->count; i++)
        if (take_value(r, &items->items[i], inner, api_version, origin, depth + 1) < 0)
            return -1;
    return 0;
}

static bool is_json(kim_text bytes)
{
    size_t at = 0;
    while (at < bytes.size && strchr(" \t\r\n\xef\xbb\xbf", bytes.bytes[at]) && bytes.bytes[at])
        at++;
    return at < bytes.size && (bytes.bytes[at] == '{' || bytes.bytes[at] == '[');
}

static int take_bytes(run *r, const char *origin, kim_text bytes)
{
    k8s_documents documents = {0};
    bool wrote_yaml = kim_text_ends_with(kim_text_of(origin), KIM_TEXT(".yaml")) || kim_text_ends_with(kim_text_of(origin), KIM_TEXT(".yml"));
    if (is_json(bytes) && !wrote_yaml) {
        const kim_json *json = kim_json_parse(bytes.bytes, bytes.size, origin, r->set.arena, r->err);
        return json ? take_value(r, json, KIM_NO_TEXT, KIM_NO_TEXT, origin, 0) : -1;
    }
    if (k8s_yaml_parse(bytes.bytes, bytes.size, origin, r->set.arena, &documents, r->err) < 0)
        return -1;
    for (size_t i = 0; i < documents.count; i++)
        if (take_value(r, documents.items[i], KIM_NO_TEXT, KIM_NO_TEXT, origin, 0) < 0)
            return -1;
    return 0;
}

/* ---- finding files ---- */

static int no_memory(run *r)
{
    return kim_fail(r->err, KIM_ERR_NOMEM, "kubernetes: no memory for %zu files", r->count);
}

static int add_file(run *r, const char *path, const struct stat *st, bool named)
{
    for (size_t i = 0; named && i < r->count; i++)
        if (r->files[i].device == st->st_dev && r->files[i].inode == st->st_ino)
            return 0; /* named twice */
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        found_file *bigger = realloc(r->files, room * sizeof *bigger);
        if (bigger == NULL)
            return no_memory(r);
        r->files = bigger;
        r->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return no_memory(r);
    r->files[r->count++] = (found_file){.path = copy, .device = st->st_dev, .inode = st->st_ino, .named = named};
    return 0;
}

static int add_path(run *r, const char *path, bool named, int depth);

static int add_folder(run *r, const char *path, int depth)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int result = 0;
    if (folder == NULL)
        return kim_fail(r->err, KIM_ERR_IO, "%s: the folder cannot be read: %s", path, strerror(errno));
    while (result == 0 && (entry = readdir(folder)) != NULL) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= sizeof inner)
            result = kim_fail(r->err, KIM_ERR_LIMIT, "%s: a path below it is too long", path);
        else
            result = add_path(r, inner, false, depth + 1);
    }
    closedir(folder);
    return result;
}

static int add_path(run *r, const char *path, bool named, int depth)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return named ? kim_fail(r->err, KIM_ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    if (S_ISREG(st.st_mode))
        return add_file(r, path, &st, named);
    if (S_ISDIR(st.st_mode) && depth < FOLDERS_MAX_DEPTH)
        return add_folder(r, path, depth);
    return 0;
}

static int by_path(const void *left, const void *right)
{
    return strcmp(((const found_file *)left)->path, ((const found_file *)right)->path);
}

/* ---- reading files ---- */

/* At most max_bytes from the front; more is an error where the whole is wanted. The caller frees them. */
static char *read_file(const char *path, size_t max_bytes, bool whole, size_t *size, kim_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *bytes = NULL;
    ssize_t got = 0;
    *size = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    } else if (whole && (uint64_t)st.st_size > max_bytes) {
        kim_fail(err, KIM_ERR_LIMIT, "%s: the file has %lld bytes; at most %zu are read", path, (long long)st.st_size, max_bytes);
    } else {
        size_t wanted = (uint64_t)st.st_size < max_bytes ? (size_t)st.st_size : max_bytes;
        bytes = malloc(wanted + 1);
        if (bytes == NULL)
            kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for %zu bytes", path, wanted);
        while (bytes && *size < wanted && ((got = read(fd, bytes + *size, wanted - *size)) > 0 || (got < 0 && errno == EINTR)))
            *size += got > 0 ? (size_t)got : 0;
        if (got < 0) {
            kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
            free(bytes);
            bytes = NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    return bytes;
}

/* Said, and kept for coverage, so that nobody takes silence for "there is nothing". */
static int pass_over_file(run *r, const kim_error *why)
{
    const kim_host *host = r->out->emitter->host;
    if (why->code == KIM_ERR_NOMEM || why->code == KIM_ERR_STOPPED || why->code == KIM_ERR_TIMEOUT || !r->from->skip_bad) {
        *r->err = *why;
        return -1;
    }
    if (host->log)
        host->log(host->context, KIM_LOG_ERROR, "file_unread", why->message);
    kim_text text = kim_text_of(why->message);
    text.size = kim_text_utf8_size(text);
    if (kim_text_is_absent(r->unread))
        r->unread = kim_text_copy(r->out->arena, text);
    return 0;
}

static int take_file(run *r, const found_file *file)
{
    kim_error why = {0}, *err = r->err;
    size_t size;
    char *head = file->named ? NULL : read_file(file->path, HEAD_BYTES, false, &size, &why);
    bool is_ours = file->named || (head && k8s_recognise((kim_text){head, size}) > 0);
    free(head);
    if (why.code == KIM_OK && !is_ours)
        return 0; /* a folder may hold anything */
    char *bytes = why.code == KIM_OK ? read_file(file->path, KIM_DOCUMENT_MAX_BYTES, true, &size, &why) : NULL;
    r->err = &why;
    int result = bytes ? take_bytes(r, file->path, (kim_text){bytes, size}) : -1;
    r->err = err;
    free(bytes);
    if (result < 0)
        return pass_over_file(r, &why);
    r->taken++;
    return 0;
}

/* ---- one cluster of it all ---- */

/* Decimal numbers, though Kubernetes does not promise it: the longer is the later, then the greater. */
static int compare_versions(kim_text a, kim_text b)
{
    return a.size != b.size ? (a.size < b.size ? -1 : 1) : kim_text_compare(a, b);
}

/* By name; of one name the newest first. */
static int by_name(const void *left, const void *right)
{
    const k8s_object *a = left, *b = right;
    int order = kim_text_compare(a->namespace, b->namespace);
    if (order == 0)
        order = kim_text_compare(a->name, b->name);
    if (order == 0)
        order = -compare_versions(a->version, b->version);
    return order ? order : a->place > b->place ? -1 : a->place < b->place;
}

static void keep_newest(run *r, k8s_kind kind)
{
    k8s_object *items = r->set.of[kind].items;
    size_t count = r->set.of[kind].count, kept = 0;
    bool is_namespaced = kind == K8S_ROLE || kind == K8S_ROLE_BINDING || kind == K8S_SERVICE_ACCOUNT;
    for (size_t i = 0; i < count; i++)
        if (!is_namespaced || items[i].namespace.size == 0)
            items[i].namespace = is_namespaced ? r->from->namespace : KIM_TEXT("");
    if (count)
        qsort(items, count, sizeof *items, by_name);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !kim_text_equal(items[kept - 1].name, items[i].name) || !kim_text_equal(items[kept - 1].namespace, items[i].namespace))
            items[kept++] = items[i];
    r->set.of[kind].count = kept;
}

static void say_what_was_passed_over(run *r)
{
    const kim_host *host = r->out->emitter->host;
    kim_text all = KIM_TEXT("");
    for (size_t i = 0; i < r->other_count && i < OTHERS_MAX; i++)
        all = kim_text_format(r->out->arena, "%.*s%s%zu %.*s", KIM_PRINT(all), i ? ", " : "", r->other_counts[i], KIM_PRINT(r->others[i]));
    if (r->passed_over == 0 || host->log == NULL)
        return;
    all = kim_text_format(r->out->arena, "%zu objects of other kinds were passed over: %.*s%s", r->passed_over, KIM_PRINT(all),
                          r->other_count >= OTHERS_MAX ? " ..." : "");
    if (!kim_text_is_absent(all))
        host->log(host->context, KIM_LOG_INFO, "objects_passed_over", all.bytes);
}

static int put_all(run *r)
{
    kim_text lacking[K8S_KINDS];
    size_t total = 0;
    for (k8s_kind kind = 0; kind < K8S_KINDS; kind++) {
        keep_newest(r, kind);
        total += r->set.of[kind].count + r->seen[kind];
        lacking[kind] = r->seen[kind] ? r->unread
                                      : kim_text_format(r->out->arena, "no file holds any; kubectl get %s -A -o json prints them",
                                                        k8s_kind_part(kind));
    }
    say_what_was_passed_over(r);
    if (total == 0 && !kim_text_is_absent(r->unread))
        return kim_fail(r->err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(r->unread));
    if (total == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "kubernetes: the files hold no Role, ClusterRole, RoleBinding, ClusterRoleBinding, "
                                               "ServiceAccount or Namespace; kubectl get ... -A -o json prints them");
    return k8s_aggregate(&r->set, true, r->err) < 0 ? -1 : k8s_put_cluster(r->out, &r->set, lacking, r->err);
}

static int take_all(run *r)
{
    for (uint32_t i = 0; i < r->from->paths.count; i++)
        if (add_path(r, r->from->paths.values[i], true, 0) < 0)
            return -1;
    if (r->count)
        qsort(r->files, r->count, sizeof *r->files, by_path);
    for (size_t i = 0; i < r->count; i++)
        if (take_file(r, &r->files[i]) < 0)
            return -1;
    return put_all(r);
}

int k8s_collect_files(k8s_out *out, const k8s_files *from, kim_error *err)
{
    run r = {.out = out, .from = from, .set = {.arena = out->arena}, .err = err};
    int result = take_all(&r);
    for (size_t i = 0; i < r.count; i++)
        free(r.files[i].path);
    free(r.files);
    return result;
}

int k8s_normalise_file(k8s_out *out, const k8s_files *from, const char *name, kim_text bytes, kim_error *err)
{
    run r = {.out = out, .from = from, .set = {.arena = out->arena}, .err = err};
    return take_bytes(&r, name, bytes) < 0 ? -1 : put_all(&r);
}
