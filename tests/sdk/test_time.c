/* SPDX-License-Identifier: Apache-2.0
 *
 * What <kim/time.h> makes of dates and times. The numbers are what `date -u -d DATE +%s` says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <kim/time.h>

static void days_are_counted_from_1970(void **state)
{
    (void)state;
    assert_int_equal(kim_days_of(1970, 1, 1), 0);
    assert_int_equal(kim_days_of(1969, 12, 31), -1);
    assert_int_equal(kim_days_of(2000, 2, 29), 11016);
    assert_int_equal(kim_days_of(2000, 3, 1), 11017);
    assert_int_equal(kim_days_of(2026, 11, 21), 20778);
    assert_int_equal(kim_days_of(1, 1, 1), -719162);
    assert_int_equal(kim_days_of(0, 1, 1), -719528);
    assert_int_equal(kim_days_of(9999, 12, 31), 2932896);
}

static void a_day_follows_the_other(void **state)
{
    (void)state;
    for (int year = 0; year < 2400; year++) {
        int64_t leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        assert_int_equal(kim_days_of(year + 1, 1, 1) - kim_days_of(year, 1, 1), 365 + leap);
        assert_int_equal(kim_days_of(year, 3, 1) - kim_days_of(year, 2, 28), 1 + leap);
    }
}

static void a_time_is_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(kim_time_of(2023, 3, 9, 10, 41, 45, 123), 1678358505123);
    assert_int_equal(kim_time_of(2024, 2, 29, 23, 59, 60, 0), 1709251200000); /* a leap second */
}

static void what_is_no_date_is_0(void **state)
{
    (void)state;
    assert_int_equal(kim_time_of(2023, 2, 29, 0, 0, 0, 0), 0);
    assert_int_equal(kim_time_of(1900, 1, 1, 0, 0, 0, 0), 0);
    assert_int_equal(kim_time_of(2023, 13, 1, 0, 0, 0, 0), 0);
    assert_int_equal(kim_time_of(2023, 4, 31, 0, 0, 0, 0), 0);
    assert_int_equal(kim_time_of(2023, 4, 30, 24, 0, 0, 0), 0);
    assert_int_equal(kim_time_of(2023, 4, 30, 0, 60, 0, 0), 0);
}

static void rfc_3339_is_read_with_its_offset(void **state)
{
    (void)state;
    assert_int_equal(kim_time_of_text(KIM_TEXT("2023-03-09T10:41:45.123Z")), 1678358505123);
    assert_int_equal(kim_time_of_text(KIM_TEXT("2023-03-09 10:41:45")), 1678358505000);
    assert_int_equal(kim_time_of_text(KIM_TEXT("2023-03-09T12:41:45+02:00")), 1678358505000);
    assert_int_equal(kim_time_of_text(KIM_TEXT("2023-03-09T07:11:45-0330")), 1678358505000);
    assert_int_equal(kim_time_of_text(KIM_TEXT("2023-03-09T10:41:45.1234567Z")), 1678358505123);
}

static void text_that_is_no_time_is_0(void **state)
{
    static const char *const texts[] = {
        "", "2023-03-09", "2023-03-09T10:41", "2023-03-09T10:41:45+02", "2023-03-09T10:41:45X", "2023-03-09T10:41:45+24:00",
        "2023/03/09T10:41:45Z", "2023-02-30T10:41:45Z", "not a time",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(kim_time_of_text(kim_text_of(texts[i])), 0);
    assert_int_equal(kim_time_of_text(KIM_NO_TEXT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_counted_from_1970), cmocka_unit_test(a_day_follows_the_other),
        cmocka_unit_test(a_time_is_milliseconds),     cmocka_unit_test(what_is_no_date_is_0),
        cmocka_unit_test(rfc_3339_is_read_with_its_offset), cmocka_unit_test(text_that_is_no_time_is_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
