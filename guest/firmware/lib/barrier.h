/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Order of accesses to memory that is shared with the other side, as both sides see it. What is sent by the IDM or the
 * IPCC brings its own order (idm.c, ipcc.c); the first three are for data structures that are also read without that.
 */

#if defined(__arm__)
#define BARRIER_READ    "dmb"
#define BARRIER_WRITE   "dmb"
#define BARRIER_FULL    "dmb"
#define BARRIER_DEVICE  "dsb"
#elif defined(__riscv)
#define BARRIER_READ    "fence r, rw"
#define BARRIER_WRITE   "fence rw, w"
#define BARRIER_FULL    "fence rw, rw"
#define BARRIER_DEVICE  "fence iorw, iorw"
#elif defined(__x86_64__) || defined(__i386__)
/* Only a read can overtake something, a write; what is written to a device is ordered */
#define BARRIER_READ    ""
#define BARRIER_WRITE   ""
#ifdef __x86_64__
#define BARRIER_FULL    "lock; addl $0, (%%rsp)"
#else
#define BARRIER_FULL    "lock; addl $0, (%%esp)"
#endif
#define BARRIER_DEVICE  BARRIER_FULL
#else
#error "The barriers of this architecture are missing"
#endif

/* Reads before, then reads and writes after */
static inline void barrier_read(void) {
        __asm__ volatile(BARRIER_READ : : : "memory");
}

/* Reads and writes before, then writes after */
static inline void barrier_write(void) {
        __asm__ volatile(BARRIER_WRITE : : : "memory");
}

/* Everything before, then everything after: the only one of these three that keeps a read behind a write */
static inline void barrier_full(void) {
        __asm__ volatile(BARRIER_FULL : : : "memory");
}

/* Between the registers of a device that sends, or has received, and the memory that it is about */
static inline void barrier_device(void) {
        __asm__ volatile(BARRIER_DEVICE : : : "memory");
}
