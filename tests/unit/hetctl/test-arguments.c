/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What users type; errors of hetd and their exit statuses; the end of a console's log. */

#include "test-hetctl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arguments.h"
#include "console-log.h"
#include "failure.h"
#include "text.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

static void assert_usage_error(GError *error) {
        assert_non_null(error);
        assert_true(error->domain == HETCTL_ERROR);
        assert_int_equal(error->code, EXIT_USAGE);
        g_error_free(error);
}

static void test_timeout(void **state) {
        static const struct {
                const char *text;
                uint64_t usec;
        } good[] = {
                { "5", 5000000 }, { "5s", 5000000 }, { "0.5s", 500000 }, { "500ms", 500000 }, { "2min", 120000000 },
                { "2 h", 7200000000 }, { "infinity", TIMEOUT_INFINITE },
        };
        static const char *const bad[] = { "", "0", "-1", "5x", "s", " 5", "nan", "inf", "1e99", "0.0000001", NULL };

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                uint64_t usec = 0;

                assert_true(arguments_parse_timeout(good[i].text, &usec, NULL));
                assert_true(usec == good[i].usec);
        }
        for (const char *const *text = bad; *text; text++) {
                GError *error = NULL;
                uint64_t usec = 42;

                assert_false(arguments_parse_timeout(*text, &usec, &error));
                assert_usage_error(error);
                assert_int_equal(usec, 42);
        }
}

static void test_number(void **state) {
        static const char *const bad[] = { "",   "x",  "0x", "0xg", "12k", "-1",
                                           "+1", " 1", "1 ", "ff",  "32",  "18446744073709551616",
                                           NULL };
        uint64_t value;

        assert_true(arguments_parse_number("n", "0", 31, &value, NULL));
        assert_int_equal(value, 0);
        assert_true(arguments_parse_number("n", "010", 31, &value, NULL));      /* not octal */
        assert_int_equal(value, 10);
        assert_true(arguments_parse_number("n", "0x1F", 31, &value, NULL));
        assert_int_equal(value, 31);
        assert_true(arguments_parse_number("n", "0xffffffffffffffff", UINT64_MAX, &value, NULL));
        assert_true(value == UINT64_MAX);

        for (const char *const *text = bad; *text; text++) {
                GError *error = NULL;

                assert_false(arguments_parse_number("n", *text, 31, &value, &error));
                assert_usage_error(error);
        }
}

static void test_assignment(void **state) {
        g_autofree char *name = NULL, *value = NULL, *name2 = NULL, *value2 = NULL;
        GError *error = NULL;

        assert_true(arguments_parse_assignment("A=b=c", &name, &value, NULL));
        assert_string_equal(name, "A");
        assert_string_equal(value, "b=c");
        assert_true(arguments_parse_assignment("A=", &name2, &value2, NULL));
        assert_string_equal(value2, "");

        assert_false(arguments_parse_assignment("A", &name, &value, &error));
        assert_usage_error(g_steal_pointer(&error));
        assert_false(arguments_parse_assignment("=b", &name, &value, &error));
        assert_usage_error(error);
}

static void test_split(void **state) {
        static const char *const bad[] = { "", "/", "a/", "/b", "a/b/c", "a//b", NULL };
        g_autofree char *platform = NULL, *name = NULL, *none = NULL, *alone = NULL;

        assert_true(arguments_split_name("p/s1", &platform, &name, NULL));
        assert_string_equal(platform, "p");
        assert_string_equal(name, "s1");
        assert_true(arguments_split_name("s1", &none, &alone, NULL));
        assert_null(none);
        assert_string_equal(alone, "s1");

        for (const char *const *text = bad; *text; text++) {
                GError *error = NULL;

                assert_false(arguments_split_name(*text, &platform, &name, &error));
                assert_usage_error(error);
        }
}

static void test_json(void **state) {
        char *argv[] = { (char *) "hetctl",       (char *) "--json", (char *) "list",  (char *) "-j",
                         (char *) "--json=short", (char *) "--",     (char *) "--json" };
        GError *error = NULL;
        JsonFormat format;

        arguments_expand_json((int) G_N_ELEMENTS(argv), argv);
        assert_string_equal(argv[1], "--json=pretty");
        assert_string_equal(argv[2], "list");
        assert_string_equal(argv[3], "--json=pretty");
        assert_string_equal(argv[4], "--json=short");
        assert_string_equal(argv[6], "--json");

        assert_true(arguments_parse_json("short", &format, NULL));
        assert_int_equal(format, JSON_SHORT);
        assert_false(arguments_parse_json("Pretty", &format, &error));
        assert_usage_error(error);
}

static void test_is_file(void **state) {
        assert_true(arguments_is_file("./x"));
        assert_true(arguments_is_file("x.platform"));
        assert_false(arguments_is_file("first-light"));
}

static void test_failures(void **state) {
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;
        g_autoptr(GError) error = NULL, plain = NULL;

        sd_bus_error_set(&e, "org.hetd1.Error.WrongState", "slave1 is running");
        assert_false(failure_from_bus(&error, &e, -EBUSY));
        assert_int_equal(error->code, EXIT_WRONG_STATE);
        assert_true(g_str_has_prefix(error->message, "slave1 is running\n"));

        /* an error that is not known is shown as it is */
        sd_bus_error_free(&e);
        sd_bus_error_set(&e, "org.example.Odd", NULL);
        assert_false(failure_from_bus(&plain, &e, -EIO));
        assert_int_equal(plain->code, EXIT_FAILED);
        assert_string_equal(plain->message, "org.example.Odd");
}

static void check_tail(const char *content, uint64_t lines, uint64_t expected) {
        HET_AUTO_FD int fd = memfd_create("log", MFD_CLOEXEC);
        uint64_t offset = 99999999;

        assert_int_equal(write(fd, content, strlen(content)), strlen(content));
        assert_int_equal(console_log_find_tail(fd, lines, &offset), 0);
        assert_int_equal(offset, expected);
}

static void test_log_tail(void **state) {
        g_autoptr(GString) large = g_string_new(NULL);

        check_tail("", 3, 0);
        check_tail("one", 1, 0);
        check_tail("one\n", 1, 0);
        check_tail("one\ntwo\n", 1, 4);
        check_tail("one\ntwo\n> ", 1, 8);
        check_tail("one\ntwo\n> ", 2, 4);
        check_tail("one\ntwo\n> ", 9, 0);
        check_tail("\n\n\n", 2, 1);

        /* more than one block, and lines that end where blocks do */
        for (unsigned i = 0; i < 10000; i++)
                g_string_append_printf(large, "%07u\n", i);
        for (unsigned lines = 1; lines <= 10000; lines += 7)
                check_tail(large->str, lines, (10000 - lines) * 8);
        check_tail(large->str, 10001, 0);
}

static void test_sizes(void **state) {
        static const struct {
                uint64_t bytes;
                const char *text;
        } sizes[] = {
                { 0, "0" }, { 100, "100" }, { 1024, "1K" }, { 1536 * 1024, "1536K" }, { 64 << 20, "64M" },
                { (uint64_t) 1 << 30, "1G" }, { (uint64_t) 1 << 63, "8E" }, { UINT64_MAX, "18446744073709551615" },
        };
        g_autofree char *window = text_window(0x60000000, 64 << 20), *none = text_window(0, 0);
        g_autofree char *short_time = text_duration(850000),
                        *long_time = text_duration(90061 * (uint64_t) G_USEC_PER_SEC);

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autofree char *text = text_size(sizes[i].bytes);

                assert_string_equal(text, sizes[i].text);
        }
        assert_string_equal(window, "64M@0x60000000");
        assert_string_equal(none, "-");
        assert_string_equal(short_time, "850 ms");
        assert_string_equal(long_time, "1 d 1 h");
}

int test_arguments(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_timeout),
                cmocka_unit_test(test_number),
                cmocka_unit_test(test_assignment),
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_is_file),
                cmocka_unit_test(test_failures),
                cmocka_unit_test(test_log_tail),
                cmocka_unit_test(test_sizes),
        };

        return cmocka_run_group_tests_name("hetctl arguments", tests, NULL, NULL);
}
