/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start of a program on a PC. It is entered at its lowest address in flat protected mode, with paging off and interrupts
 * masked: that is the boot protocol "raw" at addresses above 1 MiB, and what rom.S does. From there it goes to long mode, but for
 * programs of 32 bits, which stay there.
 */
#define CR0_PAGING              (1 << 31)
#define CR4_PAE                 (1 << 5)
#define MSR_EFER                0xc0000080
#define EFER_LONG_MODE          (1 << 8)

#define PAGE_PRESENT            3               /* and writable */
#define PAGE_LARGE              0x80            /* 2 MiB */
#define PAGE_UNCACHED           0x10
#define TABLE_ENTRIES           512
#define GIBS                    4
#define DEVICES                 0xc0000000      /* from there on nothing is memory */

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

#ifdef __x86_64__
        /* Tables of three levels, in which every address is its own */
        movl    $(tables_1g + PAGE_PRESENT), table_top
        mov     $(tables_2m + PAGE_PRESENT), %eax
        xor     %ecx, %ecx
2:      mov     %eax, tables_1g(, %ecx, 8)
        add     $(TABLE_ENTRIES * 8), %eax
        inc     %ecx
        cmp     $GIBS, %ecx
        jb      2b
        mov     $(PAGE_PRESENT | PAGE_LARGE), %eax
        xor     %ecx, %ecx
3:      mov     %eax, tables_2m(, %ecx, 8)
        cmp     $DEVICES, %eax
        jb      4f
        orl     $PAGE_UNCACHED, tables_2m(, %ecx, 8)
4:      add     $0x200000, %eax
        inc     %ecx
        cmp     $(GIBS * TABLE_ENTRIES), %ecx
        jb      3b

        mov     $table_top, %eax
        mov     %eax, %cr3
        mov     %cr4, %eax
        or      $CR4_PAE, %eax
        mov     %eax, %cr4
        mov     $MSR_EFER, %ecx
        rdmsr
        or      $EFER_LONG_MODE, %eax
        wrmsr
        mov     %cr0, %eax
        or      $CR0_PAGING, %eax
        mov     %eax, %cr0
        ljmp    $0x20, $5f

        .code64
5:      mov     $stack_top, %esp
#endif
        call    main
6:      hlt                             /* main() has nothing to return to */
        jmp     6b

        .balign 8
gdt:    .quad   0, 0
        .quad   0x00cf9a000000ffff      /* 0x10: code, 4 GiB */
        .quad   0x00cf92000000ffff      /* 0x18: data, 4 GiB */
        .quad   0x00af9a000000ffff      /* 0x20: code of long mode */
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

#ifdef __x86_64__
        .bss
        .balign 4096
table_top:
        .skip   4096
tables_1g:
        .skip   4096
tables_2m:
        .skip   GIBS * 4096
#endif

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

#ifdef __x86_64__
/* What a function may change. The CPU has aligned the stack before it pushed five words; two and these nine keep it so. */
common:
        push    %rax
        push    %rcx
        push    %rdx
        push    %rsi
        push    %rdi
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        cld
        mov     72(%rsp), %edi          /* the number, above nine registers */
        mov     88(%rsp), %rsi          /* the return address, above it and the code */
        call    irq_entry
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rdi
        pop     %rsi
        pop     %rdx
        pop     %rcx
        pop     %rax
        add     $16, %rsp
        iretq
#else
common:
        push    %eax
        push    %ecx
        push    %edx
        cld
        push    20(%esp)                /* the return address, above three registers, the number and the code */
        push    16(%esp)                /* the number */
        call    irq_entry
        add     $8, %esp
        pop     %edx
        pop     %ecx
        pop     %eax
        add     $8, %esp
        iret
#endif

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
