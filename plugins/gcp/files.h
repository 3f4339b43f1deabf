/* SPDX-License-Identifier: Apache-2.0
 *
 * files.h - collect from files and folders: what gcloud printed, exports of the inventory, collected files.
 */
#ifndef GCP_FILES_H
#define GCP_FILES_H

#include "plugins/gcp/gcp.h"

/* Everything below the paths of the option `files`, as one snapshot.
 *
 * A file that cannot be read fails the run, so that nothing known is taken for deleted; with the option
 * `skip_bad_files` it is logged, becomes coverage, and the rest is taken.
 * Errors: KIM_ERR_IO, KIM_ERR_INPUT, and those of gcp_put
 */
int gcp_collect_files(gcp_plugin *self, gcp_out *out, kim_error *err);

/* One file's bytes, as the host hands them to normalise("file"). */
int gcp_normalise_file(gcp_out *out, const char *name, kim_text bytes, kim_error *err);

#endif
