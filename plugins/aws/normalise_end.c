/* SPDX-License-Identifier: Apache-2.0
 *
 * normalise_end.c - what can be said only once everything was read.
 *
 * Answers name users and groups without their paths, so their ARNs are known only from other answers;
 * the credential report names keys without their ids; whether an ACL counts depends on the account; the
 * role of a permission set is found among an account's roles. Notes were kept of all these.
 */
#include <stdio.h>
#include <stdlib.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"

/* An identity by scope, kind of owner and name. */
typedef struct name {
    kim_text scope, kind, name, arn;
} name;

typedef struct ending {
    aws_out *out;
    name *names; /* [count], sorted */
    size_t count, room;
    const kim_record **keys; /* [key_count]: access keys that have an id, sorted by identity */
    size_t key_count, key_room;
    kim_error *err;
} ending;

static int compare_names(const void *a, const void *b)
{
    const name *x = a, *y = b;
    int order = kim_text_compare(x->scope, y->scope);
    if (order == 0)
        order = kim_text_compare(x->kind, y->kind);
    return order ? order : kim_text_compare(x->name, y->name);
}

static int compare_keys(const void *a, const void *b)
{
    const kim_record *x = *(const kim_record *const *)a, *y = *(const kim_record *const *)b;
    int order = kim_text_compare(x->credential.identity, y->credential.identity);
    return order ? order : kim_text_compare(x->credential.id, y->credential.id);
}

static void *grown(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    size_t more = *room ? 2 * *room : 1024;
    void *bigger = realloc(items, more * size);
    if (bigger)
        *room = more;
    return bigger;
}

static int take_name(void *context, const kim_record *record, kim_error *err)
{
    ending *e = context;
    aws_arn arn;
    if (!aws_arn_split(record->identity.id, &arn) || !kim_text_is(arn.service, "iam"))
        return 0;
    void *names = grown(e->names, e->count, &e->room, sizeof *e->names);
    if (names == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for %zu names", e->count);
    e->names = names;
    e->names[e->count++] = (name){record->scope, aws_arn_kind(&arn), aws_arn_name(&arn), record->identity.id};
    return 0;
}

static int take_key(void *context, const kim_record *record, kim_error *err)
{
    ending *e = context;
    if (!kim_text_is(record->credential.kind, "access_key"))
        return 0;
    void *keys = grown(e->keys, e->key_count, &e->key_room, sizeof *e->keys);
    if (keys == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for %zu keys", e->key_count);
    e->keys = keys;
    e->keys[e->key_count++] = record;
    return 0;
}

/* The ARN of an owner by name; where nobody told it, the one that it has without a path. */
static kim_text arn_of(const ending *e, kim_text scope, const char *kind, kim_text owner)
{
    if (kim_text_starts_with(owner, KIM_TEXT("arn:")))
        return owner;
    name wanted = {scope, kim_text_of(kind), owner, KIM_NO_TEXT};
    const name *found = e->count ? bsearch(&wanted, e->names, e->count, sizeof wanted, compare_names) : NULL;
    if (found)
        return found->arn;
    kim_text account = {scope.bytes + 4, scope.size - 4};
    return kim_text_format(e->out->arena, "arn:aws:iam::%.*s:%s/%.*s", KIM_PRINT(account), kind, KIM_PRINT(owner));
}

static int put(const ending *e, kim_text scope, kim_record record)
{
    record.scope = scope;
    return aws_put(e->out, &record, e->err);
}

static int put_attachment(const ending *e, kim_text scope, kim_text policy, const char *layer, kim_text subject, kim_text resource)
{
    return put(e, scope, (kim_record){.type = KIM_ATTACHMENT,
                                      .attachment = {.policy = policy, .layer = kim_text_of(layer), .subject = subject, .resource = resource}});
}

/* ---- what each kind of note becomes ---- */

static int end_member(ending *e, const aws_note *note)
{
    return put(e, note->scope, (kim_record){.type = KIM_EDGE,
        .edge = {.kind = KIM_MEMBER_OF, .from = arn_of(e, note->scope, "user", note->a), .to = arn_of(e, note->scope, "group", note->b),
                 .via = KIM_TEXT("group")}});
}

static int end_attached(ending *e, const aws_note *note)
{
    return put_attachment(e, note->scope, note->c, "identity", arn_of(e, note->scope, note->b.bytes, note->a), KIM_NO_TEXT);
}

static int put_noted_document(ending *e, const aws_note *note, kim_text id, kim_text title, const char *kind)
{
    kim_error why = {0};
    const kim_json *document = kim_json_parse(note->d.bytes, note->d.size, "policy", e->out->arena, &why);
    aws_policy as = {.scope = note->scope, .id = id, .name = title, .kind = kim_text_of(kind)};
    return document ? aws_document_put(e->out, &as, document, e->err)
                    : aws_document_put_unread(e->out, &as, kim_text_of(why.message), e->err);
}

static int end_inline(ending *e, const aws_note *note)
{
    kim_text owner = arn_of(e, note->scope, note->b.bytes, note->a);
    kim_text id = aws_concat3(e->out->arena, owner, KIM_TEXT("/inline/"), note->c);
    if (put_noted_document(e, note, id, note->c, "inline") < 0)
        return -1;
    return put_attachment(e, note->scope, id, "identity", owner, KIM_NO_TEXT);
}

static int end_credential(ending *e, const aws_note *note)
{
    kim_credential credential = note->credential;
    credential.identity = arn_of(e, note->scope, "user", note->a);
    if (kim_text_is(credential.id, "password"))
        credential.id = aws_concat(e->out->arena, credential.identity, KIM_TEXT("/password"));
    if (credential.id.size == 0)
        return 0;
    return put(e, note->scope, (kim_record){.type = KIM_CREDENTIAL, .credential = credential});
}

/* The key's record, if it was listed; else its user tells whose it is. */
static int end_key_used(ending *e, const aws_note *note)
{
    kim_credential credential = note->credential;
    credential.id = note->a;
    credential.kind = KIM_TEXT("access_key");
    for (size_t i = 0; i < e->key_count && credential.identity.bytes == NULL; i++)
        if (kim_text_equal(e->keys[i]->credential.id, note->a))
            credential.identity = e->keys[i]->credential.identity;
    if (credential.identity.bytes == NULL && note->b.size)
        credential.identity = arn_of(e, note->scope, "user", note->b);
    if (credential.identity.bytes == NULL)
        return 0; /* a key of nobody that is known */
    return put(e, note->scope, (kim_record){.type = KIM_CREDENTIAL, .credential = credential});
}

/* The report's dates have no fractions of a second. */
static bool is_same_second(int64_t a, int64_t b)
{
    return a / 1000 == b / 1000;
}

/* Joined to the listed key that was made at that second; a key that was not listed stays as reported. */
static int end_reported_key(ending *e, const aws_note *note)
{
    kim_credential credential = note->credential;
    for (size_t i = 0; i < e->key_count; i++) {
        const kim_credential *key = &e->keys[i]->credential;
        if (!kim_text_equal(key->identity, credential.identity) || !is_same_second(key->created_unix_ms, credential.created_unix_ms))
            continue;
        credential.id = key->id;
        credential.created_unix_ms = key->created_unix_ms;
        break;
    }
    return put(e, note->scope, (kim_record){.type = KIM_CREDENTIAL, .credential = credential});
}

static bool ignores_public_acls(const ending *e, const aws_note *note)
{
    kim_record bucket = {.type = KIM_RESOURCE, .scope = note->scope, .resource = {.id = note->a}};
    kim_record account = {.type = KIM_SCOPE, .scope = note->scope, .as_scope = {.id = note->scope}};
    const kim_record *found = aws_out_find(e->out, &bucket), *of = aws_out_find(e->out, &account);
    return (found && kim_text_is(kim_pairs_get(found->resource.facts, "s3.ignore_public_acls"), "true")) ||
           (of && kim_text_is(kim_pairs_get(of->as_scope.facts, "s3.ignore_public_acls"), "true"));
}

static bool has_no_acls(const ending *e, const aws_note *note)
{
    kim_record bucket = {.type = KIM_RESOURCE, .scope = note->scope, .resource = {.id = note->a}};
    const kim_record *found = aws_out_find(e->out, &bucket);
    return found && kim_text_is(kim_pairs_get(found->resource.facts, "s3.object_ownership"), "BucketOwnerEnforced");
}

/* An ACL counts unless the bucket has none, and its public grants unless they are ignored. */
static int end_acl(ending *e, const aws_note *note)
{
    kim_text id = aws_concat(e->out->arena, note->a, KIM_TEXT("/acl"));
    bool is_public = memmem(note->d.bytes, note->d.size, "\"*\"", 3) != NULL;
    if (has_no_acls(e, note) || (is_public && ignores_public_acls(e, note)))
        return 0;
    if (put_noted_document(e, note, id, KIM_TEXT("acl"), "acl") < 0)
        return -1;
    return put_attachment(e, note->scope, id, "resource", KIM_NO_TEXT, note->a);
}

/* The role that Identity Center made in the account for a permission set of that name. */
static kim_text reserved_role(const ending *e, kim_text scope, kim_text set_name)
{
    kim_text prefix = aws_concat3(e->out->arena, KIM_TEXT("AWSReservedSSO_"), set_name, KIM_TEXT("_"));
    for (size_t i = 0; set_name.size && i < e->count; i++)
        if (kim_text_equal(e->names[i].scope, scope) && kim_text_is(e->names[i].kind, "role") &&
            kim_text_starts_with(e->names[i].name, prefix) &&
            memchr(e->names[i].name.bytes + prefix.size, '_', e->names[i].name.size - prefix.size) == NULL)
            return e->names[i].arn;
    return KIM_NO_TEXT;
}

static int end_assignment(ending *e, const aws_note *note)
{
    kim_record like = {.type = KIM_POLICY, .scope = note->scope, .policy = {.id = note->c}};
    const kim_record *set = aws_out_find(e->out, &like);
    kim_text scope = aws_scope_of(e->out->arena, note->b), role = KIM_NO_TEXT;
    if (set)
        role = reserved_role(e, scope, set->policy.name);
    return put(e, note->scope, (kim_record){.type = KIM_EDGE,
        .edge = {.kind = KIM_CAN_BECOME, .from = note->a, .to = role.size ? role : note->c, .via = KIM_TEXT("sso:permission-set"), .to_scope = scope}});
}

/* ---- pages ---- */

/* Did the last page of what this page belongs to come as well? */
static bool has_last_page(const ending *e, const aws_note *page)
{
    for (const aws_note *note = aws_out_notes(e->out); note; note = note->next)
        if (note->kind == AWS_NOTE_PAGE && note->number == 0 && kim_text_equal(note->a, page->a) &&
            kim_text_equal(note->b, page->b) && kim_text_equal(note->scope, page->scope))
            return true;
    return false;
}

static int end_page(ending *e, const aws_note *note)
{
    if (note->scope.size == 0)
        return 0;
    if (note->number && !has_last_page(e, note)) {
        kim_text why = aws_concat3(e->out->arena, KIM_TEXT("the last page of "), note->a, KIM_TEXT(" is missing"));
        return aws_put_coverage(e->out, note->scope, note->c, KIM_PARTIAL, why, KIM_NO_TEXT, e->err);
    }
    if (kim_text_is(note->a, "iam:GetAccountAuthorizationDetails"))
        return aws_put_coverage(e->out, note->scope, note->c, KIM_READ, KIM_NO_TEXT, KIM_NO_TEXT, e->err);
    return 0;
}

/* ---- accounts that nobody read ---- */

typedef struct text_list {
    kim_text *items;
    size_t count, room;
} text_list;

static int take_unread_account(void *context, const kim_record *record, kim_error *err)
{
    text_list *list = ((void **)context)[0];
    const aws_out *out = ((void **)context)[1];
    kim_record iam = {.type = KIM_COVERAGE, .scope = record->scope, .coverage = {.part = KIM_TEXT("iam")}};
    if (!kim_text_is(record->as_scope.kind, "account") || record->as_scope.parent.bytes == NULL || aws_out_find(out, &iam))
        return 0;
    void *items = grown(list->items, list->count, &list->room, sizeof *list->items);
    if (items == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for %zu accounts", list->count);
    list->items = items;
    list->items[list->count++] = record->scope;
    return 0;
}

static int end_accounts(ending *e)
{
    text_list list = {0};
    void *context[2] = {&list, e->out};
    int result = aws_out_each(e->out, KIM_SCOPE, take_unread_account, context, e->err);
    for (size_t i = 0; result == 0 && i < list.count; i++)
        result = aws_put_coverage(e->out, list.items[i], KIM_TEXT("iam"), KIM_UNREADABLE,
                                  KIM_TEXT("no agent: the organisation names this account, and its identities were not read"),
                                  KIM_NO_TEXT, e->err);
    free(list.items);
    return result;
}

/* ---- in order: keys must be there before what is joined to them ---- */

static const struct { aws_note_kind kind; int (*end)(ending *e, const aws_note *note); } steps[] = {
    {AWS_NOTE_CREDENTIAL, end_credential}, {AWS_NOTE_MEMBER, end_member}, {AWS_NOTE_ATTACHED, end_attached},
    {AWS_NOTE_INLINE, end_inline}, {AWS_NOTE_ACL, end_acl}, {AWS_NOTE_ASSIGNMENT, end_assignment}, {AWS_NOTE_PAGE, end_page},
    {AWS_NOTE_KEY_USED, end_key_used}, {AWS_NOTE_REPORTED_KEY, end_reported_key},
};

static int end_notes(ending *e)
{
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        if (steps[s].kind == AWS_NOTE_KEY_USED) { /* the keys that were listed are known now */
            if (aws_out_each(e->out, KIM_CREDENTIAL, take_key, e, e->err) < 0)
                return -1;
            if (e->key_count)
                qsort(e->keys, e->key_count, sizeof *e->keys, compare_keys);
        }
        for (const aws_note *note = aws_out_notes(e->out); note; note = note->next) {
            if (note->kind != steps[s].kind)
                continue;
            kim_arena_reset(e->out->arena);
            if (steps[s].end(e, note) < 0)
                return -1;
        }
    }
    return 0;
}

int aws_normalise_end(aws_out *out, kim_error *err)
{
    ending e = {.out = out, .err = err};
    int result = aws_out_each(out, KIM_IDENTITY, take_name, &e, err);
    if (result == 0 && e.count)
        qsort(e.names, e.count, sizeof *e.names, compare_names);
    if (result == 0)
        result = end_notes(&e);
    if (result == 0)
        result = end_accounts(&e);
    free(e.names);
    free(e.keys);
    return result;
}
