/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program of the first-light platform's slaves, for every board: says who it is and answers the master's vectors. */

#include <stdint.h>

#include "board.h"
#include "console.h"
#include "idm.h"
#include "irq.h"
#include "mailbox.h"

extern const char vectors[];            /* where this program begins */

static unsigned self;

static void print_greeting(void) {
        char greeting[MAILBOX_GREETING_SIZE];
        unsigned length;

        for (length = 0; length < sizeof(greeting) - 1; length++)
                if (!(greeting[length] = mailbox.greeting[length]))
                        break;
        greeting[length] = '\0';
        if (length > 0)
                print("slave%u: the master's greeting: %s\n", self, greeting);
}

static void received(unsigned couple, uint32_t vectors_received) {
        for (; vectors_received; vectors_received &= vectors_received - 1) {
                unsigned vector = (unsigned) __builtin_ctz(vectors_received);

                print("slave%u: received vector %u from the master\n", self, vector);
                idm_send(couple, vector);
        }
}

int main(void) {
        static const IdmClient client = { .vectors = received };

        console_init();
        irq_init();
        if (!idm_init(BOARD_IDM_BASE, &client)) {
                print("slave: there is no IDM at 0x%x\n", (unsigned) BOARD_IDM_BASE);
                return 1;
        }
        self = idm_self();
        if (self == IDM_SELF_NONE) {
                print("slave: not attached to a master\n");
                return 1;
        }

        print("slave%u: booted from the shared window at 0x%x, boot %u\n", self, (unsigned) (uintptr_t) vectors,
              (unsigned) ++mailbox.boots);
        print_greeting();

        irq_enable(BOARD_IDM_IRQ, BOARD_IDM_TRIGGER, idm_interrupt);
        idm_enable(IDM_MASTER, ~0u, 0);
        idm_send(IDM_MASTER, VECTOR_UP);
        for (;;)
                irq_wait();
}
