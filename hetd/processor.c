/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "processor.h"

#include "adopt.h"
#include "bus.h"
#include "fd-store.h"
#include "log.h"
#include "platform.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <string.h>

typedef struct Waiter {
        Processor *processor;
        unsigned mask;
        DoneFunc done;
        void *userdata;
        sd_event_source *timer;
        GError *error;
} Waiter;

static const char *const state_names[_PROCESSOR_STATE_MAX] = {
        [PROCESSOR_DEFINED]  = "defined",
        [PROCESSOR_STARTING] = "starting",
        [PROCESSOR_WAITING]  = "waiting",
        [PROCESSOR_READY]    = "ready",
        [PROCESSOR_RUNNING]  = "running",
        [PROCESSOR_PAUSED]   = "paused",
        [PROCESSOR_STOPPED]  = "stopped",
        [PROCESSOR_CRASHED]  = "crashed",
        [PROCESSOR_LOST]     = "lost",
};

const char *processor_state_to_string(ProcessorState state) {
        return state_names[state];
}

bool processor_is_master(const Processor *p) {
        return p->config->role == PROCESSOR_MASTER;
}

bool processor_in_states(const Processor *p, unsigned mask) {
        return PROCESSOR_STATE_MASK(p->state) & mask;
}

void processor_log(const Processor *p, int level, const char *format, ...) {
        LogAbout about = { .platform = p->platform->config->name, .processor = p->config->name };
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        log_about(level, &about, "%s", text);
}

void processor_changed(Processor *p, const char *property) {
        bus_changed(p->platform->manager, p->path, BUS_PROCESSOR, property);
}

void processor_set_granted(Processor *p, bool granted) {
        if (p->granted == granted)
                return;

        p->granted = granted;
        processor_changed(p, "MemoryGranted");
}

static void log_state(const Processor *p, ProcessorState before) {
        LogAbout about = {
                .platform = p->platform->config->name,
                .processor = p->config->name,
                .state = processor_state_to_string(p->state),
                .reason = p->reason,
        };
        bool bad = p->state == PROCESSOR_CRASHED || p->state == PROCESSOR_LOST;

        log_about(bad ? LOG_WARNING : LOG_INFO, &about, "%s/%s: %s -> %s: %s", p->platform->config->name, p->config->name,
                  processor_state_to_string(before), processor_state_to_string(p->state), p->reason_text);
}

void processor_set_state(Processor *p, ProcessorState state, const char *reason, const char *format, ...) {
        ProcessorState before = p->state;
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        if (state == before && g_str_equal(reason, p->reason) && g_str_equal(text, p->reason_text))
                return;

        /* A state that was not told yet must not be skipped */
        if (bus_is_changed(p->platform->manager, p->path, BUS_PROCESSOR, "State"))
                bus_flush(p->platform->manager);

        p->state = state;
        p->reason = reason;
        g_free(p->reason_text);
        p->reason_text = g_steal_pointer(&text);
        p->state_usec = (uint64_t) g_get_real_time();

        log_state(p, before);
        processor_changed(p, "State");
        processor_changed(p, "Reason");
        processor_changed(p, "ReasonText");
        processor_changed(p, "StateChangeTimestamp");
        platform_save_soon(p->platform);

        processor_watch(p);
        processor_limit_console_log(p);
        processor_check_waiters(p);
        platform_processor_changed(p->platform, p);
}

static void waiter_free(Waiter *waiter) {
        sd_event_source_disable_unref(waiter->timer);
        g_clear_error(&waiter->error);
        g_free(waiter);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Waiter, waiter_free)

static bool is_unsettled(const Processor *p, unsigned mask) {
        return (mask & PROCESSOR_SETTLED) && (processor_is_restarting(p) || processor_is_failing(p));
}

static bool is_at_work(const Processor *p, unsigned mask) {
        return ((mask & (PROCESSOR_IDLE | PROCESSOR_SETTLED)) && p->busy) || is_unsettled(p, mask);
}

/* True when there is nothing more to wait for; waiter->error says if that was in vain */
static bool waiter_check(Waiter *waiter) {
        const Processor *p = waiter->processor;

        if (waiter->mask & PROCESSOR_PROCESS_GONE)
                return !p->process;
        /* What is at work comes to its end, in whatever state it is */
        if (processor_in_states(p, waiter->mask))
                return !is_at_work(p, waiter->mask);
        if (is_unsettled(p, waiter->mask) || !processor_in_states(p, PROCESSOR_STATES_ENDED | PROCESSOR_STATE_MASK(PROCESSOR_LOST)))
                return false;
        if ((waiter->mask & PROCESSOR_FROM_LOST) && p->state == PROCESSOR_LOST)
                return p->exited;
        if ((waiter->mask & PROCESSOR_FROM_CRASH) && p->state == PROCESSOR_CRASHED && p->monitor_ready)
                return false;

        waiter->error = g_error_new(HET_ERROR, p->failure, "%s: %s", p->config->name, p->reason_text);
        return true;
}

static int on_waited_too_long(sd_event_source *source, uint64_t usec, void *userdata) {
        g_autoptr(Waiter) waiter = userdata;
        Processor *p = waiter->processor;
        g_autoptr(GError) error = g_error_new(HET_ERROR, HET_ERROR_TIMEOUT, "%s: It is still %s (%s)", p->config->name,
                                              processor_state_to_string(p->state), p->reason_text);

        g_queue_remove(&p->waiters, waiter);
        waiter->done(error, waiter->userdata);
        return 0;
}

/* What is called may change the state, and wait anew */
void processor_check_waiters(Processor *p) {
        g_autoptr(GPtrArray) over = g_ptr_array_new_with_free_func((GDestroyNotify) waiter_free);

        for (GList *l = p->waiters.head; l;) {
                GList *next = l->next;

                if (waiter_check(l->data)) {
                        g_ptr_array_add(over, l->data);
                        g_queue_delete_link(&p->waiters, l);
                }
                l = next;
        }

        for (guint i = 0; i < over->len; i++) {
                Waiter *waiter = over->pdata[i];

                waiter->done(waiter->error, waiter->userdata);
        }
}

void processor_wait(Processor *p, unsigned mask, uint64_t timeout_usec, DoneFunc done, void *userdata) {
        g_autoptr(Waiter) waiter = g_new0(Waiter, 1);
        int r;

        waiter->processor = p;
        waiter->mask = mask;
        waiter->done = done;
        waiter->userdata = userdata;

        if (!waiter_check(waiter)) {
                r = sd_event_add_time_relative(p->platform->manager->event, &waiter->timer, CLOCK_MONOTONIC, timeout_usec, 0,
                                               on_waited_too_long, waiter);
                if (r >= 0) {
                        g_queue_push_tail(&p->waiters, g_steal_pointer(&waiter));
                        return;
                }

                waiter->error = g_error_new(HET_ERROR, HET_ERROR_FAILED, "Cannot arm a timer: %s", g_strerror(-r));
        }

        done(waiter->error, userdata);
}

bool processor_wrong_state(const Processor *p, GError **error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        het_error_wrong_state(error, p->config->name, processor_state_to_string(p->state), format, arguments);
        va_end(arguments);
        return false;
}

bool processor_begin(Processor *p, const char *verb, GError **error) {
        if (p->busy)
                return processor_wrong_state(p, error, "a %s is being carried out", p->busy);
        if (p->platform->ending)
                return processor_wrong_state(p, error, "the platform is being stopped");

        p->busy = verb;
        platform_save_soon(p->platform);
        return true;
}

void processor_end_verb(Processor *p) {
        p->busy = NULL;
        processor_check_waiters(p);
}

static char *file_path(Platform *platform, const ProcessorConfig *config, const char *suffix) {
        if (config->start != PROCESSOR_START_HETD)
                return NULL;

        return g_strdup_printf("%s/%s.%s", platform->directory, config->name, suffix);
}

Processor *processor_new(Platform *platform, const ProcessorConfig *config) {
        Processor *p = g_new0(Processor, 1);

        p->platform = platform;
        p->config = config;
        p->path = bus_processor_path(platform->config->name, config->name);
        p->state = PROCESSOR_DEFINED;
        p->reason = "defined";
        p->reason_text = g_strdup(config->start == PROCESSOR_START_HETD ? "The platform was not started yet" :
                                                                          "It is to be started by somebody else, and attached");
        p->state_usec = (uint64_t) g_get_real_time();
        p->failure = HET_ERROR_FAILED;
        p->window_fd = -EBADF;
        p->events = RATE_LIMIT(G_USEC_PER_SEC / PROCESSOR_EVENTS_PER_SEC, PROCESSOR_EVENTS_BURST);
        p->console_path = file_path(platform, config, "console");
        p->log_path = file_path(platform, config, "log");
        g_queue_init(&p->waiters);
        return p;
}

void processor_disconnect(Processor *p) {
        g_autoptr(GError) error = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "%s: The platform is gone", p->config->name);
        Waiter *waiter;

        (void) processor_cancel_restart(p);
        processor_unwatch(p);
        processor_drop_monitor(p);
        while ((waiter = g_queue_pop_head(&p->waiters))) {
                waiter->done(error, waiter->userdata);
                waiter_free(waiter);
        }
}

Processor *processor_free(Processor *p) {
        if (!p)
                return NULL;

        processor_disconnect(p);
        spawn_free(p->process);
        sd_event_source_disable_unref(p->quit_timer);
        sd_event_source_disable_unref(p->exit_timer);
        couple_free(p->couple);
        g_free(p->missing);
        fd_store_leave(p->window_fd);
        fd_close(p->window_fd);
        g_free(p->path);
        g_free(p->reason_text);
        g_free(p->last_line);
        g_free(p->start_failure);
        g_free(p->monitor_path);
        g_free(p->qemu_version);
        processor_leave_console_log(p);
        g_free(p->console_path);
        g_free(p->unit);
        g_free(p->spawn_failure);
        g_free(p->log_path);
        g_free(p->memory_id);
        g_free(p);
        return NULL;
}
