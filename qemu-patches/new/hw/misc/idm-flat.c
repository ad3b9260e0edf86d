/*
 * IDM for boards with no platform bus
 *
 * -device idm_ipi-flat,addr=ADDR,irq=N[,intc=PATH], for boards such as those
 * with a Cortex-M, where the user says where it is. The interrupt controller
 * is the machine's only armv7m unless intc names another.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/arm/armv7m.h"
#include "hw/misc/idm.h"
#include "hw/qdev-properties.h"
#include "system/reset.h"

OBJECT_DECLARE_SIMPLE_TYPE(IDMFlatState, IDM_FLAT)

struct IDMFlatState {
    DeviceState parent_obj;

    IDMState idm;
    uint64_t addr;
    uint32_t irq;
    DeviceState *intc;
};

static void idm_flat_reset_hold(Object *obj, ResetType type)
{
    idm_reset(&IDM_FLAT(obj)->idm);
}

static bool idm_flat_check_addr(IDMFlatState *s, Error **errp)
{
    if (s->addr == UINT64_MAX) {
        error_setg(errp, "'addr' is needed: this device is on no bus that"
                   " could choose an address");
        return false;
    }
    if (s->addr % IDM_MMIO_SIZE) {
        error_setg(errp, "'addr' must be a multiple of 0x%x", IDM_MMIO_SIZE);
        return false;
    }
    return het_check_place("the device", s->addr, IDM_MMIO_SIZE, false, errp);
}

/* NULL: there is no such input */
static qemu_irq idm_flat_find_irq(IDMFlatState *s, Error **errp)
{
    g_autofree char *input = g_strdup_printf("unnamed-gpio-in[%u]", s->irq);
    bool ambiguous = false;
    Object *intc = OBJECT(s->intc);

    if (!intc) {
        intc = object_resolve_path_type("", TYPE_ARMV7M, &ambiguous);
    }
    if (!intc) {
        error_setg(errp, ambiguous ?
                   "'intc' is needed: there are several armv7m" :
                   "'intc' is needed: this machine has no armv7m");
        return NULL;
    }
    if (s->irq == UINT32_MAX) {
        error_setg(errp, "'irq' is needed: the number of the input of the"
                   " interrupt controller");
        return NULL;
    }
    if (!object_property_find(intc, input)) {
        error_setg(errp, "the interrupt controller has no input %u", s->irq);
        return NULL;
    }
    return qdev_get_gpio_in(DEVICE(intc), s->irq);
}

static void idm_flat_realize(DeviceState *dev, Error **errp)
{
    IDMFlatState *s = IDM_FLAT(dev);
    qemu_irq irq;

    if (!idm_flat_check_addr(s, errp)) {
        return;
    }
    irq = idm_flat_find_irq(s, errp);
    if (!irq || !idm_realize(&s->idm, errp)) {
        return;
    }
    qdev_connect_gpio_out(dev, 0, irq);
    memory_region_add_subregion_overlap(get_system_memory(), s->addr,
                                        &s->idm.iomem, 0);
    /* A device on no bus is not reset with the machine by itself */
    qemu_register_resettable(OBJECT(dev));
}

static void idm_flat_unrealize(DeviceState *dev)
{
    IDMFlatState *s = IDM_FLAT(dev);

    qemu_unregister_resettable(OBJECT(dev));
    memory_region_del_subregion(get_system_memory(), &s->idm.iomem);
    idm_unrealize(&s->idm);
}

static void idm_flat_init(Object *obj)
{
    IDMFlatState *s = IDM_FLAT(obj);

    idm_init_mmio(&s->idm, obj);
    qdev_init_gpio_out(DEVICE(obj), &s->idm.irq, 1);
}

static const Property idm_flat_properties[] = {
    DEFINE_PROP_UINT64("addr", IDMFlatState, addr, UINT64_MAX),
    DEFINE_PROP_UINT32("irq", IDMFlatState, irq, UINT32_MAX),
    DEFINE_IDM_PROPERTIES(IDMFlatState, idm),
    DEFINE_PROP_LINK("intc", IDMFlatState, intc, TYPE_DEVICE, DeviceState *),
};

static void idm_flat_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    dc->desc = "Inter-processor interrupts between QEMU processes,"
               " for boards with no platform bus";
    dc->realize = idm_flat_realize;
    dc->unrealize = idm_flat_unrealize;
    dc->vmsd = &vmstate_idm;
    dc->hotpluggable = false;
    device_class_set_props(dc, idm_flat_properties);
    rc->phases.hold = idm_flat_reset_hold;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo idm_flat_types[] = {
    {
        .name = TYPE_IDM_FLAT,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(IDMFlatState),
        .instance_init = idm_flat_init,
        .class_init = idm_flat_class_init,
    },
};

DEFINE_TYPES(idm_flat_types)
