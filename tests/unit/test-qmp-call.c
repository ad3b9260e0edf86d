/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* QmpClient: limits, timeouts, canceling, and the fds of calls. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmp-fixture.h"
#include "qmp-message.h"
#include "util/fd-util.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void refused(Fixture *f, HetError code, const char *name, json_object *arguments, const QmpClientFd *fds, size_t n_fds) {
        g_autoptr(GError) error = NULL;

        assert_int_equal(qmp_client_call(f->client, name, arguments, fds, n_fds, 0, on_reply, NULL, &error), 0);
        assert_true(g_error_matches(error, HET_ERROR, code));
}

static void test_in_flight(void **state) {
        static const char *const names[] = { "c1", "c2", "c3", "c4", "c5", "c6" };
        Fixture *f = *state;

        connect_ready(f);
        for (unsigned i = 0; i < 6; i++)
                call(f, names[i]);
        for (unsigned i = 0; i < 4; i++)
                peer_expect(f->peer, names[i], NULL, 0);
        peer_hold(f->peer);
        settle(f);
        assert_int_equal(peer_n_commands(f->peer), 1 + QMP_CLIENT_IN_FLIGHT_MAX);
        peer_send(f->peer, "{\"return\": {}, \"id\": \"$1\"}");
        peer_expect(f->peer, "c5", NULL, 0);
        peer_hold(f->peer);
        peer_continue(f->peer);
        expect_log(f, "c1={}");
        assert_int_equal(peer_n_commands(f->peer), 1 + QMP_CLIENT_IN_FLIGHT_MAX + 1);
        peer_send(f->peer, "{\"return\": {}, \"id\": \"$2\"}");
        peer_answer(f->peer, "c6", NULL, 0, OK);
        peer_continue(f->peer);
        expect_log(f, "c1={} c2={} c6={}");
        f->client = qmp_client_free(f->client);
        assert_string_equal(f->log->str, "c1={} c2={} c6={} c3!Canceled c4!Canceled c5!Canceled");
}

static void test_pending_limit(void **state) {
        Fixture *f = *state;

        attach(f);
        for (unsigned i = 0; i < QMP_CLIENT_PENDING_MAX; i++)
                assert_true(qmp_client_call(f->client, "x", NULL, NULL, 0, 0, NULL, NULL, NULL) > 0);
        assert_int_equal(qmp_client_get_pending(f->client), QMP_CLIENT_PENDING_MAX);
        refused(f, HET_ERROR_LIMIT_EXCEEDED, "x", NULL, NULL, 0);
}

static void test_refused_calls(void **state) {
        Fixture *f = *state;
        QmpClientFd fds[QMP_CLIENT_FDS_MAX + 1] = {};
        json_object *arguments = json_object_new_object();
        g_autofree char *big = g_strnfill(2 * 1024 * 1024, 'x');

        connect_ready(f);
        for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
                fds[i] = (QmpClientFd) { "fd", 0 };
        refused(f, HET_ERROR_INVALID_ARGUMENT, "", NULL, NULL, 0);
        refused(f, HET_ERROR_INVALID_ARGUMENT, "x", json_object_new_array(), NULL, 0);
        refused(f, HET_ERROR_LIMIT_EXCEEDED, "x", NULL, fds, G_N_ELEMENTS(fds));
        refused(f, HET_ERROR_INVALID_ARGUMENT, "x", NULL, fds, 2);              /* twice the same argument */
        refused(f, HET_ERROR_INVALID_ARGUMENT, "x", json_tokener_parse("{\"fd\": 1}"), fds, 1);
        refused(f, HET_ERROR_INVALID_ARGUMENT, "x", NULL, &(QmpClientFd) { "fd", 99999 }, 1);
        json_object_object_add(arguments, "a", json_object_new_string("\xff"));
        refused(f, HET_ERROR_INVALID_ARGUMENT, "x", arguments, NULL, 0);
        refused(f, HET_ERROR_LIMIT_EXCEEDED, big, NULL, NULL, 0);
        assert_int_equal(qmp_client_get_pending(f->client), 0);
        peer_close(f->peer);
        expect_log(f, "closed!MonitorLost");
        refused(f, HET_ERROR_MONITOR_LOST, "x", NULL, NULL, 0);
        assert_false(qmp_client_set_greeting_timeout(f->client, 1));
}

static void test_cancel(void **state) {
        Fixture *f = *state;
        uint64_t queued, flying;

        connect_ready(f);
        flying = call(f, "flying");
        peer_expect(f->peer, "flying", NULL, 0);
        peer_hold(f->peer);
        settle(f);
        queued = call(f, "queued");
        call(f, "last");
        assert_true(qmp_client_cancel(f->client, queued));
        assert_true(qmp_client_cancel(f->client, flying));
        assert_false(qmp_client_cancel(f->client, flying));
        assert_false(qmp_client_cancel(f->client, 0));
        assert_string_equal(f->log->str, "");
        assert_int_equal(qmp_client_get_pending(f->client), 3);
        peer_send(f->peer, OK);                                 /* late: dropped */
        peer_answer(f->peer, "last", NULL, 0, OK);              /* `queued` is never sent */
        peer_continue(f->peer);
        expect_log(f, "queued!Canceled flying!Canceled last={}");
        assert_false(qmp_client_cancel(f->client, queued));
}

static void test_cancel_in_callbacks(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call(f, "one");
        f->cancel_id = call(f, "two");
        f->cancel_at = g_strdup("one!MonitorLost");
        peer_expect(f->peer, "one", NULL, 0);
        peer_expect(f->peer, "two", NULL, 0);
        peer_close(f->peer);
        /* too late to cancel */
        expect_log(f, "one!MonitorLost two!MonitorLost closed!MonitorLost");
}

static void test_call_timeout(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call_full(f, "slow", NULL, NULL, 0, SHORT_USEC);
        peer_expect(f->peer, "slow", NULL, 0);
        peer_hold(f->peer);
        expect_log(f, "slow!Timeout");
        assert_non_null(strstr(f->text, "may still"));
        peer_send(f->peer, OK);                                 /* late */
        peer_continue(f->peer);
        call(f, "next");
        peer_answer(f->peer, "next", NULL, 0, OK);
        expect_log(f, "slow!Timeout next={}");
}

/* A QEMU that hangs: what was never sent times out as well, and the slots of what was sent stay taken */
static void test_queue_timeout(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        for (unsigned i = 0; i < QMP_CLIENT_IN_FLIGHT_MAX; i++) {
                call_full(f, "x", NULL, NULL, 0, SHORT_USEC);
                peer_expect(f->peer, "x", NULL, 0);
        }
        call_full(f, "y", NULL, NULL, 0, 4 * SHORT_USEC);
        expect_log(f, "x!Timeout x!Timeout x!Timeout x!Timeout y!Timeout");
        assert_non_null(strstr(f->text, "not carried out"));
        assert_int_equal(peer_n_commands(f->peer), 1 + QMP_CLIENT_IN_FLIGHT_MAX);
}

static void test_timeout_before_ready(void **state) {
        Fixture *f = *state;

        attach(f);
        call_full(f, "x", NULL, NULL, 0, SHORT_USEC);
        peer_negotiate(f->peer);
        peer_expect(f->peer, "x", NULL, 0);
        expect_log(f, "ready x!Timeout");
}

/* The loop was kept from running until after the deadline, but the answer is in the socket: it counts */
static void test_timeout_answered(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call_full(f, "x", NULL, NULL, 0, SHORT_USEC);
        peer_expect(f->peer, "x", NULL, 0);
        peer_send(f->peer, OK);
        peer_hold(f->peer);
        while (!peer_is_held(f->peer))
                run_once(f);
        assert_string_equal(f->log->str, "");
        g_usleep(2 * SHORT_USEC);                               /* the loop is kept from running: that is the case tested */
        peer_continue(f->peer);
        expect_log(f, "x={}");
}

static bool same_file(int a, int b) {
        struct stat x, y;

        return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void test_fds(void **state) {
        Fixture *f = *state;
        HET_AUTO_FD int one = memfd_create("one", MFD_CLOEXEC), two = memfd_create("two", MFD_CLOEXEC);
        HET_AUTO_FD int copy = fd_dup_cloexec(one);
        QmpClientFd fds[] = { { "first", one }, { "second", two } };
        json_object *arguments = json_tokener_parse("{\"n\": 1}");

        connect_ready(f);
        call(f, "before");
        call_full(f, "attach", json_object_to_json_string(arguments), fds, 2, 0);
        call(f, "after");
        one = fd_close(one);                                    /* the client has its own */
        peer_answer(f->peer, "before", NULL, 0, OK);
        peer_expect(f->peer, "getfd", "{\"fdname\": \"*\"}", 1);
        peer_hold(f->peer);
        settle(f);
        assert_int_equal(peer_n_commands(f->peer), 3);          /* nothing is sent beside an fd */
        assert_true(same_file(peer_last_fd(f->peer), copy));
        assert_false(fcntl(peer_last_fd(f->peer), F_GETFD) < 0);
        peer_send(f->peer, OK);
        peer_expect(f->peer, "getfd", "{\"fdname\": \"*\"}", 1);
        peer_hold(f->peer);
        peer_continue(f->peer);
        settle(f);
        assert_int_equal(peer_n_commands(f->peer), 4);
        assert_true(same_file(peer_last_fd(f->peer), two));
        peer_send(f->peer, OK);
        peer_expect(f->peer, "attach", "{\"n\": 1, \"first\": \"$0\", \"second\": \"$1\"}", 0);
        peer_expect(f->peer, "after", NULL, 0);
        peer_send(f->peer, "{\"return\": 1, \"id\": \"$4\"}{\"return\": 2, \"id\": \"$5\"}");
        peer_continue(f->peer);
        expect_log(f, "before={} attach=1 after=2");
        json_object_put(arguments);
}

/* The caller's own reference to the arguments does not see the names */
static void test_fds_arguments_kept(void **state) {
        Fixture *f = *state;
        json_object *arguments = json_tokener_parse("{\"n\": 1}");

        attach(f);
        assert_true(qmp_client_call(f->client, "x", json_object_get(arguments), &(QmpClientFd) { "fd", 0 }, 1, 0, NULL, NULL, NULL) > 0);
        assert_string_equal(json_object_to_json_string_ext(arguments, JSON_C_TO_STRING_PLAIN), "{\"n\":1}");
        assert_int_equal(json_object_put(arguments), 1);
        f->client = qmp_client_free(f->client);
}

static const QmpClientFd two_fds[] = { { "a", 0 }, { "b", 0 } };

static void peer_take_fd(Fixture *f, const char *text) {
        peer_answer(f->peer, "getfd", "{\"fdname\": \"*\"}", 1, text);
}

static void test_fds_command_failed(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call_full(f, "attach", NULL, two_fds, 2, 0);
        peer_take_fd(f, OK);
        peer_take_fd(f, OK);
        peer_answer(f->peer, "attach", "{\"a\": \"$0\", \"b\": \"$1\"}", 0, ERROR);
        peer_answer(f->peer, "closefd", "{\"fdname\": \"$0\"}", 0, OK);
        peer_answer(f->peer, "closefd", "{\"fdname\": \"$1\"}", 0, ERROR);       /* the command had used it */
        expect_log(f, "attach!Qemu");
        call(f, "next");
        peer_answer(f->peer, "next", NULL, 0, OK);
        expect_log(f, "attach!Qemu next={}");
}

/* A stray fd is stored in QEMU, or none: both ways of the recovery. It comes before anything else that is queued. */
static void test_fds_getfd_failed(void **state) {
        for (unsigned stray = 0; stray < 2; stray++) {
                Fixture *f = *state;

                connect_ready(f);
                call_full(f, "attach", NULL, two_fds, 2, 0);
                call_full(f, "again", NULL, two_fds, 1, 0);
                peer_take_fd(f, OK);
                peer_take_fd(f, ERROR);
                peer_expect(f->peer, "getfd", "{\"fdname\": \"*\"}", 0);
                peer_hold(f->peer);
                expect_log(f, "attach!Qemu");
                assert_int_equal(peer_n_commands(f->peer), 4);  /* nothing beside it */
                peer_send(f->peer, stray ? OK : ERROR);
                peer_answer(f->peer, "closefd", "{\"fdname\": \"$0\"}", 0, OK);
                if (stray)
                        peer_answer(f->peer, "closefd", "{\"fdname\": \"$2\"}", 0, OK);
                peer_continue(f->peer);
                peer_take_fd(f, OK);
                peer_answer(f->peer, "again", "{\"a\": \"$3\"}", 0, OK);
                expect_log(f, "attach!Qemu again={}");
                detach(f);
        }
}

static void test_fds_getfd_unknown(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call_full(f, "attach", NULL, two_fds, 1, 0);
        peer_take_fd(f, "{\"id\": \"$id\", \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"\"}}");
        peer_answer(f->peer, "getfd", "{\"fdname\": \"*\"}", 0, ERROR);
        expect_log(f, "attach!NotSupported");
}

static void test_fds_canceled(void **state) {
        Fixture *f = *state;
        uint64_t id;

        /* while the second fd is on its way */
        connect_ready(f);
        id = call_full(f, "attach", NULL, two_fds, 2, 0);
        peer_take_fd(f, OK);
        peer_expect(f->peer, "getfd", "{\"fdname\": \"*\"}", 1);
        peer_hold(f->peer);
        settle(f);
        assert_true(qmp_client_cancel(f->client, id));
        expect_log(f, "attach!Canceled");
        peer_send(f->peer, OK);
        peer_answer(f->peer, "closefd", "{\"fdname\": \"$0\"}", 0, OK);
        peer_answer(f->peer, "closefd", "{\"fdname\": \"$1\"}", 0, OK);
        peer_continue(f->peer);
        settle(f);
        detach(f);

        /* the same, and QEMU refuses it late */
        connect_ready(f);
        id = call_full(f, "attach", NULL, two_fds, 2, 0);
        peer_take_fd(f, OK);
        peer_expect(f->peer, "getfd", "{\"fdname\": \"*\"}", 1);
        peer_hold(f->peer);
        settle(f);
        assert_true(qmp_client_cancel(f->client, id));
        peer_send(f->peer, ERROR);
        peer_answer(f->peer, "getfd", "{\"fdname\": \"*\"}", 0, ERROR);
        peer_answer(f->peer, "closefd", "{\"fdname\": \"$0\"}", 0, OK);
        peer_continue(f->peer);
        expect_log(f, "attach!Canceled");
        settle(f);
}

/* The command itself is with QEMU: what becomes of the fds depends on its late reply */
static void test_fds_late_reply(void **state) {
        for (unsigned good = 0; good < 2; good++) {
                Fixture *f = *state;

                connect_ready(f);
                call_full(f, "attach", NULL, two_fds, 1, 4 * SHORT_USEC);
                peer_take_fd(f, OK);
                peer_expect(f->peer, "attach", "{\"a\": \"$0\"}", 0);
                peer_hold(f->peer);
                expect_log(f, "attach!Timeout");
                assert_int_equal(peer_n_commands(f->peer), 3);
                peer_send(f->peer, good ? OK : ERROR);
                if (!good)
                        peer_answer(f->peer, "closefd", "{\"fdname\": \"$0\"}", 0, OK);
                peer_continue(f->peer);
                settle(f);
                detach(f);
        }
}

static void test_partial_writes(void **state) {
        Fixture *f = *state;
        g_autofree char *big = g_strnfill(700 * 1024, 'y'), *text = g_strdup_printf("{\"a\": \"%s\"}", big);
        HET_AUTO_FD int mem = memfd_create("m", MFD_CLOEXEC);
        int size = 1, fd;

        f->peer = peer_new(f->event, &fd);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
        assert_true(qmp_client_new_fd(f->event, fd, &handlers, f, &f->client, NULL));
        peer_negotiate(f->peer);
        expect_log(f, "ready");
        peer_stop_reading(f->peer);
        call_full(f, "big", text, NULL, 0, 0);
        call_full(f, "attach", NULL, &(QmpClientFd) { "a", mem }, 1, 0);
        settle(f);                                              /* the socket is full, the loop sleeps */
        peer_start_reading(f->peer);
        peer_answer(f->peer, "big", text, 0, OK);
        peer_take_fd(f, OK);
        peer_answer(f->peer, "attach", "{\"a\": \"$0\"}", 0, OK);
        expect_log(f, "ready big={} attach={}");
        assert_true(same_file(peer_last_fd(f->peer), mem));
}

/* The fd goes with the first piece only; scripted-peer fails on one with a later byte */
static void test_partial_fd_writes(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        send_limit = 7;
        call_full(f, "attach", NULL, two_fds, 2, 0);
        peer_take_fd(f, OK);
        peer_take_fd(f, OK);
        peer_answer(f->peer, "attach", "{\"a\": \"$0\", \"b\": \"$1\"}", 0, OK);
        expect_log(f, "attach={}");
}

/* Started, but not one byte is written yet: it is taken back */
static void test_cancel_unsent(void **state) {
        for (unsigned n_fds = 0; n_fds < 2; n_fds++) {
                Fixture *f = *state;
                uint64_t id;

                connect_ready(f);
                send_limit = n_sends = 0;
                id = call_full(f, "x", NULL, two_fds, n_fds, 0);
                while (n_sends == 0)
                        run_once(f);
                assert_true(qmp_client_cancel(f->client, id));
                send_limit = SIZE_MAX;
                call(f, "next");
                peer_answer(f->peer, "next", NULL, 0, OK);
                expect_log(f, "x!Canceled next={}");
                detach(f);
        }
}

/* Timeout while half of a command is written: the rest has to follow, or the next one would be garbage */
static void test_partial_write_timeout(void **state) {
        Fixture *f = *state;
        g_autofree char *big = g_strnfill(900 * 1024, 'y'), *text = g_strdup_printf("{\"a\": \"%s\"}", big);

        connect_ready(f);
        peer_stop_reading(f->peer);
        call_full(f, "big", text, NULL, 0, SHORT_USEC);
        call(f, "next");
        expect_log(f, "big!Timeout");
        peer_start_reading(f->peer);
        peer_answer(f->peer, "big", text, 0, OK);
        peer_answer(f->peer, "next", NULL, 0, OK);
        expect_log(f, "big!Timeout next={}");
}

static void test_answer_before_sent(void **state) {
        Fixture *f = *state;
        g_autofree char *big = g_strnfill(900 * 1024, 'y'), *text = g_strdup_printf("{\"a\": \"%s\"}", big), *reply = NULL;
        uint64_t id;

        connect_ready(f);
        peer_stop_reading(f->peer);
        id = call_full(f, "big", text, NULL, 0, 0);
        settle(f);
        reply = g_strdup_printf("{\"return\": {}, \"id\": \"%.*s%" G_GUINT64_FORMAT "\"}",
                                (int) QMP_UNIQUE_EPOCH_LENGTH + 1, peer_id(f->peer, 0), id);
        peer_send(f->peer, reply);
        expect_log(f, "big!MonitorLost closed!ProtocolError");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_in_flight),
                TEST(test_pending_limit),
                TEST(test_refused_calls),
                TEST(test_cancel),
                TEST(test_cancel_in_callbacks),
                TEST(test_call_timeout),
                TEST(test_queue_timeout),
                TEST(test_timeout_before_ready),
                TEST(test_timeout_answered),
                TEST(test_fds),
                TEST(test_fds_arguments_kept),
                TEST(test_fds_command_failed),
                TEST(test_fds_getfd_failed),
                TEST(test_fds_getfd_unknown),
                TEST(test_fds_canceled),
                TEST(test_fds_late_reply),
                TEST(test_partial_writes),
                TEST(test_partial_fd_writes),
                TEST(test_cancel_unsent),
                TEST(test_partial_write_timeout),
                TEST(test_answer_before_sent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
