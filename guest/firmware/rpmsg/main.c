/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loop of a program with rpmsg. Its application (application.h) is called from here only. */

#include "application.h"
#include "board.h"
#include "idm.h"
#include "irq.h"
#include "resource-table.h"
#include "tick.h"
#include "trace.h"

extern const char vectors[];            /* where this program begins */

static bool tick_is_due;

static void received(unsigned couple, uint32_t vectors_received) {
        /* Which ring it is about does not matter: both are looked at. It has ended irq_wait(), and that is all. */
        (void) couple;
        (void) vectors_received;
}

static void ticked(void) {
        tick_is_due = true;
}

int main(void) {
        static const IdmClient client = { .vectors = received };

        console_init();
        trace_init();
        irq_init();
        if (!idm_init(BOARD_IDM_BASE, &client)) {
                print("slave: there is no IDM at 0x%x\n", BOARD_IDM_BASE);
                return 1;
        }
        print("slave%u: %s, booted at 0x%x\n", (unsigned) idm_self(), application.name, (unsigned) (uintptr_t) vectors);

        idm_publish_resource_table((uintptr_t) &resource_table);
        rpmsg_init(application.services, application.service_count, application.gone);
        irq_enable(BOARD_IDM_IRQ, IRQ_LEVEL, idm_interrupt);
        idm_enable(IDM_MASTER, ~0u, 0);
        if (application.tick)
                tick_start(application.tick_ms, ticked);
        for (;;) {
                rpmsg_poll();
                if (tick_is_due) {
                        tick_is_due = false;
                        application.tick();
                }
                irq_wait();
        }
}
