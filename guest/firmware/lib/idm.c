/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver of the IDM. There is one IDM in a machine, hence the static state. */

#include "barrier.h"
#include "hw/misc/het-page.h"
#include "idm.h"
#include "mmio.h"

static uintptr_t idm_base;
static const IdmClient *idm_client;
static unsigned idm_summaries;          /* SUMMARY registers that can be other than 0 */
static uintptr_t idm_pages;             /* 0: not used */
static bool idm_has_take;

static uint32_t couple_read(unsigned couple, unsigned reg) {
        return mmio_read32(idm_base + IDM_COUPLE(couple) + reg);
}

static void couple_write(unsigned couple, unsigned reg, uint32_t value) {
        mmio_write32(idm_base + IDM_COUPLE(couple) + reg, value);
}

static uint64_t couple_read64(unsigned couple, unsigned reg_lo) {
        return couple_read(couple, reg_lo) | (uint64_t) couple_read(couple, reg_lo + 4) << 32;
}

static void couple_write64(unsigned couple, unsigned reg_lo, uint64_t value) {
        couple_write(couple, reg_lo, (uint32_t) value);
        couple_write(couple, reg_lo + 4, (uint32_t) (value >> 32));
}

bool idm_init(uintptr_t base, const IdmClient *client) {
        uint32_t features;
        bool master;

        idm_base = base;
        idm_client = client;
        if (mmio_read32(base + IDM_ID) != IDM_ID_VALUE || mmio_read32(base + IDM_VERSION) >> 16 != IDM_VERSION_VALUE >> 16)
                return false;

        features = mmio_read32(base + IDM_FEATURES);
        idm_has_take = features & IDM_FEATURE_TAKE;
        master = features & IDM_FEATURE_MASTER;
        idm_summaries = master ? IDM_SUMMARY_COUNT : 1;
        for (unsigned couple = master ? 1 : IDM_MASTER; couple < (master ? IDM_COUPLE_MAX : IDM_MASTER + 1); couple++) {
                idm_enable(couple, 0, 0);
                couple_write(couple, IDM_EVENT, IDM_EVENT_STATE | IDM_EVENT_REQUEST);
        }
        mmio_write32(base + IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
        return true;
}

bool idm_use_pages(uintptr_t base) {
        if (!(mmio_read32(idm_base + IDM_FEATURES) & IDM_FEATURE_PAGES))
                return false;
        idm_pages = base;
        return true;
}

/* The word with the vectors for this side, or for the other one */
static uint32_t *pending_word(unsigned couple, bool own) {
        HetPage *page = (HetPage *) (idm_pages + (uintptr_t) couple * HET_PAGE_SIZE);

        return own == (couple == IDM_MASTER) ? &page->slave.pending : &page->master.pending;
}

/* Those that interrupt; what they announce can be read then. Each access costs an emulated CPU as much as hundreds of its other instructions. */
static uint32_t couple_take(unsigned couple) {
        uint32_t vectors;

        if (idm_has_take)
                vectors = mmio_read32(idm_base + IDM_EXTENSION(couple) + IDM_TAKE);
        else {
                vectors = couple_read(couple, IDM_PENDING) & couple_read(couple, IDM_ENABLE);
                couple_write(couple, IDM_PENDING, vectors);
        }
        barrier_device();
        return vectors;
}

static void couple_interrupt(unsigned couple) {
        uint32_t events, vectors;

        /* Acknowledge first: what comes while it is handled interrupts again. */
        events = couple_read(couple, IDM_EVENT) & couple_read(couple, IDM_EVENT_ENABLE);
        couple_write(couple, IDM_EVENT, events);
        vectors = couple_take(couple);

        if (events)
                idm_client->events(couple, events);
        if (vectors)
                idm_client->vectors(couple, vectors);
}

void idm_interrupt(void) {
        for (unsigned n = 0; n < idm_summaries; n++) {
                uint32_t summary = mmio_read32(idm_base + IDM_SUMMARY(n));

                for (; summary; summary &= summary - 1)
                        couple_interrupt(32 * n + (unsigned) __builtin_ctz(summary));
        }
}

uint32_t idm_version(void) {
        return mmio_read32(idm_base + IDM_VERSION);
}

uint32_t idm_couples(void) {
        return mmio_read32(idm_base + IDM_COUPLES);
}

uint32_t idm_self(void) {
        return mmio_read32(idm_base + IDM_SELF);
}

void idm_enable(unsigned couple, uint32_t vectors, uint32_t events) {
        couple_write(couple, IDM_ENABLE, vectors);
        couple_write(couple, IDM_EVENT_ENABLE, events);
}

bool idm_attached(unsigned couple) {
        return couple_read(couple, IDM_STATUS) & IDM_STATUS_ATTACHED;
}

uint32_t idm_peer_state(unsigned couple) {
        return couple_read(couple, IDM_PEER_STATE);
}

const char *idm_state_name(uint32_t state) {
        static const char *const names[] = {
                [IDM_STATE_OFFLINE] = "offline",
                [IDM_STATE_WAITING] = "waiting",
                [IDM_STATE_READY] = "ready",
                [IDM_STATE_RUNNING] = "running",
                [IDM_STATE_PAUSED] = "paused",
                [IDM_STATE_CRASHED] = "crashed",
        };

        return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

void idm_send(unsigned couple, unsigned vector) {
        IdmPort port;

        if (idm_open(couple, &port)) {
                idm_port_send(&port, 1u << vector);
                return;
        }
        barrier_device();
        couple_write(couple, IDM_DOORBELL, vector);
}

uint32_t idm_take_vectors(unsigned couple) {
        IdmPort port;

        return idm_open(couple, &port) ? idm_port_take(&port) : couple_take(couple);
}

bool idm_open(unsigned couple, IdmPort *ret) {
        if (!idm_pages)
                return false;
        *ret = (IdmPort) { couple, pending_word(couple, true), pending_word(couple, false),
                           idm_base + IDM_EXTENSION(couple) + IDM_KICK };
        return true;
}

uint32_t idm_port_take_from_device(const IdmPort *port) {
        return couple_take(port->couple);
}

void idm_port_add(const IdmPort *port, uint32_t vectors) {
        /* Who finds something there need not wake the other side: it is awake, or is being woken. */
        if (__atomic_fetch_or(port->sent, vectors, __ATOMIC_SEQ_CST) == 0)
                mmio_write32(port->kick, 1);
}

bool idm_publish_resource_table(uintptr_t address) {
        if (!(mmio_read32(idm_base + IDM_FEATURES) & IDM_FEATURE_RESOURCE_TABLE))
                return false;
        mmio_write32(idm_base + IDM_EXTENSION(IDM_MASTER) + IDM_RESOURCE_TABLE_LO, (uint32_t) address);
        mmio_write32(idm_base + IDM_EXTENSION(IDM_MASTER) + IDM_RESOURCE_TABLE_HI, 0);
        return true;
}

unsigned idm_heartbeat_ms(void) {
        if (!(mmio_read32(idm_base + IDM_FEATURES) & IDM_FEATURE_HEARTBEAT))
                return 0;
        return mmio_read32(idm_base + IDM_EXTENSION(IDM_MASTER) + IDM_HEARTBEAT);
}

void idm_heartbeat(void) {
        mmio_write32(idm_base + IDM_EXTENSION(IDM_MASTER) + IDM_HEARTBEAT, 1);
}

void idm_request_start(unsigned couple, uint64_t entry, uint64_t argument, uint32_t protocol) {
        couple_write64(couple, IDM_ENTRY_LO, entry);
        couple_write64(couple, IDM_ARGUMENT_LO, argument);
        /* The program that was put into the window must be there before the slave is. */
        barrier_device();
        couple_write(couple, IDM_CONTROL, IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(protocol));
}

void idm_request_stop(unsigned couple) {
        couple_write(couple, IDM_CONTROL, IDM_CONTROL_STOP);
}

uint32_t idm_request_result(unsigned couple) {
        return couple_read(couple, IDM_CONTROL) & 0xff;
}

const char *idm_result_name(uint32_t result) {
        static const char *const names[] = {
                [IDM_RESULT_NONE] = "none",
                [IDM_RESULT_PENDING] = "pending",
                [IDM_RESULT_DONE] = "done",
                [IDM_RESULT_REFUSED] = "refused",
                [IDM_RESULT_FAILED] = "failed",
        };

        return result < sizeof(names) / sizeof(names[0]) ? names[result] : "unknown";
}

uint64_t idm_window_base(unsigned couple) {
        return couple_read64(couple, IDM_WINDOW_BASE_LO);
}

uint64_t idm_window_size(unsigned couple) {
        return couple_read64(couple, IDM_WINDOW_SIZE_LO);
}
