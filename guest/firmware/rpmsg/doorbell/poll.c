/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No doorbell: the rings are looked at again and again, and no vector interrupts or is acknowledged. The master is kicked by the
 * vectors of the IDM all the same. It costs CPU, and each message waits up to a millisecond; it is for boards whose interrupts are
 * taken, and shows what a master does with a slave that hears nothing.
 */

#include "board.h"
#include "console.h"
#include "doorbell.h"
#include "idm.h"

#define VECTORS         32u             /* that a couple has */

bool doorbell_init(void) {
        static const IdmClient client = { .vectors = 0 };

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
}

unsigned doorbell_poll_ms(void) {
        return 1;
}

unsigned doorbell_take(void) {
        return 0;
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
