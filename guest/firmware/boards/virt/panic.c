/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a program on the virt board fails for good. A Cortex-A never locks up by itself, so QEMU's panic device is told,
 * if the machine has one where a program without MMU reaches it: virt,highmem=off with -device pvpanic-pci.
 */

#include <stdint.h>

#include "board.h"
#include "fault.h"
#include "mmio.h"

#define PCI_ID                  0x00
#define PCI_ID_PVPANIC          0x00111b36u
#define PCI_COMMAND             0x04
#define PCI_COMMAND_MEMORY      (1u << 1)
#define PCI_BAR0                0x10
#define PCI_DEVICES             32

#define PVPANIC_PANICKED        1u              /* one register, of 8 bits */

void panic(void) {
        for (unsigned device = 0; device < PCI_DEVICES; device++) {
                uintptr_t configuration = BOARD_PCI_ECAM_BASE + (device << 15);

                if (mmio_read32(configuration + PCI_ID) != PCI_ID_PVPANIC)
                        continue;
                mmio_write32(configuration + PCI_BAR0, BOARD_PCI_MMIO_BASE);
                mmio_write32(configuration + PCI_COMMAND, PCI_COMMAND_MEMORY);
                *(volatile uint8_t *) BOARD_PCI_MMIO_BASE = PVPANIC_PANICKED;
        }
}
