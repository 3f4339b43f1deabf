/* SPDX-License-Identifier: Apache-2.0
 *
 * test_split.c - a JSON text is cut where its values end, and all before damage is still found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plugins/aws/split.h"

static void assert_values(aws_split split, const char *expected, const char *fault)
{
    char got[1024] = "";
    kim_text value;
    while (aws_split_next(&split, &value))
        snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s|", KIM_PRINT(value));
    assert_string_equal(got, expected);
    if (fault)
        assert_string_equal(split.fault, fault);
    else
        assert_null(split.fault);
}

static void elements_end_where_their_brackets_close(void **state)
{
    (void)state;
    assert_values(aws_split_inside(KIM_TEXT(" [1, \"a]\\\"\", {\"b\":[2,{}]},[], null ] ")), "1|\"a]\\\"\"|{\"b\":[2,{}]}|[]|null|", NULL);
    assert_values(aws_split_inside(KIM_TEXT("[]")), "", NULL);
    assert_values(aws_split_inside(KIM_TEXT("7")), "", NULL);
}

static void documents_may_stand_one_after_another(void **state)
{
    (void)state;
    assert_values(aws_split_values(KIM_TEXT("\xef\xbb\xbf{\"a\":1}\n{\"b\":2}  ")), "{\"a\":1}|{\"b\":2}|", NULL);
    assert_values(aws_split_values(KIM_TEXT(" \n")), "", NULL);
}

static void what_is_cut_short_or_damaged_is_said_after_what_stands_before(void **state)
{
    (void)state;
    assert_values(aws_split_inside(KIM_TEXT("[{\"a\":1},{\"b\":")), "{\"a\":1}|", "is cut short");
    assert_values(aws_split_inside(KIM_TEXT("[\"a\",\"b")), "\"a\"|", "is cut short");
    assert_values(aws_split_inside(KIM_TEXT("[1")), "1|", "is cut short");
    assert_values(aws_split_inside(KIM_TEXT("[1 2]")), "1|", "has no comma between two values");
    assert_values(aws_split_inside(KIM_TEXT("[1,:]")), "1|", "has a stray character");
    assert_values(aws_split_inside(KIM_TEXT("[\"a\\")), "", "is cut short");
}

static void members_have_names_as_written(void **state)
{
    (void)state;
    aws_split split = aws_split_inside(KIM_TEXT("{\"a\\u0062\" : 1 , \"c\":{\"d\":2}}"));
    kim_text name, value;
    assert_true(aws_split_member(&split, &name, &value));
    assert_true(kim_text_is(name, "a\\u0062") && kim_text_is(value, "1"));
    assert_true(aws_split_member(&split, &name, &value));
    assert_true(kim_text_is(name, "c") && kim_text_is(value, "{\"d\":2}"));
    assert_false(aws_split_member(&split, &name, &value));
    assert_null(split.fault);
    assert_true(kim_text_is(aws_split_get(KIM_TEXT("{\"x\":1,\"y\":[2]}"), "y"), "[2]"));
    assert_null(aws_split_get(KIM_TEXT("{\"x\":{\"y\":2}}"), "y").bytes);
    assert_null(aws_split_get(KIM_TEXT("[\"y\",2]"), "y").bytes);
}

static void a_shape_is_seen_in_a_text_that_is_cut_short(void **state)
{
    (void)state;
    const kim_text cut = KIM_TEXT("{\"IsTruncated\":false,\"Users\":[{\"Path\":\"/\",\"Arn\":\"arn:aws:ia");
    assert_true(aws_split_has_shape(cut, "Users[].Arn"));
    assert_true(aws_split_has_shape(cut, "IsTruncated Users[].Path"));
    assert_false(aws_split_has_shape(cut, "Users[].UserId"));
    assert_false(aws_split_has_shape(cut, "Users{}"));
    assert_false(aws_split_has_shape(cut, "Arn"));
    assert_int_equal(aws_split_has_shape(KIM_TEXT("{\"Users\":[ ]}"), "Users[].Arn"), 1);
    assert_int_equal(aws_split_has_shape(KIM_TEXT("{\"Users\":[ ]}"), "Users[]"), 2);
    assert_false(aws_split_has_shape(KIM_TEXT("[{\"Users\":[]}]"), "Users[]"));
    assert_true(aws_split_has_shape(KIM_TEXT("{\"a\":{\"b\":1}}"), "a.b"));
    assert_false(aws_split_has_shape(KIM_TEXT("{\"a\":\"b\"}"), "a.b"));
}

static void deep_nesting_is_cut_without_recursion(void **state)
{
    enum { DEPTH = 1000000 };
    (void)state;
    char *text = malloc(2 * DEPTH);
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    aws_split split = aws_split_inside((kim_text){text, 2 * DEPTH});
    kim_text value;
    assert_true(aws_split_next(&split, &value));
    assert_int_equal(value.size, 2 * DEPTH - 2);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_end_where_their_brackets_close),
        cmocka_unit_test(documents_may_stand_one_after_another),
        cmocka_unit_test(what_is_cut_short_or_damaged_is_said_after_what_stands_before),
        cmocka_unit_test(members_have_names_as_written),
        cmocka_unit_test(a_shape_is_seen_in_a_text_that_is_cut_short),
        cmocka_unit_test(deep_nesting_is_cut_without_recursion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
