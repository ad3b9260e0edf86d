/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loop of a program with rpmsg. Its application (application.h) is called from here only. */

#include "application.h"
#include "doorbell.h"
#include "irq.h"
#include "resource-table.h"
#include "tick.h"
#include "trace.h"

extern const char vectors[];            /* where this program begins */

/* Several signs of life in the time in which one is wanted: one may be late */
#define HEARTBEATS      4u

static bool tick_is_due;
static unsigned tick_ms;                /* how often it is due */
static unsigned application_ms;         /* since the application's last tick */

static void ticked(void) {
        tick_is_due = true;
}

static void need_tick(unsigned ms) {
        if (ms && (!tick_ms || ms < tick_ms))
                tick_ms = ms;
}

static void start_ticks(unsigned heartbeat_ms) {
        need_tick(application.tick ? application.tick_ms : 0);
        need_tick(heartbeat_ms < HEARTBEATS ? heartbeat_ms : heartbeat_ms / HEARTBEATS);
        need_tick(doorbell_poll_ms());
        if (tick_ms > TICK_MS_MAX)
                tick_ms = TICK_MS_MAX;
        if (tick_ms)
                tick_start(tick_ms, ticked);
}

static void tick(void) {
        tick_is_due = false;
        if (!application.tick)
                return;
        application_ms += tick_ms;
        if (application_ms >= application.tick_ms) {
                application_ms -= application.tick_ms;
                application.tick();
        }
}

static void introduce(void) {
        int self = doorbell_self();

        if (self >= 0)
                print("slave%u: ", (unsigned) self);
        else
                print("slave: ");
        print("%s, booted at 0x%x\n", application.name, (unsigned) (uintptr_t) vectors);
}

int main(void) {
        unsigned events = 0, heartbeat_ms;

        console_init();
        trace_init();
        irq_init();
        if (!doorbell_init())
                return 1;
        introduce();

        rpmsg_init(application.services, application.service_count, application.gone);
        doorbell_enable((uintptr_t) &resource_table);
        heartbeat_ms = doorbell_heartbeat_ms();
        start_ticks(heartbeat_ms);
        for (;;) {
                /* Here and nowhere else: a program that does not come round any more has hung */
                if (heartbeat_ms)
                        doorbell_heartbeat();
                if (events & DOORBELL_LEFT)
                        rpmsg_driver_left();
                if (events & DOORBELL_KICK)
                        rpmsg_driver_kicked();
                rpmsg_poll();
                if (tick_is_due)
                        tick();
                /* To send may wait as well, so there may be something already */
                if (!(events = doorbell_take()) && !tick_is_due) {
                        irq_wait();
                        events = doorbell_take();
                }
        }
}
