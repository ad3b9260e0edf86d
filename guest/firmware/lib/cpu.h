/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For a program that has nothing left to do: with interrupts masked it sleeps for good. */
static inline void cpu_sleep(void) {
#if defined(__x86_64__) || defined(__i386__)
        __asm__ volatile("cli\n hlt");
#else
        __asm__ volatile("wfi");
#endif
}
