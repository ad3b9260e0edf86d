/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the master and a slave of the first-light platform leave for each other: the last 4 KiB of the slave's window.
 * No program is loaded there, and a stop leaves memory as it is, so its content outlives the slave's boots. New
 * windows are zero. The other side may write at any time: read a value once, and do not trust it.
 */

#include <stdint.h>

#define MAILBOX_SIZE            4096
#define MAILBOX_GREETING_SIZE   64

typedef struct Mailbox {
        uint32_t boots;                         /* counted by the slave */
        char greeting[MAILBOX_GREETING_SIZE];   /* by the master, with its zero byte; empty: none */
} Mailbox;

_Static_assert(sizeof(Mailbox) <= MAILBOX_SIZE, "the mailbox has one page");

/* A slave's own, placed by firmware.ld; the master goes by its IDM's WINDOW registers */
extern volatile Mailbox mailbox;

/* Vectors that mean something here; a slave answers all others with the same vector */
#define VECTOR_UP               0u      /* slave to master: interrupts are set up, ready to answer */
