/*
 * STM32 view of a couple: start, stop and watchdog
 *
 * On the chip these are bits that act at once. Here a start and a stop are
 * requests to the manager of the platform, one after the other; what the
 * guest wants is kept until it can be asked for. The driver of Linux goes
 * on to load the next program as soon as it has written the reset register,
 * so the processor that wrote waits until the slave has stopped, as if the
 * write took that long.
 *
 * The driver has no way to learn that a start failed. The watchdog's
 * interrupt, which tells it that a slave that ran does not any more, says
 * it too: the first time at once, then less and less often, since the
 * driver starts the slave again whenever it comes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "hw/het-window.h"
#include "hw/misc/idm-stm32.h"
#include "system/cpus.h"
#include "system/runstate.h"
#include "trace.h"

#define PULSE_MIN_MS    100
#define PULSE_MAX_MS    5000
/* Well before a kernel takes a processor that does not go on for broken */
#define WAIT_MAX_MS     5000

static HetState idm_stm32_peer_state(IDMStm32State *s)
{
    const HetCoupleState *c = het_couple_find(s->view.id);

    return c ? het_couple_peer_state(c) : HET_STATE_OFFLINE;
}

static bool idm_stm32_runs(IDMStm32State *s)
{
    HetState state = idm_stm32_peer_state(s);

    return state == HET_STATE_RUNNING || state == HET_STATE_PAUSED;
}

static bool idm_stm32_is_booted(IDMStm32State *s)
{
    return idm_stm32_runs(s) || idm_stm32_peer_state(s) == HET_STATE_CRASHED;
}

static uint32_t idm_stm32_state(IDMStm32State *s)
{
    if (idm_stm32_peer_state(s) == HET_STATE_CRASHED) {
        return STM32_STATE_CRASH;
    }
    /* Without a table Linux could neither use nor stop it */
    return idm_stm32_runs(s) && idm_stm32_resource_table(s)
           ? STM32_STATE_RUN : STM32_STATE_OFF;
}

uint32_t idm_stm32_run_state(IDMStm32State *s)
{
    s->run.used = true;
    return idm_stm32_state(s);
}

/* --- the watchdog --- */

static void idm_stm32_pulse(void *opaque)
{
    IDMStm32State *s = opaque;

    timer_del(s->run.pulse_timer);
    trace_idm_stm32_watchdog(s->view.id,
                             HetState_str(idm_stm32_peer_state(s)));
    qemu_irq_pulse(s->watchdog);
}

static void idm_stm32_start_failed(IDMStm32State *s)
{
    unsigned n = s->run.failures++;
    int64_t ms = n ? MIN((int64_t)PULSE_MIN_MS << MIN(n - 1, 10),
                         PULSE_MAX_MS) : 0;

    trace_idm_stm32_start_failed(s->view.id, s->run.failures, ms);
    if (ms) {
        timer_mod(s->run.pulse_timer,
                  qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ms);
    } else {
        idm_stm32_pulse(s);
    }
}

/* --- the processor that waits for the end of a stop --- */

static void idm_stm32_go_on(void *opaque)
{
    IDMStm32State *s = opaque;
    CPUState *cpu = s->run.waiting;

    timer_del(s->run.waiting_timer);
    s->run.waiting = NULL;
    trace_idm_stm32_go_on(s->view.id, s->run.stop_wanted);
    /* If the machine is paused, it goes on together with the others */
    if (cpu && runstate_is_running()) {
        cpu_resume(cpu);
    }
}

static void idm_stm32_wait_for_stop(IDMStm32State *s)
{
    /* There is one that can wait: another would never go on again */
    if (!current_cpu || !s->run.stop_wanted || s->run.waiting) {
        return;
    }
    s->run.waiting = current_cpu;
    timer_mod(s->run.waiting_timer,
              qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + WAIT_MAX_MS);
    cpu_stop_current();
}

/* --- requests --- */

static void idm_stm32_request_boot(IDMStm32State *s, HetCoupleState *c)
{
    uint64_t entry = s->entry, size;

    /* The entry of the program that Linux has loaded is not told to us */
    if (!entry) {
        het_window_get(s->view.id, &entry, &size);
    }
    s->run.request = IDM_STM32_REQUEST_BOOT;
    s->run.told = false;
    /* Nor is the address of its resource table: its firmware can publish it */
    het_couple_request_boot(c, entry, s->argument, 0, HET_BOOT_PROTOCOL_AUTO);
}

static void idm_stm32_stopped(IDMStm32State *s)
{
    s->run.stop_wanted = false;
    if (s->run.waiting) {
        idm_stm32_go_on(s);
    }
}

/* Asks for what is wanted next; the answer to a pending request comes here */
static void idm_stm32_advance(IDMStm32State *s)
{
    HetCoupleState *c = het_couple_find(s->view.id);

    if (c && het_couple_request(c) == HET_REQUEST_RESULT_PENDING) {
        return;
    }
    if (s->run.stop_wanted && c && idm_stm32_is_booted(s)) {
        s->run.request = IDM_STM32_REQUEST_STOP;
        het_couple_request_stop(c);
        return;
    }
    if (s->run.stop_wanted) {
        idm_stm32_stopped(s);
    }
    if (!s->run.boot_wanted) {
        return;
    }
    s->run.boot_wanted = false;
    if (!c) {
        idm_stm32_start_failed(s);
    } else if (!idm_stm32_runs(s)) {
        idm_stm32_request_boot(s, c);
    }
}

/* A manager that is slow answers when the slave has run and ended already */
static void idm_stm32_boot_answered(IDMStm32State *s, HetRequestResult result)
{
    if (s->run.stop_wanted) {
        return;                         /* nobody is interested any more */
    }
    if (s->run.told) {
        s->run.started = true;
        s->run.failures = 0;
        return;
    }
    if (result != HET_REQUEST_RESULT_DONE) {
        idm_stm32_start_failed(s);
        return;
    }
    s->run.started = true;
    s->run.failures = 0;
    s->run.alive = idm_stm32_runs(s);
    if (!s->run.alive) {
        idm_stm32_pulse(s);             /* it has ended already */
    }
}

void idm_stm32_run_completed(IDMStm32State *s)
{
    const HetCoupleState *c = het_couple_find(s->view.id);
    IDMStm32Request request = s->run.request;

    s->run.request = IDM_STM32_REQUEST_NONE;
    if (request == IDM_STM32_REQUEST_STOP) {
        idm_stm32_stopped(s);
    } else if (request == IDM_STM32_REQUEST_BOOT) {
        idm_stm32_boot_answered(s, het_couple_request(c));
    }
    idm_stm32_advance(s);
}

void idm_stm32_run_changed(IDMStm32State *s)
{
    bool runs = idm_stm32_runs(s);

    if (!het_couple_find(s->view.id) &&
        s->run.request != IDM_STM32_REQUEST_NONE) {
        /* It went with the couple, and has no answer */
        s->run.boot_wanted |= s->run.request == IDM_STM32_REQUEST_BOOT;
        s->run.request = IDM_STM32_REQUEST_NONE;
    }
    if (runs) {
        s->run.alive = !s->run.stop_wanted;
    } else if (s->run.alive) {
        s->run.alive = false;
        s->run.told = s->run.used;
        if (s->run.used) {
            idm_stm32_pulse(s);
        }
    } else if (timer_pending(s->run.pulse_timer) &&
               idm_stm32_peer_state(s) == HET_STATE_READY) {
        idm_stm32_pulse(s);             /* the next start has a chance */
    }
    idm_stm32_advance(s);
}

/* --- what the guest writes --- */

void idm_stm32_run_reset(IDMStm32State *s)
{
    HetCoupleState *c = het_couple_find(s->view.id);

    trace_idm_stm32_reset(s->view.id, HetState_str(idm_stm32_peer_state(s)));
    if (c) {
        het_channels_clear(c);
    }
    timer_del(s->run.pulse_timer);
    s->run.used = true;
    s->run.alive = false;
    s->run.started = false;
    s->run.boot_wanted = s->run.released;
    s->run.stop_wanted = idm_stm32_is_booted(s) ||
                         s->run.request == IDM_STM32_REQUEST_BOOT;
    idm_stm32_advance(s);
    idm_stm32_wait_for_stop(s);
}

void idm_stm32_run_release(IDMStm32State *s, bool released)
{
    s->run.used = true;
    s->run.released = released;
    if (!released || (idm_stm32_runs(s) &&
                      (s->run.started ||
                       idm_stm32_state(s) == STM32_STATE_RUN))) {
        return;
    }
    /* One that Linux was not told of runs something else, or has crashed */
    s->run.stop_wanted |= idm_stm32_is_booted(s);
    s->run.alive = false;
    s->run.boot_wanted = true;
    idm_stm32_advance(s);
}

/* --- the device's life --- */

/*
 * A request that was made before it is answered after it. The platform may
 * stop the slave because of the reset; that is no crash for the next kernel.
 */
void idm_stm32_run_reset_hold(IDMStm32State *s)
{
    timer_del(s->run.pulse_timer);
    timer_del(s->run.waiting_timer);
    s->run.waiting = NULL;
    s->run.used = false;
    s->run.released = false;
    s->run.pdds = false;
    s->run.stop_wanted = false;
    s->run.boot_wanted = false;
    s->run.failures = 0;
}

/*
 * The slave goes on. It is told that the master has left it, so that it
 * does not use rings that are not there any more; and if the next kernel
 * will not see it, it is stopped.
 */
void idm_stm32_run_reset_exit(IDMStm32State *s)
{
    HetCoupleState *c = het_couple_find(s->view.id);

    if (c && idm_stm32_state(s) == STM32_STATE_RUN) {
        het_channel_raise(c, STM32_CHANNEL_DETACH);
    } else if (s->run.started || s->run.request == IDM_STM32_REQUEST_BOOT) {
        s->run.alive = false;
        s->run.stop_wanted = true;
        idm_stm32_advance(s);
    }
    s->run.started = false;
}

void idm_stm32_run_init(IDMStm32State *s)
{
    s->run.pulse_timer = timer_new_ms(QEMU_CLOCK_REALTIME, idm_stm32_pulse, s);
    s->run.waiting_timer = timer_new_ms(QEMU_CLOCK_REALTIME, idm_stm32_go_on,
                                        s);
}

void idm_stm32_run_end(IDMStm32State *s)
{
    timer_free(s->run.pulse_timer);
    timer_free(s->run.waiting_timer);
}
