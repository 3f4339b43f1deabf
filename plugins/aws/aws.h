/* SPDX-License-Identifier: Apache-2.0
 *
 * aws.h - what the parts of the AWS provider share: the opened plugin and its settings.
 *
 *   plugin.c     the descriptor and the options table; hands each call to the part that does it
 *   case.h       one line of `kim evaluate`
 *   normalise.h  what AWS's APIs and the AWS CLI print, to records; live/ hands its answers there too
 *   files.h      collect from files: recognise, place, normalise
 *   live/        collect from the APIs
 *   usage/       logs: archives and LookupEvents
 *   document.h   one policy document
 *   out.h        records on their way out
 */
#ifndef AWS_H
#define AWS_H

#include <kim/arena.h>
#include <kim/plugin.h>
#include <kim/text.h>

#include "plugins/aws/out.h"

typedef struct aws_plugin {
    const kim_host *host;
    kim_arena *settings_arena; /* holds `settings` */
    kim_settings settings;     /* a copy of what open() was given */
    aws_out cases;             /* for cases: kept from call to call, because cases are many and small */
} aws_plugin;

/* An option's values as configured, or its default; count 0 where there is neither. */
kim_setting aws_setting(const aws_plugin *self, const char *name);
/* The first value; NULL where there is none. */
const char *aws_setting_text(const aws_plugin *self, const char *name);
int64_t aws_setting_int(const aws_plugin *self, const char *name, int64_t otherwise);
bool aws_setting_bool(const aws_plugin *self, const char *name);

#endif
