/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start of a program on a RISC-V hart, of 32 or 64 bits. It is entered at its lowest address in machine mode with
 * interrupts masked: that is both the reset state and the boot protocol "raw".
 */
        .section .vectors, "ax"
        .balign 4
        .global vectors
vectors:
        la      t0, trap
        csrw    mtvec, t0
        la      sp, stack_top

        la      t0, bss_start
        la      t1, bss_end
1:      bgeu    t0, t1, 2f
        sw      zero, 0(t0)
        addi    t0, t0, 4
        j       1b

2:      call    main
3:      wfi                             /* main() has nothing to return to */
        j       3b

        .balign 4
trap:
        csrr    a0, mcause
        csrr    a1, mepc
        la      sp, stack_top
        j       fault
