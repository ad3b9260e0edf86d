/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Sets up an IDM on PCI, whose interrupt becomes BOARD_MSI_IRQ, and returns where its registers are; 0: there is none */
uintptr_t pci_idm_find(void);
/* After that: where its control pages are; 0: it has none */
uintptr_t pci_idm_pages(void);
