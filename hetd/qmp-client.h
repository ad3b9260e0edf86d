/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One connection to the QMP monitor of one QEMU process (QEMU docs/interop/qmp-spec.rst), on an sd-event loop. It never blocks.
 *
 * Contract of the callbacks:
 *  - a call's QmpReplyFunc runs exactly once: with a result; or with an error from QEMU (HET_ERROR_QEMU, or
 *    HET_ERROR_NOT_SUPPORTED where QEMU does not know the command); or with HET_ERROR_TIMEOUT, HET_ERROR_CANCELED or
 *    HET_ERROR_MONITOR_LOST. Never from inside qmp_client_call() itself. qmp_client_free() answers what is pending with
 *    HET_ERROR_CANCELED before it returns.
 *  - `ready` runs once, after the negotiation; `closed` runs once, last, after every pending call was answered. A client that is
 *    freed by its owner first gets neither any more. Each callback may free the client; one that did must not use it any more.
 *  - `event` runs only after `ready`: what QEMU said earlier is kept, in order. Any handler may be NULL.
 *  - the reason that `closed` gets is HET_ERROR_MONITOR_LOST (QEMU closed or reset it: that is how `quit` ends), _MONITOR_BUSY (no
 *    greeting in time), _TIMEOUT (negotiation not answered) or _PROTOCOL (what came is not QMP, or exceeds a limit).
 *
 * The client enables no capability. In particular not "oob": nothing that hetd sends may run out of band, and with it QEMU reads
 * ahead and mixes up the fds of commands.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include <glib.h>

#define QMP_CLIENT_GREETING_TIMEOUT_USEC   (10 * G_USEC_PER_SEC)   /* connect → negotiated; a busy monitor never greets */
#define QMP_CLIENT_CALL_TIMEOUT_USEC       (10 * G_USEC_PER_SEC)   /* default of one command */
#define QMP_CLIENT_MESSAGE_MAX             (16U * 1024 * 1024)     /* bytes of one message from QEMU; more is a protocol error */
#define QMP_CLIENT_PENDING_MAX             256U                    /* calls not answered yet */
#define QMP_CLIENT_IN_FLIGHT_MAX           4U                      /* commands that QEMU has and did not answer */
#define QMP_CLIENT_FDS_MAX                 8U                      /* fds of one call */

typedef enum QmpClientState {
        QMP_CLIENT_CONNECTING,
        QMP_CLIENT_GREETING,
        QMP_CLIENT_NEGOTIATING,
        QMP_CLIENT_READY,
        QMP_CLIENT_CLOSED,
        _QMP_CLIENT_STATE_MAX,
} QmpClientState;

typedef struct QmpClient QmpClient;

/* Exactly one of result and error is set; both are borrowed. result is the "return" member. */
typedef void (*QmpReplyFunc)(QmpClient *client, json_object *result, const GError *error, void *userdata);

typedef struct QmpClientHandlers {
        void (*ready)(QmpClient *client, void *userdata);
        /* data may be NULL; usec is QEMU's time stamp (CLOCK_REALTIME), UINT64_MAX where it had none */
        void (*event)(QmpClient *client, const char *event, json_object *data, uint64_t usec, void *userdata);
        void (*closed)(QmpClient *client, const GError *reason, void *userdata);
} QmpClientHandlers;

/* One fd of a call: sent ahead by getfd under a name of its own; the name is then put into the call's arguments as `argument`,
 * where "couple.page" is the member page of the member couple, and "protocol=fd:" the member protocol, with fd: before the name. */
typedef struct QmpClientFd {
        const char *argument;
        int fd;                         /* borrowed: duplicated by qmp_client_call() */
        int *give;                      /* not NULL: taken from there instead, which needs no new number; what was not taken stays */
} QmpClientFd;

/*
 * Connects to a UNIX socket path (non-blocking; a full listen backlog is tried again until the greeting is due), or takes over a
 * connected socket, which is eaten also on failure. handlers must outlive the client. No callback runs from in here.
 */
bool qmp_client_new_path(sd_event *event, const char *path, const QmpClientHandlers *handlers, void *userdata,
                         QmpClient **ret, GError **error);
bool qmp_client_new_fd(sd_event *event, int fd_consume, const QmpClientHandlers *handlers, void *userdata,
                       QmpClient **ret, GError **error);
QmpClient *qmp_client_free(QmpClient *client);          /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpClient, qmp_client_free)

/* Counts from now, instead of QMP_CLIENT_GREETING_TIMEOUT_USEC from the start. False once negotiated or closed. */
bool qmp_client_set_greeting_timeout(QmpClient *client, uint64_t usec);

/*
 * Queues a command; commands run in order. arguments may be NULL. With fds the call is: one getfd for each (one fd-carrying command
 * outstanding at a time: QEMU mixes fds up otherwise), then the command; what QEMU took and the failed command did not use is given
 * back with closefd, so that no later command adopts a stray fd. (add-fd takes no name but the fd itself: it cannot be used here.)
 * timeout_usec 0 is the default. The time counts from here, or from `ready` for what was queued before it, so that a QEMU that hangs
 * makes everything time out, the queue as well; the message of the error says if QEMU may still carry the command out. Returns
 * the id of the call (> 0), or 0 with *error set (client closed, queue full, arguments that are no object or not UTF-8, fd invalid);
 * then reply is not called. arguments_consume is eaten in any case; reply may be NULL.
 */
uint64_t qmp_client_call(QmpClient *client, const char *command, json_object *arguments_consume,
                         const QmpClientFd *fds, size_t n_fds, uint64_t timeout_usec,
                         QmpReplyFunc reply, void *userdata, GError **error);

/* Answers the call with HET_ERROR_CANCELED in the next loop turn; what QEMU answers later is dropped. False: no such call. */
bool qmp_client_cancel(QmpClient *client, uint64_t id);

/*
 * Reads nothing for that time (a time that runs already is replaced): what QEMU sends waits in its own process. Writing goes on, and so
 * does the time of the calls. Callable from a handler; what has been read already is still delivered.
 */
void qmp_client_hold(QmpClient *client, uint64_t usec);

QmpClientState qmp_client_get_state(const QmpClient *client);
const char *qmp_client_get_version(const QmpClient *client);        /* "10.0.13", NULL before the greeting */
pid_t qmp_client_get_peer(const QmpClient *client);                 /* the process at the other end, 0: not known */
size_t qmp_client_get_pending(const QmpClient *client);
const char *qmp_client_state_to_string(QmpClientState state);
