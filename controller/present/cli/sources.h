/* SPDX-License-Identifier: Apache-2.0
 *
 * sources.h - which files belong to which provider, and whether they are logs.
 */
#ifndef KIM_CLI_SOURCES_H
#define KIM_CLI_SOURCES_H

#include <kim/record.h>

#include "controller/present/cli/providers.h"

/* Paths, in the order they were met. */
typedef struct paths {
    char **items; /* [count] */
    size_t count;
} paths;

typedef struct source {
    const char *provider;
    paths files, logs; /* files and folders; a folder stands for all that it holds */
} source;

typedef struct sources {
    source *all;         /* [count] */
    size_t count;
    size_t file_count;   /* files that could be looked at */
    paths unknown;       /* named on the command line, and no provider knows them */
    size_t passed_over;  /* in folders, and no provider knows them */
} sources;

typedef struct report_notes report_notes; /* report.h */

/* Looks at every path and, in folders, at every file.
 *
 * provider  whose they all are, a known one; NULL: each is recognised
 * notes     get what lies in a folder and cannot be read; the rest is read
 * Errors: KIM_ERR_NOT_FOUND, KIM_ERR_IO (a path that was given), KIM_ERR_NOMEM, those of starting a
 *         provider host
 */
sources *sources_find(const char *const *given, size_t count, const char *provider, bool quiet,
                      report_notes *notes, kim_error *err);
void sources_free(sources *found); /* NULL is fine */

#endif
