/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A QEMU process is started again: because it has ended and Restart= says so, or because a client asks for it. See processor.h.
 *
 * Of a slave the couple stays, and so does the window with its content: the master's QEMU notices nothing but the states that the
 * page tells. So it is with the slaves of a master.
 * Each end of a process that nobody asked for comes to processor_plan_restart(), that of a process which is just being started
 * again, too. So who starts it has nothing to do when the process has ended meanwhile, and ends it if it cannot be used.
 */

#include "processor.h"

#include "log.h"
#include "platform.h"
#include "util/parse.h"
#include "util/sd-cleanup.h"

/* What the pauses grow to, unless RestartSec= is longer: it costs little, and drivers of the master's guest wait a few seconds */
#define PAUSE_MAX_USEC          (1 * G_USEC_PER_SEC)
#define GOOD_WHILE_USEC         (1 * G_USEC_PER_SEC)    /* one that has lived so long has not failed at once */

static bool arm(Processor *p, uint64_t usec);

bool processor_is_restarting(const Processor *p) {
        return p->restart.phase != RESTART_NONE;
}

bool processor_has_ended(const Processor *p) {
        return p->config->start == PROCESSOR_START_HETD && !p->process && !processor_is_restarting(p) &&
                processor_in_states(p, PROCESSOR_STATES_ENDED);
}

/* --- whether, and when --- */

bool processor_wants_restart(const Processor *p, bool failed) {
        const Platform *platform = p->platform;

        if (!platform_is_active(platform) || (platform->job && platform->job->type == JOB_START))
                return false;

        return p->config->restart == RESTART_ALWAYS || (p->config->restart == RESTART_ON_FAILURE && failed);
}

/* As systemd counts: from the first start on, for the whole interval */
static bool is_within_limit(Processor *p) {
        ProcessorRestart *r = &p->restart;
        uint64_t now = (uint64_t) g_get_monotonic_time(), interval = p->config->start_limit_usec;

        if (p->config->start_limit_burst == 0 || interval == 0)
                return true;

        if (r->limit_count == 0 || (interval != TIME_SPAN_INFINITY && now - r->limit_since_usec >= interval)) {
                r->limit_since_usec = now;
                r->limit_count = 0;
        }

        return r->limit_count < p->config->start_limit_burst;
}

static uint64_t take_pause(Processor *p) {
        ProcessorRestart *r = &p->restart;
        uint64_t first = p->config->restart_usec, max = MAX(PAUSE_MAX_USEC, first), pause;

        if ((uint64_t) g_get_monotonic_time() - p->started_usec >= GOOD_WHILE_USEC)
                r->in_a_row = 0;

        if (r->in_a_row > 0)
                first = MAX(first, 1000U);      /* nothing, twice as long, would be nothing for ever */
        pause = r->in_a_row < 32 ? MIN(first << r->in_a_row, max) : max;
        r->in_a_row++;
        r->limit_count++;
        return pause;
}

char *processor_plan_restart(Processor *p, ProcessorState *state, const char **reason) {
        char span[FORMAT_TIME_SPAN_MAX];
        uint64_t pause;

        if (!processor_is_restarting(p))
                p->restart.no_boot = false;
        p->restart.phase = RESTART_NONE;
        if (!processor_wants_restart(p, *state == PROCESSOR_CRASHED))
                return g_strdup("");

        if (!is_within_limit(p)) {
                *state = PROCESSOR_CRASHED;
                *reason = "restart-limit";
                return g_strdup_printf("; it was started again %u times within %s, and is not once more (StartLimitBurst=): find "
                                       "out why it ends, then use 'hetctl restart %s/%s', or stop and start the platform",
                                       p->restart.limit_count, format_time_span(p->config->start_limit_usec, span),
                                       p->platform->config->name, p->config->name);
        }

        pause = take_pause(p);
        if (!arm(p, pause))
                return g_strdup("");

        p->restart.phase = RESTART_PLANNED;
        return g_strdup_printf("; it is started again in %s", format_time_span(pause, span));
}

/* --- the start --- */

static void end_restart(Processor *p, const GError *error) {
        DoneFunc done = p->restart.done;

        p->restart.done = NULL;
        processor_end_verb(p);
        if (done)
                done(error, p->restart.userdata);
}

static void on_auto_booted(const GError *error, void *userdata) {
        if (error)
                processor_log(userdata, LOG_WARNING, "It was started again, and could not be booted: %s", error->message);
}

/* There was no process that could have ended */
static void set_not_started(Processor *p, const GError *error) {
        ProcessorState state = PROCESSOR_CRASHED;
        const char *reason = "restart-failed";
        g_autofree char *next = processor_plan_restart(p, &state, &reason);

        p->failure = (HetError) error->code;
        processor_set_state(p, state, reason, "It could not be started again: %s%s", error->message, next);
}

static void on_started(const GError *error, void *userdata) {
        Processor *p = userdata;
        bool boot = !error && !p->restart.no_boot, ending = p->platform->ending;

        if (error && p->process && !ending) {
                /* It lives, and is no part of the platform */
                g_free(p->start_failure);
                p->start_failure = g_strdup(error->message);
                spawn_end(p->process);
        } else if (p->restart.phase == RESTART_STARTING) {
                p->restart.phase = RESTART_NONE;
                if (error && !ending && processor_in_states(p, PROCESSOR_STATES_ENDED))
                        set_not_started(p, error);
        }

        end_restart(p, error);
        if (boot)
                processor_auto_boot(p, on_auto_booted, p);
}

static void start(Processor *p) {
        p->restart.count++;
        processor_changed(p, "Restarts");
        if (processor_is_master(p))
                platform_restart_master(p->platform, on_started, p);
        else
                platform_start_slave(p, "restart", on_started, p);
}

static void begin_planned(Processor *p);

/* A verb that was at work when the process ended has found that out */
static void on_idle(const GError *error, void *userdata) {
        Processor *p = userdata;

        if (p->restart.phase == RESTART_PLANNED && !p->restart.timer && !p->platform->ending)
                begin_planned(p);
}

static void begin_planned(Processor *p) {
        if (p->busy)
                processor_wait(p, PROCESSOR_STATES_ALL | PROCESSOR_IDLE, PROCESSOR_STATE_TIMEOUT_USEC, on_idle, p);
        else if (processor_begin(p, "restart", NULL)) {
                p->restart.phase = RESTART_STARTING;
                start(p);
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Processor *p = userdata;

        p->restart.timer = sd_event_source_disable_unref(p->restart.timer);
        if (p->restart.phase == RESTART_PLANNED)
                begin_planned(p);
        else if (p->restart.phase == RESTART_STARTING)
                start(p);
        return 0;
}

static bool arm(Processor *p, uint64_t usec) {
        int r;

        p->restart.timer = sd_event_source_disable_unref(p->restart.timer);
        r = sd_event_add_time_relative(p->platform->manager->event, &p->restart.timer, CLOCK_MONOTONIC, usec, 1, on_timer, p);
        if (r < 0)
                processor_log(p, LOG_ERR, "%s: Cannot arm a timer: %s", p->config->name, g_strerror(-r));

        return r >= 0;
}

bool processor_cancel_restart(Processor *p) {
        g_autoptr(GError) error = NULL;
        RestartPhase phase = p->restart.phase;

        if (phase == RESTART_STARTING && !p->restart.timer)     /* what has begun has an end of its own */
                return processor_is_master(p) && platform_cancel_master_restart(p->platform);
        if (phase == RESTART_NONE)
                return false;

        p->restart.phase = RESTART_NONE;
        p->restart.timer = sd_event_source_disable_unref(p->restart.timer);
        if (phase == RESTART_STARTING) {
                error = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "%s: The platform is being stopped", p->config->name);
                end_restart(p, error);
        }

        return true;
}

void processor_forget_restarts(Processor *p) {
        p->restart.in_a_row = p->restart.limit_count = 0;
        if (p->restart.count == 0)
                return;

        p->restart.count = 0;
        processor_changed(p, "Restarts");
}

/* --- Restart of the bus --- */

/* Not from here: what the old process has left is still being put away */
static void on_old_ended(const GError *error, void *userdata) {
        Processor *p = userdata;
        g_autoptr(GError) local = NULL;

        if (!error && p->platform->ending)
                local = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "%s: The platform is being stopped", p->config->name);
        else if (!error && !arm(p, 0))
                local = g_error_new(HET_ERROR, HET_ERROR_FAILED, "%s: There is no timer for its start", p->config->name);

        /* Its end may have been an accident before it was one that we asked for */
        p->restart.phase = error || local ? RESTART_NONE : RESTART_STARTING;
        if (p->restart.phase == RESTART_STARTING)
                return;

        end_restart(p, error ?: local);
}

static bool may_restart(Processor *p, GError **error) {
        if (p->config->start != PROCESSOR_START_HETD)
                return processor_wrong_state(p, error, "hetd does not start it (it has Start=external)");
        if (!platform_is_active(p->platform))
                return processor_wrong_state(p, error, "its platform is not started, start that");
        if (p->platform->job)
                return processor_wrong_state(p, error, "its platform is being started or stopped");

        return processor_begin(p, "restart", error);
}

static void begin_anew(Processor *p, DoneFunc done, void *userdata) {
        p->restart.in_a_row = p->restart.limit_count = 0;
        p->restart.no_boot = false;
        p->restart.phase = RESTART_STARTING;
        p->restart.done = done;
        p->restart.userdata = userdata;
}

void processor_restart(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;

        if (!may_restart(p, &error)) {
                done(error, userdata);
                return;
        }

        (void) processor_cancel_restart(p);
        begin_anew(p, done, userdata);
        processor_end(p, "restart", on_old_ended, p);
}

void processor_start_anew(Processor *p, DoneFunc done, void *userdata) {
        begin_anew(p, done, userdata);
        start(p);
}
