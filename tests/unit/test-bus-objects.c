/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of hetd, over D-Bus: what comes and goes, what is refused, and the order of signals. No QEMU runs here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus-fixture.h"

#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ONE     BUS_PATH_PLATFORM "/one"
#define ONE_M   ONE "/processor/m"
#define ONE_S   ONE "/processor/s"

#define INVALID_ARGS    "org.freedesktop.DBus.Error.InvalidArgs"
#define WRONG_STATE     "org.hetd1.Error.WrongState"

static void call_ok(BusFixture *f, const char *path, const char *interface, const char *member) {
        sd_bus_message_unref(bus_fixture_call(f, path, interface, member, NULL, NULL));
}

static void test_define(void **state) {
        BusFixture *f = *state;
        g_autoptr(sd_bus_message) list = NULL, none = NULL;
        const char *name, *platform_state, *description, *path;
        g_autofree char *processor_state = NULL;
        sd_bus_message *signal = NULL;

        none = bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "ListPlatforms", NULL, NULL);
        assert_true(sd_bus_message_enter_container(none, 'a', "(ssso)") >= 0);
        assert_true(sd_bus_message_at_end(none, false));

        bus_fixture_define(f, "/bin/false");
        list = bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "ListPlatforms", NULL, NULL);
        assert_true(sd_bus_message_enter_container(list, 'a', "(ssso)") > 0);
        assert_true(sd_bus_message_read(list, "(ssso)", &name, &platform_state, &description, &path) > 0);
        assert_true(sd_bus_message_at_end(list, false));
        assert_string_equal(name, "one");
        assert_string_equal(platform_state, "defined");
        assert_string_equal(path, ONE);

        processor_state = bus_fixture_get(f, ONE_S, BUS_PROCESSOR, "State");
        assert_string_equal(processor_state, "defined");

        assert_int_equal(bus_fixture_count(f, "InterfacesAdded", NULL), 3);
        assert_int_equal(bus_fixture_count(f, "PlatformNew", &signal), 1);
        assert_true(sd_bus_message_read(signal, "so", &name, &path) > 0);
        assert_string_equal(path, ONE);

        call_ok(f, ONE, BUS_PLATFORM, "Remove");
        assert_int_equal(bus_fixture_count(f, "InterfacesRemoved", NULL), 3);
        assert_int_equal(bus_fixture_count(f, "PlatformRemoved", NULL), 1);
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "GetPlatform", "org.hetd1.Error.NoSuchPlatform", "s", "one");
}

static void test_object_manager(void **state) {
        BusFixture *f = *state;
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GString) seen = g_string_new(NULL);
        const char *path;

        bus_fixture_define(f, "/bin/false");
        reply = bus_fixture_call(f, BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL, NULL);
        assert_true(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") > 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                assert_true(sd_bus_message_read(reply, "o", &path) > 0);
                g_string_append_printf(seen, "<%s>", path);
                assert_true(sd_bus_message_skip(reply, "a{sa{sv}}") >= 0);
                assert_true(sd_bus_message_exit_container(reply) >= 0);
        }

        assert_non_null(strstr(seen->str, "<" ONE ">"));
        assert_non_null(strstr(seen->str, "<" ONE_M ">"));
        assert_non_null(strstr(seen->str, "<" ONE_S ">"));
}

static void test_define_errors(void **state) {
        BusFixture *f = *state;
        HET_AUTO_FD int bad = bus_fixture_file("[Processor m]\nRole=boss\n"), good = bus_fixture_file("");
        int pipe_fds[2];

        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", "org.hetd1.Error.InvalidPlatform", "sha{sv}", "x", bad, 1,
                         "Path", "s", "/somewhere/x.platform");
        assert_non_null(strstr(bus_fixture_error(), "x.platform:2: "));

        bus_fixture_define(f, "/bin/false");
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", INVALID_ARGS, "sha{sv}", "x", good, 1, "Colour", "s", "red");
        assert_non_null(strstr(bus_fixture_error(), "Colour"));
        assert_non_null(strstr(bus_fixture_error(), "Path, Replace, Variables"));
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", INVALID_ARGS, "sha{sv}", "x", good, 1, "Path", "t", (uint64_t) 1);

        assert_int_equal(pipe(pipe_fds), 0);
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", INVALID_ARGS, "sha{sv}", "x", pipe_fds[0], 0);
        close(pipe_fds[0]);
        close(pipe_fds[1]);

        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "LoadPlatform", "org.hetd1.Error.NoSuchPlatform", "sa{sv}", "nothing", 0);
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "LoadPlatform", "org.hetd1.Error.NoSuchPlatform", "sa{sv}", "/no/such.platform", 0);
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "GetProcessor", "org.hetd1.Error.NoSuchProcessor", "ss", "one", "x");
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "StartPlatform", "org.hetd1.Error.NoSuchPlatform", "sa{sv}", "two", 0);
}

static void test_define_twice(void **state) {
        BusFixture *f = *state;
        HET_AUTO_FD int fd = bus_fixture_file("[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=1G\n");
        sd_bus_message *reply = bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", NULL, "sha{sv}", "two", fd, 0);

        sd_bus_message_unref(reply);
        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", "org.hetd1.Error.PlatformExists", "sha{sv}", "two", fd, 0);
}

/* A path that is too long for a socket is found out now, not at the start */
static void test_long_path(void **state) {
        BusFixture *f = *state;
        HET_AUTO_FD int fd = bus_fixture_file("[Processor m23456789012345678901234567890123456789012345678901234567890]\n"
                                              "Role=master\nMachine=virt\nCPU=cortex-a15\nMemory=1G\n");

        bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", "org.hetd1.Error.InvalidPlatform", "sha{sv}",
                         "p234567890123456789012345678901234567890123456789012345678901234", fd, 0);
        assert_non_null(strstr(bus_fixture_error(), "--runtime-dir="));
}

static void test_wrong_states(void **state) {
        BusFixture *f = *state;
        HET_AUTO_FD int memory = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        static const struct {
                const char *path, *interface, *member;
        } calls[] = {
                { ONE_M, BUS_PROCESSOR, "Boot" },   { ONE_S, BUS_PROCESSOR, "Boot" },
                { ONE_M, BUS_PROCESSOR, "Stop" },   { ONE_S, BUS_PROCESSOR, "Stop" },
                { ONE_S, BUS_PROCESSOR, "Reset" },  { ONE_S, BUS_PROCESSOR, "Detach" },
                { ONE_S, BUS_PROCESSOR, "RevokeMemory" }, { ONE_M, BUS_PROCESSOR, "RevokeMemory" },
                { ONE, BUS_PLATFORM, "Stop" },
        };

        bus_fixture_define(f, "/bin/false");
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
                bus_fixture_call(f, calls[i].path, calls[i].interface, calls[i].member, WRONG_STATE, "a{sv}", 0);
                assert_non_null(strstr(bus_fixture_error(), "is defined"));
        }

        bus_fixture_call(f, ONE, BUS_PLATFORM, "Pause", WRONG_STATE, NULL);
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "GetMemory", WRONG_STATE, NULL);
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "Attach", WRONG_STATE, "sa{sv}", "/tmp/x", 0);
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "Kick", WRONG_STATE, "ua{sv}", 31, 0);
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "Kick", INVALID_ARGS, "ua{sv}", 32, 0);
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "Boot", INVALID_ARGS, "a{sv}", 1, "Protocol", "s", "magic");
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "Boot", INVALID_ARGS, "a{sv}", 1, "Firmware", "s", "relative.elf");
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "Attach", INVALID_ARGS, "sa{sv}", "relative", 0);

        assert_int_equal(ftruncate(memory, 16 << 20), 0);
        bus_fixture_call(f, ONE_S, BUS_PROCESSOR, "GrantMemory", WRONG_STATE, "ha{sv}", memory, 0);
}

static void start(BusFixture *f) {
        sd_bus_message_unref(bus_fixture_call(f, ONE, BUS_PLATFORM, "Start", NULL, "a{sv}", 0));
}

static void read_job_removed(BusFixture *f, const char **result, const char **message) {
        sd_bus_message *signal = NULL;

        bus_fixture_until(f, bus_fixture_count(f, "JobRemoved", &signal) > 0);
        assert_true(sd_bus_message_read(signal, "uoss", NULL, NULL, result, message) > 0);
}

static void test_no_qemu(void **state) {
        BusFixture *f = *state;
        g_autofree char *qemu = bus_fixture_script(f, "removed", "#!/bin/sh\n");

        bus_fixture_define(f, qemu);
        assert_int_equal(unlink(qemu), 0);
        bus_fixture_call(f, ONE, BUS_PLATFORM, "Start", "org.hetd1.Error.SpawnFailed", "a{sv}", 0);
        assert_non_null(strstr(bus_fixture_error(), qemu));
        assert_int_equal(bus_fixture_count(f, "JobNew", NULL), 0);
}

/* It ends at once: the job says with which words */
static void test_qemu_fails(void **state) {
        BusFixture *f = *state;
        g_autofree char *qemu = bus_fixture_script(f, "fails", "#!/bin/sh\necho no such machine >&2\nexit 3\n");
        g_autofree char *states = NULL, *platform_states = NULL;
        const char *result, *message;

        bus_fixture_define(f, qemu);
        start(f);
        read_job_removed(f, &result, &message);
        assert_string_equal(result, "failed");
        assert_non_null(strstr(message, "no such machine"));
        assert_non_null(strstr(message, "status 3"));

        platform_states = bus_fixture_changes(f, ONE, "State");
        assert_string_equal(platform_states, "starting stopping failed");
        states = bus_fixture_changes(f, ONE_M, "State");
        assert_true(g_str_has_prefix(states, "starting "));

        /* and it may be tried again */
        g_ptr_array_set_size(f->signals, 0);
        start(f);
        read_job_removed(f, &result, &message);
        assert_string_equal(result, "failed");
}

/* It never greets: the start is canceled, and nothing is left of it */
static void test_cancel(void **state) {
        BusFixture *f = *state;
        g_autofree char *qemu = bus_fixture_script(f, "hangs", "#!/bin/sh\nexec sleep 1000\n"), *states = NULL;
        const char *result, *message;

        bus_fixture_define(f, qemu);
        start(f);
        bus_fixture_until(f, platform_find_processor(f->manager->bus ? g_hash_table_lookup(f->manager->platforms, "one") : NULL,
                                                     "s")->state == PROCESSOR_STARTING);
        bus_fixture_call(f, ONE, BUS_PLATFORM, "Start", WRONG_STATE, "a{sv}", 0);
        bus_fixture_call(f, ONE, BUS_PLATFORM, "Remove", WRONG_STATE, NULL);
        call_ok(f, BUS_PATH_JOB "/1", BUS_JOB, "Cancel");
        read_job_removed(f, &result, &message);
        assert_string_equal(result, "canceled");

        states = bus_fixture_changes(f, ONE_S, "State");
        assert_string_equal(states, "starting stopped");
        call_ok(f, ONE, BUS_PLATFORM, "Remove");
}

/* JobNew, the reply, changes of the job, JobRemoved: nothing of the job comes after that */
static void test_order_of_a_job(void **state) {
        BusFixture *f = *state;
        g_autofree char *qemu = bus_fixture_script(f, "fails", "#!/bin/sh\nexit 1\n");
        const char *result, *message;
        guint new = 0, change = 0, removed = 0;

        bus_fixture_define(f, qemu);
        start(f);
        assert_int_equal(bus_fixture_count(f, "JobNew", NULL), 1);
        read_job_removed(f, &result, &message);
        call_ok(f, BUS_PATH, BUS_MANAGER, "Describe");

        for (guint i = 0; i < f->signals->len; i++) {
                sd_bus_message *m = f->signals->pdata[i];
                const char *member = sd_bus_message_get_member(m);

                if (g_str_equal(member, "JobNew"))
                        new = i + 1;
                else if (g_str_equal(member, "JobRemoved"))
                        removed = i + 1;
                else if (g_str_equal(member, "PropertiesChanged") && g_str_has_prefix(sd_bus_message_get_path(m), BUS_PATH_JOB))
                        change = i + 1;
        }

        assert_true(new > 0 && new < change && change < removed);
}

static unsigned count_fds(void) {
        unsigned n = 0;
        DIR *directory = opendir("/proc/self/fd");

        while (readdir(directory))
                n++;
        closedir(directory);
        return n;
}

static void test_no_fd_is_left(void **state) {
        BusFixture *f = *state;
        g_autofree char *qemu = bus_fixture_script(f, "fails", "#!/bin/sh\nexit 1\n");
        const char *result, *message;
        unsigned before = 0;

        bus_fixture_define(f, qemu);
        for (unsigned i = 0; i < 4; i++) {
                g_ptr_array_set_size(f->signals, 0);
                start(f);
                read_job_removed(f, &result, &message);
                /* the first time libraries open what they keep */
                if (i == 0)
                        before = count_fds();
        }

        assert_int_equal(count_fds(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_define),
                TEST(test_object_manager),
                TEST(test_define_errors),
                TEST(test_define_twice),
                TEST(test_long_path),
                TEST(test_wrong_states),
                TEST(test_no_qemu),
                TEST(test_qemu_fails),
                TEST(test_cancel),
                TEST(test_order_of_a_job),
                TEST(test_no_fd_is_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
