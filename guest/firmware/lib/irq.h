/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Interrupts; each board has its own irq.c. main() is entered with interrupts masked and they stay so: they are let in
 * only inside irq_wait() and irq_look(), so a program never races with its handlers.
 */

typedef void (*IrqHandler)(void);

typedef enum IrqTrigger {
        IRQ_LEVEL,
        IRQ_EDGE,
} IrqTrigger;

void irq_init(void);
/* number: the interrupt controller's own, e.g. BOARD_IDM_IRQ */
void irq_enable(unsigned number, IrqTrigger trigger, IrqHandler handler);
/* Sleeps (WFI) until an interrupt is there, and runs its handler; one that came before the call counts as well */
void irq_wait(void);
/* The same without sleep: there may be none */
void irq_look(void);
