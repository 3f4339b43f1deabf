/* SPDX-License-Identifier: Apache-2.0
 *
 * test_manual.c - kim(1) has every command, option and example of the table, each in its section.
 */
#include <stdio.h>

#include "controller/present/cli/commands.h"
#include "tests/support/cmocka.h"

static char page[256 * 1024];

/* The page's source without its escapes: "\-" is '-', fonts are nothing. */
static int read_page(void **state)
{
    (void)state;
    char path[1024];
    const char *source = getenv("KIM_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/doc/kim.1", source != NULL ? source : ".");
    FILE *in = fopen(path, "r");
    if (in == NULL)
        return -1;
    size_t size = 0;
    for (int c; (c = getc(in)) != EOF && size + 1 < sizeof page;) {
        if (c != '\\') {
            page[size++] = (char)c;
            continue;
        }
        c = getc(in);
        if (c == 'f')
            getc(in); /* the font's letter */
        else
            page[size++] = (char)c;
    }
    page[size] = '\0';
    return fclose(in);
}

/* The text of a section, up to the next one. */
static const char *section(const char *heading)
{
    static char text[64 * 1024];
    char begin[128];
    snprintf(begin, sizeof begin, "\n%s\n", heading);
    const char *at = strstr(page, begin);
    if (at == NULL)
        fail_msg("the page has no section '%s'", heading);
    at += strlen(begin);
    const char *end = strstr(at, "\n.S");
    snprintf(text, sizeof text, "%.*s\n", (int)(end != NULL ? end - at : (ptrdiff_t)strlen(at)), at);
    return text;
}

static void assert_options(const char *text, const char *where, const option *options)
{
    for (const option *o = options; o->name != NULL; o++) {
        char tag[128], letter[] = {'-', o->letter, ',', ' ', '\0'};
        snprintf(tag, sizeof tag, "\n%s--%s%s%s\n", o->letter != 0 ? letter : "", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        if (strstr(text, tag) == NULL)
            fail_msg("%s does not have%s", where, tag);
    }
}

static void every_command_has_its_section_with_its_options_and_examples(void **state)
{
    (void)state;
    size_t count;
    const command *all = commands_all(&count);
    for (size_t i = 0; i < count; i++) {
        char heading[80];
        snprintf(heading, sizeof heading, ".SS kim %s", all[i].name);
        const char *text = section(heading);
        assert_options(text, heading, all[i].options);
        if (strstr(text, all[i].arguments) == NULL)
            fail_msg("%s does not say its arguments, %s", heading, all[i].arguments);
        for (const char *at = all[i].examples; *at != '\0';) {
            char example[512];
            size_t size = strcspn(at, "\n");
            snprintf(example, sizeof example, "    %.*s\n", (int)size, at);
            assert_says(text, example);
            at += size + (at[size] == '\n');
        }
    }
}

static void the_common_options_have_theirs(void **state)
{
    (void)state;
    assert_options(section(".SH COMMON OPTIONS"), "COMMON OPTIONS", commands_common_options());
}

/* And the other way round: a command that is gone leaves no section behind. */
static void the_page_has_no_command_that_the_table_has_not(void **state)
{
    (void)state;
    size_t count, sections = 0;
    commands_all(&count);
    for (const char *at = page; (at = strstr(at, "\n.SS kim ")) != NULL; at++)
        sections++;
    assert_int_equal(sections, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_its_section_with_its_options_and_examples),
        cmocka_unit_test(the_common_options_have_theirs),
        cmocka_unit_test(the_page_has_no_command_that_the_table_has_not),
    };
    return cmocka_run_group_tests(tests, read_page, NULL);
}
