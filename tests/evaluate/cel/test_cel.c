/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cel - CEL as cel-spec's langdef.md has it, chapter by chapter, and as cel-go reads it where that leaves a choice.
 */
#include "tests/evaluate/cel/asking.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- syntax ---- */

static void literals_are_read_in_all_their_forms(void **state)
{
    (void)state;
    assert_value("-0x8000000000000000", "{\"int\":-9223372036854775808}");
    assert_value("0xffffffffffffffffu", "{\"uint\":18446744073709551615}");
    assert_value("[.5, 1e3, 1.5E-2, 007]", "{\"list\":[{\"double\":\"0.5\"},{\"double\":\"1000\"},{\"double\":\"0.015\"},{\"int\":7}]}");
    assert_value("'a\\x41\\u00e9\\U0001F431\\101\\n\\`\\?'", "{\"string\":\"aA\xc3\xa9\xf0\x9f\x90\xb1\x41\\n`?\"}");
    assert_value("b'\\xff\\377a\xc3\xa9'", "{\"bytes\":\"//9hw6k=\"}");
    assert_value("r'\\d' + R\"\\x\" + '''it's \"so\"'''", "{\"string\":\"\\\\d\\\\xit's \\\"so\\\"\"}");
    assert_value("\"\"\"a\r\nb\rc\"\"\"", "{\"string\":\"a\\nb\\nc\"}");
    assert_value("[null, true, false, br'\\n']", "{\"list\":[{\"null\":null},{\"bool\":true},{\"bool\":false},{\"bytes\":\"XG4=\"}]}");
}

static void a_malformed_literal_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_fails("1 +\n  9223372036854775808", "2:3: invalid int literal");
    assert_fails("1e400", "invalid double literal");
    assert_fails("'a\\qb'", "1:1: an escape");
    assert_fails("'\\ud800'", "an escape");
    assert_fails("b'\\u0041'", "an escape");
    assert_fails("'a\nb'", "a quote is not closed");
    assert_fails("'abc", "a quote is not closed");
    assert_fails("0X10", "1:2: ");
    assert_fails("1 = 1", "no token begins with this character");
}

static void operators_bind_as_the_grammar_says(void **state)
{
    (void)state;
    assert_value("1 + 2 * 3 - 4 / 2 % 2", "{\"int\":7}");
    assert_value("10 - 3 - 2", "{\"int\":5}");
    assert_true_of("1 < 2 == true");
    assert_true_of("false && false || true");
    assert_value("true ? 1 : false ? 2 : 3", "{\"int\":1}");
    assert_fails("true ? false ? 1 : 2 : 3", "'?' where ':' is expected");
    assert_value("-5 % 3", "{\"int\":-2}");
    assert_value("- -5", "{\"int\":5}");
    assert_value("!!!true", "{\"bool\":false}");
    assert_true_of("!-1 || true"); /* the operand of ! is a literal here */
}

static void pairs_of_signs_fall_away_before_types_are_looked_at(void **state)
{
    (void)state;
    assert_value("!!1", "{\"int\":1}");
    assert_value("--'a'", "{\"string\":\"a\"}");
}

static void comments_and_trailing_commas_are_allowed(void **state)
{
    (void)state;
    assert_value("1 // one\n + 1 // two", "{\"int\":2}");
    assert_value("[1, 2,].size() + {'a': 1,}.size()", "{\"int\":3}");
    assert_fails("size([1],)", "')' where a value is expected");
}

static void reserved_words_are_no_variables_but_may_be_fields(void **state)
{
    (void)state;
    assert_fails("for", "reserved identifier: for");
    assert_value("{'for': 1}.for", "{\"int\":1}");
    assert_value("{'in': 1}.`in` + {'a-b.c': 2}.`a-b.c`", "{\"int\":3}");
    assert_fails("{'in': 1}.in", "'in' where a name is expected");
}

static void a_message_is_refused_by_name(void **state)
{
    (void)state;
    assert_fails("google.type.Expr{title: 'a'}", "1:17: messages are not constructed here");
}

static void what_is_too_long_or_too_deep_is_refused(void **state)
{
    (void)state;
    static char text[2 * CEL_MAX_BYTES];
    memset(text, '(', 10000);
    assert_fails(text, "nests deeper than 250");
    memset(text, '[', 10000);
    assert_fails(text, "nests deeper than 250");
    for (size_t i = 0; i < 300; i++)
        memcpy(text + 2 * i, "1+", 2);
    memcpy(text + 600, "1", 2);
    assert_fails(text, "more than 250 operators deep");
    memset(text, 'a', CEL_MAX_BYTES + 1);
    text[CEL_MAX_BYTES + 1] = '\0';
    assert_fails(text, "longer than 100000 bytes");
}

static void signs_and_conditions_in_a_row_are_no_depth(void **state)
{
    (void)state;
    static char text[100000];
    size_t size = 0;
    memset(text, '!', 5000);
    memcpy(text + 5000, "true", 5);
    assert_true_of(text);
    for (size_t i = 0; i < 5000; i++)
        size += (size_t)sprintf(text + size, "true && ");
    memcpy(text + size, "false", 6);
    assert_false_of(text);
}

/* ---- errors ---- */

static void and_and_or_absorb_errors_on_either_side(void **state)
{
    (void)state;
    assert_false_of("false && 1 / 0 > 0");
    assert_false_of("1 / 0 > 0 && false");
    assert_true_of("true || 1 / 0 > 0");
    assert_true_of("1 / 0 > 0 || true");
    assert_fails("true && 1 / 0 > 0", "division by zero");
    assert_fails("1 / 0 > 0 || false", "division by zero");
    assert_false_of("'no boolean' && false");
    assert_fails("'no boolean' && true", "no such overload");
}

static void the_condition_of_a_choice_absorbs_nothing_and_the_other_side_is_not_looked_at(void **state)
{
    (void)state;
    assert_fails("1 / 0 > 0 ? true : true", "division by zero");
    assert_value("true ? 1 : 1 / 0", "{\"int\":1}");
    assert_fails("1 ? 2 : 3", "no such overload");
}

static void integers_overflow_into_errors(void **state)
{
    (void)state;
    assert_fails("9223372036854775807 + 1", "integer overflow");
    assert_fails("-9223372036854775808 - 1", "integer overflow");
    assert_fails("-9223372036854775808 / -1", "integer overflow");
    assert_fails("-9223372036854775808 % -1", "integer overflow");
    assert_fails("-(-9223372036854775808)", "integer overflow");
    assert_fails("4611686018427387904 * 2", "integer overflow");
    assert_fails("18446744073709551615u + 1u", "unsigned integer overflow");
    assert_fails("0u - 1u", "unsigned integer overflow");
    assert_fails("1 % 0", "modulus by zero");
    assert_value("1.0 / 0.0", "{\"double\":\"Infinity\"}");
    assert_value("0.0 / 0.0", "{\"double\":\"NaN\"}");
}

static void types_do_not_mix_in_arithmetic(void **state)
{
    (void)state;
    assert_fails("1 + 1u", "no such overload");
    assert_fails("1 + 1.0", "no such overload");
    assert_fails("'a' + b'a'", "no such overload");
    assert_fails("5.0 % 2.0", "no such overload");
    assert_fails("-1u", "no such overload");
}

static void a_function_nobody_knows_is_an_error_when_it_is_called(void **state)
{
    (void)state;
    assert_fails("unheard(1)", "no such overload: unheard");
    assert_true_of("true || unheard(1)");
    assert_fails("true || unheard()", "1:9: no such overload: unheard with 0 arguments");
    assert_fails("true || size(1, 2)", "no such overload: size with 2 arguments");
}

/* ---- equality and order ---- */

static void numbers_compare_by_value_across_their_types(void **state)
{
    (void)state;
    assert_true_of("1 == 1u && 1u == 1.0 && 1.0 == 1");
    assert_true_of("-1 < 0u && 0u > -1 && 1.5 > 1 && 1u < 1.5");
    assert_true_of("9007199254740993 == 9007199254740992.0"); /* as doubles */
    assert_false_of("9007199254740993 == 9007199254740992");
    assert_true_of("18446744073709551615u > 9223372036854775807 && 1e300 > 18446744073709551615u");
    assert_true_of("0.0 == -0.0");
}

static void nan_is_neither_equal_nor_before_nor_after_anything(void **state)
{
    (void)state;
    assert_false_of("double('NaN') == double('NaN')");
    assert_true_of("double('NaN') != double('NaN')");
    assert_false_of("double('NaN') < 1.0 || double('NaN') >= 1.0 || 1 < double('NaN')");
    assert_false_of("double('NaN') in [double('NaN')]");
}

static void values_of_different_types_are_unequal_and_have_no_order(void **state)
{
    (void)state;
    assert_false_of("1 == '1' || null == false || [] == {} || b'a' == 'a'");
    assert_fails("1 < '1'", "no such overload");
    assert_fails("[1] < [2]", "no such overload");
    assert_fails("null < null", "no such overload");
    assert_true_of("false < true && b'a' < b'b' && 'a' < 'b' && 'Z' < 'a'");
}

static void lists_and_maps_are_equal_where_their_parts_are(void **state)
{
    (void)state;
    assert_true_of("[1, 2u, [3.0]] == [1.0, 2, [3]]");
    assert_false_of("[1, 2] == [2, 1]");
    assert_true_of("{'a': 1, 'b': 2u} == {'b': 2, 'a': 1.0}");
    assert_true_of("{1: 'a'} == {1u: 'a'}");
    assert_false_of("{'a': 1} == {'a': 1, 'b': 2}");
    assert_false_of("{'a': double('NaN')} == {'a': double('NaN')}");
}

/* ---- lists, maps, fields ---- */

static void an_index_may_be_any_number_that_is_whole(void **state)
{
    (void)state;
    assert_value("[1, 2][1u] + [1, 2][0.0]", "{\"int\":3}");
    assert_fails("[1][1]", "index out of bounds: 1");
    assert_fails("[1][-1]", "index out of bounds: -1");
    assert_fails("[1][0.5]", "unsupported index value 0.5 in list");
    assert_fails("[1]['a']", "unsupported index type 'string' in list");
}

static void a_key_finds_an_equal_number_of_another_type(void **state)
{
    (void)state;
    assert_value("{1: 'a'}[1u] + {1u: 'b'}[1.0]", "{\"string\":\"ab\"}");
    assert_fails("{'a': 1}['b']", "no such key: b");
    assert_fails("{'a': 1}.b", "no such key: b");
    assert_fails("1.a", "no such key: a");
    assert_fails("{'a': 1}[[1]]", "invalid qualifier type");
    assert_true_of("1u in {1: 2} && 'a' in {'a': 1} && !(2 in {1: 2})");
}

static void a_later_entry_takes_the_place_of_an_earlier_one_of_its_key(void **state)
{
    (void)state;
    assert_value("{'a': 1, 'b': 2, 'a': 3}", "{\"map\":[[{\"string\":\"a\"},{\"int\":3}],[{\"string\":\"b\"},{\"int\":2}]]}");
    assert_value("{1: 'int', 1u: 'uint'}.size()", "{\"int\":2}");
}

static void has_asks_whether_a_field_is_there(void **state)
{
    (void)state;
    assert_true_of("has({'a': null}.a)");
    assert_false_of("has({'a': 1}.b)");
    assert_false_of("has('text'.b)");
    assert_fails("has({}.a.b)", "no such key: a");
    assert_fails("has({'a': 1}['a'])", "invalid argument to has() macro");
}

static void in_looks_through_lists_and_keys(void **state)
{
    (void)state;
    assert_true_of("1.0 in [3, 2, 1]");
    assert_false_of("'1' in [1, 2]");
    assert_fails("1 in 1", "no such overload");
}

/* ---- macros ---- */

static void all_and_exists_absorb_errors_as_and_and_or_do(void **state)
{
    (void)state;
    assert_true_of("[].all(x, 1 / 0 > 0)");
    assert_false_of("[0, 1].all(x, 1 / x > 1)");
    assert_fails("[0, 1].all(x, 1 / x > 0)", "division by zero");
    assert_true_of("[0, 1].exists(x, 1 / x > 0)");
    assert_true_of("{'a': 0, 'b': 1}.exists(k, k == 'b')");
    assert_fails("[1].all(x, x)", "no such overload");
}

static void exists_one_counts_and_absorbs_nothing(void **state)
{
    (void)state;
    assert_true_of("[1, 2, 3].exists_one(x, x > 2)");
    assert_false_of("[1, 2, 3].exists_one(x, x > 1)");
    assert_fails("[0, 1].exists_one(x, 1 / x > 0)", "division by zero");
}

static void map_and_filter_make_lists(void **state)
{
    (void)state;
    assert_value("[1, 2, 3].map(x, x * x)", "{\"list\":[{\"int\":1},{\"int\":4},{\"int\":9}]}");
    assert_value("[1, 2, 3].map(x, x > 1, x + 1)", "{\"list\":[{\"int\":3},{\"int\":4}]}");
    assert_value("{'a': 1, 'b': 2}.filter(k, k != 'a')", "{\"list\":[{\"string\":\"b\"}]}");
    assert_fails("[0].map(x, 1 / x)", "division by zero");
}

static void a_variable_of_a_macro_hides_what_is_around_it(void **state)
{
    (void)state;
    assert_value_with("{\"x\":{\"int\":7}}", "[1].map(x, [x].map(x, x + 1) + [x])", "{\"list\":[{\"list\":[{\"int\":2},{\"int\":1}]}]}");
    assert_value_with("{\"x\":{\"int\":7}}", "[1].map(x, .x)", "{\"list\":[{\"int\":7}]}");
    assert_value_with("{\"x\":{\"list\":[{\"int\":7}]}}", "x.map(x, x)", "{\"list\":[{\"int\":7}]}"); /* but not from its own range */
    assert_fails("[1].map(__result__, 1)", "iteration variable overwrites accumulator variable");
}

static void a_macro_goes_over_nothing_else(void **state)
{
    (void)state;
    assert_fails("1.all(x, true)", "expected iterable type");
    assert_fails("'abc'.all(x, true)", "expected iterable type");
    assert_true_of("''.all(x, false)"); /* its size is 0, and cel-go asks no further */
    assert_fails("[1].all(x.y, true)", "argument must be a simple name");
}

/* ---- texts ---- */

static void size_counts_code_points_bytes_and_elements(void **state)
{
    (void)state;
    assert_value("[size('\xc3\xa9\xf0\x9f\x90\xb1'), size(b'\xc3\xa9'), [1, 2].size(), {'a': 1}.size()]",
                 "{\"list\":[{\"int\":2},{\"int\":2},{\"int\":2},{\"int\":1}]}");
    assert_fails("size(1)", "no such overload: size");
}

static void parts_of_a_string_are_exact(void **state)
{
    (void)state;
    assert_true_of("'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b') && 'abc'.contains('')");
    assert_false_of("'abc'.startsWith('B') || ''.contains('a')");
    assert_fails("'abc'.contains(1)", "no such overload");
    assert_true_of("startsWith('abc', 'a')"); /* without types, a method is a function too */
}

/* ---- conversions ---- */

static void numbers_convert_where_the_other_type_has_room(void **state)
{
    (void)state;
    assert_value("[int(1.9), int(-1.9), int(5u), int('-7'), int('+7')]",
                 "{\"list\":[{\"int\":1},{\"int\":-1},{\"int\":5},{\"int\":-7},{\"int\":7}]}");
    assert_fails("int(9223372036854775807.0)", "integer overflow");
    assert_fails("int(double('NaN'))", "integer overflow");
    assert_fails("uint(-1)", "unsigned integer overflow");
    assert_value("uint(1.9)", "{\"uint\":1}");
    assert_fails("int('1.5')", "type conversion error from 'string' to 'int'");
    assert_fails("int(true)", "no such overload: int(bool)");
    assert_value("double(9007199254740993)", "{\"double\":\"9.007199254740992e+15\"}");
    assert_value("[double('0x1p-2'), double('-inf'), double('1_000.5')]", "{\"list\":[{\"double\":\"0.25\"},{\"double\":\"-Infinity\"},{\"double\":\"1000.5\"}]}");
    assert_fails("double('1e400')", "type conversion error");
}

static void all_but_null_types_and_aggregates_have_a_text(void **state)
{
    (void)state;
    assert_value("string(1e6) + string(123456.0) + string(-0.0001) + string(1e-5)", "{\"string\":\"1e+06123456-0.00011e-05\"}");
    assert_value("string(b'\\303\\251') + string(true) + string(7u)", "{\"string\":\"\xc3\xa9true7\"}");
    assert_fails("string(b'\\377')", "invalid UTF-8");
    assert_value("string(duration('1h1ms')) + string(duration('-1.5s'))", "{\"string\":\"3600.001s-1.5s\"}");
    assert_fails("string(null)", "no such overload: string(null_type)");
    assert_value("bool('T') == bool('1') && !bool('FALSE')", "{\"bool\":true}");
    assert_fails("bool('yes')", "type conversion error");
}

static void types_are_values(void **state)
{
    (void)state;
    assert_value("type(1)", "{\"type\":\"int\"}");
    assert_true_of("type(type(1)) == type && type(null) == null_type && type(timestamp(0)) == google.protobuf.Timestamp");
    assert_true_of("[int, uint, double, bool, string, bytes, list, map].all(t, type(t) == type)");
    assert_fails("int.min", "no such attribute(s): int.min");
}

/* ---- time ---- */

static void timestamps_are_rfc_3339_and_nothing_less(void **state)
{
    (void)state;
    assert_value("timestamp('2026-11-20T10:00:00.25+05:30')", "{\"timestamp\":\"2026-11-20T04:30:00.25Z\"}");
    assert_value("string(timestamp('2026-11-20T10:00:00+05:30'))", "{\"string\":\"2026-11-20T10:00:00+05:30\"}");
    assert_fails("timestamp('2026-02-29T00:00:00Z')", "type conversion error");
    assert_fails("timestamp('2026-11-20')", "type conversion error");
    assert_fails("timestamp('2026-11-20t00:00:00z')", "type conversion error");
    assert_fails("timestamp('0000-01-01T00:00:00Z')", "timestamp overflow");
    assert_fails("timestamp(253402300800)", "timestamp overflow");
    assert_value("int(timestamp('0001-01-01T00:00:00Z'))", "{\"int\":-62135596800}");
}

static void durations_are_what_go_reads(void **state)
{
    (void)state;
    assert_value("duration('1h30m5.5s') + duration('-.5ms')", "{\"duration\":\"5405.4995s\"}");
    assert_fails("duration('1d')", "type conversion error");
    assert_fails("duration('9223372036.854775808s')", "type conversion error");
    assert_value("duration('-9223372036.854775808s')", "{\"duration\":\"-9223372036.854775808s\"}");
    assert_fails("duration('9223372036s') + duration('1s')", "integer overflow");
}

static void time_is_added_and_compared_within_its_range(void **state)
{
    (void)state;
    assert_true_of("timestamp('2026-01-01T00:00:00Z') + duration('24h') == timestamp('2026-01-02T00:00:00Z')");
    assert_true_of("timestamp('2026-01-01T00:00:00Z') - timestamp('2025-12-31T23:00:00Z') == duration('3600s')");
    assert_fails("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "timestamp overflow");
    assert_fails("timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')", "integer overflow");
    assert_true_of("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-01T00:00:00.000000001Z')");
}

static void parts_of_a_time_count_from_zero_but_the_date(void **state)
{
    (void)state;
    assert_value("[1].map(x, timestamp('2026-12-31T23:59:58.999Z')).map(t, [t.getFullYear(), t.getMonth(), t.getDate(), t.getDayOfMonth(), "
                 "t.getDayOfWeek(), t.getDayOfYear(), t.getHours(), t.getMinutes(), t.getSeconds(), t.getMilliseconds()])[0]",
                 "{\"list\":[{\"int\":2026},{\"int\":11},{\"int\":31},{\"int\":30},{\"int\":4},{\"int\":364},{\"int\":23},{\"int\":59},{\"int\":58},{\"int\":999}]}");
    assert_value("[duration('90m').getHours(), duration('-90m').getMinutes(), duration('1.5s').getMilliseconds()]",
                 "{\"list\":[{\"int\":1},{\"int\":-90},{\"int\":1500}]}");
}

static void a_zone_has_the_offset_of_that_time(void **state)
{
    (void)state;
    assert_value("[timestamp('2026-03-29T00:59:59Z'), timestamp('2026-03-29T01:00:00Z')].map(t, t.getHours('Europe/Berlin'))", "{\"list\":[{\"int\":1},{\"int\":3}]}");
    assert_value("timestamp('2026-07-01T12:00:00Z').getMinutes('Asia/Kolkata')", "{\"int\":30}");
    assert_value("timestamp('2100-07-01T12:00:00Z').getHours('America/New_York')", "{\"int\":8}"); /* by the rule behind the last change */
    assert_value("timestamp('1800-01-01T00:00:00Z').getMinutes('Europe/Berlin')", "{\"int\":53}"); /* the sun's */
    assert_value("timestamp(0).getHours('-08:30')", "{\"int\":15}");
    assert_fails("timestamp(0).getHours('europe/berlin')", "unknown time zone");
    assert_fails("timestamp(0).getHours('24:00')", "out of range");
}

/* ---- bindings ---- */

static void a_dotted_name_is_the_longest_variable_that_there_is(void **state)
{
    (void)state;
    const char *bindings = "{\"a.b\":{\"map\":[[{\"string\":\"c\"},{\"int\":1}]]},\"a\":{\"map\":[[{\"string\":\"b\"},{\"int\":2}]]}}";
    assert_value_with(bindings, "a.b.c", "{\"int\":1}");
    assert_value_with(bindings, "a['b'].c", "{\"int\":1}");
    assert_value_with(bindings, "[a].map(x, x.b)", "{\"list\":[{\"int\":2}]}");
    assert_value_with(bindings, "has(a.b)", "{\"bool\":true}");
    assert_fails("a.b.c", "no such attribute(s): a.b.c");
}

static void integers_of_64_bits_come_and_go_exactly(void **state)
{
    (void)state;
    assert_value_with("{\"i\":{\"int\":\"-9223372036854775808\"},\"u\":{\"uint\":18446744073709551615}}", "[i, u]",
                      "{\"list\":[{\"int\":-9223372036854775808},{\"uint\":18446744073709551615}]}");
}

static void a_binding_that_is_none_is_refused_by_name(void **state)
{
    const char *const refused[][2] = {
        {"{\"x\":{\"integer\":1}}", "bindings.x: line 1: unknown type 'integer'"}, {"{\"x\":{\"int\":1.5}}", "'int' is an integer"},
        {"{\"x\":1}", "a value is an object of one member"}, {"{\"x\":{\"int\":1,\"uint\":1}}", "a value is an object of one member"},
        {"{\"x\":{\"bytes\":\"*\"}}", "'bytes' is a string in base64"}, {"{\"x\":{\"map\":[[{\"int\":1}]]}}", "'map' is a list of [key, value]"},
        {"{\"x\":{\"timestamp\":\"today\"}}", "'timestamp' is a time"}, {"{\"x\":{\"type\":\"integer\"}}", "'type' is a type's name"},
        {"{\"x\":{\"map\":[[{\"int\":1},{\"int\":2}],[{\"int\":1},{\"int\":3}]]}}", "each key once"}, {"[]", "'bindings' is an object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_non_null(strstr(answer_of("x", refused[i][0], NULL), refused[i][1]));
}

/* ---- what nobody knows ---- */

static const char *const some = "{\"resource\":{\"map\":[[{\"string\":\"name\"},{\"string\":\"xy\"}]]},\"t\":{\"bool\":true},\"f\":{\"bool\":false}}";

static void unknown_goes_through_until_something_decides(void **state)
{
    (void)state;
    assert_value_with(some, "t || u", "{\"bool\":true}");
    assert_string_equal(answer_of("u || t", some, "[\"u\"]"), "{\"value\":{\"bool\":true}}");
    assert_string_equal(answer_of("u && f", some, "[\"u\"]"), "{\"value\":{\"bool\":false}}");
    assert_string_equal(answer_of("[1, 2].exists(x, u == x || x == 2)", some, "[\"u\"]"), "{\"value\":{\"bool\":true}}");
    assert_left(some, "[\"u\",\"v\"]", "u && t && v", "[\"u\",\"v\"]", "u && v");
    assert_left(some, "[\"u\"]", "u ? 1 : 2", "[\"u\"]", "u ? 1 : 2");
}

static void unknown_stands_before_an_error_but_not_in_an_equation(void **state)
{
    (void)state;
    assert_left(some, "[\"u\"]", "u || 1 / 0 > 0", "[\"u\"]", "u || 1 / 0 > 0");
    assert_left(some, "[\"u\"]", "u + 1 / 0", "[\"u\"]", "u + 1 / 0");
    assert_non_null(strstr(answer_of("1 / 0 + u", some, "[\"u\"]"), "division by zero"));
    assert_non_null(strstr(answer_of("u == 1 / 0", some, "[\"u\"]"), "division by zero"));
    assert_non_null(strstr(answer_of("[u, 1 / 0]", some, "[\"u\"]"), "division by zero"));
}

static void a_path_that_is_unknown_makes_its_parts_and_its_whole_unknown(void **state)
{
    (void)state;
    const char *r = "{\"r\":{\"map\":[[{\"string\":\"a\"},{\"int\":1}],[{\"string\":\"b\"},{\"int\":2}]]},\"k\":{\"string\":\"a\"}}";
    assert_left(r, "[\"r.a\"]", "r.a.b > 1", "[\"r.a\"]", "r.a.b > 1");
    assert_left(r, "[\"r.a\"]", "r == {}", "[\"r\"]", "r == {}");
    assert_left(r, "[\"r.a\"]", "r[k] == 1", "[\"r.a\"]", "r[\"a\"] == 1");
    assert_left(r, "[\"r.a\"]", "has(r.a)", "[\"r.a\"]", "has(r.a)");
    assert_string_equal(answer_of("r.b", r, "[\"r.a\"]"), "{\"value\":{\"int\":2}}");
}

/* ---- what is left ---- */

static void what_is_left_leaves_out_what_is_known(void **state)
{
    (void)state;
    assert_left(some, "[\"request.time\"]", "resource.name.startsWith('x') && request.time < timestamp('2030-01-01T00:00:00Z')",
                "[\"request.time\"]", "request.time < timestamp(\"2030-01-01T00:00:00Z\")");
    assert_left(some, "[\"u\"]", "(f || u == resource.name) && (t ? u != 'z' : f)", "[\"u\"]", "u == \"xy\" && u != \"z\"");
    assert_left(some, "[\"u\"]", "['a', resource.name].exists(x, x == u && t)", "[\"u\"]", "[\"a\", \"xy\"].exists(x, x == u)");
    assert_left(some, "[\"u\"]", "!(u in [1 + 1, 3])", "[\"u\"]", "!(u in [2, 3])");
    assert_left(some, "[\"u\"]", "(u || f) == t", "[\"u\"]", "(u || false) == true"); /* u alone need not be a boolean */
}

static void text_reads_back_as_the_same_expression(void **state)
{
    static const char *const texts[] = {
        "a && (b || c) && !d", "(a ? b : c) ? d : e ? f : g", "1 - (2 - 3) - -4 * (5 + 6)", "-(-1) + -(x) - -x", "!(!x)", "(a == b) == (c < (d in e))",
        "a.b.`c-d`[\"e\"][1].f(g, h)", "[1u, 1.5, 1e+20, b\"\\377a\", \"\\n\\\"\xc3\xa9\", null, {\"a\": [], 2: {}}]", "x.exists(y, y.all(z, z)).map(w, w > 1, -w)",
        "has(a.b) && has((c ? d : e).f)", ".a.b + size(.c)", "(-1).f() + (1 + 2).g() + 1.h()", "(a || b) ? (c && d) : (e ? f : g)",
    };
    (void)state;
    kim_arena *arena = kim_arena_new((size_t)1 << 20);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        kim_error err = {0};
        cel_program *first = cel_compile(kim_text_of(texts[i]), NULL, 0, arena, &err);
        kim_text written = first ? cel_text(first, arena) : KIM_NO_TEXT;
        cel_program *second = cel_compile(written, NULL, 0, arena, &err);
        if (second == NULL)
            print_message("# %s: %.*s: %s\n", texts[i], KIM_PRINT(written), err.message);
        assert_non_null(second);
        assert_true(kim_text_equal(cel_text(second, arena), written));
    }
    kim_arena_free(arena);
}

static void brackets_stand_only_where_they_are_needed(void **state)
{
    static const char *const pairs[][2] = {
        {"((a)) && ((b) || (c))", "a && (b || c)"}, {"((1 + 2)) * 3", "(1 + 2) * 3"}, {"(1 * 2) + 3", "1 * 2 + 3"}, {"a ? (b) : (c ? d : e)", "a ? b : c ? d : e"},
        {"(a && b) || c", "a && b || c"}, {"- (1)", "-(1)"}, {"-1 . f()", "(-1).f()"}, {"'a' . size()", "\"a\".size()"},
    };
    (void)state;
    kim_arena *arena = kim_arena_new((size_t)1 << 20);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        kim_error err = {0};
        kim_text written = cel_text(cel_compile(kim_text_of(pairs[i][0]), NULL, 0, arena, &err), arena);
        assert_true(kim_text_is(written, pairs[i][1]));
    }
    kim_arena_free(arena);
}

/* ---- the host's functions and attributes ---- */

static cel_value match_tag(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)from;
    if (count != 2 || arguments[0].type != CEL_STRING || arguments[1].type != CEL_STRING)
        return cel_failed(scratch, "no such overload");
    if (kim_text_is(arguments[0].text, "unread"))
        return cel_unknown(scratch, KIM_TEXT("tags"));
    return cel_bool(kim_text_is(arguments[1].text, "prod"));
}

static cel_value get_attribute(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)from, (void)count, (void)scratch;
    return arguments[1];
}

static cel_value has_only(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)from, (void)scratch;
    return cel_bool(count == 2 && arguments[0].type == CEL_LIST && arguments[1].type == CEL_LIST && arguments[0].count <= arguments[1].count);
}

static const cel_function functions[] = {
    {"matchTag", "resource", 2, 2, match_tag}, {"getAttribute", "api", 2, 2, get_attribute}, {"hasOnly", "*", 2, 2, has_only},
};

static cel_value look(void *from, kim_text path, kim_arena *scratch)
{
    size_t *asked = from;
    ++*asked;
    if (kim_text_is(path, "request.time"))
        return cel_timestamp(scratch, KIM_TEXT("2026-11-20T10:00:00Z"));
    if (kim_text_is(path, "request.auth"))
        return cel_unknown(scratch, path);
    return cel_absent();
}

static cel_value host_value(kim_arena *arena, const char *expression)
{
    kim_error err = {0};
    size_t asked = 0;
    cel_value v = cel_absent();
    const cel_scope scope = {.look = look, .from = &asked};
    cel_program *program = cel_compile(kim_text_of(expression), functions, 3, arena, &err);
    if (program == NULL)
        return cel_failed(arena, "%s", err.message);
    assert_int_equal(cel_eval(program, &scope, arena, &v, &err), 0);
    return v;
}

static void the_host_adds_functions_by_receiver(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new((size_t)1 << 20);
    assert_true(cel_is_true(host_value(arena, "resource.matchTag('env', 'prod')"))); /* resource itself is no attribute here */
    assert_true(cel_is_true(host_value(arena, "api.getAttribute('a', ['x']).hasOnly(['x', 'y'])")));
    assert_int_equal(host_value(arena, "other.matchTag('env', 'prod')").type, CEL_ERROR);
    assert_int_equal(host_value(arena, "resource.matchTag(1, 'prod')").type, CEL_ERROR);
    cel_value v = host_value(arena, "resource.matchTag('unread', 'prod') || false");
    assert_int_equal(v.type, CEL_UNKNOWN);
    assert_true(kim_text_is(v.names.items[0], "tags"));
    assert_non_null(strstr(host_value(arena, "true || resource.matchTag('env')").text.bytes, "no such overload: matchTag with"));
    kim_arena_free(arena);
}

static void the_host_is_asked_for_the_longest_path_first(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new((size_t)1 << 20);
    assert_true(cel_is_true(host_value(arena, "request.time.getFullYear() == 2026")));
    cel_value v = host_value(arena, "request.auth.claims.groups.exists(g, g == 'a')");
    assert_int_equal(v.type, CEL_UNKNOWN);
    assert_true(kim_text_is(v.names.items[0], "request.auth"));
    assert_int_equal(host_value(arena, "request.name == 'a'").type, CEL_ERROR);
    kim_arena_free(arena);
}

/* ---- limits ---- */

#define TWICE(x) x x
#define DOUBLINGS TWICE(TWICE(TWICE(TWICE(".map(x, [x, x])"))))

static void work_past_a_limit_is_an_error_that_nothing_absorbs(void **state)
{
    (void)state;
    assert_fails("true && ([1]" DOUBLINGS DOUBLINGS " == [1]" DOUBLINGS DOUBLINGS " || true)", "more steps to evaluate than are allowed");
    assert_fails("[1]" DOUBLINGS DOUBLINGS, "value is too large");
    assert_fails("['a']" TWICE(TWICE(TWICE(TWICE(TWICE(".map(x, x + x)"))))) ".size() == 1 || true", "text that is too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_read_in_all_their_forms),
        cmocka_unit_test(a_malformed_literal_is_refused_with_its_place),
        cmocka_unit_test(operators_bind_as_the_grammar_says),
        cmocka_unit_test(pairs_of_signs_fall_away_before_types_are_looked_at),
        cmocka_unit_test(comments_and_trailing_commas_are_allowed),
        cmocka_unit_test(reserved_words_are_no_variables_but_may_be_fields),
        cmocka_unit_test(a_message_is_refused_by_name),
        cmocka_unit_test(what_is_too_long_or_too_deep_is_refused),
        cmocka_unit_test(signs_and_conditions_in_a_row_are_no_depth),
        cmocka_unit_test(and_and_or_absorb_errors_on_either_side),
        cmocka_unit_test(the_condition_of_a_choice_absorbs_nothing_and_the_other_side_is_not_looked_at),
        cmocka_unit_test(integers_overflow_into_errors),
        cmocka_unit_test(types_do_not_mix_in_arithmetic),
        cmocka_unit_test(a_function_nobody_knows_is_an_error_when_it_is_called),
        cmocka_unit_test(numbers_compare_by_value_across_their_types),
        cmocka_unit_test(nan_is_neither_equal_nor_before_nor_after_anything),
        cmocka_unit_test(values_of_different_types_are_unequal_and_have_no_order),
        cmocka_unit_test(lists_and_maps_are_equal_where_their_parts_are),
        cmocka_unit_test(an_index_may_be_any_number_that_is_whole),
        cmocka_unit_test(a_key_finds_an_equal_number_of_another_type),
        cmocka_unit_test(a_later_entry_takes_the_place_of_an_earlier_one_of_its_key),
        cmocka_unit_test(has_asks_whether_a_field_is_there),
        cmocka_unit_test(in_looks_through_lists_and_keys),
        cmocka_unit_test(all_and_exists_absorb_errors_as_and_and_or_do),
        cmocka_unit_test(exists_one_counts_and_absorbs_nothing),
        cmocka_unit_test(map_and_filter_make_lists),
        cmocka_unit_test(a_variable_of_a_macro_hides_what_is_around_it),
        cmocka_unit_test(a_macro_goes_over_nothing_else),
        cmocka_unit_test(size_counts_code_points_bytes_and_elements),
        cmocka_unit_test(parts_of_a_string_are_exact),
        cmocka_unit_test(numbers_convert_where_the_other_type_has_room),
        cmocka_unit_test(all_but_null_types_and_aggregates_have_a_text),
        cmocka_unit_test(types_are_values),
        cmocka_unit_test(timestamps_are_rfc_3339_and_nothing_less),
        cmocka_unit_test(durations_are_what_go_reads),
        cmocka_unit_test(time_is_added_and_compared_within_its_range),
        cmocka_unit_test(parts_of_a_time_count_from_zero_but_the_date),
        cmocka_unit_test(a_zone_has_the_offset_of_that_time),
        cmocka_unit_test(a_dotted_name_is_the_longest_variable_that_there_is),
        cmocka_unit_test(integers_of_64_bits_come_and_go_exactly),
        cmocka_unit_test(a_binding_that_is_none_is_refused_by_name),
        cmocka_unit_test(unknown_goes_through_until_something_decides),
        cmocka_unit_test(unknown_stands_before_an_error_but_not_in_an_equation),
        cmocka_unit_test(a_path_that_is_unknown_makes_its_parts_and_its_whole_unknown),
        cmocka_unit_test(what_is_left_leaves_out_what_is_known),
        cmocka_unit_test(text_reads_back_as_the_same_expression),
        cmocka_unit_test(brackets_stand_only_where_they_are_needed),
        cmocka_unit_test(the_host_adds_functions_by_receiver),
        cmocka_unit_test(the_host_is_asked_for_the_longest_path_first),
        cmocka_unit_test(work_past_a_limit_is_an_error_that_nothing_absorbs),
    };
    return cmocka_run_group_tests(tests, NULL, stop_asking);
}
