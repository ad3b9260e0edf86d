/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PCI for programs that have no firmware below them: finds a device on the first bus, gives its regions their places and
 * routes its interrupt. One device of a program is set up so; its regions begin at BOARD_PCI_MMIO_BASE.
 */

#include <stdbool.h>
#include <stdint.h>

#define PCI_BARS                6

typedef struct PciDevice {
        unsigned number;
        uintptr_t bars[PCI_BARS];       /* where they were put; 0: the device has no such */
} PciDevice;

/* Configuration space; ecam.c or ports.c, as the board has it */
uint32_t pci_read(unsigned device, unsigned reg);
void pci_write(unsigned device, unsigned reg, uint32_t value);

/* id: device in the upper half, vendor in the lower one; false: there is none */
bool pci_setup(uint32_t id, PciDevice *ret);
/* Vector 0 of its MSI-X becomes BOARD_MSI_IRQ; false if it has none */
bool pci_route_msix(const PciDevice *device);
