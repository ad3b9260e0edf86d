/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration space of PCI on a PC: at its ports, which work without any set-up, or in memory on a board that has no such ports (microvm). */

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "mmio.h"
#include "pci.h"
#include "port.h"

#define CONFIG_ADDRESS          0xcf8
#define CONFIG_DATA             0xcfc
#define CONFIG_ENABLE           (1u << 31)

/* Whether there are the ports: one that is not there reads as all ones. */
static bool choose(unsigned device, unsigned reg) {
        uint32_t address = CONFIG_ENABLE | device << 11 | reg;

        port_write32(CONFIG_ADDRESS, address);
        return port_read32(CONFIG_ADDRESS) == address;
}

static uintptr_t in_memory(unsigned device, unsigned reg) {
        return BOARD_PCI_ECAM_BASE + (device << 15) + reg;
}

uint32_t pci_read(unsigned device, unsigned reg) {
        return choose(device, reg) ? port_read32(CONFIG_DATA) : mmio_read32(in_memory(device, reg));
}

void pci_write(unsigned device, unsigned reg, uint32_t value) {
        if (choose(device, reg))
                port_write32(CONFIG_DATA, value);
        else
                mmio_write32(in_memory(device, reg), value);
}
