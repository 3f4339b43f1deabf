/* SPDX-License-Identifier: Apache-2.0
 *
 * usage.c - logs in, commits out: the way of an event, and when the counts are handed over.
 *
 * Each event goes once through: what action is it (action.h, kept by name), who did it (who.h), to what
 * (target.h), how did it end; and is counted (rollup.h). When the counts fill a commit they go out
 * with a cursor that names the very record up to which they count, and both tables begin anew. So a
 * commit depends on the cursor before it and on the log, and on nothing else.
 */
#define _GNU_SOURCE /* memmem */
#include "plugins/aws/usage/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kim/emit.h>
#include <kim/time.h>

#include "plugins/aws/usage/log_list.h"
#include "plugins/aws/usage/log_text.h"
#include "plugins/aws/usage/rollup.h"
#include "plugins/aws/usage/target.h"
#include "plugins/aws/usage/who.h"

enum {
    ACTIONS_KEPT = 4096,     /* kinds of events: AWS has some 20,000 calls, an account uses hundreds */
    LOGGED_A_FILE = 3,       /* unreadable records told one by one; the others are counted */
    COVERAGE_FULL_BYTES = 800 * 1024, /* of a commit, before coverage goes on in the next */
};

typedef struct kept_action {
    uint64_t hash;
    kim_text source, name, type; /* they follow the struct */
    action action;
    uint32_t number;         /* of its text in the roll-up of this commit */
    uint64_t commit;
} kept_action;

typedef struct reading {
    const kim_host *host;
    const log_store *store;  /* NULL: all logs are on disk */
    const char *account;     /* "" where it is not known */
    bool with_cursor;
    usage_state *state;
    rollup *rollup;
    kim_emitter emitter;
    event_reader *events;
    log_text *text;
    target_list targets;
    kept_action *actions[2 * ACTIONS_KEPT];
    size_t action_count;

    /* The log in hand. */
    const char *path;
    state_place *place;
    log_file *file;          /* NULL for a document in memory */
    uint64_t seen, skip;     /* records of it; those that an earlier commit counted */
    uint64_t bad;
    kim_text folder_account; /* "AWSLogs/111122223333/" in its path */
    uint64_t piece_at;       /* inflated bytes before the piece in hand */

    /* The last event's, as most events follow one of their own kind. */
    state_account *account_seen;
    char date[10];
    int32_t date_day;
    kim_text region_seen;    /* points into `region_name` */
    char region_name[24];
    uint64_t region_bit;

    char scope_seen[16];
    uint32_t scope_number;   /* in the roll-up of this commit; 0: not known yet */

    uint64_t commit;         /* how many there were: numbers of the roll-up are good within one */
    uint64_t events_counted, none, unmapped;
} reading;

static void tell(const reading *r, uint32_t level, const char *word, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(const reading *r, uint32_t level, const char *word, const char *format, ...)
{
    char message[600];
    va_list args;
    if (!r->host->log)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    r->host->log(r->host->context, level, word, message);
}

/* ---- one event ---- */

static kim_text put_key(char **to, kim_text text)
{
    kim_text copy = {*to, text.size};
    if (text.size)
        memcpy(*to, text.bytes, text.size);
    *to += text.size;
    return copy;
}

static void forget_actions(reading *r)
{
    for (size_t i = 0; i < 2 * ACTIONS_KEPT; i++) {
        free(r->actions[i]);
        r->actions[i] = NULL;
    }
    r->action_count = 0;
}

/* What three texts stand for: eventSource, eventName and eventType; or an action as a message writes it,
 * alone. NULL without memory. */
static kept_action *action_of(reading *r, kim_text source, kim_text name, kim_text type)
{
    uint64_t hash = usage_hash(source.bytes, source.size) + 3 * usage_hash(name.bytes, name.size) +
                    5 * usage_hash(type.bytes, type.size);
    size_t at = hash % (2 * ACTIONS_KEPT);
    for (; r->actions[at]; at = (at + 1) % (2 * ACTIONS_KEPT)) {
        kept_action *kept = r->actions[at];
        if (kept->hash == hash && kim_text_equal(kept->source, source) && kim_text_equal(kept->name, name) &&
            kim_text_equal(kept->type, type))
            return kept;
    }
    if (r->action_count == ACTIONS_KEPT) { /* somebody makes names up: begin anew */
        forget_actions(r);
        at = hash % (2 * ACTIONS_KEPT);
    }
    kept_action *kept = calloc(1, sizeof *kept + source.size + name.size + type.size);
    if (!kept)
        return NULL;
    char *to = (char *)(kept + 1);
    kept->hash = hash;
    kept->source = put_key(&to, source);
    kept->name = put_key(&to, name);
    kept->type = put_key(&to, type);
    if (kim_text_is_absent(name))
        action_written(source, &kept->action);
    else
        action_resolve(source, name, type, &kept->action);
    r->actions[at] = kept;
    r->action_count++;
    return kept;
}

static unsigned digits(const char *s, size_t count)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)s[i] - '0';
        if (digit > 9)
            return 1u << 30;
        value = value * 10 + digit;
    }
    return value;
}

/* 2026-08-01T10:20:30Z; CloudTrail Lake and others write 2026-08-01 10:20:30.000 for the same. False where it is
 * no such time, or names another zone. */
static bool time_of(reading *r, kim_text text, int32_t *day, int64_t *at_unix_ms)
{
    const char *s = text.bytes;
    if (text.size < 19 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') || s[13] != ':' || s[16] != ':')
        return false;
    for (size_t i = 19; i < text.size; i++)
        if (s[i] != '.' && (s[i] < '0' || s[i] > '9') && !(s[i] == 'Z' && i == text.size - 1))
            return false;
    if (memcmp(s, r->date, sizeof r->date)) {
        unsigned year = digits(s, 4), month = digits(s + 5, 2), date = digits(s + 8, 2);
        int64_t midnight = kim_time_of((int)year, (int)month, (int)date, 0, 0, 0, 0);
        if (year < 2000 || year > 2200 || midnight == 0)
            return false;
        r->date_day = (int32_t)(midnight / 86400000);
        memcpy(r->date, s, sizeof r->date);
    }
    unsigned hour = digits(s + 11, 2), minute = digits(s + 14, 2), second = digits(s + 17, 2);
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *day = r->date_day;
    *at_unix_ms = ((int64_t)r->date_day * 86400 + hour * 3600 + minute * 60 + second) * 1000;
    return true;
}

/* Source: the services' lists of common errors; EC2 writes Client.UnauthorizedOperation. What is wrong with
 * the credentials themselves (expired, not known) is a failure and not a denial. */
static int32_t outcome_of(kim_text code)
{
    static const char *const DENIALS[] = {"AccessDenied", "UnauthorizedOperation", "NotAuthorized",
                                          "AuthorizationError", "UnauthorizedAccess", "UnauthorizedException",
                                          "UnauthorizedRequest"};
    if (kim_text_is_absent(code) || !code.size)
        return KIM_SUCCESS;
    for (size_t i = 0; i < sizeof DENIALS / sizeof *DENIALS; i++)
        if (memmem(code.bytes, code.size, DENIALS[i], strlen(DENIALS[i])))
            return KIM_REFUSED;
    return KIM_FAILED;
}

/* "... is not authorized to perform: ACTION on resource: ARN because ...": what was denied in truth, which
 * need not be the call itself (iam:PassRole). NULL where the message says nothing of the kind. */
static kept_action *denied_action(reading *r, kim_text message, kim_text *resource)
{
    static const char PERFORM[] = "not authorized to perform: ", ON[] = " on resource: ";
    const char *at = message.size ? memmem(message.bytes, message.size, PERFORM, sizeof PERFORM - 1) : NULL;
    if (!at)
        return NULL;
    const char *end = message.bytes + message.size;
    at += sizeof PERFORM - 1;
    const char *stop = at;
    while (stop < end && *stop != ' ' && *stop != '\\' && *stop != '"')
        stop++;
    kept_action *denied = action_of(r, (kim_text){at, (size_t)(stop - at)}, KIM_NO_TEXT, KIM_NO_TEXT);
    if (!denied || denied->action.kind != ACTION_KNOWN)
        return NULL;
    *resource = KIM_NO_TEXT;
    if ((size_t)(end - stop) > sizeof ON && !memcmp(stop, ON, sizeof ON - 1)) {
        at = stop + sizeof ON - 1;
        while (at < end && (*at == '\\' || *at == '"'))
            at++;
        for (stop = at; stop < end && *stop != ' ' && *stop != '\\' && *stop != '"';)
            stop++;
        if (stop - at > 8 && stop - at <= TARGET_MAX_BYTES && !memcmp(at, "arn:", 4))
            *resource = (kim_text){at, (size_t)(stop - at)};
    }
    return denied;
}

static state_account *see_account(reading *r, kim_text id)
{
    if (r->account_seen && id.size == 12 && !memcmp(r->account_seen->id, id.bytes, 12) && !r->account_seen->id[12])
        return r->account_seen;
    return r->account_seen = state_account_of(r->state, id);
}

/* What the coverage will say of the account whose log this is. */
static state_account *see(reading *r, const event *e, const action *a, kim_text scope, int64_t at_unix_ms)
{
    kim_text id = who_is_account(e->recipient) ? e->recipient
                  : r->folder_account.size    ? r->folder_account
                                              : (kim_text){scope.bytes + 4, scope.size - 4};
    state_account *account = see_account(r, id);
    if (!account) {
        r->state->accounts_left_out++;
        return NULL;
    }
    if (!account->from_unix_ms || at_unix_ms < account->from_unix_ms)
        account->from_unix_ms = at_unix_ms;
    if (at_unix_ms > account->to_unix_ms)
        account->to_unix_ms = at_unix_ms;
    if (!kim_text_equal(e->region, r->region_seen)) {
        r->region_bit = state_region(r->state, e->region);
        size_t size = e->region.size < sizeof r->region_name ? e->region.size : 0;
        if (size)
            memcpy(r->region_name, e->region.bytes, size);
        r->region_seen = (kim_text){r->region_name, size};
    }
    account->regions |= r->region_bit;
    if (e->is_data && a->kind == ACTION_KNOWN)
        for (uint32_t i = 0; action_data_events[i].prefix; i++)
            if (strlen(action_data_events[i].prefix) == a->prefix_size &&
                !memcmp(action_data_events[i].prefix, a->text, a->prefix_size))
                account->data |= 1u << i;
    account->changed = true;
    return account;
}

static uint32_t number_of(reading *r, kept_action *kept)
{
    if (kept->commit != r->commit) {
        kept->number = rollup_text(r->rollup, (kim_text){kept->action.text, kept->action.size});
        kept->commit = r->commit;
    }
    return kept->number;
}

static uint32_t scope_number(reading *r, kim_text scope)
{
    if (r->scope_number && scope.size == sizeof r->scope_seen && !memcmp(scope.bytes, r->scope_seen, sizeof r->scope_seen))
        return r->scope_number;
    uint32_t number = rollup_text(r->rollup, scope);
    if (scope.size == sizeof r->scope_seen) {
        memcpy(r->scope_seen, scope.bytes, sizeof r->scope_seen);
        r->scope_number = number;
    }
    return number;
}

static void add_use(reading *r, rollup_use use, const target *to, uint32_t action_number)
{
    use.action = action_number;
    use.resource = to ? to->arn : KIM_NO_TEXT;
    use.widened = to && to->widened;
    if (use.resource.size > TARGET_MAX_BYTES)
        use.resource = KIM_NO_TEXT;
    rollup_add(r->rollup, &use);
}

/* The credentials that STS gave out lead from the session back to who asked for it. */
static void remember_session(reading *r, const event *e, const who *w)
{
    static const char *const KEY[] = {"credentials", "accessKeyId", NULL};
    kim_text key = event_find(e, e->response, KEY, 0);
    if (!kim_text_is_absent(key))
        state_caller_set(r->state, key, w->via_session || kim_text_is_absent(w->via) ? w->identity : w->via);
}

static void count(reading *r, const event *e, kept_action *kept, const who *w, rollup_use use)
{
    static const char *const VERSION[] = {"versionId", NULL};
    const action *a = &kept->action;
    kim_text account = who_is_account(e->recipient) ? e->recipient : (kim_text){w->scope.bytes + 4, w->scope.size - 4};
    target one;
    kept_action *denied = use.outcome == KIM_REFUSED ? denied_action(r, e->error_message, &one.arn) : NULL;
    if (denied && (!kim_text_is_absent(one.arn) || strcmp(denied->action.text, a->text))) {
        one.widened = false;
        add_use(r, use, denied->action.takes == TAKES_NONE ? NULL : &one, number_of(r, denied));
        return;
    }
    uint32_t number = a->has_version && event_find(e, e->request, VERSION, 0).size
                          ? rollup_text(r->rollup, kim_text_of(action_versioned(a->text)))
                          : number_of(r, kept);
    targets_find(e, a, account, w->partition, &r->targets);
    for (size_t i = 0; i < r->targets.count; i++)
        add_use(r, use, &r->targets.items[i], number);
    if (!r->targets.count)
        add_use(r, use, NULL, number);
    if (use.outcome == KIM_SUCCESS)
        for (size_t i = 0; i < a->also_count; i++)
            for (size_t nth = 0; nth < TARGET_MAX && target_also(e, &a->also[i], nth, w->partition, &r->targets, &one); nth++)
                add_use(r, use, &one, rollup_text(r->rollup, kim_text_of(a->also[i].action)));
}

static int commit(reading *r, bool in_log, kim_error *err);
static int refuse(reading *r, uint64_t number, size_t offset, const char *why);

static int on_event(void *context, const event *e, kim_error *err)
{
    reading *r = context;
    char room[WHO_SCRATCH_BYTES];
    who w;
    rollup_use use = {0};
    if (r->seen++ < r->skip)
        return 0;
    if (!time_of(r, e->time, &use.day, &use.at_unix_ms))
        return refuse(r, r->seen - 1, e->offset, "an eventTime that is no time");
    kept_action *kept = action_of(r, e->source, e->name, e->type);
    if (!kept)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to read a log");
    const action *a = &kept->action;
    kim_text own = r->folder_account.size ? r->folder_account : kim_text_of(r->account);
    const char *why = who_of(e, r->state, own, room, &w);
    if (why && a->kind == ACTION_NONE) {
        r->none++;
        return 0;
    }
    if (why)
        return refuse(r, r->seen - 1, e->offset, why);
    state_account *account = see(r, e, a, w.scope, use.at_unix_ms);
    r->events_counted++;
    if (a->kind == ACTION_NONE) {
        r->none++;
        return 0;
    }
    if (a->kind == ACTION_UNMAPPED) {
        r->unmapped++;
        if (account)
            state_unmapped_add(r->state, account, e->source, e->name);
        return 0;
    }
    use.outcome = outcome_of(e->error_code);
    use.scope = scope_number(r, w.scope);
    use.identity = rollup_text(r->rollup, w.identity);
    use.via = rollup_text(r->rollup, w.via);
    use.via_session = w.via_session;
    count(r, e, kept, &w, use);
    if (a->prefix_size == 3 && !memcmp(a->text, "sts", 3) && use.outcome == KIM_SUCCESS && e->response)
        remember_session(r, e, &w);
    if (rollup_failed(r->rollup))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to count the uses of a log");
    return rollup_is_full(r->rollup) ? commit(r, true, err) : 0;
}

/* ---- what cannot be read ---- */

static void unreadable(reading *r, const char *text)
{
    kim_text id = r->folder_account.size ? r->folder_account
                  : r->account_seen      ? kim_text_of(r->account_seen->id)
                                         : kim_text_of(r->account);
    state_account *account = id.size ? see_account(r, id) : NULL;
    snprintf(r->state->unreadable, sizeof r->state->unreadable, "%s", text);
    for (char *c = r->state->unreadable; *c; c++)
        if (*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
    if (account) {
        account->unreadable++;
        account->changed = true;
    }
}

static int refuse(reading *r, uint64_t number, size_t offset, const char *why)
{
    char text[400];
    snprintf(text, sizeof text, "%s: record %" PRIu64 ", at byte %" PRIu64 " of its text: %s", r->path, number,
             r->piece_at + offset, why);
    if (r->bad++ < LOGGED_A_FILE)
        tell(r, KIM_LOG_WARNING, "log_record_unreadable", "%s; it is left out, the rest is read", text);
    unreadable(r, text);
    return 0;
}

static int on_bad(void *context, uint64_t number, size_t offset, const char *why, kim_error *err)
{
    reading *r = context;
    (void)err;
    if (r->seen++ < r->skip)
        return 0;
    return refuse(r, number, offset, why);
}

static void on_unlisted(void *context, const char *path, const char *why)
{
    reading *r = context;
    char text[400];
    snprintf(text, sizeof text, "%s: %s", path, why);
    tell(r, KIM_LOG_WARNING, "log_unlisted", "%s; its logs are left out, the rest is read", text);
    r->path = path;
    unreadable(r, text);
}

/* ---- handing over ---- */

static int flush(reading *r, kim_error *err)
{
    uint8_t cursor[KIM_CURSOR_MAX_BYTES];
    if (!r->with_cursor)
        return kim_emit_flush(&r->emitter, NULL, 0, err);
    return kim_emit_flush(&r->emitter, cursor, state_encode(r->state, cursor), err);
}

/* The next commit begins. */
static void forget_numbers(reading *r)
{
    rollup_reset(r->rollup);
    r->commit++;
    r->scope_number = 0;
}

/* The counts, and the cursor as it stands: within the log in hand, or between two. */
static int commit(reading *r, bool in_log, kim_error *err)
{
    if (in_log && r->file)
        state_part_set(r->state, (state_part){.hash = r->file->log.hash ^ r->place->hash, .bytes = r->file->bytes,
                                              .records = r->seen, .open = true});
    if (rollup_emit(r->rollup, &r->emitter, err) < 0 || (r->with_cursor && flush(r, err) < 0))
        return -1;
    forget_numbers(r);
    return 0;
}

static int put_coverage(reading *r, kim_text scope, const char *part, int32_t status, const char *why,
                        const state_account *a, const char *const *actions, kim_error *err)
{
    kim_text listed[32];
    kim_record record = {
        .type = KIM_COVERAGE,
        .scope = scope,
        .coverage = {.part = kim_text_of(part), .status = status, .why = kim_text_of(why),
                     .from_unix_ms = a->from_unix_ms, .to_unix_ms = a->to_unix_ms, .resolution = KIM_TEXT("action")},
    };
    if (actions) {
        size_t count = 0;
        while (count < 32 && actions[count]) {
            listed[count] = kim_text_of(actions[count]);
            count++;
        }
        record.coverage.actions = (kim_texts){listed, count};
    }
    return kim_emit(&r->emitter, &record, err);
}

static int put_unmapped(reading *r, kim_text scope, uint32_t number, kim_error *err)
{
    const state_account *a = &r->state->accounts[number];
    char why[2048];
    size_t size = (size_t)snprintf(why, sizeof why, "%u events stand for no IAM action that is known:", a->unmapped);
    for (uint32_t i = 0; i < r->state->unmapped_count; i++) {
        const state_unmapped *u = &r->state->unmapped[i];
        if (u->account == number && size + strlen(u->name) + 24 < sizeof why)
            size += (size_t)snprintf(why + size, sizeof why - size, " %s (%u)", u->name, u->count);
    }
    return put_coverage(r, scope, "log:unmapped", KIM_PARTIAL, why, a, NULL, err);
}

static int put_account(reading *r, uint32_t number, kim_error *err)
{
    state_account *a = &r->state->accounts[number];
    char scope_text[24], why[1024], part[32];
    kim_text scope = {scope_text, (size_t)snprintf(scope_text, sizeof scope_text, "aws:%s", a->id)};
    size_t size = (size_t)snprintf(why, sizeof why, "regions seen:");
    for (uint32_t i = 0; i < r->state->region_count && size + 40 < sizeof why; i++)
        if (a->regions >> i & 1)
            size += (size_t)snprintf(why + size, sizeof why - size, " %s", r->state->regions[i]);
    if (a->unreadable)
        snprintf(why + size, sizeof why - size, "; %u records or logs could not be read, the last %s", a->unreadable,
                 r->state->unreadable);
    if (put_coverage(r, scope, "log:management", a->unreadable ? KIM_PARTIAL : KIM_READ, why, a, NULL, err) < 0)
        return -1;
    for (uint32_t i = 0; action_data_events[i].prefix; i++) {
        bool seen = a->data >> i & 1;
        snprintf(part, sizeof part, "log:data:%s", action_data_events[i].prefix);
        snprintf(why, sizeof why, seen ? "data events of %s are in the log; that the trail records all of them is not proven"
                                       : "no data event of %s is in the log: the trail may not record them",
                 action_data_events[i].prefix);
        if (put_coverage(r, scope, part, seen ? KIM_PARTIAL : KIM_UNREADABLE, why, a, action_data_events[i].actions, err) < 0)
            return -1;
    }
    return a->unmapped ? put_unmapped(r, scope, number, err) : 0;
}

/* The last counts, and the coverage of the accounts that had events since theirs was handed over.
 * any: there is something to commit beside these. */
static int finish(reading *r, bool any, kim_error *err)
{
    if (rollup_emit(r->rollup, &r->emitter, err) < 0)
        return -1;
    forget_numbers(r);
    for (uint32_t i = 0; i < r->state->account_count; i++) {
        if (!r->state->accounts[i].changed)
            continue;
        if (put_account(r, i, err) < 0)
            return -1;
        r->state->accounts[i].changed = false;
        if (r->with_cursor && r->emitter.pending.size > COVERAGE_FULL_BYTES && flush(r, err) < 0)
            return -1;
    }
    if (r->state->accounts_left_out)
        tell(r, KIM_LOG_WARNING, "log_accounts_left_out",
             "the logs hold more than %d accounts: coverage is told of the first only, uses of all; give each "
             "account's log to an agent of its own", STATE_ACCOUNTS);
    if (r->host->metric) {
        r->host->metric(r->host->context, "usage_events", (double)r->events_counted);
        r->host->metric(r->host->context, "usage_events_unmapped", (double)r->unmapped);
    }
    return any || r->emitter.pending.size ? flush(r, err) : 0;
}

/* ---- one log ---- */

/* "AWSLogs/111122223333/" or "AWSLogs/o-1/111122223333/" in a path. */
static kim_text account_in(const char *path)
{
    static const char ROOT[] = "AWSLogs/";
    const char *at = strstr(path, ROOT);
    if (!at)
        return KIM_NO_TEXT;
    at += sizeof ROOT - 1;
    if (!strncmp(at, "o-", 2) && strchr(at, '/'))
        at = strchr(at, '/') + 1;
    kim_text id = {at, strcspn(at, "/")};
    return who_is_account(id) ? id : KIM_NO_TEXT;
}

/* All of a source. cut: it ends in the middle, and more may come. */
static int read_text(reading *r, log_source source, bool *cut, kim_error *err)
{
    const event_handler handler = {.context = r, .event = on_event, .bad = on_bad};
    uint64_t records = 0;
    log_piece piece;
    int status;
    *cut = false;
    r->seen = r->bad = r->piece_at = 0;
    if (log_text_open(r->text, source, err) < 0)
        return -1;
    while ((status = log_text_next(r->text, &piece, err)) == 1) {
        bool piece_cut;
        if (r->host->should_stop && r->host->should_stop(r->host->context))
            return kim_fail(err, KIM_ERR_STOPPED, "stopped in %s; it is read on from its last commit", r->path);
        if (event_reader_walk(r->events, piece.text, piece.size, piece.is_piece, &handler, &records, &piece_cut, err))
            return -1;
        *cut |= piece_cut;
        r->piece_at += piece.size;
    }
    if (status < 0)
        return -1;
    uint64_t at;
    bool more_may_come;
    const char *damage = log_text_damage(r->text, &at, &more_may_come);
    if (damage || *cut) {
        char text[400];
        snprintf(text, sizeof text, "%s: %s, about byte %" PRIu64, r->path,
                 damage ? damage : "it ends in the middle of its records", damage ? at : r->piece_at);
        tell(r, KIM_LOG_WARNING, "log_damaged", "%s; the %" PRIu64 " records before it are read", text, r->seen);
        unreadable(r, text);
    }
    *cut = damage ? more_may_come : *cut;
    if (r->bad > LOGGED_A_FILE)
        tell(r, KIM_LOG_WARNING, "log_records_unreadable", "%s: %" PRIu64 " records in all could not be read", r->path, r->bad);
    return 0;
}

typedef struct on_disk {
    const char *path;
    int fd;
} on_disk;

static ssize_t read_file(void *context, void *to, size_t size, kim_error *err)
{
    const on_disk *disk = context;
    for (;;) {
        ssize_t got = read(disk->fd, to, size);
        if (got >= 0)
            return got;
        if (errno != EINTR)
            return kim_fail(err, KIM_ERR_IO, "%s: %s", disk->path, strerror(errno));
    }
}

/* All of a log, wherever it lies. */
static int read_bytes(reading *r, const char *path, bool *cut, kim_error *err)
{
    if (r->store && r->store->holds(path)) {
        r->store->begin(r->store->context, path);
        return read_text(r, (log_source){.context = r->store->context, .read = r->store->read}, cut, err);
    }
    on_disk disk = {.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (disk.fd < 0)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    int status = read_text(r, (log_source){.context = &disk, .read = read_file}, cut, err);
    close(disk.fd);
    return status;
}

static int read_log(reading *r, log_file *file, kim_error *err)
{
    uint64_t hash = file->log.hash ^ r->state->places[file->place].hash;
    const state_part *part = state_part_of(r->state, hash);
    bool was_known = part && !part->open, cut = false;
    kim_error failed = {0};
    r->file = file;
    r->place = &r->state->places[file->place];
    r->path = file->path;
    r->folder_account = account_in(file->path);
    r->skip = part ? part->records : 0;
    int status = read_bytes(r, file->path, &cut, &failed);
    if (status < 0 && failed.code == KIM_ERR_NOT_FOUND) {
        tell(r, KIM_LOG_WARNING, "log_unreadable", "%s; it is tried again next time", failed.message);
        unreadable(r, failed.message);
        return 0;
    }
    if (status < 0 && failed.code == KIM_ERR_IO) { /* the disk's fault: what was read stays, the rest is tried again */
        tell(r, KIM_LOG_WARNING, "log_unreadable", "%s; it is read on next time", failed.message);
        unreadable(r, failed.message);
        state_part_set(r->state, (state_part){.hash = hash, .bytes = 0, .records = r->seen, .open = true});
        return 0;
    }
    if (status < 0) {
        if (err)
            *err = failed;
        return -1;
    }
    if (cut || !log_text_is_gzip(r->text)) /* it may grow: then it is read on from here */
        state_part_set(r->state, (state_part){.hash = hash, .bytes = file->bytes, .records = r->seen});
    else
        state_part_drop(r->state, hash);
    if (!was_known)
        state_read(r->state, r->place, file->log);
    return 0;
}

/* ---- from outside ---- */

static void stop(reading *r)
{
    if (!r)
        return;
    forget_actions(r);
    kim_emitter_stop(&r->emitter);
    event_reader_free(r->events);
    log_text_free(r->text);
    rollup_free(r->rollup);
    free(r->state);
    free(r);
}

static reading *start(const kim_host *host, const char *account, bool with_cursor, kim_error *err)
{
    reading *r = calloc(1, sizeof *r);
    if (r) {
        r->host = host;
        r->account = account ? account : "";
        r->with_cursor = with_cursor;
        r->commit = 1;
        kim_emitter_start(&r->emitter, host);
        r->emitter.hold = with_cursor;
        r->state = calloc(1, sizeof *r->state);
        r->rollup = rollup_new();
        r->events = event_reader_new(LOG_PIECE_MAX_BYTES);
        r->text = log_text_new();
        if (r->state && r->rollup && r->events && r->text)
            return r;
    }
    stop(r);
    kim_fail(err, KIM_ERR_NOMEM, "no memory to read logs");
    return NULL;
}

int aws_usage_from(const kim_host *host, const log_store *store, const char *const *logs, size_t log_count,
                   const char *account, kim_error *err)
{
    size_t cursor_size = 0;
    const uint8_t *cursor = host->cursor ? host->cursor(host->context, "usage", &cursor_size) : NULL;
    reading *r = start(host, account, true, err);
    log_list list;
    if (r)
        r->store = store;
    int status = r ? state_decode(r->state, cursor, cursor ? cursor_size : 0, err) : -1;
    bool more = status == 0;
    while (more && status == 0) {
        status = log_list_make(&list, r->state, host, store, logs, log_count, on_unlisted, r, err);
        if (status < 0)
            break;
        for (size_t i = 0; i < list.count && status == 0; i++) {
            state_place *place = &r->state->places[list.files[i].place];
            if (!state_is_below(place, list.files[i].log)) /* all below it that was listed is read */
                place->listed_unix_ms = list.listed_unix_ms;
            status = read_log(r, &list.files[i], err);
        }
        more = list.has_more && list.count;
        if (status == 0 && !more)
            for (uint32_t i = 0; i < r->state->place_count; i++)
                r->state->places[i].listed_unix_ms = list.listed_unix_ms;
        if (status == 0)
            status = finish(r, list.count > 0, err);
        log_list_free(&list);
    }
    stop(r);
    return status < 0 ? -1 : 0;
}

int aws_usage_logs(const kim_host *host, const char *const *logs, size_t log_count, const char *account,
                   kim_error *err)
{
    return aws_usage_from(host, NULL, logs, log_count, account, err);
}

typedef struct in_memory {
    const uint8_t *at;
    size_t left;
} in_memory;

static ssize_t read_memory(void *context, void *to, size_t size, kim_error *err)
{
    in_memory *m = context;
    (void)err;
    size = size < m->left ? size : m->left;
    if (size)
        memcpy(to, m->at, size);
    m->at += size;
    m->left -= size;
    return (ssize_t)size;
}

int aws_usage_normalise(const kim_host *host, const char *account, const kim_document *document,
                        kim_error *err)
{
    reading *r = start(host, account, false, err);
    in_memory memory = {document->bytes, document->size};
    bool cut;
    if (!r)
        return -1;
    r->path = document->name ? document->name : "a log";
    r->folder_account = account_in(r->path);
    int status = read_text(r, (log_source){.context = &memory, .read = read_memory}, &cut, err);
    if (status == 0 && !r->events_counted && !r->none)
        status = kim_fail(err, KIM_ERR_INPUT, "%s: no CloudTrail event can be read in it; %s", r->path,
                          r->state->unreadable[0] ? r->state->unreadable : "it is empty");
    if (status == 0)
        status = finish(r, false, err);
    stop(r);
    return status < 0 ? -1 : 0;
}

int aws_usage_recognise(const char *name, const uint8_t *head, size_t size)
{
    if (!size)
        return strstr(name, "CloudTrail") || strstr(name, "AWSLogs") ? 2 : 0;
    static const struct {
        const char *sign;
        int sure;
    } signs[] = {
        {"\"CloudTrailEvent\"", 2}, {"{\"Records\":[{\"eventVersion\"", 2}, {"\"eventVersion\"", 1}, {"\"eventSource\"", 1},
    };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (memmem(head, size, signs[i].sign, strlen(signs[i].sign)))
            return signs[i].sure == 1 && memmem(head, size, "\"userIdentity\"", 14) ? 2 : signs[i].sure;
    if (size >= 2 && head[0] == 0x1f && head[1] == 0x8b)
        return strstr(name, "_CloudTrail_") && log_name_minute(name) ? 2 : strstr(name, ".json") ? 1 : 0;
    return 0;
}
