/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration space of PCI at the ports of a PC: those that work without any set-up. */

#include <stdint.h>

#include "pci.h"
#include "port.h"

#define CONFIG_ADDRESS          0xcf8
#define CONFIG_DATA             0xcfc
#define CONFIG_ENABLE           (1u << 31)

static void choose(unsigned device, unsigned reg) {
        port_write32(CONFIG_ADDRESS, CONFIG_ENABLE | device << 11 | reg);
}

uint32_t pci_read(unsigned device, unsigned reg) {
        choose(device, reg);
        return port_read32(CONFIG_DATA);
}

void pci_write(unsigned device, unsigned reg, uint32_t value) {
        choose(device, reg);
        port_write32(CONFIG_DATA, value);
}
