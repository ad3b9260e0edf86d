/*
 * STM32 view of a slave's couple, for boards with no platform bus
 *
 * -device idm_stm32-flat,addr=ADDR,irq=N,irq-free=N[,intc=PATH], after the
 * IDM. It is for firmware on a slave: Linux, which drives slaves by these
 * registers, runs on no such board.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/misc/idm-flat.h"
#include "hw/misc/idm-stm32.h"

OBJECT_DECLARE_SIMPLE_TYPE(IDMStm32FlatState, IDM_STM32_FLAT)

struct IDMStm32FlatState {
    DeviceState parent_obj;

    IDMStm32State view;
    IDMFlatPlace place;
    uint32_t irq;
    uint32_t irq_free;
};

static void idm_stm32_flat_reset_hold(Object *obj, ResetType type)
{
    idm_stm32_reset_hold(&IDM_STM32_FLAT(obj)->view);
}

static void idm_stm32_flat_realize(DeviceState *dev, Error **errp)
{
    IDMStm32FlatState *s = IDM_STM32_FLAT(dev);
    qemu_irq rx, tx;

    if (idm_is_master()) {
        error_setg(errp, "this device is for slaves: a master has idm_stm32,"
                   " on a platform bus");
        return;
    }
    if (!idm_flat_check_addr(&s->place, STM32_MMIO_SIZE, errp)) {
        return;
    }
    rx = idm_flat_find_irq(&s->place, "irq", s->irq, errp);
    tx = rx ? idm_flat_find_irq(&s->place, "irq-free", s->irq_free, errp)
            : NULL;
    if (!tx) {
        return;
    }
    if (rx == tx) {
        error_setg(errp, "'irq' and 'irq-free' must be different inputs");
        return;
    }
    if (!idm_stm32_realize(&s->view, errp)) {
        return;
    }
    qdev_connect_gpio_out(dev, 0, rx);
    qdev_connect_gpio_out(dev, 1, tx);
    idm_flat_map(dev, &s->place, &s->view.iomem);
}

static void idm_stm32_flat_unrealize(DeviceState *dev)
{
    IDMStm32FlatState *s = IDM_STM32_FLAT(dev);

    idm_flat_unmap(dev, &s->view.iomem);
    idm_stm32_unrealize(&s->view);
}

static void idm_stm32_flat_init(Object *obj)
{
    IDMStm32State *s = &IDM_STM32_FLAT(obj)->view;

    idm_stm32_init_mmio(s, obj);
    qdev_init_gpio_out(DEVICE(obj), &s->rx, 1);
    qdev_init_gpio_out(DEVICE(obj), &s->tx, 1);
}

static const Property idm_stm32_flat_properties[] = {
    DEFINE_IDM_FLAT_PROPERTIES(IDMStm32FlatState, place),
    DEFINE_PROP_UINT32("irq", IDMStm32FlatState, irq, IDM_FLAT_IRQ_NONE),
    DEFINE_PROP_UINT32("irq-free", IDMStm32FlatState, irq_free,
                       IDM_FLAT_IRQ_NONE),
};

static void idm_stm32_flat_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    dc->desc = "STM32MP1's mailbox to the master of the platform,"
               " for boards with no platform bus";
    dc->realize = idm_stm32_flat_realize;
    dc->unrealize = idm_stm32_flat_unrealize;
    dc->vmsd = &vmstate_idm;
    dc->hotpluggable = false;
    device_class_set_props(dc, idm_stm32_flat_properties);
    idm_flat_describe_properties(klass);
    object_class_property_set_description(klass, "irq",
        "Number of the input for the receive interrupt");
    object_class_property_set_description(klass, "irq-free",
        "Number of the input for the interrupt of free channels");
    rc->phases.hold = idm_stm32_flat_reset_hold;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo idm_stm32_flat_types[] = {
    {
        .name = TYPE_IDM_STM32_FLAT,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(IDMStm32FlatState),
        .instance_init = idm_stm32_flat_init,
        .class_init = idm_stm32_flat_class_init,
    },
};

DEFINE_TYPES(idm_stm32_flat_types)
