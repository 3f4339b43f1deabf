/* SPDX-License-Identifier: Apache-2.0
 *
 * files.h - collect from files and folders: exports of the AWS CLI, and one collected file.
 */
#ifndef AWS_FILES_H
#define AWS_FILES_H

#include "plugins/aws/aws.h"

/* Everything below the paths of the option `files`, as one snapshot.
 *
 * A file that cannot be read fails the run, so that nothing known is taken for deleted; with the option
 * `skip_bad_files` it is logged, becomes coverage, and the rest is taken.
 * Errors: KIM_ERR_IO, KIM_ERR_INPUT, and those of aws_put
 */
int aws_collect_files(aws_plugin *self, aws_out *out, kim_error *err);

/* One file's bytes, as the host hands them to normalise("file"): what it is and whose is told by its
 * name and its content, else `account` (absent: not known). */
int aws_normalise_file(aws_out *out, const char *name, kim_text account, kim_text bytes, kim_error *err);

#endif
