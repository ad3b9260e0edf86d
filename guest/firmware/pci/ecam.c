/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration space of PCI in the board's memory map. */

#include <stdint.h>

#include "board.h"
#include "mmio.h"
#include "pci.h"

uint32_t pci_read(unsigned device, unsigned reg) {
        return mmio_read32(BOARD_PCI_ECAM_BASE + (device << 15) + reg);
}

void pci_write(unsigned device, unsigned reg, uint32_t value) {
        mmio_write32(BOARD_PCI_ECAM_BASE + (device << 15) + reg, value);
}
