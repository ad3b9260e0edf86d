/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The files in hetd/dbus are what clients are written against: the objects must have exactly that. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus-fixture.h"

#include "util/sd-cleanup.h"

#include <string.h>

/* --- an interface as lines of text: "method Start(in a{sv} options, out o job)", sorted --- */

typedef struct Parser {
        const char *wanted;             /* interface */
        bool inside;
        GString *member;                /* the line that is being made, NULL: none */
        bool has_arguments;
        const char *emits;
        bool is_property;
        GPtrArray *lines;
} Parser;

static const char *attribute(const char **names, const char **values, const char *name) {
        for (; *names; names++, values++)
                if (g_str_equal(*names, name))
                        return *values;

        return "";
}

static void start_element(GMarkupParseContext *context, const char *element, const char **names, const char **values,
                          void *userdata, GError **error) {
        Parser *p = userdata;
        const char *name = attribute(names, values, "name");

        if (g_str_equal(element, "interface"))
                p->inside = g_str_equal(name, p->wanted);
        else if (!p->inside)
                return;
        else if (g_str_equal(element, "method") || g_str_equal(element, "signal")) {
                p->member = g_string_new(NULL);
                p->has_arguments = p->is_property = false;
                g_string_printf(p->member, "%s %s(", element, name);
        } else if (g_str_equal(element, "property")) {
                p->member = g_string_new(NULL);
                p->is_property = true;
                p->emits = "true";
                g_string_printf(p->member, "property %s %s %s", attribute(names, values, "type"), name,
                                attribute(names, values, "access"));
        } else if (g_str_equal(element, "arg")) {
                g_string_append_printf(p->member, "%s%s %s %s", p->has_arguments ? ", " : "",
                                       attribute(names, values, "direction"), attribute(names, values, "type"), name);
                p->has_arguments = true;
        } else if (g_str_equal(element, "annotation") && p->member &&
                   g_str_equal(name, "org.freedesktop.DBus.Property.EmitsChangedSignal"))
                p->emits = g_intern_string(attribute(names, values, "value"));
}

static void end_element(GMarkupParseContext *context, const char *element, void *userdata, GError **error) {
        Parser *p = userdata;

        if (g_str_equal(element, "interface"))
                p->inside = false;
        else if (p->member && (g_str_equal(element, "method") || g_str_equal(element, "signal") || g_str_equal(element, "property"))) {
                if (p->is_property)
                        g_string_append_printf(p->member, " changes=%s", p->emits);
                else
                        g_string_append_c(p->member, ')');
                g_ptr_array_add(p->lines, g_string_free(g_steal_pointer(&p->member), FALSE));
        }
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *normalise(const char *xml, const char *interface) {
        const GMarkupParser functions = { .start_element = start_element, .end_element = end_element };
        Parser parser = { .wanted = interface, .lines = g_ptr_array_new_with_free_func(g_free) };
        GMarkupParseContext *context = g_markup_parse_context_new(&functions, 0, &parser, NULL);
        g_autoptr(GError) error = NULL;
        char *text;

        if (!g_markup_parse_context_parse(context, xml, -1, &error) || !g_markup_parse_context_end_parse(context, &error))
                fail_msg("%s: %s", interface, error->message);

        g_ptr_array_sort(parser.lines, compare_lines);
        g_ptr_array_add(parser.lines, NULL);
        text = g_strjoinv("\n", (char **) parser.lines->pdata);
        g_ptr_array_unref(parser.lines);
        g_markup_parse_context_free(context);
        return text;
}

static void check_interface(BusFixture *f, const char *path, const char *interface) {
        g_autofree char *file = g_strdup_printf("%s/%s.xml", HETD_DBUS_DIR, interface);
        g_autofree char *xml = NULL, *documented = NULL, *found = NULL;
        g_autoptr(sd_bus_message) reply = NULL;
        const char *text;

        assert_true(g_file_get_contents(file, &xml, NULL, NULL));
        reply = bus_fixture_call(f, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL, NULL);
        assert_true(sd_bus_message_read(reply, "s", &text) > 0);

        documented = normalise(xml, interface);
        found = normalise(text, interface);
        assert_true(strlen(documented) > 0);
        assert_string_equal(found, documented);
}

static void test_introspection(void **state) {
        BusFixture *f = *state;
        g_autofree char *qemu = bus_fixture_script(f, "hangs", "#!/bin/sh\nexec sleep 1000\n");
        g_autoptr(sd_bus_message) reply = NULL;

        bus_fixture_define(f, qemu);
        reply = bus_fixture_call(f, BUS_PATH_PLATFORM "/one", BUS_PLATFORM, "Start", NULL, "a{sv}", 0);

        check_interface(f, BUS_PATH, BUS_MANAGER);
        check_interface(f, BUS_PATH_PLATFORM "/one", BUS_PLATFORM);
        check_interface(f, BUS_PATH_PLATFORM "/one/processor/s", BUS_PROCESSOR);
        check_interface(f, BUS_PATH_JOB "/1", BUS_JOB);
}

/* An object has the interfaces that it should have, and no more */
static void test_no_strange_objects(void **state) {
        BusFixture *f = *state;
        static const char *const paths[] = {
                BUS_PATH_PLATFORM "/two", BUS_PATH_PLATFORM "/one/processor/x", BUS_PATH_PLATFORM "/_6fne",
                BUS_PATH_PLATFORM "/one/processor", BUS_PATH_JOB "/1", BUS_PATH_JOB "/01", BUS_PATH_JOB "/99999999999",
        };

        bus_fixture_define(f, "/bin/false");
        for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
                bus_fixture_call(f, paths[i], "org.freedesktop.DBus.Properties", "Get",
                                 "org.freedesktop.DBus.Error.UnknownObject", "ss", BUS_PLATFORM, "Name");

        bus_fixture_call(f, BUS_PATH_PLATFORM "/one", "org.freedesktop.DBus.Properties", "Get",
                         "org.freedesktop.DBus.Error.UnknownProperty", "ss", BUS_PROCESSOR, "Name");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_introspection, bus_fixture_setup, bus_fixture_teardown),
                cmocka_unit_test_setup_teardown(test_no_strange_objects, bus_fixture_setup, bus_fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
