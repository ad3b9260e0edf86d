/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The timer of a PC; see timer.h. */

#include <stdint.h>

#include "board.h"
#include "mmio.h"
#include "timer.h"

#define HPET_PERIOD             (BOARD_HPET_BASE + 0x004)       /* femtoseconds */
#define HPET_CONFIG             (BOARD_HPET_BASE + 0x010)
#define HPET_CONFIG_ENABLE      1u
#define HPET_COUNTER            (BOARD_HPET_BASE + 0x0f0)

#define LAPIC_TIMER             (BOARD_LAPIC_BASE + 0x320)
#define LAPIC_TIMER_MASKED      (1u << 16)
#define LAPIC_TIMER_COUNT       (BOARD_LAPIC_BASE + 0x380)
#define LAPIC_TIMER_LEFT        (BOARD_LAPIC_BASE + 0x390)
#define LAPIC_TIMER_DIVIDE      (BOARD_LAPIC_BASE + 0x3e0)
#define LAPIC_TIMER_BY_128      0x0au           /* 32 bits are minutes then */

#define FS_PER_MS               1000000000000ull
#define MEASURE_MS              20u
#define LOOKS                   32u             /* the host may take the CPU away in the middle of one: the quickest counts */

/* What the three clocks have counted at the same time */
typedef struct Clocks {
        uint64_t tsc;
        uint32_t hpet, lapic;
} Clocks;

static uint32_t tsc_per_ms, lapic_per_ms;

static Clocks look(void) {
        uint64_t shortest = UINT64_MAX;
        Clocks ret = { 0 };

        for (unsigned i = 0; i < LOOKS; i++) {
                uint64_t begin = timer_now(), took;
                Clocks c = { .hpet = mmio_read32(HPET_COUNTER), .lapic = mmio_read32(LAPIC_TIMER_LEFT) };

                took = timer_now() - begin;
                c.tsc = begin + took / 2;
                if (took < shortest) {
                        shortest = took;
                        ret = c;
                }
        }
        return ret;
}

static void measure(void) {
        uint64_t period;        /* femtoseconds */
        Clocks begin, end;

        mmio_write32(HPET_CONFIG, HPET_CONFIG_ENABLE);
        mmio_write32(LAPIC_TIMER, LAPIC_TIMER_MASKED | BOARD_TIMER_IRQ);
        mmio_write32(LAPIC_TIMER_DIVIDE, LAPIC_TIMER_BY_128);
        mmio_write32(LAPIC_TIMER_COUNT, ~0u);
        period = mmio_read32(HPET_PERIOD);
        begin = look();
        while ((mmio_read32(HPET_COUNTER) - begin.hpet) * period < MEASURE_MS * FS_PER_MS)
                ;
        end = look();
        period *= end.hpet - begin.hpet;        /* of the measurement */
        tsc_per_ms = (uint32_t) ((end.tsc - begin.tsc) * (FS_PER_MS / 1000000u) / (period / 1000000u));
        lapic_per_ms = (uint32_t) ((uint64_t) (begin.lapic - end.lapic) * (FS_PER_MS / 1000000u) / (period / 1000000u));
}

uint32_t timer_frequency(void) {
        if (tsc_per_ms == 0)
                measure();
        return tsc_per_ms * 1000u;
}

void timer_start(uint64_t when) {
        uint64_t now = timer_now(), left = when > now ? when - now : 0;
        uint32_t count;

        (void) timer_frequency();
        count = (uint32_t) (left * lapic_per_ms / tsc_per_ms);
        mmio_write32(LAPIC_TIMER, BOARD_TIMER_IRQ);
        mmio_write32(LAPIC_TIMER_COUNT, count > 0 ? count : 1);
}

void timer_stop(void) {
        mmio_write32(LAPIC_TIMER, LAPIC_TIMER_MASKED | BOARD_TIMER_IRQ);
        mmio_write32(LAPIC_TIMER_COUNT, 0);
}
