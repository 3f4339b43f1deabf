/* SPDX-License-Identifier: Apache-2.0
 *
 * test_read_role.c - the role that kim reads with may do what is asked of AWS, and nothing else; and what
 * is answered can be read.
 */
#include <stdio.h>

#include <kim/json.h>

#include "plugins/aws/live/collections.h"
#include "plugins/aws/normalise.h"
#include "tests/support/cmocka.h"

/* What is asked beside the table: where to ask, and the trail. */
static const char *const also_asked[] = {"ec2:DescribeRegions", "cloudtrail:LookupEvents"};

static kim_texts granted(kim_arena *arena)
{
    char path[1024], bytes[16384];
    kim_error err = {0};
    snprintf(path, sizeof path, "%s/plugins/aws/read-role.json", getenv("KIM_SOURCE_DIR"));
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t size = fread(bytes, 1, sizeof bytes, in), count = 0;
    fclose(in);
    const kim_json *root = kim_json_parse(bytes, size, path, arena, &err), *list = kim_json_get(root, "Statement");
    assert_non_null(list);
    kim_text *all = KIM_NEW_ARRAY(arena, kim_text, 1024);
    for (size_t i = 0; i < list->count; i++) {
        assert_true(kim_text_is(kim_json_text_of(&list->items[i], "Effect"), "Allow"));
        kim_texts actions = kim_json_texts(kim_json_get(&list->items[i], "Action"), arena);
        for (size_t k = 0; k < actions.count; k++)
            all[count++] = actions.items[k];
    }
    return (kim_texts){all, count};
}

static bool holds(kim_texts list, const char *text)
{
    for (size_t i = 0; i < list.count; i++)
        if (kim_text_is(list.items[i], text))
            return true;
    return false;
}

static bool is_asked(kim_text action)
{
    size_t count;
    const aws_collection *rows = aws_collections(&count);
    for (size_t i = 0; i < count; i++)
        if (kim_text_is(action, rows[i].action ? rows[i].action : rows[i].kind))
            return true;
    for (size_t i = 0; i < sizeof also_asked / sizeof *also_asked; i++)
        if (kim_text_is(action, also_asked[i]))
            return true;
    return false;
}

static void the_role_may_do_all_that_is_asked(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    kim_texts actions = granted(arena);
    size_t count;
    const aws_collection *rows = aws_collections(&count);
    for (size_t i = 0; i < count; i++) {
        const char *action = rows[i].action ? rows[i].action : rows[i].kind;
        if (!holds(actions, action))
            fail_msg("read-role.json does not grant %s", action);
    }
    kim_arena_free(arena);
}

static void the_role_may_do_nothing_else(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    kim_texts actions = granted(arena);
    for (size_t i = 0; i < actions.count; i++)
        if (!is_asked(actions.items[i]))
            fail_msg("read-role.json grants %.*s, which is never asked", KIM_PRINT(actions.items[i]));
    kim_arena_free(arena);
}

static void every_answer_that_is_asked_for_has_a_reader(void **state)
{
    (void)state;
    size_t count, unknown = aws_kind_rank("no such kind");
    const aws_collection *rows = aws_collections(&count);
    for (size_t i = 0; i < count; i++)
        if (!(rows[i].flags & AWS_SILENT) && aws_kind_rank(rows[i].kind) == unknown)
            fail_msg("nothing reads %s", rows[i].kind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_role_may_do_all_that_is_asked),
        cmocka_unit_test(the_role_may_do_nothing_else),
        cmocka_unit_test(every_answer_that_is_asked_for_has_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
