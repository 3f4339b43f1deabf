/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.c - the controller's CURVE key pair, made at its first start and kept in its state folder.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "controller/ingest/ingest.h"
#include "sdk/fs.h"

enum { KEY_FILE_MAX_BYTES = 256 };

void ingest_key_text(const uint8_t key[INGEST_SECRET_BYTES], char text[INGEST_KEY_TEXT_BYTES])
{
    zmq_z85_encode(text, key, INGEST_SECRET_BYTES);
}

static int write_key(const char *path, const uint8_t key[INGEST_SECRET_BYTES], kim_error *err)
{
    char line[INGEST_KEY_TEXT_BYTES + 1];
    ingest_key_text(key, line);
    line[INGEST_KEY_TEXT_BYTES - 1] = '\n';
    int result = kim_file_write(path, line, INGEST_KEY_TEXT_BYTES, err);
    sodium_memzero(line, sizeof line);
    return result;
}

static int parse_key(const char *path, kim_bytes *text, uint8_t key[INGEST_SECRET_BYTES], kim_error *err)
{
    while (text->size && strchr(" \t\r\n", text->data[text->size - 1]))
        text->data[--text->size] = 0;
    if (text->size == INGEST_KEY_TEXT_BYTES - 1 && zmq_z85_decode(key, (const char *)text->data))
        return 0;
    return kim_fail(err, KIM_ERR_CORRUPT,
                    "%s: holds no key (40 characters in Z85); restore it from a backup, or remove it and enrol"
                    " every agent anew", path);
}

int ingest_keys_load(const char *folder, uint8_t public_key[INGEST_SECRET_BYTES],
                     uint8_t secret_key[INGEST_SECRET_BYTES], kim_error *err)
{
    char secret_path[4096], public_path[4096];
    uint8_t made_public[INGEST_SECRET_BYTES], secret[INGEST_SECRET_BYTES];
    kim_bytes text = {0};
    kim_error missing = {0};
    int result;
    snprintf(secret_path, sizeof secret_path, "%s/controller.key", folder);
    snprintf(public_path, sizeof public_path, "%s/controller.pub", folder);
    if (kim_file_read(secret_path, KEY_FILE_MAX_BYTES, &text, &missing) == 0) {
        result = parse_key(secret_path, &text, secret, err);
    } else if (missing.code == KIM_ERR_NOT_FOUND) {
        randombytes_buf(secret, sizeof secret); /* any 32 bytes are a Curve25519 secret */
        result = write_key(secret_path, secret, err);
    } else {
        result = kim_fail(err, missing.code, "%s", missing.message);
    }
    if (result == 0 && crypto_scalarmult_base(made_public, secret) != 0)
        result = kim_fail(err, KIM_ERR_INTERNAL, "%s: cannot make the public key", secret_path);
    if (result == 0)
        result = write_key(public_path, made_public, err);
    if (result == 0) {
        memcpy(public_key, made_public, sizeof made_public);
        memcpy(secret_key, secret, sizeof secret);
    }
    sodium_memzero(secret, sizeof secret);
    if (text.data)
        sodium_memzero(text.data, text.capacity);
    kim_bytes_free(&text);
    return result;
}
