/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupts of a PC: messages and the timer come by the CPU's own controller (LAPIC), the serial line by the old pair of
 * controllers (PIC).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "fault.h"
#include "irq.h"
#include "mmio.h"
#include "port.h"

#define LAPIC_EOI               (BOARD_LAPIC_BASE + 0x0b0)
#define LAPIC_SPURIOUS          (BOARD_LAPIC_BASE + 0x0f0)
#define LAPIC_SPURIOUS_ENABLE   (1u << 8)
#define LAPIC_LINT0             (BOARD_LAPIC_BASE + 0x350)      /* where the PIC is, as a PC's firmware sets it up */
#define LAPIC_LINT0_PIC         0x700u

#define PIC1                    0x20u
#define PIC2                    0xa0u
#define PIC_INIT                0x11u           /* four words follow each other */
#define PIC_SLAVE_INPUT         2u
#define PIC_8086                0x01u
#define PIC_EOI                 0x20u

/* KVM without the processor's own virtualization sees an open window only when it has something else to do meanwhile. */
#define LOOK_TURNS              10000u

#define EXCEPTIONS              32u
#define VECTORS                 80u             /* of the table; the last one is the spurious one's */
#ifdef __x86_64__
#define CODE_SEGMENT            0x20u
#else
#define CODE_SEGMENT            0x10u
#endif
#define GATE_INTERRUPT          0x8e00u         /* present, masks interrupts */

typedef struct Gate {
        uint16_t offset_low, segment, flags, offset_high;
#ifdef __x86_64__
        uint32_t offset_top, reserved;
#endif
} Gate;

extern const uint32_t irq_entries[VECTORS];     /* start.S */
static Gate gates[VECTORS];
static IrqHandler handlers[VECTORS];

void irq_entry(uint32_t vector, uint32_t address);

static void pic_init(void) {
        port_write8(PIC1, PIC_INIT);
        port_write8(PIC2, PIC_INIT);
        port_write8(PIC1 + 1, BOARD_PIC_IRQ);
        port_write8(PIC2 + 1, BOARD_PIC_IRQ + 8);
        port_write8(PIC1 + 1, 1u << PIC_SLAVE_INPUT);
        port_write8(PIC2 + 1, PIC_SLAVE_INPUT);
        port_write8(PIC1 + 1, PIC_8086);
        port_write8(PIC2 + 1, PIC_8086);
        port_write8(PIC1 + 1, 0xff);
        port_write8(PIC2 + 1, 0xff);
}

void irq_init(void) {
        const struct __attribute__((packed)) {
                uint16_t limit;
                uintptr_t base;
        } table = { sizeof(gates) - 1, (uintptr_t) gates };

        for (unsigned v = 0; v < VECTORS; v++)
                gates[v] = (Gate) { .offset_low = (uint16_t) irq_entries[v], .segment = CODE_SEGMENT, .flags = GATE_INTERRUPT,
                                    .offset_high = (uint16_t) (irq_entries[v] >> 16) };
        __asm__ volatile("lidt %0" : : "m"(table) : "memory");
        pic_init();
        mmio_write32(LAPIC_SPURIOUS, LAPIC_SPURIOUS_ENABLE | BOARD_SPURIOUS_IRQ);
        mmio_write32(LAPIC_LINT0, LAPIC_LINT0_PIC);
}

static bool is_of_pic(unsigned number) {
        return number >= BOARD_PIC_IRQ && number < BOARD_PIC_IRQ + 8;
}

void irq_enable(unsigned number, IrqTrigger trigger, IrqHandler handler) {
        (void) trigger;         /* a PC's serial line and messages are edges */
        handlers[number] = handler;
        if (is_of_pic(number))
                port_write8(PIC1 + 1, (uint8_t) (port_read8(PIC1 + 1) & ~(1u << (number - BOARD_PIC_IRQ))));
}

/* From start.S. address: where it came in between, or what has gone wrong there */
void irq_entry(uint32_t vector, uint32_t address) {
        if (vector < EXCEPTIONS)
                fault(vector, address);
        if (vector == BOARD_SPURIOUS_IRQ)
                return;
        if (is_of_pic(vector))
                port_write8(PIC1, PIC_EOI);
        else
                mmio_write32(LAPIC_EOI, 0);
        if (handlers[vector])
                handlers[vector]();
}

void irq_wait(void) {
        /* Interrupts are let in after the instruction that follows STI, so none can slip in between a check and the sleep. */
        __asm__ volatile("sti\n hlt\n cli" : : : "memory");
}

void irq_look(void) {
        unsigned turns = LOOK_TURNS;

        __asm__ volatile("sti\n 1: dec %0\n jnz 1b\n cli" : "+r"(turns) : : "memory", "cc");
}
