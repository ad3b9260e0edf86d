/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vectors of the IDM interrupt. */

#include "board.h"
#include "doorbell.h"
#include "events.h"
#include "idm-doorbell.h"
#include "irq.h"

static void received(unsigned couple, uint32_t vectors) {
        /* Which ring it is about does not matter: both are looked at. */
        (void) couple;
        (void) vectors;
        doorbell_events |= DOORBELL_KICK;
}

const IdmClient idm_doorbell_client = { .vectors = received };

void doorbell_enable(uintptr_t resource_table) {
        idm_publish_resource_table(resource_table);
        irq_enable(BOARD_IDM_IRQ, BOARD_IDM_TRIGGER, idm_interrupt);
        idm_enable(IDM_MASTER, ~0u, 0);
}
