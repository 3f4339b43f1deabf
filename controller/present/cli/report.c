/* SPDX-License-Identifier: Apache-2.0
 *
 * report.c - the API's answers put under headings, and the next commands to try.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/print.h"
#include "controller/present/cli/report.h"
#include "controller/present/cli/words.h"

enum { NOTES_KEPT = 50 };
#define ROWS_SHOWN_TEXT "10" /* of each part; the commands show all */

struct report_notes {
    size_t count; /* all of them */
    char *kept[NOTES_KEPT];
};

report_notes *report_notes_new(kim_error *err)
{
    report_notes *notes = calloc(1, sizeof *notes);
    if (notes == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a report");
    return notes;
}

void report_notes_free(report_notes *notes)
{
    for (size_t i = 0; notes != NULL && i < NOTES_KEPT; i++)
        free(notes->kept[i]);
    free(notes);
}

void report_note(report_notes *notes, const char *message)
{
    if (notes->count < NOTES_KEPT)
        notes->kept[notes->count] = strdup(message);
    notes->count++;
}

bool report_has_unread(const sources *found, const report_notes *notes)
{
    return found->unknown.count > 0 || notes->count > 0;
}

void report_print_notes(FILE *to, const sources *found, const report_notes *notes)
{
    rows_style plain = {0};
    for (size_t i = 0; i < found->unknown.count; i++) {
        rows_field(to, plain, "not read", kim_text_of(found->unknown.items[i]), PLAIN);
        fprintf(to, "%-14s no provider knows what that is; --provider says whose it is\n", "");
    }
    for (size_t i = 0; i < notes->count && i < NOTES_KEPT; i++)
        if (notes->kept[i] != NULL)
            rows_field(to, plain, "not read", kim_text_of(notes->kept[i]), PLAIN);
    if (notes->count > NOTES_KEPT)
        fprintf(to, "%-14s and %zu more\n", "not read", notes->count - NOTES_KEPT);
    if (found->passed_over > 0)
        fprintf(to, "%-14s %zu files in folders that no provider knows\n", "passed over", found->passed_over);
}

/* ---- the parts that the API knows ---- */

typedef struct part {
    const char *heading, *path, *list;
    column columns[4];
    const char *names[4];
    size_t count;
} part;

/* A part that this controller does not compute is left out. */
static const part parts[] = {
    {"Findings", "/v1/findings", "findings",
     {{"severity", 0, 0}, {"finding", 0, 0}, {"identity", 0, 1}, {"detail", 0, 1}},
     {"severity", "kind", "identity", "detail"}, 4},
    {"Largest gaps between granted and used", "/v1/gaps", "gaps",
     {{"identity", 0, 1}, {"granted", 1, 0}, {"used", 1, 0}, {"unused", 1, 0}},
     {"identity", "granted", "used", "unused"}, 4},
};
enum { PARTS = sizeof parts / sizeof *parts };

typedef struct answers {
    const kim_json *status;
    const kim_json *of[PARTS]; /* NULL: not computed */
} answers;

static const kim_json *ask_part(const invocation *in, client *c, const part *p, kim_arena *arena, kim_error *err)
{
    static const char *const options[] = {"days", NULL};
    kim_bytes path = {0};
    client_path(&path, p->path);
    client_param(&path, "limit", ROWS_SHOWN_TEXT);
    print_add_options(&path, in, options);
    const char *text = client_path_text(&path, err);
    const kim_json *answer = text != NULL ? client_ask(c, text, NULL, 0, arena, err) : NULL;
    kim_bytes_free(&path);
    return answer;
}

static int ask_all(const invocation *in, const char *socket, kim_arena *arena, answers *out, kim_error *err)
{
    client *c = client_open(socket, err);
    memset(out, 0, sizeof *out);
    if (c == NULL)
        return -1;
    out->status = client_ask(c, "/v1/status", NULL, 0, arena, err);
    for (size_t i = 0; i < PARTS && out->status != NULL; i++) {
        kim_error why;
        out->of[i] = ask_part(in, c, &parts[i], arena, &why);
        if (out->of[i] == NULL && why.code != KIM_ERR_UNSUPPORTED) {
            *err = why;
            out->status = NULL;
        }
    }
    client_close(c);
    return out->status != NULL ? 0 : -1;
}

/* ---- for people ---- */

static void print_found(const kim_json *status, const sources *found, rows_style style)
{
    static const struct {
        const char *title, *member;
    } of[] = {{"Identities", "identities"}, {"Records", "records"}};
    printf("Found in %zu files\n", found->file_count);
    for (size_t m = 0; m < 2; m++) {
        const kim_json *counts = kim_json_get(status, of[m].member);
        for (size_t i = 0; kim_json_is(counts, KIM_JSON_OBJECT) && i < counts->count; i++) {
            if (kim_json_int(counts->members[i].value, 0) == 0)
                continue;
            char name[40];
            snprintf(name, sizeof name, "  %.*s", KIM_PRINT(counts->members[i].name));
            rows_field(stdout, style, name, kim_json_text(counts->members[i].value), PLAIN);
        }
        if (m == 0)
            printf("of\n");
    }
}

static void print_part(const part *p, const kim_json *of, rows_style style)
{
    const kim_json *list = kim_json_get(of, p->list);
    if (!kim_json_is(list, KIM_JSON_ARRAY) || list->count == 0)
        return;
    rows *r = rows_begin(stdout, style, p->columns, p->count, NULL);
    if (r == NULL)
        return;
    printf("\n%s\n", p->heading);
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < p->count; k++)
            rows_cell(r, kim_json_text_of(&list->items[i], p->names[k]));
    rows_end(r, NULL);
}

static void print_next(const invocation *in, const answers *all)
{
    const kim_json *gaps = kim_json_get(all->of[1], "gaps");
    kim_text first = kim_json_is(gaps, KIM_JSON_ARRAY) && gaps->count > 0 ? kim_json_text_of(&gaps->items[0], "identity")
                                                                          : KIM_NO_TEXT;
    const char *file = in->arguments[0], *more = in->argument_count > 1 ? " ..." : "";
    if (in->quiet)
        return;
    printf("\nNext\n  kim scan %s%s -- identities\n  kim scan %s%s -- who-can iam:PassRole '*'\n", file, more, file, more);
    if (first.size > 0)
        printf("  kim scan %s%s -- propose %.*s\n", file, more, KIM_PRINT(first));
}

static void print_for_people(const invocation *in, const answers *all, const sources *found, const report_notes *notes)
{
    rows_style style = rows_style_of_stdout(false);
    print_found(all->status, found, style);
    for (size_t i = 0; i < PARTS; i++)
        print_part(&parts[i], all->of[i], style);
    if (report_has_unread(found, notes) || found->passed_over > 0) {
        printf("\nCould not be read\n");
        report_print_notes(stdout, found, notes);
    }
    const kim_json *coverage = kim_json_get(all->status, "coverage"), *lacking = kim_json_get(coverage, "lacking");
    static const part lacks = {"Not, or not fully, covered", NULL, "lacking",
                               {{"scope", 0, 1}, {"part", 0, 0}, {"status", 0, 0}, {"why", 0, 1}},
                               {"scope", "part", "status", "why"}, 4};
    if (lacking != NULL)
        print_part(&lacks, coverage, style);
    print_next(in, all);
}

/* ---- for programs ---- */

static void put_paths(kim_json_writer *to, const char *name, const paths *of)
{
    kim_json_key(to, name);
    kim_json_begin_array(to);
    for (size_t i = 0; i < of->count; i++)
        kim_json_put_string(to, of->items[i]);
    kim_json_end_array(to);
}

static void put_sources(kim_json_writer *to, const sources *found)
{
    kim_json_key(to, "sources");
    kim_json_begin_array(to);
    for (size_t i = 0; i < found->count; i++) {
        if (found->all[i].files.count + found->all[i].logs.count == 0)
            continue;
        kim_json_begin_object(to);
        kim_json_key(to, "provider");
        kim_json_put_string(to, found->all[i].provider);
        put_paths(to, "files", &found->all[i].files);
        put_paths(to, "logs", &found->all[i].logs);
        kim_json_end_object(to);
    }
    kim_json_end_array(to);
}

static void put_notes(kim_json_writer *to, const sources *found, const report_notes *notes)
{
    kim_json_key(to, "not_read");
    kim_json_begin_array(to);
    for (size_t i = 0; i < found->unknown.count; i++)
        kim_json_put_string(to, found->unknown.items[i]);
    for (size_t i = 0; i < notes->count && i < NOTES_KEPT; i++)
        if (notes->kept[i] != NULL)
            kim_json_put_string(to, notes->kept[i]);
    kim_json_end_array(to);
    kim_json_key(to, "not_read_total");
    kim_json_put_int(to, (int64_t)(found->unknown.count + notes->count));
    kim_json_key(to, "passed_over");
    kim_json_put_int(to, (int64_t)found->passed_over);
}

static int print_json_report(const answers *all, const sources *found, const report_notes *notes, kim_error *err)
{
    kim_json_writer *to = kim_json_writer_new(false);
    size_t size;
    if (to == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a report");
    kim_json_begin_object(to);
    put_sources(to, found);
    put_notes(to, found, notes);
    kim_json_key(to, "status");
    kim_json_put_json(to, all->status);
    for (size_t i = 0; i < PARTS; i++)
        if (all->of[i] != NULL) {
            kim_json_key(to, parts[i].list);
            kim_json_put_json(to, kim_json_get(all->of[i], parts[i].list));
        }
    kim_json_end_object(to);
    kim_json_end_line(to);
    const char *bytes = kim_json_writer_bytes(to, &size, err);
    if (bytes != NULL)
        fwrite(bytes, 1, size, stdout);
    kim_json_writer_free(to);
    return bytes != NULL ? 0 : -1;
}

static int print_csv_report(const answers *all, kim_error *err)
{
    static const column columns[] = {{"what", false, false}, {"count", true, false}};
    static const char *const members[] = {"identities", "records"};
    rows *r = rows_begin(stdout, rows_style_of_stdout(true), columns, 2, err);
    for (size_t m = 0; r != NULL && m < 2; m++) {
        const kim_json *counts = kim_json_get(all->status, members[m]);
        for (size_t i = 0; kim_json_is(counts, KIM_JSON_OBJECT) && i < counts->count; i++) {
            char what[64];
            snprintf(what, sizeof what, "%s.%.*s", members[m], KIM_PRINT(counts->members[i].name));
            rows_cell(r, kim_text_of(what));
            rows_cell(r, kim_json_text(counts->members[i].value));
        }
    }
    return r != NULL ? rows_end(r, err) : -1;
}

int report_print(const invocation *in, const char *socket, const sources *found, const report_notes *notes,
                 kim_error *err)
{
    kim_arena *arena = kim_arena_new(PRINT_ARENA_BYTES);
    answers all;
    int result = arena != NULL ? ask_all(in, socket, arena, &all, err) : kim_fail(err, KIM_ERR_NOMEM, "no memory for a report");
    if (result == 0 && in->form == AS_JSON)
        result = print_json_report(&all, found, notes, err);
    else if (result == 0 && in->form == AS_CSV)
        result = print_csv_report(&all, err);
    else if (result == 0)
        print_for_people(in, &all, found, notes);
    kim_arena_free(arena);
    if (result < 0)
        return -1;
    return report_has_unread(found, notes) ? EXIT_UNREAD : EXIT_FINE;
}
