/* SPDX-License-Identifier: Apache-2.0
 *
 * test_settings.c - the controller's configuration: what is taken, and how a refusal reads.
 */
#include "tests/support/cmocka.h"

#include <unistd.h>

#include "controller/settings.h"

static char path[] = "/tmp/kim-test-settings-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static settings defaults(void)
{
    kim_error err = {0};
    settings set;
    assert_int_equal(settings_defaults(&set, &err), 0);
    return set;
}

static void a_file_goes_over_the_defaults(void **state)
{
    (void)state;
    kim_error err = {0};
    settings set = defaults();
    write_file("# ours\nlisten = \"tcp://127.0.0.1:0\";\ntoken_lifetime = \"90m\";\napprove_by_hand = true;\nstore_max_bytes = 1000000L;\n");
    if (settings_load(&set, path, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(set.listen, "tcp://127.0.0.1:0");
    assert_int_equal(set.token_lifetime_ms, 90 * 60 * 1000);
    assert_true(set.approve_by_hand);
    assert_int_equal(set.store_max_bytes, 1000000);
    assert_string_equal(set.log_level, "info");
    settings_free(&set);
}

static void the_sample_is_a_sound_file_that_changes_nothing(void **state)
{
    (void)state;
    kim_error err = {0};
    settings set = defaults();
    FILE *file = fopen(path, "w");
    settings_print_sample(file);
    fclose(file);
    if (settings_load(&set, path, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(set.state_dir, "/var/lib/kim-controller");
    settings_free(&set);
}

static void the_sample_in_etc_is_the_one_that_is_printed(void **state)
{
    (void)state;
    char printed[1024], kept[1024], kept_path[4096];
    snprintf(kept_path, sizeof kept_path, "%s/etc/kim-controller.conf", getenv("KIM_SOURCE_DIR") ? getenv("KIM_SOURCE_DIR") : ".");
    FILE *sample = tmpfile(), *file = fopen(kept_path, "r");
    assert_non_null(file);
    settings_print_sample(sample);
    rewind(sample);
    while (fgets(printed, sizeof printed, sample)) {
        assert_non_null(fgets(kept, sizeof kept, file));
        if (strncmp(printed, "#catalogues", strlen("#catalogues")) != 0) /* depends on the prefix */
            assert_string_equal(kept, printed);
    }
    assert_null(fgets(kept, sizeof kept, file));
    fclose(sample);
    fclose(file);
}

/* Every option of the sample, made active: the defaults are values that the file may hold. */
static void every_default_can_be_written(void **state)
{
    (void)state;
    kim_error err = {0};
    settings set = defaults();
    char line[1024];
    FILE *sample = tmpfile(), *file = fopen(path, "w");
    settings_print_sample(sample);
    rewind(sample);
    int active = 0;
    while (fgets(line, sizeof line, sample))
        if (line[0] == '#' && line[1] != ' ' && ++active)
            fputs(line + 1, file);
    fclose(sample);
    fclose(file);
    assert_int_equal(active, 11);
    if (settings_load(&set, path, &err) < 0)
        fail_msg("%s", err.message);
    settings_free(&set);
}

static void a_refusal_names_the_line_and_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"listen = \"tcp://x:1\";\nlisten_on = 1;\n", ":2: there is no option 'listen_on'"},
        {"\n\nspread = \"5\";\n", ":3: spread '5' is no duration; write a number and ms, s, m, h or d, such as \"5m\""},
        {"token_lifetime = \"1s\";\n", ":1: token_lifetime 1s is out of bounds: from 60000 to"},
        {"approve_by_hand = \"maybe\";\n", ":1: approve_by_hand is 'maybe'; write true or false"},
        {"listen = [1, 2];\n", ":1: listen takes one value"},
        {"listen = \"a\";\nsocket = ;\n", ":2: syntax error"},
        {"store_max_bytes = -1;\n", ":1: store_max_bytes -1 is out of bounds"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kim_error err = {0};
        settings set = defaults();
        write_file(cases[i].text);
        assert_int_equal(settings_load(&set, path, &err), -1);
        assert_int_equal(err.code, KIM_ERR_INPUT);
        assert_says(err.message, path);
        assert_says(err.message, cases[i].says);
        assert_string_equal(set.listen, "tcp://0.0.0.0:7601");
        settings_free(&set);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    kim_error err = {0};
    settings set = defaults();
    assert_int_equal(settings_load(&set, "/nowhere/kim.conf", &err), -1);
    assert_int_equal(err.code, KIM_ERR_IO);
    assert_says(err.message, "/nowhere/kim.conf: cannot read the configuration: No such file");
    settings_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_over_the_defaults),
        cmocka_unit_test(the_sample_is_a_sound_file_that_changes_nothing),
        cmocka_unit_test(the_sample_in_etc_is_the_one_that_is_printed),
        cmocka_unit_test(every_default_can_be_written),
        cmocka_unit_test(a_refusal_names_the_line_and_changes_nothing),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
