/*
 * Control pages in a region of a PCI device
 *
 * Page n of the region is that of the couple with processor n, while there
 * is one. So a guest can send vectors and take those that have arrived
 * without this process: by the words of the page, and by a register (KICK)
 * that with KVM is the eventfd of the other side.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_MISC_IDM_PAGES_H
#define HW_MISC_IDM_PAGES_H

#include "exec/memory.h"
#include "hw/misc/idm-regs.h"

typedef struct IDMPageState IDMPageState;

typedef struct IDMPages {
    MemoryRegion bar;
    MemoryRegion *registers;    /* of the IDM, where KICK is */
    IDMPageState *page[IDM_COUPLE_MAX];
} IDMPages;

void idm_pages_init(IDMPages *pages, Object *owner, MemoryRegion *registers);
/* When a couple was attached or detached. May drop the BQL for a moment. */
void idm_pages_update(IDMPages *pages, uint32_t id);
void idm_pages_exit(IDMPages *pages);

#endif
