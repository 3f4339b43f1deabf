/* SPDX-License-Identifier: Apache-2.0
 *
 * providers.c - what lies in the plugin folders as NAME.so is a provider. Looked up once.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/providers.h"

static char names[PROVIDERS_MAX][PROVIDER_NAME_MAX_BYTES];
static const char *name_list[PROVIDERS_MAX];
static char joined[PROVIDERS_MAX * (PROVIDER_NAME_MAX_BYTES + 2)];
static size_t name_count;
static bool is_read;

static void add(const char *file)
{
    size_t size = strlen(file);
    if (size <= 3 || strncmp(file, "lib", 3) == 0 || size - 3 >= PROVIDER_NAME_MAX_BYTES || strcmp(file + size - 3, ".so") != 0 ||
        name_count == PROVIDERS_MAX)
        return;
    char name[PROVIDER_NAME_MAX_BYTES];
    memcpy(name, file, size - 3);
    name[size - 3] = '\0';
    for (size_t i = 0; i < name_count; i++)
        if (strcmp(names[i], name) == 0)
            return;
    strcpy(names[name_count++], name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void read_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        add(entry->d_name);
    if (folder != NULL)
        closedir(folder);
}

static void read_all(void)
{
    if (is_read)
        return;
    is_read = true;
    const char *set = getenv("KIM_PLUGIN_PATH");
    char *path = strdup(set != NULL && *set != '\0' ? set : KIM_PLUGIN_DIR), *rest = NULL;
    for (char *folder = path != NULL ? strtok_r(path, ":", &rest) : NULL; folder != NULL;
         folder = strtok_r(NULL, ":", &rest))
        read_folder(folder);
    free(path);
    qsort(names, name_count, sizeof *names, by_name);
    for (size_t i = 0; i < name_count; i++) {
        name_list[i] = names[i];
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i > 0 ? ", " : "", names[i]);
    }
}

const char *providers_known(void)
{
    read_all();
    return name_count > 0 ? joined : "none";
}

const char *const *providers_all(size_t *count)
{
    read_all();
    *count = name_count;
    return name_list;
}

bool providers_is_known(kim_text name)
{
    read_all();
    for (size_t i = 0; i < name_count; i++)
        if (kim_text_is(name, names[i]))
            return true;
    return false;
}
