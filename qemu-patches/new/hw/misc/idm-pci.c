/*
 * IDM on PCI
 *
 * -device idm_ipi-pci: the registers in BAR 0, one interrupt by MSI-X or by
 * INTA#. With KVM the doorbells of the couples raise the MSI-X interrupt
 * without this process (irqfd); what they announce is then taken when the
 * guest looks (het_couples_divert()). In BAR 2 the guest has the control
 * pages (idm-pci-pages.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/event_notifier.h"
#include "hw/misc/idm.h"
#include "hw/misc/idm-pages.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_device.h"
#include "hw/qdev-properties.h"
#include "system/kvm.h"
#include "trace.h"

OBJECT_DECLARE_SIMPLE_TYPE(IDMPCIState, IDM_PCI)

#define IDM_PCI_VECTOR  0
#define IDM_PCI_NO_ROUTE (-1)

struct IDMPCIState {
    PCIDevice parent_obj;

    IDMState idm;
    IDMPages pages;
    int virq;           /* KVM's route to the vector while it is not masked */
    bool diverted;
    bool irqfd;         /* the user wants it, where there is one */
};

/* --- interrupts without this process --- */

static bool idm_pci_add_doorbell(void *opaque, int fd)
{
    IDMPCIState *s = opaque;
    EventNotifier n;

    event_notifier_init_fd(&n, fd);
    return kvm_irqchip_add_irqfd_notifier_gsi(kvm_state, &n, NULL,
                                              s->virq) >= 0;
}

static void idm_pci_remove_doorbell(void *opaque, int fd)
{
    IDMPCIState *s = opaque;
    EventNotifier n;

    event_notifier_init_fd(&n, fd);
    if (kvm_irqchip_remove_irqfd_notifier_gsi(kvm_state, &n, s->virq) < 0) {
        error_report("idm_ipi-pci: cannot take a doorbell from KVM");
    }
}

static const HetDoorbellOps idm_pci_doorbell_ops = {
    .add = idm_pci_add_doorbell,
    .remove = idm_pci_remove_doorbell,
};

static void idm_pci_update_divert(IDMPCIState *s)
{
    bool divert = s->virq != IDM_PCI_NO_ROUTE &&
                  (s->idm.ctrl & IDM_CTRL_IRQ_ENABLE);

    if (s->diverted == divert) {
        return;
    }
    trace_idm_pci_route(s->virq, divert);
    /* First: what is taken meanwhile comes back here */
    s->diverted = divert;
    het_couples_divert(divert ? &idm_pci_doorbell_ops : NULL, s);
}

static int idm_pci_unmask(PCIDevice *pdev, unsigned vector, MSIMessage msg)
{
    IDMPCIState *s = IDM_PCI(pdev);
    KVMRouteChange change = kvm_irqchip_begin_route_changes(kvm_state);
    int virq = kvm_irqchip_add_msi_route(&change, vector, pdev);

    if (virq < 0) {
        /* All routes are in use: the way through this process is left */
        return 0;
    }
    kvm_irqchip_commit_route_changes(&change);
    s->virq = virq;
    idm_pci_update_divert(s);
    return 0;
}

static void idm_pci_mask(PCIDevice *pdev, unsigned vector)
{
    IDMPCIState *s = IDM_PCI(pdev);
    int virq = s->virq;

    if (virq == IDM_PCI_NO_ROUTE) {
        return;
    }
    if (s->diverted) {
        s->diverted = false;
        trace_idm_pci_route(virq, false);
        het_couples_divert(NULL, NULL);
    }
    s->virq = IDM_PCI_NO_ROUTE;
    kvm_irqchip_release_virq(kvm_state, virq);
}

/* While masked, what comes is kept pending by msix_notify() */
static void idm_pci_poll(PCIDevice *pdev, unsigned first, unsigned last)
{
}

static void idm_pci_watch_mask(IDMPCIState *s, bool watch)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    if (!s->irqfd || !kvm_msi_via_irqfd_enabled() ||
        watch == (pdev->msix_vector_use_notifier != NULL)) {
        return;
    }
    if (watch) {
        msix_set_vector_notifiers(pdev, idm_pci_unmask, idm_pci_mask,
                                  idm_pci_poll);
    } else {
        msix_unset_vector_notifiers(pdev);
    }
}

/* --- the interrupt --- */

/*
 * Of a level a message can be made only if it is sent again for whatever is
 * left, or new, when the guest has looked: so there is one at each change.
 */
static void idm_pci_set_irq(void *opaque, int n, int level)
{
    IDMPCIState *s = opaque;
    PCIDevice *pdev = PCI_DEVICE(s);

    idm_pci_update_divert(s);
    if (!msix_enabled(pdev)) {
        pci_set_irq(pdev, level);
    } else if (level && !s->idm.polling) {
        msix_notify(pdev, IDM_PCI_VECTOR);
    }
}

static void idm_pci_write_config(PCIDevice *pdev, uint32_t address,
                                 uint32_t value, int len)
{
    IDMPCIState *s = IDM_PCI(pdev);
    bool before = msix_enabled(pdev), after;

    pci_default_write_config(pdev, address, value, len);
    after = msix_enabled(pdev);
    if (before != after) {
        pci_set_irq(pdev, 0);
        idm_pci_watch_mask(s, after);
        idm_update_irq(&s->idm);
    }
}

/* --- the device's life --- */

static void idm_pci_reset_hold(Object *obj, ResetType type)
{
    IDMPCIState *s = IDM_PCI(obj);

    /* Before PCI clears the mask and the enable bit, without a word */
    idm_pci_watch_mask(s, false);
    idm_reset(&s->idm);
}

static void idm_pci_changed(IDMState *idm, uint32_t id)
{
    idm_pages_update(&container_of(idm, IDMPCIState, idm)->pages, id);
}

static void idm_pci_init_pages(IDMPCIState *s)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    if (!s->idm.pages) {
        return;
    }
    idm_pages_init(&s->pages, OBJECT(s), &s->idm.iomem);
    pci_register_bar(pdev, IDM_PCI_PAGES_BAR, PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_PREFETCH, &s->pages.bar);
    s->idm.changed = idm_pci_changed;
}

static void idm_pci_realize(PCIDevice *pdev, Error **errp)
{
    IDMPCIState *s = IDM_PCI(pdev);
    Error *err = NULL;
    int ret;

    pci_config_set_interrupt_pin(pdev->config, 1);
    pci_register_bar(pdev, IDM_PCI_BAR, PCI_BASE_ADDRESS_SPACE_MEMORY,
                     &s->idm.iomem);
    idm_pci_init_pages(s);
    ret = msix_init_exclusive_bar(pdev, 1, IDM_PCI_MSIX_BAR, &err);
    if (ret < 0 && ret != -ENOTSUP) {
        error_propagate(errp, err);
        return;
    }
    /* Else the interrupt controller of the machine has no MSI: INTA# is left */
    error_free(err);
    if (ret >= 0) {
        msix_vector_use(pdev, IDM_PCI_VECTOR);
    }
    s->virq = IDM_PCI_NO_ROUTE;
    s->idm.irq = qemu_allocate_irq(idm_pci_set_irq, s, 0);
    if (!idm_realize(&s->idm, errp)) {
        qemu_free_irq(s->idm.irq);
        if (msix_present(pdev)) {
            msix_uninit_exclusive_bar(pdev);
        }
    }
}

static void idm_pci_exit(PCIDevice *pdev)
{
    IDMPCIState *s = IDM_PCI(pdev);

    idm_pci_watch_mask(s, false);
    idm_unrealize(&s->idm);
    idm_pages_exit(&s->pages);
    qemu_free_irq(s->idm.irq);
    if (msix_present(pdev)) {
        msix_uninit_exclusive_bar(pdev);
    }
}

static void idm_pci_init(Object *obj)
{
    idm_init_mmio(&IDM_PCI(obj)->idm, obj);
}

static const Property idm_pci_properties[] = {
    DEFINE_IDM_PROPERTIES(IDMPCIState, idm),
    DEFINE_PROP_BOOL("pages", IDMPCIState, idm.pages, true),
    DEFINE_PROP_BOOL("irqfd", IDMPCIState, irqfd, true),
};

static void idm_pci_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = idm_pci_realize;
    k->exit = idm_pci_exit;
    k->config_write = idm_pci_write_config;
    k->vendor_id = IDM_PCI_VENDOR_ID;
    k->device_id = IDM_PCI_DEVICE_ID;
    k->revision = IDM_PCI_REVISION;
    k->class_id = PCI_CLASS_SYSTEM_OTHER;
    dc->desc = "Inter-processor interrupts between QEMU processes, on PCI";
    dc->vmsd = &vmstate_idm;
    /* The guest's role, which this device gives, shall not change */
    dc->hotpluggable = false;
    device_class_set_props(dc, idm_pci_properties);
    idm_describe_properties(klass);
    object_class_property_set_description(klass, "pages",
        "The guest has the control pages of its couples, in BAR 2");
    object_class_property_set_description(klass, "irqfd",
        "With KVM, doorbells interrupt the guest without this process");
    rc->phases.hold = idm_pci_reset_hold;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo idm_pci_types[] = {
    {
        .name = TYPE_IDM_PCI,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(IDMPCIState),
        .instance_init = idm_pci_init,
        .class_init = idm_pci_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_CONVENTIONAL_PCI_DEVICE },
            { },
        },
    },
};

DEFINE_TYPES(idm_pci_types)
