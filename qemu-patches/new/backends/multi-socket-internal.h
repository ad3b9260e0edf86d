/*
 * multi-socket-backend: what its files share
 *
 * multi-socket.c         the object, and the socket's file
 * multi-socket-conn.c    messages of one connection
 * multi-socket-master.c  the side that listens
 * multi-socket-memory.c  which memory goes over it
 * multi-socket-slave.c   the side that connects
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef BACKENDS_MULTI_SOCKET_INTERNAL_H
#define BACKENDS_MULTI_SOCKET_INTERNAL_H

#include "io/channel-socket.h"
#include "qemu/notify.h"
#include "qom/object.h"
#include "system/hostmem-shared.h"
#include "system/multi-socket.h"
#include "hw/het-attach.h"

OBJECT_DECLARE_SIMPLE_TYPE(MultiSocketBackend, MULTI_SOCKET_BACKEND)

typedef struct MultiSocketMaster MultiSocketMaster;
typedef struct MultiSocketSlave MultiSocketSlave;

struct MultiSocketBackend {
    Object parent_obj;

    char *path;
    bool listen;
    uint32_t slave_id;          /* of a slave, 0: any */
    uint64_t window_address;    /* of a slave, or MULTI_SOCKET_ANY */
    uint64_t window_base;       /* of a master: no window is below it */
    uint32_t timeout_ms;
    uint32_t peer_uid;

    dev_t socket_dev;           /* of a master's socket */
    ino_t socket_ino;
    bool complete;
    Notifier machine_done;
    /* Of the two there is at most one */
    MultiSocketMaster *master;
    MultiSocketSlave *slave;
};

/* --- multi-socket-memory.c --- */

/* The only memory that names it; NULL with errp */
HostMemoryBackendShared *multi_socket_memory(MultiSocketBackend *b,
                                             Error **errp);
/* Whether there is anything to be given away */
bool multi_socket_check_parts(const MultiSocketBackend *b,
                              HostMemoryBackendShared *memory, Error **errp);
/* Where the window is to be, in the master and in the memory's file */
bool multi_socket_find_place(const MultiSocketBackend *b,
                             HostMemoryBackendShared *memory,
                             const MultiSocketHello *hello,
                             HetWindowPlace *place, Error **errp);

/* --- multi-socket-conn.c --- */

typedef struct MultiSocketConn MultiSocketConn;

typedef struct MultiSocketConnOps {
    /*
     * A message with the length that its type has. Returns false with errp
     * if it must not come: then the connection ends. fds are closed on
     * return, but for those that were set to -1.
     */
    bool (*message)(void *opaque, const MultiSocketHeader *header,
                    const MultiSocketBody *body, int *fds, unsigned nfds,
                    Error **errp);
    /*
     * It has ended, not by multi_socket_conn_free(), for this reason; error
     * NULL: it was closed by the other side. The conn must be freed.
     */
    void (*ended)(void *opaque, const Error *error);
    /* Else messages to this side carry none: the kernel closes what comes */
    bool takes_fds;
} MultiSocketConnOps;

/* Of a connected socket; false with errp if the other side is somebody else */
bool multi_socket_check_peer(int fd, uint32_t uid, pid_t *pid, Error **errp);
MultiSocketConn *multi_socket_conn_new(QIOChannelSocket *sioc,
                                       const MultiSocketConnOps *ops,
                                       void *opaque);
/* May be called by ops, and takes NULL. Nothing is called any more. */
void multi_socket_conn_free(MultiSocketConn *conn);
/* Does not wait: a side that does not read ends the connection; see ended() */
void multi_socket_conn_send(MultiSocketConn *conn, MultiSocketType type,
                            uint32_t serial, const void *body,
                            const int *fds, unsigned nfds);
/* Whether the other side is gone, which ended() has not told of yet */
bool multi_socket_conn_is_dead(MultiSocketConn *conn);
/* It ends after so long, unless the deadline is set anew or cleared */
void multi_socket_conn_set_deadline(MultiSocketConn *conn, uint32_t ms);
void multi_socket_conn_clear_deadline(MultiSocketConn *conn);
/* What the other side has written, fit to be printed */
char *multi_socket_text(const char text[MULTI_SOCKET_TEXT]);

/* --- multi-socket-master.c --- */

/* The socket listens; it is taken, also on failure */
MultiSocketMaster *multi_socket_master_new(MultiSocketBackend *b, int fd,
                                           Error **errp);
/* Whether there are slaves, which must be detached first */
bool multi_socket_master_is_busy(MultiSocketMaster *m);
void multi_socket_master_free(MultiSocketMaster *m);

/* --- multi-socket-slave.c --- */

MultiSocketSlave *multi_socket_slave_new(MultiSocketBackend *b, Error **errp);
bool multi_socket_slave_is_busy(MultiSocketSlave *s);
void multi_socket_slave_free(MultiSocketSlave *s);

#endif
