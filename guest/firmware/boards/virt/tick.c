/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tick of the virt board: the virtual timer of the CPU. */

#include <stdint.h>

#include "board.h"
#include "irq.h"
#include "tick.h"
#include "timer.h"

static void (*tick_handler)(void);
static uint64_t tick_period, tick_next;

static void tick_interrupt(void) {
        uint64_t now = timer_now();

        /* Ticks do not drift; those that were missed do not come all at once. */
        tick_next += tick_period;
        if (tick_next < now)
                tick_next = now + tick_period;
        timer_start(tick_next);
        tick_handler();
}

void tick_start(unsigned period_ms, void (*handler)(void)) {
        tick_handler = handler;
        tick_period = (uint64_t) timer_frequency() * period_ms / 1000;
        tick_next = timer_now() + tick_period;
        irq_enable(BOARD_TIMER_IRQ, IRQ_LEVEL, tick_interrupt);
        timer_start(tick_next);
}
