/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The connection: see qmp-client.h for the contract, qmp-client-internal.h for the parts. */

#include "qmp-client-internal.h"

#include "log.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES              (32U * 1024)            /* one loop turn: a chatty QEMU must not starve the others */
#define DRAIN_TURNS_MAX         64U
#define CONNECT_RETRY_USEC      (50 * 1000)             /* a full listen backlog gives no event to wait for */
#define EARLY_EVENTS_MAX        256U

static const char *const state_table[_QMP_CLIENT_STATE_MAX] = {
        [QMP_CLIENT_CONNECTING]  = "connecting",
        [QMP_CLIENT_GREETING]    = "greeting",
        [QMP_CLIENT_NEGOTIATING] = "negotiating",
        [QMP_CLIENT_READY]       = "ready",
        [QMP_CLIENT_CLOSED]      = "closed",
};

const char *qmp_client_state_to_string(QmpClientState state) {
        return (unsigned) state < _QMP_CLIENT_STATE_MAX ? state_table[state] : NULL;
}

QmpClientState qmp_client_get_state(const QmpClient *client) {
        return client->state;
}

const char *qmp_client_get_version(const QmpClient *client) {
        return client->version;
}

pid_t qmp_client_get_peer(const QmpClient *client) {
        struct ucred peer = {};
        socklen_t size = sizeof(peer);

        return getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? 0 : peer.pid;
}

QmpClient *qmp_client_ref(QmpClient *client) {
        client->n_ref++;
        return client;
}

static void client_disconnect(QmpClient *client) {
        json_object *object;

        client->state = QMP_CLIENT_CLOSED;
        client->io = sd_event_source_disable_unref(client->io);
        client->deadline = sd_event_source_disable_unref(client->deadline);
        client->retry = sd_event_source_disable_unref(client->retry);
        client->hold = sd_event_source_disable_unref(client->hold);
        client->deferred = sd_event_source_disable_unref(client->deferred);
        client->fd = fd_close(client->fd);

        while ((object = g_queue_pop_head(&client->early_events)))
                json_object_put(object);
}

void qmp_client_unref(QmpClient *client) {
        if (!client || --client->n_ref > 0)
                return;

        qmp_stream_free(client->stream);
        g_free(client->version);
        sd_event_unref(client->event);
        g_free(client);
}

void qmp_client_unrefp(QmpClient **client) {
        qmp_client_unref(*client);
}

/* Callbacks may free the client: whoever calls one holds a reference */
#define CLIENT_REF(client) \
        __attribute__((cleanup(qmp_client_unrefp), unused)) QmpClient *client_ref_ = qmp_client_ref(client)

QmpClient *qmp_client_free(QmpClient *client) {
        if (!client || client->freed)
                return NULL;

        g_autoptr(GError) error = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "The monitor connection was given up");

        client->freed = true;
        client_disconnect(client);
        qmp_client_answer_all(client, error);
        qmp_client_unref(client);
        return NULL;
}

void qmp_client_close(QmpClient *client, const GError *reason) {
        if (client->state == QMP_CLIENT_CLOSED)
                return;

        CLIENT_REF(client);
        g_autoptr(GError) why = g_error_copy(reason);           /* the original may belong to what a callback frees */
        g_autoptr(GError) lost = g_error_new(HET_ERROR, HET_ERROR_MONITOR_LOST, "The monitor connection ended: %s",
                                             reason->message);

        client_disconnect(client);
        qmp_client_answer_all(client, lost);

        if (!client->freed && client->handlers->closed)
                client->handlers->closed(client, why, client->userdata);
}

static void client_close_new(QmpClient *client, HetError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void client_close_new(QmpClient *client, HetError code, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autoptr(GError) error = g_error_new_valist(HET_ERROR, code, format, arguments);
        va_end(arguments);

        qmp_client_close(client, error);
}

int qmp_client_add_timer(QmpClient *client, uint64_t usec, sd_event_time_handler_t handler, void *userdata,
                         sd_event_source **ret) {
        /* Not CLOCK_BOOTTIME: while the host was suspended QEMU could not answer either */
        return sd_event_add_time_relative(client->event, ret, CLOCK_MONOTONIC, usec, usec / 16 + 1, handler, userdata);
}

void qmp_client_update_io(QmpClient *client) {
        if (!client->io)
                return;

        uint32_t events = (client->hold ? 0 : EPOLLIN) | (qmp_client_can_write(client) ? EPOLLOUT : 0);
        int r = sd_event_source_set_io_events(client->io, events);

        if (r < 0)
                log_warning("Cannot change what is waited for on a monitor: %s", g_strerror(-r));
}

static void client_deliver_event(QmpClient *client, const QmpMessage *message) {
        if (client->handlers->event)
                client->handlers->event(client, message->name, message->value, message->usec, client->userdata);
}

void qmp_client_negotiated(QmpClient *client, const QmpMessage *answer) {
        CLIENT_REF(client);
        g_autoptr(GError) error = NULL;
        json_object *object;

        if (answer->type == QMP_MESSAGE_ERROR) {
                client_close_new(client, HET_ERROR_PROTOCOL, "QEMU refused the negotiation: %s", answer->description);
                return;
        }

        client->state = QMP_CLIENT_READY;
        client->deadline = sd_event_source_disable_unref(client->deadline);
        if (!qmp_client_start_timers(client, &error)) {
                qmp_client_close(client, error);
                return;
        }

        if (client->handlers->ready)
                client->handlers->ready(client, client->userdata);

        /* Disconnecting empties this queue, so it also ends this loop */
        while ((object = g_queue_pop_head(&client->early_events))) {
                QmpMessage message;

                if (qmp_message_parse(object, &message, NULL))
                        client_deliver_event(client, &message);
                json_object_put(object);
        }
}

static void client_greeted(QmpClient *client, const QmpMessage *message) {
        if (client->state != QMP_CLIENT_GREETING) {
                client_close_new(client, HET_ERROR_PROTOCOL, "The monitor greeted twice");
                return;
        }

        client->version = g_strdup_printf("%u.%u.%u", message->major, message->minor, message->micro);
        client->state = QMP_CLIENT_NEGOTIATING;
        qmp_client_start_negotiation(client);
}

static void client_handle(QmpClient *client, json_object *object) {
        g_autoptr(GError) error = NULL;
        QmpMessage message;

        if (!qmp_message_parse(object, &message, &error)) {
                qmp_client_close(client, error);
                return;
        }

        switch (message.type) {
        case QMP_MESSAGE_GREETING:
                client_greeted(client, &message);
                break;
        case QMP_MESSAGE_EVENT:
                /* QEMU has events overtake its greeting; the owner gets them after `ready`, in order */
                if (client->state == QMP_CLIENT_READY)
                        client_deliver_event(client, &message);
                else if (client->early_events.length < EARLY_EVENTS_MAX)
                        g_queue_push_tail(&client->early_events, json_object_get(object));
                else
                        client_close_new(client, HET_ERROR_PROTOCOL, "The monitor sent more than %u events before its greeting",
                                         EARLY_EVENTS_MAX);
                break;
        case QMP_MESSAGE_RETURN:
        case QMP_MESSAGE_ERROR:
                qmp_client_answered(client, &message);
                break;
        }
}

static void client_feed(QmpClient *client, const char *bytes, size_t n_bytes) {
        while (n_bytes > 0 && client->state != QMP_CLIENT_CLOSED) {
                g_autoptr(GError) error = NULL;
                json_object *object = NULL;
                size_t n_taken = 0;

                if (!qmp_stream_push(client->stream, bytes, n_bytes, &n_taken, &object, &error)) {
                        qmp_client_close(client, error);
                        return;
                }

                bytes += n_taken;
                n_bytes -= n_taken;
                if (object) {
                        client_handle(client, object);
                        json_object_put(object);
                }
        }
}

/* One read. True when there may be more; false when there is not, or the connection ended. */
static bool client_read(QmpClient *client) {
        char bytes[READ_BYTES];
        ssize_t n;

        do
                n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);

        if (n < 0 && errno == EAGAIN)
                return false;

        /* A QEMU that exits with unread bytes in its socket resets it: an end like any other */
        if (n == 0 || (n < 0 && errno == ECONNRESET))
                client_close_new(client, HET_ERROR_MONITOR_LOST, "QEMU closed its monitor");
        else if (n < 0)
                client_close_new(client, HET_ERROR_MONITOR_LOST, "Cannot read from the monitor: %s", g_strerror(errno));
        else
                client_feed(client, bytes, (size_t) n);

        return client->state != QMP_CLIENT_CLOSED;
}

void qmp_client_drain(QmpClient *client) {
        CLIENT_REF(client);

        for (unsigned i = 0; i < DRAIN_TURNS_MAX && client->io && !client->hold && client_read(client); i++)
                ;
}

static int on_hold_over(sd_event_source *source, uint64_t usec, void *userdata) {
        QmpClient *client = userdata;

        client->hold = sd_event_source_disable_unref(client->hold);
        qmp_client_update_io(client);
        return 0;
}

void qmp_client_hold(QmpClient *client, uint64_t usec) {
        if (!client->io)
                return;

        client->hold = sd_event_source_disable_unref(client->hold);
        (void) qmp_client_add_timer(client, usec, on_hold_over, client, &client->hold);
        qmp_client_update_io(client);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        QmpClient *client = userdata;
        CLIENT_REF(client);
        int r = 0;

        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                (void) client_read(client);

        if ((revents & EPOLLOUT) && client->state != QMP_CLIENT_CLOSED)
                r = qmp_client_write(client);
        if (r < 0) {
                /* What QEMU said before it went away (the reply to quit) is still to be read */
                qmp_client_drain(client);
                client_close_new(client, HET_ERROR_MONITOR_LOST, "Cannot write to the monitor: %s", g_strerror(-r));
        }

        qmp_client_update_io(client);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        QmpClient *client = userdata;
        CLIENT_REF(client);

        qmp_client_drain(client);
        if (client->state == QMP_CLIENT_NEGOTIATING)
                client_close_new(client, HET_ERROR_TIMEOUT, "QEMU did not answer the negotiation in time");
        else if (client->state < QMP_CLIENT_NEGOTIATING)
                client_close_new(client, HET_ERROR_MONITOR_BUSY,
                                 "The monitor did not greet in time: somebody else uses it, or QEMU hangs");

        qmp_client_update_io(client);
        return 0;
}

static int client_attach(QmpClient *client, int fd_consume) {
        int r = fd_set_nonblock(fd_consume, true);

        if (r >= 0)
                r = sd_event_add_io(client->event, &client->io, fd_consume, EPOLLIN, on_io, client);
        if (r < 0) {
                fd_close(fd_consume);
                return r;
        }

        (void) sd_event_source_set_description(client->io, "qmp-monitor");
        client->fd = fd_consume;
        client->state = QMP_CLIENT_GREETING;
        return 0;
}

/* 0 when connected, -EAGAIN when the backlog is full */
static int client_connect(QmpClient *client) {
        HET_AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r;

        if (fd < 0)
                return -errno;

        do
                r = connect(fd, (const struct sockaddr *) &client->address, sizeof(client->address));
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;

        return client_attach(client, fd_take(&fd));
}

static void set_connect_error(GError **error, const char *path, int r) {
        bool absent = r == -ENOENT || r == -ECONNREFUSED;

        g_set_error(error, HET_ERROR, absent ? HET_ERROR_MONITOR_LOST : het_error_from_errno(r),
                    "Cannot connect to the monitor %s: %s", path, g_strerror(-r));
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        QmpClient *client = userdata;
        int r = client_connect(client);

        if (r == -EAGAIN) {
                r = sd_event_source_set_time_relative(source, CONNECT_RETRY_USEC);
                if (r >= 0)
                        r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        } else if (r >= 0)
                client->retry = sd_event_source_disable_unref(client->retry);

        if (r < 0) {
                g_autoptr(GError) error = NULL;

                set_connect_error(&error, client->address.sun_path, r);
                qmp_client_close(client, error);
        }

        return 0;
}

static int client_new(sd_event *event, const QmpClientHandlers *handlers, void *userdata, QmpClient **ret) {
        g_autoptr(QmpClient) client = g_new0(QmpClient, 1);
        int r;

        client->n_ref = 1;
        client->state = QMP_CLIENT_CONNECTING;
        client->handlers = handlers;
        client->userdata = userdata;
        client->event = sd_event_ref(event);
        client->fd = -EBADF;
        client->stream = qmp_stream_new(QMP_CLIENT_MESSAGE_MAX);

        r = qmp_client_add_timer(client, QMP_CLIENT_GREETING_TIMEOUT_USEC, on_deadline, client, &client->deadline);
        if (r >= 0)
                r = sd_event_add_defer(event, &client->deferred, qmp_client_answer_canceled, client);
        if (r >= 0)
                r = sd_event_source_set_enabled(client->deferred, SD_EVENT_OFF);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&client);
        return 0;
}

bool qmp_client_new_path(sd_event *event, const char *path, const QmpClientHandlers *handlers, void *userdata,
                         QmpClient **ret, GError **error) {
        g_autoptr(QmpClient) client = NULL;
        size_t length = strlen(path);
        int r;

        g_return_val_if_fail(event && handlers && ret, false);

        if (length == 0 || length >= sizeof(client->address.sun_path)) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                            "The path of a monitor has 1 to %zu bytes, not %zu: %s",
                            sizeof(client->address.sun_path) - 1, length, path);
                return false;
        }

        r = client_new(event, handlers, userdata, &client);
        if (r >= 0) {
                client->address.sun_family = AF_UNIX;
                memcpy(client->address.sun_path, path, length + 1);
                r = client_connect(client);
        }
        if (r == -EAGAIN)
                r = qmp_client_add_timer(client, CONNECT_RETRY_USEC, on_retry, client, &client->retry);
        if (r < 0) {
                set_connect_error(error, path, r);
                return false;
        }

        *ret = g_steal_pointer(&client);
        return true;
}

bool qmp_client_new_fd(sd_event *event, int fd_consume, const QmpClientHandlers *handlers, void *userdata,
                       QmpClient **ret, GError **error) {
        HET_AUTO_FD int fd = fd_consume;
        g_autoptr(QmpClient) client = NULL;
        int r;

        g_return_val_if_fail(event && handlers && ret, false);

        if (!fd_is_unix_stream(fd)) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "This fd is no UNIX stream socket");
                return false;
        }

        r = client_new(event, handlers, userdata, &client);
        if (r >= 0)
                r = fd_set_cloexec(fd, true);
        if (r >= 0)
                r = client_attach(client, fd_take(&fd));
        if (r < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot use a monitor socket: %s", g_strerror(-r));
                return false;
        }

        *ret = g_steal_pointer(&client);
        return true;
}

bool qmp_client_set_greeting_timeout(QmpClient *client, uint64_t usec) {
        return client->deadline && sd_event_source_set_time_relative(client->deadline, usec) >= 0;
}
