/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start of a program on a PC. It is entered at its lowest address in flat protected mode, with paging off and interrupts
 * masked: that is the boot protocol "raw" at addresses above 1 MiB, and what rom.S does.
 */
        .section .vectors, "ax"
        .code32
        .global vectors
vectors:
        cld
        lgdt    gdt_pointer
        ljmp    $0x10, $1f
1:      mov     $0x18, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        mov     $stack_top, %esp

        mov     $bss_start, %edi
        mov     $bss_end, %ecx
        sub     %edi, %ecx
        xor     %eax, %eax
        rep stosb

        call    main
2:      hlt                             /* main() has nothing to return to */
        jmp     2b

        .balign 8
gdt:    .quad   0, 0
        .quad   0x00cf9a000000ffff      /* 0x10: code, 4 GiB */
        .quad   0x00cf92000000ffff      /* 0x18: data, 4 GiB */
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

/* Exceptions 8, 10 to 14, 17, 21, 29 and 30 push a code by themselves; all others get a 0, so that the stack is the same. */
        .text
        .macro  entry number
entry\number:
        .if (\number) == 8 || ((\number) >= 10 && (\number) <= 14) || (\number) == 17 || (\number) == 21 || (\number) == 29 || (\number) == 30
        .else
        push    $0
        .endif
        push    $\number
        jmp     common
        .endm
        .altmacro
        .set    n, 0
        .rept   80
        entry   %n
        .set    n, n + 1
        .endr

common:
        pusha
        cld
        mov     40(%esp), %eax          /* the return address, above the number, the code and eight registers */
        push    %eax
        push    36(%esp)                /* the number: one push further down than before */
        call    irq_entry
        add     $8, %esp
        popa
        add     $8, %esp
        iret

        .section .rodata
        .balign 4
        .global irq_entries
irq_entries:
        .macro  pointer number
        .long   entry\number
        .endm
        .set    n, 0
        .rept   80
        pointer %n
        .set    n, n + 1
        .endr
