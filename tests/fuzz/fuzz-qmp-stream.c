/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes from a monitor. The first byte of the input says into what pieces the rest is cut; cutting must not change what
 * comes out. Then the same bytes go to a client with calls pending, each of which must be answered once. With libFuzzer:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ihetd tests/fuzz/fuzz-qmp-stream.c hetd/qmp-*.c
 *         hetd/util/error.c hetd/util/fd-util.c $(pkg-config --cflags --libs glib-2.0 libsystemd json-c) -o fuzz-qmp-stream
 * Otherwise replay.c runs it over the corpus.
 */

#include "fuzz.h"
#include "qmp-client.h"
#include "qmp-message.h"
#include "qmp-stream.h"
#include "util/error.h"
#include "util/sd-cleanup.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX       (64U * 1024)            /* fits a socket buffer */
#define MESSAGE_MAX     4096U                   /* small, so that the limit is met */

/* What was understood, as text */
static GString *digest(const char *bytes, size_t n_bytes, size_t piece) {
        g_autoptr(QmpStream) stream = qmp_stream_new(MESSAGE_MAX);
        GString *out = g_string_new(NULL);

        while (n_bytes > 0) {
                g_autoptr(GError) error = NULL;
                json_object *object = NULL;
                QmpMessage message;
                size_t n_taken = 0;

                if (!qmp_stream_push(stream, bytes, MIN(piece, n_bytes), &n_taken, &object, &error)) {
                        g_assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_PROTOCOL));
                        g_string_append(out, "error");
                        break;
                }

                g_assert_true(n_taken > 0 && n_taken <= MIN(piece, n_bytes));
                bytes += n_taken;
                n_bytes -= n_taken;
                if (!object)
                        continue;

                g_assert_true(json_object_is_type(object, json_type_object));
                if (qmp_message_parse(object, &message, &error))
                        g_string_append_printf(out, "%d ", (int) message.type);
                g_string_append_printf(out, "%s\n", json_object_to_json_string(object));
                json_object_put(object);
        }

        return out;
}

static void on_reply(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        g_assert_true(!result != !error);
        (*(unsigned *) userdata)++;
}

static void on_closed(QmpClient *client, const GError *reason, void *userdata) {
        g_assert_true(reason->domain == HET_ERROR);
        *(bool *) userdata = true;
}

static void feed_client(const void *bytes, size_t n_bytes) {
        static const QmpClientHandlers handlers = { .closed = on_closed };
        g_autoptr(sd_event) event = NULL;
        g_autoptr(QmpClient) client = NULL;
        unsigned n_replies = 0;
        bool closed = false;
        int fds[2];

        g_assert_true(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        g_assert_true(sd_event_new(&event) >= 0);
        g_assert_true(qmp_client_new_fd(event, fds[1], &handlers, &closed, &client, NULL));
        g_assert_true(qmp_client_call(client, "a", NULL, NULL, 0, 0, on_reply, &n_replies, NULL) > 0);
        g_assert_true(qmp_client_call(client, "b", NULL, &(QmpClientFd) { "fd", fds[0] }, 1, 0, on_reply, &n_replies, NULL) > 0);
        g_assert_true(n_bytes == 0 || send(fds[0], bytes, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t) n_bytes);
        g_assert_true(shutdown(fds[0], SHUT_WR) == 0);

        while (!closed)
                g_assert_true(sd_event_run(event, UINT64_MAX) >= 0);

        g_assert_true(n_replies == 2);
        g_assert_true(qmp_client_get_pending(client) == 0);
        close(fds[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (size < 1 || size > INPUT_MAX)
                return 0;

        const char *bytes = (const char *) data + 1;
        GString *whole = digest(bytes, size - 1, size), *cut = digest(bytes, size - 1, 1 + data[0] % 64);

        g_assert_cmpstr(whole->str, ==, cut->str);
        g_string_free(whole, true);
        g_string_free(cut, true);
        feed_client(bytes, size - 1);
        return 0;
}
