/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform-cases.h"
#include "platform-file.h"
#include "util/error.h"

#include <glib/gstdio.h>

static char *directory;

char *platform_cases_path(const char *name) {
        return g_strdup_printf("%s/%s", directory, name);
}

static void make_file(const char *name, int mode) {
        g_autofree char *path = platform_cases_path(name);

        assert_true(g_file_set_contents(path, "x", 1, NULL));
        assert_int_equal(g_chmod(path, mode), 0);
}

int platform_cases_set_up(void **state) {
        directory = g_dir_make_tmp("het-platform-XXXXXX", NULL);
        assert_non_null(directory);
        make_file("file.elf", 0644);
        make_file("qemu", 0755);
        return 0;
}

int platform_cases_tear_down(void **state) {
        static const char *const names[] = { "file.elf", "qemu" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = platform_cases_path(names[i]);

                assert_int_equal(g_unlink(path), 0);
        }
        assert_int_equal(g_rmdir(directory), 0);
        g_clear_pointer(&directory, g_free);
        return 0;
}

void platform_cases_check(const PlatformCase *cases, size_t n_cases) {
        g_autofree char *path = platform_cases_path("test.platform"), *prefix = platform_cases_path("");

        for (size_t i = 0; i < n_cases; i++) {
                PlatformConfig *untouched = (PlatformConfig *) 1, *config = untouched;
                g_autoptr(GError) error = NULL;
                g_autoptr(GString) message = NULL;

                print_message("    %s\n", cases[i].name);
                assert_false(platform_config_parse(NULL, path, cases[i].text, cases[i].size, NULL, &config, &error));
                assert_ptr_equal(config, untouched);
                assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_PLATFORM));

                message = g_string_new(error->message);
                g_string_replace(message, prefix, "", 0);
                assert_string_equal(message->str, cases[i].error);
        }
}
