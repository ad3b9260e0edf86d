/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A platform: one master and its slaves. org.hetd1.Platform shows it on the bus. Belongs to the Manager.
 *
 * platform.c       the object, its state, what becomes of it when a processor changes
 * platform-join.c  couples and windows: a slave joins the master, and leaves it
 * slave-start.c    a slave's process, couple and window, from nothing to ready
 * master-loss.c    what becomes of the slaves when the master is reset, or its process is gone
 * master-restart.c what becomes of the platform then; the master is started again
 * platform-reconfigure.c  other slaves, while it runs
 * platform-end.c   ends all of its processes
 * start-job.c      starts it
 * adopt.h          what outlives hetd, and is taken over by the next one
 */

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "gather.h"
#include "job.h"
#include "manager.h"
#include "processor.h"

typedef enum PlatformState {
        PLATFORM_DEFINED,
        PLATFORM_STARTING,
        PLATFORM_RUNNING,
        PLATFORM_PAUSED,
        PLATFORM_STOPPING,
        PLATFORM_STOPPED,
        PLATFORM_CRASHED,       /* the master ended unexpectedly */
        PLATFORM_FAILED,        /* it could not be started */
        _PLATFORM_STATE_MAX,
} PlatformState;

struct Platform {
        Manager *manager;
        PlatformConfig *config;
        char *path;                     /* D-Bus object */
        char *directory;                /* sockets and logs of its processors */
        uid_t user;                     /* who has defined it: against whose quotas it counts */
        GPtrArray *processors;          /* of Processor*, owned; in the order of the config: the master first */
        PlatformState state;
        const char *reason;             /* a word of docs/states.md, constant */
        char *reason_text;
        Job *job;                       /* the one that works on it, NULL: none */
        bool ending;                    /* platform_end() is at work */
        PlatformState end_state;        /* what that leads to */
        bool left_alone;                /* it is freed, and goes on without us */
        sd_event_source *save_source;   /* what outlives hetd is about to be written */
        bool save_failed;               /* that was said */
        unsigned resets;                /* of its master: what was asked for before the last one does not count any more */
        struct MasterRestart *master_restart;   /* of one that is being started again, NULL: none is */
};

bool platform_new(Manager *manager, PlatformConfig *config_consume, Platform **ret, GError **error);
Platform *platform_free(Platform *platform);            /* returns NULL; kills what still runs */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Platform, platform_free)

/* Before it is freed: nothing is ended, nothing removed */
void platform_leave_alone(Platform *platform);
/* With all that is in it */
void platform_remove_directory(const char *path);

const char *platform_state_to_string(PlatformState state);
Processor *platform_get_master(Platform *platform);
Processor *platform_find_processor(Platform *platform, const char *name);       /* NULL: none */
Processor *platform_find_slave(Platform *platform, uint32_t id);                /* NULL: none */
/* Started, and not being ended */
bool platform_is_active(const Platform *platform);
/* Nothing of it runs: it may be started, or removed */
bool platform_is_idle(const Platform *platform);
/* Where its sockets and logs are, for its owner only */
bool platform_make_directory(Platform *platform, GError **error);
void platform_set_state(Platform *platform, PlatformState state, const char *reason, const char *format, ...) G_GNUC_PRINTF(4, 5);

/* A processor's state has changed */
void platform_processor_changed(Platform *platform, Processor *p);

/* Start, stop: a job, whose end is told on the bus */
bool platform_start(Platform *platform, Job **ret, GError **error);
bool platform_stop(Platform *platform, Job **ret, GError **error);
/* QMP stop and cont on all that run, or are paused */
void platform_pause(Platform *platform, DoneFunc done, void *userdata);
void platform_resume(Platform *platform, DoneFunc done, void *userdata);

/* docs/json.md */
json_object *platform_describe(Platform *platform);

/* --- platform-join.c --- */

/* Makes the couple of a slave, and gives it to both QEMUs, and the window to the master's. Both must be connected. */
void platform_join(Processor *slave, DoneFunc done, void *userdata);
/* The master's QEMU is a new one: gives it the couples and windows that slaves have, and joins those that wait for it */
void platform_join_master(Platform *platform, DoneFunc done, void *userdata);
/* Gives the couple that it has to a new process of the slave; the master's QEMU has kept its end */
void platform_rejoin(Processor *slave, DoneFunc done, void *userdata);
/* The opposite; a QEMU that does not answer any more is no error */
void platform_leave(Processor *slave, DoneFunc done, void *userdata);
/*
 * Gives the couple and the window, if there is one now, to the master's QEMU anew. It fails with nothing changed if there are not so
 * many free numbers for fds.
 */
#define PLATFORM_REPLACE_WINDOW_FDS     6U
void platform_replace_window(Processor *slave, DoneFunc done, void *userdata);
/* An external processor was attached while the platform is active: joins what can be joined now */
void platform_attached(Processor *p, DoneFunc done, void *userdata);
/* Attach and Detach of the bus */
/* path is an address of qemu-bus.h, or a path; with fd it may be such an address, to be used over it */
void platform_attach(Processor *p, const char *path, int fd_consume, DoneFunc done, void *userdata);
void platform_detach(Processor *p, DoneFunc done, void *userdata);

/* --- slave-start.c --- */

/*
 * Starts the slave's process, joins it to the master and gives it its window: it is ready then. One that somebody else starts is
 * joined if it is attached; one whose master is not attached waits. reason as for processor_start(). If it fails, what has been
 * done is the caller's to undo.
 */
void platform_start_slave(Processor *slave, const char *reason, DoneFunc done, void *userdata);

/* --- master-loss.c --- */

/* Reasons of a slave's stop (docs/states.md) */
#define PLATFORM_MASTER_RESET   "master-reset"
#define PLATFORM_MASTER_FAILURE "master-failure"

/* The master was reset, or its process is gone: stops the slaves that are not to go on. Again and again is as good as once. */
void platform_stop_slaves(Platform *platform, const char *reason);
/* One that is being stopped because of the master: the sentence for people */
const char *platform_stop_reason_text(const char *reason);
/* A slave's state has changed: one that was lost when it was to be stopped is stopped */
void platform_slave_back(Processor *slave);

/* --- master-restart.c --- */

/*
 * The master's process is gone, or its guest has ended. True if the platform goes on all the same, because the master is started
 * again, or because slaves are to go on without it; those that are not to are stopped.
 */
bool platform_outlives_master(Platform *platform);
/* Starts the master's process again, gives it what hetd holds for its slaves, and starts its CPUs; then slaves as at the start of the platform */
void platform_restart_master(Platform *platform, DoneFunc done, void *userdata);
/* The platform is ended or freed: true if there was no process yet, and it is over with (done has run) */
bool platform_cancel_master_restart(Platform *platform);

/* --- platform-reconfigure.c --- */

/*
 * Takes another platform file, of the same processors: each slave of which the QEMU is to be another one gets that, the others
 * and the master go on. Nothing has changed after a failure, except when a new QEMU could not be started.
 */
void platform_reconfigure(Platform *platform, PlatformConfig *config_consume, DoneFunc done, void *userdata);

/* --- platform-end.c --- */

/*
 * Ends every process of the platform and detaches from the others; then the state is the given one. `stopping` meanwhile.
 * done may be NULL. Reasons must be constant.
 */
void platform_end(Platform *platform, PlatformState state, const char *reason, const char *text, DoneFunc done, void *userdata);
