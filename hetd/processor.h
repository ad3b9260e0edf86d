/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One processor of a platform: a QEMU process, its monitor, its couple with the master and its window. org.hetd1.Processor shows
 * it on the bus. Belongs to its Platform.
 *
 * processor.c          the object and its state
 * processor-process.c  the QEMU process that hetd starts
 * processor-restart.c  starts it again
 * processor-monitor.c  the connection to QEMU, what its events mean, loss and return
 * processor-qemu-state.c  what it says of its state
 * processor-bus.c      the same over D-Bus, and the console
 * processor-command.c  a command and the state that it leads to; stop, reset, kick
 * processor-boot.c     boot
 * processor-request.c  the same, asked for by the master's guest
 * processor-memory.c   grant and revoke
 * processor-registers.c the registers of its CPUs
 * processor-console.c  how much is kept of what it prints
 * processor-watchdog.c  a slave that hangs
 * adopt.h              what outlives hetd, and is taken over by the next one
 *
 * A function with a DoneFunc may run it from inside itself, where there is nothing to wait for.
 */

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "console-relay.h"
#include "couple.h"
#include "gather.h"
#include "platform-file.h"
#include "qemu-bus.h"
#include "qmp-client.h"
#include "spawn-process.h"
#include "util/error.h"
#include "util/rate-limit.h"

typedef struct Manager Manager;
typedef struct Platform Platform;
typedef struct ProcessorMissing ProcessorMissing;

typedef enum ProcessorState {
        PROCESSOR_DEFINED,      /* known, no process of ours and no monitor */
        PROCESSOR_STARTING,     /* the process is being started, or the monitor connected */
        PROCESSOR_WAITING,      /* a slave without memory */
        PROCESSOR_READY,        /* a slave with memory that is not booted; a master whose CPUs have not started */
        PROCESSOR_RUNNING,
        PROCESSOR_PAUSED,
        PROCESSOR_STOPPED,      /* ended as asked, by us or by its guest */
        PROCESSOR_CRASHED,      /* the process ended unexpectedly, or the guest panicked */
        PROCESSOR_LOST,         /* the monitor is gone, the process may live */
        _PROCESSOR_STATE_MAX,
} ProcessorState;

#define PROCESSOR_STATE_MASK(state)     (1U << (state))
/* QEMU answers its monitor */
#define PROCESSOR_STATES_CONNECTED      (PROCESSOR_STATE_MASK(PROCESSOR_WAITING) | PROCESSOR_STATE_MASK(PROCESSOR_READY) | \
                                         PROCESSOR_STATE_MASK(PROCESSOR_RUNNING) | PROCESSOR_STATE_MASK(PROCESSOR_PAUSED))
/* There is no process to wait for */
#define PROCESSOR_STATES_ENDED          (PROCESSOR_STATE_MASK(PROCESSOR_DEFINED) | PROCESSOR_STATE_MASK(PROCESSOR_STOPPED) | \
                                         PROCESSOR_STATE_MASK(PROCESSOR_CRASHED))

/* For processor_wait(): the process that hetd started is gone */
#define PROCESSOR_PROCESS_GONE          (1U << 31)
/* For processor_wait(), with states: and no verb is being carried out */
#define PROCESSOR_IDLE                  (1U << 30)
/* For processor_wait(), with states: that its guest has crashed is no reason to give up, as long as its QEMU answers */
#define PROCESSOR_FROM_CRASH            (1U << 29)
/* For processor_wait(), with states: and no verb is being carried out, and it is not about to be started again */
#define PROCESSOR_SETTLED               (1U << 28)
/* For processor_wait(), with states: that it is lost is no reason to give up */
#define PROCESSOR_FROM_LOST             (1U << 27)
#define PROCESSOR_STATES_ALL            (PROCESSOR_STATE_MASK(_PROCESSOR_STATE_MAX) - 1)

#define PROCESSOR_START_TIMEOUT_USEC    (60 * G_USEC_PER_SEC)   /* process started → monitor negotiated */
#define PROCESSOR_STATE_TIMEOUT_USEC    (10 * G_USEC_PER_SEC)   /* command answered → its effect reported */
#define PROCESSOR_EVENTS_PER_SEC        200U                    /* of one QEMU: more are held back, after */
#define PROCESSOR_EVENTS_BURST          1000U                   /* so many at once */
#define PROCESSOR_QUIT_TIMEOUT_USEC     (3 * G_USEC_PER_SEC)    /* quit by QMP, then after this time SIGTERM */

typedef enum RestartPhase {
        RESTART_NONE,
        RESTART_PLANNED,                /* in the pause before it */
        RESTART_STARTING,               /* the verb `restart` is at work, or what it has started is being ended */
} RestartPhase;

typedef struct ProcessorRestart {
        RestartPhase phase;
        sd_event_source *timer;
        bool no_boot;                   /* somebody has stopped it meanwhile: no AutoBoot= */
        uint32_t count;                 /* since the platform was started */
        unsigned in_a_row;              /* none of them lived for a good while */
        unsigned limit_count;           /* since limit_since_usec (CLOCK_MONOTONIC) */
        uint64_t limit_since_usec;
        DoneFunc done;                  /* of Restart on the bus */
        void *userdata;
} ProcessorRestart;

typedef enum WatchdogPhase {
        WATCHDOG_OFF,
        WATCHDOG_WATCHING,              /* it runs, or is lost and may, and WatchdogSec= says so */
        WATCHDOG_FAILING,               /* it has hung, its QEMU was told to stop it */
        WATCHDOG_UNRESPONSIVE,          /* and has not answered: the master was told without it */
} WatchdogPhase;

typedef struct ProcessorWatchdog {
        WatchdogPhase phase;
        sd_event_source *timer;
        uint64_t since_usec;            /* CLOCK_MONOTONIC: it runs from then on */
        bool killed;                    /* its QEMU, because it did not answer */
} ProcessorWatchdog;

typedef struct ProcessorConsoleLog {
        sd_event_source *changes, *timer;       /* something is printed; it is looked at again */
        bool failed;                            /* that was said */
} ProcessorConsoleLog;

typedef struct Processor {
        Platform *platform;
        const ProcessorConfig *config;
        char *path;                     /* D-Bus object */

        ProcessorState state;
        const char *reason;             /* a word of docs/states.md, constant */
        char *reason_text;
        uint64_t state_usec;            /* CLOCK_REALTIME of the last change */
        HetError failure;               /* what a waiter that hoped for another state is told */
        GQueue waiters;                 /* of Waiter (processor.c) */
        unsigned requests;              /* of the master's guest, to this slave, that are not answered */
        const char *busy;               /* the verb that is being carried out, NULL: none */

        Spawn *process;
        char *unit;                     /* the systemd unit that it is in; NULL: it is a child */
        ProcessId process_id;           /* of it; stands in the state file before it executes anything */
        char *last_line;                /* what QEMU printed last: mostly why it ended */
        const char *end_reason;         /* its end was asked for, and why; NULL: it was not */
        bool end_asked;                 /* by this hetd: an earlier one may have died before it did */
        const char *shutdown_reason;    /* QEMU said that it is going to end, and why */
        const char *guest_end;          /* of a master: its guest has ended, and why, so that its process was ended; NULL: it was not */
        ProcessorState guest_end_state;
        sd_event_source *quit_timer;
        bool exited;                    /* it has ended, and its monitor may still have something to say */
        SpawnExit exit_status;
        sd_event_source *exit_timer;
        uint64_t started_usec;          /* CLOCK_MONOTONIC of the last try to start it */
        char *spawn_failure;            /* its process has never been there, and why */
        char *start_failure;            /* it was started again and could not be used, and why */
        ProcessorRestart restart;
        ProcessorWatchdog watchdog;
        ProcessorConsoleLog console_log;

        QmpClient *monitor;
        bool monitor_ready;             /* negotiated, and its state was queried */
        RateLimit events;               /* each may be a line in the log and a signal, and QEMU may send as many as it likes */
        bool noisy;                     /* it was said that it sends too many */
        QemuBus *search;                /* for a monitor on D-Bus, which is under way */
        pid_t monitor_peer;             /* who listened there when it was attached; 0: not known */
        char *monitor_path;             /* or address on D-Bus; NULL: none, or came as an fd */
        char *qemu_version;
        sd_event_source *reconnect_timer;
        unsigned reconnects;            /* tries since the monitor was lost */
        ConsoleRelay *console;          /* of a QEMU that is attached by D-Bus */
        char *console_path, *log_path;  /* NULL: hetd does not know of any */
        char *memory_id;                /* of the memory-backend-shared object */
        int window_fd;                  /* what is, or will be, the slave's memory */
        uint64_t window_offset;
        bool granted;
        bool has_firmware_entry;        /* something was loaded into the window by hetd, and begins there */
        uint64_t firmware_entry;
        uint64_t firmware_resource_table;       /* of the same, 0: it has none */

        Couple *couple;                 /* of a slave with the master */
        ProcessorMissing *missing;      /* adopt.h; NULL: nothing is */
        bool repeating;                 /* of a master: its QEMU is asked to tell of its guest's requests again */
        bool master_attached;           /* the master's QEMU has the couple */
        bool slave_attached;            /* the slave's QEMU has it */
        struct Steps *joining;          /* what gives it to both; NULL: nothing is at work */
        uint64_t boots;
        const char *master_stop;        /* why the stop that is at work is, if it is because of the master (PLATFORM_MASTER_…); NULL: it is not */
        const char *stop_when_idle;     /* such a stop waits for the verb that is at work */
        const char *stop_when_back;     /* it was lost when it was to be stopped */
} Processor;

Processor *processor_new(Platform *platform, const ProcessorConfig *config);
Processor *processor_free(Processor *p);                /* returns NULL */
/* Answers all that is pending; the first part of freeing a platform, since processors use each other's monitors */
void processor_disconnect(Processor *p);

const char *processor_state_to_string(ProcessorState state);
bool processor_is_master(const Processor *p);
bool processor_in_states(const Processor *p, unsigned mask);
void processor_log(const Processor *p, int level, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Change signal, log line, waiters, the platform. reason must be constant. Nothing happens if nothing differs. */
void processor_set_state(Processor *p, ProcessorState state, const char *reason, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* Looks again at what is waited for: something but the state has changed */
void processor_check_waiters(Processor *p);
/* A property has changed; name must be constant */
void processor_changed(Processor *p, const char *property);
void processor_set_granted(Processor *p, bool granted);

/*
 * done runs when the state is in mask. Fails with p->failure and the reason's text when it gets into one of
 * PROCESSOR_STATES_ENDED or `lost` that is not in mask; or with time.
 */
void processor_wait(Processor *p, unsigned mask, uint64_t timeout_usec, DoneFunc done, void *userdata);

/* One verb at a time: HET_ERROR_WRONG_STATE if one is being carried out. verb must be constant. */
bool processor_begin(Processor *p, const char *verb, GError **error);
void processor_end_verb(Processor *p);
bool processor_wrong_state(const Processor *p, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* --- processor-process.c --- */

/*
 * Starts the process; state `starting`, then what QEMU says. Wait for it with processor_wait(). reason must be constant: with
 * `platform-start` all is new, else what its console has printed and the count of restarts go on.
 */
bool processor_start(Processor *p, const char *reason, const char *device_tree, GError **error);
/* Ends the process, or lets go of a QEMU that somebody else started; done when it has ended. reason must be constant. */
void processor_end(Processor *p, const char *reason, DoneFunc done, void *userdata);

/*
 * Of an earlier hetd: its process by p->process_id, or the monitor of a QEMU that somebody else has started (NULL: it came as an fd).
 * `lost`, if it lives; what its QEMU says comes later. One that is gone is left to processor_finish_exit().
 */
bool processor_take_over(Processor *p, const char *monitor, GError **error);
/* The process has ended, and its monitor told all that it had to tell */
void processor_finish_exit(Processor *p);
/* The process is gone: the other side of its couple learns it without any help of the process */
void processor_tell_peer(Processor *p, bool crashed);

/* --- processor-restart.c --- */

/*
 * Its process has ended, and nobody asked for it, or could not be started: arms its restart if there is to be one, and changes
 * *state and *reason if there have been too many. Returns the end of the sentence for people, to be freed.
 */
char *processor_plan_restart(Processor *p, ProcessorState *state, const char **reason);
/* Whether Restart= wants it to be started again when its process has ended, after a failure or in order */
bool processor_wants_restart(const Processor *p, bool failed);
/* From the end of its process until it is ready, or it is clear that it will not be */
bool processor_is_restarting(const Processor *p);
/* hetd starts it, and there is no process, nor will there be one by itself */
bool processor_has_ended(const Processor *p);
/* The platform is being ended; true if it was in a pause before a restart */
bool processor_cancel_restart(Processor *p);
/* The platform is started: nothing of before counts any more */
void processor_forget_restarts(Processor *p);
/* With a verb at work, which this ends, and no process: starts one of another kind, for which nothing of before counts */
void processor_start_anew(Processor *p, DoneFunc done, void *userdata);
/* The D-Bus verb: ends the process, if there is one, and starts another */
void processor_restart(Processor *p, DoneFunc done, void *userdata);

/* --- processor-watchdog.c --- */

/* Its state has changed: it is watched while it runs, whether its monitor answers or not */
void processor_watch(Processor *p);
/* It has hung, and it is not yet clear what becomes of its QEMU */
bool processor_is_failing(const Processor *p);
void processor_unwatch(Processor *p);
/* For its couple: how often its firmware is to give a sign of life, 0: not at all */
uint32_t processor_get_heartbeat_ms(const Processor *p);

/* --- processor-console.c --- */

/* Its state has changed: what it prints is watched while its QEMU answers */
void processor_limit_console_log(Processor *p);
void processor_leave_console_log(Processor *p);

/* --- processor-monitor.c --- */

/* A path, or an address of qemu-bus.h */
bool processor_connect_path(Processor *p, const char *path, GError **error);
/* bus_address: fd is a connection to QEMU's D-Bus, where its monitor is found; NULL: it is the monitor itself */
bool processor_connect_fd(Processor *p, int fd_consume, const char *bus_address, GError **error);
/* From the next turn of the loop on, until it succeeds; for one that is lost */
void processor_reconnect(Processor *p, const char *path);
/* Forgets the monitor without a change of state */
void processor_drop_monitor(Processor *p);
/* Lets go of a QEMU that hetd did not start: state `defined`. Its commands must have been answered. */
void processor_detached(Processor *p, const char *reason, const char *text);
/* A command for QEMU; done is told of the answer. Tolerates that there is no monitor. */
void processor_call(Processor *p, const char *command, json_object *arguments_consume, const QmpClientFd *fds, size_t n_fds,
                    DoneFunc done, void *userdata);

/* What came of processor_search_bus(): a monitor, with the address at which it is found again (NULL: nowhere); or an error */
bool processor_use_socket(Processor *p, int fd_consume, const char *address, GError **error);
void processor_connect_failed(Processor *p, const GError *error);

/* --- processor-qemu-state.c --- */

void processor_set_boots(Processor *p, uint64_t boots);
/* Of a slave: its own QEMU's "state" and "reason" */
void processor_apply_het_state(Processor *p, json_object *data);
/* Of a master: RunState */
void processor_apply_run_state(Processor *p, const char *status);

/* --- processor-bus.c --- */

/* Looks for QEMU at an address of qemu-bus.h, or over peer; processor_use_socket() or processor_connect_failed() follows */
bool processor_search_bus(Processor *p, const char *address, int peer_consume, GError **error);
void processor_drop_console(Processor *p);
/* Where one can connect to its console now; NULL: nowhere */
const char *processor_get_console(const Processor *p);

/* --- processor-command.c --- */

/* done when the processor is in one of these states, or cannot get there; mask 0: when the command was carried out */
void processor_call_for_state(Processor *p, const char *command, json_object *arguments_consume, unsigned mask, DoneFunc done,
                              void *userdata);
void processor_stop(Processor *p, DoneFunc done, void *userdata);
void processor_reset(Processor *p, DoneFunc done, void *userdata);
void processor_kick(Processor *p, uint32_t vector, bool from_slave, DoneFunc done, void *userdata);

/* --- processor-boot.c --- */

typedef struct BootOptions {
        bool has_entry, has_argument, has_protocol;
        uint64_t entry, argument;
        uint64_t resource_table;        /* where the window has one, 0: not known */
        BootProtocol protocol;
        const char *firmware;           /* NULL: the platform file's */
        bool no_load;                   /* the window has what is to run */
} BootOptions;

void processor_boot(Processor *p, const BootOptions *options, DoneFunc done, void *userdata);
/* AutoBoot= of one that has just become ready: does nothing where it is not set, or the master's guest was faster */
void processor_auto_boot(Processor *p, DoneFunc done, void *userdata);

/* --- processor-request.c --- */

/* HET_BOOT_REQUEST and HET_STOP_REQUEST of a master */
void processor_boot_requested(Processor *master, json_object *data);
void processor_stop_requested(Processor *master, json_object *data);
/* Nobody may have heard of those that have no answer yet */
void processor_repeat_requests(Processor *master);

/* --- processor-registers.c --- */

/* Exactly one of fd, which is borrowed, and error is set */
typedef void (*ProcessorFdFunc)(int fd, const GError *error, void *userdata);

/* An ELF core file with the registers of a slave's CPUs, which must have stopped as they were, and a little of its memory */
void processor_dump_registers(Processor *p, ProcessorFdFunc done, void *userdata);

/* --- processor-memory.c --- */

/* Gives the slave its window; makes memory for it if it has none. For the start of a platform. */
void processor_grant(Processor *p, DoneFunc done, void *userdata);
/* The D-Bus verbs; memory is duplicated */
void processor_grant_memory(Processor *p, int memory, uint64_t offset, DoneFunc done, void *userdata);
void processor_revoke_memory(Processor *p, DoneFunc done, void *userdata);
void processor_drop_window(Processor *p);
bool processor_make_window(Processor *p, GError **error);
/* The window's memory, borrowed */
bool processor_get_memory(Processor *p, int *ret_fd, GError **error);
