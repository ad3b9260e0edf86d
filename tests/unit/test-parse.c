/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sizes, numbers, spans of time, yes and no, and the nearest name. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/parse.h"

#include <errno.h>
#include <glib.h>

static void test_size(void **state) {
        static const struct {
                const char *s;
                int r;
                uint64_t value;
        } cases[] = {
                { "0", 0, 0 },
                { "4096", 0, 4096 },
                { "64K", 0, 65536 },
                { "16m", 0, 16 << 20 },
                { "3G", 0, 3ULL << 30 },
                { "2T", 0, 2ULL << 40 },
                { "0x4000000", 0, 64 << 20 },
                { "0XfF", 0, 255 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "0xffffffffffffffff", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE, 0 },
                { "0x10000000000000000", -ERANGE, 0 },
                { "16777215T", 0, 16777215ULL << 40 },
                { "16777216T", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "K", -EINVAL, 0 },
                { "0x", -EINVAL, 0 },
                { "0x10K", -EINVAL, 0 },
                { "1KB", -EINVAL, 0 },
                { "1 K", -EINVAL, 0 },
                { " 1", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { "+1", -EINVAL, 0 },
                { "1.5G", -EINVAL, 0 },
                { "1E", -EINVAL, 0 },
                { "abc", -EINVAL, 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                uint64_t value = 42;

                print_message("    '%s'\n", cases[i].s);
                assert_int_equal(parse_size(cases[i].s, &value), cases[i].r);
                assert_true(value == (cases[i].r == 0 ? cases[i].value : 42));
        }
}

static void test_uint(void **state) {
        uint64_t value = 42;

        assert_int_equal(parse_uint("255", 255, &value), 0);
        assert_int_equal(value, 255);
        assert_int_equal(parse_uint("0x10", 16, &value), 0);
        assert_int_equal(value, 16);
        assert_int_equal(parse_uint("256", 255, &value), -ERANGE);
        assert_int_equal(parse_uint("1K", 2000, &value), -EINVAL);
        assert_int_equal(parse_uint("", 255, &value), -EINVAL);
        assert_int_equal(value, 16);
}

static void test_time_span(void **state) {
        static const struct {
                const char *s;
                int r;
                uint64_t value;
        } cases[] = {
                { "0", 0, 0 },
                { "5", 0, 5000000 },
                { "100ms", 0, 100000 },
                { "1.5s", 0, 1500000 },
                { "0.25", 0, 250000 },
                { "1.0000019s", 0, 1000001 },
                { "7us", 0, 7 },
                { "7\302\265s", 0, 7 },
                { "1min 30s", 0, 90000000 },
                { "1min30s", 0, 90000000 },
                { "2 h  1 sec ", 0, 7201000000 },
                { "1 day", 0, 86400000000 },
                { "3weeks", 0, 1814400000000 },
                { "5 30s", 0, 35000000 },
                { "infinity", 0, UINT64_MAX },
                { "18446744073709551615us", -ERANGE, 0 },
                { "18446744073709551616us", -ERANGE, 0 },
                { "18446744073710s", -ERANGE, 0 },
                { "18446744073709s 1s", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "s", -EINVAL, 0 },
                { " 5s", -EINVAL, 0 },
                { "-5s", -EINVAL, 0 },
                { "5.s", -EINVAL, 0 },
                { ".5s", -EINVAL, 0 },
                { "5x", -EINVAL, 0 },
                { "5S", -EINVAL, 0 },
                { "5s,", -EINVAL, 0 },
                { "1.2.3", -EINVAL, 0 },
                { "5s infinity", -EINVAL, 0 },
                { "0x10", -EINVAL, 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                uint64_t value = 42;

                print_message("    '%s'\n", cases[i].s);
                assert_int_equal(parse_time_span(cases[i].s, &value), cases[i].r);
                assert_true(value == (cases[i].r == 0 ? cases[i].value : 42));
        }
}

static void test_format_time_span(void **state) {
        char buffer[FORMAT_TIME_SPAN_MAX];
        uint64_t value;

        assert_string_equal(format_time_span(0, buffer), "0");
        assert_string_equal(format_time_span(1000, buffer), "1ms");
        assert_string_equal(format_time_span(90000000, buffer), "1min 30s");
        assert_string_equal(format_time_span(1500000, buffer), "1s 500ms");
        assert_string_equal(format_time_span(UINT64_MAX, buffer), "infinity");

        /* Exact, and the longest one has room */
        assert_int_equal(parse_time_span(format_time_span(UINT64_MAX - 1, buffer), &value), 0);
        assert_true(value == UINT64_MAX - 1);
}

static void test_boolean(void **state) {
        static const char *const yes[] = { "yes", "TRUE", "on", "1" }, *const no[] = { "No", "false", "off", "0" };
        bool value;

        for (size_t i = 0; i < 4; i++) {
                value = false;
                assert_int_equal(parse_boolean(yes[i], &value), 0);
                assert_true(value);
                assert_int_equal(parse_boolean(no[i], &value), 0);
                assert_false(value);
        }
        assert_int_equal(parse_boolean("", &value), -EINVAL);
        assert_int_equal(parse_boolean("yess", &value), -EINVAL);
}

static void test_format(void **state) {
        char buffer[FORMAT_SIZE_MAX];

        assert_string_equal(format_size(0, buffer), "0");
        assert_string_equal(format_size(1023, buffer), "1023");
        assert_string_equal(format_size(1024, buffer), "1K");
        assert_string_equal(format_size(1536, buffer), "1536");
        assert_string_equal(format_size(1536 << 10, buffer), "1536K");
        assert_string_equal(format_size(64 << 20, buffer), "64M");
        assert_string_equal(format_size(1ULL << 60, buffer), "1048576T");
        assert_string_equal(format_size(UINT64_MAX, buffer), "18446744073709551615");
}

static void test_nearest(void **state) {
        static const char *const names[] = { "Memory", "Machine", "CPU", "CPUs" };
        g_autofree char *endless = g_strnfill(100000, 'M');

        assert_string_equal(nearest_name("Memmory", names, 4), "Memory");
        assert_string_equal(nearest_name("memory", names, 4), "Memory");
        assert_string_equal(nearest_name("Mahcine", names, 4), "Machine");
        assert_string_equal(nearest_name("cpu", names, 4), "CPU");
        assert_null(nearest_name("Kernel", names, 4));
        assert_null(nearest_name("", names, 4));
        assert_null(nearest_name("Memory", names, 0));
        assert_null(nearest_name(endless, names, 4));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_uint),
                cmocka_unit_test(test_time_span),
                cmocka_unit_test(test_format_time_span),
                cmocka_unit_test(test_boolean),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_nearest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
