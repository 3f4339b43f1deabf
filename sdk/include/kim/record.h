/* SPDX-License-Identifier: Apache-2.0
 *
 * record.h - the twelve records that every provider's words become, and their bytes.
 *
 * doc/model.md is the reference. One table (kim_record_fields) drives the codec, the checks, the key
 * and the JSON form; to add a field is to add it to the struct's end and a row to the table.
 *
 * On the wire a record is a msgpack array: [type, scope, field, field, ...] in the table's order;
 * absent trailing fields are left out, an absent field in the middle is nil, unknown trailing fields
 * are skipped. Records own nothing: their texts live where they were decoded or built.
 */
#ifndef KIM_RECORD_H
#define KIM_RECORD_H

#include <kim/arena.h>
#include <kim/error.h>
#include <kim/json.h>
#include <kim/text.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kim_record_type {
    KIM_SCOPE = 1,
    KIM_IDENTITY = 2,
    KIM_KEY = 3,
    KIM_EDGE = 4,
    KIM_RESOURCE = 5,
    KIM_POLICY = 6,
    KIM_STATEMENT = 7,
    KIM_ATTACHMENT = 8,
    KIM_CREDENTIAL = 9,
    KIM_USAGE = 10,
    KIM_PROFILE = 11,
    KIM_COVERAGE = 12,
} kim_record_type;
enum { KIM_RECORD_TYPES = 13 }; /* for arrays indexed by type; 0 is unused */

typedef enum kim_identity_kind {
    KIM_HUMAN = 1, KIM_SERVICE, KIM_WORKLOAD, KIM_DEVICE, KIM_AI_AGENT, KIM_GROUP, KIM_ROLE, KIM_PUBLIC,
} kim_identity_kind;
typedef enum kim_state { KIM_ACTIVE = 1, KIM_DISABLED, KIM_DELETED } kim_state;
typedef enum kim_edge_kind { KIM_MEMBER_OF = 1, KIM_CAN_BECOME, KIM_OWNS, KIM_CONTROLS } kim_edge_kind;
typedef enum kim_effect { KIM_ALLOW = 1, KIM_DENY } kim_effect;
typedef enum kim_inherit { KIM_INHERIT_NONE = 1, KIM_INHERIT_CHILDREN, KIM_INHERIT_TREE } kim_inherit;
typedef enum kim_origin { KIM_EXPLICIT = 1, KIM_INHERITED, KIM_DEFAULT, KIM_IMPLICIT } kim_origin;
typedef enum kim_outcome { KIM_SUCCESS = 1, KIM_REFUSED, KIM_FAILED } kim_outcome; /* success, denied, failed */
typedef enum kim_coverage_status {
    KIM_READ = 1, KIM_PARTIAL, KIM_UNREADABLE, KIM_STALE,
} kim_coverage_status;

/* As written: lang "aws", "azure", "cel" or "kim"; the text is compiled only in evaluate/.
 * For aws the text is the JSON of the Condition element. */
typedef struct kim_condition {
    kim_text lang, text;
} kim_condition;

/* Times are Unix milliseconds UTC; 0 is absent. Enumerations: 0 is absent (the field's default). */

typedef struct kim_scope {
    kim_text id;        /* key */
    kim_text kind;      /* "organisation", "ou", "account", ... DESIGN names them */
    kim_text parent;    /* a scope's id; absent at the top or where not known */
    kim_text name;
    kim_text native_id; /* the provider's own: an ARN */
    kim_pairs tags;
    kim_pairs facts;    /* what this provider's evaluation needs to know of the scope; doc/model.md */
} kim_scope;

typedef struct kim_identity {
    kim_text id;        /* key: native, unique within its scope */
    int32_t kind;       /* kim_identity_kind */
    kim_text name;
    int32_t state;      /* kim_state; absent: active */
    bool external;      /* of another organisation */
    bool ephemeral;     /* made for a session and gone after it */
    kim_text owner;
    int64_t created_unix_ms, last_seen_unix_ms;
    kim_pairs tags;
    kim_pairs facts;
} kim_identity;

typedef struct kim_key {
    kim_text identity;  /* key */
    kim_text type;      /* key: "oidc", "object_guid", "scim_external_id", "upn", "email" ... */
    kim_text issuer;    /* key */
    kim_text value;     /* key */
} kim_key;

typedef struct kim_edge {
    int32_t kind;       /* key: kim_edge_kind */
    kim_text from;      /* key */
    kim_text to;        /* key */
    int64_t order;
    bool eligible;      /* can be activated; not in force */
    kim_condition condition;
    int64_t starts_unix_ms, expires_unix_ms;
    kim_text via;       /* key: how: "sts:AssumeRole", "group", "instance_profile" */
    kim_text to_scope;  /* key: the scope that defines `to`; absent: this record's own */
    bool ordered;       /* `order` counts though it is 0 */
} kim_edge;

typedef struct kim_resource {
    kim_text id;        /* key */
    kim_text type;      /* the provider's: "s3:bucket" */
    kim_text parent;    /* a resource's id */
    kim_text name;
    kim_text sensitivity;
    kim_pairs tags;
    kim_pairs facts;
} kim_resource;

typedef struct kim_policy {
    kim_text id;        /* key: an ARN, or "OWNER/inline/NAME" where the provider has no id for it */
    kim_text name;
    kim_text version;   /* the policy language's: "2012-10-17"; absent as written */
    kim_text revision;  /* the document's own: "v3" */
    kim_text kind;      /* "managed", "inline", "resource", "trust", "scp", "rcp", "permission_set" ... */
    kim_text hash;      /* hex of the document as the provider gave it */
    kim_text unread;    /* why the document, or a part, could not be read; absent: all was read */
    bool provider_managed; /* the provider's own, which the customer cannot change */
} kim_policy;

typedef struct kim_statement {
    kim_text policy;    /* key: a policy's id */
    int64_t index;      /* key: from 0, as written */
    kim_text sid;
    int32_t effect;     /* kim_effect */
    kim_texts actions, not_actions;     /* absent: no such element; both absent: all */
    kim_texts resources, not_resources;
    kim_texts subjects, not_subjects;   /* where the document names them; aws: "AWS:arn...", "Service:...",
                                           "Federated:...", "CanonicalUser:...", "*" */
    kim_condition condition;
    kim_texts order;    /* numbers, compared part by part (first-match) */
    int64_t weight;     /* most-specific */
    kim_text universe;  /* which actions it speaks about, where not all */
    kim_text unread;    /* why this statement could not be understood; it may allow or deny anything it names */
} kim_statement;

typedef struct kim_attachment {
    kim_text policy;    /* key: a policy's id */
    kim_text layer;     /* key: a name that the profile declares: "identity", "scp" ... */
    kim_text subject;   /* key: an identity's id; absent: whom the statements name */
    kim_text on_scope;  /* key: a scope's id */
    kim_text resource;  /* key: a resource's id */
    int64_t order;
    int32_t inherit;    /* kim_inherit; absent: tree for a scope, none otherwise */
    kim_condition condition;
    bool eligible;
    int64_t starts_unix_ms, expires_unix_ms;
    int32_t origin;     /* kim_origin; absent: explicit */
    kim_text native_id; /* key: the provider's own name for it, where it has one: a role binding's */
} kim_attachment;

typedef struct kim_credential {
    kim_text id;        /* key */
    kim_text identity;  /* key */
    kim_text kind;      /* "password", "access_key", "certificate", "token", "signing_certificate" ... */
    int32_t state;      /* kim_state */
    int64_t created_unix_ms, last_used_unix_ms, expires_unix_ms;
    bool second_factor; /* asks for one, or is one */
    kim_pairs facts;
} kim_credential;

typedef struct kim_usage {
    int64_t day;        /* key: days since 1970-01-01 UTC */
    kim_text identity;  /* key */
    kim_text action;    /* key: as a policy would name it: "s3:GetObject" */
    kim_text resource;  /* key: absent where the log does not say */
    int32_t outcome;    /* key: kim_outcome */
    int64_t count;
    int64_t first_unix_ms, last_unix_ms;
    kim_text via;       /* key: who stood behind the identity: a source identity, a caller's id */
    bool widened;       /* resource is a prefix ending in '*' that stands for several */
} kim_usage;

typedef struct kim_profile {
    kim_text id;        /* key: "aws" */
    kim_text combining; /* "deny-overrides", "allow-union", ... "layered" */
    int32_t default_effect; /* kim_effect */
    kim_pairs default_by_action; /* action or class -> "allow" | "deny" */
    kim_text wildcard;  /* "exact", "glob", "arn", "mqtt", ... */
    kim_text letter_case; /* "sensitive", "insensitive" */
    kim_pairs layers;   /* name -> "grant" | "ceiling" | "veto" | "delegation" */
    kim_text catalogue; /* names a file in etc/catalogue */
    kim_text product, product_version;
} kim_profile;

typedef struct kim_coverage {
    kim_text part;      /* key: "iam", "s3:bucket-policy", "log:data-events:s3" ... doc/model.md */
    int32_t status;     /* kim_coverage_status */
    kim_text why;
    int64_t from_unix_ms, to_unix_ms;
    kim_text resolution;/* for a log: "action", "service"; what it cannot show */
    kim_texts actions;  /* the actions it speaks of, as patterns; absent: all */
    kim_text resource;  /* one resource it speaks of; absent: all of the part */
} kim_coverage;

typedef struct kim_record {
    kim_record_type type;
    kim_text scope;     /* the scope that defines this record; a scope record's own id, for a scope */
    union {
        kim_scope as_scope;
        kim_identity identity;
        kim_key key;
        kim_edge edge;
        kim_resource resource;
        kim_policy policy;
        kim_statement statement;
        kim_attachment attachment;
        kim_credential credential;
        kim_usage usage;
        kim_profile profile;
        kim_coverage coverage;
    };
} kim_record;

/* ---- the table ---- */

typedef enum kim_field_kind {
    KIM_FIELD_TEXT, KIM_FIELD_TEXTS, KIM_FIELD_PAIRS, KIM_FIELD_INT, KIM_FIELD_TIME,
    KIM_FIELD_BOOL, KIM_FIELD_ENUM, KIM_FIELD_CONDITION,
} kim_field_kind;

typedef struct kim_field {
    const char *name;           /* as in doc/model.md and in JSON */
    kim_field_kind kind;
    size_t offset;              /* within kim_record */
    unsigned is_key : 1, is_required : 1;
    size_t max_bytes;           /* of a text, or of each of a list */
    const char *const *values;  /* of an enumeration: [0] is NULL, then the names; ends with NULL */
    const char *help;           /* what it says, for doc/model.md */
} kim_field;

/* The rows of a type, in wire order; [*count]. NULL for an unknown type. */
const kim_field *kim_record_fields(kim_record_type type, size_t *count);
const char *kim_record_type_name(kim_record_type type); /* "scope" ...; NULL for an unknown one */
const char *kim_record_type_help(kim_record_type type); /* what such a record says, for doc/model.md */
/* The name of an enumeration's value in its field's table, such as kim_enum_name("identity", "kind", 1). */
const char *kim_enum_name(const char *type, const char *field, int32_t value);

/* ---- bytes ---- */

/* A growing buffer with a sticky fault, for encoded records. Zero-initialise; kim_bytes_free ends it. */
typedef struct kim_bytes {
    uint8_t *data;
    size_t size, capacity;
    bool failed; /* out of memory: nothing more is written */
} kim_bytes;
void kim_bytes_append(kim_bytes *bytes, const void *data, size_t size);
void kim_bytes_free(kim_bytes *bytes);

/* Checks a record against its table: required fields, limits, enumerations, UTF-8. The message names
 * the record's type, its key and the field. Errors: KIM_ERR_INPUT, KIM_ERR_LIMIT */
int kim_record_check(const kim_record *record, kim_error *err);

/* Appends the bytes of a checked record. The same record always gives the same bytes; pairs are sorted,
 * so that their order makes no difference. On failure `out` is as it was. Errors: KIM_ERR_NOMEM */
int kim_record_encode(const kim_record *record, kim_bytes *out, kim_error *err);

/* Reads and checks one record from the front of bytes; texts point into `bytes`, lists are in arena.
 *
 * used  how many bytes it took
 * Errors: KIM_ERR_INPUT, KIM_ERR_LIMIT (with the field's name and the offset), KIM_ERR_NOMEM
 */
int kim_record_decode(const uint8_t *bytes, size_t size, kim_arena *arena, kim_record *record,
                      size_t *used, kim_error *err);

enum { KIM_RECORD_KEY_BYTES = 16, KIM_RECORD_HASH_BYTES = 32 };
/* The record's key: BLAKE2b-128 of type, scope and the fields marked is_key. */
void kim_record_key(const kim_record *record, uint8_t key[KIM_RECORD_KEY_BYTES]);
/* BLAKE2b-256 of a record's bytes. A set's digest is the sum of its records' hashes, each taken as
 * four little-endian 64-bit numbers that wrap: no order, and a change is one add and one subtract. */
void kim_record_hash(const uint8_t *bytes, size_t size, uint8_t hash[KIM_RECORD_HASH_BYTES]);
void kim_digest_add(uint8_t digest[KIM_RECORD_HASH_BYTES], const uint8_t hash[KIM_RECORD_HASH_BYTES]);
void kim_digest_remove(uint8_t digest[KIM_RECORD_HASH_BYTES], const uint8_t hash[KIM_RECORD_HASH_BYTES]);

/* Writes the record as a JSON object of what is not absent, enumerations by name:
 * {"record":"edge","scope":"...","kind":"member_of",...}. (Some records have a field `type` of their own.) */
void kim_record_write_json(const kim_record *record, kim_json_writer *writer);

#ifdef __cplusplus
}
#endif

#endif
