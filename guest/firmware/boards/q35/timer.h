/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The clock of the CPU (TSC) and the timer of its interrupt controller (LAPIC). How fast they are is measured once, by the
 * HPET, whose registers are too slow to measure with: each access leaves the virtual machine.
 */

#include <stdint.h>

uint32_t timer_frequency(void);

static inline uint64_t timer_now(void) {
        uint32_t low, high;

        __asm__ volatile("lfence\n rdtsc" : "=a"(low), "=d"(high) : : "memory");
        return (uint64_t) high << 32 | low;
}

/* BOARD_TIMER_IRQ is raised then, once, unless timer_stop() comes before */
void timer_start(uint64_t when);
void timer_stop(void);
