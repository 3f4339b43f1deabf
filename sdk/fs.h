/* SPDX-License-Identifier: Apache-2.0
 *
 * fs.h - whole files: read within a limit, written so that a crash leaves the old or the new one.
 */
#ifndef KIM_SDK_FS_H
#define KIM_SDK_FS_H

#include <kim/error.h>
#include <kim/record.h>

/* Appends a file's bytes to `out`, and a NUL after them that out->size does not count.
 *
 * path       "-" is standard input
 * max_bytes  what the file may have; more is refused, and never read
 * Errors, all naming the path; `out` is as it was:
 *   KIM_ERR_NOT_FOUND, KIM_ERR_IO (says the system's reason), KIM_ERR_INPUT (a folder),
 *   KIM_ERR_LIMIT, KIM_ERR_NOMEM
 */
int kim_file_read(const char *path, size_t max_bytes, kim_bytes *out, kim_error *err);

/* Writes a file that only its owner may read (0600): to a new name beside it, to disk, then over the
 * old one. Nothing is ever left beside it.
 * Errors: KIM_ERR_NOT_FOUND (no such folder), KIM_ERR_IO; the old file is then untouched, but where only the
 * folder could not be brought to disk: the new one is there, and may be gone after a power cut. */
int kim_file_write(const char *path, const void *bytes, size_t size, kim_error *err);

/* Makes a folder (0700), and those above it where they lack (0700 too); fine where it is there.
 * Errors: KIM_ERR_IO */
int kim_folder_make(const char *path, kim_error *err);

#endif
