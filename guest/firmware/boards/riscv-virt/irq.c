/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupts of the RISC-V virt board: the PLIC, one hart, one priority. Traps stay masked: WFI ends all the same when an
 * interrupt is pending that is enabled in mie, and the PLIC says which.
 */

#include <stdint.h>

#include "board.h"
#include "irq.h"
#include "mmio.h"

#define PLIC_PRIORITY(n)        (BOARD_PLIC_BASE + 4 * (n))
#define PLIC_ENABLE(n)          (BOARD_PLIC_BASE + 0x2000 + 4 * ((n) / 32))     /* of hart 0 in machine mode */
#define PLIC_THRESHOLD          (BOARD_PLIC_BASE + 0x200000)
#define PLIC_CLAIM              (BOARD_PLIC_BASE + 0x200004)

#define MIE_EXTERNAL            (1u << 11)
#define IRQ_COUNT               96u

static IrqHandler handlers[IRQ_COUNT];

void irq_init(void) {
        mmio_write32(PLIC_THRESHOLD, 0);
        __asm__ volatile("csrs mie, %0" : : "r"(MIE_EXTERNAL));
}

void irq_enable(unsigned number, IrqTrigger trigger, IrqHandler handler) {
        (void) trigger;         /* the PLIC does not want to know */
        handlers[number] = handler;
        mmio_write32(PLIC_PRIORITY(number), 1);
        mmio_write32(PLIC_ENABLE(number), mmio_read32(PLIC_ENABLE(number)) | 1u << number % 32);
}

void irq_look(void) {
        uint32_t number;

        while ((number = mmio_read32(PLIC_CLAIM))) {
                if (number < IRQ_COUNT && handlers[number])
                        handlers[number]();
                mmio_write32(PLIC_CLAIM, number);
        }
}

void irq_wait(void) {
        __asm__ volatile("wfi" : : : "memory");
        irq_look();
}
