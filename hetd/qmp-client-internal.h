/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inside of QmpClient, shared by its two files: qmp-client.c is the connection (connect, read, negotiate, end), qmp-call.c the
 * calls (queue, commands on the wire, answers). Nobody else includes this.
 *
 * A QmpCall is what the owner asked for; a QmpCommand is one line on the wire. A call with fds makes several commands. A command
 * that was written stays in in_flight until QEMU answers it, also when its call was answered (timeout, cancel) long before: only
 * then is the slot free, and only then it is known what QEMU took.
 */

#include "qmp-client.h"
#include "qmp-message.h"
#include "qmp-stream.h"

#include <sys/un.h>

typedef enum QmpCommandKind {
        QMP_COMMAND_CAPABILITIES,       /* ends the negotiation */
        QMP_COMMAND_CALL,               /* the command of a call */
        QMP_COMMAND_GETFD,              /* hands one fd of a call over */
        QMP_COMMAND_DISCARD,            /* getfd without an fd: gives a stray fd a name */
        QMP_COMMAND_CLOSEFD,            /* gives a name back */
} QmpCommandKind;

typedef struct QmpCall QmpCall;

typedef struct QmpCommand {
        QmpCommandKind kind;
        QmpCall *call;                  /* a reference, or NULL */
        char *id;
        char *text;
        size_t size, offset;            /* offset: bytes written */
        int fd;                         /* goes with the first byte, then closed and -EBADF */
        char *name;                     /* GETFD, DISCARD: name of the fd in QEMU */
} QmpCommand;

struct QmpCall {
        unsigned n_ref;
        QmpClient *client;              /* NULL once answered */
        uint64_t id;
        char *name;                     /* of the command, for messages */
        char *wire_id;
        char *text;
        struct {
                int fd;
                char *name;
        } fds[QMP_CLIENT_FDS_MAX];
        size_t n_fds;
        size_t n_taken;                 /* names that QEMU knows */
        QmpCommand *outstanding;        /* the command on the wire that this call waits for; borrowed from in_flight */
        uint64_t timeout_usec;
        sd_event_source *timer;
        QmpReplyFunc reply;
        void *userdata;
};

struct QmpClient {
        unsigned n_ref;
        bool freed;                     /* by the owner; no callbacks any more but the answers that qmp_client_free() gives */
        QmpClientState state;
        const QmpClientHandlers *handlers;
        void *userdata;
        sd_event *event;
        int fd;
        struct sockaddr_un address;     /* sun_family is AF_UNSPEC for a client that was given a socket */
        sd_event_source *io;
        sd_event_source *deadline;      /* of the negotiation */
        sd_event_source *retry;         /* of connect() */
        sd_event_source *hold;          /* until it fires nothing is read; NULL: it is read */
        sd_event_source *deferred;      /* answers canceled calls */
        QmpStream *stream;
        char *version;
        GQueue early_events;            /* json_object: events that came before the negotiation ended */
        GQueue calls;                   /* QmpCall: not answered, oldest first */
        GQueue queue;                   /* QmpCall: those of them whose own command was not started yet */
        GQueue canceled;                /* QmpCall: to be answered in the next loop turn */
        GQueue cleanup;                 /* QmpCommand: go before the queue */
        GQueue in_flight;               /* QmpCommand: started, not answered by QEMU */
        QmpCommand *sending;            /* the one of in_flight that is not fully written */
        QmpCommand *fd_outstanding;     /* the one of in_flight that moves an fd; nothing is started beside it */
};

/* qmp-client.c */
QmpClient *qmp_client_ref(QmpClient *client);
void qmp_client_unref(QmpClient *client);
void qmp_client_unrefp(QmpClient **client);
/* Handles what has arrived already; afterwards the client may be closed or freed: hold a reference. */
void qmp_client_drain(QmpClient *client);
void qmp_client_close(QmpClient *client, const GError *reason);
void qmp_client_negotiated(QmpClient *client, const QmpMessage *answer);
/* To be called after anything that may have made a command ready to be written. */
void qmp_client_update_io(QmpClient *client);
int qmp_client_add_timer(QmpClient *client, uint64_t usec, sd_event_time_handler_t handler, void *userdata,
                         sd_event_source **ret);

/* qmp-call.c */
void qmp_client_start_negotiation(QmpClient *client);
bool qmp_client_can_write(const QmpClient *client);
int qmp_client_write(QmpClient *client);
void qmp_client_answered(QmpClient *client, const QmpMessage *answer);
bool qmp_client_start_timers(QmpClient *client, GError **error);
int qmp_client_answer_canceled(sd_event_source *source, void *userdata);
/* Answers everything that is pending: canceled calls so, others with error. Forgets all commands. */
void qmp_client_answer_all(QmpClient *client, const GError *error);
