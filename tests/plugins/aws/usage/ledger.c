/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger.c - records decoded again, as the real host does; a refused record fails the test.
 */
#include "tests/plugins/aws/usage/ledger.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/support/cmocka.h"

static void add_use(ledger *l, const kim_record *r)
{
    char key[8192];
    static const char *const outcomes[] = {"", "success", "denied", "failed"};
    const kim_usage *u = &r->usage;
    snprintf(key, sizeof key, "%" PRId64 " %.*s %.*s %.*s %.*s%s %s %.*s", u->day, KIM_PRINT(r->scope), KIM_PRINT(u->identity),
             KIM_PRINT(u->action), KIM_PRINT(u->resource), u->widened ? " (widened)" : "", outcomes[u->outcome], KIM_PRINT(u->via));
    if (u->widened)
        assert_int_equal(u->resource.bytes[u->resource.size - 1], '*');
    assert_true(u->count > 0);
    assert_true(u->first_unix_ms <= u->last_unix_ms);
    if (l->use_count == l->use_room) {
        l->use_room = l->use_room ? l->use_room * 2 : 1024;
        l->uses = realloc(l->uses, l->use_room * sizeof *l->uses);
    }
    l->uses[l->use_count++] = (ledger_use){strdup(key), u->count, u->first_unix_ms, u->last_unix_ms};
}

static void set_coverage(ledger *l, const kim_record *r)
{
    char line[8192], head[512];
    const kim_coverage *c = &r->coverage;
    size_t head_size = (size_t)snprintf(head, sizeof head, "%.*s %.*s ", KIM_PRINT(r->scope), KIM_PRINT(c->part));
    snprintf(line, sizeof line, "%s%d %.*s %" PRId64 " %" PRId64, head, c->status, KIM_PRINT(c->why), c->from_unix_ms, c->to_unix_ms);
    for (size_t i = 0; i < l->coverage_count; i++)
        if (!strncmp(l->coverage[i], head, head_size)) {
            free(l->coverage[i]);
            l->coverage[i] = strdup(line);
            return;
        }
    assert_true(l->coverage_count < 512);
    l->coverage[l->coverage_count++] = strdup(line);
}

static int take(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    ledger *l = context;
    if (++l->commits == l->fail_after)
        return kim_fail(err, KIM_ERR_STOPPED, "killed");
    assert_true(size + cursor_size <= KIM_FRAME_MAX_BYTES);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    for (size_t at = 0, used; at < size; at += used) {
        kim_record record;
        kim_error why = {0};
        if (kim_record_decode(records + at, size - at, arena, &record, &used, &why) < 0 || kim_record_check(&record, &why) < 0)
            fail_msg("%s", why.message);
        if (record.type == KIM_USAGE)
            add_use(l, &record);
        else if (record.type == KIM_COVERAGE)
            set_coverage(l, &record);
        else
            fail_msg("a record of type %d", record.type);
    }
    kim_arena_free(arena);
    if (cursor) {
        assert_true(cursor_size <= sizeof l->cursor);
        memcpy(l->cursor, cursor, cursor_size);
        l->cursor_size = cursor_size;
    }
    return 0;
}

static const uint8_t *cursor_of(void *context, const char *stream, size_t *size)
{
    ledger *l = context;
    assert_string_equal(stream, "usage");
    *size = l->cursor_size;
    return l->cursor_size ? l->cursor : NULL;
}

static void note(void *context, uint32_t level, const char *word, const char *message)
{
    ledger *l = context;
    size_t used = strlen(l->log);
    (void)level;
    snprintf(l->log + used, sizeof l->log - used, "%s: %s\n", word, message);
}

static int64_t now(void *context)
{
    return ((ledger *)context)->now_unix_ms;
}

void ledger_start(ledger *l)
{
    *l = (ledger){.host = {.struct_size = sizeof l->host, .abi_major = KIM_ABI_MAJOR, .abi_minor = KIM_ABI_MINOR, .emit = take,
                           .cursor = cursor_of, .log = note, .now_unix_ms = now}};
    l->host.context = l;
}

void ledger_stop(ledger *l)
{
    for (size_t i = 0; i < l->use_count; i++)
        free(l->uses[i].key);
    for (size_t i = 0; i < l->coverage_count; i++)
        free(l->coverage[i]);
    free(l->uses);
    l->uses = NULL;
    l->use_count = l->use_room = l->coverage_count = 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const ledger_use *)a)->key, ((const ledger_use *)b)->key);
}

void ledger_settle(ledger *l)
{
    size_t kept = 0;
    if (l->use_count)
        qsort(l->uses, l->use_count, sizeof *l->uses, by_key);
    for (size_t i = 0; i < l->use_count; i++) {
        ledger_use *u = &l->uses[i], *last = kept ? &l->uses[kept - 1] : NULL;
        if (!last || strcmp(last->key, u->key)) {
            l->uses[kept++] = *u;
            continue;
        }
        last->count += u->count;
        last->first_unix_ms = u->first_unix_ms < last->first_unix_ms ? u->first_unix_ms : last->first_unix_ms;
        last->last_unix_ms = u->last_unix_ms > last->last_unix_ms ? u->last_unix_ms : last->last_unix_ms;
        free(u->key);
    }
    l->use_count = kept;
}

int64_t ledger_total(ledger *l)
{
    int64_t total = 0;
    for (size_t i = 0; i < l->use_count; i++)
        total += l->uses[i].count;
    return total;
}

int64_t ledger_sum(ledger *l, const char *piece, ...)
{
    int64_t sum = 0;
    for (size_t i = 0; i < l->use_count; i++) {
        va_list more;
        bool all = true;
        va_start(more, piece);
        for (const char *p = piece; p && all; p = va_arg(more, const char *))
            all = strstr(l->uses[i].key, p) != NULL;
        va_end(more);
        sum += all ? l->uses[i].count : 0;
    }
    return sum;
}

const char *ledger_coverage(const ledger *l, const char *scope, const char *part)
{
    char head[512];
    size_t size = (size_t)snprintf(head, sizeof head, "%s %s ", scope, part);
    for (size_t i = 0; i < l->coverage_count; i++)
        if (!strncmp(l->coverage[i], head, size))
            return l->coverage[i];
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *ledger_text(ledger *l)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ledger_settle(l);
    qsort(l->coverage, l->coverage_count, sizeof *l->coverage, by_text);
    for (size_t i = 0; i < l->use_count; i++)
        fprintf(out, "%s: %" PRId64 " %" PRId64 " %" PRId64 "\n", l->uses[i].key, l->uses[i].count, l->uses[i].first_unix_ms,
                l->uses[i].last_unix_ms);
    for (size_t i = 0; i < l->coverage_count; i++)
        fprintf(out, "%s\n", l->coverage[i]);
    fclose(out);
    return text;
}
