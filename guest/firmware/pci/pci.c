/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices on PCI. */

#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "mmio.h"
#include "pci.h"

#define PCI_ID                  0x00
#define PCI_COMMAND             0x04
#define PCI_COMMAND_ENABLE      (1u << 1 | 1u << 2)     /* memory, bus master */
#define PCI_BAR(n)              (0x10 + 4 * (n))
#define PCI_BAR_64BIT           (1u << 2)
#define PCI_BAR_FLAGS           0xfu
#define PCI_CAPABILITIES        0x34
#define PCI_CAPABILITY_MSIX     0x11u
#define MSIX_ENABLE             (1u << 31)
#define MSIX_MASK_ALL           (1u << 30)
#define PCI_DEVICES             32

/* Gives each region a place that is aligned to its size, as PCI wants it */
static void place_bars(PciDevice *d) {
        uint32_t next = BOARD_PCI_MMIO_BASE;

        for (unsigned n = 0; n < PCI_BARS; n++) {
                uint32_t size;

                pci_write(d->number, PCI_BAR(n), ~0u);
                size = -(pci_read(d->number, PCI_BAR(n)) & ~PCI_BAR_FLAGS);
                if (size == 0)
                        continue;
                next = (next + size - 1) & -size;
                d->bars[n] = next;
                pci_write(d->number, PCI_BAR(n), next);
                next += size;
                if (pci_read(d->number, PCI_BAR(n)) & PCI_BAR_64BIT)
                        pci_write(d->number, PCI_BAR(++n), 0);
        }
        pci_write(d->number, PCI_COMMAND, PCI_COMMAND_ENABLE);
}

bool pci_setup(uint32_t id, PciDevice *ret) {
        for (ret->number = 0; ret->number < PCI_DEVICES; ret->number++)
                if (pci_read(ret->number, PCI_ID) == id) {
                        place_bars(ret);
                        return true;
                }
        return false;
}

bool pci_route_msix(const PciDevice *d) {
        uint32_t capability, table;
        uintptr_t entry;

        for (capability = pci_read(d->number, PCI_CAPABILITIES) & 0xfc;
             capability && (pci_read(d->number, capability) & 0xff) != PCI_CAPABILITY_MSIX;
             capability = pci_read(d->number, capability) >> 8 & 0xfc)
                ;
        if (!capability)
                return false;

        table = pci_read(d->number, capability + 4);
        entry = d->bars[table & 7] + (table & ~7u);
        mmio_write32(entry + 0, BOARD_MSI_ADDRESS);
        mmio_write32(entry + 4, 0);
        mmio_write32(entry + 8, BOARD_MSI_IRQ);
        mmio_write32(entry + 12, 0);            /* not masked */
        pci_write(d->number, capability, (pci_read(d->number, capability) & ~MSIX_MASK_ALL) | MSIX_ENABLE);
        return true;
}
