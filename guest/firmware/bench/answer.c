/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answering side of the ping-pong. */

#include <stdbool.h>

#include "console.h"
#include "irq.h"
#include "ping-pong.h"

static volatile bool awake;

static void command(char *line) {
        awake = line[0] == 'a' && line[1] == 'w';
        print("bench: %s\n", awake ? "awake" : "asleep");
}

void ping_pong_answer(const char *transport) {
        console_listen(command);
        print("bench: answering, transport=%s\n", transport);
        for (;;)
                if (awake)
                        irq_look();
                else
                        irq_wait();
}
