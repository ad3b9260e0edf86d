/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * (Not spawn.h: that is a header of the C library.)
 *
 * A QEMU process that hetd starts: a child in its own process group, or an instance of a systemd unit. Nothing here says that the
 * process is ours to wait for.
 *
 * The process gets a listening UNIX socket as file descriptor 0 (its QMP monitor), what it prints comes back line by line, and
 * it inherits nothing else. It lives on when hetd dies, and another hetd takes it over: both ways to it have a path, the socket
 * and the FIFO for what it prints. (What it prints while nobody has the FIFO open is lost; it does not wait for a reader.)
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "process-id.h"
#include "unit.h"

#define SPAWN_TERM_TIMEOUT_USEC  (3 * G_USEC_PER_SEC)    /* SIGTERM, then after this time SIGKILL */
#define SPAWN_LINE_MAX           1024U                   /* bytes of a line that is printed; longer ones are cut */

typedef struct Spawn Spawn;

typedef struct SpawnExit {
        const char *failure;            /* it has never been there, and why; valid while the handler runs. NULL: it was */
        bool unknown;                   /* it was no child of this hetd: nobody tells us */
        bool killed;                    /* by a signal: `status` is its number; else the exit status */
        int status;
} SpawnExit;

typedef struct SpawnHandlers {
        /*
         * Runs once, of a child from inside spawn_new(): the process is there, and executes nothing yet; it goes away by itself if hetd dies. Once this
         * returns true it is started, and lives on without hetd. May be NULL.
         */
        bool (*forked)(const ProcessId *id, void *userdata, GError **error);
        /* The monitor's socket can be connected to. Runs once, never from inside spawn_new(). */
        void (*started)(Spawn *spawn, void *userdata);
        /* One line, without its end, as UTF-8 */
        void (*line)(Spawn *spawn, const char *line, void *userdata);
        /* Runs once, last: the process is gone, all of its lines were delivered. It may free the spawn. */
        void (*exited)(Spawn *spawn, const SpawnExit *status, void *userdata);
} SpawnHandlers;

typedef struct SpawnRequest {
        const char *name;               /* "platform/processor", for descriptions */
        char *const *argv;
        const char *monitor_path;       /* a stale socket in its place is replaced */
        const char *output_path;        /* of the FIFO */
        const UnitRequest *unit;        /* NULL: it is a child */
        const char *start_path;         /* of a unit: a socket, where it learns what it is to execute */
} SpawnRequest;

/* handlers must outlive the spawn; members may be NULL. SIGCHLD must be blocked in the process. */
bool spawn_new(sd_event *event, const SpawnRequest *request, const SpawnHandlers *handlers, void *userdata,
               Spawn **ret, GError **error);
/*
 * Takes over a process that an earlier hetd has started; request->argv is not looked at. One that is gone, or whose number somebody
 * else has, is spawn_is_gone(), and no handler will run. Else as spawn_new(), but `started` does not come.
 */
bool spawn_adopt(sd_event *event, const SpawnRequest *request, const ProcessId *id, const SpawnHandlers *handlers, void *userdata,
                 Spawn **ret, GError **error);
/* Lets the process be, for another hetd. All that can be done with the spawn then is to free it. */
void spawn_leave(Spawn *spawn);
/* A process that still lives is killed, and reaped by the loop; no handler runs any more. Returns NULL. */
Spawn *spawn_free(Spawn *spawn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Spawn, spawn_free)

/* 0: it is gone; or it is a unit that is still being started */
pid_t spawn_get_pid(const Spawn *spawn);
/* Whether it has ended already, even if the loop has not come to tell so */
bool spawn_is_gone(const Spawn *spawn);
/* Asks the process to end (SIGTERM), later makes it (SIGKILL); `exited` tells when it has. Again: no effect. */
void spawn_end(Spawn *spawn);
/* SIGKILL at once: for one that would not hear the other signal */
void spawn_end_now(Spawn *spawn);
/* "it was killed by signal 9 (Killed)", "it ended with status 1" */
char *spawn_exit_to_string(const SpawnExit *status);
