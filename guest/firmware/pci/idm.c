/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IDM on PCI. */

#include <stddef.h>
#include <stdint.h>

#include "hw/misc/idm-regs.h"
#include "pci.h"
#include "pci-idm.h"

static PciDevice device;

uintptr_t pci_idm_find(void) {
        if (device.bars[IDM_PCI_BAR] ||
            (pci_setup((uint32_t) IDM_PCI_DEVICE_ID << 16 | IDM_PCI_VENDOR_ID, &device) && pci_route_msix(&device)))
                return device.bars[IDM_PCI_BAR];
        return 0;
}

uintptr_t pci_idm_pages(void) {
        return device.bars[IDM_PCI_PAGES_BAR];
}
