/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tick of the mps2-an385 board: the Cortex-M's SysTick, which counts the board's reference clock of 1 MHz. */

#include <stdint.h>

#include "irq-entry.h"
#include "mmio.h"
#include "tick.h"

#define SYST_CSR                0xe000e010u
#define SYST_CSR_ENABLE         (1u << 0)
#define SYST_CSR_INTERRUPT      (1u << 1)
#define SYST_RVR                0xe000e014u     /* 24 bits */
#define SYST_CVR                0xe000e018u

#define CLOCKS_PER_MS           1000u

_Static_assert(TICK_MS_MAX * CLOCKS_PER_MS <= 1u << 24, "the counter has 24 bits");

static void (*tick_handler)(void);

void tick_entry(void) {
        tick_handler();
}

void tick_start(unsigned period_ms, void (*handler)(void)) {
        tick_handler = handler;
        mmio_write32(SYST_RVR, period_ms * CLOCKS_PER_MS - 1);
        mmio_write32(SYST_CVR, 0);
        mmio_write32(SYST_CSR, SYST_CSR_ENABLE | SYST_CSR_INTERRUPT);
}
