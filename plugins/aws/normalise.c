/* SPDX-License-Identifier: Apache-2.0
 *
 * normalise.c - from a document to its row, and along the row through its elements.
 *
 * Lists are cut into elements (split.h) and each is parsed by itself: a damaged one costs itself, a text
 * that is cut short what lies behind the cut. Both become coverage.
 */
#include <stdarg.h>
#include <stdio.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/read.h"
#include "plugins/aws/split.h"

static const aws_row *const tables[] = {
    aws_rows_collected, aws_rows_organizations, aws_rows_iam, aws_rows_resources, aws_rows_listings,
    aws_rows_identity_center, aws_rows_iot,
};
enum { TABLES = sizeof tables / sizeof *tables };

enum { KEEP_MAX_BYTES = 4 * 1024 * 1024, HEAD_MAX_BYTES = 64 * 1024, NAME_MAX = 256 };

/* ---- which kind is it? ---- */

static const aws_row *row_of(const char *kind)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const aws_row *row = tables[t]; row->kind; row++)
            if (strcmp(row->kind, kind) == 0)
                return row;
    return NULL;
}

/* "list-users" for ListUsers. */
static void command_of(const char *operation, char *command, size_t size)
{
    size_t used = 0;
    for (const char *at = operation; *at && used + 2 < size; at++) {
        bool upper = *at >= 'A' && *at <= 'Z';
        bool after_lower = at > operation && !(at[-1] >= 'A' && at[-1] <= 'Z');
        bool before_lower = at > operation && at[1] >= 'a' && at[1] <= 'z';
        if (upper && (after_lower || before_lower))
            command[used++] = '-';
        command[used++] = upper ? (char)(*at | 0x20) : *at;
    }
    command[used] = '\0';
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Where `word` stands by itself in a name, ignoring case; NULL where it does not. */
static const char *word_in(kim_text name, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; size && i + size <= name.size; i++) {
        if (!kim_text_equal_nocase((kim_text){name.bytes + i, size}, (kim_text){word, size}))
            continue;
        bool begins = i == 0 || !is_word_byte(name.bytes[i - 1]);
        bool ends = i + size == name.size || (!is_word_byte(name.bytes[i + size]) && name.bytes[i + size] != '-');
        if (begins && ends)
            return name.bytes + i;
    }
    return NULL;
}

/* 2: a name that names the row's operation and its service, 1: the operation, 0: neither. */
static int name_rank(kim_text name, const aws_row *row, const char **behind)
{
    char command[NAME_MAX], service[NAME_MAX];
    const char *operation = strchr(row->kind, ':');
    if (operation == NULL)
        return 0;
    operation++;
    command_of(operation, command, sizeof command);
    snprintf(service, sizeof service, "%.*s", (int)(operation - row->kind - 1), row->kind);
    const char *at = word_in(name, command);
    size_t size = strlen(command);
    if (at == NULL) {
        at = word_in(name, operation);
        size = strlen(operation);
    }
    if (at == NULL)
        return 0;
    if (behind)
        *behind = at + size;
    return word_in(name, service) ? 2 : 1;
}

/* The document that a command's output is, where a recorder wrapped it: {"status":200,"data":{...}}. */
static kim_text unwrapped(kim_text document)
{
    if (aws_split_has_shape(document, "status data{}")) {
        kim_text data = aws_split_get(document, "data");
        return data.bytes ? data : document;
    }
    return document;
}

/* Of the rows that have the document's shape the one that the name speaks for best, else the one of which
 * most can be seen, else the first. */
static const aws_row *recognised(kim_text name, kim_text document)
{
    const aws_row *best = NULL;
    int best_rank = 0;
    for (size_t t = 0; t < TABLES; t++)
        for (const aws_row *row = tables[t]; row->kind; row++) {
            int shape = row->shape ? aws_split_has_shape(document, row->shape) : 0;
            int rank = shape ? 2 * name_rank(name, row, NULL) + shape : -1;
            if (rank > best_rank) {
                best = row;
                best_rank = rank;
            }
        }
    return best;
}

const char *aws_recognise_kind(kim_text name, kim_text head)
{
    kim_text document = head;
    if (document.size > HEAD_MAX_BYTES)
        document.size = HEAD_MAX_BYTES;
    if (aws_split_kind(document) != '{')
        return NULL;
    const aws_row *row = recognised(name, unwrapped(document));
    return row ? row->kind : NULL;
}

size_t aws_kind_rank(const char *kind)
{
    size_t rank = 0;
    for (size_t t = 0; t < TABLES; t++)
        for (const aws_row *row = tables[t]; row->kind; row++, rank++)
            if (strcmp(row->kind, kind) == 0)
                return rank;
    return rank;
}

/* Up to the next "__" or the end; *rest goes behind it. */
static kim_text name_part(kim_text *rest)
{
    kim_text part = *rest;
    const char *bar = part.size ? memmem(part.bytes, part.size, "__", 2) : NULL;
    if (bar == NULL) {
        *rest = KIM_NO_TEXT;
        return part;
    }
    part.size = (size_t)(bar - part.bytes);
    *rest = (kim_text){bar + 2, rest->size - part.size - 2};
    return part;
}

void aws_subjects_of_name(kim_arena *arena, kim_text name, const char *kind, aws_context *context)
{
    const aws_row *row = row_of(kind);
    const char *behind = NULL;
    if (row == NULL || name_rank(name, row, &behind) == 0)
        return;
    kim_text rest = {behind, (size_t)(name.bytes + name.size - behind)};
    if (kim_text_ends_with(rest, KIM_TEXT(".json")))
        rest.size -= 5;
    if (kim_text_starts_with(rest, KIM_TEXT("__")))
        rest = (kim_text){rest.bytes + 2, rest.size - 2};
    else if (kim_text_starts_with(rest, KIM_TEXT("/")))
        rest = (kim_text){rest.bytes + 1, rest.size - 1};
    else
        return;
    kim_text subject = name_part(&rest), subject2 = name_part(&rest);
    if (subject.size)
        context->subject = aws_percent_decoded(arena, subject);
    if (subject2.size)
        context->subject2 = aws_percent_decoded(arena, subject2);
}

/* ---- helpers of readers ---- */

kim_text aws_read_partition(const aws_reading *r)
{
    return r->context->partition.size ? r->context->partition : KIM_TEXT("aws");
}

kim_text aws_read_arn(aws_reading *r, const char *service, kim_text region, kim_text account, kim_text resource)
{
    return kim_text_format(r->out->arena, "arn:%.*s:%s:%.*s:%.*s:%.*s", KIM_PRINT(aws_read_partition(r)), service,
                           KIM_PRINT(region), KIM_PRINT(account), KIM_PRINT(resource));
}

int aws_read_untold(aws_reading *r, const char *what)
{
    return kim_fail(r->err, KIM_ERR_CONFLICT, "%s: %s does not say %s; tell it by the file's name "
                    "(ACCOUNT/COMMAND__NAME.json) or by a member beside the answer", r->origin, r->kind, what);
}

int aws_read_account_id(aws_reading *r, kim_text account)
{
    if (account.size == 0)
        return kim_fail(r->err, KIM_ERR_CONFLICT, "%s: %s does not say which account it is of; set the option `account`, "
                        "or put the file below a folder named after the account", r->origin, r->kind);
    if (!kim_text_equal(r->account, account)) {
        r->account = kim_text_copy(r->keep, account);
        r->scope = aws_scope_of(r->keep, account);
    }
    bool is_new = true;
    for (size_t i = r->account_count; is_new && i-- > 0;)
        is_new = !kim_text_equal(r->accounts[i], r->account);
    if (!is_new)
        return 0;
    if (r->account_count == r->account_room) {
        size_t room = r->account_room ? 2 * r->account_room : 8;
        kim_text *bigger = KIM_NEW_ARRAY(r->keep, kim_text, room);
        if (bigger == NULL)
            return kim_fail(r->err, KIM_ERR_LIMIT, "%s: it speaks of more than %zu accounts", r->origin, r->account_count);
        if (r->account_count)
            memcpy(bigger, r->accounts, r->account_count * sizeof *bigger);
        r->accounts = bigger;
        r->account_room = room;
    }
    r->accounts[r->account_count++] = r->account;
    kim_record scope = {.type = KIM_SCOPE, .scope = r->scope,
                        .as_scope = {.id = r->scope, .kind = KIM_TEXT("account")}};
    if (aws_put(r->out, &scope, r->err) < 0)
        return -1;
    return aws_put_profile(r->out, r->scope, r->err);
}

int aws_read_account(aws_reading *r, kim_text arn)
{
    kim_text account = kim_text_starts_with(arn, KIM_TEXT("arn:")) ? aws_account_of(arn) : KIM_NO_TEXT;
    return aws_read_account_id(r, account.bytes ? account : r->account.bytes ? r->account : r->context->account);
}

int aws_read_skip(aws_reading *r, const char *part, kim_text resource, const char *format, ...)
{
    char why[512];
    int used = snprintf(why, sizeof why, "%.200s: ", r->origin);
    va_list args;
    va_start(args, format);
    vsnprintf(why + used, sizeof why - (size_t)used, format, args);
    va_end(args);
    kim_error harmless; /* a cut may have halved a character, and the text is someone's */
    kim_fail(&harmless, KIM_ERR_INPUT, "%s", why);
    if (r->out->host->log)
        r->out->host->log(r->out->host->context, KIM_LOG_WARNING, "part_unread", harmless.message);
    if (r->scope.bytes == NULL)
        return 0;
    return aws_put_coverage(r->out, r->scope, kim_text_of(part), KIM_PARTIAL, kim_text_of(harmless.message), resource, r->err);
}

int aws_read_covered(aws_reading *r, const char *part, kim_text resource)
{
    return aws_put_coverage(r->out, r->scope, kim_text_of(part), KIM_READ, KIM_NO_TEXT, resource, r->err);
}

kim_text aws_read_subject(aws_reading *r, const kim_json *document, const char *member, ...)
{
    kim_text found = KIM_NO_TEXT;
    va_list more;
    va_start(more, member);
    for (; member && found.size == 0; member = va_arg(more, const char *))
        found = kim_json_text_of(document, member);
    va_end(more);
    return found.size ? found : r->context->subject;
}

int aws_read_put(aws_reading *r, kim_record *record)
{
    record->scope = r->scope;
    return aws_put(r->out, record, r->err);
}

int aws_read_names(aws_reading *r, const kim_json *names, const char *service, const char *kind)
{
    kim_arena *arena = r->out->arena;
    kim_texts of = kim_json_texts(names, arena);
    if (of.count == 0)
        return 0;
    if (aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    if (r->context->region.size == 0)
        return aws_read_untold(r, "its region (a folder named after it)");
    for (size_t i = 0; i < of.count; i++) {
        kim_text path = kim_text_format(arena, "%s/%.*s", kind, KIM_PRINT(of.items[i]));
        kim_record record = {.type = KIM_RESOURCE,
                             .resource = {.id = aws_read_arn(r, service, r->context->region, r->account, path),
                                          .type = kim_text_format(arena, "%s:%s", service, kind), .name = of.items[i]}};
        if (aws_read_put(r, &record) < 0)
            return -1;
    }
    return 0;
}

int aws_read_attach(aws_reading *r, kim_text policy, const char *layer, kim_text subject, kim_text resource)
{
    kim_record record = {.type = KIM_ATTACHMENT,
                         .attachment = {.policy = policy, .layer = kim_text_of(layer), .subject = subject, .resource = resource}};
    return aws_read_put(r, &record);
}

int aws_read_document(aws_reading *r, kim_text id, kim_text name, const char *kind, const kim_json *document)
{
    aws_policy as = {.scope = r->scope, .id = id, .name = name, .kind = kim_text_of(kind)};
    return aws_document_put(r->out, &as, document, r->err);
}

int aws_read_resource_policy(aws_reading *r, kim_text arn, const kim_json *document)
{
    aws_arn split;
    kim_record resource = {.type = KIM_RESOURCE, .resource = {.id = arn, .type = aws_resource_type(r->out->arena, arn)}};
    if (aws_arn_split(arn, &split))
        resource.resource.name = aws_arn_name(&split);
    if (aws_read_put(r, &resource) < 0)
        return -1;
    if (document == NULL || document->type == KIM_JSON_NULL || (document->type == KIM_JSON_STRING && document->text.size == 0))
        return 0;
    kim_text id = aws_concat(r->out->arena, arn, KIM_TEXT("/policy"));
    if (aws_read_document(r, id, KIM_TEXT("policy"), "resource", document) < 0)
        return -1;
    return aws_read_attach(r, id, "resource", KIM_NO_TEXT, arn);
}

/* ---- running along a row ---- */

/* Reads one piece. What is wrong with the piece alone is coverage; -1 only where the run ends. */
static int read_piece(aws_reading *r, const aws_row *row, kim_text piece)
{
    kim_error why = {0}, *err = r->err;
    kim_arena_reset(r->out->arena);
    const kim_json *value = kim_json_parse(piece.bytes, piece.size, r->origin, r->out->arena, &why);
    if (value == NULL) {
        if (why.code == KIM_ERR_NOMEM && !kim_arena_is_full(r->out->arena)) {
            *err = why;
            return -1;
        }
        return aws_read_skip(r, row->part, KIM_NO_TEXT, "%.300s", why.message);
    }
    r->err = &why;
    int result = row->read(r, value);
    r->err = err;
    if (result == 0 && !kim_arena_is_full(r->out->arena))
        return 0;
    if (result < 0 && why.code != KIM_ERR_LIMIT) {
        *err = why;
        return -1;
    }
    return aws_read_skip(r, row->part, KIM_NO_TEXT, "%.300s", result < 0 ? why.message : "one element takes more memory than an answer may");
}

/* The elements of the row's list, each by itself. */
static int read_list(aws_reading *r, const aws_row *row, kim_text list)
{
    const char *outer = r->origin;
    char origin[512];
    aws_split elements = aws_split_inside(list);
    kim_text element;
    int result = 0;
    r->origin = origin;
    for (size_t i = 0; result == 0 && aws_split_next(&elements, &element); i++) {
        snprintf(origin, sizeof origin, "%.300s: %s[%zu]", outer, row->list, i);
        result = read_piece(r, row, element);
    }
    r->origin = outer;
    if (result == 0 && elements.fault)
        result = aws_read_skip(r, row->part, KIM_NO_TEXT, "%s %s; only what stands before was read", row->list, elements.fault);
    return result;
}

/* Whose answer a document is, where the context does not say: the first element that names an account. */
static int find_account(aws_reading *r, const aws_row *first)
{
    if (r->context->account.size || r->account.size)
        return 0;
    for (const aws_row *row = first; row->kind && strcmp(row->kind, first->kind) == 0; row++) {
        aws_split elements = aws_split_inside(row->list ? aws_split_open(r->document, row->list) : KIM_NO_TEXT);
        kim_text element;
        while (aws_split_next(&elements, &element)) {
            kim_text arn = aws_split_get(element, "Arn");
            kim_text account = arn.size > 2 ? aws_account_of((kim_text){arn.bytes + 1, arn.size - 2}) : KIM_NO_TEXT;
            if (account.bytes)
                return aws_read_account_id(r, account);
        }
    }
    return 0;
}

/* A list that is cut short has no value that ends: what stands of it is read all the same. */
static int read_lists(aws_reading *r, const aws_row *first)
{
    aws_split members = aws_split_inside(r->document);
    kim_text name, value;
    while (aws_split_member(&members, &name, &value))
        ;
    if (find_account(r, first) < 0)
        return -1;
    for (const aws_row *row = first; row->kind && strcmp(row->kind, first->kind) == 0; row++) {
        kim_text list = row->list ? aws_split_open(r->document, row->list) : KIM_NO_TEXT;
        if (list.bytes && aws_split_kind(list) != '[') {
            if (aws_read_skip(r, row->part, KIM_NO_TEXT, "%s is no list", row->list) < 0)
                return -1;
        } else if (list.bytes && read_list(r, row, list) < 0) {
            return -1;
        }
    }
    return members.fault ? aws_read_skip(r, first->part, KIM_NO_TEXT, "the document %s", members.fault) : 0;
}

/* Is a further page said to follow? */
static bool goes_on(kim_text document)
{
    static const char *const tokens[] = {"NextToken", "nextToken", "NextMarker", "nextMarker"};
    if (kim_text_is(aws_split_get(document, "IsTruncated"), "true") || kim_text_is(aws_split_get(document, "Truncated"), "true"))
        return true;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (aws_split_kind(aws_split_get(document, tokens[i])) == '"')
            return true;
    return false;
}

/* What was asked about, where it stands beside the answer: {"ParentId":"r-1","OrganizationalUnits":[...]}. */
static void take_subject(aws_reading *r, const aws_row *row, aws_context *context)
{
    kim_text value = row->subject ? aws_split_get(r->document, row->subject) : KIM_NO_TEXT;
    if (aws_split_kind(value) != '"')
        return;
    const kim_json *text = kim_json_parse(value.bytes, value.size, r->origin, r->keep, NULL);
    if (text == NULL || text->text.size == 0)
        return;
    *context = *r->context;
    context->subject = text->text;
    r->context = context;
}

static int read_document(aws_reading *r, const aws_row *row)
{
    aws_context context;
    if (row->read == NULL)
        return 0;
    take_subject(r, row, &context);
    if (row->list == NULL ? read_piece(r, row, r->document) < 0
        : *row->list ? read_lists(r, row) < 0 : row->read(r, NULL) < 0)
        return -1;
    aws_note page = {.kind = AWS_NOTE_PAGE, .scope = r->scope, .a = kim_text_of(r->kind), .b = r->context->subject,
                     .c = kim_text_of(row->part), .number = goes_on(r->document)};
    return aws_out_note(r->out, &page, r->err);
}

int aws_normalise(aws_out *out, const char *kind, const aws_context *context, kim_text json, kim_error *err)
{
    kim_text origin = context->origin.size ? context->origin : KIM_TEXT("aws");
    aws_reading r = {.out = out, .context = context, .err = err, .keep = kim_arena_new(KEEP_MAX_BYTES)};
    if (r.keep == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory to begin with");
    r.origin = kim_text_copy(r.keep, origin).bytes;
    aws_split documents = aws_split_values(json);
    kim_text document;
    int result = 0;
    size_t count = 0;
    while (result == 0 && aws_split_open_next(&documents, &document)) {
        count++;
        r.document = unwrapped(document);
        r.context = context;
        const aws_row *row = kind && *kind ? row_of(kind) : recognised(context->origin, r.document);
        if (row == NULL) {
            result = kim_fail(err, KIM_ERR_NOT_FOUND, "%s: nothing that kim knows of AWS; see the list of files in the manual", r.origin);
        } else {
            row = row_of(row->kind); /* its first row */
            r.kind = row->kind;
            result = read_document(&r, row);
        }
    }
    if (result == 0 && count == 0)
        result = kim_fail(err, KIM_ERR_INPUT, "%s: there is no JSON in it", r.origin);
    kim_arena_free(r.keep);
    return result;
}
