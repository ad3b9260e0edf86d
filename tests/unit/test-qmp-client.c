/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* QmpClient: the connection from connect() to its end, and who may free it when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmp-fixture.h"
#include "util/fd-util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void test_negotiation(void **state) {
        Fixture *f = *state;

        attach(f);
        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_GREETING);
        assert_null(qmp_client_get_version(f->client));
        peer_send(f->peer, GREETING);
        peer_expect(f->peer, "qmp_capabilities", NULL, 0);      /* no "enable": no oob */
        peer_hold(f->peer);
        peer_send(f->peer, OK);
        settle(f);
        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_NEGOTIATING);
        assert_string_equal(qmp_client_get_version(f->client), "9.2.1");
        assert_string_equal(f->log->str, "");
        peer_continue(f->peer);
        expect_log(f, "ready");
        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_READY);
        assert_string_equal(qmp_client_state_to_string(QMP_CLIENT_READY), "ready");
        assert_null(qmp_client_state_to_string(_QMP_CLIENT_STATE_MAX));
}

static void test_negotiation_refused(void **state) {
        Fixture *f = *state;

        attach(f);
        call(f, "early");
        peer_send(f->peer, GREETING);
        peer_answer(f->peer, "qmp_capabilities", NULL, 0, ERROR);
        expect_log(f, "early!MonitorLost closed!ProtocolError");
}

static void test_calls_before_ready(void **state) {
        Fixture *f = *state;

        attach(f);
        call(f, "one");
        call(f, "two");
        assert_int_equal(qmp_client_get_pending(f->client), 2);
        peer_negotiate(f->peer);
        peer_answer(f->peer, "one", NULL, 0, OK);
        peer_answer(f->peer, "two", NULL, 0, OK);
        expect_log(f, "ready one={} two={}");
        assert_int_equal(qmp_client_get_pending(f->client), 0);
}

static void test_greeting_timeout(void **state) {
        Fixture *f = *state;

        attach(f);
        call(f, "x");
        assert_true(qmp_client_set_greeting_timeout(f->client, SHORT_USEC));
        expect_log(f, "x!MonitorLost closed!MonitorBusy");
}

static void test_negotiation_timeout(void **state) {
        Fixture *f = *state;

        attach(f);
        assert_true(qmp_client_set_greeting_timeout(f->client, SHORT_USEC));
        peer_send(f->peer, GREETING);
        peer_expect(f->peer, "qmp_capabilities", NULL, 0);
        expect_log(f, "closed!Timeout");
}

static void test_free_in_callbacks(void **state) {
        static const struct {
                const char *at, *log;
        } cases[] = {
                { "ready",         "ready a!Canceled b!Canceled" },
                { "event:E",       "ready event:E a!Canceled b!Canceled" },
                { "event:F",       "ready event:E event:F a!Canceled b!Canceled" },
                { "a={}",          "ready event:E event:F a={} b!Canceled" },
                { "b!MonitorLost", "ready event:E event:F a={} event:G b!MonitorLost" },
                { "closed!MonitorLost", "ready event:E event:F a={} event:G b!MonitorLost closed!MonitorLost" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                Fixture *f = *state;
                bool asked = i >= 3;

                g_free(f->free_at);
                f->free_at = g_strdup(cases[i].at);
                attach(f);
                call(f, "a");
                call(f, "b");
                peer_send(f->peer, "{\"event\": \"E\", " STAMP "}" GREETING);
                peer_answer(f->peer, "qmp_capabilities", NULL, 0, OK "{\"event\": \"F\", " STAMP "}");
                if (asked) {
                        peer_expect(f->peer, "a", NULL, 0);
                        peer_expect(f->peer, "b", NULL, 0);
                        peer_send(f->peer, "{\"return\": {}, \"id\": \"$1\"}{\"event\": \"G\", " STAMP "}");
                        peer_close(f->peer);
                }
                expect_log(f, cases[i].log);
                assert_null(f->client);
                detach(f);
        }
}

static void test_free_in_answers(void **state) {
        Fixture *f = *state;

        /* in the answer that qmp_client_free() itself gives */
        f->free_at = g_strdup("a!Canceled");
        attach(f);
        call(f, "a");
        call(f, "b");
        qmp_client_free(f->client);
        assert_string_equal(f->log->str, "a!Canceled b!Canceled");
        assert_null(f->client);
        detach(f);

        /* in the answer to a canceled call */
        attach(f);
        qmp_client_cancel(f->client, call(f, "a"));
        call(f, "b");
        expect_log(f, "a!Canceled b!Canceled");
        assert_null(f->client);
        detach(f);

        /* in a timeout */
        g_free(f->free_at);
        f->free_at = g_strdup("a!Timeout");
        attach(f);
        call_full(f, "a", NULL, NULL, 0, SHORT_USEC);
        call(f, "b");
        peer_negotiate(f->peer);
        peer_expect(f->peer, "a", NULL, 0);
        peer_expect(f->peer, "b", NULL, 0);
        expect_log(f, "ready a!Timeout b!Canceled");
        assert_null(f->client);
}

static void test_free_answers(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call(f, "flying");
        peer_expect(f->peer, "flying", NULL, 0);
        settle(f);
        call(f, "queued");
        qmp_client_cancel(f->client, call(f, "canceled"));
        f->client = qmp_client_free(f->client);
        assert_string_equal(f->log->str, "canceled!Canceled flying!Canceled queued!Canceled");
        assert_null(qmp_client_free(NULL));
        settle(f);
        assert_string_equal(f->log->str, "canceled!Canceled flying!Canceled queued!Canceled");
}

static void test_end(void **state) {
        Fixture *f = *state;

        /* before the greeting */
        attach(f);
        call(f, "x");
        peer_close(f->peer);
        expect_log(f, "x!MonitorLost closed!MonitorLost");
        detach(f);

        /* in the middle of a message */
        connect_ready(f);
        peer_send(f->peer, "{\"event\": \"ST");
        peer_close(f->peer);
        expect_log(f, "closed!MonitorLost");
        detach(f);

        /* with the last reply: as `quit` */
        connect_ready(f);
        call(f, "quit");
        peer_answer(f->peer, "quit", NULL, 0, "{\"event\": \"SHUTDOWN\", " STAMP "}" OK);
        peer_close(f->peer);
        expect_log(f, "event:SHUTDOWN quit={} closed!MonitorLost");
}

/* Unread bytes in the socket of a peer that closes: a reset, not an end */
static void test_reset(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        peer_stop_reading(f->peer);
        call(f, "x");
        settle(f);
        peer_close(f->peer);
        expect_log(f, "x!MonitorLost closed!MonitorLost");
        assert_string_equal(f->text, "QEMU closed its monitor");
        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_CLOSED);
}

/* The reply is in the socket, QEMU is gone, and there is something to write: the reply comes first */
static void test_reply_before_broken_pipe(void **state) {
        Fixture *f = *state;
        g_autofree char *spaces = g_strnfill(100 * 1024, ' ');         /* more than one read */

        connect_ready(f);
        call(f, "quit");
        peer_answer(f->peer, "quit", NULL, 0, spaces);
        peer_send(f->peer, "{\"event\": \"SHUTDOWN\", " STAMP "}" OK);
        peer_close(f->peer);
        while (qmp_client_get_pending(f->client) == 1 && f->log->len == 0) {
                run_once(f);
                if (peer_n_commands(f->peer) == 2) {
                        call(f, "late");
                        break;
                }
        }
        expect_log(f, "event:SHUTDOWN quit={} late!MonitorLost closed!MonitorLost");
}

static void test_path_errors(void **state) {
        Fixture *f = *state;
        g_autofree char *long_path = g_strnfill(108, 'p'), *limit_path = g_strnfill(107, 'p');
        static const struct {
                const char *path;
                HetError code;
        } cases[] = { { "", HET_ERROR_INVALID_ARGUMENT }, { "/nonexistent/qmp", HET_ERROR_MONITOR_LOST } };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;

                assert_false(qmp_client_new_path(f->event, cases[i].path, &handlers, f, &f->client, &error));
                assert_true(g_error_matches(error, HET_ERROR, cases[i].code));
                assert_null(f->client);
        }

        g_autoptr(GError) too_long = NULL, absent = NULL;

        assert_false(qmp_client_new_path(f->event, long_path, &handlers, f, &f->client, &too_long));
        assert_true(g_error_matches(too_long, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_non_null(strstr(too_long->message, "107"));
        assert_false(qmp_client_new_path(f->event, limit_path, &handlers, f, &f->client, &absent));
        assert_true(g_error_matches(absent, HET_ERROR, HET_ERROR_MONITOR_LOST));
}

static void test_fd_errors(void **state) {
        Fixture *f = *state;
        g_autoptr(GError) no_socket = NULL, datagram = NULL;
        int fds[2], mem = memfd_create("m", MFD_CLOEXEC);

        assert_false(qmp_client_new_fd(f->event, mem, &handlers, f, &f->client, &no_socket));
        assert_true(g_error_matches(no_socket, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_true(fcntl(mem, F_GETFD) < 0);                   /* eaten */
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_false(qmp_client_new_fd(f->event, fds[0], &handlers, f, &f->client, &datagram));
        assert_true(g_error_matches(datagram, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        fd_close(fds[1]);
}

/* A listening socket with a full backlog, and the connections that fill it */
typedef struct Backlog {
        char *directory, *path;
        int listener, fillers[8];
        unsigned n_fillers;
} Backlog;

static void backlog_open(Backlog *b, bool fill) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        b->directory = g_dir_make_tmp("test-qmp-XXXXXX", NULL);
        assert_non_null(b->directory);
        b->path = g_build_filename(b->directory, "qmp", NULL);
        assert_true(strlen(b->path) < sizeof(address.sun_path));
        strcpy(address.sun_path, b->path);
        b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(b->listener, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(b->listener, 0), 0);

        while (fill) {
                int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                        assert_int_equal(errno, EAGAIN);
                        fd_close(fd);
                        break;
                }

                assert_true(b->n_fillers < G_N_ELEMENTS(b->fillers));
                b->fillers[b->n_fillers++] = fd;
        }
}

static void backlog_close(Backlog *b) {
        while (b->n_fillers > 0)
                fd_close(b->fillers[--b->n_fillers]);
        b->listener = fd_close(b->listener);
        unlink(b->path);
        rmdir(b->directory);
        g_free(b->path);
        g_free(b->directory);
}

static void test_path(void **state) {
        Fixture *f = *state;
        Backlog b = {};

        backlog_open(&b, false);
        assert_true(qmp_client_new_path(f->event, b.path, &handlers, f, &f->client, NULL));
        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_GREETING);
        f->peer = peer_new_fd(f->event, accept4(b.listener, NULL, NULL, SOCK_CLOEXEC));
        peer_negotiate(f->peer);
        expect_log(f, "ready");
        backlog_close(&b);
}

static void test_backlog_full(void **state) {
        Fixture *f = *state;
        Backlog b = {};
        int fd;

        backlog_open(&b, true);
        assert_true(qmp_client_new_path(f->event, b.path, &handlers, f, &f->client, NULL));
        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_CONNECTING);
        call(f, "x");
        run_once(f);                                            /* one vain attempt */
        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_CONNECTING);
        for (unsigned i = 0; i < b.n_fillers; i++)
                fd_close(accept4(b.listener, NULL, NULL, SOCK_CLOEXEC));
        while (qmp_client_get_state(f->client) == QMP_CLIENT_CONNECTING)
                run_once(f);
        fd = accept4(b.listener, NULL, NULL, SOCK_CLOEXEC);
        f->peer = peer_new_fd(f->event, fd);
        peer_negotiate(f->peer);
        peer_answer(f->peer, "x", NULL, 0, OK);
        expect_log(f, "ready x={}");
        backlog_close(&b);
}

static void test_backlog_stays_full(void **state) {
        Fixture *f = *state;
        Backlog b = {};

        backlog_open(&b, true);
        assert_true(qmp_client_new_path(f->event, b.path, &handlers, f, &f->client, NULL));
        assert_true(qmp_client_set_greeting_timeout(f->client, SHORT_USEC));
        expect_log(f, "closed!MonitorBusy");
        backlog_close(&b);
}

static void test_backlog_listener_gone(void **state) {
        Fixture *f = *state;
        Backlog b = {};

        backlog_open(&b, true);
        assert_true(qmp_client_new_path(f->event, b.path, &handlers, f, &f->client, NULL));
        backlog_close(&b);
        expect_log(f, "closed!MonitorLost");
}

static void test_hold(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        qmp_client_hold(f->client, UINT64_C(3600) * G_USEC_PER_SEC);
        call(f, "x");
        peer_answer(f->peer, "x", NULL, 0, "{\"event\": \"E\", " STAMP "}\r\n" OK);
        settle(f);
        assert_int_equal(peer_n_commands(f->peer), 2);          /* it was sent all the same */
        expect_log(f, "");
        qmp_client_hold(f->client, SHORT_USEC);
        expect_log(f, "event:E x={}");
}

/* What it has sent before is not lost */
static void test_end_while_held(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        qmp_client_hold(f->client, UINT64_C(3600) * G_USEC_PER_SEC);
        peer_send(f->peer, "{\"event\": \"E\", " STAMP "}\r\n");
        peer_close(f->peer);
        expect_log(f, "event:E closed!MonitorLost");
        qmp_client_hold(f->client, SHORT_USEC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_negotiation),
                TEST(test_negotiation_refused),
                TEST(test_calls_before_ready),
                TEST(test_greeting_timeout),
                TEST(test_negotiation_timeout),
                TEST(test_free_in_callbacks),
                TEST(test_free_in_answers),
                TEST(test_free_answers),
                TEST(test_end),
                TEST(test_reset),
                TEST(test_reply_before_broken_pipe),
                TEST(test_path_errors),
                TEST(test_fd_errors),
                TEST(test_path),
                TEST(test_backlog_full),
                TEST(test_backlog_stays_full),
                TEST(test_backlog_listener_gone),
                TEST(test_hold),
                TEST(test_end_while_held),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
