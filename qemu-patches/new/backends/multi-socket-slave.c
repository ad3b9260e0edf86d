/*
 * multi-socket-backend: the side that connects, a slave's
 *
 * Tries until there is a master, takes what it hands out, and boots and
 * stops as it says. When the connection ends the slave stops, gives
 * everything back, and tries again: as if the power of both had gone.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/socket.h>
#include <sys/un.h>
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "hw/het-check.h"
#include "hw/het-slave.h"
#include "multi-socket-internal.h"
#include "trace.h"

#define SLAVE_RETRY_MIN_MS 50
#define SLAVE_RETRY_MAX_MS 1000

struct MultiSocketSlave {
    MultiSocketBackend *backend;
    HostMemoryBackendShared *memory;
    MultiSocketConn *conn;      /* NULL: it will be tried again */
    QEMUTimer *retry;
    uint32_t retry_ms;
    bool attached;
    QEMUBH *lost_bh;
    char *said;                 /* what was reported last */
};

/* Once, not at each try */
static void slave_report(MultiSocketSlave *s, const char *text)
{
    if (g_strcmp0(text, s->said)) {
        warn_report("%s: %s", s->backend->path, text);
        g_free(s->said);
        s->said = g_strdup(text);
    }
}

static void slave_retry_later(MultiSocketSlave *s)
{
    timer_mod(s->retry, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + s->retry_ms);
    s->retry_ms = MIN(s->retry_ms * 2, SLAVE_RETRY_MAX_MS);
}

/* --- attaching --- */

static void slave_detach(MultiSocketSlave *s)
{
    HetCoupleState *c = het_couple_find(0);

    het_stop(NULL);
    if (c && s->attached) {
        het_couple_set_broker(c, NULL, NULL);
        het_master_detach(NULL);
    }
    if (s->attached && hostmem_shared_is_granted(s->memory)) {
        het_memory_revoke(s->memory, NULL);
    }
    s->attached = false;
}

static void slave_lost(MultiSocketSlave *s)
{
    multi_socket_conn_free(s->conn);
    s->conn = NULL;
    slave_detach(s);
    slave_retry_later(s);
}

static void slave_lost_bh(void *opaque)
{
    MultiSocketSlave *s = opaque;

    if (s->conn) {
        slave_lost(s);
    }
}

/* By somebody else, with het-master-detach */
static void slave_detached(void *opaque)
{
    MultiSocketSlave *s = opaque;

    qemu_bh_schedule(s->lost_bh);
}

static const HetCoupleBroker slave_broker = {
    .detached = slave_detached,
};

static bool slave_check_fds(const int *fds, unsigned nfds,
                            const MultiSocketWelcome *w, size_t *page_size,
                            Error **errp)
{
    static const char *const name[MULTI_SOCKET_FD__MAX] = {
        "memory", "page", "rx", "tx", "rx-halt", "tx-halt",
    };
    size_t small;

    if (nfds != MULTI_SOCKET_FD__MAX) {
        error_setg(errp, "%u file descriptors came, not %u", nfds,
                   MULTI_SOCKET_FD__MAX);
        return false;
    }
    if (!het_check_memory_fd(fds[MULTI_SOCKET_FD_MEMORY],
                             name[MULTI_SOCKET_FD_MEMORY], w->offset, w->size,
                             false, page_size, errp) ||
        !het_check_memory_fd(fds[MULTI_SOCKET_FD_PAGE],
                             name[MULTI_SOCKET_FD_PAGE], 0, 0, false, &small,
                             errp)) {
        return false;
    }
    for (int i = MULTI_SOCKET_FD_RX; i < MULTI_SOCKET_FD__MAX; i++) {
        if (!het_check_eventfd(fds[i], name[i], errp)) {
            return false;
        }
    }
    return true;
}

static int slave_take(int *fds, MultiSocketFd which)
{
    int fd = fds[which];

    fds[which] = -1;
    return fd;
}

static bool slave_attach(MultiSocketSlave *s, const MultiSocketWelcome *w,
                         int *fds, unsigned nfds, Error **errp)
{
    HetCoupleFds couple;
    size_t page_size;

    if (w->size != hostmem_shared_size(s->memory)) {
        error_setg(errp, "0x%" PRIx64 " bytes came, not 0x%" PRIx64, w->size,
                   hostmem_shared_size(s->memory));
        return false;
    }
    if (!slave_check_fds(fds, nfds, w, &page_size, errp)) {
        return false;
    }
    couple = (HetCoupleFds) {
        .page = slave_take(fds, MULTI_SOCKET_FD_PAGE),
        .rx = slave_take(fds, MULTI_SOCKET_FD_RX),
        .tx = slave_take(fds, MULTI_SOCKET_FD_TX),
        .rx_halt = slave_take(fds, MULTI_SOCKET_FD_RX_HALT),
        .tx_halt = slave_take(fds, MULTI_SOCKET_FD_TX_HALT),
    };
    if (!het_master_attach(w->id, &couple, errp)) {
        return false;
    }
    s->attached = true;
    het_couple_set_broker(het_couple_find(0), &slave_broker, s);
    return het_memory_grant(s->memory,
                            slave_take(fds, MULTI_SOCKET_FD_MEMORY),
                            w->offset, page_size, false, &w->address, errp);
}

static bool slave_welcome(MultiSocketSlave *s, const MultiSocketWelcome *w,
                          int *fds, unsigned nfds, Error **errp)
{
    if (!slave_attach(s, w, fds, nfds, errp)) {
        return false;
    }
    multi_socket_conn_clear_deadline(s->conn);
    s->retry_ms = SLAVE_RETRY_MIN_MS;
    g_clear_pointer(&s->said, g_free);
    trace_multi_socket_welcome(w->id, w->address, w->size);
    return true;
}

/* --- requests --- */

static void slave_answer(MultiSocketSlave *s, uint32_t serial, bool ok,
                         bool refused, Error *error)
{
    MultiSocketResult result = {
        .result = ok ? HET_REQUEST_RESULT_DONE :
                  refused ? HET_REQUEST_RESULT_REFUSED
                          : HET_REQUEST_RESULT_FAILED,
    };

    if (!ok) {
        g_strlcpy(result.text, error_get_pretty(error), sizeof(result.text));
        slave_report(s, result.text);
    }
    error_free(error);
    /* Whatever a boot or a stop lets run may have ended the connection */
    if (s->conn) {
        multi_socket_conn_send(s->conn, MULTI_SOCKET_RESULT, serial, &result,
                               NULL, 0);
    }
}

static void slave_boot(MultiSocketSlave *s, uint32_t serial,
                       const MultiSocketBoot *boot)
{
    bool refused = het_state() != HET_STATE_READY;
    Error *error = NULL;
    bool ok;

    if (boot->protocol >= HET_BOOT_PROTOCOL__MAX) {
        error_setg(&error, "boot protocol %u is unknown", boot->protocol);
        slave_answer(s, serial, false, true, error);
        return;
    }
    if (!boot->entry) {
        /* A broker would have one */
        error_setg(&error, "entry 0 means the platform's program, which this"
                   " slave has not: the master's guest must load one");
        slave_answer(s, serial, false, true, error);
        return;
    }
    ok = het_boot(boot->protocol, boot->entry, boot->argument,
                  boot->resource_table, &error);
    slave_answer(s, serial, ok, refused, error);
}

static void slave_stop(MultiSocketSlave *s, uint32_t serial)
{
    Error *error = NULL;
    bool ok = het_stop(&error);

    slave_answer(s, serial, ok, false, error);
}

static bool slave_message(void *opaque, const MultiSocketHeader *header,
                          const MultiSocketBody *body, int *fds,
                          unsigned nfds, Error **errp)
{
    MultiSocketSlave *s = opaque;

    if (nfds && header->type != MULTI_SOCKET_WELCOME) {
        error_setg(errp, "file descriptors came where there are none");
        return false;
    }
    if (!s->attached && header->type == MULTI_SOCKET_WELCOME) {
        return slave_welcome(s, &body->welcome, fds, nfds, errp);
    }
    if (!s->attached && header->type == MULTI_SOCKET_REFUSE) {
        g_autofree char *text = multi_socket_text(body->refuse.text);

        error_setg(errp, "the master refuses this slave: %s", text);
        return false;
    }
    if (s->attached && header->type == MULTI_SOCKET_BOOT) {
        slave_boot(s, header->serial, &body->boot);
        return true;
    }
    if (s->attached && header->type == MULTI_SOCKET_STOP) {
        slave_stop(s, header->serial);
        return true;
    }
    error_setg(errp, "a message of type %u is not expected", header->type);
    return false;
}

static void slave_ended(void *opaque, const Error *error)
{
    MultiSocketSlave *s = opaque;

    if (error) {
        slave_report(s, error_get_pretty(error));
    } else if (s->attached) {
        slave_report(s, "the master is gone: this slave is stopped until"
                     " there is one again");
    }
    trace_multi_socket_gone(0, 0, error ? error_get_pretty(error) : "closed");
    slave_lost(s);
}

static const MultiSocketConnOps slave_ops = {
    .message = slave_message,
    .ended = slave_ended,
    .takes_fds = true,
};

/* --- connecting --- */

/* Does not wait, even if nobody accepts; -1 with errp */
static int slave_connect(const MultiSocketBackend *b, Error **errp)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    pid_t pid;
    int fd;

    pstrcpy(address.sun_path, sizeof(address.sun_path), b->path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot make a socket");
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error_setg_errno(errp, errno, "cannot connect (will be tried again)");
        close(fd);
        return -1;
    }
    if (!multi_socket_check_peer(fd, b->peer_uid, &pid, errp)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void slave_try(void *opaque)
{
    MultiSocketSlave *s = opaque;
    MultiSocketBackend *b = s->backend;
    MultiSocketHello hello = {
        .id = b->slave_id,
        .size = hostmem_shared_size(s->memory),
        .address = b->window_address,
    };
    Error *error = NULL;
    QIOChannelSocket *sioc = NULL;
    int fd = slave_connect(b, &error);

    if (fd >= 0) {
        sioc = qio_channel_socket_new_fd(fd, &error);
        if (!sioc) {
            close(fd);
        }
    }
    if (!sioc) {
        slave_report(s, error_get_pretty(error));
        error_free(error);
        slave_retry_later(s);
        return;
    }
    s->conn = multi_socket_conn_new(sioc, &slave_ops, s);
    object_unref(OBJECT(sioc));
    multi_socket_conn_set_deadline(s->conn, b->timeout_ms);
    multi_socket_conn_send(s->conn, MULTI_SOCKET_HELLO, 0, &hello, NULL, 0);
}

MultiSocketSlave *multi_socket_slave_new(MultiSocketBackend *b, Error **errp)
{
    HostMemoryBackendShared *memory = multi_socket_memory(b, errp);
    MultiSocketSlave *s;

    if (!memory) {
        return NULL;
    }
    s = g_new0(MultiSocketSlave, 1);
    s->backend = b;
    s->memory = memory;
    s->retry_ms = SLAVE_RETRY_MIN_MS;
    s->retry = timer_new_ms(QEMU_CLOCK_REALTIME, slave_try, s);
    s->lost_bh = qemu_bh_new(slave_lost_bh, s);
    slave_try(s);
    return s;
}

bool multi_socket_slave_is_busy(MultiSocketSlave *s)
{
    return s->attached;
}

/* What it is attached to stays: this is for the end of the process */
void multi_socket_slave_free(MultiSocketSlave *s)
{
    HetCoupleState *c = het_couple_find(0);

    if (c && s->attached) {
        het_couple_set_broker(c, NULL, NULL);
        /* Before the master takes the end of the connection for a crash */
        het_couples_publish_state(HET_STATE_OFFLINE);
    }
    multi_socket_conn_free(s->conn);
    timer_free(s->retry);
    qemu_bh_delete(s->lost_bh);
    g_free(s->said);
    g_free(s);
}
