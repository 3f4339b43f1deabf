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

/* ---- what the API knows ---- */

typedef struct answers {
    const kim_json *status, *findings, *gaps, *proposals; /* NULL but for status: this controller computes none */
} answers;

/* NULL with err; but NULL without where the controller does not do that. */
static const kim_json *ask(const invocation *in, client *c, const char *route, const char *limit, kim_arena *arena,
                           kim_error *err)
{
    static const char *const options[] = {"days", NULL};
    kim_bytes path = {0};
    *err = (kim_error){.code = KIM_OK};
    client_path(&path, route);
    if (limit != NULL) {
        client_param(&path, "limit", limit);
        print_add_options(&path, in, options);
    }
    const char *text = client_path_text(&path, err);
    const kim_json *answer = text != NULL ? client_ask(c, text, NULL, 0, arena, err) : NULL;
    if (answer == NULL && err->code == KIM_ERR_UNSUPPORTED)
        err->code = KIM_OK;
    kim_bytes_free(&path);
    return answer;
}

static int ask_all(const invocation *in, const char *socket, kim_arena *arena, answers *out, kim_error *err)
{
    client *c = client_open(socket, err);
    memset(out, 0, sizeof *out);
    if (c == NULL)
        return -1;
    out->status = ask(in, c, "/v1/status", NULL, arena, err);
    if (err->code == KIM_OK)
        out->findings = ask(in, c, "/v1/findings", "1000000", arena, err);
    if (err->code == KIM_OK)
        out->gaps = ask(in, c, "/v1/gaps", "10", arena, err);
    if (err->code == KIM_OK)
        out->proposals = ask(in, c, "/v1/proposals", "10", arena, err);
    client_close(c);
    return err->code == KIM_OK ? 0 : -1;
}

/* ---- for people ---- */

static void print_found(const kim_json *status, const sources *found, rows_style style)
{
    static const struct {
        const char *title, *member;
    } of[] = {{"Identities", "identities"}, {"Records", "records"}};
    printf("Read: %zu file%s\n", found->file_count, found->file_count == 1 ? "" : "s");
    for (size_t m = 0; m < 2; m++) {
        const kim_json *counts = kim_json_get(status, of[m].member);
        printf("\n%s\n", of[m].title);
        for (size_t i = 0; kim_json_is(counts, KIM_JSON_OBJECT) && i < counts->count; i++) {
            char name[40];
            snprintf(name, sizeof name, "  %.*s", KIM_PRINT(counts->members[i].name));
            if (kim_json_int(counts->members[i].value, 0) > 0)
                rows_field(stdout, style, name, kim_json_text(counts->members[i].value), PLAIN);
        }
    }
}

typedef struct part {
    const char *heading;
    column columns[4];
    const char *names[4];
    size_t count;
} part;

static void print_part(const part *p, const kim_json *list, rows_style style)
{
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

/* How many findings there are of each kind, and the gravest ones. */
enum { SEVERITIES = 3, FINDINGS_SHOWN = 10, KINDS_MAX = 32 };
static const char *const severities[SEVERITIES] = {"high", "medium", "low"};
static const row_color severity_colors[SEVERITIES] = {BAD, WARN, PLAIN};

static void print_kinds(const kim_json *list, rows_style style)
{
    kim_text kinds[KINDS_MAX];
    int64_t counts[KINDS_MAX] = {0};
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        kim_text kind = kim_json_text_of(&list->items[i], "kind");
        size_t k = 0;
        while (k < count && !kim_text_equal(kinds[k], kind))
            k++;
        if (k == KINDS_MAX)
            continue;
        if (k == count)
            kinds[count++] = kind;
        counts[k]++;
    }
    printf("\nFindings\n");
    for (size_t k = 0; k < count; k++) {
        char text[24];
        snprintf(text, sizeof text, "%6lld", (long long)counts[k]);
        rows_field(stdout, style, text, kinds[k], PLAIN);
    }
}

static void print_findings(const kim_json *list, rows_style style)
{
    static const column columns[] = {{"severity", 0, 0}, {"finding", 0, 0}, {"identity", 0, 1}, {"detail", 0, 1}};
    if (!kim_json_is(list, KIM_JSON_ARRAY) || list->count == 0)
        return;
    print_kinds(list, style);
    rows *r = rows_begin(stdout, style, columns, 4, NULL);
    if (r == NULL)
        return;
    printf("\nThe gravest\n");
    size_t shown = 0;
    for (size_t s = 0; s < SEVERITIES; s++)
        for (size_t i = 0; i < list->count && shown < FINDINGS_SHOWN; i++) {
            const kim_json *one = &list->items[i];
            if (!kim_text_is(kim_json_text_of(one, "severity"), severities[s]))
                continue;
            shown++;
            rows_cell_in(r, kim_json_text_of(one, "severity"), severity_colors[s]);
            rows_cell(r, kim_json_text_of(one, "kind"));
            rows_cell(r, kim_json_text_of(one, "identity"));
            rows_cell(r, kim_json_text_of(one, "detail"));
        }
    rows_end(r, NULL);
}

void report_print_lacking(const kim_json *list, rows_style style)
{
    static const column columns[] = {{"part", 0, 0}, {"status", 0, 0}, {"scopes", 1, 0}, {"why", 0, 1}};
    if (!kim_json_is(list, KIM_JSON_ARRAY) || list->count == 0)
        return;
    rows *r = rows_begin(stdout, style, columns, 4, NULL);
    if (r == NULL)
        return;
    printf("\nNot, or not fully, covered\n");
    for (size_t i = 0; i < list->count; i++) {
        kim_text what = kim_json_text_of(&list->items[i], "part"), status = kim_json_text_of(&list->items[i], "status");
        int64_t scopes = 0;
        bool is_first = true;
        for (size_t k = 0; k < list->count; k++) {
            bool same = kim_text_equal(what, kim_json_text_of(&list->items[k], "part")) &&
                        kim_text_equal(status, kim_json_text_of(&list->items[k], "status"));
            is_first = is_first && !(same && k < i);
            scopes += same;
        }
        if (!is_first)
            continue;
        rows_cell(r, what);
        rows_cell(r, status);
        rows_int(r, scopes);
        rows_cell(r, kim_json_text_of(&list->items[i], "why"));
    }
    rows_end(r, NULL);
}

static double number_of(const kim_json *of, const char *name)
{
    kim_text text = kim_json_text_of(of, name);
    return text.size ? strtod(text.bytes, NULL) : 0;
}

/* What closing the largest gaps would take away. */
static void print_proposals(const kim_json *proposals)
{
    const kim_json *list = kim_json_get(proposals, "proposals");
    if (!kim_json_is(list, KIM_JSON_ARRAY) || list->count == 0)
        return;
    printf("\nProposals for the %zu largest gaps: %.1f %% fewer actions on average; %.1f %% of what stays is under a condition\n", list->count,
           100 * number_of(proposals, "mean_reduction"), 100 * number_of(proposals, "conditional_share"));
}

/* The largest gap of someone who used something: there is most to gain and least to fear. */
static kim_text worth_proposing(const kim_json *proposals)
{
    for (size_t i = 0; kim_json_is(proposals, KIM_JSON_ARRAY) && i < proposals->count; i++)
        if (kim_json_int(kim_json_get(kim_json_get(&proposals->items[i], "replay"), "used"), 0) > 0)
            return kim_json_text_of(&proposals->items[i], "identity");
    return KIM_NO_TEXT;
}

/* Commands to paste: what outsiders named stands in them as one harmless word, or not at all. */
static void print_next(const invocation *in, const answers *all, kim_arena *arena)
{
    kim_text first = words_shell(worth_proposing(kim_json_get(all->proposals, "proposals")), arena);
    kim_text file = words_shell(kim_text_of(in->arguments[0]), arena);
    const char *more = in->argument_count > 1 ? " ..." : "";
    if (in->quiet || file.size == 0)
        return;
    printf("\nNext\n  kim scan %.*s%s -- findings\n  kim scan %.*s%s -- who-can iam:PassRole '*'\n", KIM_PRINT(file), more,
           KIM_PRINT(file), more);
    if (first.size > 0)
        printf("  kim scan %.*s%s -- propose %.*s\n", KIM_PRINT(file), more, KIM_PRINT(first));
}

static void print_for_people(const invocation *in, const answers *all, const sources *found, const report_notes *notes,
                             kim_arena *arena)
{
    static const part gaps = {"Largest gaps between granted and used",
                              {{"identity", 0, 1}, {"granted", 1, 0}, {"used", 1, 0}, {"unused", 1, 0}},
                              {"identity", "granted", "used", "unused"}, 4};
    rows_style style = rows_style_of_stdout(false);
    print_found(all->status, found, style);
    print_findings(kim_json_get(all->findings, "findings"), style);
    print_part(&gaps, kim_json_get(all->gaps, "gaps"), style);
    print_proposals(all->proposals);
    report_print_lacking(kim_json_get(kim_json_get(all->status, "coverage"), "lacking"), style);
    if (report_has_unread(found, notes) || found->passed_over > 0) {
        printf("\nCould not be read\n");
        report_print_notes(stdout, found, notes);
    }
    print_next(in, all, arena);
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
    if (to == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a report");
    kim_json_begin_object(to);
    put_sources(to, found);
    put_notes(to, found, notes);
    kim_json_key(to, "status");
    kim_json_put_json(to, all->status);
    if (all->findings != NULL) {
        kim_json_key(to, "findings");
        kim_json_put_json(to, kim_json_get(all->findings, "findings"));
    }
    if (all->gaps != NULL) {
        kim_json_key(to, "gaps");
        kim_json_put_json(to, kim_json_get(all->gaps, "gaps"));
    }
    if (all->proposals != NULL) {
        kim_json_key(to, "proposals");
        kim_json_put_json(to, all->proposals);
    }
    kim_json_end_object(to);
    kim_json_end_line(to);
    return print_written(to, err);
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
        print_for_people(in, &all, found, notes, arena);
    kim_arena_free(arena);
    if (result < 0)
        return -1;
    return report_has_unread(found, notes) ? EXIT_UNREAD : EXIT_FINE;
}
