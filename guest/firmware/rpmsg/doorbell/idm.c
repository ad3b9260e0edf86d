/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doorbell by the IDM: a ring's number is that of a vector. */

#include "board.h"
#include "console.h"
#include "doorbell.h"
#include "idm.h"
#include "irq.h"

#define VECTORS         32u             /* that a couple has */

static unsigned events;

static void received(unsigned couple, uint32_t vectors) {
        /* Which ring it is about does not matter: both are looked at. */
        (void) couple;
        (void) vectors;
        events |= DOORBELL_KICK;
}

bool doorbell_init(void) {
        static const IdmClient client = { .vectors = received };

        if (idm_init(BOARD_IDM_BASE, &client))
                return true;
        print("slave: there is no IDM at 0x%x\n", BOARD_IDM_BASE);
        return false;
}

int doorbell_self(void) {
        return (int) idm_self();
}

void doorbell_enable(uintptr_t resource_table) {
        idm_publish_resource_table(resource_table);
        irq_enable(BOARD_IDM_IRQ, BOARD_IDM_TRIGGER, idm_interrupt);
        idm_enable(IDM_MASTER, ~0u, 0);
}

unsigned doorbell_poll_ms(void) {
        return 0;
}

unsigned doorbell_take(void) {
        unsigned taken = events;

        events = 0;
        return taken;
}

bool doorbell_is_valid(uint32_t number) {
        return number < VECTORS;
}

void doorbell_ring(unsigned number) {
        idm_send(IDM_MASTER, number);
}

unsigned doorbell_heartbeat_ms(void) {
        return idm_heartbeat_ms();
}

void doorbell_heartbeat(void) {
        idm_heartbeat();
}
