/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus-fixture.h"

#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char *last_error;

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusFixture *f = userdata;

        if (sd_bus_message_is_signal(m, NULL, NULL))
                g_ptr_array_add(f->signals, sd_bus_message_ref(m));
        return 0;
}

static void unref_message(void *m) {
        sd_bus_message_unref(m);
}

static sd_bus *connect_end(BusFixture *f, int fd, bool server) {
        sd_id128_t id = SD_ID128_MAKE(31, 71, 17, a0, 5c, 11, 4a, bc, 93, 5d, ea, 60, 8c, 40, f5, 2b);
        sd_bus *bus = NULL;

        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, fd, fd) >= 0);
        assert_true(sd_bus_negotiate_fds(bus, true) >= 0);
        if (server)
                assert_true(sd_bus_set_server(bus, true, id) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        assert_true(sd_bus_attach_event(bus, f->event, 0) >= 0);
        return bus;
}

int bus_fixture_setup(void **state) {
        BusFixture *f = g_new0(BusFixture, 1);
        ManagerOptions options = {};
        sigset_t set;
        int fds[2];

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);

        f->directory = g_dir_make_tmp("het-bus-XXXXXX", NULL);
        assert_non_null(f->directory);
        f->signals = g_ptr_array_new_with_free_func(unref_message);
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);

        options.runtime_directory = g_build_filename(f->directory, "run", NULL);
        assert_int_equal(g_mkdir(options.runtime_directory, 0700), 0);          /* as main() does */
        f->manager = manager_new(f->event, &options);
        f->server = connect_end(f, fds[0], true);
        f->client = connect_end(f, fds[1], false);
        assert_true(bus_export(f->manager, f->server) >= 0);
        assert_true(sd_bus_add_filter(f->client, NULL, on_message, f) >= 0);

        /* A message with an fd blocks until both sides are through with the handshake */
        bus_fixture_until(f, sd_bus_is_ready(f->client) > 0 && sd_bus_is_ready(f->server) > 0);
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

int bus_fixture_teardown(void **state) {
        BusFixture *f = *state;

        g_ptr_array_unref(f->signals);
        sd_bus_close_unref(f->client);
        manager_free(f->manager);
        sd_bus_close_unref(f->server);
        sd_event_unref(f->event);
        (void) nftw(f->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        g_free(f->directory);
        g_clear_pointer(&last_error, g_free);
        g_free(f);
        return 0;
}

uint64_t bus_fixture_now(void) {
        return (uint64_t) g_get_monotonic_time();
}

void bus_fixture_turn(BusFixture *f, uint64_t deadline, const char *condition) {
        uint64_t now = bus_fixture_now();

        if (now >= deadline)
                fail_msg("Waited too long for: %s", condition);
        assert_true(sd_event_run(f->event, deadline - now) >= 0);
}

typedef struct Answer {
        sd_bus_message *reply;
} Answer;

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        ((Answer *) userdata)->reply = sd_bus_message_ref(m);
        return 0;
}

sd_bus_message *bus_fixture_call(BusFixture *f, const char *path, const char *interface, const char *member,
                                 const char *error_name, const char *types, ...) {
        g_autoptr(sd_bus_message) m = NULL;
        Answer answer = {};
        va_list arguments;

        assert_true(sd_bus_message_new_method_call(f->client, &m, NULL, path, interface, member) >= 0);
        va_start(arguments, types);
        if (types)
                assert_true(sd_bus_message_appendv(m, types, arguments) >= 0);
        va_end(arguments);
        assert_true(sd_bus_call_async(f->client, NULL, m, on_reply, &answer, 0) >= 0);
        bus_fixture_until(f, answer.reply);

        const sd_bus_error *e = sd_bus_message_get_error(answer.reply);

        g_free(last_error);
        last_error = g_strdup(e ? e->message : NULL);
        if (!error_name) {
                if (e)
                        fail_msg("%s: %s: %s", member, e->name, e->message);
                return answer.reply;
        }

        assert_non_null(e);
        assert_string_equal(e->name, error_name);
        sd_bus_message_unref(answer.reply);
        return NULL;
}

const char *bus_fixture_error(void) {
        return last_error ?: "";
}

char *bus_fixture_get(BusFixture *f, const char *path, const char *interface, const char *property) {
        g_autoptr(sd_bus_message) reply = NULL;
        const char *value;

        reply = bus_fixture_call(f, path, "org.freedesktop.DBus.Properties", "Get", NULL, "ss", interface, property);
        assert_true(sd_bus_message_read(reply, "v", "s", &value) > 0);
        return g_strdup(value);
}

int bus_fixture_file(const char *text) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        return fd;
}

char *bus_fixture_script(BusFixture *f, const char *name, const char *text) {
        char *path = g_build_filename(f->directory, name, NULL);

        assert_true(g_file_set_contents(path, text, -1, NULL));
        assert_int_equal(chmod(path, 0700), 0);
        return path;
}

void bus_fixture_define(BusFixture *f, const char *qemu) {
        g_autofree char *text = g_strdup_printf("[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=1G\nQEMU=%s\n"
                                                "[Processor s]\nRole=slave\nId=1\nMachine=virt\nCPU=cortex-a15\n"
                                                "Window=16M@0x60000000\nQEMU=%s\n", qemu, qemu);
        HET_AUTO_FD int fd = bus_fixture_file(text);
        g_autoptr(sd_bus_message) reply = NULL;

        reply = bus_fixture_call(f, BUS_PATH, BUS_MANAGER, "DefinePlatform", NULL, "sha{sv}", "one", fd, 0);
}

unsigned bus_fixture_count(BusFixture *f, const char *member, sd_bus_message **ret) {
        unsigned n = 0;

        for (guint i = 0; i < f->signals->len; i++) {
                sd_bus_message *m = f->signals->pdata[i];

                if (!g_str_equal(sd_bus_message_get_member(m), member))
                        continue;

                n++;
                if (ret) {
                        assert_true(sd_bus_message_rewind(m, true) >= 0);
                        *ret = m;
                }
        }

        return n;
}

static void append_change(sd_bus_message *m, const char *property, GString *to) {
        const char *interface, *name, *value, *contents;

        assert_true(sd_bus_message_rewind(m, true) >= 0);
        assert_true(sd_bus_message_read(m, "s", &interface) > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &name) > 0);
                assert_true(sd_bus_message_peek_type(m, NULL, &contents) > 0);
                if (g_str_equal(name, property) && g_str_equal(contents, "s")) {
                        assert_true(sd_bus_message_read(m, "v", "s", &value) > 0);
                        g_string_append_printf(to, "%s%s", to->len > 0 ? " " : "", value);
                } else
                        assert_true(sd_bus_message_skip(m, "v") >= 0);
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
}

char *bus_fixture_changes(BusFixture *f, const char *path, const char *property) {
        GString *values = g_string_new(NULL);

        for (guint i = 0; i < f->signals->len; i++) {
                sd_bus_message *m = f->signals->pdata[i];

                if (g_str_equal(sd_bus_message_get_member(m), "PropertiesChanged") &&
                    g_str_equal(sd_bus_message_get_path(m), path))
                        append_change(m, property, values);
        }

        return g_string_free(values, FALSE);
}
