/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program of the first-light platform's master: starts the slave whose program it carries, reports what becomes
 * of all slaves, exchanges vectors with them, and takes commands on its console. Everything happens in interrupts.
 */

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "commands.h"
#include "console.h"
#include "idm.h"
#include "irq.h"
#include "mailbox.h"
#include "master.h"
#include "slave-image.h"
#include "string.h"

static bool started_once[IDM_COUPLE_MAX];       /* by whomever */
static const char *requested[IDM_COUPLE_MAX];   /* the last request to a slave, for the report */

/* Our program is linked to one address, so it is for slaves whose window is there */
static bool slave_is_ours(unsigned slave) {
        return idm_window_base(slave) == SLAVE_IMAGE_BASE && idm_window_size(slave) >= SLAVE_IMAGE_WINDOW_SIZE;
}

static void greet(unsigned slave) {
        uint64_t size = idm_window_size(slave);
        volatile Mailbox *box;
        static const char greeting[] = "Hello from the master, through shared memory";

        _Static_assert(sizeof(greeting) <= MAILBOX_GREETING_SIZE, "room for the greeting");
        if (size < MAILBOX_SIZE)
                return;
        box = (volatile Mailbox *) (uintptr_t) (idm_window_base(slave) + size - MAILBOX_SIZE);
        for (unsigned i = 0; i < sizeof(greeting); i++)
                box->greeting[i] = greeting[i];
}

/* One request at a time: while a start is on its way, the slave may run already although its state is still ready */
static bool request_possible(unsigned slave) {
        if (idm_request_result(slave) != IDM_RESULT_PENDING)
                return true;
        print("master: the %s of slave %u is not answered yet\n", requested[slave] ? requested[slave] : "request", slave);
        return false;
}

void master_start(unsigned slave) {
        uint32_t state = idm_peer_state(slave);

        if (!request_possible(slave))
                return;
        /* Never write over a program that runs */
        if (state != IDM_STATE_READY) {
                print("master: slave %u is %s, only one that is ready can be started\n", slave, idm_state_name(state));
                return;
        }

        requested[slave] = "start";
        if (slave_is_ours(slave)) {
                unsigned size = (unsigned) (slave_image_end - slave_image);

                memcpy((void *) SLAVE_IMAGE_BASE, slave_image, size);
                print("master: copied %u bytes of program to 0x%x, starting slave %u\n", size, SLAVE_IMAGE_BASE, slave);
                idm_request_start(slave, SLAVE_IMAGE_BASE, 0, IDM_PROTOCOL_RAW);
        } else {
                print("master: starting slave %u with the platform's program\n", slave);
                idm_request_start(slave, 0, 0, IDM_PROTOCOL_AUTO);
        }
}

void master_stop(unsigned slave) {
        if (!request_possible(slave))
                return;
        requested[slave] = "stop";
        print("master: stopping slave %u\n", slave);
        idm_request_stop(slave);
}

void master_ping(unsigned slave, unsigned vector) {
        print("master: sending vector %u to slave %u\n", vector, slave);
        idm_send(slave, vector);
}

void master_print_slave(unsigned slave) {
        uint64_t size = idm_window_size(slave);

        print("master: slave %u is %s", slave, idm_state_name(idm_peer_state(slave)));
        if (size > 0)
                print(", window of %u KiB at 0x%x", (unsigned) (size >> 10), (unsigned) idm_window_base(slave));
        print("\n");
}

static void slave_changed(unsigned slave) {
        uint32_t state = idm_peer_state(slave);

        if (!idm_attached(slave)) {
                print("master: slave %u has left\n", slave);
                started_once[slave] = false;
                return;
        }
        master_print_slave(slave);
        greet(slave);
        /* By itself the master starts a slave once; one that was stopped or has reset itself waits for a command. */
        if (state == IDM_STATE_READY && slave_is_ours(slave) && !started_once[slave]) {
                started_once[slave] = true;
                master_start(slave);
        } else if (state == IDM_STATE_RUNNING)
                started_once[slave] = true;
}

static void say_hello(unsigned slave) {
        for (unsigned vector = 1; vector <= 3; vector++)
                master_ping(slave, vector);
}

static void on_events(unsigned slave, uint32_t events) {
        if (events & IDM_EVENT_STATE)
                slave_changed(slave);
        if (events & IDM_EVENT_REQUEST)
                print("master: %s of slave %u: %s\n", requested[slave] ? requested[slave] : "request", slave,
                      idm_result_name(idm_request_result(slave)));
}

static void on_vectors(unsigned slave, uint32_t vectors) {
        for (; vectors; vectors &= vectors - 1) {
                unsigned vector = (unsigned) __builtin_ctz(vectors);

                print("master: received vector %u from slave %u\n", vector, slave);
                if (vector == VECTOR_UP)
                        say_hello(slave);
        }
}

int main(void) {
        static const IdmClient client = { .events = on_events, .vectors = on_vectors };
        uint32_t version;
        bool up;

        console_init();
        irq_init();
        print("master: first light on %s\n", BOARD_CPU);
        if (!idm_init(BOARD_IDM_BASE, &client)) {
                print("master: there is no IDM at 0x%x\n", (unsigned) BOARD_IDM_BASE);
                return 1;
        }
        version = idm_version();
        print("master: IDM version %u.%u, couples: %u\n", (unsigned) (version >> 16), (unsigned) (version & 0xffff),
              (unsigned) idm_couples());

        /* Also for slaves that are not there yet: the STATE event tells when they come. */
        for (unsigned slave = 1; slave < IDM_COUPLE_MAX; slave++) {
                idm_enable(slave, ~0u, IDM_EVENT_STATE | IDM_EVENT_REQUEST);
                if (!idm_attached(slave))
                        continue;
                up = idm_peer_state(slave) == IDM_STATE_RUNNING;
                slave_changed(slave);
                /* It was up before this program was: its VECTOR_UP may be lost. One that was just started rings later. */
                if (up)
                        say_hello(slave);
        }
        irq_enable(BOARD_IDM_IRQ, BOARD_IDM_TRIGGER, idm_interrupt);
        console_listen(command_run);
        for (;;)
                irq_wait();
}
