/* SPDX-License-Identifier: Apache-2.0
 *
 * xml.c - one pass of expat, writing JSON as it goes.
 *
 * What an element is, shows with its first child: "member" and "item" make it a list, "entry" a map,
 * anything else a structure; without a child it is a text. So each open element stays undecided until
 * then, and its parent has written the key already. Only what the form cannot show is in tables: lists
 * that are empty, lists without a wrapper, numbers, and names that the CLI changes.
 */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kim/json.h>

#include "plugins/aws/live/xml.h"

typedef enum shape { UNDECIDED, STRUCTURE, LIST, MAP, ENTRY, SKIPPED } shape;

typedef struct open_element {
    shape shape;
    char name[64];
    char flat[64];    /* of a structure: the list without a wrapper that is being written */
    bool transparent; /* writes nothing itself: its children are its parent's */
} open_element;

typedef struct reader {
    XML_Parser parser;
    kim_json_writer *writer;
    aws_xml_style style;
    open_element open[AWS_XML_MAX_DEPTH];
    size_t depth;
    char *text; /* of the innermost element */
    size_t size, capacity;
    char *key;  /* of the map's entry at hand */
    size_t key_size;
    kim_code fault;
    const char *fault_says;
} reader;

/* Lists by the names of the list and its elements, where the elements are no "member" or "item". */
static const struct { const char *list, *element; } wrapped_lists[] = {
    {"Buckets", "Bucket"}, {"AccessControlList", "Grant"}, {"TagSet", "Tag"},
};

/* Lists whose elements stand bare in the structure, and what the CLI calls them. */
static const struct { const char *element, *list; } bare_lists[] = {
    {"Contents", "Contents"}, {"CommonPrefixes", "CommonPrefixes"}, {"Rule", "Rules"},
};

/* Lists that may come empty, which without a child would look like a text. */
static const char *const empty_lists[] = {
    "AccessKeyMetadata", "AccountAliases", "AttachedManagedPolicies", "Buckets", "ClientIDList", "Grants",
    "GroupDetailList", "GroupList", "GroupPolicyList", "InstanceProfileList", "MFADevices",
    "OpenIDConnectProviderList", "Policies", "PolicyVersionList", "Regions", "RoleDetailList", "RolePolicyList",
    "Roles", "SAMLProviderList", "ServicesLastAccessed", "TagSet", "Tags", "ThumbprintList", "Topics",
    "TrackedActionsLastAccessed", "UserDetailList", "UserPolicyList", "Users", "VirtualMFADevices", "VpcEndpoints",
};

static const char *const booleans[] = {
    "BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "IsAttachable", "IsDefaultVersion", "IsTruncated",
    "PrivateDnsEnabled", "RequesterManaged", "RestrictPublicBuckets",
};

static const char *const numbers[] = {
    "AttachmentCount", "KeyCount", "MaxKeys", "MaxSessionDuration", "PermissionsBoundaryUsageCount", "Size",
    "TotalAuthenticatedEntities",
};

static const struct { const char *theirs, *ours; } renamed[] = {
    {"AccessControlList", "Grants"}, {"regionInfo", "Regions"}, {"tagSet", "Tags"},
};

/* Documents whose root is a member of what the CLI prints; other roots only wrap. */
static const char *const kept_roots[] = {
    "LocationConstraint", "OwnershipControls", "PublicAccessBlockConfiguration",
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static bool is_in(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name), tail = strlen(suffix);
    return size > tail && strcmp(name + size - tail, suffix) == 0;
}

/* The CLI's name of an element. */
static void cli_name(aws_xml_style style, const char *name, char out[64])
{
    for (size_t i = 0; i < COUNT(renamed); i++)
        if (strcmp(renamed[i].theirs, name) == 0)
            name = renamed[i].ours;
    snprintf(out, 64, "%s", name);
    if (style != AWS_XML_EC2)
        return;
    if (out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 32);
    if (ends_with(out, "Set")) /* "dnsEntrySet": DnsEntries; "vpcEndpointSet": VpcEndpoints */
        strcpy(out + strlen(out) - 3, "s");
    if (ends_with(out, "ys"))
        strcpy(out + strlen(out) - 2, "ies");
}

static void stop(reader *r, kim_code code, const char *says)
{
    if (r->fault == KIM_OK) {
        r->fault = code;
        r->fault_says = says;
    }
    XML_StopParser(r->parser, XML_FALSE);
}

static shape shape_by_child(const open_element *e, const char *child)
{
    if (strcmp(child, "member") == 0 || strcmp(child, "item") == 0)
        return LIST;
    if (strcmp(child, "entry") == 0)
        return MAP;
    for (size_t i = 0; i < COUNT(wrapped_lists); i++)
        if (strcmp(wrapped_lists[i].list, e->name) == 0 && strcmp(wrapped_lists[i].element, child) == 0)
            return LIST;
    return STRUCTURE;
}

static void begin(reader *r, open_element *e, shape becomes)
{
    e->shape = becomes;
    if (e->transparent)
        return;
    if (becomes == LIST)
        kim_json_begin_array(r->writer);
    else if (becomes == STRUCTURE || becomes == MAP)
        kim_json_begin_object(r->writer);
}

static void end_flat(reader *r, open_element *e)
{
    if (e->flat[0] != '\0')
        kim_json_end_array(r->writer);
    e->flat[0] = '\0';
}

/* Writes what leads to a child of a structure: its key, or for a bare list the list's once. */
static void lead_to(reader *r, open_element *parent, const char *child)
{
    for (size_t i = 0; i < COUNT(bare_lists); i++) {
        if (strcmp(bare_lists[i].element, child) != 0)
            continue;
        if (strcmp(parent->flat, child) != 0) {
            end_flat(r, parent);
            kim_json_key(r->writer, bare_lists[i].list);
            kim_json_begin_array(r->writer);
            snprintf(parent->flat, sizeof parent->flat, "%s", child);
        }
        return;
    }
    end_flat(r, parent);
    char name[64];
    cli_name(r->style, child, name);
    kim_json_key(r->writer, name);
}

static const char *type_of(const XML_Char **attributes)
{
    for (; attributes[0] != NULL; attributes += 2)
        if (strcmp(attributes[0], "xsi:type") == 0)
            return attributes[1];
    return NULL;
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    reader *r = context;
    if (r->fault != KIM_OK)
        return;
    if (r->depth == AWS_XML_MAX_DEPTH) {
        stop(r, KIM_ERR_LIMIT, "nests deeper than any answer of AWS");
        return;
    }
    open_element *e = &r->open[r->depth], *parent = r->depth > 0 ? e - 1 : NULL;
    *e = (open_element){.shape = UNDECIDED};
    snprintf(e->name, sizeof e->name, "%s", name);
    r->size = 0;
    r->depth++;
    if (parent == NULL) {
        e->transparent = !is_in(kept_roots, COUNT(kept_roots), name);
        kim_json_begin_object(r->writer);
        if (e->transparent)
            e->shape = STRUCTURE;
        else
            kim_json_key(r->writer, name);
        return;
    }
    bool within_part = r->depth > 2 && e[-2].shape == ENTRY; /* a map's keys and values are texts */
    if (parent->shape == UNDECIDED && !within_part)
        begin(r, parent, shape_by_child(parent, name));
    bool wraps = r->depth == 2 && ends_with(name, "Result") && ends_with(parent->name, "Response");
    if (parent->shape == SKIPPED || within_part || strcmp(name, "ResponseMetadata") == 0 || (r->depth == 2 && strcmp(name, "requestId") == 0)) {
        e->shape = SKIPPED;
    } else if (wraps) {
        e->shape = STRUCTURE;
        e->transparent = true;
    } else if (parent->shape == MAP) {
        e->shape = ENTRY;
    } else if (parent->shape == STRUCTURE) {
        lead_to(r, parent, name);
    }
    const char *type = type_of(attributes);
    if (type != NULL && e->shape == UNDECIDED && parent->shape != ENTRY) {
        begin(r, e, STRUCTURE);
        kim_json_key(r->writer, "Type");
        kim_json_put_string(r->writer, type);
    }
}

static bool is_number(kim_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.size > 0 && text.size < 19;
}

static void put_scalar(reader *r, const open_element *e)
{
    char name[64];
    cli_name(r->style, e->name, name);
    kim_text text = {r->text != NULL ? r->text : "", r->size};
    if (text.size == 0 && is_in(empty_lists, COUNT(empty_lists), name)) {
        kim_json_begin_array(r->writer);
        kim_json_end_array(r->writer);
    } else if (is_in(booleans, COUNT(booleans), name) && (kim_text_is(text, "true") || kim_text_is(text, "false"))) {
        kim_json_put_bool(r->writer, kim_text_is(text, "true"));
    } else if (is_in(numbers, COUNT(numbers), name) && is_number(text)) {
        char digits[20];
        snprintf(digits, sizeof digits, "%.*s", KIM_PRINT(text));
        kim_json_put_int(r->writer, strtoll(digits, NULL, 10));
    } else if (text.size == 0 && strcmp(e->name, "LocationConstraint") == 0) {
        kim_json_put_null(r->writer);
    } else {
        kim_json_put_text(r->writer, text);
    }
}

/* <entry><key>K</key><value>V</value></entry> */
static void put_entry_part(reader *r, const open_element *e)
{
    if (strcmp(e->name, "key") == 0) {
        free(r->key);
        r->key = malloc(r->size + 1);
        r->key_size = r->size;
        if (r->key == NULL)
            stop(r, KIM_ERR_NOMEM, "is past the memory there is");
        else if (r->size > 0)
            memcpy(r->key, r->text, r->size);
    } else if (strcmp(e->name, "value") == 0 && r->key != NULL) {
        kim_json_key_text(r->writer, (kim_text){r->key, r->key_size});
        kim_json_put_text(r->writer, (kim_text){r->text != NULL ? r->text : "", r->size});
    }
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    reader *r = context;
    (void)name;
    if (r->fault != KIM_OK)
        return;
    open_element *e = &r->open[--r->depth], *parent = r->depth > 0 ? e - 1 : NULL;
    end_flat(r, e);
    if (parent != NULL && parent->shape == ENTRY)
        put_entry_part(r, e);
    else if (e->shape == UNDECIDED)
        put_scalar(r, e);
    else if (e->shape == LIST && !e->transparent)
        kim_json_end_array(r->writer);
    else if ((e->shape == STRUCTURE || e->shape == MAP) && !e->transparent)
        kim_json_end_object(r->writer);
    if (parent == NULL)
        kim_json_end_object(r->writer);
    r->size = 0;
}

static void XMLCALL on_text(void *context, const XML_Char *bytes, int size)
{
    reader *r = context;
    if (r->fault != KIM_OK)
        return;
    if (r->size + (size_t)size > AWS_XML_MAX_TEXT) {
        stop(r, KIM_ERR_LIMIT, "holds a text past 4 MiB");
        return;
    }
    if (r->size + (size_t)size > r->capacity) {
        size_t capacity = (r->size + (size_t)size) * 2;
        char *larger = realloc(r->text, capacity);
        if (larger == NULL) {
            stop(r, KIM_ERR_NOMEM, "is past the memory there is");
            return;
        }
        r->text = larger;
        r->capacity = capacity;
    }
    memcpy(r->text + r->size, bytes, (size_t)size);
    r->size += (size_t)size;
}

static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public_id, int internal)
{
    (void)name, (void)system, (void)public_id, (void)internal;
    stop(context, KIM_ERR_INPUT, "declares a document type, which AWS never does");
}

static int parse(reader *r, kim_text xml, const char *origin, kim_error *err)
{
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    if (xml.size > INT32_MAX)
        return kim_fail(err, KIM_ERR_LIMIT, "%s: the answer is past 2 GiB", origin);
    enum XML_Status status = XML_Parse(r->parser, xml.bytes, (int)xml.size, 1);
    if (r->fault != KIM_OK)
        return kim_fail(err, r->fault, "%s: line %lu of the answer %s", origin,
                        (unsigned long)XML_GetCurrentLineNumber(r->parser), r->fault_says);
    if (status != XML_STATUS_OK)
        return kim_fail(err, KIM_ERR_INPUT, "%s: line %lu of the answer is no XML, or it breaks off: %s", origin,
                        (unsigned long)XML_GetCurrentLineNumber(r->parser), XML_ErrorString(XML_GetErrorCode(r->parser)));
    return 0;
}

kim_text aws_xml_to_json(kim_arena *arena, kim_text xml, aws_xml_style style, const char *origin, kim_error *err)
{
    kim_text result = KIM_NO_TEXT;
    reader *r = calloc(1, sizeof *r);
    if (r == NULL || (r->writer = kim_json_writer_new(false)) == NULL || (r->parser = XML_ParserCreate("UTF-8")) == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory to read the answer", origin);
    } else {
        r->style = style;
        size_t size;
        const char *json = parse(r, xml, origin, err) == 0 ? kim_json_writer_bytes(r->writer, &size, err) : NULL;
        if (json != NULL && (result = kim_text_copy(arena, (kim_text){json, size})).bytes == NULL)
            kim_fail(err, KIM_ERR_NOMEM, "%s: the answer is past the memory for one", origin);
    }
    if (r != NULL) {
        kim_json_writer_free(r->writer);
        if (r->parser != NULL)
            XML_ParserFree(r->parser);
        free(r->text);
        free(r->key);
        free(r);
    }
    return result;
}
