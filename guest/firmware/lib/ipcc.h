/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Driver of the mailbox of an STM32MP1 (IPCC), the side of the slave, as it is beside the IDM of slaves with
 * Remoteproc=stm32. A channel has a flag in each direction: who sends sets its own, who has received clears it, and until
 * then nothing more can be sent on that channel. The registers are described in docs/stm32-facade.md.
 */

#include <stdbool.h>
#include <stdint.h>

#include "hw/misc/idm-stm32-regs.h"

typedef struct IpccClient {
        /* bit n: channel n. What the master wrote to memory before it sent them can be read now. */
        void (*received)(uint32_t channels);
        /* Before the master is told that it has been received: it stops this processor then */
        void (*shutdown)(void);
} IpccClient;

/* False if there is no such mailbox at base. Nothing interrupts then. */
bool ipcc_init(uintptr_t base, const IpccClient *client);
/* The channels that interrupt when the master has set its flag; one that is set already does so at once */
void ipcc_enable(uint32_t channels);
/* To be called on the interrupts "receive" and "free", which are level-triggered */
void ipcc_interrupt(void);
void ipcc_free_interrupt(void);

/* False: the flag is still set, and nothing was sent. What was written to memory before is there when it arrives. */
bool ipcc_send(unsigned channel);
/* Interrupts once, when the flag is free; at once if it is */
void ipcc_wake_when_free(unsigned channel);

/* For masters that find this program running: where its resource table is */
void ipcc_publish_resource_table(uintptr_t address);

/* Signs of life are wanted every so many ms; 0: nobody looks */
unsigned ipcc_heartbeat_ms(void);
void ipcc_heartbeat(void);
