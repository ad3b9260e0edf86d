/*
 * STM32 view of a couple, on a platform bus
 *
 * -device idm_stm32,couple=N, after the IDM. Its interrupts are receive,
 * free and, of a master, watchdog.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/misc/idm-stm32.h"
#include "hw/qdev-properties.h"
#include "hw/sysbus.h"

OBJECT_DECLARE_SIMPLE_TYPE(IDMStm32SysBusState, IDM_STM32_SYSBUS)

struct IDMStm32SysBusState {
    SysBusDevice parent_obj;

    IDMStm32State view;
};

static void idm_stm32_sysbus_reset_hold(Object *obj, ResetType type)
{
    idm_stm32_reset_hold(&IDM_STM32_SYSBUS(obj)->view);
}

static void idm_stm32_sysbus_reset_exit(Object *obj, ResetType type)
{
    idm_stm32_reset_exit(&IDM_STM32_SYSBUS(obj)->view);
}

static void idm_stm32_sysbus_realize(DeviceState *dev, Error **errp)
{
    idm_stm32_realize(&IDM_STM32_SYSBUS(dev)->view, errp);
}

static void idm_stm32_sysbus_unrealize(DeviceState *dev)
{
    idm_stm32_unrealize(&IDM_STM32_SYSBUS(dev)->view);
}

static void idm_stm32_sysbus_init(Object *obj)
{
    SysBusDevice *sbd = SYS_BUS_DEVICE(obj);
    IDMStm32State *s = &IDM_STM32_SYSBUS(obj)->view;

    idm_stm32_init_mmio(s, obj);
    sysbus_init_mmio(sbd, &s->iomem);
    sysbus_init_irq(sbd, &s->rx);
    sysbus_init_irq(sbd, &s->tx);
    sysbus_init_irq(sbd, &s->watchdog);
}

static const Property idm_stm32_sysbus_properties[] = {
    DEFINE_IDM_STM32_PROPERTIES(IDMStm32SysBusState, view),
};

static void idm_stm32_sysbus_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    dc->desc = "STM32MP1's registers for another QEMU process of the platform";
    dc->realize = idm_stm32_sysbus_realize;
    dc->unrealize = idm_stm32_sysbus_unrealize;
    dc->vmsd = &vmstate_idm;
    dc->user_creatable = true;
    dc->hotpluggable = false;
    device_class_set_props(dc, idm_stm32_sysbus_properties);
    idm_stm32_describe_properties(klass);
    rc->phases.hold = idm_stm32_sysbus_reset_hold;
    rc->phases.exit = idm_stm32_sysbus_reset_exit;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo idm_stm32_sysbus_types[] = {
    {
        .name = TYPE_IDM_STM32_SYSBUS,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(IDMStm32SysBusState),
        .instance_init = idm_stm32_sysbus_init,
        .class_init = idm_stm32_sysbus_class_init,
    },
};

DEFINE_TYPES(idm_stm32_sysbus_types)
