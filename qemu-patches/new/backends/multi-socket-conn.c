/*
 * multi-socket-backend: messages of one connection
 *
 * Puts messages together from what arrives and checks that they are what
 * the protocol knows; what they say is for the two sides. Neither reading
 * nor writing waits, and nothing that the other side does makes this side
 * keep more than one message.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <poll.h>
#include <sys/socket.h>
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "multi-socket-internal.h"
#include "trace.h"

/* More in one go would keep the main loop from others */
#define CONN_BATCH 8

struct MultiSocketConn {
    QIOChannelSocket *sioc;
    guint watch;
    const MultiSocketConnOps *ops;
    void *opaque;
    QEMUTimer *deadline;
    bool ended;                 /* nothing more is read; end_bh comes */
    QEMUBH *end_bh;
    Error *error;               /* for end_bh */
    bool *freed;                /* where a function that calls ops looks */

    MultiSocketHeader header;
    MultiSocketBody body;
    size_t have;                /* bytes of both */
    int fds[MULTI_SOCKET_FD__MAX];
    unsigned nfds;
};

static const size_t body_length[MULTI_SOCKET_TYPE__MAX] = {
    [MULTI_SOCKET_HELLO] = sizeof(MultiSocketHello),
    [MULTI_SOCKET_WELCOME] = sizeof(MultiSocketWelcome),
    [MULTI_SOCKET_REFUSE] = sizeof(MultiSocketRefuse),
    [MULTI_SOCKET_BOOT] = sizeof(MultiSocketBoot),
    [MULTI_SOCKET_STOP] = 0,
    [MULTI_SOCKET_RESULT] = sizeof(MultiSocketResult),
};

bool multi_socket_check_peer(int fd, uint32_t uid, pid_t *pid, Error **errp)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
        error_setg_errno(errp, errno, "cannot tell who the other side is");
        return false;
    }
    *pid = cred.pid;
    if (cred.uid != uid) {
        error_setg(errp, "process %d belongs to user %u, not to %u (see"
                   " peer-uid)", cred.pid, cred.uid, uid);
        return false;
    }
    return true;
}

char *multi_socket_text(const char text[MULTI_SOCKET_TEXT])
{
    char *s = g_strndup(text, MULTI_SOCKET_TEXT);

    for (char *p = s; *p; p++) {
        if (!g_ascii_isprint(*p)) {
            *p = '?';
        }
    }
    return s;
}

/* --- the end --- */

static void conn_close_fds(MultiSocketConn *conn)
{
    for (unsigned i = 0; i < conn->nfds; i++) {
        if (conn->fds[i] >= 0) {
            close(conn->fds[i]);
        }
    }
    conn->nfds = 0;
}

static void conn_stop(MultiSocketConn *conn)
{
    if (conn->watch) {
        g_source_remove(conn->watch);
        conn->watch = 0;
    }
    timer_del(conn->deadline);
}

void multi_socket_conn_free(MultiSocketConn *conn)
{
    if (!conn) {
        return;
    }
    conn_stop(conn);
    conn_close_fds(conn);
    if (conn->freed) {
        *conn->freed = true;
    }
    qemu_bh_delete(conn->end_bh);
    timer_free(conn->deadline);
    qio_channel_close(QIO_CHANNEL(conn->sioc), NULL);
    object_unref(OBJECT(conn->sioc));
    error_free(conn->error);
    g_free(conn);
}

static void conn_ended(void *opaque)
{
    MultiSocketConn *conn = opaque;
    Error *error = g_steal_pointer(&conn->error);

    conn->ops->ended(conn->opaque, error);
    error_free(error);
}

/* Whoever has called us does not expect the connection to be gone at once */
static void conn_end(MultiSocketConn *conn, Error *error)
{
    if (conn->ended) {
        error_free(error);
        return;
    }
    conn_stop(conn);
    conn->ended = true;
    conn->error = error;
    qemu_bh_schedule(conn->end_bh);
}

static void conn_expired(void *opaque)
{
    Error *error = NULL;

    error_setg(&error, "there was no answer in time");
    conn_end(opaque, error);
}

void multi_socket_conn_set_deadline(MultiSocketConn *conn, uint32_t ms)
{
    if (!conn->ended) {
        timer_mod(conn->deadline, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ms);
    }
}

void multi_socket_conn_clear_deadline(MultiSocketConn *conn)
{
    timer_del(conn->deadline);
}

bool multi_socket_conn_is_dead(MultiSocketConn *conn)
{
    struct pollfd p = { .fd = conn->sioc->fd, .events = POLLRDHUP };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP));
}

/* --- receiving --- */

static bool conn_check_header(const MultiSocketHeader *h, Error **errp)
{
    if (h->magic != MULTI_SOCKET_MAGIC) {
        error_setg(errp, "a message has no magic number");
        return false;
    }
    if (h->version != MULTI_SOCKET_VERSION) {
        error_setg(errp, "a message has version %u, not %u", h->version,
                   MULTI_SOCKET_VERSION);
        return false;
    }
    if (h->type == 0 || h->type >= MULTI_SOCKET_TYPE__MAX) {
        error_setg(errp, "a message has the unknown type %u", h->type);
        return false;
    }
    if (h->length != body_length[h->type]) {
        error_setg(errp, "a message of type %u has %u bytes, not %zu",
                   h->type, h->length, body_length[h->type]);
        return false;
    }
    return true;
}

static bool conn_keep_fds(MultiSocketConn *conn, int *fds, size_t nfds,
                          Error **errp)
{
    bool ok = nfds <= ARRAY_SIZE(conn->fds) - conn->nfds;

    for (size_t i = 0; i < nfds; i++) {
        if (ok) {
            conn->fds[conn->nfds++] = fds[i];
        } else {
            close(fds[i]);
        }
    }
    g_free(fds);
    if (!ok) {
        error_setg(errp, "a message has too many file descriptors");
    }
    return ok;
}

/*
 * Bytes that were read; 0: there are no more now; -1: the end, with errp, or
 * without if the other side has closed it
 */
static ssize_t conn_read_part(MultiSocketConn *conn, void *to, size_t size,
                              Error **errp)
{
    struct iovec iov = { .iov_base = to, .iov_len = size };
    size_t nfds = 0;
    int *fds = NULL;
    ssize_t n;

    n = qio_channel_readv_full(QIO_CHANNEL(conn->sioc), &iov, 1,
                               conn->ops->takes_fds ? &fds : NULL,
                               conn->ops->takes_fds ? &nfds : NULL, 0, errp);
    if (!conn_keep_fds(conn, fds, nfds, errp)) {
        return -1;
    }
    if (n == QIO_CHANNEL_ERR_BLOCK) {
        return 0;
    }
    return n > 0 ? n : -1;
}

/* 1: there is a message; 0: not yet; -1: see conn_read_part() */
static int conn_read(MultiSocketConn *conn, Error **errp)
{
    const size_t head = sizeof(conn->header);
    ssize_t n;

    if (conn->have < head) {
        n = conn_read_part(conn, (char *)&conn->header + conn->have,
                           head - conn->have, errp);
        if (n <= 0) {
            return n;
        }
        conn->have += n;
        if (conn->have < head) {
            return 0;
        }
        if (!conn_check_header(&conn->header, errp)) {
            return -1;
        }
    }
    if (conn->have < head + conn->header.length) {
        n = conn_read_part(conn, (char *)&conn->body + (conn->have - head),
                           head + conn->header.length - conn->have, errp);
        if (n <= 0) {
            return n;
        }
        conn->have += n;
    }
    return conn->have == head + conn->header.length;
}

static gboolean conn_readable(QIOChannel *ioc, GIOCondition condition,
                              void *opaque)
{
    MultiSocketConn *conn = opaque;
    Error *error = NULL;
    bool freed = false;
    bool ok = true;

    conn->freed = &freed;
    for (int i = 0; ok && !conn->ended && i < CONN_BATCH; i++) {
        int ret = conn_read(conn, &error);

        if (ret == 0) {
            break;
        }
        ok = ret > 0;
        if (ok) {
            trace_multi_socket_received(conn->header.type,
                                        conn->header.serial, conn->nfds);
            conn->have = 0;
            ok = conn->ops->message(conn->opaque, &conn->header, &conn->body,
                                    conn->fds, conn->nfds, &error);
            if (freed) {
                error_free(error);
                return G_SOURCE_REMOVE;
            }
            conn_close_fds(conn);
        }
    }
    conn->freed = NULL;
    if (!ok) {
        conn_end(conn, error);
    }
    return conn->ended ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

/* --- sending --- */

void multi_socket_conn_send(MultiSocketConn *conn, MultiSocketType type,
                            uint32_t serial, const void *body,
                            const int *fds, unsigned nfds)
{
    MultiSocketHeader header = {
        .magic = MULTI_SOCKET_MAGIC,
        .version = MULTI_SOCKET_VERSION,
        .type = type,
        .length = body_length[type],
        .serial = serial,
    };
    struct iovec iov[2] = {
        { .iov_base = &header, .iov_len = sizeof(header) },
        { .iov_base = (void *)body, .iov_len = header.length },
    };
    Error *error = NULL;
    ssize_t n;

    if (conn->ended) {
        return;
    }
    trace_multi_socket_sent(type, serial, nfds);
    n = qio_channel_writev_full(QIO_CHANNEL(conn->sioc), iov, 2,
                                (int *)fds, nfds, 0, &error);
    if (n == sizeof(header) + header.length) {
        return;
    }
    /* Far more fits than is ever on its way to somebody who reads */
    if (!error) {
        error_setg(&error, "the other side does not read");
    }
    conn_end(conn, error);
}

MultiSocketConn *multi_socket_conn_new(QIOChannelSocket *sioc,
                                       const MultiSocketConnOps *ops,
                                       void *opaque)
{
    MultiSocketConn *conn = g_new0(MultiSocketConn, 1);

    conn->sioc = QIO_CHANNEL_SOCKET(object_ref(OBJECT(sioc)));
    conn->ops = ops;
    conn->opaque = opaque;
    conn->deadline = timer_new_ms(QEMU_CLOCK_REALTIME, conn_expired, conn);
    conn->end_bh = qemu_bh_new(conn_ended, conn);
    qio_channel_set_name(QIO_CHANNEL(sioc), "multi-socket");
    qio_channel_set_blocking(QIO_CHANNEL(sioc), false, NULL);
    conn->watch = qio_channel_add_watch(QIO_CHANNEL(sioc),
                                        G_IO_IN | G_IO_HUP | G_IO_ERR,
                                        conn_readable, conn, NULL);
    return conn;
}
