/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Driver of the IDM, the device that couples the processors of a platform. The same for masters and slaves, and for
 * every CPU: it needs mmio.h and nothing else. The registers are described in docs/idm-registers.md.
 *
 * A couple is named by the number of the processor at its other end: for a slave 0 (the master), for the master 1 to
 * 255.
 */

#include <stdbool.h>
#include <stdint.h>

#include "hw/misc/idm-regs.h"
#include "mmio.h"

#define IDM_MASTER 0u

/* Called by idm_interrupt(). What the other side wrote to memory before it sent a vector can be read then. */
typedef struct IdmClient {
        void (*events)(unsigned couple, uint32_t events);       /* IDM_EVENT_* */
        void (*vectors)(unsigned couple, uint32_t vectors);     /* bit n: vector n */
} IdmClient;

/*
 * False if there is no IDM that this driver knows at base. All vectors and events are off then. Vectors that have
 * arrived are kept, events are not: they tell what changes from now on.
 */
bool idm_init(uintptr_t base, const IdmClient *client);
/*
 * The control pages of the couples are at base: what sends and takes vectors uses them from now on, so that it can do
 * without the device, whose registers cost more where the CPU is virtualized. False if this IDM has none.
 */
bool idm_use_pages(uintptr_t base);
/* To be called on the IDM's interrupt, which is level-triggered */
void idm_interrupt(void);

uint32_t idm_version(void);
uint32_t idm_couples(void);
/* This processor's number; IDM_SELF_NONE on a slave that is not attached to a master */
uint32_t idm_self(void);

/* What shall interrupt; what has arrived before does so at once */
void idm_enable(unsigned couple, uint32_t vectors, uint32_t events);
bool idm_attached(unsigned couple);
/* IDM_STATE_* */
uint32_t idm_peer_state(unsigned couple);
const char *idm_state_name(uint32_t state);
/* What was written to memory before is there when the vector arrives */
void idm_send(unsigned couple, unsigned vector);
/* Takes the enabled vectors that have arrived: for interrupt handlers that know where from, and wait for nothing else */
uint32_t idm_take_vectors(unsigned couple);

/*
 * The same two for a couple whose control page is used, with all that they need looked up before: for programs to which each
 * instruction counts. Some hypervisors emulate them one by one.
 */
typedef struct IdmPort {
        unsigned couple;
        uint32_t *received, *sent;      /* words of the page */
        uintptr_t kick;
} IdmPort;

/* False if no page is used */
bool idm_open(unsigned couple, IdmPort *ret);
/* What is left where the other side has not taken what was sent before */
void idm_port_add(const IdmPort *port, uint32_t vectors);

/* What the device has taken from the page before the guest looked */
uint32_t idm_port_take_from_device(const IdmPort *port);

/* vectors: bit n sends vector n; all of them are one interrupt. Not 0. */
static inline void idm_port_send(const IdmPort *port, uint32_t vectors) {
        uint32_t empty = 0;

        /* Ordered like a barrier on both sides, towards the device as well */
        if (__atomic_compare_exchange_n(port->sent, &empty, vectors, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                mmio_write32(port->kick, 1);
        else
                idm_port_add(port, vectors);
}

static inline uint32_t idm_port_take(const IdmPort *port) {
        uint32_t vectors = __atomic_exchange_n(port->received, 0, __ATOMIC_SEQ_CST);

        return vectors ? vectors : idm_port_take_from_device(port);
}

/*
 * Of a slave only: tells where its resource table is. Not needed where whoever boots it knows that, but some do not; false
 * with an IDM that has no room for it.
 */
bool idm_publish_resource_table(uintptr_t address);

/* Of a slave only: signs of life are wanted every so many ms; 0: nobody looks (an IDM before 1.2 included) */
unsigned idm_heartbeat_ms(void);
void idm_heartbeat(void);

/*
 * Of the master only. The answer to a request comes as IDM_EVENT_REQUEST.
 * entry 0 with IDM_PROTOCOL_AUTO: what the platform has for this slave
 */
void idm_request_start(unsigned couple, uint64_t entry, uint64_t argument, uint32_t protocol);
void idm_request_stop(unsigned couple);
/* IDM_RESULT_* */
uint32_t idm_request_result(unsigned couple);
const char *idm_result_name(uint32_t result);
/* The slave's window in the master's memory; size 0: none */
uint64_t idm_window_base(unsigned couple);
uint64_t idm_window_size(unsigned couple);
