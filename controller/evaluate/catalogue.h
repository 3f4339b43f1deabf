/* SPDX-License-Identifier: Apache-2.0
 *
 * catalogue.h - which actions a provider has, and what is known of each.
 *
 * Read once from etc/catalogue/PROVIDER.catalogue (README.md there describes the format) and immutable
 * from then on: any number of threads may ask. Everything it returns is borrowed from it. An action is
 * known by its id, 0 to count - 1, in the order of the lower-case names: a service's actions are
 * a run of ids, and a set of actions is a bitset over them. Ids change with the file: never store one.
 */
#ifndef KIM_CONTROLLER_CATALOGUE_H
#define KIM_CONTROLLER_CATALOGUE_H

#include <stdint.h>

#include <kim/error.h>
#include <kim/text.h>

typedef struct catalogue catalogue;

enum {
    CATALOGUE_FORMAT = 1,
    CATALOGUE_MAX_BYTES = 64 * 1024 * 1024, /* AWS: 2.2 MB */
    CATALOGUE_MAX_NAME = 255,               /* of an action or key; AWS: 95 */
};

/* Reads a whole file.
 *
 * Errors: KIM_ERR_IO (path and errno's text), KIM_ERR_INPUT "PATH:LINE: ...", KIM_ERR_VERSION another
 *   format, KIM_ERR_LIMIT past a bound above, KIM_ERR_NOMEM
 */
catalogue *catalogue_load(const char *path, kim_error *err);
/* The same from memory; the bytes are copied. `origin` stands for the path in messages. */
catalogue *catalogue_parse(const char *bytes, size_t size, const char *origin, kim_error *err);
void catalogue_free(catalogue *cat); /* NULL is fine */

kim_text catalogue_provider(const catalogue *cat); /* "aws" */

/* ---- actions ---- */

typedef enum catalogue_level {
    CATALOGUE_LIST, CATALOGUE_READ, CATALOGUE_WRITE, CATALOGUE_TAGGING, CATALOGUE_PERMISSIONS,
} catalogue_level;

size_t catalogue_count(const catalogue *cat);
/* How many uint64_t a bitset over all actions has. */
size_t catalogue_words(const catalogue *cat);

/* The id of "s3:GetObject" in any case, or -1. */
int32_t catalogue_action(const catalogue *cat, kim_text name);
kim_text catalogue_name(const catalogue *cat, int32_t action);  /* as AWS spells it */
kim_text catalogue_lower(const catalogue *cat, int32_t action); /* in lower case */
catalogue_level catalogue_level_of(const catalogue *cat, int32_t action);
const char *catalogue_level_name(catalogue_level level); /* "list" ... "permissions" */
/* Only Resource "*" matches such an action. */
bool catalogue_takes_no_resource(const catalogue *cat, int32_t action);

/* Sets the bit of each action that the pattern covers and leaves the others as they are.
 *
 * pattern  as in a policy: * is any text, ? one character, letters in any case; "*" is all
 * set      [catalogue_words]
 * Returns how many the pattern covers. Cost: a search for what stands before the first wildcard, then one
 * comparison for each action that begins so; none where the pattern ends in its only *.
 */
size_t catalogue_match(const catalogue *cat, kim_text pattern, uint64_t *set);

/* ---- services ---- */

typedef struct catalogue_service {
    kim_text prefix;    /* "s3" */
    kim_text name;      /* "Amazon S3" */
    bool takes_rcp;     /* resource control policies apply to it */
    int32_t first;      /* its actions are first to first + count - 1 */
    int32_t count;
    uint32_t first_resource_type; /* the same, in catalogue_resource_types */
    uint32_t resource_type_count;
} catalogue_service;

/* By prefix in any case; NULL where there is none. */
const catalogue_service *catalogue_service_find(const catalogue *cat, kim_text prefix);
const catalogue_service *catalogue_service_of(const catalogue *cat, int32_t action);
const catalogue_service *catalogue_services(const catalogue *cat, size_t *count); /* by prefix */

/* ---- what actions are done to ---- */

typedef struct catalogue_resource_type {
    kim_text name;  /* "bucket" */
    kim_text arn;   /* "arn:${Partition}:s3:::${BucketName}": ${...} stands for any text */
    kim_text keys;  /* condition keys: catalogue_next */
} catalogue_resource_type;

/* One resource type of an action. */
typedef struct catalogue_use {
    uint32_t first_form; /* in catalogue_resource_types: one for each form of the ARN */
    uint32_t form_count;
    bool required;
    kim_text keys;  /* condition keys that the action has with this resource type alone */
} catalogue_use;

const catalogue_use *catalogue_uses(const catalogue *cat, int32_t action, size_t *count);
/* Of all services, a service's types in one run, sorted by name. */
const catalogue_resource_type *catalogue_resource_types(const catalogue *cat, size_t *count);

/* ---- condition keys ---- */

typedef enum catalogue_type {
    CATALOGUE_STRING, CATALOGUE_ARN, CATALOGUE_NUMERIC, CATALOGUE_DATE, CATALOGUE_BOOL, CATALOGUE_IP,
    CATALOGUE_BINARY,
} catalogue_type;

typedef struct catalogue_key {
    kim_text name;      /* "aws:PrincipalTag/${TagKey}": ${...} stands for any text */
    catalogue_type type;
    bool multivalued;   /* ForAllValues and ForAnyValue are for these */
} catalogue_key;

/* By name in any case; aws:PrincipalTag/team finds aws:PrincipalTag/${TagKey}. NULL: not known. */
const catalogue_key *catalogue_key_find(const catalogue *cat, kim_text name);

/* The condition keys of an action itself; those of its resources stand with them. */
kim_text catalogue_keys(const catalogue *cat, int32_t action);
/* Takes the next name off such a list: `for (kim_text rest = list, name; catalogue_next(&rest, &name);)`.
 * False at its end. */
bool catalogue_next(kim_text *rest, kim_text *name);

#endif
