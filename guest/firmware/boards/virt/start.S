/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start of a program on a Cortex-A15. It is entered at its lowest address in supervisor mode, with MMU and caches off
 * and interrupts masked: that is both the reset state and the boot protocol "raw".
 */
        .syntax unified
        .arm

        .section .vectors, "ax"
        .balign 32
        .global vectors
vectors:
        b       start
        b       undefined
        b       supervisor_call
        b       prefetch_abort
        b       data_abort
        b       .                       /* hypervisor call: not in this mode */
        b       irq_entry
        b       fiq

        .text
start:
        ldr     r0, =vectors
        mcr     p15, 0, r0, c12, c0, 0  /* VBAR: exceptions come here and not to address 0 */
        cps     #0x12                   /* interrupt mode has a stack of its own */
        ldr     sp, =irq_stack_top
        cps     #0x13
        ldr     sp, =stack_top

        ldr     r0, =bss_start
        ldr     r1, =bss_end
        mov     r2, #0
1:      cmp     r0, r1
        strlo   r2, [r0], #4
        blo     1b

        bl      main
2:      wfi                             /* main() has nothing to return to */
        b       2b

        .macro  report name, number
\name:
        mov     r0, #\number
        b       3f
        .endm
        report  undefined, 1
        report  supervisor_call, 2
        report  prefetch_abort, 3
        report  data_abort, 4
        report  fiq, 7
3:      mov     r1, lr
        cpsid   if, #0x13
        ldr     sp, =stack_top
        b       fault
