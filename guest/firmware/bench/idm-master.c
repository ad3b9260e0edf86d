/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ping-pong over the IDM, the measuring side: a master with one slave, number 1, that runs bench-idm-slave.elf. */

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "console.h"
#include "idm.h"
#include "irq.h"
#include "ping-pong.h"

#define SLAVE           1u
#define VECTOR          1u

static IdmPort port;

static void ping(void) {
        idm_send(SLAVE, VECTOR);
}

static void ping_by_page(void) {
        idm_port_send(&port, 1u << VECTOR);
}

/* One couple, one vector, no events: no need to look where an interrupt comes from */
static void idm_answered(void) {
        idm_take_vectors(SLAVE);
        ping_pong_answered();
}

static void answered_by_page(void) {
        idm_port_take(&port);
        ping_pong_answered();
}

int main(void) {
        static const IdmClient none;
        PingPongTransport transport = { .name = "idm", .ping = ping };
        bool by_page;

        console_init();
        irq_init();
        if (!idm_init(BOARD_IDM_BASE, &none)) {
                print("bench: there is no IDM at 0x%x\n", (unsigned) BOARD_IDM_BASE);
                return 1;
        }
#ifdef BOARD_IDM_PAGES
        idm_use_pages(BOARD_IDM_PAGES);
#endif
        by_page = idm_open(SLAVE, &port);
        if (by_page)
                transport.ping = ping_by_page;
        irq_enable(BOARD_IDM_IRQ, BOARD_IDM_TRIGGER, by_page ? answered_by_page : idm_answered);
        idm_enable(SLAVE, 1u << VECTOR, 0);
        ping_pong_run(&transport);
}
