/* SPDX-License-Identifier: Apache-2.0
 *
 * case.h - an Azure case of `kim evaluate`, and the collected file that has the same lists, to records.
 */
#ifndef AZURE_CASE_H
#define AZURE_CASE_H

#include "plugins/azure/document.h"

/* Puts the records of a case and sends them; nothing is sent where it cannot be read.
 * Errors: KIM_ERR_INPUT "case: ...", KIM_ERR_LIMIT, those of host->emit */
int azure_case_normalise(azure_out *out, const char *name, kim_text bytes, kim_error *err);

/* Is it an object of a case's lists, though without a request? */
bool azure_is_collected(const kim_json *root);
/* Puts the records of one, leaving out what cannot be read where !r->strict. */
int azure_read_collected(azure_reader *r, const kim_json *root);

#endif
