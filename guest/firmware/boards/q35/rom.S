/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The firmware of a PC that has no other: 64 KiB, the end of which is where the CPU begins. Copies the program that is
 * in it to ROM_PROGRAM_BASE and goes there. For masters: a slave's program is in its window already.
 */
        .section .text
rom_begin:
        .incbin ROM_PROGRAM
program_end:

        .org    0xff00
        .code16
start:
        cli
        lgdtl   %cs:gdt_pointer - rom_begin
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $0x10, $flat
        .code32
flat:
        mov     $0x18, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        cld
        mov     $rom_begin, %esi
        mov     $ROM_PROGRAM_BASE, %edi
        mov     $program_end, %ecx
        sub     %esi, %ecx
        rep movsb
        mov     $ROM_PROGRAM_BASE, %eax
        jmp     *%eax

        .balign 8
gdt:    .quad   0, 0
        .quad   0x00cf9b000000ffff      /* accessed already: nobody can write it there */
        .quad   0x00cf93000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .org    0xfff0
        .code16
        .byte   0xe9                    /* jmp start: the assembler would choose a longer one */
        .word   start - . - 2
        .org    0x10000
