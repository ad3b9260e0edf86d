/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What outlives hetd: files, and the identity of processes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process-id.h"
#include "state-file.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "util/json-util.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *directory;

static int setup(void **state) {
        directory = g_dir_make_tmp("het-state-XXXXXX", NULL);
        return directory ? 0 : -1;
}

static int teardown(void **state) {
        const int r = g_rmdir(directory);       /* nothing is left in it */

        g_free(directory);
        return r;
}

static char *file(const char *name) {
        return g_build_filename(directory, name, NULL);
}

static void test_write_and_read(void **state) {
        g_autofree char *path = file("a.state"), *new = file("a.state.new");
        g_autoptr(json_object) o = json_object_new_object(), read = NULL;
        struct stat st;

        json_add_string(o, "x", "y/\"z\" \xc3\xa4");
        assert_true(state_file_write_json(path, o, NULL));
        assert_true(state_file_read_json(path, &read, NULL));
        assert_string_equal(json_get_string(read, "x"), "y/\"z\" \xc3\xa4");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(access(new, F_OK), -1);
        assert_int_equal(g_unlink(path), 0);
}

static void test_failure_leaves_the_old_one(void **state) {
        g_autofree char *path = file("a.state"), *new = file("a.state.new"), *text = NULL;
        g_autoptr(GError) error = NULL;

        assert_true(state_file_write(path, "old", 3, NULL));
        assert_int_equal(g_mkdir(new, 0700), 0);        /* what cannot be opened for writing, for root either */
        assert_false(state_file_write(path, "new", 3, &error));
        assert_non_null(strstr(error->message, "a.state: Is a directory"));
        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        assert_string_equal(text, "old");
        assert_int_equal(g_rmdir(new), 0);
        assert_int_equal(g_unlink(path), 0);
}

static void refused(const char *text, HetError code) {
        g_autofree char *path = file("a.state");
        g_autoptr(GError) error = NULL;
        json_object *o = NULL;

        assert_true(g_file_set_contents(path, text, -1, NULL));
        assert_false(state_file_read_json(path, &o, &error));
        assert_int_equal(error->code, code);
        assert_null(o);
        assert_int_equal(g_unlink(path), 0);
}

static void test_bad_files(void **state) {
        static const char *const bad[] = { "", "{", "[]", "7", "\"boot\"", "{}", "{\"boot\":7,\"version\":1}", "{\"boot\":\"\"}",
                                           "{\"boot\":\"\",\"version\":\"1\"}", "{\"boot\":\"\xff\",\"version\":1}", "{} {}" };
        json_object *o = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                refused(bad[i], HET_ERROR_PROTOCOL);

        assert_false(state_file_read_json(directory, &o, NULL));
}

static void test_another_boot_or_version(void **state) {
        g_autofree char *path = file("a.state"), *text = NULL;
        g_autoptr(json_object) o = json_object_new_object();
        json_object *read = NULL;

        assert_true(g_file_set_contents(path, "{\"boot\":\"of long ago\",\"version\":99}", -1, NULL));
        assert_true(state_file_read_json(path, &read, NULL));
        assert_null(read);

        assert_true(state_file_write_json(path, o, NULL));
        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        assert_non_null(strstr(text, "\"version\":1"));
        memcpy(strstr(text, "\"version\":1"), "\"version\":2", 11);
        refused(text, HET_ERROR_NOT_SUPPORTED);
}

static pid_t child(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                for (;;)
                        (void) pause();

        return pid;
}

static void test_process(void **state) {
        pid_t pid = child();
        ProcessId id = {}, other;
        HET_AUTO_FD int fd = -EBADF;

        assert_int_equal(process_id_get(pid, &id), 0);
        assert_int_equal(id.pid, pid);
        fd = process_id_open(&id);
        assert_true(fd >= 0);

        /* The same number, another start */
        other = id;
        other.start_ticks++;
        assert_int_equal(process_id_open(&other), -ESRCH);

        struct pollfd ended = { .fd = fd, .events = POLLIN };

        assert_int_equal(poll(&ended, 1, 0), 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(poll(&ended, 1, 60000), 1);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(process_id_open(&id), -ESRCH);
        assert_int_equal(process_id_get(pid, &other), -ESRCH);
}

static void test_no_process(void **state) {
        const ProcessId none = {};

        assert_int_equal(process_id_open(&none), -ESRCH);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_write_and_read),          cmocka_unit_test(test_failure_leaves_the_old_one),
                cmocka_unit_test(test_bad_files),               cmocka_unit_test(test_another_boot_or_version),
                cmocka_unit_test(test_process),                 cmocka_unit_test(test_no_process),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
