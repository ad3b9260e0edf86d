/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A process as an instance of a systemd unit. What the unit executes is het-processor (het-processor.c): it connects to a socket of
 * ours, says nothing, and waits. By its credentials we know the process, which is written down as a child's is; then it is given what a
 * child inherits, the listening monitor, the FIFO and the arguments, and executes QEMU in its place. So no file says what a unit
 * runs, and one whose hetd has died goes away by itself.
 */

#include "spawn-internal.h"

#include "unit.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_TIMEOUT_USEC       (2 * G_USEC_PER_SEC)    /* its process is gone → systemd has told how */

struct SpawnUnit {
        Spawn *spawn;
        Unit *unit;
        char *path;                     /* of the socket that het-processor connects to */
        char *binary;
        int listener, monitor, output, arguments, connection;
        sd_event_source *listener_io, *connection_io, *exit_timer, *canceled;
        bool handed_over;
};

static void close_start(SpawnUnit *u) {
        u->listener_io = sd_event_source_disable_unref(u->listener_io);
        u->connection_io = sd_event_source_disable_unref(u->connection_io);
        u->listener = fd_close(u->listener);
        u->monitor = fd_close(u->monitor);
        u->output = fd_close(u->output);
        u->arguments = fd_close(u->arguments);
        u->connection = fd_close(u->connection);
        if (u->path)
                (void) unlink(u->path);
        g_clear_pointer(&u->path, g_free);
}

SpawnUnit *spawn_unit_free(SpawnUnit *u) {
        if (!u)
                return NULL;

        if (u->unit && !u->handed_over)
                unit_stop(u->unit);
        close_start(u);
        sd_event_source_disable_unref(u->exit_timer);
        sd_event_source_disable_unref(u->canceled);
        unit_free(u->unit);
        g_free(u->binary);
        g_free(u);
        return NULL;
}

static void unit_ended(SpawnUnit *u, const SpawnExit *status) {
        Spawn *spawn = u->spawn;

        u->exit_timer = sd_event_source_disable_unref(u->exit_timer);
        u->canceled = sd_event_source_disable_unref(u->canceled);
        spawn->child = sd_event_source_disable_unref(spawn->child);
        close_start(u);
        spawn_ended(spawn, status);
}

static void unit_failed(SpawnUnit *u, const char *text) {
        const SpawnExit status = { .failure = text };

        spawn_end_now(u->spawn);
        unit_ended(u, &status);
}

/* --- the end --- */

static void on_unit_failed(Unit *unit, const char *text, void *userdata) {
        unit_failed(userdata, text);
}

static void on_unit_exited(Unit *unit, int code, int status, void *userdata) {
        const SpawnExit exit = { .killed = code != CLD_EXITED, .status = status };

        unit_ended(userdata, &exit);
}

static const UnitHandlers unit_handlers = {
        .failed = on_unit_failed,
        .exited = on_unit_exited,
};

static int on_exit_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        static const SpawnExit unknown = { .unknown = true };

        unit_ended(userdata, &unknown);
        return 0;
}

void spawn_unit_gone(Spawn *spawn) {
        SpawnUnit *u = spawn->unit;

        if (sd_event_add_time_relative(spawn->event, &u->exit_timer, CLOCK_MONOTONIC, EXIT_TIMEOUT_USEC, 0, on_exit_timer, u) < 0)
                (void) on_exit_timer(NULL, 0, u);
}

static int on_canceled(sd_event_source *source, void *userdata) {
        unit_failed(userdata, "its start was canceled");
        return 0;
}

void spawn_unit_cancel(Spawn *spawn) {
        if (!spawn->unit->canceled)
                (void) sd_event_add_defer(spawn->event, &spawn->unit->canceled, on_canceled, spawn->unit);
}

/* --- het-processor --- */

/* It closes its end by executing QEMU, or says why it cannot */
static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SpawnUnit *u = userdata;
        Spawn *spawn = u->spawn;
        int number = 0, r;
        ssize_t n = recv(fd, &number, sizeof(number), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;

        if (n == sizeof(number)) {
                g_autofree char *text = g_strdup_printf("Cannot execute %s: %s", u->binary, g_strerror(number));

                unit_failed(u, text);
                return 0;
        }

        u->handed_over = true;
        close_start(u);
        r = spawn_watch_output(spawn);
        if (r < 0)
                unit_failed(u, "what it prints cannot be watched");
        else if (spawn->handlers->started)
                spawn->handlers->started(spawn, spawn->userdata);
        return 0;
}

static int hand_over(SpawnUnit *u) {
        const int fds[] = { u->monitor, u->output, u->arguments };
        const char byte = 0;
        ssize_t n = fd_send(u->connection, &byte, 1, fds, G_N_ELEMENTS(fds), MSG_DONTWAIT);

        return (int) MIN(n, 0);
}

/* Whoever may connect here may do so to monitors, too; but only the unit's own process is what is to be started */
static int identify(SpawnUnit *u, int fd, ProcessId *ret) {
        struct ucred peer;
        socklen_t size = sizeof(peer);
        int r;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (peer.uid != geteuid() || !unit_has_process(u->unit, peer.pid))
                return -EPERM;

        r = process_id_get(peer.pid, ret);
        if (r < 0)
                return r;

        u->spawn->pidfd = process_id_open(ret);
        return MIN(u->spawn->pidfd, 0);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SpawnUnit *u = userdata;
        Spawn *spawn = u->spawn;
        HET_AUTO_FD int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        g_autoptr(GError) error = NULL;
        ProcessId id;
        int r;

        if (connection < 0 || u->connection >= 0 || identify(u, connection, &id) < 0)
                return 0;

        u->connection = fd_take(&connection);
        spawn->pid = id.pid;
        unit_set_process(u->unit, id.pid);
        if (spawn->handlers->forked && !spawn->handlers->forked(&id, spawn->userdata, &error)) {
                unit_failed(u, error->message);
                return 0;
        }

        r = spawn_watch_pidfd(spawn);
        if (r >= 0)
                r = hand_over(u);
        if (r >= 0)
                r = sd_event_add_io(spawn->event, &u->connection_io, u->connection, EPOLLIN, on_answer, u);
        if (r < 0)
                unit_failed(u, g_strerror(-r));
        return 0;
}

/* --- the start --- */

/* Each with a zero behind it, as in /proc/PID/cmdline */
static int write_arguments(char *const *argv, int *ret) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        HET_AUTO_FD int fd = memfd_create("arguments", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;

        for (; *argv; argv++)
                g_byte_array_append(bytes, (const guint8 *) *argv, (guint) strlen(*argv) + 1);
        if (write(fd, bytes->data, bytes->len) != (ssize_t) bytes->len)
                return errno ? -errno : -ENOSPC;

        *ret = fd_take(&fd);
        return 0;
}

static SpawnUnit *spawn_unit_make(Spawn *spawn) {
        SpawnUnit *u = g_new0(SpawnUnit, 1);

        u->spawn = spawn;
        u->listener = u->monitor = u->output = u->arguments = u->connection = -EBADF;
        spawn->unit = u;
        return u;
}

bool spawn_unit_start(Spawn *spawn, const SpawnRequest *request, GError **error) {
        SpawnUnit *u = spawn_unit_make(spawn);
        int r;

        u->path = g_strdup(request->start_path);
        u->binary = g_strdup(request->argv[0]);

        r = fd_listen(request->monitor_path, SOCK_STREAM, &u->monitor);
        if (r < 0)
                return spawn_refuse(error, "make the monitor socket", request->monitor_path, r);
        r = spawn_make_fifo(request->output_path, &spawn->output, &u->output);
        if (r < 0)
                return spawn_refuse(error, "make the FIFO", request->output_path, r);
        r = fd_listen(request->start_path, SOCK_SEQPACKET, &u->listener);
        if (r < 0)
                return spawn_refuse(error, "make the socket", request->start_path, r);
        r = write_arguments(request->argv, &u->arguments);
        if (r >= 0)
                r = fd_watch_listener(spawn->event, u->listener, on_connection, u, &u->listener_io);
        if (r < 0)
                return spawn_refuse(error, "prepare the unit of", request->name, r);

        return unit_new(request->unit, true, &unit_handlers, u, &u->unit, error);
}

bool spawn_unit_adopt(Spawn *spawn, const SpawnRequest *request, GError **error) {
        SpawnUnit *u = spawn_unit_make(spawn);

        u->handed_over = true;
        if (!unit_new(request->unit, false, &unit_handlers, u, &u->unit, error))
                return false;

        unit_set_process(u->unit, spawn->pid);
        return true;
}
