/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A peer that says on D-Bus what no QEMU says. Real ones are in tests/integration/test_qemu_bus.py. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qemu-bus.h"

#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHARDEV         "org.qemu.Display1.Chardev"
#define WAIT_USEC       (60 * G_USEC_PER_SEC)

typedef struct Fixture {
        sd_event *event;
        sd_bus *peer;
        QemuBus *q;
        int (*objects)(sd_bus_message *reply);          /* what it says that it has; NULL: an error */
        const char *refuses;                            /* error name for Register(); NULL: it takes the socket */
        int refusals;                                   /* so many times; negative: always */
        unsigned registered;
        bool over;
        GError *error;
        int monitor, console;
        char *address;
} Fixture;

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fixture *f = userdata;
        g_autoptr(sd_bus_message) reply = NULL;

        if (sd_bus_message_is_method_call(m, CHARDEV, "Register")) {
                f->registered++;
                if (f->refuses && f->refusals-- != 0)
                        return sd_bus_reply_method_errorf(m, f->refuses, "No");
                return sd_bus_reply_method_return(m, NULL);
        }
        if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"))
                return 0;
        if (!f->objects)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_OBJECT, "There is nothing");

        assert_true(sd_bus_message_new_method_return(m, &reply) >= 0);
        assert_true(f->objects(reply) >= 0);
        return sd_bus_send(NULL, reply, NULL);
}

static void on_done(QemuBusLines *lines, const GError *error, void *userdata) {
        Fixture *f = userdata;

        assert_false(f->over);
        assert_true(!lines != !error);
        f->over = true;
        f->error = error ? g_error_copy(error) : NULL;
        f->monitor = lines ? fd_take(&lines->monitor) : -EBADF;
        f->console = lines ? fd_take(&lines->console) : -EBADF;
        f->address = lines ? g_strdup(lines->address) : NULL;
}

static int on_too_long(sd_event_source *source, uint64_t usec, void *userdata) {
        fail_msg("It does not come to an end");
        return 0;
}

static int setup(void **state) {
        Fixture *f = g_new0(Fixture, 1);

        assert_true(sd_event_new(&f->event) >= 0);
        assert_true(sd_event_add_time_relative(f->event, NULL, CLOCK_MONOTONIC, WAIT_USEC, 0, on_too_long, f) >= 0);
        f->monitor = f->console = -EBADF;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        qemu_bus_free(f->q);
        sd_bus_close_unref(f->peer);
        sd_event_unref(f->event);
        fd_close(f->monitor);
        fd_close(f->console);
        g_clear_error(&f->error);
        g_free(f->address);
        g_free(f);
        return 0;
}

static void begin(Fixture *f, const char *address) {
        sd_id128_t id = SD_ID128_MAKE(a1, 2f, 17, a0, 5c, 11, 4a, bc, 93, 5d, ea, 60, 8c, 40, f5, 2b);
        g_autoptr(GError) error = NULL;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_true(sd_bus_new(&f->peer) >= 0);
        assert_true(sd_bus_set_fd(f->peer, pair[0], pair[0]) >= 0);
        assert_true(sd_bus_negotiate_fds(f->peer, true) >= 0);
        assert_true(sd_bus_set_server(f->peer, true, id) >= 0);
        assert_true(sd_bus_start(f->peer) >= 0);
        assert_true(sd_bus_add_filter(f->peer, NULL, on_call, f) >= 0);
        assert_true(sd_bus_attach_event(f->peer, f->event, 0) >= 0);
        assert_true(qemu_bus_new(f->event, NULL, address, pair[1], on_done, f, &f->q, &error));
        assert_false(f->over);
}

static void run(Fixture *f, const char *address) {
        begin(f, address);
        while (!f->over)
                assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
}

static void assert_failed(Fixture *f, HetError code, const char *text) {
        assert_non_null(f->error);
        assert_int_equal(f->error->code, code);
        assert_non_null(strstr(f->error->message, text));
        assert_true(f->monitor < 0 && f->console < 0);
}

static int qemu_objects(sd_bus_message *m) {
        return sd_bus_message_append(m, "a{oa{sa{sv}}}", 4,
                                     "/org/qemu/Display1/VM", 1, "org.qemu.Display1.VM", 2, "Name", "s", "one", "ConsoleIDs", "au", 1, 7,
                                     "/org/qemu/Display1/Chardev_c", 1, CHARDEV, 2, "Echo", "b", 1, "Name", "s", QEMU_BUS_CONSOLE,
                                     "/org/qemu/Display1/Chardev_m", 1, CHARDEV, 1, "Name", "s", QEMU_BUS_MONITOR,
                                     "/org/qemu/Display1/Chardev_again", 1, CHARDEV, 1, "Name", "s", QEMU_BUS_MONITOR);
}

static int only_monitor(sd_bus_message *m) {
        return sd_bus_message_append(m, "a{oa{sa{sv}}}", 1, "/m", 1, CHARDEV, 1, "Name", "s", QEMU_BUS_MONITOR);
}

static int another_type(sd_bus_message *m) {
        return sd_bus_message_append(m, "as", 1, "/org/qemu/Display1/VM");
}

static int name_of_another_type(sd_bus_message *m) {
        return sd_bus_message_append(m, "a{oa{sa{sv}}}", 1, "/m", 1, CHARDEV, 1, "Name", "u", 7);
}

static int nothing(sd_bus_message *m) {
        return sd_bus_message_append(m, "a{oa{sa{sv}}}", 0);
}

static void test_good(void **state) {
        Fixture *f = *state;

        f->objects = qemu_objects;
        run(f, "dbus:vm=one");
        assert_null(f->error);
        assert_true(f->monitor >= 0 && f->console >= 0);
        assert_null(f->address);
        assert_int_equal(f->registered, 2);
}

static void test_no_console(void **state) {
        Fixture *f = *state;

        f->objects = only_monitor;
        run(f, "dbus:");
        assert_null(f->error);
        assert_true(f->monitor >= 0 && f->console < 0);
}

static void test_console_is_wanted(void **state) {
        Fixture *f = *state;

        f->objects = only_monitor;
        run(f, "dbus:console=" QEMU_BUS_CONSOLE);
        assert_failed(f, HET_ERROR_NOT_SUPPORTED, "offers no " QEMU_BUS_CONSOLE);
        assert_int_equal(f->registered, 0);
}

static void test_objects(void **state) {
        static const struct {
                int (*objects)(sd_bus_message *reply);
                HetError code;
                const char *text;
        } cases[] = {
                { another_type, HET_ERROR_PROTOCOL, "as QEMU does" },
                { name_of_another_type, HET_ERROR_NOT_SUPPORTED, "offers no " QEMU_BUS_MONITOR },
                { nothing, HET_ERROR_NOT_SUPPORTED, "offers no " QEMU_BUS_MONITOR },
                { NULL, HET_ERROR_NOT_SUPPORTED, "-display dbus" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                void *one;

                setup(&one);
                ((Fixture *) one)->objects = cases[i].objects;
                run(one, "dbus:");
                assert_failed(one, cases[i].code, cases[i].text);
                teardown(&one);
        }
}

static void test_another_vm(void **state) {
        Fixture *f = *state;

        f->objects = qemu_objects;
        run(f, "dbus:vm=two");
        assert_failed(f, HET_ERROR_MONITOR_LOST, "-name two");
}

static void test_busy_for_a_while(void **state) {
        Fixture *f = *state;

        f->objects = only_monitor;
        f->refuses = "org.qemu.Display1.Error.Failed";
        f->refusals = 3;
        run(f, "dbus:");
        assert_null(f->error);
        assert_int_equal(f->registered, 4);
}

static void test_refused(void **state) {
        Fixture *f = *state;

        f->objects = only_monitor;
        f->refuses = SD_BUS_ERROR_ACCESS_DENIED;
        f->refusals = -1;
        run(f, "dbus:");
        assert_failed(f, HET_ERROR_ACCESS_DENIED, "No");
        assert_int_equal(f->registered, 1);
}

static void test_failed(void **state) {
        Fixture *f = *state;

        f->objects = qemu_objects;
        f->refuses = SD_BUS_ERROR_FAILED;
        f->refusals = 1;
        run(f, "dbus:monitor=" QEMU_BUS_CONSOLE);
        assert_failed(f, HET_ERROR_QEMU, "No");
}

static unsigned count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

/* At each point on the way: done does not run, and nothing is left */
static void test_freed(void **state) {
        Fixture *f = *state;
        unsigned turns = 0, before = count_fds();

        for (bool over = false; !over; turns++) {
                void *one;

                setup(&one);
                f = one;
                f->objects = qemu_objects;
                begin(f, "dbus:");
                for (unsigned i = 0; i < turns && !f->over; i++)
                        assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
                over = f->over;
                f->q = qemu_bus_free(f->q);
                teardown(&one);
        }

        assert_true(turns > 3);
        assert_int_equal(count_fds(), before);
}

/* A pipe, which waits if one of those who have it wants that */
static void test_no_socket(void **state) {
        Fixture *f = *state;
        g_autoptr(GError) error = NULL;
        int pipes[2];

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_false(qemu_bus_new(f->event, NULL, "dbus:", pipes[0], on_done, f, &f->q, &error));
        assert_int_equal(error->code, HET_ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(error->message, "no UNIX stream socket"));
        assert_int_equal(close(pipes[0]), -1);          /* it was eaten */
        assert_int_equal(close(pipes[1]), 0);
}

/* hetd ends while a peer is asked that does not answer */
static void test_loop_ends(void **state) {
        Fixture *f = *state;
        g_autoptr(GError) error = NULL;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_true(qemu_bus_new(f->event, NULL, "dbus:", pair[1], on_done, f, &f->q, &error));
        assert_true(sd_event_exit(f->event, 7) >= 0);
        (void) alarm(10);               /* ends a test that waits for the peer */
        assert_int_equal(sd_event_loop(f->event), 7);
        (void) alarm(0);
        assert_false(f->over);
        assert_int_equal(close(pair[0]), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_good, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_console, setup, teardown),
                cmocka_unit_test_setup_teardown(test_console_is_wanted, setup, teardown),
                cmocka_unit_test(test_objects),
                cmocka_unit_test_setup_teardown(test_another_vm, setup, teardown),
                cmocka_unit_test_setup_teardown(test_busy_for_a_while, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_freed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
                cmocka_unit_test_setup_teardown(test_loop_ends, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
