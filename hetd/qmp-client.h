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
 *    freed by its owner first gets neither any more. Each callback may free the client.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <glib.h>

#define QMP_CLIENT_GREETING_TIMEOUT_USEC   (10 * G_USEC_PER_SEC)   /* connect → negotiated; a busy monitor never greets */
#define QMP_CLIENT_CALL_TIMEOUT_USEC       (10 * G_USEC_PER_SEC)   /* default of one command */
#define QMP_CLIENT_MESSAGE_MAX             (16U * 1024 * 1024)     /* bytes of one message from QEMU; more is a protocol error */
#define QMP_CLIENT_PENDING_MAX             256U                    /* commands queued and in flight */
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

/* One fd of a call: sent ahead by getfd under a name of its own; the name is then put into the call's arguments as `argument`. */
typedef struct QmpClientFd {
        const char *argument;
        int fd;                         /* borrowed: duplicated by qmp_client_call() */
} QmpClientFd;

/* Connects to a UNIX socket path (non-blocking), or takes over a connected socket. handlers must outlive the client. */
bool qmp_client_new_path(sd_event *event, const char *path, const QmpClientHandlers *handlers, void *userdata,
                         QmpClient **ret, GError **error);
bool qmp_client_new_fd(sd_event *event, int fd_consume, const QmpClientHandlers *handlers, void *userdata,
                       QmpClient **ret, GError **error);
QmpClient *qmp_client_free(QmpClient *client);          /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpClient, qmp_client_free)

/*
 * Queues a command; commands run in order. arguments may be NULL. With fds the call is: one getfd for each (one fd-carrying command
 * outstanding at a time: QEMU mixes fds up otherwise), then the command; what QEMU took and the failed command did not use is given
 * back with closefd, so that no later command adopts a stray fd. timeout_usec 0 is the default, and covers all of it from the moment
 * the first byte is sent. Returns the id of the call (> 0), or 0 with *error set when the client is closed or the queue full; then
 * reply is not called.
 */
uint64_t qmp_client_call(QmpClient *client, const char *command, json_object *arguments_consume,
                         const QmpClientFd *fds, size_t n_fds, uint64_t timeout_usec,
                         QmpReplyFunc reply, void *userdata, GError **error);

/* Answers the call with HET_ERROR_CANCELED in the next loop turn; what QEMU answers later is dropped. False: no such call. */
bool qmp_client_cancel(QmpClient *client, uint64_t id);

QmpClientState qmp_client_get_state(const QmpClient *client);
const char *qmp_client_get_version(const QmpClient *client);        /* "10.0.13", NULL before the greeting */
size_t qmp_client_get_pending(const QmpClient *client);
const char *qmp_client_state_to_string(QmpClientState state);
