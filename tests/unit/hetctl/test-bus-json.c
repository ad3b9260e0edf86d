/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* D-Bus values as JSON, read from real messages. */

#include "test-hetctl.h"

#include <sys/socket.h>
#include <unistd.h>

#include "bus-json.h"
#include "util/sd-cleanup.h"

/* A connection that is never used, but that messages can belong to */
static sd_bus *make_bus(void) {
        sd_bus *bus = NULL;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        assert_true(close(fds[1]) >= 0);
        return bus;
}

static void check(const char *expected, const char *types, ...) {
        g_autoptr(sd_bus) bus = make_bus();
        g_autoptr(sd_bus_message) message = NULL;
        g_autoptr(json_object) object = NULL;
        va_list values;

        assert_true(sd_bus_message_new_signal(bus, &message, "/", "org.example.A", "B") >= 0);
        va_start(values, types);
        assert_true(sd_bus_message_appendv(message, types, values) >= 0);
        va_end(values);
        assert_true(sd_bus_message_seal(message, 1, 0) >= 0);

        assert_int_equal(bus_json_read(message, &object), 0);
        assert_string_equal(
                json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                expected);
        assert_true(bus_json_read(message, &object) < 0);       /* all of it was read */
}

static void test_values(void **state) {
        check("\"a\"", "s", "a");
        check("\"/a/b\"", "o", "/a/b");
        check("true", "b", 1);
        check("255", "y", 255);
        check("-5", "i", -5);
        check("4294967295", "u", UINT32_MAX);
        check("18446744073709551615", "t", UINT64_MAX);
        check("0.2", "d", 0.2);
}

static void test_containers(void **state) {
        check("[1,2]", "(tt)", (uint64_t) 1, (uint64_t) 2);
        check("[]", "as", 0);
        check("{}", "a{sv}", 0);
        check("{\"A\":\"x\",\"B\":[7,8],\"C\":[\"/p\"]}", "a{sv}", 3, "A", "s", "x", "B", "(tt)", (uint64_t) 7,
              (uint64_t) 8, "C", "ao", 1, "/p");
        check("{\"/o\":{\"org.example.I\":{\"P\":true}}}", "a{oa{sa{sv}}}", 1, "/o", 1, "org.example.I", 1, "P", "b",
              1);
        check("[[\"a\",1],[\"b\",2]]", "a(su)", 2, "a", 1, "b", 2);
}

static void test_members(void **state) {
        g_autoptr(json_object) object = json_tokener_parse(
                "{\"s\": \"text\", \"n\": 18446744073709551615, \"b\": true, \"a\": [1, 2]}");

        assert_string_equal(json_get_string(object, "s"), "text");
        assert_true(json_get_number(object, "n") == UINT64_MAX);
        assert_true(json_get_bool(object, "b"));
        assert_int_equal(json_get_number_at(object, "a", 1), 2);

        /* missing, or of another type */
        assert_string_equal(json_get_string(object, "x"), "");
        assert_string_equal(json_get_string(object, "n"), "");
        assert_int_equal(json_get_number(object, "s"), 0);
        assert_false(json_get_bool(object, "x"));
        assert_int_equal(json_get_number_at(object, "a", 2), 0);
        assert_int_equal(json_get_number_at(object, "s", 0), 0);
}

int test_bus_json(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_containers),
                cmocka_unit_test(test_members),
        };

        return cmocka_run_group_tests_name("hetctl JSON", tests, NULL, NULL);
}
