/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.c - one recursive function over the table: ask, hand to aws_normalise, ask the rows below for
 * each item, next page.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kim/json.h>

#include "plugins/aws/document.h"
#include "plugins/aws/live/collections.h"
#include "plugins/aws/live/walk.h"
#include "plugins/aws/normalise.h"

enum { PARTS_MAX = 128, ANSWER_ARENA_MAX_BYTES = 768 * 1024 * 1024, WHY_CHARS = 512 };

/* What is known of a part of the account at hand. */
typedef struct part_state {
    const char *name;
    bool organisation, regional;
    int32_t status; /* kim_coverage_status; 0: not asked about */
    char why[WHY_CHARS];
} part_state;

struct aws_walk {
    aws_plugin *self;
    const aws_api *api;
    aws_out *out;
    const aws_collection *rows; /* [row_count] */
    size_t row_count;
    part_state parts[PARTS_MAX];
    size_t part_count;
    char organization[64];      /* "o-1", once known */
    bool organization_read;     /* somebody was answered */
    char regions[1024];         /* of the account at hand, for people */
    char (*accounts)[16];       /* [account_count] walked so far */
    size_t account_count;
    bool unresolved;            /* the last call found no host of that name */
    aws_session *session;
};

/* One question and where it came from. */
typedef struct asked {
    const aws_collection *row;
    const char *args[AWS_ARGS];
    char region[32];
    unsigned depth;
} asked;

/* ---- parts ---- */

static part_state *part_of(aws_walk *w, const aws_collection *row)
{
    for (size_t i = 0; i < w->part_count; i++)
        if (strcmp(w->parts[i].name, row->part) == 0)
            return &w->parts[i];
    part_state *part = &w->parts[w->part_count];
    w->part_count += w->part_count + 1 < PARTS_MAX;
    *part = (part_state){.name = row->part, .organisation = strncmp(row->part, "organizations", 13) == 0};
    return part;
}

aws_walk *aws_walk_new(aws_plugin *self, const aws_api *api, aws_out *out, kim_error *err)
{
    aws_walk *w = calloc(1, sizeof *w);
    if (w == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "aws: no memory to collect");
        return NULL;
    }
    w->self = self;
    w->api = api;
    w->out = out;
    w->rows = aws_collections(&w->row_count);
    for (size_t i = 0; i < w->row_count; i++)
        part_of(w, &w->rows[i])->regional |= (w->rows[i].flags & AWS_REGIONAL) != 0;
    return w;
}

void aws_walk_free(aws_walk *w)
{
    if (w != NULL)
        free(w->accounts);
    free(w);
}

static int put_coverage(aws_walk *w, const char *account, const char *part, int32_t status, const char *why, kim_error *err)
{
    char scope[24];
    snprintf(scope, sizeof scope, "aws:%s", account);
    return aws_put_coverage(w->out, kim_text_of(scope), kim_text_of(part), status, why[0] != '\0' ? kim_text_of(why) : KIM_NO_TEXT, KIM_NO_TEXT, err);
}

int aws_walk_closed(aws_walk *w, const char *account, const char *why, kim_error *err)
{
    for (size_t i = 0; i < w->part_count; i++)
        if (!w->parts[i].organisation && put_coverage(w, account, w->parts[i].name, KIM_UNREADABLE, why, err) < 0)
            return -1;
    return 0;
}

/* The worst that was met counts. */
static void note(part_state *part, int32_t status, const char *why)
{
    if (status <= part->status)
        return;
    part->status = status;
    snprintf(part->why, sizeof part->why, "%s", why);
}

/* What the account's parts have come to. The organisation's wait: another account may be answered where
 * this one was refused. */
static int put_parts(aws_walk *w, kim_error *err)
{
    for (size_t i = 0; i < w->part_count; i++) {
        part_state *part = &w->parts[i];
        if (part->organisation || part->status == 0)
            continue;
        if (put_coverage(w, w->session->account, part->name, part->status, part->status == KIM_READ && part->regional ? w->regions : part->why, err) < 0)
            return -1;
        part->status = 0;
    }
    return 0;
}

int aws_walk_end(aws_walk *w, kim_error *err)
{
    for (size_t i = 0; i < w->part_count; i++) {
        part_state *part = &w->parts[i];
        for (size_t k = 0; part->organisation && part->status != 0 && k < w->account_count; k++)
            if (put_coverage(w, w->accounts[k], part->name, part->status, part->why, err) < 0)
                return -1;
    }
    return 0;
}

/* ---- answers that are none ---- */

typedef enum verdict { ANSWERED, NOTHING, UNREADABLE, FAILED } verdict;

static bool is_listed(const char *const *codes, size_t count, const char *code)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}
#define LISTED(codes, code) is_listed(codes, sizeof(codes) / sizeof *(codes), code)

/* Nothing can be read with such keys. AWS, "Common error types". */
static const char *const key_codes[] = {
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId",
    "InvalidSignatureException", "MissingAuthenticationToken", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
};

static const char *const throttle_codes[] = {
    "BandwidthLimitExceeded", "LimitExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "Throttling", "ThrottledException", "ThrottlingException", "TooManyRequestsException",
};

/* The account never signed up for the service, so there is nothing in it. */
static const char *const unused_codes[] = {"OptInRequired", "SubscriptionRequiredException"};

/* Gone between the list and the question. */
static const char *const gone_codes[] = {
    "AWS.SimpleQueueService.NonExistentQueue", "FileSystemNotFound", "NoSuchBucket", "NoSuchEntity", "NotFound", "NotFoundException",
    "QueueDoesNotExist", "RepositoryNotFoundException", "ResourceNotFoundException", "TargetNotFoundException",
};

static bool names_code(const char *list, const char *code)
{
    size_t size = strlen(code);
    const char *at = list != NULL && size > 0 ? strstr(list, code) : NULL;
    return at != NULL && (at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0');
}

static verdict judge(const aws_collection *row, const aws_answer *answer)
{
    if (answer->status < 300)
        return ANSWERED;
    if (names_code(row->none, answer->code) || LISTED(unused_codes, answer->code))
        return NOTHING;
    if (row->under != NULL && LISTED(gone_codes, answer->code))
        return NOTHING;
    if (answer->status == 429 || LISTED(throttle_codes, answer->code) || LISTED(key_codes, answer->code) ||
        (answer->status >= 500 && answer->status != 501) || answer->status < 400)
        return FAILED;
    return UNREADABLE;
}

static int fail_answer(const aws_walk *w, const asked *q, const aws_answer *answer, kim_error *err)
{
    kim_code code = answer->status == 429 || LISTED(throttle_codes, answer->code) ? KIM_ERR_THROTTLED
                    : LISTED(key_codes, answer->code) ? KIM_ERR_DENIED : KIM_ERR_NETWORK;
    return kim_fail(err, code, "%s of account %s in %s: %d %s %s; nothing of this run is taken", q->row->kind, w->session->account,
                    q->region, answer->status, answer->code, answer->message);
}

/* The resource has a policy, or none; which, and what it says, is not known. */
static int put_unread_policy(aws_walk *w, const asked *q, const char *why, kim_arena *arena, kim_error *err)
{
    kim_text resource = aws_fill(arena, q->row->resource, q->args, w->api->partition, q->region, w->session->account);
    kim_text id = kim_text_format(arena, "%.*s/policy", KIM_PRINT(resource)), scope = kim_text_format(arena, "aws:%s", w->session->account);
    kim_record attachment = {.type = KIM_ATTACHMENT, .scope = scope,
                             .attachment = {.policy = id, .layer = KIM_TEXT("resource"), .resource = resource}};
    aws_policy policy = {.scope = scope, .id = id, .kind = KIM_TEXT("resource")};
    if (kim_arena_is_full(arena) || resource.bytes == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory to collect");
    return aws_document_put_unread(w->out, &policy, kim_text_of(why), err) < 0 ? -1 : aws_put(w->out, &attachment, err);
}

static int note_unreadable(aws_walk *w, const asked *q, const aws_answer *answer, kim_arena *arena, kim_error *err)
{
    char why[WHY_CHARS];
    snprintf(why, sizeof why, "%s in %s: %d %s: %.240s; grant %s", q->row->kind, q->region, answer->status, answer->code,
             answer->message, q->row->action != NULL ? q->row->action : q->row->kind);
    w->self->host->log(w->self->host->context, KIM_LOG_WARNING, "not_readable", why);
    if ((q->row->flags & AWS_POLICY) != 0)
        return put_unread_policy(w, q, why, arena, err);
    note(part_of(w, q->row), q->row->resource == NULL ? KIM_UNREADABLE : KIM_PARTIAL, why);
    return 0;
}

/* ---- pages ---- */

/* Recognises a list that never ends: by a token that comes again, and by pages that are all alike. */
typedef struct pages {
    uint64_t *tokens; /* [count] hashes */
    size_t count, capacity;
    uint64_t last_page;
    unsigned alike;
} pages;

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u; /* FNV-1a */
    return hash;
}

/* The page without its token, which may differ where nothing else does. */
static uint64_t page_hash(kim_text json, kim_text token)
{
    uint64_t hash = 14695981039346656037u;
    const char *at = token.size > 0 ? memmem(json.bytes, json.size, token.bytes, token.size) : NULL;
    size_t before = at != NULL ? (size_t)(at - json.bytes) : json.size;
    hash = hash_bytes(hash, json.bytes, before);
    return at != NULL ? hash_bytes(hash, at + token.size, json.size - before - token.size) : hash;
}

static int turn_page(pages *p, const asked *q, kim_text json, kim_text token, kim_error *err)
{
    uint64_t hash = hash_bytes(14695981039346656037u, token.bytes, token.size), page = page_hash(json, token);
    for (size_t i = 0; i < p->count; i++)
        if (p->tokens[i] == hash)
            return kim_fail(err, KIM_ERR_INPUT, "%s: page %zu gives a page token that came before, so the list would never end; "
                            "nothing of this run is taken", q->row->kind, p->count + 1);
    p->alike = p->count > 0 && page == p->last_page ? p->alike + 1 : 1;
    p->last_page = page;
    if (p->alike > AWS_SAME_PAGES_MAX || p->count >= AWS_PAGES_MAX)
        return kim_fail(err, KIM_ERR_LIMIT, "%s: %zu pages and another page token, %u of them alike: the list seems never to end; "
                        "nothing of this run is taken", q->row->kind, p->count + 1, p->alike);
    if (p->count == p->capacity) {
        size_t capacity = p->capacity * 2 + 16;
        uint64_t *larger = realloc(p->tokens, capacity * sizeof *larger);
        if (larger == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for more pages", q->row->kind);
        p->tokens = larger;
        p->capacity = capacity;
    }
    p->tokens[p->count++] = hash;
    return 0;
}

/* ---- asking ---- */

const aws_keys *aws_session_keys(aws_session *s, kim_error *err)
{
    int64_t now = s->self->host->now_unix_ms(s->self->host->context);
    if (s->keys.access_key[0] != '\0' && !aws_keys_end_soon(&s->keys, now))
        return &s->keys;
    int renewed;
    if (s->base == NULL) {
        renewed = aws_keys_find(s->self, s->api, s->region, &s->keys, err);
    } else {
        const aws_keys *with = aws_session_keys((aws_session *)s->base, err);
        renewed = with == NULL ? -1 : aws_keys_assume(s->api, with, s->region, &s->role, &s->keys, err);
    }
    return renewed == 0 ? &s->keys : NULL;
}

static int ask(aws_walk *w, asked *q, const char *token, kim_arena *arena, aws_answer *answer, kim_error *err)
{
    aws_call call = {
        .kind = q->row->kind, .form = q->row->form, .args = {q->args[0], q->args[1], q->args[2]}, .token = token,
        .token_name = token != NULL ? q->row->token_in : NULL, .region = q->region, .account = w->session->account,
        .keys = aws_session_keys(w->session, err), .body_is_policy = (q->row->flags & AWS_BODY_IS_POLICY) != 0,
    };
    w->unresolved = false;
    if (call.keys == NULL)
        return kim_fail_in(err, "account %s in %s", w->session->account, q->region);
    if (aws_ask(w->api, &call, arena, answer, err) < 0) {
        w->unresolved = err->code == KIM_ERR_NOT_FOUND;
        return kim_fail_in(err, "account %s in %s", w->session->account, q->region);
    }
    bool elsewhere = (q->row->flags & AWS_BUCKET) != 0 && answer->status >= 300 && answer->bucket_region[0] != '\0' &&
                     strcmp(answer->bucket_region, q->region) != 0;
    if (!elsewhere)
        return 0;
    snprintf(q->region, sizeof q->region, "%s", answer->bucket_region);
    return aws_ask(w->api, &call, arena, answer, err);
}

/* "State=COMPLETE" holds, or nothing has to. */
static bool is_done(const aws_collection *row, const kim_json *json)
{
    if (row->until == NULL)
        return true;
    size_t name = strcspn(row->until, "=");
    return kim_text_is(kim_json_text(kim_json_get_text(json, (kim_text){row->until, name})), row->until + name + 1);
}

static int rest_a_second(const aws_walk *w, kim_error *err)
{
    const kim_host *host = w->self->host;
    for (int i = 0; i < 10; i++) {
        if (host->should_stop(host->context))
            return kim_fail(err, KIM_ERR_STOPPED, "asked to stop");
        struct timespec tenth = {.tv_nsec = 100000000};
        nanosleep(&tenth, NULL);
    }
    return 0;
}

/* ---- the walk ---- */

static int collect(aws_walk *w, asked *q, kim_error *err);

static const char *argument(const char *spec, const kim_json *item, const asked *above, kim_arena *arena)
{
    if (spec == NULL)
        return NULL;
    if (spec[0] == '=')
        return spec + 1;
    if (spec[0] == '^')
        return above->args[spec[1] - '0'];
    kim_text text = strcmp(spec, ".") == 0 ? kim_json_text(item) : kim_json_text_of(item, spec);
    return kim_text_copy(arena, text).bytes;
}

static int collect_item(aws_walk *w, const aws_collection *row, const asked *above, const kim_json *item, kim_arena *arena,
                        kim_error *err)
{
    asked q = {.row = row, .depth = above->depth + 1};
    for (size_t i = 0; i < AWS_ARGS; i++)
        q.args[i] = argument(row->args[i], item, above, arena);
    if (row->args[0] != NULL && q.args[0] == NULL)
        return 0; /* an item without what to ask by */
    bool told = (row->flags & AWS_BUCKET) != 0 && q.args[1] != NULL && q.args[1][0] != '\0';
    snprintf(q.region, sizeof q.region, "%s", told ? q.args[1] : above->region);
    if (q.depth > AWS_TREE_MAX_DEPTH)
        return kim_fail(err, KIM_ERR_LIMIT, "%s: the tree is deeper than %d", row->kind, AWS_TREE_MAX_DEPTH);
    return collect(w, &q, err);
}

static bool is_wanted(const aws_walk *w, const aws_collection *row)
{
    return (row->flags & AWS_IF_LAST_ACCESSED) == 0 || aws_setting_bool(w->self, "last_accessed");
}

/* Every row below, for every item it is about. */
static int collect_below(aws_walk *w, const asked *q, const kim_json *json, kim_arena *arena, kim_error *err)
{
    for (size_t i = 0; i < w->row_count; i++) {
        const aws_collection *row = &w->rows[i];
        if (row->under == NULL || strcmp(row->under, q->row->kind) != 0 || !is_wanted(w, row))
            continue;
        const kim_json *items = row->items[0] == '\0' ? json : kim_json_get(json, row->items);
        bool many = kim_json_is(items, KIM_JSON_ARRAY);
        for (size_t k = 0; items != NULL && k < (many ? items->count : 1); k++)
            if (collect_item(w, row, q, many ? &items->items[k] : items, arena, err) < 0)
                return -1;
    }
    return 0;
}

static int take(aws_walk *w, const asked *q, const aws_answer *answer, const kim_json *json, size_t page, kim_error *err)
{
    kim_text organization = kim_json_text_of(kim_json_get(json, "Organization"), "Id");
    if (organization.size > 0 && organization.size < sizeof w->organization)
        snprintf(w->organization, sizeof w->organization, "%.*s", KIM_PRINT(organization));
    if ((q->row->flags & AWS_SILENT) != 0)
        return 0;
    char origin[160];
    snprintf(origin, sizeof origin, "%s of account %s in %s, page %zu", q->row->kind, w->session->account, q->region, page);
    aws_context context = {
        .account = kim_text_of(w->session->account), .region = kim_text_of(q->region), .partition = kim_text_of(w->api->partition),
        .organization = kim_text_of(w->organization[0] != '\0' ? w->organization : NULL), .subject = kim_text_of(q->args[0]),
        .subject2 = kim_text_of(q->args[1]), .origin = kim_text_of(origin),
    };
    return aws_normalise(w->out, q->row->kind, &context, answer->json, err);
}

/* One page: asked, read, taken, and what is below it. *token: the next page's, or NULL; freed by the
 * caller. *polls: how often it was asked for without being there yet. */
static int collect_page(aws_walk *w, asked *q, pages *p, char **token, unsigned *polls, kim_arena *arena, kim_error *err)
{
    aws_answer answer;
    if (ask(w, q, *token, arena, &answer, err) < 0)
        return -1;
    free(*token);
    *token = NULL;
    switch (judge(q->row, &answer)) {
    case NOTHING: return 0;
    case UNREADABLE: return note_unreadable(w, q, &answer, arena, err);
    case FAILED: return fail_answer(w, q, &answer, err);
    case ANSWERED: break;
    }
    const kim_json *json = kim_json_parse(answer.json.bytes, answer.json.size, q->row->kind, arena, err);
    if (json == NULL)
        return -1;
    if (!is_done(q->row, json)) {
        if (++*polls > AWS_POLLS_MAX)
            return kim_fail(err, KIM_ERR_TIMEOUT, "%s: it is not ready after %d s", q->row->kind, AWS_POLLS_MAX);
        return rest_a_second(w, err) < 0 ? -1 : 1;
    }
    if (take(w, q, &answer, json, p->count + 1, err) < 0 || collect_below(w, q, json, arena, err) < 0)
        return -1;
    kim_text next = q->row->token_out != NULL ? kim_json_text_of(json, q->row->token_out) : KIM_NO_TEXT;
    if (next.size == 0)
        return 0;
    *token = strndup(next.bytes, next.size);
    if (*token == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for another page", q->row->kind);
    return turn_page(p, q, answer.json, next, err) < 0 ? -1 : 1;
}

static int collect(aws_walk *w, asked *q, kim_error *err)
{
    pages p = {0};
    char *token = NULL;
    unsigned polls = 0;
    int more = 1;
    note(part_of(w, q->row), KIM_READ, "");
    while (more > 0) {
        kim_arena *arena = kim_arena_new(ANSWER_ARENA_MAX_BYTES);
        more = arena != NULL ? collect_page(w, q, &p, &token, &polls, arena, err)
                             : kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for an answer", q->row->kind);
        kim_arena_free(arena);
    }
    free(token);
    free(p.tokens);
    return more;
}

/* The organisation is asked about until somebody is answered: a refusal before that is forgotten. */
static int collect_organization(aws_walk *w, asked *q, kim_error *err)
{
    if (w->organization_read)
        return 0;
    for (size_t i = 0; i < w->part_count; i++)
        if (w->parts[i].organisation)
            w->parts[i].status = 0;
    if (collect(w, q, err) < 0)
        return -1;
    w->organization_read = part_of(w, q->row)->status == KIM_READ && w->organization[0] != '\0';
    return 0;
}

static int remember_account(aws_walk *w, const char *account)
{
    void *larger = realloc(w->accounts, (w->account_count + 1) * sizeof *w->accounts);
    if (larger == NULL)
        return -1;
    w->accounts = larger;
    snprintf(w->accounts[w->account_count++], sizeof *w->accounts, "%s", account);
    return 0;
}

/* One row that hangs under none. A service without an endpoint in the region has nothing there; for one
 * that is everywhere, a name that cannot be resolved is a fault, and must not look like a deletion. */
static int collect_top(aws_walk *w, asked *q, kim_error *err)
{
    kim_error why = {0};
    int result = (q->row->flags & AWS_ORGANISATION) != 0 ? collect_organization(w, q, &why) : collect(w, q, &why);
    if (result < 0 && w->unresolved && (q->row->flags & AWS_NOT_EVERYWHERE) != 0) {
        w->self->host->log(w->self->host->context, KIM_LOG_INFO, "service_not_here", why.message);
        return 0;
    }
    if (result < 0 && err != NULL)
        *err = why;
    return result;
}

int aws_walk_account(aws_walk *w, aws_session *session, const char *const *regions, size_t region_count, kim_error *err)
{
    const char *home = aws_home_region(w->api->partition);
    w->session = session;
    if (remember_account(w, session->account) < 0)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for account %s", session->account);
    size_t used = (size_t)snprintf(w->regions, sizeof w->regions, "regions:");
    for (size_t i = 0; i < region_count && used < sizeof w->regions; i++)
        used += (size_t)snprintf(w->regions + used, sizeof w->regions - used, " %s", regions[i]);
    for (size_t i = 0; i < w->row_count; i++) {
        const aws_collection *row = &w->rows[i];
        if (row->under != NULL || !is_wanted(w, row))
            continue;
        bool regional = (row->flags & AWS_REGIONAL) != 0;
        for (size_t k = 0; k < (regional ? region_count : 1); k++) {
            asked q = {.row = row};
            snprintf(q.region, sizeof q.region, "%s", regional ? regions[k] : home);
            if (collect_top(w, &q, err) < 0)
                return -1;
        }
    }
    return put_parts(w, err);
}
