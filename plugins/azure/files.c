/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c - files are found, sorted by their paths and read twice: first for the tenant that they tell of,
 * then for all else, so that the order in which they are named cannot matter.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kim/limits.h>

#include "plugins/azure/case.h"
#include "plugins/azure/files.h"

enum { FOLDERS_MAX_DEPTH = 32, HEAD_BYTES = 64 * 1024 };

/* ---- what a file is ---- */

int azure_recognise(const char *name, const uint8_t *head, size_t size)
{
    static const struct { const char *word; int sure; } words[] = {
        {"Microsoft.Authorization/role", 2}, {"Microsoft.Authorization/deny", 2}, {"Microsoft.Management/managementGroups", 2},
        {"Microsoft.Authorization/locks", 2}, {"\"roleDefinitionId\"", 2}, {"\"RoleDefinitionId\"", 2}, {"\"denyAssignmentName\"", 2},
        {"\"rolePermissions\"", 2}, {"\"appRoleId\"", 2}, {"\"role_assignments\"", 2}, {"\"role_definitions\"", 2}, {"\"deny_assignments\"", 2},
        {"graph.microsoft.com", 2}, {"#microsoft.graph.", 2}, {"\"assignableScopes\"", 2}, {"\"AssignableScopes\"", 2},
        {"\"homeTenantId\"", 2}, {"\"userPrincipalName\"", 1}, {"\"securityEnabled\"", 1}, {"\"servicePrincipalType\"", 1}, {"\"subscriptionId\"", 1}};
    int best = 0;
    (void)name;
    for (size_t i = 0; size && i < sizeof words / sizeof *words && best < 2; i++)
        if (words[i].sure > best && memmem(head, size, words[i].word, strlen(words[i].word)))
            best = words[i].sure;
    return best;
}

/* "group-member-list__GROUP.json": what was asked about; absent: the name does not tell. */
static kim_text subject_of_name(const char *name)
{
    const char *base = strrchr(name, '/'), *mark = strstr(base ? base : name, "__");
    if (mark == NULL)
        return KIM_NO_TEXT;
    const char *dot = strchr(mark + 2, '.');
    return (kim_text){mark + 2, dot ? (size_t)(dot - mark - 2) : strlen(mark + 2)};
}

/* ---- one document after the other ---- */

typedef struct reading {
    azure_reader *r;
    bool tenants_only;   /* the first time: for organisations, subscriptions and management groups alone */
    size_t taken;
    kim_text tenant;     /* the only one found so far */
    bool tenants_differ;
} reading;

static void take_tenant(reading *in, azure_kind kind, const kim_json *document)
{
    kim_text tenant = azure_text(document, kind == ENTRA_ORGANIZATION ? "id" : "tenantId");
    if (tenant.size == 0 || (kind != ENTRA_ORGANIZATION && kind != AZURE_SUBSCRIPTION && kind != AZURE_MANAGEMENT_GROUP))
        return;
    tenant = kim_text_lower(in->r->out->arena, tenant);
    in->tenants_differ = in->tenants_differ || (in->tenant.size && !kim_text_equal(in->tenant, tenant));
    in->tenant = tenant;
}

static int take(reading *in, const kim_json *document)
{
    azure_kind kind = azure_kind_of(document);
    if (in->tenants_only) {
        take_tenant(in, kind, document);
        return 0;
    }
    if (kind == AZURE_UNKNOWN)
        return 0;
    in->taken++;
    if (azure_read(in->r, kind, false, document) < 0)
        return -1;
    return in->r->subject.size && (kind == ENTRA_USER || kind == ENTRA_GROUP || kind == ENTRA_SERVICE_PRINCIPAL)
               ? azure_put_member(in->r, azure_text(document, "id"), azure_last(in->r->out->arena, in->r->subject), "group") : 0;
}

static int take_all(reading *in, const kim_json *root)
{
    const kim_json *list = kim_json_is(root, KIM_JSON_ARRAY) ? root : kim_json_get(root, "value");
    if (azure_is_collected(root)) {
        in->taken++;
        return in->tenants_only ? 0 : azure_read_collected(in->r, root);
    }
    if (!kim_json_is(list, KIM_JSON_ARRAY))
        return take(in, root);
    in->taken += list->count == 0; /* an empty list says that there is nothing */
    for (size_t i = 0; i < list->count; i++)
        if (take(in, &list->items[i]) < 0)
            return -1;
    return 0;
}

static int read_bytes(reading *in, const char *name, kim_text bytes)
{
    azure_reader *r = in->r;
    const kim_json *root = kim_json_parse(bytes.bytes, bytes.size, name, r->out->arena, r->err);
    if (root == NULL)
        return -1;
    size_t before = in->taken;
    r->where = name;
    r->subject = subject_of_name(name);
    if (take_all(in, root) < 0)
        return -1;
    if (in->tenants_only || in->taken > before)
        return 0;
    return kim_fail(r->err, KIM_ERR_INPUT, "%s: nothing that kim knows of Azure; see the list of files in the manual", name);
}

int azure_read_file(azure_reader *r, const char *name, kim_text bytes)
{
    reading first = {.r = r, .tenants_only = true}, in = {.r = r};
    if (kim_text_equal(r->tenant, AZURE_NO_TENANT) && read_bytes(&first, name, bytes) == 0 && first.tenant.size && !first.tenants_differ)
        r->tenant = first.tenant;
    return azure_put_profile(r) < 0 ? -1 : read_bytes(&in, name, bytes);
}

/* ---- files ---- */

typedef struct found_file {
    char *path;
    bool named; /* by the operator, not found in a folder */
} found_file;

typedef struct file_list {
    found_file *items; /* [count] */
    size_t count, room;
    kim_error *err;
} file_list;

static int add_path(file_list *list, const char *path, bool named, int depth);

static int add_file(file_list *list, const char *path, bool named)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        found_file *bigger = realloc(list->items, room * sizeof *bigger);
        if (bigger == NULL)
            return kim_fail(list->err, KIM_ERR_NOMEM, "azure: no memory for %zu files", list->count);
        list->items = bigger;
        list->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return kim_fail(list->err, KIM_ERR_NOMEM, "azure: no memory for %zu files", list->count);
    list->items[list->count++] = (found_file){copy, named};
    return 0;
}

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
        return add_file(list, path, named);
    return S_ISDIR(st.st_mode) && depth < FOLDERS_MAX_DEPTH ? add_folder(list, path, depth) : 0;
}

/* The caller frees them; NULL with err. */
static char *read_whole(const char *path, size_t *size, kim_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *bytes = NULL;
    *size = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    } else if ((uint64_t)st.st_size > KIM_DOCUMENT_MAX_BYTES) {
        kim_fail(err, KIM_ERR_LIMIT, "%s: the file has %lld bytes; at most %d are read", path, (long long)st.st_size, KIM_DOCUMENT_MAX_BYTES);
    } else if ((bytes = malloc((size_t)st.st_size + 1)) == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for %lld bytes", path, (long long)st.st_size);
    }
    while (bytes && *size < (size_t)st.st_size) {
        ssize_t got = read(fd, bytes + *size, (size_t)st.st_size - *size);
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
    if (fd >= 0)
        close(fd);
    return bytes;
}

/* Said, and kept as coverage, so that nobody takes silence for "there is nothing". */
static int pass_over(azure_reader *r, const char *path, const kim_error *why, bool skip_bad)
{
    if (r->out->host->log)
        r->out->host->log(r->out->host->context, KIM_LOG_ERROR, "file_unread", why->message);
    if (!skip_bad || why->code == KIM_ERR_NOMEM || why->code == KIM_ERR_STOPPED || why->code == KIM_ERR_TIMEOUT) {
        if (r->err != why && r->err)
            *r->err = *why;
        return -1;
    }
    kim_text text = kim_text_of(why->message), name = kim_text_of(path);
    text.size = kim_text_utf8_size(text);
    kim_record record = {.type = KIM_COVERAGE, .scope = kim_text_format(r->out->arena, "azure:%.*s", KIM_PRINT(r->tenant)),
                         .coverage = {.part = KIM_TEXT("files"), .status = KIM_UNREADABLE, .why = kim_text_copy(r->out->arena, text)}};
    if (kim_text_is_utf8(name))
        record.coverage.resource = kim_text_copy(r->out->arena, name);
    return azure_put(r->out, &record, r->err);
}

static int take_file(reading *in, const found_file *file, bool skip_bad)
{
    kim_error why = {0}, *outer = in->r->err;
    size_t size, count = in->r->out->count;
    char *bytes = read_whole(file->path, &size, &why);
    int result = -1;
    if (bytes && !file->named && azure_recognise(file->path, (const uint8_t *)bytes, size < HEAD_BYTES ? size : HEAD_BYTES) == 0) {
        free(bytes);
        return 0; /* a folder may hold anything */
    }
    in->r->err = &why;
    if (bytes)
        result = read_bytes(in, file->path, (kim_text){bytes, size});
    in->r->err = outer;
    free(bytes);
    if (result == 0 || in->tenants_only)
        return 0;
    in->r->out->count = count; /* a file is taken whole or not at all */
    return pass_over(in->r, file->path, &why, skip_bad);
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const found_file *)a)->path, ((const found_file *)b)->path);
}

static int take_files(azure_reader *r, file_list *list, bool skip_bad)
{
    reading tenants = {.r = r, .tenants_only = true}, in = {.r = r};
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare_files);
    for (size_t i = 0; i < list->count && kim_text_equal(r->tenant, AZURE_NO_TENANT); i++)
        if (take_file(&tenants, &list->items[i], true) < 0)
            return -1;
    if (kim_text_equal(r->tenant, AZURE_NO_TENANT) && tenants.tenant.size && !tenants.tenants_differ)
        r->tenant = tenants.tenant;
    if (azure_put_profile(r) < 0)
        return -1;
    kim_text tenant = r->tenant;
    for (size_t i = 0; i < list->count; i++) {
        r->tenant = tenant;
        if ((i == 0 || compare_files(&list->items[i - 1], &list->items[i]) != 0) && take_file(&in, &list->items[i], skip_bad) < 0)
            return -1;
    }
    if (in.taken == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "azure: none of the %zu files below `files` holds anything that kim knows of Azure", list->count);
    return 0;
}

int azure_collect_files(azure_reader *r, const char *const *paths, size_t count, bool skip_bad)
{
    file_list list = {.err = r->err};
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add_path(&list, paths[i], true, 0);
    if (result == 0)
        result = take_files(r, &list, skip_bad);
    for (size_t i = 0; i < list.count; i++)
        free(list.items[i].path);
    free(list.items);
    return result;
}
