/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loop of a program with rpmsg. Its application (application.h) is called from here only. */

#include "application.h"
#include "doorbell.h"
#include "irq.h"
#include "resource-table.h"
#include "tick.h"
#include "trace.h"

extern const char vectors[];            /* where this program begins */

static bool tick_is_due;

static void ticked(void) {
        tick_is_due = true;
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
        unsigned events = 0;

        console_init();
        trace_init();
        irq_init();
        if (!doorbell_init())
                return 1;
        introduce();

        rpmsg_init(application.services, application.service_count, application.gone);
        doorbell_enable((uintptr_t) &resource_table);
        if (application.tick)
                tick_start(application.tick_ms, ticked);
        for (;;) {
                if (events & DOORBELL_LEFT)
                        rpmsg_driver_left();
                if (events & DOORBELL_KICK)
                        rpmsg_driver_kicked();
                rpmsg_poll();
                if (tick_is_due) {
                        tick_is_due = false;
                        application.tick();
                }
                /* To send may wait as well, so there may be something already */
                if (!(events = doorbell_take()) && !tick_is_due) {
                        irq_wait();
                        events = doorbell_take();
                }
        }
}
