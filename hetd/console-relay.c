/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "console-relay.h"

#include "log.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK           4096U
#define LAST_CHUNKS     64U             /* more than a socket holds, unless somebody goes on */

struct ConsoleRelay {
        sd_event *event;
        char *socket_path, *log_path;
        int listener, line, user, log;
        sd_event_source *listener_source, *line_source, *user_source;
        char typed[CHUNK];              /* by the user, and not taken by QEMU yet: no more is read until it has taken it */
        size_t n_typed;
        bool user_ended;                /* nothing more is typed: gone when QEMU has all of it */
        bool log_failed;                /* that was said */
};

static void drop_line(ConsoleRelay *relay) {
        relay->line_source = sd_event_source_disable_unref(relay->line_source);
        relay->line = fd_close(relay->line);
}

static void drop_user(ConsoleRelay *relay) {
        relay->user_source = sd_event_source_disable_unref(relay->user_source);
        relay->user = fd_close(relay->user);
        relay->user_ended = false;
        relay->n_typed = 0;
        if (relay->listener_source)
                (void) sd_event_source_set_enabled(relay->listener_source, SD_EVENT_ON);
}

/* --- from QEMU --- */

static void write_log(ConsoleRelay *relay, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(relay->log, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        if (!relay->log_failed)
                                log_warning("%s has gaps from now on: %s", relay->log_path, g_strerror(errno));
                        relay->log_failed = true;
                        return;
                }
                data += n;
                size -= (size_t) n;
        }
}

static void from_line(ConsoleRelay *relay) {
        char data[CHUNK];
        ssize_t n = recv(relay->line, data, sizeof(data), MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
                drop_line(relay);
                return;
        }
        if (n < 0)
                return;

        write_log(relay, data, (size_t) n);
        if (relay->user >= 0 && send(relay->user, data, (size_t) n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE)
                drop_user(relay);
}

/* --- to QEMU --- */

/* Reads from the user only what QEMU can be given, and writes to QEMU only if there is something */
static void update(ConsoleRelay *relay) {
        if (relay->line_source)
                (void) sd_event_source_set_io_events(relay->line_source, relay->n_typed > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
        if (relay->user_source)
                (void) sd_event_source_set_enabled(relay->user_source,
                                                   relay->n_typed > 0 || relay->user_ended ? SD_EVENT_OFF : SD_EVENT_ON);
}

static void to_line(ConsoleRelay *relay) {
        ssize_t n = send(relay->line, relay->typed, relay->n_typed, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
                relay->n_typed -= (size_t) n;
                memmove(relay->typed, relay->typed + n, relay->n_typed);
        } else if (n < 0 && errno != EAGAIN && errno != EINTR)
                drop_line(relay);
        if (relay->n_typed == 0 && relay->user_ended)
                drop_user(relay);
}

static int on_line(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        ConsoleRelay *relay = userdata;

        if (events & EPOLLOUT && relay->n_typed > 0)
                to_line(relay);
        if (relay->line >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                from_line(relay);
        update(relay);
        return 0;
}

static int on_user(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        ConsoleRelay *relay = userdata;
        ssize_t n = recv(fd, relay->typed, sizeof(relay->typed), MSG_DONTWAIT);

        if (n == 0)
                relay->user_ended = true;
        else if (n > 0)
                relay->n_typed = (size_t) n;
        else if (errno != EAGAIN && errno != EINTR)
                relay->user_ended = true;

        /* With nobody to take it, it is dropped as a serial line with no cable does it */
        if (relay->line < 0)
                relay->n_typed = 0;
        if (relay->n_typed > 0)
                to_line(relay);
        else if (relay->user_ended)
                drop_user(relay);
        update(relay);
        return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        ConsoleRelay *relay = userdata;
        int r;

        relay->user = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (relay->user < 0)
                return 0;

        /* Another one waits in the backlog until this one has left */
        (void) sd_event_source_set_enabled(relay->listener_source, SD_EVENT_OFF);
        r = sd_event_add_io(relay->event, &relay->user_source, relay->user, EPOLLIN, on_user, relay);
        if (r < 0)
                drop_user(relay);
        return 0;
}

/* --- the object --- */

static int relay_open(ConsoleRelay *relay, bool anew) {
        int r;

        relay->log = open(relay->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | (anew ? O_TRUNC : 0), 0600);
        if (relay->log < 0)
                return -errno;

        r = fd_listen(relay->socket_path, SOCK_STREAM, &relay->listener);
        if (r >= 0)
                r = fd_set_nonblock(relay->listener, true);
        if (r >= 0)
                r = fd_watch_listener(relay->event, relay->listener, on_connect, relay, &relay->listener_source);
        return r;
}

bool console_relay_new(sd_event *event, const char *socket_path, const char *log_path, bool anew, ConsoleRelay **ret, GError **error) {
        g_autoptr(ConsoleRelay) relay = g_new0(ConsoleRelay, 1);
        int r;

        relay->event = sd_event_ref(event);
        relay->listener = relay->line = relay->user = relay->log = -EBADF;
        relay->socket_path = g_strdup(socket_path);
        relay->log_path = g_strdup(log_path);

        r = relay_open(relay, anew);
        if (r < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot make the console %s and its log: %s", socket_path,
                            g_strerror(-r));
                return false;
        }

        *ret = g_steal_pointer(&relay);
        return true;
}

ConsoleRelay *console_relay_free(ConsoleRelay *relay) {
        if (!relay)
                return NULL;

        /* What QEMU has printed before it ended, for the log */
        for (unsigned i = 0; i < LAST_CHUNKS && relay->line >= 0 && recv(relay->line, &(char) { 0 }, 1, MSG_DONTWAIT | MSG_PEEK) > 0; i++)
                from_line(relay);
        drop_line(relay);
        drop_user(relay);
        relay->listener_source = sd_event_source_disable_unref(relay->listener_source);
        if (relay->listener >= 0)
                (void) unlink(relay->socket_path);
        fd_close(relay->listener);
        fd_close(relay->log);
        sd_event_unref(relay->event);
        g_free(relay->socket_path);
        g_free(relay->log_path);
        g_free(relay);
        return NULL;
}

bool console_relay_set_line(ConsoleRelay *relay, int fd_consume, GError **error) {
        HET_AUTO_FD int fd = fd_consume;
        int r;

        drop_line(relay);
        r = fd_set_nonblock(fd, true);
        if (r >= 0)
                r = sd_event_add_io(relay->event, &relay->line_source, fd, EPOLLIN, on_line, relay);
        if (r < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot watch a console: %s", g_strerror(-r));
                return false;
        }

        relay->line = fd_take(&fd);
        update(relay);
        return true;
}
