/*
 * IDM on a platform bus
 *
 * -device idm_ipi, for machines whose platform bus gives it an address, an
 * interrupt and a device-tree node (hw/core/sysbus-fdt.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/misc/idm.h"
#include "hw/qdev-properties.h"
#include "hw/sysbus.h"

OBJECT_DECLARE_SIMPLE_TYPE(IDMSysBusState, IDM_SYSBUS)

struct IDMSysBusState {
    SysBusDevice parent_obj;

    IDMState idm;
};

static void idm_sysbus_reset_hold(Object *obj, ResetType type)
{
    idm_reset(&IDM_SYSBUS(obj)->idm);
}

static void idm_sysbus_realize(DeviceState *dev, Error **errp)
{
    idm_realize(&IDM_SYSBUS(dev)->idm, errp);
}

static void idm_sysbus_unrealize(DeviceState *dev)
{
    idm_unrealize(&IDM_SYSBUS(dev)->idm);
}

static void idm_sysbus_init(Object *obj)
{
    IDMSysBusState *s = IDM_SYSBUS(obj);

    idm_init_mmio(&s->idm, obj);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->idm.iomem);
    sysbus_init_irq(SYS_BUS_DEVICE(obj), &s->idm.irq);
}

static const Property idm_sysbus_properties[] = {
    DEFINE_IDM_PROPERTIES(IDMSysBusState, idm),
};

static void idm_sysbus_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    dc->desc = "Inter-processor interrupts between QEMU processes";
    dc->realize = idm_sysbus_realize;
    dc->unrealize = idm_sysbus_unrealize;
    dc->vmsd = &vmstate_idm;
    /* A machine that can have it has it on its list of dynamic devices */
    dc->user_creatable = true;
    device_class_set_props(dc, idm_sysbus_properties);
    idm_describe_properties(klass);
    rc->phases.hold = idm_sysbus_reset_hold;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo idm_sysbus_types[] = {
    {
        .name = TYPE_IDM_SYSBUS,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(IDMSysBusState),
        .instance_init = idm_sysbus_init,
        .class_init = idm_sysbus_class_init,
    },
};

DEFINE_TYPES(idm_sysbus_types)
