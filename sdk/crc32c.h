/* SPDX-License-Identifier: Apache-2.0
 *
 * crc32c.h - the checksum of frames and of the spool's records.
 */
#ifndef KIM_SDK_CRC32C_H
#define KIM_SDK_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli) of bytes, going on from `before`: 0 at the beginning, so that pieces in turn
 * give the checksum of the whole. Cannot fail.
 *
 * Source: RFC 3720, B.4 (test vectors); polynomial 0x1EDC6F41, reflected.
 */
uint32_t kim_crc32c(uint32_t before, const void *bytes, size_t size);
/* The same without the processor's instruction, so that a test can hold them against each other. */
uint32_t kim_crc32c_portable(uint32_t before, const void *bytes, size_t size);

#endif
