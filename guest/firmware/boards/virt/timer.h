/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The virtual timer of a Cortex-A15: in QEMU it counts the host's time while the guest runs. */

#include <stdint.h>

static inline uint32_t timer_frequency(void) {
        uint32_t frequency;

        __asm__ volatile("mrc p15, 0, %0, c14, c0, 0" : "=r"(frequency));               /* CNTFRQ */
        return frequency;
}

static inline uint64_t timer_now(void) {
        uint32_t low, high;

        __asm__ volatile("isb\n mrrc p15, 1, %0, %1, c14" : "=r"(low), "=r"(high) : : "memory");        /* CNTVCT */
        return (uint64_t) high << 32 | low;
}

/* BOARD_TIMER_IRQ is raised from then on, until timer_stop() */
static inline void timer_start(uint64_t when) {
        __asm__ volatile("mcrr p15, 3, %0, %1, c14\n"                                   /* CNTV_CVAL */
                         "mcr p15, 0, %2, c14, c3, 1\n isb"                             /* CNTV_CTL: enable */
                         : : "r"((uint32_t) when), "r"((uint32_t) (when >> 32)), "r"(1));
}

static inline void timer_stop(void) {
        __asm__ volatile("mcr p15, 0, %0, c14, c3, 1\n isb" : : "r"(0));
}
