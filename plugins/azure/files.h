/* SPDX-License-Identifier: Apache-2.0
 *
 * files.h - what `az`, PowerShell, the REST API and Graph printed, from files and folders.
 */
#ifndef AZURE_FILES_H
#define AZURE_FILES_H

#include "plugins/azure/document.h"

/* Does a file hold documents of Azure or Entra? 0 no, 1 perhaps, 2 surely: from its first bytes. */
int azure_recognise(const char *name, const uint8_t *head, size_t size);

/* Puts the records of one file's bytes: a document, a list of them, or a page {"value":[...]}.
 * Errors: KIM_ERR_INPUT no JSON, or nothing in it that is known; those of azure_put */
int azure_read_file(azure_reader *r, const char *name, kim_text bytes);

/* Everything below the paths, as one snapshot. A file that cannot be read fails the run; with skip_bad it
 * is logged, becomes coverage, and the rest is taken.
 *
 * paths  [count]
 * Errors: KIM_ERR_IO, KIM_ERR_INPUT and those of azure_put */
int azure_collect_files(azure_reader *r, const char *const *paths, size_t count, bool skip_bad);

#endif
