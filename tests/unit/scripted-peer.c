/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scripted-peer.h"
#include "util/fd-util.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum StepKind {
        STEP_EXPECT,
        STEP_SEND,
        STEP_HOLD,
        STEP_CLOSE,
} StepKind;

typedef struct Step {
        StepKind kind;
        char *command, *arguments;
        unsigned n_fds;
        bool substitute;
        GBytes *bytes;
} Step;

struct ScriptedPeer {
        int fd;
        sd_event_source *io, *progress;
        GQueue steps;
        GQueue commands;                /* lines that no step took yet */
        GString *line;
        unsigned n_line_fds;
        GPtrArray *ids, *remembered;
        GBytes *sending;                /* of the step at the head */
        size_t offset;
        size_t first, others;
        bool first_written;
        unsigned n_commands;
        int last_fd;
};

typedef struct Line {
        char *text;
        unsigned n_fds;
} Line;

static void step_free(Step *step) {
        g_free(step->command);
        g_free(step->arguments);
        if (step->bytes)
                g_bytes_unref(step->bytes);
        g_free(step);
}

static bool match(ScriptedPeer *peer, json_object *expected, json_object *got) {
        if (json_object_is_type(expected, json_type_string) && json_object_is_type(got, json_type_string)) {
                const char *pattern = json_object_get_string(expected), *string = json_object_get_string(got);

                if (strcmp(pattern, "*") == 0) {
                        g_ptr_array_add(peer->remembered, g_strdup(string));
                        return true;
                }
                if (pattern[0] == '$' && isdigit(pattern[1]) && (unsigned) atoi(pattern + 1) < peer->remembered->len)
                        return strcmp(peer->remembered->pdata[atoi(pattern + 1)], string) == 0;
        }

        if (json_object_is_type(expected, json_type_object) && json_object_is_type(got, json_type_object)) {
                if (json_object_object_length(expected) != json_object_object_length(got))
                        return false;

                json_object_object_foreach(expected, key, value) {
                        json_object *other = NULL;

                        if (!json_object_object_get_ex(got, key, &other) || !match(peer, value, other))
                                return false;
                }

                return true;
        }

        return json_object_equal(expected, got);
}

static void check_command(ScriptedPeer *peer, const Step *step, const Line *line) {
        json_object *object = json_tokener_parse(line->text), *name = NULL, *arguments = NULL, *id = NULL;

        assert_non_null(object);
        assert_true(json_object_object_get_ex(object, "execute", &name));
        assert_true(json_object_object_get_ex(object, "id", &id));
        assert_true(json_object_is_type(id, json_type_string));
        assert_string_equal(json_object_get_string(name), step->command);
        assert_int_equal(line->n_fds, step->n_fds);

        bool has_arguments = json_object_object_get_ex(object, "arguments", &arguments);

        assert_int_equal(json_object_object_length(object), has_arguments ? 3 : 2);
        if (step->arguments) {
                json_object *expected = json_tokener_parse(step->arguments);

                assert_non_null(expected);
                if (!match(peer, expected, arguments))
                        fail_msg("expected %s, got %s", step->arguments, line->text);
                json_object_put(expected);
        } else
                assert_false(has_arguments);

        g_ptr_array_add(peer->ids, g_strdup(json_object_get_string(id)));
        json_object_put(object);
}

static GBytes *substitute(ScriptedPeer *peer, GBytes *bytes) {
        gsize size;
        const char *text = g_bytes_get_data(bytes, &size);
        GString *out = g_string_new(NULL);

        for (gsize i = 0; i < size; i++) {
                if (text[i] == '$' && strncmp(text + i, "$id", 3) == 0) {
                        assert_true(peer->ids->len > 0);
                        g_string_append(out, peer->ids->pdata[peer->ids->len - 1]);
                        i += 2;
                } else if (text[i] == '$' && isdigit(text[i + 1])) {
                        unsigned index = text[++i] - '0';

                        assert_true(index < peer->ids->len);
                        g_string_append(out, peer->ids->pdata[index]);
                } else
                        g_string_append_c(out, text[i]);
        }

        return g_string_free_to_bytes(out);
}

static void peer_disconnect(ScriptedPeer *peer) {
        peer->io = sd_event_source_disable_unref(peer->io);
        peer->fd = fd_close(peer->fd);
}

static void watch(ScriptedPeer *peer, uint32_t on, uint32_t off) {
        uint32_t events;

        if (!peer->io)
                return;

        assert_true(sd_event_source_get_io_events(peer->io, &events) >= 0);
        assert_true(sd_event_source_set_io_events(peer->io, (events | on) & ~off) >= 0);
}

/* True when all is written */
static bool write_piece(ScriptedPeer *peer, const Step *step) {
        gsize size;
        const char *bytes;

        if (!peer->sending) {
                peer->sending = step->substitute ? substitute(peer, step->bytes) : g_bytes_ref(step->bytes);
                peer->offset = 0;
        }

        bytes = g_bytes_get_data(peer->sending, &size);

        size_t limit = peer->first_written ? peer->others : peer->first;
        size_t n_wanted = limit > 0 ? MIN(limit, size - peer->offset) : size - peer->offset;
        ssize_t n = send(peer->fd, bytes + peer->offset, n_wanted, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
                watch(peer, EPOLLOUT, 0);
                return false;
        }

        /* A client that gave up on what we send closes; that ends the step */
        bool gone = n < 0 && (errno == EPIPE || errno == ECONNRESET);

        if (n < 0 && !gone)
                fail_msg("send: %s", strerror(errno));

        peer->first_written = true;
        peer->offset += gone ? 0 : (size_t) n;
        if (peer->offset < size && !gone) {
                assert_true(sd_event_source_set_enabled(peer->progress, SD_EVENT_ONESHOT) >= 0);
                return false;
        }

        g_clear_pointer(&peer->sending, g_bytes_unref);
        return true;
}

static bool run_step(ScriptedPeer *peer, const Step *step) {
        Line *line;

        switch (step->kind) {
        case STEP_EXPECT:
                line = g_queue_pop_head(&peer->commands);
                if (!line)
                        return false;
                check_command(peer, step, line);
                g_free(line->text);
                g_free(line);
                return true;
        case STEP_SEND:
                return write_piece(peer, step);
        case STEP_HOLD:
                return false;
        case STEP_CLOSE:
                peer_disconnect(peer);
                return true;
        }

        return false;
}

static int on_progress(sd_event_source *source, void *userdata) {
        ScriptedPeer *peer = userdata;
        Step *step;

        while ((step = g_queue_peek_head(&peer->steps)) && run_step(peer, step)) {
                g_queue_pop_head(&peer->steps);
                step_free(step);
        }

        return 0;
}

static void progress(ScriptedPeer *peer) {
        assert_true(sd_event_source_set_enabled(peer->progress, SD_EVENT_ONESHOT) >= 0);
}

static void keep_fds(ScriptedPeer *peer, struct msghdr *message) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                size_t n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                assert_int_equal(c->cmsg_type, SCM_RIGHTS);
                assert_int_equal(n_fds, 1);             /* QEMU drops a second one */
                assert_int_equal(peer->line->len, 0);   /* with the first byte of the command, not later */
                fd_close(peer->last_fd);
                memcpy(&peer->last_fd, CMSG_DATA(c), sizeof(int));
                peer->n_line_fds++;
        }
}

/* False at the end, or when there is nothing to read */
static bool read_byte(ScriptedPeer *peer) {
        char byte, control[CMSG_SPACE(4 * sizeof(int))];
        struct iovec iov = { &byte, 1 };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
        ssize_t n = recvmsg(peer->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0 && errno == EAGAIN)
                return false;
        if (n <= 0) {
                peer_disconnect(peer);
                return false;
        }

        keep_fds(peer, &message);
        if (byte != '\n') {
                g_string_append_c(peer->line, byte);
                return true;
        }

        Line *line = g_new0(Line, 1);

        line->text = g_strdup(peer->line->str);
        line->n_fds = peer->n_line_fds;
        g_string_truncate(peer->line, 0);
        peer->n_line_fds = 0;
        peer->n_commands++;
        g_queue_push_tail(&peer->commands, line);
        return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ScriptedPeer *peer = userdata;

        if (revents & EPOLLOUT)
                watch(peer, 0, EPOLLOUT);
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                for (unsigned i = 0; i < 65536 && read_byte(peer); i++)
                        ;

        progress(peer);
        return 0;
}

ScriptedPeer *peer_new_fd(sd_event *event, int fd_consume) {
        ScriptedPeer *peer = g_new0(ScriptedPeer, 1);

        peer->fd = fd_consume;
        peer->last_fd = -EBADF;
        peer->line = g_string_new(NULL);
        peer->ids = g_ptr_array_new_with_free_func(g_free);
        peer->remembered = g_ptr_array_new_with_free_func(g_free);
        assert_true(sd_event_add_io(event, &peer->io, peer->fd, EPOLLIN, on_io, peer) >= 0);
        assert_true(sd_event_add_defer(event, &peer->progress, on_progress, peer) >= 0);
        return peer;
}

ScriptedPeer *peer_new(sd_event *event, int *ret_client_fd) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        *ret_client_fd = fds[1];
        return peer_new_fd(event, fds[0]);
}

void peer_finish(ScriptedPeer *peer) {
        Step *step = g_queue_peek_head(&peer->steps);
        Line *line = g_queue_peek_head(&peer->commands);

        if (step)
                fail_msg("%u steps left, the first of kind %d (%s)", peer->steps.length, (int) step->kind,
                         step->command ?: "no command");
        if (line)
                fail_msg("%u commands that nobody expected: %s", peer->commands.length, line->text);

        peer_disconnect(peer);
        sd_event_source_disable_unref(peer->progress);
        fd_close(peer->last_fd);
        g_string_free(peer->line, true);
        g_ptr_array_unref(peer->ids);
        g_ptr_array_unref(peer->remembered);
        g_clear_pointer(&peer->sending, g_bytes_unref);
        g_free(peer);
}

static void add(ScriptedPeer *peer, Step step) {
        g_queue_push_tail(&peer->steps, g_memdup2(&step, sizeof(step)));
        progress(peer);
}

void peer_expect(ScriptedPeer *peer, const char *command, const char *arguments, unsigned n_fds) {
        add(peer, (Step) { STEP_EXPECT, .command = g_strdup(command), .arguments = g_strdup(arguments), .n_fds = n_fds });
}

void peer_send(ScriptedPeer *peer, const char *text) {
        add(peer, (Step) { STEP_SEND, .substitute = true, .bytes = g_bytes_new(text, strlen(text)) });
}

void peer_send_bytes(ScriptedPeer *peer, const void *bytes, size_t size) {
        add(peer, (Step) { STEP_SEND, .bytes = g_bytes_new(bytes, size) });
}

void peer_hold(ScriptedPeer *peer) {
        add(peer, (Step) { STEP_HOLD });
}

void peer_close(ScriptedPeer *peer) {
        add(peer, (Step) { STEP_CLOSE });
}

void peer_answer(ScriptedPeer *peer, const char *command, const char *arguments, unsigned n_fds, const char *text) {
        peer_expect(peer, command, arguments, n_fds);
        peer_send(peer, text);
}

void peer_negotiate(ScriptedPeer *peer) {
        peer_send(peer, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 13, \"minor\": 0, \"major\": 10}, \"package\": \"\"}, "
                        "\"capabilities\": [\"oob\"]}}\r\n");
        peer_answer(peer, "qmp_capabilities", NULL, 0, "{\"return\": {}, \"id\": \"$id\"}\r\n");
}

void peer_set_pieces(ScriptedPeer *peer, size_t first, size_t others) {
        peer->first = first;
        peer->others = others;
        peer->first_written = false;
}

void peer_continue(ScriptedPeer *peer) {
        Step *step = g_queue_peek_head(&peer->steps);

        assert_non_null(step);
        assert_int_equal(step->kind, STEP_HOLD);
        step_free(g_queue_pop_head(&peer->steps));
        progress(peer);
}

bool peer_is_held(ScriptedPeer *peer) {
        Step *step = g_queue_peek_head(&peer->steps);

        return step && step->kind == STEP_HOLD;
}

void peer_stop_reading(ScriptedPeer *peer) {
        watch(peer, 0, EPOLLIN);
}

void peer_start_reading(ScriptedPeer *peer) {
        watch(peer, EPOLLIN, 0);
}

unsigned peer_n_commands(ScriptedPeer *peer) {
        return peer->n_commands;
}

const char *peer_id(ScriptedPeer *peer, unsigned i) {
        assert_true(i < peer->ids->len);
        return peer->ids->pdata[i];
}

int peer_last_fd(ScriptedPeer *peer) {
        return peer->last_fd;
}
