/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doorbell by the IDM: a ring's number is that of a vector. How the master is heard is in interrupt.c or in poll.c. */

#include "board.h"
#include "console.h"
#include "doorbell.h"
#include "idm-doorbell.h"

#define VECTORS         32u             /* that a couple has */

bool doorbell_init(void) {
        if (idm_init(BOARD_IDM_BASE, &idm_doorbell_client))
                return true;
        print("slave: there is no IDM at 0x%x\n", BOARD_IDM_BASE);
        return false;
}

int doorbell_self(void) {
        return (int) idm_self();
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
