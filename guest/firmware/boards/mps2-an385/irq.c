/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupts of the MPS2 boards: the Cortex-M's NVIC, one priority. */

#include <stddef.h>
#include <stdint.h>

#include <board.h>             /* of the board that it is made for, which may be another one */
#include "irq.h"
#include "irq-entry.h"
#include "mmio.h"

#define NVIC_ISER(n)            (0xe000e100u + 4 * ((n) / 32))

static IrqHandler handlers[BOARD_IRQ_COUNT];

void irq_init(void) {
        /* At reset all inputs are off and have the same priority; the CPU has its vector table from the boot. */
}

/* The NVIC sees for itself whether an input is a level or a pulse. */
void irq_enable(unsigned number, IrqTrigger trigger, IrqHandler handler) {
        (void) trigger;
        handlers[number] = handler;
        mmio_write32(NVIC_ISER(number), 1u << number % 32);
}

void irq_entry(void) {
        uint32_t exception;

        __asm__ volatile("mrs %0, ipsr" : "=r"(exception));
        handlers[exception - 16]();
}

void irq_wait(void) {
        /* A pending interrupt ends WFI although it is masked, so none can slip in between a check and the sleep. */
        __asm__ volatile("dsb\n wfi\n cpsie i\n isb\n cpsid i" : : : "memory");
}

void irq_look(void) {
        __asm__ volatile("cpsie i\n isb\n cpsid i" : : : "memory");
}
