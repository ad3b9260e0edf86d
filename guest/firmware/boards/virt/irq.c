/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupts of the virt board: GICv2, one CPU, one priority. */

#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "irq.h"
#include "mmio.h"

#define GICD_CTLR               (BOARD_GICD_BASE + 0x000)
#define GICD_ISENABLER(n)       (BOARD_GICD_BASE + 0x100 + 4 * ((n) / 32))
#define GICD_ITARGETSR(n)       (BOARD_GICD_BASE + 0x800 + (n))         /* a byte each */
#define GICD_ICFGR(n)           (BOARD_GICD_BASE + 0xc00 + 4 * ((n) / 16))
#define GICC_CTLR               (BOARD_GICC_BASE + 0x00)
#define GICC_PMR                (BOARD_GICC_BASE + 0x04)
#define GICC_IAR                (BOARD_GICC_BASE + 0x0c)
#define GICC_EOIR               (BOARD_GICC_BASE + 0x10)

#define IRQ_COUNT               288             /* INTIDs of this board; the spurious ones lie above */

static IrqHandler handlers[IRQ_COUNT];

void irq_entry(void);

void irq_init(void) {
        mmio_write32(GICD_CTLR, 1);
        mmio_write32(GICC_PMR, 0xff);
        mmio_write32(GICC_CTLR, 1);
}

void irq_enable(unsigned number, IrqTrigger trigger, IrqHandler handler) {
        uint32_t config = mmio_read32(GICD_ICFGR(number)), edge = 2u << 2 * (number % 16);

        handlers[number] = handler;
        *(volatile uint8_t *) GICD_ITARGETSR(number) = 1;
        mmio_write32(GICD_ICFGR(number), trigger == IRQ_EDGE ? config | edge : config & ~edge);
        mmio_write32(GICD_ISENABLER(number), 1u << number % 32);
}

/* The IRQ vector jumps here */
__attribute__((interrupt("IRQ")))
void irq_entry(void) {
        uint32_t acknowledge = mmio_read32(GICC_IAR), number = acknowledge & 0x3ff;

        if (number >= IRQ_COUNT)
                return;         /* spurious: it was taken back */
        handlers[number]();
        mmio_write32(GICC_EOIR, acknowledge);
}

void irq_wait(void) {
        /* A pending interrupt ends WFI although it is masked, so none can slip in between a check and the sleep. */
        __asm__ volatile("dsb\n wfi\n cpsie i\n isb\n cpsid i" : : : "memory");
}

void irq_look(void) {
        __asm__ volatile("cpsie i\n isb\n cpsid i" : : : "memory");
}
