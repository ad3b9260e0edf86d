/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ping-pong over the IDM, the answering side: sends every vector back. */

#include <stdint.h>

#include "board.h"
#include "console.h"
#include "idm.h"
#include "irq.h"
#include "ping-pong.h"

static IdmPort port;

static void answer(void) {
        uint32_t vectors = idm_take_vectors(IDM_MASTER);

        for (; vectors; vectors &= vectors - 1)
                idm_send(IDM_MASTER, (unsigned) __builtin_ctz(vectors));
}

static void answer_by_page(void) {
        uint32_t vectors = idm_port_take(&port);

        if (vectors)
                idm_port_send(&port, vectors);
}

int main(void) {
        static const IdmClient none;

        console_init();
        irq_init();
        if (!idm_init(BOARD_IDM_BASE, &none)) {
                print("bench: there is no IDM at 0x%x\n", (unsigned) BOARD_IDM_BASE);
                return 1;
        }
#ifdef BOARD_IDM_PAGES
        idm_use_pages(BOARD_IDM_PAGES);
#endif
        irq_enable(BOARD_IDM_IRQ, BOARD_IDM_TRIGGER, idm_open(IDM_MASTER, &port) ? answer_by_page : answer);
        idm_enable(IDM_MASTER, ~0u, 0);
        ping_pong_answer("idm");
}
