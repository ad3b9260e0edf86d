/*
 * Devices of the IDM for boards with no platform bus: address and interrupts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/arm/armv7m.h"
#include "hw/het-check.h"
#include "hw/misc/idm-flat.h"
#include "system/hostmem-shared.h"
#include "system/reset.h"
#include "trace.h"

/* NULL: none, or several */
static Object *idm_flat_intc(const IDMFlatPlace *place, bool *ambiguous)
{
    return place->intc ? OBJECT(place->intc)
                       : object_resolve_path_type("", TYPE_ARMV7M, ambiguous);
}

bool idm_flat_check_addr(const IDMFlatPlace *place, uint64_t size,
                         Error **errp)
{
    HostMemoryBackendShared *memory;

    if (place->addr == UINT64_MAX) {
        error_setg(errp, "'addr' is needed: this device is on no bus that"
                   " could choose an address");
        return false;
    }
    if (place->addr % size) {
        error_setg(errp, "'addr' must be a multiple of 0x%" PRIx64, size);
        return false;
    }
    if (place->addr > UINT32_MAX &&
        object_dynamic_cast(idm_flat_intc(place, NULL), TYPE_ARMV7M)) {
        error_setg(errp, "'addr' is beyond what a Cortex-M reaches, which is"
                   " 4 GiB");
        return false;
    }
    memory = hostmem_shared_at(place->addr, size);
    if (memory) {
        error_setg(errp, "the device would hide a part of the memory '%s'",
                   object_get_canonical_path_component(OBJECT(memory)));
        return false;
    }
    return het_check_place("the device", place->addr, size, false, errp);
}

qemu_irq idm_flat_find_irq(const IDMFlatPlace *place, const char *property,
                           uint32_t number, Error **errp)
{
    g_autofree char *input = g_strdup_printf("unnamed-gpio-in[%u]", number);
    bool ambiguous = false;
    Object *intc = idm_flat_intc(place, &ambiguous);

    if (!intc) {
        error_setg(errp, ambiguous ?
                   "'intc' is needed: there are several armv7m" :
                   "'intc' is needed: this machine has no armv7m");
        return NULL;
    }
    if (number == IDM_FLAT_IRQ_NONE) {
        error_setg(errp, "'%s' is needed: the number of the input of the"
                   " interrupt controller", property);
        return NULL;
    }
    if (!object_property_find(intc, input)) {
        error_setg(errp, "the interrupt controller has no input %u", number);
        return NULL;
    }
    return qdev_get_gpio_in(DEVICE(intc), number);
}

void idm_flat_map(DeviceState *dev, const IDMFlatPlace *place,
                  MemoryRegion *iomem)
{
    trace_idm_flat_map(object_get_typename(OBJECT(dev)), place->addr);
    memory_region_add_subregion_overlap(get_system_memory(), place->addr,
                                        iomem, 0);
    /* A device on no bus is not reset with the machine by itself */
    qemu_register_resettable(OBJECT(dev));
}

void idm_flat_unmap(DeviceState *dev, MemoryRegion *iomem)
{
    qemu_unregister_resettable(OBJECT(dev));
    memory_region_del_subregion(get_system_memory(), iomem);
}

void idm_flat_describe_properties(ObjectClass *oc)
{
    object_class_property_set_description(oc, "addr",
        "Address of the registers");
    object_class_property_set_description(oc, "intc",
        "QOM path of the interrupt controller (default: the only armv7m)");
}
