/*
 * multi-socket-backend: the side that listens, the master's
 *
 * Each slave that connects gets a number, a part of the master's memory, and
 * a couple that is made here. It keeps them when its process is gone, so
 * that the guest sees what became of it, until another one takes
 * its number. What the guest asks of a slave goes to it as a message.
 *
 * Slaves are not trusted. A process that does not say at once what it
 * wants is turned away, the oldest one first when many do so, and whoever
 * says something that it must not is cut off. Since each message of a slave
 * is either its first one or the only answer to one of ours, nobody can
 * make us work more than its connection is worth.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/eventfd.h>
#include <sys/mman.h>
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/memfd.h"
#include "qemu/queue.h"
#include "io/net-listener.h"
#include "multi-socket-internal.h"
#include "trace.h"

/* Of those that have not said what they want */
#define MASTER_STRANGERS_MAX 16

typedef struct MasterClient MasterClient;

/* A slave, as long as its number is its own */
typedef struct MasterSlave {
    MultiSocketMaster *master;
    uint32_t id;
    MasterClient *client;       /* NULL: its process is gone */
    uint32_t serial;            /* of the last request */
    uint32_t answered;          /* of the last one that it has answered */
    char *said;                 /* why it did not do something, last time */
} MasterSlave;

/* A connection */
struct MasterClient {
    MultiSocketMaster *master;
    MultiSocketConn *conn;
    pid_t pid;
    MasterSlave *slave;         /* NULL: it is a stranger */
    QTAILQ_ENTRY(MasterClient) next;
};

struct MultiSocketMaster {
    MultiSocketBackend *backend;
    HostMemoryBackendShared *memory;
    QIONetListener *listener;
    QTAILQ_HEAD(, MasterClient) clients;
    unsigned strangers;
    MasterSlave *slaves[HET_ID_MAX + 1];
};

/* --- what the guest asks for --- */

static void master_request(MasterSlave *s, MultiSocketType type,
                           const void *body)
{
    if (!s->client) {
        het_couple_request_complete(s->id, HET_REQUEST_RESULT_FAILED, NULL);
        return;
    }
    s->serial++;
    multi_socket_conn_send(s->client->conn, type, s->serial, body, NULL, 0);
    multi_socket_conn_set_deadline(s->client->conn,
                                   s->master->backend->timeout_ms);
}

static void master_boot(void *opaque, uint64_t entry, uint64_t argument,
                        uint64_t resource_table, HetBootProtocol protocol)
{
    MultiSocketBoot boot = {
        .entry = entry,
        .argument = argument,
        .resource_table = resource_table,
        .protocol = protocol,
    };

    master_request(opaque, MULTI_SOCKET_BOOT, &boot);
}

static void master_stop(void *opaque)
{
    master_request(opaque, MULTI_SOCKET_STOP, NULL);
}

/*
 * The guest may have been answered otherwise, and may have asked again: then
 * the answer is late, and changes nothing.
 */
static bool master_result(MasterSlave *s, const MultiSocketHeader *header,
                          const MultiSocketResult *result, Error **errp)
{
    g_autofree char *text = multi_socket_text(result->text);
    HetCoupleState *c = het_couple_find(s->id);

    if (header->serial - s->answered - 1 >= s->serial - s->answered) {
        error_setg(errp, "it answers what it was not asked");
        return false;
    }
    if (result->result <= HET_REQUEST_RESULT_PENDING ||
        result->result >= HET_REQUEST_RESULT__MAX) {
        error_setg(errp, "it answers with the unknown result %u",
                   result->result);
        return false;
    }
    s->answered = header->serial;
    if (s->answered != s->serial) {
        return true;
    }
    multi_socket_conn_clear_deadline(s->client->conn);
    /* A guest that tries again and again shall not fill the log */
    if (result->result != HET_REQUEST_RESULT_DONE &&
        g_strcmp0(text, s->said)) {
        warn_report("slave %u: %s", s->id, text);
        g_free(s->said);
        s->said = g_steal_pointer(&text);
    }
    if (c && het_couple_request(c) == HET_REQUEST_RESULT_PENDING) {
        het_couple_request_complete(s->id, result->result, NULL);
    }
    return true;
}

/* --- the end of a connection, of a slave --- */

static void master_drop_client(MasterClient *client)
{
    MultiSocketMaster *m = client->master;

    QTAILQ_REMOVE(&m->clients, client, next);
    m->strangers -= !client->slave;
    multi_socket_conn_free(client->conn);
    g_free(client);
}

static void master_client_gone(MasterClient *client, const char *why)
{
    MasterSlave *s = client->slave;

    trace_multi_socket_gone(s ? s->id : 0, client->pid, why);
    if (s) {
        HetCoupleState *c = het_couple_find(s->id);

        s->client = NULL;
        if (c) {
            het_couple_peer_gone(c);
        }
    }
    master_drop_client(client);
}

static void master_ended(void *opaque, const Error *error)
{
    MasterClient *client = opaque;

    if (error && client->slave) {
        warn_report("slave %u (process %d) is cut off: %s", client->slave->id,
                    client->pid, error_get_pretty(error));
    }
    master_client_gone(client, error ? error_get_pretty(error) : "closed");
}

static void master_forget_slave(MasterSlave *s)
{
    s->master->slaves[s->id] = NULL;
    if (s->client) {
        s->client->slave = NULL;
        s->master->strangers++;
        master_drop_client(s->client);
    }
    g_free(s->said);
    g_free(s);
}

/* By somebody else, with het-slave-detach */
static void master_detached(void *opaque)
{
    master_forget_slave(opaque);
}

static const HetCoupleBroker master_broker = {
    .boot = master_boot,
    .stop = master_stop,
    .detached = master_detached,
};

static void master_detach(MasterSlave *s)
{
    HetCoupleState *c = het_couple_find(s->id);
    uint32_t id = s->id;

    het_couple_set_broker(c, NULL, NULL);
    master_forget_slave(s);
    het_slave_detach(id, NULL);
}

/* --- a new slave --- */

static int master_make_page(uint32_t id, Error **errp)
{
    const HetPage page = {
        .magic = HET_PAGE_MAGIC,
        .version = HET_PAGE_VERSION,
        .id = id,
    };
    int fd = qemu_memfd_create("het-page", HET_PAGE_SIZE, false, 0,
                               F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
                               errp);

    if (fd >= 0 && pwrite(fd, &page, sizeof(page), 0) != sizeof(page)) {
        error_setg_errno(errp, errno, "cannot write a control page");
        close(fd);
        return -1;
    }
    return fd;
}

/* Both sides' ends of a couple: those of a slave are in the order of WELCOME */
static bool master_make_couple(uint32_t id, HetCoupleFds *own,
                               int fds[MULTI_SOCKET_FD__MAX], Error **errp)
{
    bool ok;

    *own = HET_COUPLE_FDS_NONE;
    own->page = master_make_page(id, errp);
    if (own->page < 0) {
        return false;
    }
    own->rx = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    own->tx = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    own->rx_halt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    own->tx_halt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fds[MULTI_SOCKET_FD_PAGE] = dup(own->page);
    fds[MULTI_SOCKET_FD_RX] = dup(own->tx);
    fds[MULTI_SOCKET_FD_TX] = dup(own->rx);
    fds[MULTI_SOCKET_FD_RX_HALT] = dup(own->tx_halt);
    fds[MULTI_SOCKET_FD_TX_HALT] = dup(own->rx_halt);

    ok = own->rx >= 0 && own->tx >= 0 && own->rx_halt >= 0 &&
         own->tx_halt >= 0;
    for (int i = MULTI_SOCKET_FD_PAGE; i < MULTI_SOCKET_FD__MAX; i++) {
        ok = ok && fds[i] >= 0;
    }
    if (!ok) {
        error_setg_errno(errp, errno, "cannot make a couple");
    }
    return ok;
}

/* Those whose end the main loop has not come to yet do not keep a number */
static void master_reap(MultiSocketMaster *m)
{
    MasterClient *client, *next;

    QTAILQ_FOREACH_SAFE(client, &m->clients, next, next) {
        if (client->slave && multi_socket_conn_is_dead(client->conn)) {
            master_client_gone(client, "closed");
        }
    }
}

static bool master_is_free(MultiSocketMaster *m, uint32_t id)
{
    return m->slaves[id] ? !m->slaves[id]->client : !het_couple_find(id);
}

/* 0 with errp: none */
static uint32_t master_find_id(MultiSocketMaster *m, uint32_t wanted,
                               Error **errp)
{
    if (wanted > HET_ID_MAX) {
        error_setg(errp, "slave number %u is not between 1 and %u", wanted,
                   HET_ID_MAX);
        return 0;
    }
    if (wanted) {
        if (!master_is_free(m, wanted)) {
            error_setg(errp, "slave %u is attached already", wanted);
            return 0;
        }
        return wanted;
    }
    for (uint32_t id = 1; id <= HET_ID_MAX; id++) {
        if (master_is_free(m, id)) {
            return id;
        }
    }
    error_setg(errp, "there are %u slaves already", HET_ID_MAX);
    return 0;
}

static void master_close_fds(int fds[MULTI_SOCKET_FD__MAX])
{
    /* The memory's is not ours */
    for (int i = MULTI_SOCKET_FD_PAGE; i < MULTI_SOCKET_FD__MAX; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static bool master_attach(MasterClient *client, uint32_t id,
                          const HetWindowPlace *place,
                          int fds[MULTI_SOCKET_FD__MAX], Error **errp)
{
    MultiSocketMaster *m = client->master;
    HetCoupleFds own;
    MasterSlave *s;

    if (!master_make_couple(id, &own, fds, errp)) {
        het_couple_close_fds(&own);
        return false;
    }
    if (!het_slave_attach(id, &own, place, errp)) {
        return false;
    }
    s = g_new0(MasterSlave, 1);
    s->master = m;
    s->id = id;
    s->client = client;
    m->slaves[id] = s;
    m->strangers--;
    client->slave = s;
    het_couple_set_broker(het_couple_find(id), &master_broker, s);
    return true;
}

static bool master_hello(MasterClient *client, const MultiSocketHello *hello,
                         Error **errp)
{
    MultiSocketMaster *m = client->master;
    int fds[MULTI_SOCKET_FD__MAX] = { -1, -1, -1, -1, -1, -1 };
    HetWindowPlace place;
    MultiSocketWelcome welcome;
    uint64_t offset;
    size_t page_size;
    uint32_t id;
    bool ok;

    master_reap(m);
    id = master_find_id(m, hello->id, errp);
    if (!id) {
        return false;
    }
    /* Its window is free again, even if this slave is not attached after all */
    if (m->slaves[id]) {
        master_detach(m->slaves[id]);
    }
    if (!multi_socket_find_place(m->backend, m->memory, hello, &place, errp)) {
        return false;
    }
    ok = master_attach(client, id, &place, fds, errp);
    if (ok) {
        welcome = (MultiSocketWelcome) {
            .id = id,
            .offset = place.offset,
            .size = place.size,
            .address = place.address,
        };
        fds[MULTI_SOCKET_FD_MEMORY] = hostmem_shared_fd(m->memory, &offset,
                                                        &page_size);
        trace_multi_socket_attached(id, client->pid, place.address,
                                    place.size);
        multi_socket_conn_clear_deadline(client->conn);
        multi_socket_conn_send(client->conn, MULTI_SOCKET_WELCOME, 0, &welcome,
                               fds, MULTI_SOCKET_FD__MAX);
    }
    master_close_fds(fds);
    return ok;
}

static void master_refuse(MasterClient *client, Error *error)
{
    MultiSocketRefuse refuse = { };

    g_strlcpy(refuse.text, error_get_pretty(error), sizeof(refuse.text));
    multi_socket_conn_send(client->conn, MULTI_SOCKET_REFUSE, 0, &refuse,
                           NULL, 0);
}

static bool master_message(void *opaque, const MultiSocketHeader *header,
                           const MultiSocketBody *body, int *fds,
                           unsigned nfds, Error **errp)
{
    ERRP_GUARD();
    MasterClient *client = opaque;

    if (!client->slave && header->type == MULTI_SOCKET_HELLO) {
        if (!master_hello(client, &body->hello, errp)) {
            master_refuse(client, *errp);
            return false;
        }
        return true;
    }
    if (client->slave && header->type == MULTI_SOCKET_RESULT) {
        return master_result(client->slave, header, &body->result, errp);
    }
    error_setg(errp, "a message of type %u is not expected", header->type);
    return false;
}

static const MultiSocketConnOps master_ops = {
    .message = master_message,
    .ended = master_ended,
};

/* --- the listener --- */

static void master_drop_oldest_stranger(MultiSocketMaster *m)
{
    MasterClient *client;

    QTAILQ_FOREACH(client, &m->clients, next) {
        if (!client->slave) {
            master_client_gone(client, "too many that say nothing");
            return;
        }
    }
}

static void master_accept(QIONetListener *listener, QIOChannelSocket *sioc,
                          void *opaque)
{
    MultiSocketMaster *m = opaque;
    Error *error = NULL;
    MasterClient *client;
    pid_t pid;

    if (!multi_socket_check_peer(sioc->fd, m->backend->peer_uid, &pid,
                                 &error)) {
        warn_report_once("%s: %s", m->backend->path, error_get_pretty(error));
        error_free(error);
        return;
    }
    if (m->strangers == MASTER_STRANGERS_MAX) {
        master_drop_oldest_stranger(m);
    }
    client = g_new0(MasterClient, 1);
    client->master = m;
    client->pid = pid;
    client->conn = multi_socket_conn_new(sioc, &master_ops, client);
    multi_socket_conn_set_deadline(client->conn, m->backend->timeout_ms);
    QTAILQ_INSERT_TAIL(&m->clients, client, next);
    m->strangers++;
    trace_multi_socket_accepted(pid);
}

MultiSocketMaster *multi_socket_master_new(MultiSocketBackend *b, int fd,
                                           Error **errp)
{
    g_autofree MultiSocketMaster *m = g_new0(MultiSocketMaster, 1);
    QIOChannelSocket *sioc;

    m->backend = b;
    QTAILQ_INIT(&m->clients);
    m->memory = multi_socket_memory(b, errp);
    if (!m->memory || !multi_socket_check_parts(b, m->memory, errp)) {
        close(fd);
        return NULL;
    }
    sioc = qio_channel_socket_new_fd(fd, errp);
    if (!sioc) {
        close(fd);
        return NULL;
    }
    m->listener = qio_net_listener_new();
    qio_net_listener_set_name(m->listener, "multi-socket-listener");
    qio_net_listener_add(m->listener, sioc);
    object_unref(OBJECT(sioc));
    qio_net_listener_set_client_func(m->listener, master_accept, m, NULL);
    return g_steal_pointer(&m);
}

bool multi_socket_master_is_busy(MultiSocketMaster *m)
{
    for (uint32_t id = 1; id <= HET_ID_MAX; id++) {
        if (m->slaves[id]) {
            return true;
        }
    }
    return false;
}

/* Couples stay: this is for the end of the process, or there are none */
void multi_socket_master_free(MultiSocketMaster *m)
{
    MasterClient *client;

    qio_net_listener_disconnect(m->listener);
    object_unref(OBJECT(m->listener));
    for (uint32_t id = 1; id <= HET_ID_MAX; id++) {
        if (m->slaves[id]) {
            het_couple_set_broker(het_couple_find(id), NULL, NULL);
            master_forget_slave(m->slaves[id]);
        }
    }
    while ((client = QTAILQ_FIRST(&m->clients))) {
        master_drop_client(client);
    }
    g_free(m);
}
