/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tables that fit, and text that a terminal can be shown. */

#include "test-hetctl.h"

#include <string.h>

#include "table.h"

static Table *make_table(void) {
        Table *table = table_new();

        table_add_column(table, "NAME", TABLE_CUT, 0);
        table_add_column(table, "ID", TABLE_RIGHT, 2);
        table_add_column(table, "MACHINE", TABLE_LEFT, 3);
        table_add_column(table, "STATE", TABLE_LEFT, 0);
        table_add_column(table, "REASON", TABLE_CUT, 0);
        table_add_row(table);
        table_add_cell(table, COLOR_NONE, "master");
        table_add_cellf(table, COLOR_NONE, "%d", 0);
        table_add_cell(table, COLOR_NONE, "virt");
        table_add_cell(table, COLOR_GREEN, "running");
        table_add_cell(table, COLOR_NONE, "");
        table_add_row(table);
        table_add_cell(table, COLOR_NONE, "slave10");
        table_add_cellf(table, COLOR_NONE, "%d", 10);
        table_add_cell(table, COLOR_NONE, "mps2-an385");
        table_add_cell(table, COLOR_RED, "crashed");
        table_add_cell(table, COLOR_NONE, "its process ended with signal 11");
        return table;
}

static void check(size_t width, bool colors, const char *expected) {
        g_autoptr(Table) table = make_table();
        g_autofree char *text = table_render(table, 0, width, colors);

        assert_string_equal(text, expected);
}

static void test_wide(void **state) {
        static const char whole[] = "NAME     ID  MACHINE     STATE    REASON\n"
                                    "master    0  virt        running  -\n"
                                    "slave10  10  mps2-an385  crashed  its process ended with signal 11\n";

        check(0, false, whole);
        check(66, false, whole);
}

static void test_narrow(void **state) {
        check(60, false, "NAME     ID  MACHINE     STATE    REASON\n"
                         "master    0  virt        running  -\n"
                         "slave10  10  mps2-an385  crashed  its process ended with ...\n");
        check(50, false, "NAME     ID  STATE    REASON\n"
                         "master    0  running  -\n"
                         "slave10  10  crashed  its process ended with si...\n");
        check(45, false, "NAME     STATE    REASON\n"
                         "master   running  -\n"
                         "slave10  crashed  its process ended with s...\n");
        /* too narrow for what must be shown: cut to the headers, no less */
        check(10, false, "NAME  STATE    REASON\n"
                         "m...  running  -\n"
                         "s...  crashed  its...\n");
}

static void test_every_width(void **state) {
        for (size_t width = 22; width < 80; width++) {
                g_autoptr(Table) table = make_table();
                g_autofree char *text = table_render(table, 0, width, false);
                g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

                for (char **line = lines; *line; line++) {
                        assert_true(text_width(*line) <= width);
                        assert_false(g_str_has_suffix(*line, " "));
                }
        }
}

static void test_indent_and_colors(void **state) {
        g_autoptr(Table) table = table_new(), colored = make_table();

        table_add_column(table, "A", TABLE_LEFT, 0);
        table_add_row(table);
        table_add_cell(table, COLOR_RED, "x");

        g_autofree char *plain = table_render(table, 2, 80, false), *text = table_render(table, 2, 80, true);

        assert_string_equal(plain, "  A\n  x\n");
        assert_string_equal(text, "  \033[1mA\033[0m\n  \033[31mx\033[0m\n");
}

static void test_clean(void **state) {
        g_autofree char *controls = text_clean("a\033[31mb\nc\x7f"),
                        *broken = text_clean("a\xff"
                                             "b"),
                        *none = text_clean(NULL);
        g_autofree char *eight_bit = text_clean("a\xc2\x9b" "b");       /* CSI as one character */

        assert_string_equal(controls, "a [31mb c ");
        assert_string_equal(eight_bit, "a b");
        assert_true(g_utf8_validate(broken, -1, NULL));
        assert_string_equal(none, "");
}

static void test_ellipsize(void **state) {
        g_autofree char *same = text_ellipsize("abcdef", 6), *cut = text_ellipsize("abcdefg", 6),
                        *tiny = text_ellipsize("abcdefg", 2);
        g_autofree char *wide = text_ellipsize("漢字漢字", 6);

        assert_string_equal(same, "abcdef");
        assert_string_equal(cut, "abc...");
        assert_string_equal(tiny, "..");
        assert_string_equal(wide, "漢...");
        assert_int_equal(text_width("漢字e\xcc\x81"), 5);
}

static void test_state_colors(void **state) {
        assert_int_equal(text_state_color("running"), COLOR_GREEN);
        assert_int_equal(text_state_color("lost"), COLOR_RED);
        assert_int_equal(text_state_color("something new"), COLOR_NONE);
}

int test_table(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wide),
                cmocka_unit_test(test_narrow),
                cmocka_unit_test(test_every_width),
                cmocka_unit_test(test_indent_and_colors),
                cmocka_unit_test(test_clean),
                cmocka_unit_test(test_ellipsize),
                cmocka_unit_test(test_state_colors),
        };

        return cmocka_run_group_tests_name("hetctl tables", tests, NULL, NULL);
}
