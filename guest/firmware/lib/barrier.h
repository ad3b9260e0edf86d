/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Order of accesses to memory that is shared with the other side, as both sides see it. What is sent by the IDM or the
 * IPCC brings its own order (idm.c, ipcc.c); the first three are for data structures that are also read without that.
 */

/* Reads before, then reads and writes after */
static inline void barrier_read(void) {
        __asm__ volatile("dmb" : : : "memory");
}

/* Reads and writes before, then writes after */
static inline void barrier_write(void) {
        __asm__ volatile("dmb" : : : "memory");
}

/* Everything before, then everything after: the only one of these three that keeps a read behind a write */
static inline void barrier_full(void) {
        __asm__ volatile("dmb" : : : "memory");
}

/* Between the registers of a device that sends, or has received, and the memory that it is about */
static inline void barrier_device(void) {
        __asm__ volatile("dsb" : : : "memory");
}
