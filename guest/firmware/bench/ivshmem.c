/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ping-pong over QEMU's ivshmem-doorbell, both sides in one program: peer 0 measures, peer 1 answers. They must be
 * the first two clients of their ivshmem-server, and their machine is q35 or, on Arm, virt,highmem=off.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "console.h"
#include "irq.h"
#include "mmio.h"
#include "pci.h"
#include "ping-pong.h"

#define PCI_ID_IVSHMEM          0x11101af4u

/* The first region of the device (docs/specs/ivshmem-spec.rst of QEMU) */
#define BAR_REGISTERS           0
#define IVSHMEM_IV_POSITION     0x08
#define IVSHMEM_DOORBELL        0x0c                    /* peer << 16 | vector */

static PciDevice device;
static unsigned peer;

static void ring(void) {
        mmio_write32(device.bars[BAR_REGISTERS] + IVSHMEM_DOORBELL, peer << 16);
}

int main(void) {
        static const PingPongTransport transport = { .name = "ivshmem-doorbell", .ping = ring };
        uint32_t position;

        console_init();
        irq_init();
        if (!pci_setup(PCI_ID_IVSHMEM, &device)) {
                print("bench: there is no ivshmem device\n");
                return 1;
        }
        position = mmio_read32(device.bars[BAR_REGISTERS] + IVSHMEM_IV_POSITION);
        peer = position == 0 ? 1 : 0;
        irq_enable(BOARD_MSI_IRQ, IRQ_EDGE, position == 0 ? ping_pong_answered : ring);
        if (!pci_route_msix(&device)) {
                print("bench: the ivshmem device has no MSI-X, so it is no ivshmem-doorbell\n");
                return 1;
        }

        if (position == 0)
                ping_pong_run(&transport);
        ping_pong_answer(transport.name);
}
