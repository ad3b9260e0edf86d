/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the boot benchmark waits for: one character on the virt board's PL011, by the first instructions. */
        .syntax unified
        .arm

        .section .vectors, "ax"
        .global vectors
vectors:
        ldr     r0, =0x09000000
        ldr     r1, =0x101              /* UARTCR: UART and sender on */
        str     r1, [r0, #0x30]
        mov     r1, #'!'
        str     r1, [r0]                /* UARTDR */
1:      wfi
        b       1b
