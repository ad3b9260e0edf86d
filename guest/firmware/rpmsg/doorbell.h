/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How a program with rpmsg and its master wake each other. There are three of it, and scripts/firmware takes one of them:
 *   idm     by the vectors of the IDM, for masters with either kind of driver (doorbell/idm.c with interrupt.c and events.c)
 *   ipcc    by the mailbox of an STM32MP1, for slaves with Remoteproc=stm32 (doorbell/ipcc.c with events.c)
 *   poll    the master by the vectors of the IDM, the program not at all: it looks again and again (doorbell/idm.c with poll.c)
 */

#include <stdbool.h>
#include <stdint.h>

/* What has come */
#define DOORBELL_KICK   (1u << 0)       /* something may be new in the rings, or in their status */
#define DOORBELL_LEFT   (1u << 1)       /* the master does not use the rings any more, before its next kick */

/* False: there is no such device, which was said on the console. */
bool doorbell_init(void);
/* The slave's number; -1 where the device does not tell it */
int doorbell_self(void);
/* From now on the master is heard, and knows the resource table */
void doorbell_enable(uintptr_t resource_table);

/* It must look so often, since nothing wakes it; 0: no need for that */
unsigned doorbell_poll_ms(void);
/* What has come since the last call: DOORBELL_*. It came in irq_wait(). */
unsigned doorbell_take(void);

/* Whether a ring can have this number */
bool doorbell_is_valid(uint32_t number);
/* Tells the master, of what was written before. May wait, and let interrupts in, until it has seen the last time. */
void doorbell_ring(unsigned number);

/* Whoever watches this program wants a sign of life every so many ms; 0: nobody does */
unsigned doorbell_heartbeat_ms(void);
void doorbell_heartbeat(void);
