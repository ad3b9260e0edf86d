/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the ways to start a process share. Included by these files only:
 *   spawn-process.c  children, those of an earlier hetd, and all that comes after the start
 *   spawn-unit.c     instances of a systemd unit
 */

#include "spawn-process.h"
#include "util/rate-limit.h"

typedef struct SpawnUnit SpawnUnit;

struct Spawn {
        sd_event *event;
        const SpawnHandlers *handlers;
        void *userdata;
        pid_t pid;                      /* 0: gone, and reaped: the number may belong to somebody else */
        int pidfd;                      /* of one that is no child of this hetd; else -EBADF */
        bool ending;
        char *monitor_path;             /* NULL: the socket does not exist, or is gone */
        char *output_path;              /* the same of the FIFO */
        int output;                     /* our end of the FIFO that is its stdout and stderr */
        GString *line;
        RateLimit lines;
        uint64_t output_wait_usec;      /* before more lines are taken */
        char *last_line;                /* of a process that is gone, if there were too many to deliver */
        SpawnUnit *unit;                /* spawn-unit.c; NULL: it is a child, or was one of an earlier hetd */
        sd_event_source *child, *output_io, *output_timer, *started, *kill_timer;
};

/* --- spawn-process.c --- */

Spawn *spawn_make(sd_event *event, const SpawnRequest *request, const SpawnHandlers *handlers, void *userdata);
int spawn_make_fifo(const char *path, int *ret_ours, int *ret_theirs);
int spawn_watch_output(Spawn *spawn);
/* Of a process that is no child */
int spawn_watch_pidfd(Spawn *spawn);
/* Sets the error, and returns false */
bool spawn_refuse(GError **error, const char *what, const char *path, int r);
/* Tells of the end; the spawn may be freed then */
void spawn_ended(Spawn *spawn, const SpawnExit *status);

/* --- spawn-unit.c --- */

bool spawn_unit_start(Spawn *spawn, const SpawnRequest *request, GError **error);
/* Its process is there already, and watched */
bool spawn_unit_adopt(Spawn *spawn, const SpawnRequest *request, GError **error);
/* Its process has ended: how it did is told by and by, with spawn_ended() */
void spawn_unit_gone(Spawn *spawn);
/* To be ended before there is a process */
void spawn_unit_cancel(Spawn *spawn);
SpawnUnit *spawn_unit_free(SpawnUnit *unit);    /* returns NULL; stops what has not become a process */
