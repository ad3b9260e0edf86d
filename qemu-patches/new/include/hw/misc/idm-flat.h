/*
 * Devices of the IDM for boards with no platform bus
 *
 * What they have in common: the user says at which address they are and to
 * which inputs of the interrupt controller they are wired. idm-flat.c is the
 * IDM, idm-stm32-flat.c the STM32 view of a slave's couple.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_MISC_IDM_FLAT_H
#define HW_MISC_IDM_FLAT_H

#include "hw/qdev-core.h"
#include "hw/qdev-properties.h"

typedef struct IDMFlatPlace {
    uint64_t addr;
    DeviceState *intc;          /* NULL: the machine's only armv7m */
} IDMFlatPlace;

#define DEFINE_IDM_FLAT_PROPERTIES(_state, _field)                      \
    DEFINE_PROP_UINT64("addr", _state, _field.addr, UINT64_MAX),        \
    DEFINE_PROP_LINK("intc", _state, _field.intc, TYPE_DEVICE, DeviceState *)

/* The help texts of these */
void idm_flat_describe_properties(ObjectClass *oc);

/* An input that the user did not name */
#define IDM_FLAT_IRQ_NONE UINT32_MAX

bool idm_flat_check_addr(const IDMFlatPlace *place, uint64_t size,
                         Error **errp);
/* property: which one says the number. NULL: there is no such input */
qemu_irq idm_flat_find_irq(const IDMFlatPlace *place, const char *property,
                           uint32_t number, Error **errp);
/* Puts it there, and has it reset with the machine */
void idm_flat_map(DeviceState *dev, const IDMFlatPlace *place,
                  MemoryRegion *iomem);
void idm_flat_unmap(DeviceState *dev, MemoryRegion *iomem);

#endif
