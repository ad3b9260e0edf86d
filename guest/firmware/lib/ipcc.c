/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver of the IPCC. There is one in a machine, hence the static state. */

#include "barrier.h"
#include "ipcc.h"
#include "mmio.h"

#define MASTER(reg)     (STM32_IPCC_BLOCK(0) + (reg))
#define SELF(reg)       (STM32_IPCC_BLOCK(1) + (reg))

/* Halves of MR and SCR */
#define RECEIVE(channels)       (channels)
#define SEND(channels)          ((channels) << 16)

static uintptr_t ipcc_base;
static const IpccClient *ipcc_client;
static uint32_t ipcc_enabled;

static uint32_t ipcc_read(unsigned reg) {
        return mmio_read32(ipcc_base + reg);
}

static void ipcc_write(unsigned reg, uint32_t value) {
        mmio_write32(ipcc_base + reg, value);
}

static void ipcc_set_mask(uint32_t received, uint32_t freed) {
        ipcc_write(SELF(STM32_IPCC_MR), ~(RECEIVE(received) | SEND(freed)));
}

bool ipcc_init(uintptr_t base, const IpccClient *client) {
        ipcc_base = base;
        ipcc_client = client;
        ipcc_enabled = 0;
        if (ipcc_read(STM32_IPCC_VERR) != STM32_IPCC_VERR_VALUE || ipcc_read(STM32_IPCC_HWCFGR) <= STM32_CHANNEL_DETACH)
                return false;

        ipcc_set_mask(0, 0);
        ipcc_write(SELF(STM32_IPCC_CR), STM32_IPCC_CR_RXOIE | STM32_IPCC_CR_TXFIE);
        return true;
}

void ipcc_enable(uint32_t channels) {
        ipcc_enabled = channels;
        ipcc_set_mask(channels, 0);
}

void ipcc_interrupt(void) {
        uint32_t channels = ipcc_read(MASTER(STM32_IPCC_TOSR)) & ipcc_enabled, last = channels & 1u << STM32_CHANNEL_SHUTDOWN;

        /* Clear first: what comes while it is handled interrupts again. Only the end is confirmed when all is done. */
        ipcc_write(SELF(STM32_IPCC_SCR), RECEIVE(channels & ~last));
        barrier_device();
        if (channels & ~last)
                ipcc_client->received(channels & ~last);
        if (last) {
                ipcc_client->shutdown();
                barrier_device();
                ipcc_write(SELF(STM32_IPCC_SCR), RECEIVE(last));
        }
}

void ipcc_free_interrupt(void) {
        ipcc_set_mask(ipcc_enabled, 0);
}

bool ipcc_send(unsigned channel) {
        if (ipcc_read(SELF(STM32_IPCC_TOSR)) & 1u << channel)
                return false;
        barrier_device();
        ipcc_write(SELF(STM32_IPCC_SCR), SEND(1u << channel));
        return true;
}

void ipcc_wake_when_free(unsigned channel) {
        ipcc_set_mask(ipcc_enabled, 1u << channel);
}

void ipcc_publish_resource_table(uintptr_t address) {
        ipcc_write(STM32_RESOURCE_TABLE, (uint32_t) address);
}

unsigned ipcc_heartbeat_ms(void) {
        return ipcc_read(STM32_HEARTBEAT);
}

void ipcc_heartbeat(void) {
        ipcc_write(STM32_HEARTBEAT, 1);
}
