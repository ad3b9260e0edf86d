/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Order of accesses to memory that is shared with the other side, as both sides see it. The vectors of the IDM bring
 * their own order (idm.c); these are for data structures that are also read without a vector.
 */

/* Reads before, then reads and writes after */
static inline void barrier_read(void) {
        __asm__ volatile("dmb" : : : "memory");
}

/* Reads and writes before, then writes after */
static inline void barrier_write(void) {
        __asm__ volatile("dmb" : : : "memory");
}

/* Everything before, then everything after: the only one of the three that keeps a read behind a write */
static inline void barrier_full(void) {
        __asm__ volatile("dmb" : : : "memory");
}
