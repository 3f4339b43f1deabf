/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp.h - what the parts of the Google Cloud provider share: the opened plugin and its settings.
 *
 *   plugin.c    the descriptor and the options table; hands each call to the part that does it
 *   case.h      one line of `kim evaluate`
 *   document.h  one document of IAM
 *   read.h      what gcloud and the APIs print, to records: a row a kind
 *   files.h     collect from files: recognise, place, read
 *   names.h     principals and resources in one spelling
 *   out.h       records on their way out
 */
#ifndef GCP_H
#define GCP_H

#include <kim/plugin.h>

#include "plugins/gcp/out.h"

typedef struct gcp_plugin {
    const kim_host *host;
    kim_arena *settings_arena; /* holds `settings` */
    kim_settings settings;     /* a copy of what open() was given */
    gcp_out cases;             /* kept from call to call, because cases are many and small */
} gcp_plugin;

/* An option's values as configured, or its default; count 0 where there is neither. */
kim_setting gcp_setting(const gcp_plugin *self, const char *name);

#endif
