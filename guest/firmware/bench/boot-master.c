/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The boot benchmark, by the master's guest: "s" on the console starts slave 1 with what the platform has for it, and the answer
 * is printed; "x" stops it. Nothing else is done, so that the time to the slave's first character is that of the request.
 */

#include <stdint.h>

#include "board.h"
#include "console.h"
#include "idm.h"
#include "irq.h"

#define SLAVE 1u

static void on_events(unsigned slave, uint32_t events) {
        if (events & IDM_EVENT_REQUEST)
                print("bench: request %s\n", idm_result_name(idm_request_result(slave)));
}

static void command(char *line) {
        if (line[0] == 's')
                idm_request_start(SLAVE, 0, 0, IDM_PROTOCOL_AUTO);
        else if (line[0] == 'x')
                idm_request_stop(SLAVE);
}

int main(void) {
        static const IdmClient client = { .events = on_events };

        console_init();
        irq_init();
        if (!idm_init(BOARD_IDM_BASE, &client)) {
                print("bench: there is no IDM at 0x%x\n", BOARD_IDM_BASE);
                return 1;
        }
        irq_enable(BOARD_IDM_IRQ, BOARD_IDM_TRIGGER, idm_interrupt);
        idm_enable(SLAVE, 0, IDM_EVENT_REQUEST);
        console_listen(command);
        print("bench: ready\n");
        for (;;)
                irq_wait();
}
