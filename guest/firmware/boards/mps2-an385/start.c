/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start of a program on a Cortex-M. The boot protocol "vectors" does what the CPU does at reset: it takes stack
 * pointer and program counter from the table at the boot entry, and uses that table from then on (VTOR).
 */

#include <stdint.h>

#include <board.h>             /* of the board that it is made for, which may be another one */
#include "irq-entry.h"

extern char stack_top[];
extern uint32_t bss_start[], bss_end[];

int main(void);

static void start(void) {
        /* The rest of the firmware is written for interrupts that come in irq_wait() only. */
        __asm__ volatile("cpsid i");
        for (uint32_t *p = bss_start; p < bss_end; p++)
                *p = 0;
        main();
        for (;;)
                __asm__ volatile("wfi");
}

/* Finds what the CPU has pushed (r0-r3, r12, lr, return address, xPSR) where the stack pointer still is */
__attribute__((naked))
static void exception(void) {
        __asm__ volatile("mrs r0, ipsr\n ldr r1, [sp, #24]\n b fault");
}

/* Of a program without a tick, whose SysTick nobody has started */
__attribute__((weak, alias("exception")))
void tick_entry(void);

extern const void *const vectors[];
/* Aligned to its size, and more, of the board with the most */
__attribute__((section(".vectors"), aligned(1024)))
const void *const vectors[16 + BOARD_IRQ_COUNT] = {
        stack_top,
        start,
        [2 ... 14] = exception,
        [15] = tick_entry,
        [16 ... 16 + BOARD_IRQ_COUNT - 1] = irq_entry,
};
