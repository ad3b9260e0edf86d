/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slave for Linux's remoteproc and rpmsg, for every board. Its services:
 *   rpmsg-tty   0x400  echo, on /dev/ttyRPMSGn; a line "crash" makes the program fail
 *   rpmsg-raw   0x401  echo, for rpmsg_char: /dev/rpmsgN
 *   rpmsg-ping  0x402  "ping…" is answered with "pong…"
 */

#include "board.h"
#include "console.h"
#include "idm.h"
#include "irq.h"
#include "rpmsg.h"
#include "trace.h"

extern const char vectors[];            /* where this program begins */

static void echo(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        rpmsg_send(service, source, data, size);
}

static bool begins_with(const char *data, size_t size, const char *word) {
        for (size_t n = 0; word[n]; n++)
                if (n == size || data[n] != word[n])
                        return false;
        return true;
}

static void terminal(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        if (begins_with(data, size, "crash\n")) {
                print("slave%u: crashing, as told\n", (unsigned) idm_self());
                __builtin_trap();       /* an undefined instruction */
        }
        echo(service, source, data, size);
}

static void ping(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        if (!begins_with(data, size, "ping"))
                return;
        data[1] = 'o';
        rpmsg_send(service, source, data, size);
}

static void received(unsigned couple, uint32_t vectors_received) {
        /* Which ring it is about does not matter: both are looked at. It has ended irq_wait(), and that is all. */
        (void) couple;
        (void) vectors_received;
}

int main(void) {
        static const IdmClient client = { .vectors = received };
        static const RpmsgService services[] = {
                { "rpmsg-tty", 0x400, terminal },
                { "rpmsg-raw", 0x401, echo },
                { "rpmsg-ping", 0x402, ping },
        };

        console_init();
        trace_init();
        irq_init();
        if (!idm_init(BOARD_IDM_BASE, &client)) {
                print("slave: there is no IDM at 0x%x\n", BOARD_IDM_BASE);
                return 1;
        }
        print("slave%u: rpmsg firmware, booted at 0x%x\n", (unsigned) idm_self(), (unsigned) (uintptr_t) vectors);

        rpmsg_init(services, sizeof(services) / sizeof(services[0]));
        irq_enable(BOARD_IDM_IRQ, IRQ_LEVEL, idm_interrupt);
        idm_enable(IDM_MASTER, ~0u, 0);
        for (;;) {
                rpmsg_poll();
                irq_wait();
        }
}
