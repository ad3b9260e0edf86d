/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ping-pong over QEMU's ivshmem-doorbell, both sides in one program: peer 0 measures, peer 1 answers. They must be
 * the first two clients of their ivshmem-server, and their machine is virt,highmem=off.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "console.h"
#include "irq.h"
#include "mmio.h"
#include "ping-pong.h"

/* PCI configuration space, and the three regions of the device (docs/specs/ivshmem-spec.rst of QEMU) */
#define PCI_ID                  0x00
#define PCI_ID_IVSHMEM          0x11101af4u
#define PCI_COMMAND             0x04
#define PCI_COMMAND_ENABLE      (1u << 1 | 1u << 2)     /* memory, bus master */
#define PCI_BAR(n)              (0x10 + 4 * (n))
#define PCI_BAR_64BIT           (1u << 2)
#define PCI_BAR_FLAGS           0xfu
#define PCI_BARS                6
#define PCI_CAPABILITIES        0x34
#define PCI_CAPABILITY_MSIX     0x11u
#define MSIX_ENABLE             (1u << 31)
#define MSIX_MASK_ALL           (1u << 30)
#define PCI_DEVICES             32

#define BAR_REGISTERS           0
#define IVSHMEM_IV_POSITION     0x08
#define IVSHMEM_DOORBELL        0x0c                    /* peer << 16 | vector */

#define V2M_MSI_TYPER           (BOARD_GICV2M_BASE + 0x008)
#define V2M_MSI_SETSPI          (BOARD_GICV2M_BASE + 0x040)

static uintptr_t configuration, bars[PCI_BARS];
static unsigned peer;

static bool find_device(void) {
        for (unsigned device = 0; device < PCI_DEVICES; device++) {
                configuration = BOARD_PCI_ECAM_BASE + (device << 15);
                if (mmio_read32(configuration + PCI_ID) == PCI_ID_IVSHMEM)
                        return true;
        }
        return false;
}

/* Gives each region a place that is aligned to its size, as PCI wants it */
static void place_bars(void) {
        uint32_t next = BOARD_PCI_MMIO_BASE;

        for (unsigned n = 0; n < PCI_BARS; n++) {
                uintptr_t bar = configuration + PCI_BAR(n);
                uint32_t size;

                mmio_write32(bar, ~0u);
                size = -(mmio_read32(bar) & ~PCI_BAR_FLAGS);
                if (size == 0)
                        continue;
                next = (next + size - 1) & -size;
                bars[n] = next;
                mmio_write32(bar, next);
                next += size;
                if (mmio_read32(bar) & PCI_BAR_64BIT)
                        mmio_write32(configuration + PCI_BAR(++n), 0);
        }
        mmio_write32(configuration + PCI_COMMAND, PCI_COMMAND_ENABLE);
}

/* Sends vector 0 of the device to an interrupt of the GIC; false if the device has no MSI-X */
static bool route_msix(uint32_t interrupt) {
        uint32_t capability, table;
        uintptr_t entry;

        for (capability = mmio_read32(configuration + PCI_CAPABILITIES) & 0xfc;
             capability && (mmio_read32(configuration + capability) & 0xff) != PCI_CAPABILITY_MSIX;
             capability = mmio_read32(configuration + capability) >> 8 & 0xfc)
                ;
        if (!capability)
                return false;

        table = mmio_read32(configuration + capability + 4);
        entry = bars[table & 7] + (table & ~7u);
        mmio_write32(entry + 0, V2M_MSI_SETSPI);
        mmio_write32(entry + 4, 0);
        mmio_write32(entry + 8, interrupt);
        mmio_write32(entry + 12, 0);            /* not masked */
        mmio_write32(configuration + capability,
                     (mmio_read32(configuration + capability) & ~MSIX_MASK_ALL) | MSIX_ENABLE);
        return true;
}

static void ring(void) {
        mmio_write32(bars[BAR_REGISTERS] + IVSHMEM_DOORBELL, peer << 16);
}

int main(void) {
        static const PingPongTransport transport = { .name = "ivshmem-doorbell", .ping = ring };
        uint32_t interrupt = mmio_read32(V2M_MSI_TYPER) >> 16 & 0x3ff, position;

        console_init();
        irq_init();
        if (!find_device()) {
                print("bench: there is no ivshmem device\n");
                return 1;
        }
        place_bars();
        position = mmio_read32(bars[BAR_REGISTERS] + IVSHMEM_IV_POSITION);
        peer = position == 0 ? 1 : 0;
        irq_enable(interrupt, IRQ_EDGE, position == 0 ? ping_pong_answered : ring);
        if (!route_msix(interrupt)) {
                print("bench: the ivshmem device has no MSI-X, so it is no ivshmem-doorbell\n");
                return 1;
        }

        if (position == 0)
                ping_pong_run(&transport);
        print("bench: answering, transport=%s\n", transport.name);
        for (;;)
                irq_wait();
}
