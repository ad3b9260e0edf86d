/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The connection to a processor's QEMU: what it says of its state when it is connected, what its events mean, and what is done when
 * the connection is lost. See processor.h.
 *
 * QEMU sends events from the negotiation on, and its answers in order with them: what comes later is newer, so each is applied
 * when it comes.
 */

#include "processor.h"

#include "adopt.h"
#include "log.h"
#include "platform.h"
#include "util/fd-util.h"
#include "util/json-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <string.h>

#define LOST_GRACE_USEC         (500 * G_USEC_PER_SEC / 1000)   /* the end of the process comes within it, if that is the reason */
#define RECONNECT_MIN_USEC      (100 * G_USEC_PER_SEC / 1000)
#define RECONNECT_MAX_USEC      (10 * G_USEC_PER_SEC)
#define HUNG_USEC_MAX           (UINT64_C(365) * 24 * 3600 * G_USEC_PER_SEC)

/* --- queries after the connection was made --- */

static void refuse(Processor *p, HetError code, const char *text) {
        processor_drop_monitor(p);
        p->failure = code;
        if (p->process)
                processor_set_state(p, PROCESSOR_LOST, "not-supported", "%s", text);
        else
                processor_set_state(p, PROCESSOR_DEFINED, "attach-failed", "%s", text);
}

static void break_connection(Processor *p);
static void connect_failed_again(Processor *p, const GError *error);

/* To one of the first questions. A QEMU that was too slow is no other one for that: it is asked again. */
static void refuse_answer(Processor *p, const GError *error, const char *what) {
        if (error && error->code == HET_ERROR_TIMEOUT)
                break_connection(p);
        else
                refuse(p, error ? (HetError) error->code : HET_ERROR_PROTOCOL, error ? error->message : what);
}

static void monitor_is_ready(Processor *p) {
        p->monitor_ready = true;
        p->reconnects = 0;
        g_free(p->qemu_version);
        p->qemu_version = g_strdup(qmp_client_get_version(p->monitor));
}

static void on_status(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        Processor *p = userdata;
        const char *status = result ? json_get_string(result, "status") : NULL;
        bool adopted;

        if (p->monitor != client || (error && (error->code == HET_ERROR_CANCELED || error->code == HET_ERROR_MONITOR_LOST)))
                return;         /* given up, or `closed` follows */

        if (!status) {
                refuse_answer(p, error, "QEMU told no status");
                return;
        }

        monitor_is_ready(p);
        adopted = p->platform->job && p->platform->job->type == JOB_ADOPT;
        processor_apply_run_state(p, status);
        if (!adopted)           /* else the end of the job does it */
                processor_repeat_requests(p);
}

static void take_memory(Processor *p, json_object *info) {
        json_object *memory = json_get_array(info, "memory");
        json_object *first = memory && json_object_array_length(memory) > 0 ? json_object_array_get_idx(memory, 0) : NULL;
        bool granted = false;

        g_free(p->memory_id);
        p->memory_id = g_strdup(first ? json_get_string(first, "id") : NULL);
        if (first)
                (void) json_get_bool(first, "granted", &granted);
        processor_set_granted(p, granted);
}

/* What somebody before us has left in this QEMU: joining takes it away first */
static void take_couples(Processor *p, json_object *info) {
        json_object *couples = json_get_array(info, "couples");
        size_t n = couples ? json_object_array_length(couples) : 0;

        for (size_t i = 0; i < n; i++) {
                uint64_t id = 0;
                Processor *slave = p;

                if (processor_is_master(p) && json_get_uint64(json_object_array_get_idx(couples, i), "id", &id))
                        slave = platform_find_slave(p->platform, (uint32_t) id);
                if (slave && processor_is_master(p))
                        slave->master_attached = true;
                else if (slave)
                        slave->slave_attached = true;
        }
}

static void on_het(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        Processor *p = userdata;
        const char *role = result ? json_get_string(result, "role") : NULL;
        bool is_slave = role && g_str_equal(role, "slave");
        uint64_t boots = 0;

        if (p->monitor != client || (error && (error->code == HET_ERROR_CANCELED || error->code == HET_ERROR_MONITOR_LOST)))
                return;

        if (!role && error && error->code == HET_ERROR_NOT_SUPPORTED)
                refuse(p, HET_ERROR_NOT_SUPPORTED,
                       "This QEMU knows nothing of heterogeneous platforms (no query-het): use the patched one");
        else if (!role)
                refuse_answer(p, error, "QEMU told no role");
        else if (processor_is_master(p) && is_slave)
                refuse(p, HET_ERROR_NOT_SUPPORTED, "This QEMU is a slave and cannot be the master");
        else if (!processor_is_master(p) && !is_slave)
                refuse(p, HET_ERROR_NOT_SUPPORTED, "This QEMU is no slave: start it with -machine slave=on");
        else if (processor_is_master(p)) {
                take_couples(p, result);
                if (qmp_client_call(client, "query-status", NULL, NULL, 0, 0, on_status, p, NULL) == 0)
                        refuse(p, HET_ERROR_LIMIT_EXCEEDED, "QEMU cannot be asked for its status");
        } else {
                take_memory(p, result);
                take_couples(p, result);
                if (json_get_uint64(result, "boots", &boots))
                        processor_set_boots(p, boots);
                monitor_is_ready(p);
                processor_apply_het_state(p, result);
        }
}

static void on_fds(const GError *error, void *userdata) {
        Processor *p = userdata;
        QmpClient *client = p->monitor;

        if (!client || qmp_client_get_state(client) != QMP_CLIENT_READY)
                return;         /* given up, or `closed` follows */

        if (qmp_client_call(client, "query-het", NULL, NULL, 0, 0, on_het, p, NULL) == 0)
                refuse(p, HET_ERROR_LIMIT_EXCEEDED, "QEMU cannot be asked for its state");
}

/* Its path may be that of another QEMU now, which was started in its place and has nothing of what this one was given */
static bool is_another_process(Processor *p, pid_t peer) {
        return !p->process && p->state == PROCESSOR_LOST && p->monitor_peer != 0 && peer != p->monitor_peer;
}

static void on_ready(QmpClient *client, void *userdata) {
        Processor *p = userdata;
        pid_t peer = qmp_client_get_peer(client);
        g_autoptr(GError) error = NULL;

        if (is_another_process(p, peer)) {
                error = g_error_new(HET_ERROR, HET_ERROR_MONITOR_LOST, "Another process listens on its monitor");
                connect_failed_again(p, error);
                return;
        }

        p->monitor_peer = peer;
        adopt_fds(p, on_fds, p);
}

/* --- events --- */

static void on_slave_state(Processor *p, json_object *data) {
        const char *state = json_get_string(data, "state"), *reason = json_get_string(data, "reason");

        if (state && reason && g_str_equal(state, "running") && g_str_equal(reason, "boot")) {
                p->shutdown_reason = NULL;
                processor_set_boots(p, p->boots + 1);
        }
        processor_apply_het_state(p, data);
}

static void on_master_resumed(Processor *p, json_object *data) {
        if (p->state == PROCESSOR_RUNNING)
                return;

        if (p->boots == 0) {
                processor_set_boots(p, 1);
                processor_set_state(p, PROCESSOR_RUNNING, "boot", "Its CPUs were started");
        } else
                processor_set_state(p, PROCESSOR_RUNNING, "cpus-resumed", "Its CPUs go on");
}

static void on_master_stopped(Processor *p, json_object *data) {
        /* After a panic or a power-off QEMU stops the CPUs: they will not go on */
        if (p->state == PROCESSOR_CRASHED)
                return;

        if (p->shutdown_reason)
                processor_set_state(p, PROCESSOR_STOPPED, p->shutdown_reason, "Its guest powered off");
        else
                processor_set_state(p, PROCESSOR_PAUSED, "cpus-stopped", "Its CPUs were stopped");
}

static void on_shutdown(Processor *p, json_object *data) {
        bool guest = false;

        (void) json_get_bool(data, "guest", &guest);
        p->shutdown_reason = guest ? "guest-shutdown" : "host-shutdown";
}

static void on_reset(Processor *p, json_object *data) {
        bool guest = false;

        p->shutdown_reason = NULL;
        if (!processor_is_master(p) || !processor_in_states(p, PROCESSOR_STATES_CONNECTED))
                return;

        (void) json_get_bool(data, "guest", &guest);
        if (p->state == PROCESSOR_RUNNING)
                processor_set_boots(p, p->boots + 1);
        processor_set_state(p, p->state, guest ? "guest-reset" : "host-reset", "%s (boot %" G_GUINT64_FORMAT ")",
                            guest ? "Its guest reset itself" : "It was reset", p->boots);
        platform_stop_slaves(p->platform, PLATFORM_MASTER_RESET);
}

static void on_panicked(Processor *p, json_object *data) {
        processor_set_state(p, PROCESSOR_CRASHED, "guest-panicked", "Its guest panicked");
}

static void on_granted(Processor *p, json_object *data) {
        processor_set_granted(p, true);
}

static void on_revoked(Processor *p, json_object *data) {
        processor_set_granted(p, false);
}

/*
 * Each event may become a line in the log and a signal for all clients. A QEMU that sends more of them than a real one has reason to
 * is not read for a while: they wait in its own process, in their order, and nobody but who talks to it waits with them.
 */
static void hold_back(Processor *p) {
        uint64_t wait = rate_limit_take(&p->events, (uint64_t) g_get_monotonic_time());

        if (wait == 0 || !p->monitor)
                return;

        if (!p->noisy)
                processor_log(p, LOG_WARNING, "%s: Its QEMU sends too many events, from now on no more than %u a second are looked at",
                              p->config->name, PROCESSOR_EVENTS_PER_SEC);
        p->noisy = true;
        qmp_client_hold(p->monitor, wait);
}

#define FROM_MASTER     1U
#define FROM_SLAVE      2U

static void on_event(QmpClient *client, const char *event, json_object *data, uint64_t usec, void *userdata) {
        static const struct {
                const char *name;
                unsigned from;                  /* whose it is; another one's is not looked at, whatever it says */
                void (*handler)(Processor *p, json_object *data);
        } handlers[] = {
                { "HET_SLAVE_STATE", FROM_SLAVE, on_slave_state },      /* a master tells what the slave itself tells better */
                { "HET_MEMORY_GRANTED", FROM_SLAVE, on_granted },
                { "HET_MEMORY_REVOKED", FROM_SLAVE, on_revoked },
                { "HET_BOOT_REQUEST", FROM_MASTER, processor_boot_requested },
                { "HET_STOP_REQUEST", FROM_MASTER, processor_stop_requested },
                { "STOP", FROM_MASTER, on_master_stopped },
                { "RESUME", FROM_MASTER, on_master_resumed },
                { "SHUTDOWN", FROM_MASTER | FROM_SLAVE, on_shutdown },
                { "RESET", FROM_MASTER | FROM_SLAVE, on_reset },
                { "GUEST_PANICKED", FROM_MASTER, on_panicked },
        };
        Processor *p = userdata;
        unsigned from = processor_is_master(p) ? FROM_MASTER : FROM_SLAVE;

        if (log_is_on(LOG_DEBUG))
                processor_log(p, LOG_DEBUG, "%s: Event %s %s", p->config->name, event, data ? json_object_to_json_string(data) : "");

        /* What happens before the answer to the first query is in that answer */
        if (!p->monitor_ready && !g_str_equal(event, "SHUTDOWN"))
                return;

        for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++)
                if (g_str_equal(handlers[i].name, event) && (handlers[i].from & from)) {
                        handlers[i].handler(p, data);
                        hold_back(p);
                        return;
                }
}

/* --- loss and return --- */

static bool arm_reconnect(Processor *p, uint64_t usec);
static const QmpClientHandlers monitor_handlers;

static bool open_monitor(Processor *p, const char *path, GError **error) {
        if (qemu_bus_is_address(path))
                return processor_search_bus(p, path, -EBADF, error);

        return qmp_client_new_path(p->platform->manager->event, path, &monitor_handlers, p, &p->monitor, error);
}

static void set_lost(Processor *p, const char *text) {
        if (p->state == PROCESSOR_STARTING || p->state == PROCESSOR_LOST)
                return;         /* starting goes on until its time is over */

        p->failure = HET_ERROR_MONITOR_LOST;
        processor_set_state(p, PROCESSOR_LOST, "monitor-lost", "%s", text);
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata) {
        Processor *p = userdata;
        g_autoptr(GError) error = NULL;

        p->reconnect_timer = sd_event_source_disable_unref(p->reconnect_timer);
        if (p->process && spawn_is_gone(p->process))
                return 0;       /* the loop is about to tell */

        set_lost(p, "The connection to its monitor ended, its process may live on");
        if (!p->monitor_path || p->monitor || p->search || !open_monitor(p, p->monitor_path, &error))
                connect_failed_again(p, error);
        return 0;
}

/* QEMU says so before it ends in order */
static void external_ended(Processor *p, const GError *error) {
        bool crashed = !p->shutdown_reason;

        p->failure = HET_ERROR_MONITOR_LOST;
        p->slave_attached = false;
        processor_drop_monitor(p);
        processor_set_granted(p, false);
        processor_tell_peer(p, crashed);
        if (crashed)
                processor_set_state(p, PROCESSOR_CRASHED, "process-exit", "Its process is gone: %s", error->message);
        else
                processor_set_state(p, PROCESSOR_STOPPED, p->shutdown_reason, "Its process has ended, as it was asked to");
}

static void connect_failed_again(Processor *p, const GError *error) {
        if (!p->process && error && error->code == HET_ERROR_MONITOR_LOST)
                external_ended(p, error);
        else if (p->monitor_path)
                (void) arm_reconnect(p, MIN(RECONNECT_MIN_USEC << MIN(p->reconnects, 10U), RECONNECT_MAX_USEC));

        p->reconnects++;
}

static bool arm_reconnect(Processor *p, uint64_t usec) {
        int r;

        p->reconnect_timer = sd_event_source_disable_unref(p->reconnect_timer);
        r = sd_event_add_time_relative(p->platform->manager->event, &p->reconnect_timer, CLOCK_MONOTONIC, usec, 0, on_reconnect, p);
        if (r < 0)
                processor_log(p, LOG_ERR, "%s: Cannot arm a timer: %s", p->config->name, g_strerror(-r));

        return r >= 0;
}

static void set_monitor_path(Processor *p, const char *path) {
        if (g_strcmp0(p->monitor_path, path) == 0)
                return;

        g_free(p->monitor_path);
        p->monitor_path = g_strdup(path);
        processor_changed(p, "Monitor");
        platform_save_soon(p->platform);
}

void processor_reconnect(Processor *p, const char *path) {
        set_monitor_path(p, path);
        (void) arm_reconnect(p, 0);
}

static void attach_failed(Processor *p, const GError *reason) {
        p->failure = reason->code;
        processor_drop_monitor(p);
        processor_set_state(p, PROCESSOR_DEFINED, "attach-failed", "%s", reason->message);
}

static void on_closed(QmpClient *client, const GError *reason, void *userdata) {
        Processor *p = userdata;
        bool was_ready = p->monitor_ready;

        p->monitor = qmp_client_free(p->monitor);
        p->monitor_ready = false;
        if (p->exited) {
                processor_finish_exit(p);
                return;
        }
        if (p->end_reason)
                return;

        processor_log(p, LOG_DEBUG, "%s: Its monitor closed: %s", p->config->name, reason->message);
        if (p->process && p->state == PROCESSOR_STARTING && reason->code == HET_ERROR_PROTOCOL) {
                refuse(p, HET_ERROR_PROTOCOL, reason->message);         /* no QEMU, and it will not become one */
                return;
        }
        if (p->process) {
                (void) arm_reconnect(p, was_ready ? LOST_GRACE_USEC : RECONNECT_MAX_USEC / 20);
                return;
        }

        if (p->state == PROCESSOR_STARTING)
                attach_failed(p, reason);
        else if (p->monitor_path) {
                set_lost(p, "The connection to its monitor ended, its process may live on");
                (void) arm_reconnect(p, RECONNECT_MIN_USEC);
        } else
                set_lost(p, "The connection to its monitor ended; it came as a file descriptor: attach it anew");
}

static void break_connection(Processor *p) {
        g_autoptr(GError) reason = g_error_new(HET_ERROR, HET_ERROR_TIMEOUT, "QEMU is connected, and does not answer");

        on_closed(p->monitor, reason, p);
}

static const QmpClientHandlers monitor_handlers = {
        .ready = on_ready,
        .event = on_event,
        .closed = on_closed,
};

static void set_attaching(Processor *p) {
        if (!p->process)
                processor_set_state(p, PROCESSOR_STARTING, "attach", "Its monitor is being connected");
}

bool processor_connect_path(Processor *p, const char *path, GError **error) {
        processor_drop_monitor(p);
        p->monitor_peer = 0;
        if (!open_monitor(p, path, error))
                return false;

        set_monitor_path(p, path);
        set_attaching(p);
        return true;
}

bool processor_use_socket(Processor *p, int fd_consume, const char *address, GError **error) {
        if (!qmp_client_new_fd(p->platform->manager->event, fd_consume, &monitor_handlers, p, &p->monitor, error))
                return false;

        set_monitor_path(p, address);
        return true;
}

void processor_connect_failed(Processor *p, const GError *error) {
        if (p->state == PROCESSOR_STARTING)
                attach_failed(p, error);
        else
                connect_failed_again(p, error);
}

bool processor_connect_fd(Processor *p, int fd_consume, const char *bus_address, GError **error) {
        processor_drop_monitor(p);
        p->monitor_peer = 0;
        if (bus_address ? !processor_search_bus(p, bus_address, fd_consume, error) : !processor_use_socket(p, fd_consume, NULL, error))
                return false;

        set_attaching(p);
        return true;
}

void processor_drop_monitor(Processor *p) {
        QmpClient *monitor = g_steal_pointer(&p->monitor);

        p->monitor_ready = false;
        p->reconnect_timer = sd_event_source_disable_unref(p->reconnect_timer);
        p->search = qemu_bus_free(p->search);
        processor_drop_console(p);
        set_monitor_path(p, NULL);
        qmp_client_free(monitor);
}

void processor_detached(Processor *p, const char *reason, const char *text) {
        processor_drop_monitor(p);
        processor_set_granted(p, false);
        p->failure = HET_ERROR_CANCELED;
        processor_set_state(p, PROCESSOR_DEFINED, reason, "%s", text);
}

/* --- commands --- */

typedef struct Call {
        Processor *processor;
        char *command;
        DoneFunc done;
        void *userdata;
} Call;

static void call_done(Call *call, const GError *error) {
        g_autoptr(GError) full = error ? g_error_new(error->domain, error->code, "%s: %s: %s", call->processor->config->name,
                                                     call->command, error->message) : NULL;
        DoneFunc done = call->done;
        void *userdata = call->userdata;

        g_free(call->command);
        g_free(call);
        done(full, userdata);
}

/* Nothing is asked of a QEMU without need, so that one that hangs is noticed by a command that it does not answer. Its socket keeps
 * what was sent: the answer to one more question is the sign that it is back, and says how. */
static void set_hung(Processor *p) {
        g_autoptr(GError) error = NULL;

        if (!processor_in_states(p, PROCESSOR_STATES_CONNECTED | PROCESSOR_STATE_MASK(PROCESSOR_CRASHED)))
                return;

        if (qmp_client_call(p->monitor, "query-het", NULL, NULL, 0, HUNG_USEC_MAX, on_het, p, &error) == 0) {
                processor_log(p, LOG_WARNING, "%s: It does not answer, and cannot be asked again: %s", p->config->name, error->message);
                return;
        }

        p->failure = HET_ERROR_TIMEOUT;
        processor_set_state(p, PROCESSOR_LOST, "monitor-hung", "Its QEMU does not answer; it may go on, and its state is known when it answers");
}

static void on_answered(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        Call *call = userdata;

        if (error && error->code == HET_ERROR_TIMEOUT && call->processor->monitor == client)
                set_hung(call->processor);
        call_done(call, error);
}

void processor_call(Processor *p, const char *command, json_object *arguments_consume, const QmpClientFd *fds, size_t n_fds,
                    DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;
        Call *call = g_new0(Call, 1);

        call->processor = p;
        call->command = g_strdup(command);
        call->done = done;
        call->userdata = userdata;

        if (!p->monitor_ready) {
                json_object_put(arguments_consume);
                error = g_error_new(HET_ERROR, HET_ERROR_MONITOR_LOST, "There is no connection to its monitor");
        } else if (qmp_client_call(p->monitor, command, arguments_consume, fds, n_fds, 0, on_answered, call, &error) > 0)
                return;

        call_done(call, error);
}
