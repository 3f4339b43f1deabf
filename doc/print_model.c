/* SPDX-License-Identifier: Apache-2.0
 *
 * print_model.c - doc/model.md with its tables written anew.
 *
 *     print_model doc/model.md > new        what stands between the two marks is replaced
 *
 * The rows are those that drive the codec, so the page cannot say anything else than the code does; a
 * test fails where it does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kim/limits.h>
#include <kim/record.h>

static const char begin_mark[] = "<!-- the tables: written by doc/print_model -->\n";
static const char end_mark[] = "<!-- end of the tables -->\n";

static const char *kind_name(kim_field_kind kind)
{
    static const char *const names[] = {
        [KIM_FIELD_TEXT] = "text", [KIM_FIELD_TEXTS] = "list of texts", [KIM_FIELD_PAIRS] = "pairs",
        [KIM_FIELD_INT] = "number", [KIM_FIELD_TIME] = "time",          [KIM_FIELD_BOOL] = "yes or no",
        [KIM_FIELD_ENUM] = "word",  [KIM_FIELD_CONDITION] = "condition",
    };
    return names[kind];
}

static void print_words(const char *const *values)
{
    for (int i = 1; values[i] != NULL; i++)
        printf("%s%d `%s`", i > 1 ? ", " : "", i, values[i]);
}

static void print_field(size_t place, const kim_field *field)
{
    printf("| %zu | `%s` | %s | %s%s%s | ", place, field->name, kind_name(field->kind),
           field->is_key ? "key" : "", field->is_key && field->is_required ? ", " : "",
           field->is_required ? "required" : "");
    if (field->max_bytes > 0)
        printf("%zu", field->max_bytes);
    printf(" | ");
    if (field->values != NULL) {
        print_words(field->values);
        printf("; ");
    }
    printf("%s |\n", field->help);
}

static void print_tables(void)
{
    for (int number = 1; number < KIM_RECORD_TYPES; number++) {
        kim_record_type type = (kim_record_type)number;
        size_t count;
        const kim_field *fields = kim_record_fields(type, &count);
        printf("\n### %d `%s`\n\n%s\n\n", number, kim_record_type_name(type), kim_record_type_help(type));
        printf("| place | field | kind | | at most, bytes | what it says |\n|---|---|---|---|---|---|\n");
        for (size_t i = 0; i < count; i++)
            print_field(i + 2, &fields[i]);
    }
    printf("\n");
}

int main(int count, char **arguments)
{
    FILE *page = count == 2 ? fopen(arguments[1], "r") : NULL;
    if (page == NULL) {
        fprintf(stderr, "usage: print_model doc/model.md\n");
        return 2;
    }
    char *line = NULL;
    size_t room = 0;
    int between = 0, marks = 0;
    while (getline(&line, &room, page) > 0) {
        between = between && strcmp(line, end_mark) != 0;
        if (!between)
            fputs(line, stdout);
        marks += strcmp(line, begin_mark) == 0 || strcmp(line, end_mark) == 0;
        if (strcmp(line, begin_mark) == 0) {
            print_tables();
            between = 1;
        }
    }
    free(line);
    fclose(page);
    if (marks != 2)
        fprintf(stderr, "print_model: %s lacks a mark\n", arguments[1]);
    return marks == 2 ? 0 : 1;
}
