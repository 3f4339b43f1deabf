/* SPDX-License-Identifier: Apache-2.0
 *
 * estate.c - kim status, identities, show, gaps, findings.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/items.h"
#include "controller/present/cli/print.h"
#include "controller/present/cli/report.h"
#include "controller/present/cli/words.h"

static void put(rows *r, const kim_json *item, const char *name)
{
    rows_cell(r, kim_json_text_of(item, name));
}

/* Cells of an object's members, in the order of its names. */
static void put_all(rows *r, const kim_json *item, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(r, item, names[i]);
}

/* ---- status ---- */

/* {"a":1,"b":0,"c":2} -> "1 a, 2 c" */
static kim_text counts_in_words(const kim_json *counts, kim_arena *arena)
{
    kim_text all = KIM_NO_TEXT;
    for (size_t i = 0; kim_json_is(counts, KIM_JSON_OBJECT) && i < counts->count; i++) {
        kim_text count = kim_json_text(counts->members[i].value);
        if (!kim_json_is(counts->members[i].value, KIM_JSON_NUMBER) || kim_text_is(count, "0"))
            continue;
        all = kim_text_format(arena, "%.*s%s%.*s %.*s", KIM_PRINT(all), all.size ? ", " : "", KIM_PRINT(count),
                              KIM_PRINT(counts->members[i].name));
    }
    return all.size > 0 ? all : KIM_TEXT("none");
}

static void write_status(const invocation *in, const kim_json *answer, rows_style style, kim_arena *arena)
{
    (void)in;
    const kim_json *published = kim_json_get(answer, "published_unix_ms");
    int64_t now = kim_json_int(kim_json_get(answer, "now_unix_ms"), 0);
    int64_t age = now - kim_json_int(published, now), up = now - kim_json_int(kim_json_get(answer, "started_unix_ms"), now);
    const struct {
        const char *name;
        kim_text text;
    } fields[] = {
        {"version", kim_json_text_of(answer, "version")},
        {"running for", words_duration(up, arena)},
        {"agents", counts_in_words(kim_json_get(answer, "agents"), arena)},
        {"estate", published == NULL ? KIM_TEXT("none yet")
                                     : kim_text_format(arena, "%.*s old", KIM_PRINT(words_duration(age, arena)))},
        {"records", counts_in_words(kim_json_get(answer, "records"), arena)},
        {"identities", counts_in_words(kim_json_get(answer, "identities"), arena)},
        {"coverage", counts_in_words(kim_json_get(answer, "coverage"), arena)},
    };
    static const column columns[] = {{"name", false, false}, {"value", false, false}};
    rows *r = style.csv ? rows_begin(stdout, style, columns, 2, NULL) : NULL;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (r != NULL) {
            rows_cell(r, kim_text_of(fields[i].name));
            rows_cell(r, fields[i].text);
        } else {
            rows_field(stdout, style, fields[i].name, fields[i].text, PLAIN);
        }
    }
    if (r != NULL)
        rows_end(r, NULL);
    else
        report_print_lacking(kim_json_get(kim_json_get(answer, "coverage"), "lacking"), style);
}

int run_status(const invocation *in, kim_error *err)
{
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    const kim_json *answer = arena != NULL ? print_short(in, "/v1/status", NULL, write_status, arena, err) : NULL;
    kim_arena_free(arena);
    return answer != NULL ? EXIT_FINE : -1;
}

/* ---- identities: page after page, as one list ---- */

typedef struct page_walk {
    const invocation *in;
    rows *to;           /* of a table or CSV */
    kim_arena *arena;   /* for one item */
    int64_t left;       /* still to print; -1: all */
    size_t printed;
} page_walk;

static int print_identity(void *context, const kim_json *item, kim_error *err)
{
    page_walk *walk = context;
    kim_arena_reset(walk->arena);
    if (walk->left == 0)
        return 0;
    walk->left -= walk->left > 0;
    walk->printed++;
    if (walk->in->form != AS_JSON) {
        static const char *const names[] = {"id", "kind", "name", "scope", "state"};
        put_all(walk->to, item, names, 5);
        rows_cell(walk->to, words_time(kim_json_get(item, "created_unix_ms"), walk->arena));
        rows_cell(walk->to, words_time(kim_json_get(item, "last_seen_unix_ms"), walk->arena));
    } else {
        fputs(walk->printed > 1 ? ",\n" : "{\"identities\":[\n", stdout);
        if (print_value(item, "", err) < 0)
            return -1;
    }
    return ferror(stdout) ? kim_fail(err, KIM_ERR_IO, "standard output takes no more") : 0;
}

/* One page; *next is the page after it, in arena, or NULL. */
static int print_page(page_walk *walk, client *c, const char *page, kim_arena *arena, const char **next, kim_error *err)
{
    static const char *const options[] = {"filter", "kind", "scope", NULL};
    kim_bytes path = {0};
    client_path(&path, "/v1/identities");
    print_add_options(&path, walk->in, options);
    client_param(&path, "limit", walk->left >= 0 && walk->left < 10000 ? given(walk->in, "limit", "10000") : "10000");
    if (page != NULL)
        client_param(&path, "page", page);
    const char *text = client_path_text(&path, err);
    items *it = text != NULL ? items_new("identities", print_identity, walk, err) : NULL;
    const kim_json *rest = NULL;
    if (it != NULL && client_exchange(c, text, NULL, 0, items_take, it, err) == 0)
        rest = items_rest(it, arena, err);
    items_free(it);
    kim_bytes_free(&path);
    *next = kim_text_copy(arena, kim_json_text_of(rest, "next")).bytes;
    return rest != NULL ? 0 : -1;
}

static int print_pages(page_walk *walk, client *c, kim_error *err)
{
    kim_arena *arenas[2] = {kim_arena_new(1 << 20), kim_arena_new(1 << 20)}; /* this page's name, the next one's */
    const char *page = NULL, *next = NULL;
    int result = arenas[0] != NULL && arenas[1] != NULL ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory for a list");
    for (int i = 0; result == 0; i = !i) {
        kim_arena_reset(arenas[i]);
        result = print_page(walk, c, page, arenas[i], &next, err);
        page = next;
        if (page == NULL || walk->left == 0)
            break;
    }
    kim_arena_free(arenas[0]);
    kim_arena_free(arenas[1]);
    return result;
}

static int read_limit(const invocation *in, int64_t *out, kim_error *err)
{
    const char *text = given(in, "limit", NULL);
    char *end;
    *out = -1;
    if (text == NULL)
        return 0;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || value < 1 || value > 1000000000)
        return kim_fail(err, KIM_ERR_INPUT, "--limit is '%.64s'; write a whole number from 1", text);
    *out = value;
    return 0;
}

int run_identities(const invocation *in, kim_error *err)
{
    static const column columns[] = {
        {"id", false, true},      {"kind", false, false},    {"name", false, true},      {"scope", false, true},
        {"state", false, false},  {"created", false, false}, {"last seen", false, false},
    };
    page_walk walk = {.in = in};
    if (read_limit(in, &walk.left, err) < 0)
        return -EXIT_USAGE;
    client *c = client_open(in->socket, err);
    walk.arena = kim_arena_new(64 * 1024 * 1024);
    if (in->form != AS_JSON && c != NULL)
        walk.to = rows_begin(stdout, rows_style_of_stdout(in->form == AS_CSV), columns, 7, err);
    int status = -1;
    if (c != NULL && walk.arena != NULL && (in->form == AS_JSON || walk.to != NULL))
        status = print_pages(&walk, c, err);
    if (status == 0 && in->form == AS_JSON)
        printf("%s]}\n", walk.printed == 0 ? "{\"identities\":[" : ""); /* its head came with the first one */
    if (walk.to != NULL && status == 0)
        status = rows_end(walk.to, err);
    else
        rows_abandon(walk.to);
    if (status == 0 && walk.printed == 0 && in->form == AS_TABLE && !in->quiet)
        fprintf(stderr, "there is no such identity\n");
    kim_arena_free(walk.arena);
    client_close(c);
    return status;
}

/* ---- show ---- */

typedef struct section {
    const char *title, *member;
    size_t count;
    const char *names[5];   /* of members; "a.b" is a member of a member; "..._unix_ms" is a time */
    column columns[5];
} section;

static const section sections[] = {
    {"Keys", "keys", 3, {"type", "issuer", "value"}, {{"type", 0, 0}, {"issuer", 0, 1}, {"value", 0, 1}}},
    {"Credentials", "credentials", 5, {"id", "kind", "state", "created_unix_ms", "last_used_unix_ms"},
     {{"id", 0, 1}, {"kind", 0, 0}, {"state", 0, 0}, {"created", 0, 0}, {"last used", 0, 0}}},
    {"Groups", "groups", 3, {"id", "via", "eligible"}, {{"id", 0, 1}, {"via", 0, 0}, {"eligible", 0, 0}}},
    {"Members", "members", 2, {"id", "via"}, {{"id", 0, 1}, {"via", 0, 0}}},
    {"Can become", "can_become", 3, {"id", "via", "condition"}, {{"id", 0, 1}, {"via", 0, 0}, {"condition", 0, 1}}},
    {"Can be become by", "become_by", 3, {"id", "via", "condition"}, {{"id", 0, 1}, {"via", 0, 0}, {"condition", 0, 1}}},
    {"Policies", "policies", 4, {"layer", "policy.name", "policy.kind", "through"},
     {{"layer", 0, 0}, {"policy", 0, 1}, {"kind", 0, 0}, {"through", 0, 1}}},
};

static kim_text member_text(const kim_json *item, const char *name, kim_arena *arena)
{
    const char *dot = strchr(name, '.');
    const kim_json *value = dot == NULL ? kim_json_get(item, name)
                                        : kim_json_get(kim_json_get_text(item, (kim_text){name, (size_t)(dot - name)}), dot + 1);
    if (kim_text_ends_with(kim_text_of(name), KIM_TEXT("_unix_ms")))
        return words_time(value, arena);
    return kim_json_text(value);
}

static void write_section(const section *s, const kim_json *list, rows_style style, kim_arena *arena)
{
    if (!kim_json_is(list, KIM_JSON_ARRAY) || list->count == 0)
        return;
    rows *r = rows_begin(stdout, style, s->columns, s->count, NULL);
    if (r == NULL)
        return;
    printf("\n%s:\n", s->title);
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < s->count; k++)
            rows_cell(r, member_text(&list->items[i], s->names[k], arena));
    rows_end(r, NULL);
}

static void write_show_csv(const kim_json *answer, rows_style style, kim_arena *arena)
{
    static const column columns[] = {{"part", 0, 0}, {"name", 0, 0}, {"detail", 0, 0}};
    rows *r = rows_begin(stdout, style, columns, 3, NULL);
    for (size_t s = 0; r != NULL && s < sizeof sections / sizeof *sections; s++) {
        const kim_json *list = kim_json_get(answer, sections[s].member);
        for (size_t i = 0; kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++) {
            rows_cell(r, kim_text_of(sections[s].member));
            rows_cell(r, member_text(&list->items[i], sections[s].names[0], arena));
            rows_cell(r, member_text(&list->items[i], sections[s].names[1], arena));
        }
    }
    if (r != NULL)
        rows_end(r, NULL);
}

static void write_show(const invocation *in, const kim_json *answer, rows_style style, kim_arena *arena)
{
    (void)in;
    static const char *const names[] = {"id", "kind", "name", "scope", "state", "owner", "created_unix_ms", "last_seen_unix_ms"};
    static const section used = {"Used", "actions", 4, {"action", "outcome", "count", "last_unix_ms"},
                                 {{"action", 0, 0}, {"outcome", 0, 0}, {"count", 1, 0}, {"last", 0, 0}}};
    if (style.csv) {
        write_show_csv(answer, style, arena);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char title[32];
        snprintf(title, sizeof title, "%s", names[i]);
        if (strstr(title, "_unix_ms") != NULL)
            *strstr(title, "_unix_ms") = '\0';
        rows_field(stdout, style, title, member_text(kim_json_get(answer, "identity"), names[i], arena), PLAIN);
    }
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        write_section(&sections[i], kim_json_get(answer, sections[i].member), style, arena);
    write_section(&used, kim_json_get(kim_json_get(answer, "usage"), "actions"), style, arena);
}

int run_show(const invocation *in, kim_error *err)
{
    kim_bytes path = {0};
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    client_path(&path, "/v1/identities/show");
    client_param(&path, "id", in->arguments[0]);
    const char *text = client_path_text(&path, err);
    const kim_json *answer = text != NULL && arena != NULL ? print_short(in, text, NULL, write_show, arena, err) : NULL;
    kim_arena_free(arena);
    kim_bytes_free(&path);
    return answer != NULL ? EXIT_FINE : -1;
}

/* ---- gaps, findings ---- */

static int print_selection(const invocation *in, const char *route, const list_view *view, kim_error *err)
{
    static const char *const options[] = {"identity", "scope", "kind", "days", "limit", NULL};
    kim_bytes path = {0};
    client_path(&path, route);
    print_add_options(&path, in, options);
    const char *text = client_path_text(&path, err);
    int result = text != NULL ? print_list(in, text, view, err) : -1;
    kim_bytes_free(&path);
    return result;
}

static void write_gap(rows *r, const kim_json *item, kim_arena *arena)
{
    static const char *const names[] = {"identity", "granted", "used", "unused", "unseen", "conditional"};
    put_all(r, item, names, 6);
    rows_cell(r, words_time(kim_json_get(item, "last_used_unix_ms"), arena));
}

int run_gaps(const invocation *in, kim_error *err)
{
    static const column columns[] = {
        {"identity", 0, 1}, {"granted", 1, 0}, {"used", 1, 0}, {"unused", 1, 0},
        {"unseen", 1, 0}, {"conditional", 1, 0}, {"last used", 0, 0}};
    static const list_view view = {"gaps", columns, 7, write_gap, "no gap between granted and used"};
    return print_selection(in, "/v1/gaps", &view, err);
}

static void write_finding(rows *r, const kim_json *item, kim_arena *arena)
{
    (void)arena;
    static const char *const names[] = {"severity", "kind", "identity", "detail"};
    put_all(r, item, names, 4);
}

int run_findings(const invocation *in, kim_error *err)
{
    static const column columns[] = {{"severity", 0, 0}, {"kind", 0, 0}, {"identity", 0, 1}, {"detail", 0, 1}};
    static const list_view view = {"findings", columns, 4, write_finding, "nothing found"};
    return print_selection(in, "/v1/findings", &view, err);
}
