/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h - what an operator sets of kim-controller: a libconfig file against one table.
 */
#ifndef CONTROLLER_SETTINGS_H
#define CONTROLLER_SETTINGS_H

#include <stdio.h>

#include <kim/error.h>
#include <kim/text.h>

typedef struct settings {
    char *state_dir;        /* keys, store, lock */
    char *socket;           /* of the API */
    char *listen;           /* agents' data */
    char *listen_enrol;     /* enrolment; "": none */
    bool approve_by_hand;
    int64_t token_lifetime_ms;
    int64_t spread_ms;      /* 0: by the number of agents */
    int64_t store_max_bytes;/* 0: the disk's end */
    int64_t rebuild_after_ms;
    char *catalogues;       /* folder */
    char *log_level;
} settings;

/* Every option at its default. Errors: KIM_ERR_NOMEM */
int settings_defaults(settings *to, kim_error *err);
/* Reads a file over what to holds, which is changed only where the whole file is sound.
 * Errors: KIM_ERR_INPUT "PATH:LINE: ..." , KIM_ERR_IO, KIM_ERR_NOMEM */
int settings_load(settings *to, const char *path, kim_error *err);
/* One option by its name, as on a command line. Errors: as above, with `where` for PATH:LINE */
int settings_set(settings *to, const char *name, const char *value, const char *where, kim_error *err);
void settings_free(settings *to);

/* The table, as a commented sample of the file. */
void settings_print_sample(FILE *out);

#endif
