/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A slave that hangs (WatchdogSec=): its firmware gives signs of life through its IDM, and hetd, whose clock goes on when the slave's
 * QEMU does not, looks for them in the control page. See processor.h.
 *
 * One that gives none in time is crashed. QEMU is asked to stop it as it is, so that it can be looked at, and tells the master's
 * guest. A QEMU that does not even answer that has hung, too: hetd tells the guest for it, and kills it if it is one of its own.
 *
 * All that needs no monitor: one that is lost is watched as before, if its page says that it runs.
 */

#include "processor.h"

#include "hw/misc/idm-regs.h"
#include "log.h"
#include "platform.h"
#include "util/parse.h"
#include "util/sd-cleanup.h"

#define ANSWER_USEC     (50 * G_USEC_PER_SEC / 1000)    /* then the master's guest is told without the slave's QEMU */
#define KILL_USEC       (1 * G_USEC_PER_SEC)            /* and after this time it is killed */

static void arm(Processor *p, uint64_t usec);

static uint64_t now(void) {
        return (uint64_t) g_get_monotonic_time();
}

uint32_t processor_get_heartbeat_ms(const Processor *p) {
        return (uint32_t) (p->config->watchdog_usec / 1000);
}

bool processor_is_failing(const Processor *p) {
        return p->watchdog.phase == WATCHDOG_FAILING || p->watchdog.phase == WATCHDOG_UNRESPONSIVE;
}

void processor_unwatch(Processor *p) {
        p->watchdog.phase = WATCHDOG_OFF;
        p->watchdog.timer = sd_event_source_disable_unref(p->watchdog.timer);
}

static void begin(Processor *p) {
        p->watchdog.phase = WATCHDOG_WATCHING;
        p->watchdog.since_usec = now();
        arm(p, p->watchdog.since_usec + p->config->watchdog_usec);
}

void processor_watch(Processor *p) {
        if (p->config->watchdog_usec == 0 || (p->watchdog.phase == WATCHDOG_UNRESPONSIVE && p->state == PROCESSOR_CRASHED))
                return;

        if (p->state != PROCESSOR_RUNNING && p->state != PROCESSOR_LOST)
                processor_unwatch(p);
        else if (p->watchdog.phase == WATCHDOG_OFF || p->watchdog.phase == WATCHDOG_UNRESPONSIVE)
                begin(p);
}

/* --- one that has hung --- */

static void on_failed(const GError *error, void *userdata) {
        Processor *p = userdata;

        if (!processor_is_failing(p))
                return;         /* its state has come before the answer */
        if (error && (error->code == HET_ERROR_CANCELED || error->code == HET_ERROR_MONITOR_LOST))
                return;         /* its process has ended, or will, or its monitor is lost: there will be no answer */

        processor_unwatch(p);
        if (error)
                processor_log(p, LOG_INFO, "It gave no sign of life in time: %s", error->message);
        processor_watch(p);     /* it was paused, for example, and is not any more */
        processor_check_waiters(p);
}

static void fail(Processor *p) {
        char span[FORMAT_TIME_SPAN_MAX];

        processor_log(p, LOG_WARNING, "%s: No sign of life within %s (WatchdogSec=)", p->config->name,
                      format_time_span(p->config->watchdog_usec, span));
        p->watchdog.phase = WATCHDOG_FAILING;
        arm(p, now() + ANSWER_USEC);
        processor_call(p, "het-slave-fail", NULL, NULL, 0, on_failed, p);
}

static void tell_without_qemu(Processor *p) {
        p->watchdog.phase = WATCHDOG_UNRESPONSIVE;
        if (p->process)
                arm(p, now() + KILL_USEC);
        processor_tell_peer(p, true);
        p->failure = HET_ERROR_TIMEOUT;
        processor_set_state(p, PROCESSOR_CRASHED, "watchdog", "It gave no sign of life in time, and its QEMU does not answer");
}

/* --- one that is watched --- */

/* When it will have hung, if it does nothing until then */
static uint64_t get_deadline(const Processor *p) {
        uint64_t since = p->watchdog.since_usec, heartbeat = couple_get_heartbeat_ns(p->couple) / 1000;

        if (heartbeat != 0)
                return MAX(MIN(heartbeat, now()), since) + p->config->watchdog_usec;
        if (p->config->watchdog_start_usec > UINT64_MAX - since)
                return UINT64_MAX;
        return since + MAX(p->config->watchdog_start_usec, p->config->watchdog_usec);
}

static void look(Processor *p) {
        uint64_t deadline, next = now() + p->config->watchdog_usec;

        if (!p->couple || couple_get_slave_state(p->couple) != IDM_STATE_RUNNING) {
                /* It was paused, stopped or has crashed, which its monitor is about to tell, or will when it is back */
                p->watchdog.since_usec = now();
                arm(p, next);
                return;
        }

        deadline = get_deadline(p);
        if (deadline <= now())
                fail(p);
        else
                arm(p, MIN(deadline, next));    /* the first sign may come, and be the last one */
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Processor *p = userdata;

        p->watchdog.timer = sd_event_source_disable_unref(p->watchdog.timer);
        if (p->watchdog.phase == WATCHDOG_WATCHING)
                look(p);
        else if (p->watchdog.phase == WATCHDOG_FAILING)
                tell_without_qemu(p);
        else if (p->process) {
                p->watchdog.killed = true;
                spawn_end_now(p->process);
        }
        return 0;
}

static void arm(Processor *p, uint64_t usec) {
        int r;

        p->watchdog.timer = sd_event_source_disable_unref(p->watchdog.timer);
        r = sd_event_add_time(p->platform->manager->event, &p->watchdog.timer, CLOCK_MONOTONIC, usec, 1, on_timer, p);
        if (r < 0)
                processor_log(p, LOG_ERR, "%s: Cannot arm a timer, it is not watched: %s", p->config->name, g_strerror(-r));
}
