/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The doorbell by the mailbox of an STM32MP1: a ring's number is that of a channel. Two more channels of the master say
 * that it is about to stop this program, and that it has left it. No register of the IDM is touched.
 */

#include "board.h"
#include "console.h"
#include "doorbell.h"
#include "events.h"
#include "ipcc.h"
#include "irq.h"

#define RINGS           2u
#define RING_CHANNELS   ((1u << RINGS) - 1)
#define CHANNELS        (RING_CHANNELS | 1u << STM32_CHANNEL_SHUTDOWN | 1u << STM32_CHANNEL_DETACH)

static void received(uint32_t channels) {
        /*
         * If both have come, which was first is not known. To look at the status once too often does no harm, since new
         * rings are noticed; never to look again would.
         */
        if (channels & 1u << STM32_CHANNEL_DETACH) {
                print("slave: the master has left\n");
                doorbell_events = DOORBELL_LEFT;
        }
        if (channels & RING_CHANNELS)
                doorbell_events |= DOORBELL_KICK;
}

static void shutdown(void) {
        print("slave: the master is about to stop this program\n");
        doorbell_events = DOORBELL_LEFT;
}

bool doorbell_init(void) {
        static const IpccClient client = { .received = received, .shutdown = shutdown };

        if (ipcc_init(BOARD_IPCC_BASE, &client))
                return true;
        print("slave: there is no IPCC at 0x%x\n", BOARD_IPCC_BASE);
        return false;
}

int doorbell_self(void) {
        return -1;
}

void doorbell_enable(uintptr_t resource_table) {
        ipcc_publish_resource_table(resource_table);
        irq_enable(BOARD_IPCC_IRQ, IRQ_LEVEL, ipcc_interrupt);
        irq_enable(BOARD_IPCC_FREE_IRQ, IRQ_LEVEL, ipcc_free_interrupt);
        ipcc_enable(CHANNELS);
}

bool doorbell_is_valid(uint32_t number) {
        return number < RINGS;
}

/* A flag that is set already sends nothing, so each has to be waited for; unless nobody is there to clear it. */
void doorbell_ring(unsigned number) {
        while (!(doorbell_events & DOORBELL_LEFT) && !ipcc_send(number)) {
                ipcc_wake_when_free(number);
                irq_wait();
        }
}

unsigned doorbell_heartbeat_ms(void) {
        return ipcc_heartbeat_ms();
}

void doorbell_heartbeat(void) {
        ipcc_heartbeat();
}
