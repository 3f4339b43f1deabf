/* SPDX-License-Identifier: Apache-2.0
 *
 * case.c - a case's lists by a table: which documents each may hold.
 */
#include <stdio.h>

#include <kim/limits.h>

#include "plugins/azure/case.h"

typedef struct list_row {
    const char *name;
    azure_kind usual;            /* what an element is that does not say it itself */
    azure_kind kinds[8];         /* what it may hold; ends with AZURE_UNKNOWN */
    bool eligible;
} list_row;

static const list_row lists[] = {
    {"role_definitions", AZURE_ROLE_DEFINITION,
     {AZURE_ROLE_DEFINITION, ENTRA_ROLE_DEFINITION, ENTRA_APP_ROLE, ENTRA_SERVICE_PRINCIPAL}, false},
    {"role_assignments", AZURE_ROLE_ASSIGNMENT,
     {AZURE_ROLE_ASSIGNMENT, AZURE_ELIGIBLE_ASSIGNMENT, ENTRA_ROLE_ASSIGNMENT, ENTRA_ELIGIBLE_ASSIGNMENT, ENTRA_APP_ROLE_ASSIGNMENT}, false},
    {"deny_assignments", AZURE_DENY_ASSIGNMENT, {AZURE_DENY_ASSIGNMENT}, false},
    {"eligible_assignments", AZURE_ELIGIBLE_ASSIGNMENT,
     {AZURE_ELIGIBLE_ASSIGNMENT, AZURE_ROLE_ASSIGNMENT, ENTRA_ELIGIBLE_ASSIGNMENT, ENTRA_ROLE_ASSIGNMENT}, true},
};
enum { LISTS = sizeof lists / sizeof *lists };

static const char *const case_keys[] = {"id", "provider", "mode", "request", "groups", "management_groups", "administrative_units",
                                        "known_absent", "known_present", "compare", "expand", "operations", NULL};

static const list_row *row_of(kim_text name)
{
    for (size_t i = 0; i < LISTS; i++)
        if (kim_text_is(name, lists[i].name))
            return &lists[i];
    return NULL;
}

static bool is_one_of(kim_text name, const char *const *known)
{
    while (*known && !kim_text_is(name, *known))
        known++;
    return *known != NULL;
}

static int refuse_key(azure_reader *r, kim_text name)
{
    name.size = name.size < 80 ? name.size : 80;
    name.size = kim_text_utf8_size(name);
    return kim_fail(r->err, KIM_ERR_INPUT, "case: unknown key '%.*s'; known are id, provider, mode, request, role_definitions, role_assignments, "
                    "deny_assignments, eligible_assignments, groups, management_groups, administrative_units, known_absent, known_present, "
                    "compare, expand, operations", KIM_PRINT(name));
}

/* ---- lists ---- */

static int read_element(azure_reader *r, const list_row *row, const kim_json *element)
{
    azure_kind kind = azure_kind_of(element);
    bool fits = kind == AZURE_UNKNOWN && kim_json_is(element, KIM_JSON_OBJECT);
    for (size_t i = 0; row->kinds[i] != AZURE_UNKNOWN; i++)
        fits = fits || row->kinds[i] == kind;
    if (!fits)
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: no such document belongs there", r->where);
    return azure_read(r, kind == AZURE_UNKNOWN ? row->usual : kind, row->eligible, element);
}

/* A list, or REST's page of one: {"value":[...]}. */
static int read_list(azure_reader *r, const list_row *row, const kim_json *value)
{
    const char *outer = r->where;
    char where[256];
    int result = 0;
    if (kim_json_is(value, KIM_JSON_OBJECT) && kim_json_is(kim_json_get(value, "value"), KIM_JSON_ARRAY))
        value = kim_json_get(value, "value");
    if (!kim_json_is(value, KIM_JSON_ARRAY))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: %s is %s; it must be a list", outer, row->name, kim_json_type_name(value->type));
    for (size_t i = 0; result == 0 && i < value->count; i++) {
        snprintf(where, sizeof where, "%.100s: %s[%zu]", outer, row->name, i);
        r->where = where;
        result = read_element(r, row, &value->items[i]);
        r->where = outer;
    }
    return result;
}

/* {"UNIT":["MEMBER", ...]} */
static int read_units(azure_reader *r, const kim_json *units)
{
    if (!kim_json_is(units, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: administrative_units is %s; it must be an object of units and their members", r->where,
                        kim_json_type_name(units->type));
    for (size_t i = 0; i < units->count; i++) {
        const kim_json *members = units->members[i].value;
        kim_text unit = kim_text_format(r->out->arena, "%.*s/au/%.*s", KIM_PRINT(azure_directory(r)),
                                        KIM_PRINT(azure_last(r->out->arena, units->members[i].name)));
        for (size_t k = 0; k < (kim_json_is(members, KIM_JSON_ARRAY) ? members->count : 0); k++)
            if (!kim_json_is(&members->items[k], KIM_JSON_STRING) ||
                azure_put_member(r, members->items[k].text, unit, "administrative_unit") < 0)
                return kim_fail(r->err, KIM_ERR_INPUT, "%s: administrative_units: a member is no id", r->where);
    }
    return 0;
}

static int read_member(azure_reader *r, kim_text name, const kim_json *value)
{
    const list_row *row = row_of(name);
    if (value->type == KIM_JSON_NULL)
        return 0;
    if (row)
        return read_list(r, row, value);
    if (kim_text_is(name, "groups"))
        return azure_read_groups(r, value);
    if (kim_text_is(name, "management_groups"))
        return azure_read_management_groups(r, value);
    return kim_text_is(name, "administrative_units") ? read_units(r, value) : 0;
}

/* ---- compare, expand ---- */

/* The two documents as roles of their own names: whatever ids they have, they may have the same one. */
static int put_document(azure_reader *r, const kim_json *document, const char *name)
{
    azure_kind kind = azure_kind_of(document);
    if (!kim_json_is(document, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: %s is %s; it must be a role definition", name,
                        document ? kim_json_type_name(document->type) : "missing");
    kim_json_member *members = KIM_NEW_ARRAY(r->out->arena, kim_json_member, document->count + 1);
    kim_json *id = KIM_NEW(r->out->arena, kim_json), *named = KIM_NEW(r->out->arena, kim_json);
    if (members == NULL || id == NULL || named == NULL)
        return kim_fail(r->err, KIM_ERR_LIMIT, "case: it takes more memory than a case may");
    *named = *document;
    *id = (kim_json){.type = KIM_JSON_STRING, .text = kim_text_of(name)};
    if (document->count)
        memcpy(members, document->members, document->count * sizeof *members);
    members[named->count++] = (kim_json_member){KIM_TEXT("id"), id};
    named->members = members;
    char where[64];
    snprintf(where, sizeof where, "case: %s", name);
    r->where = where;
    int result = azure_read(r, kind == ENTRA_ROLE_DEFINITION ? kind : AZURE_ROLE_DEFINITION, false, named);
    r->where = "case";
    return result;
}

static int read_documents(azure_reader *r, const kim_json *root)
{
    static const char *const compare_keys[] = {"type", "reference", "candidate", NULL};
    const kim_json *compare = kim_json_get(root, "compare"), *expand = kim_json_get(root, "expand");
    if (expand)
        return put_document(r, expand, "document");
    if (!kim_json_is(compare, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: compare is no object");
    for (size_t i = 0; i < compare->count; i++)
        if (!is_one_of(compare->members[i].name, compare_keys))
            return kim_fail(r->err, KIM_ERR_INPUT, "case: unknown key '%.*s' in compare; known are type, reference, candidate",
                            (int)(compare->members[i].name.size < 80 ? compare->members[i].name.size : 80), compare->members[i].name.bytes);
    if (put_document(r, kim_json_get(compare, "reference"), "reference") < 0)
        return -1;
    return put_document(r, kim_json_get(compare, "candidate"), "candidate");
}

/* ---- whole ---- */

bool azure_is_collected(const kim_json *root)
{
    size_t known = 0;
    for (size_t i = 0; kim_json_is(root, KIM_JSON_OBJECT) && i < root->count; i++)
        known += row_of(root->members[i].name) != NULL;
    return known > 0 && kim_json_get(root, "request") == NULL;
}

int azure_read_collected(azure_reader *r, const kim_json *root)
{
    kim_text tenant = kim_json_text_of(root, "tenant");
    if (tenant.size)
        r->tenant = kim_text_lower(r->out->arena, tenant);
    if (azure_put_profile(r) < 0)
        return -1;
    for (size_t i = 0; i < root->count; i++) {
        const kim_json *value = root->members[i].value;
        if (read_member(r, root->members[i].name, value) < 0)
            return -1;
        for (size_t k = 0; kim_text_is(root->members[i].name, "directory_objects") && kim_json_is(value, KIM_JSON_ARRAY) && k < value->count; k++)
            if (azure_read(r, azure_kind_of(&value->items[k]), false, &value->items[k]) < 0)
                return -1;
    }
    return 0;
}

static int read_case(azure_reader *r, const kim_json *root)
{
    if (!kim_json_is(root, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: the line is %s; it must be an object", kim_json_type_name(root->type));
    for (size_t i = 0; i < root->count; i++)
        if (row_of(root->members[i].name) == NULL && !is_one_of(root->members[i].name, case_keys))
            return refuse_key(r, root->members[i].name);
    if (azure_put_profile(r) < 0)
        return -1;
    if (kim_json_get(root, "compare") || kim_json_get(root, "expand"))
        return read_documents(r, root);
    for (size_t i = 0; i < root->count; i++)
        if (read_member(r, root->members[i].name, root->members[i].value) < 0)
            return -1;
    return 0;
}

int azure_case_normalise(azure_out *out, const char *name, kim_text bytes, kim_error *err)
{
    azure_reader r = {.out = out, .tenant = AZURE_NO_TENANT, .strict = true, .where = "case", .err = err};
    azure_out_drop(out);
    const kim_json *root = kim_json_parse(bytes.bytes, bytes.size, name && *name ? name : "case", out->arena, err);
    if (root == NULL || read_case(&r, root) < 0) {
        azure_out_drop(out);
        return -1;
    }
    return azure_out_flush(out, err);
}
