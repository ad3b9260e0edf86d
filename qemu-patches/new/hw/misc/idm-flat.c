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
#include "hw/misc/idm.h"
#include "hw/misc/idm-flat.h"

OBJECT_DECLARE_SIMPLE_TYPE(IDMFlatState, IDM_FLAT)

struct IDMFlatState {
    DeviceState parent_obj;

    IDMState idm;
    IDMFlatPlace place;
    uint32_t irq;
};

static void idm_flat_reset_hold(Object *obj, ResetType type)
{
    idm_reset(&IDM_FLAT(obj)->idm);
}

static void idm_flat_realize(DeviceState *dev, Error **errp)
{
    IDMFlatState *s = IDM_FLAT(dev);
    qemu_irq irq;

    if (!idm_flat_check_addr(&s->place, IDM_MMIO_SIZE, errp)) {
        return;
    }
    irq = idm_flat_find_irq(&s->place, "irq", s->irq, errp);
    if (!irq || !idm_realize(&s->idm, errp)) {
        return;
    }
    qdev_connect_gpio_out(dev, 0, irq);
    idm_flat_map(dev, &s->place, &s->idm.iomem);
}

static void idm_flat_unrealize(DeviceState *dev)
{
    IDMFlatState *s = IDM_FLAT(dev);

    idm_flat_unmap(dev, &s->idm.iomem);
    idm_unrealize(&s->idm);
}

static void idm_flat_init(Object *obj)
{
    IDMFlatState *s = IDM_FLAT(obj);

    idm_init_mmio(&s->idm, obj);
    qdev_init_gpio_out(DEVICE(obj), &s->idm.irq, 1);
}

static const Property idm_flat_properties[] = {
    DEFINE_IDM_FLAT_PROPERTIES(IDMFlatState, place),
    DEFINE_PROP_UINT32("irq", IDMFlatState, irq, IDM_FLAT_IRQ_NONE),
    DEFINE_IDM_PROPERTIES(IDMFlatState, idm),
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
    idm_describe_properties(klass);
    idm_flat_describe_properties(klass);
    object_class_property_set_description(klass, "irq",
        "Number of the input of the interrupt controller");
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
