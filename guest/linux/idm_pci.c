// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IDM on PCI: its registers are a region, its interrupt is a message, or
 * INTA#. There is no device tree that tells of the slaves.
 */

#include <linux/module.h>
#include <linux/pci.h>

#include "idm_rproc.h"

/* The number is one for experiments, so that it may be another's, too. */
static int idm_pci_map(struct pci_dev *pdev, void __iomem **base)
{
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	if (pci_resource_len(pdev, IDM_PCI_BAR) < IDM_MMIO_SIZE)
		return -ENODEV;
	ret = pcim_iomap_regions(pdev, BIT(IDM_PCI_BAR), "idm-rproc");
	if (ret)
		return ret;

	*base = pcim_iomap_table(pdev)[IDM_PCI_BAR];
	return idm_check_device(&pdev->dev, *base);
}

static int idm_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct idm *idm = idm_alloc(&pdev->dev);
	int ret;

	if (!idm)
		return -ENOMEM;
	ret = idm_pci_map(pdev, &idm->base);
	if (ret)
		return ret;
	writel(0, idm->base + IDM_CTRL);
	pci_set_master(pdev);

	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	if (ret < 0)
		return ret;
	idm->messages = pci_dev_msi_enabled(pdev);
	idm->irq_flags = idm->messages ? 0 : IRQF_SHARED;
	return idm_set_up(idm, pci_irq_vector(pdev, 0));
}

static void idm_pci_remove(struct pci_dev *pdev)
{
	idm_tear_down(pci_get_drvdata(pdev));
}

static const struct pci_device_id idm_pci_ids[] = {
	{ PCI_DEVICE(IDM_PCI_VENDOR_ID, IDM_PCI_DEVICE_ID) },
	{ }
};

/* As in idm_device.c: no MODULE_DEVICE_TABLE() */
MODULE_ALIAS("pci:v00001AF4d000010F1sv*sd*bc*sc*i*");

static struct pci_driver idm_pci_driver = {
	.name = "idm-rproc",
	.id_table = idm_pci_ids,
	.probe = idm_pci_probe,
	.remove = idm_pci_remove,
};

int idm_pci_register(void)
{
	return pci_register_driver(&idm_pci_driver);
}

void idm_pci_unregister(void)
{
	pci_unregister_driver(&idm_pci_driver);
}
