/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files that are read whole: what is refused, and that nothing is waited for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/error.h"
#include "util/file-util.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory;

static int set_up(void **state) {
        directory = g_dir_make_tmp("het-file-XXXXXX", NULL);
        return directory ? 0 : -1;
}

static int tear_down(void **state) {
        int r = g_rmdir(directory);

        g_free(directory);
        return r;
}

static char *in_directory(const char *name) {
        return g_build_filename(directory, name, NULL);
}

static void assert_refused(const char *path, size_t max, HetError code, const char *text) {
        g_autoptr(GError) error = NULL;
        char *bytes = (char *) 1;
        size_t size = 42;

        assert_false(file_read(path, max, &bytes, &size, &error));
        assert_true(g_error_matches(error, HET_ERROR, (int) code));
        assert_non_null(strstr(error->message, path));
        assert_non_null(strstr(error->message, text));
        assert_ptr_equal(bytes, (char *) 1);
        assert_int_equal(size, 42);
}

static void test_sizes(void **state) {
        g_autofree char *path = in_directory("file");
        static const size_t sizes[] = { 0, 1, 15, 16 };
        size_t size = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autofree char *bytes = NULL;

                assert_true(g_file_set_contents(path, "0123456789abcdef", (gssize) sizes[i], NULL));
                assert_true(file_read(path, 16, &bytes, &size, NULL));
                assert_int_equal(size, sizes[i]);
                assert_memory_equal(bytes, "0123456789abcdef", size);
        }

        assert_refused(path, 15, HET_ERROR_INVALID_ARGUMENT, "is larger than 15 bytes");
        assert_int_equal(truncate(path, INT64_C(1) << 40), 0);
        assert_refused(path, 16, HET_ERROR_INVALID_ARGUMENT, "is larger than 16 bytes");
        assert_int_equal(unlink(path), 0);
        assert_refused(path, 16, HET_ERROR_FAILED, "No such file");
}

static void test_no_file(void **state) {
        g_autofree char *fifo = in_directory("fifo");

        assert_int_equal(mkfifo(fifo, 0600), 0);
        (void) alarm(10);               /* ends a test that waits for somebody to write */
        assert_refused(fifo, 16, HET_ERROR_INVALID_ARGUMENT, "is not a regular file");
        (void) alarm(0);
        assert_int_equal(unlink(fifo), 0);

        assert_refused("/dev/zero", 16, HET_ERROR_INVALID_ARGUMENT, "is not a regular file");
        assert_refused(directory, 16, HET_ERROR_INVALID_ARGUMENT, "is not a regular file");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_no_file),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
