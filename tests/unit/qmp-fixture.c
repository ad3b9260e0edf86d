/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmp-fixture.h"
#include "util/fd-util.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

size_t send_limit = SIZE_MAX;
unsigned n_sends;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        struct iovec iov = message->msg_iov[0];
        struct msghdr limited = *message;

        n_sends++;
        if (send_limit == 0) {
                errno = EAGAIN;
                return -1;
        }

        iov.iov_len = MIN(iov.iov_len, send_limit);
        limited.msg_iov = &iov;
        return syscall(SYS_sendmsg, fd, &limited, flags);
}

typedef struct Tag {
        Fixture *fixture;
        const char *name;
} Tag;

static unsigned count_fds(void) {
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(directory);
        while (readdir(directory))
                n++;
        closedir(directory);
        return n;
}

static const char *error_name(const GError *error) {
        assert_int_equal(error->domain, HET_ERROR);
        return strrchr(het_error_to_dbus_name((HetError) error->code), '.') + 1;
}

static void say(Fixture *f, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void say(Fixture *f, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *word = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        if (f->log->len > 0)
                g_string_append_c(f->log, ' ');
        g_string_append(f->log, word);

        if (f->cancel_at && strcmp(word, f->cancel_at) == 0)
                qmp_client_cancel(f->client, f->cancel_id);
        if (f->free_at && strcmp(word, f->free_at) == 0)
                f->client = qmp_client_free(f->client);
}

static void on_ready(QmpClient *client, void *userdata) {
        say(userdata, "ready");
}

static void on_event(QmpClient *client, const char *event, json_object *data, uint64_t usec, void *userdata) {
        Fixture *f = userdata;

        f->usec = usec;
        say(f, "event:%s%s", event, data ? json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN) : "");
}

static void keep_text(Fixture *f, const GError *error) {
        g_free(f->text);
        f->text = g_strdup(error->message);
}

static void on_closed(QmpClient *client, const GError *reason, void *userdata) {
        keep_text(userdata, reason);
        say(userdata, "closed!%s", error_name(reason));
}

const QmpClientHandlers handlers = { on_ready, on_event, on_closed };

void on_reply(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        g_autofree Tag *tag = userdata;

        assert_true(!result != !error);
        if (error)
                keep_text(tag->fixture, error);
        if (error)
                say(tag->fixture, "%s!%s", tag->name, error_name(error));
        else
                say(tag->fixture, "%s=%s", tag->name, json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
}

uint64_t call_full(Fixture *f, const char *name, const char *arguments, const QmpClientFd *fds, size_t n_fds, uint64_t usec) {
        g_autoptr(GError) error = NULL;
        Tag *tag = g_new0(Tag, 1);
        size_t n_logged = f->log->len;
        uint64_t id;

        tag->fixture = f;
        tag->name = name;
        id = qmp_client_call(f->client, name, arguments ? json_tokener_parse(arguments) : NULL, fds, n_fds, usec, on_reply, tag, &error);
        assert_null(error);
        assert_true(id > 0);
        assert_int_equal(f->log->len, n_logged);        /* never from inside the call */
        return id;
}

uint64_t call(Fixture *f, const char *name) {
        return call_full(f, name, NULL, NULL, 0, 0);
}

void run_once(Fixture *f) {
        if (sd_event_run(f->event, GUARD_USEC) <= 0)
                fail_msg("nothing happens any more; log: %s", f->log->str);
}

void settle(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

void expect_log(Fixture *f, const char *expected) {
        while (f->log->len < strlen(expected))
                run_once(f);
        settle(f);
        assert_string_equal(f->log->str, expected);
}

void attach(Fixture *f) {
        int fd;

        f->peer = peer_new(f->event, &fd);
        assert_true(qmp_client_new_fd(f->event, fd, &handlers, f, &f->client, NULL));
}

void detach(Fixture *f) {
        f->client = qmp_client_free(f->client);
        settle(f);
        if (f->peer)
                peer_finish(f->peer);
        f->peer = NULL;
        g_string_truncate(f->log, 0);
}

void connect_ready(Fixture *f) {
        attach(f);
        peer_negotiate(f->peer);
        expect_log(f, "ready");
        g_string_truncate(f->log, 0);
}

int setup(void **state) {
        Fixture *f = g_new0(Fixture, 1);

        send_limit = SIZE_MAX;
        f->n_fds = count_fds();
        f->log = g_string_new(NULL);
        assert_true(sd_event_new(&f->event) >= 0);
        *state = f;
        return 0;
}

int teardown(void **state) {
        Fixture *f = *state;
        unsigned n_fds;

        detach(f);
        sd_event_unref(f->event);
        n_fds = f->n_fds;
        g_string_free(f->log, true);
        g_free(f->text);
        g_free(f->free_at);
        g_free(f->cancel_at);
        g_free(f);
        assert_int_equal(count_fds(), n_fds);
        return 0;
}
