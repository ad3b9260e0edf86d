/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * QmpClient against a scripted peer. Every callback writes one word into a log; a test states the whole log, and with it the order
 * and the number of the callbacks:  ready  event:NAME  TAG=result  TAG!Error  closed!Error
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmp-client.h"
#include "scripted-peer.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SHORT_USEC      (20 * 1000)
#define GUARD_USEC      (60 * G_USEC_PER_SEC)           /* ends a test that would hang; nothing depends on its length */

#define GREETING "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": 9}, \"package\": \"p\"}, \"capabilities\": []}}\r\n"
#define STAMP    "\"timestamp\": {\"seconds\": 5, \"microseconds\": 7}"
#define OK       "{\"return\": {}, \"id\": \"$id\"}\r\n"
#define ERROR    "{\"id\": \"$id\", \"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}\r\n"

/* The client's sendmsg(): at most so many bytes at once (0: EAGAIN). A line of getfd is too short for the kernel to ever cut it. */
static size_t send_limit = SIZE_MAX;
static unsigned n_sends;

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

typedef struct Fixture {
        sd_event *event;
        ScriptedPeer *peer;
        QmpClient *client;
        GString *log;
        char *text;                     /* of the last error */
        uint64_t usec;                  /* of the last event */
        char *free_at;                  /* word of the log at which the callback frees the client */
        char *cancel_at;                /* ... cancels cancel_id */
        uint64_t cancel_id;
        unsigned n_fds;
} Fixture;

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

static const QmpClientHandlers handlers = { on_ready, on_event, on_closed };

static void on_reply(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        g_autofree Tag *tag = userdata;

        assert_true(!result != !error);
        if (error)
                keep_text(tag->fixture, error);
        if (error)
                say(tag->fixture, "%s!%s", tag->name, error_name(error));
        else
                say(tag->fixture, "%s=%s", tag->name, json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
}

static uint64_t call_full(Fixture *f, const char *name, const char *arguments, const QmpClientFd *fds, size_t n_fds, uint64_t usec) {
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

static uint64_t call(Fixture *f, const char *name) {
        return call_full(f, name, NULL, NULL, 0, 0);
}

static void refused(Fixture *f, HetError code, const char *name, json_object *arguments, const QmpClientFd *fds, size_t n_fds) {
        g_autoptr(GError) error = NULL;

        assert_int_equal(qmp_client_call(f->client, name, arguments, fds, n_fds, 0, on_reply, NULL, &error), 0);
        assert_true(g_error_matches(error, HET_ERROR, code));
}

static void run_once(Fixture *f) {
        if (sd_event_run(f->event, GUARD_USEC) <= 0)
                fail_msg("nothing happens any more; log: %s", f->log->str);
}

/* Runs until nothing is left to be done now */
static void settle(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

/* Runs until the log is as long as expected, then until there is silence, and compares */
static void expect_log(Fixture *f, const char *expected) {
        while (f->log->len < strlen(expected))
                run_once(f);
        settle(f);
        assert_string_equal(f->log->str, expected);
}

static void attach(Fixture *f) {
        int fd;

        f->peer = peer_new(f->event, &fd);
        assert_true(qmp_client_new_fd(f->event, fd, &handlers, f, &f->client, NULL));
}

static void detach(Fixture *f) {
        f->client = qmp_client_free(f->client);
        settle(f);
        if (f->peer)
                peer_finish(f->peer);
        f->peer = NULL;
        g_string_truncate(f->log, 0);
}

static void connect_ready(Fixture *f) {
        attach(f);
        peer_negotiate(f->peer);
        expect_log(f, "ready");
        g_string_truncate(f->log, 0);
}

static int setup(void **state) {
        Fixture *f = g_new0(Fixture, 1);

        send_limit = SIZE_MAX;
        f->n_fds = count_fds();
        f->log = g_string_new(NULL);
        assert_true(sd_event_new(&f->event) >= 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
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

/* One conversation with everything a stream can hold: pretty-printed, UTF-8 of all lengths, escapes, several kinds */
static void converse(Fixture *f, size_t first, size_t others) {
        attach(f);
        peer_set_pieces(f->peer, first, others);
        peer_send(f->peer, GREETING);
        peer_answer(f->peer, "qmp_capabilities", NULL, 0, OK);
        call_full(f, "ask", "{\"a\": [1, \"x\"]}", NULL, 0, 0);
        peer_expect(f->peer, "ask", "{\"a\": [1, \"x\"]}", 0);
        peer_set_pieces(f->peer, first, others);
        peer_send(f->peer, "{\"event\": \"STOP\",\r\n    \"data\": {\r\n        \"t\": \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\u00e9}{\\\"\"\r\n    },\r\n    " STAMP "\r\n}\r\n"
                          "{\r\n    \"return\": {\r\n        \"n\": 18446744073709551615,\r\n        \"b\": [true, null, -1.5]\r\n    },\r\n    \"id\": \"$id\"\r\n}\r\n"
                          "{\"event\": \"RESUME\", " STAMP "}{\"event\":\"RESET\", " STAMP "}");
        expect_log(f, "ready event:STOP{\"t\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9}{\\\"\"} "
                      "ask={\"n\":18446744073709551615,\"b\":[true,null,-1.5]} event:RESUME event:RESET");
        assert_int_equal(f->usec, 5000007);
        detach(f);
}

static void test_split_everywhere(void **state) {
        for (size_t first = 1; first < 400; first++)
                converse(*state, first, 0);
}

static void test_pieces(void **state) {
        static const size_t sizes[] = { 1, 2, 3, 5, 7, 137, 143 };

        for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
                converse(*state, sizes[i], sizes[i]);
        converse(*state, 0, 0);
}

static void test_early_events(void **state) {
        Fixture *f = *state;

        attach(f);
        call(f, "queued");
        peer_send(f->peer, "{\"event\": \"A\", " STAMP "}\r\n" GREETING "{\"event\": \"B\", " STAMP "}\r\n");
        peer_answer(f->peer, "qmp_capabilities", NULL, 0,
                    "{\"event\": \"C\", " STAMP "}" OK "{\"event\": \"D\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}");
        peer_answer(f->peer, "queued", NULL, 0, OK);
        expect_log(f, "ready event:A event:B event:C event:D queued={}");
        assert_true(f->usec == UINT64_MAX);
}

static void test_early_events_limit(void **state) {
        Fixture *f = *state;

        attach(f);
        for (unsigned i = 0; i < 257; i++)
                peer_send(f->peer, "{\"event\": \"A\", " STAMP "}\r\n");
        expect_log(f, "closed!ProtocolError");
}

static void test_foreign_replies(void **state) {
        Fixture *f = *state;

        attach(f);
        peer_send(f->peer, "{\"return\": {\"stale\": 0}, \"id\": \"hetd-0-1\"}" GREETING "{\"return\": {}, \"id\": 1}");
        peer_answer(f->peer, "qmp_capabilities", NULL, 0, OK);
        call(f, "first");
        call(f, "second");
        peer_expect(f->peer, "first", NULL, 0);
        peer_expect(f->peer, "second", NULL, 0);
        peer_send(f->peer, "{\"return\": {}}{\"return\": {}, \"id\": 2}{\"return\": {}, \"id\": null}{\"return\": {}, \"id\": \"$1\\u0000\"}"
                           "{\"error\": {\"class\": \"GenericError\", \"desc\": \"\"}}"
                           "{\"return\": {}, \"id\": \"$0\"}"                           /* once more */
                           "{\"return\": {\"n\": 2}, \"id\": \"$2\"}{\"return\": {\"n\": 1}, \"id\": \"$1\"}"
                           "{\"return\": {\"n\": 3}, \"id\": \"$1\"}{\"event\": \"END\", " STAMP "}");
        expect_log(f, "ready second={\"n\":2} first={\"n\":1} event:END");
}

static void test_ids_unique(void **state) {
        Fixture *f = *state;
        g_autofree char *id = NULL;

        connect_ready(f);
        id = g_strdup(peer_id(f->peer, 0));
        detach(f);
        connect_ready(f);
        assert_string_not_equal(peer_id(f->peer, 0), id);
        /* the same process: the same epoch, another number */
        assert_memory_equal(peer_id(f->peer, 0), id, strlen("hetd-0123456789abcdef-"));
}

static void test_errors(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call(f, "a");
        peer_answer(f->peer, "a", NULL, 0, ERROR);
        expect_log(f, "a!Qemu");
        assert_non_null(strstr(f->text, "no way"));
        call(f, "b");
        peer_answer(f->peer, "b", NULL, 0, "{\"id\": \"$id\", \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"what\\u0000?\"}}");
        expect_log(f, "a!Qemu b!NotSupported");
        call(f, "c");
        peer_answer(f->peer, "c", NULL, 0, "{\"id\": \"$id\", \"return\": null}");
        expect_log(f, "a!Qemu b!NotSupported c!ProtocolError");
        call(f, "d");
        peer_answer(f->peer, "d", NULL, 0, "{\"id\": \"$id\", \"return\": \"7\"}");
        expect_log(f, "a!Qemu b!NotSupported c!ProtocolError d=\"7\"");
}

static void test_not_qmp(void **state) {
        static const char *const messages[] = {
                "x", "7", "\"s\"", "null", "[]", "{]", "{'a': 1}", "{\"a\": 1,}", "{} ", "{\"a\": 1}", "{\"a\": NaN}", "/* */",
                "{\"return\": {}, \"error\": {\"class\": \"a\", \"desc\": \"b\"}}",
                "{\"event\": 7, " STAMP "}", "{\"event\": \"\", " STAMP "}", "{\"event\": \"A\\u0000B\", " STAMP "}",
                "{\"event\": \"A\"}", "{\"event\": \"A\", \"timestamp\": 7}",
                "{\"event\": \"A\", \"timestamp\": {\"seconds\": \"7\", \"microseconds\": 1}}",
                "{\"event\": \"A\", \"timestamp\": {\"seconds\": 7}}",
                "{\"event\": \"A\", \"data\": 7, " STAMP "}", "{\"event\": \"A\", \"data\": null, " STAMP "}",
                "{\"error\": \"x\"}", "{\"error\": {\"class\": \"x\"}}", "{\"error\": {\"desc\": \"x\"}}",
                "{\"error\": {\"class\": 7, \"desc\": \"x\"}}", "{\"error\": {\"class\": \"x\", \"desc\": 7}}",
                GREETING,                                                                       /* a second one */
                "{\"return\": \"\xff\"}", "{\"return\": \"\xc0\x80\"}", "{\"return\": \"\xed\xa0\x80\"}", "{\"return\": \"\xf4\x90\x80\x80\"}",
                "{\"return\": \"\xe2\x82\"}", "{\"return\": \"a\nb\"}", "{\"return\": \x01 1}",
                "{\"return\": 1-2}", "{\"return\": 01}", "{\"return\": [}]}", "{\"return\"}", "{\"return\": \"\\u12\"}",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++)
                for (size_t piece = 0; piece < 2; piece++) {
                        Fixture *f = *state;

                        connect_ready(f);
                        call(f, "lost");
                        peer_expect(f->peer, "lost", NULL, 0);
                        peer_set_pieces(f->peer, piece, piece);
                        peer_send(f->peer, messages[i]);
                        expect_log(f, "lost!MonitorLost closed!ProtocolError");
                        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_CLOSED);
                        detach(f);
                }
}

static void test_bad_greeting(void **state) {
        static const char *const messages[] = {
                "{\"QMP\": 7}", "{\"QMP\": {}}", "{\"QMP\": {\"version\": {}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2}}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": \"9\"}}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": -9}}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": 9}}}}",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++) {
                Fixture *f = *state;

                attach(f);
                peer_send(f->peer, messages[i]);
                expect_log(f, "closed!ProtocolError");
                detach(f);
        }
}

static void test_raw_nul(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        peer_send_bytes(f->peer, "{\"return\": \0{}}", 14);
        expect_log(f, "closed!ProtocolError");
}

static void test_nesting(void **state) {
        Fixture *f = *state;
        g_autoptr(GString) text = g_string_new("{\"return\": ");

        for (unsigned i = 0; i < 5000; i++)
                g_string_append(text, "[");
        connect_ready(f);
        peer_send(f->peer, text->str);
        expect_log(f, "closed!ProtocolError");
}

/* size bytes in all, the last two not written yet */
static char *big_reply(const char *id, size_t size) {
        char *text = g_malloc(size + 1);
        int n = snprintf(text, size, "{\"id\": \"%s\", \"return\": \"", id);

        memset(text + n, 'x', size - n);
        strcpy(text + size - 2, "\"}");
        return text;
}

static void test_message_size(void **state) {
        Fixture *f = *state;
        g_autofree char *fits = NULL, *exceeds = NULL;

        connect_ready(f);
        fits = big_reply("nobody", QMP_CLIENT_MESSAGE_MAX);
        peer_send_bytes(f->peer, fits, strlen(fits));
        peer_send(f->peer, "{\"event\": \"MIDDLE\", " STAMP "}\r\n");
        /* counted for each message, not in all */
        peer_send_bytes(f->peer, fits, strlen(fits));
        peer_send(f->peer, "{\"event\": \"END\", " STAMP "}\r\n");
        expect_log(f, "event:MIDDLE event:END");
        exceeds = big_reply("nobody", QMP_CLIENT_MESSAGE_MAX + 1);
        peer_send_bytes(f->peer, exceeds, strlen(exceeds));
        expect_log(f, "event:MIDDLE event:END closed!ProtocolError");
        assert_non_null(strstr(f->text, "16777216"));
}

static void test_too_many_values(void **state) {
        Fixture *f = *state;
        g_autoptr(GString) text = g_string_new("{\"return\": [0");

        for (unsigned i = 0; i < 1024 * 1024; i++)
                g_string_append(text, ",0");
        connect_ready(f);
        /* counted for each message */
        for (unsigned i = 0; i < 3; i++) {
                peer_send_bytes(f->peer, text->str, 1024 * 1024 - 1);
                peer_send(f->peer, "]}");
        }
        peer_send(f->peer, "{\"event\": \"END\", " STAMP "}");
        expect_log(f, "event:END");
        peer_send(f->peer, text->str);
        expect_log(f, "event:END closed!ProtocolError");
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
                                (int) strlen("hetd-0123456789abcdef-"), peer_id(f->peer, 0), id);
        peer_send(f->peer, reply);
        expect_log(f, "big!MonitorLost closed!ProtocolError");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_negotiation),
                TEST(test_negotiation_refused),
                TEST(test_calls_before_ready),
                TEST(test_split_everywhere),
                TEST(test_pieces),
                TEST(test_early_events),
                TEST(test_early_events_limit),
                TEST(test_foreign_replies),
                TEST(test_ids_unique),
                TEST(test_errors),
                TEST(test_not_qmp),
                TEST(test_bad_greeting),
                TEST(test_raw_nul),
                TEST(test_nesting),
                TEST(test_message_size),
                TEST(test_too_many_values),
                TEST(test_in_flight),
                TEST(test_pending_limit),
                TEST(test_refused_calls),
                TEST(test_cancel),
                TEST(test_cancel_in_callbacks),
                TEST(test_call_timeout),
                TEST(test_queue_timeout),
                TEST(test_timeout_before_ready),
                TEST(test_timeout_answered),
                TEST(test_greeting_timeout),
                TEST(test_negotiation_timeout),
                TEST(test_free_in_callbacks),
                TEST(test_free_in_answers),
                TEST(test_free_answers),
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
                TEST(test_end),
                TEST(test_reset),
                TEST(test_reply_before_broken_pipe),
                TEST(test_path_errors),
                TEST(test_fd_errors),
                TEST(test_path),
                TEST(test_backlog_full),
                TEST(test_backlog_stays_full),
                TEST(test_backlog_listener_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
