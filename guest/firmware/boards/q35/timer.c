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
#define MEASURE_MS              10u
#define MEASUREMENTS            5u              /* the host may take the CPU away in the middle of one: the median counts */

static uint32_t tsc_per_ms, lapic_per_ms;

static uint32_t median(uint32_t *numbers) {
        for (unsigned i = 1; i < MEASUREMENTS; i++)
                for (unsigned k = i; k > 0 && numbers[k - 1] > numbers[k]; k--) {
                        uint32_t number = numbers[k];

                        numbers[k] = numbers[k - 1];
                        numbers[k - 1] = number;
                }
        return numbers[MEASUREMENTS / 2];
}

static void measure_once(uint32_t *ret_tsc, uint32_t *ret_lapic) {
        uint32_t ticks = (uint32_t) (MEASURE_MS * FS_PER_MS / mmio_read32(HPET_PERIOD)), begin;
        uint64_t tsc;

        begin = mmio_read32(HPET_COUNTER);
        tsc = timer_now();
        mmio_write32(LAPIC_TIMER_COUNT, ~0u);
        while (mmio_read32(HPET_COUNTER) - begin < ticks)
                ;
        *ret_lapic = (~0u - mmio_read32(LAPIC_TIMER_LEFT)) / MEASURE_MS;
        *ret_tsc = (uint32_t) ((timer_now() - tsc) / MEASURE_MS);
}

static void measure(void) {
        uint32_t tsc[MEASUREMENTS], lapic[MEASUREMENTS];

        mmio_write32(HPET_CONFIG, HPET_CONFIG_ENABLE);
        mmio_write32(LAPIC_TIMER, LAPIC_TIMER_MASKED | BOARD_TIMER_IRQ);
        mmio_write32(LAPIC_TIMER_DIVIDE, LAPIC_TIMER_BY_128);
        for (unsigned i = 0; i < MEASUREMENTS; i++)
                measure_once(&tsc[i], &lapic[i]);
        tsc_per_ms = median(tsc);
        lapic_per_ms = median(lapic);
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
