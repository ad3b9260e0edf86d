/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The QEMU process of a processor that hetd starts: from its command line to the reason of its end. See processor.h. */

#include "processor.h"

#include "adopt.h"
#include "command-line.h"
#include "log.h"
#include "platform.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* As HetState in qapi/het.json numbers them, which is what stands in the control page */
#define HET_STATE_OFFLINE       0U
#define HET_STATE_CRASHED       5U

#define MONITOR_END_TIMEOUT_USEC (500 * G_USEC_PER_SEC / 1000)
#define END_TIMEOUT_USEC        (PROCESSOR_QUIT_TIMEOUT_USEC + SPAWN_TERM_TIMEOUT_USEC + 10 * G_USEC_PER_SEC)

static char *file_of(const Processor *p, const char *suffix) {
        return g_strdup_printf("%s/%s.%s", p->platform->directory, p->config->name, suffix);
}

static void on_started(Spawn *spawn, void *userdata) {
        Processor *p = userdata;
        g_autofree char *path = file_of(p, "qmp");
        g_autoptr(GError) error = NULL;

        if (p->end_reason || processor_connect_path(p, path, &error))
                return;

        /* Its socket was made by us: it can only have ended, or somebody has removed it */
        processor_log(p, LOG_WARNING, "%s", error->message);
        spawn_end(spawn);
}

static void on_line(Spawn *spawn, const char *line, void *userdata) {
        Processor *p = userdata;

        /* What it lives on with is not why it ended */
        if (!strstr(line, ": warning: ")) {
                g_free(p->last_line);
                p->last_line = g_strdup(line);
        }
        processor_log(p, LOG_INFO, "%s/%s: QEMU says: %s", p->platform->config->name, p->config->name, line);
}

void processor_tell_peer(Processor *p, bool crashed) {
        if (!processor_is_master(p)) {
                if (p->couple)
                        couple_set_slave_state(p->couple, crashed ? HET_STATE_CRASHED : HET_STATE_OFFLINE);
                return;
        }

        for (guint i = 0; i < p->platform->processors->len; i++) {
                Processor *slave = p->platform->processors->pdata[i];

                slave->master_attached = false;
                if (slave->couple)
                        couple_set_master_state(slave->couple, crashed ? HET_STATE_CRASHED : HET_STATE_OFFLINE);
        }
}

/* Nobody has asked for its end */
static void set_ended(Processor *p, ProcessorState state, const char *reason, const char *text) {
        g_autofree char *next = processor_plan_restart(p, &state, &reason);

        processor_tell_peer(p, state == PROCESSOR_CRASHED);
        p->failure = HET_ERROR_SPAWN_FAILED;
        processor_set_state(p, state, reason, "%s%s", text, next);
}

static void set_end_state(Processor *p, const SpawnExit *status) {
        g_autofree char *how = spawn_exit_to_string(status), *text = NULL;
        bool clean = !status->killed && (status->unknown || status->status == 0), hung = p->watchdog.killed;
        g_autofree char *failure = g_steal_pointer(&p->spawn_failure);

        p->watchdog.killed = false;
        if (p->end_reason) {
                if (!g_str_equal(p->end_reason, "restart"))
                        p->restart.phase = RESTART_NONE;
                processor_tell_peer(p, false);
                p->failure = HET_ERROR_CANCELED;
                processor_set_state(p, PROCESSOR_STOPPED, p->end_reason, "Its QEMU process was ended as asked");
        } else if (failure) {
                text = g_strdup_printf("Its QEMU process could not be started: %s", failure);
                set_ended(p, PROCESSOR_CRASHED, "process-failed", text);
        } else if (p->start_failure) {
                text = g_strdup_printf("It was started again, and could not be used: %s (%s)", p->start_failure, how);
                set_ended(p, PROCESSOR_CRASHED, "restart-failed", text);
        } else if (p->guest_end)
                set_ended(p, p->guest_end_state, p->guest_end, "Its guest has ended, and its QEMU process was");
        else if (hung)
                set_ended(p, PROCESSOR_CRASHED, "watchdog", "It gave no sign of life in time, its QEMU did not answer, and was killed");
        else if (clean && p->shutdown_reason) {
                text = g_strdup_printf("%s, and its QEMU process ended", g_str_equal(p->shutdown_reason, "guest-shutdown") ?
                                       "Its guest powered off" : "QEMU was asked to quit");
                set_ended(p, PROCESSOR_STOPPED, p->shutdown_reason, text);
        } else {
                text = g_strdup_printf("Its QEMU process is gone: %s%s%s", how, p->last_line ? "; it said: " : "",
                                       p->last_line ?: "");
                set_ended(p, PROCESSOR_CRASHED, status->killed ? "process-killed" : "process-exit", text);
        }
}

void processor_finish_exit(Processor *p) {
        Job *job = p->platform->job;

        /* Its peer cannot be told before the couple is back: the job does this again */
        if (job && job->type == JOB_ADOPT && !job->has_couples) {
                p->exited = true;
                processor_check_waiters(p);
                return;
        }

        p->exited = false;
        p->process = spawn_free(p->process);
        p->process_id = (ProcessId) {};
        processor_leave_console_log(p);
        p->quit_timer = sd_event_source_disable_unref(p->quit_timer);
        p->exit_timer = sd_event_source_disable_unref(p->exit_timer);
        processor_drop_monitor(p);
        (void) unlink(p->console_path);
        processor_changed(p, "Pid");
        processor_changed(p, "Unit");
        processor_changed(p, "Console");
        processor_set_granted(p, false);
        if (!processor_is_master(p))
                p->slave_attached = false;

        set_end_state(p, &p->exit_status);
        processor_unwatch(p);
        processor_check_waiters(p);
}

static int on_monitor_stays_open(sd_event_source *source, uint64_t usec, void *userdata) {
        processor_finish_exit(userdata);
        return 0;
}

/* Why it ended may still be unread: SHUTDOWN is the last event of a QEMU that ends in order. The end of the connection follows. */
static void on_exited(Spawn *spawn, const SpawnExit *status, void *userdata) {
        Processor *p = userdata;

        p->exited = true;
        p->exit_status = *status;
        if (status->failure) {          /* it is gone with the process, the rest is not */
                g_free(p->spawn_failure);
                p->spawn_failure = g_strdup(status->failure);
                p->exit_status = (SpawnExit) { .unknown = true };
        }
        if (!p->monitor ||
            sd_event_add_time_relative(p->platform->manager->event, &p->exit_timer, CLOCK_MONOTONIC, MONITOR_END_TIMEOUT_USEC, 0,
                                       on_monitor_stays_open, p) < 0)
                processor_finish_exit(p);
}

/* systemd takes limits that this kernel, or this container, cannot keep, and says nothing */
static void warn_of_limits(const Processor *p, pid_t pid) {
        g_autofree char *of_processor = resource_limits_find_not_kept(&p->config->limits, pid);
        g_autofree char *of_platform = resource_limits_find_not_kept(&p->platform->config->limits, pid);

        if (of_processor || of_platform)
                processor_log(p, LOG_WARNING, "%s/%s: %s%s%s cannot be kept: cgroups lack the controller here", p->platform->config->name,
                              p->config->name, of_processor ?: "", of_processor && of_platform ? ", " : "", of_platform ?: "");
}

static bool has_limits(const Processor *p) {
        return resource_limits_are_set(&p->config->limits) || resource_limits_are_set(&p->platform->config->limits);
}

/* Whether it is to be a unit. One that is none has no limits; that is said, and is no reason not to start it. */
static bool choose_unit(Processor *p, GError **error) {
        const Manager *manager = p->platform->manager;
        bool unit = p->config->unit == PROCESSOR_UNIT_DEFAULT ? manager->options.units : p->config->unit == PROCESSOR_UNIT_YES;

        g_clear_pointer(&p->unit, g_free);
        if (unit && !manager->options.units) {
                g_set_error(error, HET_ERROR, HET_ERROR_NOT_SUPPORTED, "%s: Unit=yes: this hetd has no systemd start its QEMUs: start hetd "
                            "with --units, or remove Unit=", p->config->name);
                return false;
        }

        if (unit)
                p->unit = unit_make_name(p->platform->config->name, p->config->name);
        else if (has_limits(p))
                processor_log(p, LOG_WARNING, "%s/%s: Its QEMU is no unit of systemd: the limits of its platform file are not kept",
                              p->platform->config->name, p->config->name);
        return true;
}

static UnitRequest unit_request(const Processor *p) {
        return (UnitRequest) {
                .bus = p->platform->manager->bus,
                .platform = p->platform->config->name,
                .processor = p->config->name,
                .limits = &p->config->limits,
                .platform_limits = &p->platform->config->limits,
        };
}

static bool on_forked(const ProcessId *id, void *userdata, GError **error) {
        Processor *p = userdata;

        p->process_id = *id;
        processor_changed(p, "Pid");
        if (p->unit)
                warn_of_limits(p, id->pid);
        return platform_save(p->platform, error);
}

static const SpawnHandlers spawn_handlers = {
        .forked = on_forked,
        .started = on_started,
        .line = on_line,
        .exited = on_exited,
};

/* What an earlier process left; of one that is started again its last words stay */
static void forget_past(Processor *p, bool platform_start) {
        g_clear_pointer(&p->last_line, g_free);
        g_clear_pointer(&p->memory_id, g_free);
        g_clear_pointer(&p->start_failure, g_free);
        g_clear_pointer(&p->spawn_failure, g_free);
        p->end_reason = p->shutdown_reason = p->guest_end = NULL;
        p->end_asked = p->watchdog.killed = false;
        p->reconnects = 0;
        p->boots = 0;
        processor_changed(p, "Boots");
        (void) unlink(p->console_path);
        if (!platform_start)
                return;

        processor_forget_restarts(p);
        (void) unlink(p->log_path);
}

bool processor_start(Processor *p, const char *reason, const char *device_tree, GError **error) {
        bool platform_start = g_str_equal(reason, "platform-start");
        g_autofree char *qemu = NULL, *monitor = file_of(p, "qmp"), *output = file_of(p, "output"), *start = file_of(p, "start");
        g_autofree char *name = NULL;
        g_auto(GStrv) argv = NULL;

        p->started_usec = (uint64_t) g_get_monotonic_time();

        /* One that even SIGKILL does not end, for example because its disk hangs */
        if (p->process)
                return processor_wrong_state(p, error, "its QEMU process of before has not ended yet");
        if (!manager_find_qemu(p->platform->manager, p->config, &qemu, error) || !choose_unit(p, error))
                return false;

        CommandLinePaths paths = {
                .qemu = qemu,
                .console_socket = p->console_path,
                .console_log = p->log_path,
                .device_tree = device_tree,
        };

        forget_past(p, platform_start);
        name = g_strdup_printf("%s/%s", p->platform->config->name, p->config->name);
        argv = command_line_build(p->platform->config, p->config, &paths);

        UnitRequest unit = unit_request(p);
        SpawnRequest request = {
                .name = name,
                .argv = argv,
                .monitor_path = monitor,
                .output_path = output,
                .unit = p->unit ? &unit : NULL,
                .start_path = start,
        };
        g_autofree char *joined = g_strjoinv(" ", argv);

        processor_log(p, LOG_DEBUG, "%s: Starting %s", name, joined);
        if (!spawn_new(p->platform->manager->event, &request, &spawn_handlers, p, &p->process, error)) {
                p->process_id = (ProcessId) {};
                g_prefix_error(error, "%s: ", p->config->name);
                return false;
        }

        processor_changed(p, "Pid");
        processor_changed(p, "Unit");
        processor_changed(p, "Console");
        processor_changed(p, "ConsoleLog");
        processor_set_state(p, PROCESSOR_STARTING, reason, "Its QEMU process was started%s", platform_start ? "" : " again");
        return true;
}

static void set_lost(Processor *p, const char *reason, const char *text) {
        p->state = PROCESSOR_LOST;
        p->failure = HET_ERROR_MONITOR_LOST;
        p->reason = reason;
        g_free(p->reason_text);
        p->reason_text = g_strdup(text);
        p->state_usec = (uint64_t) g_get_real_time();
}

static bool adopt_process(Processor *p, GError **error) {
        g_autofree char *monitor = file_of(p, "qmp"), *output = file_of(p, "output");
        UnitRequest unit = unit_request(p);
        SpawnRequest request = {
                .name = p->config->name,
                .monitor_path = monitor,
                .output_path = output,
                .unit = p->unit ? &unit : NULL,
        };

        if (p->process_id.pid == 0)
                return true;
        if (!spawn_adopt(p->platform->manager->event, &request, &p->process_id, &spawn_handlers, p, &p->process, error))
                return false;
        if (spawn_get_pid(p->process) == 0)
                return true;

        set_lost(p, "hetd-restart", "hetd was started anew, its QEMU has not answered yet");
        processor_reconnect(p, monitor);
        return true;
}

bool processor_take_over(Processor *p, const char *monitor, GError **error) {
        if (p->config->start == PROCESSOR_START_HETD)
                return adopt_process(p, error);

        if (monitor) {
                set_lost(p, "hetd-restart", "hetd was started anew, its QEMU has not answered yet");
                processor_reconnect(p, monitor);
        } else if (!processor_in_states(p, PROCESSOR_STATES_ENDED))
                set_lost(p, "monitor-lost", "hetd was started anew, and its monitor had come as a file descriptor: attach it anew");
        return true;
}

static int on_quit_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Processor *p = userdata;

        processor_log(p, LOG_WARNING, "%s/%s: It does not quit, it is killed", p->platform->config->name, p->config->name);
        spawn_end(p->process);
        return 0;
}

static void on_quit_answered(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        /* The end of the process is what counts */
}

void processor_end(Processor *p, const char *reason, DoneFunc done, void *userdata) {
        if (!p->process) {
                if (processor_cancel_restart(p))
                        processor_set_state(p, PROCESSOR_STOPPED, reason,
                                            "Its QEMU process was not started again: its platform was ended");
                if (p->monitor || p->search || p->state == PROCESSOR_LOST)
                        processor_detached(p, reason, "hetd let go of it; its process lives on");
                done(NULL, userdata);
                return;
        }

        if (!p->end_asked && !p->exited) {
                bool asked = p->monitor_ready &&
                        qmp_client_call(p->monitor, "quit", NULL, NULL, 0, 0, on_quit_answered, NULL, NULL) > 0 &&
                        sd_event_add_time_relative(p->platform->manager->event, &p->quit_timer, CLOCK_MONOTONIC,
                                                   PROCESSOR_QUIT_TIMEOUT_USEC, 0, on_quit_timeout, p) >= 0;

                p->end_reason = reason;
                p->end_asked = true;
                if (!asked)
                        spawn_end(p->process);
        } else if (p->end_reason && processor_is_restarting(p))
                p->end_reason = reason;         /* it was to be started again, and is not */

        processor_wait(p, PROCESSOR_PROCESS_GONE, END_TIMEOUT_USEC, done, userdata);
}
