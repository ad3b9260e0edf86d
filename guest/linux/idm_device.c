// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remote processors behind an IDM (inter-processor interrupt distribution
 * module), the device through which the master of a qemu-het platform starts,
 * stops and interrupts its slaves: one device, one interrupt. As a platform
 * device it has a slave for each child node; on PCI (idm_pci.c) for each window
 * that its registers tell of.
 */

#include <linux/bitops.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "idm_rproc.h"

static irqreturn_t idm_interrupt(int irq, void *data)
{
	struct idm *idm = data;
	u32 summary[IDM_SUMMARY_COUNT];
	struct idm_slave *slave;
	bool handled = false;
	unsigned int i;

	for (i = 0; i < IDM_SUMMARY_COUNT; i++)
		summary[i] = readl(idm->base + IDM_SUMMARY(i));
	list_for_each_entry(slave, &idm->slaves, node)
		if (summary[slave->id / 32] & BIT(slave->id % 32))
			handled |= idm_slave_interrupt(slave);
	/* A message may come for what was handled with the one before it. */
	return handled || idm->messages ? IRQ_HANDLED : IRQ_NONE;
}

static void idm_free_slaves(void *data)
{
	struct idm *idm = data;
	struct idm_slave *slave, *next;

	list_for_each_entry_safe(slave, next, &idm->slaves, node) {
		list_del(&slave->node);
		rproc_free(slave->rproc);
	}
}

static int idm_add_slave(struct idm *idm, struct idm_slave *slave)
{
	if (!slave)
		return -ENOMEM;
	list_add_tail(&slave->node, &idm->slaves);
	return 0;
}

static int idm_add_node(struct idm *idm, struct device_node *np)
{
	struct idm_slave *slave = idm_slave_alloc_node(idm, np);
	int ret = idm_add_slave(idm, slave);

	if (!ret)
		ret = idm_slave_parse(slave, np);
	if (ret)
		return dev_err_probe(idm->dev, ret, "%pOF cannot be used\n", np);
	return 0;
}

static int idm_add_nodes(struct idm *idm)
{
	struct device_node *np;
	int ret;

	for_each_available_child_of_node(idm->dev->of_node, np) {
		if (!of_device_is_compatible(np, "het,slave-1.0"))
			continue;
		ret = idm_add_node(idm, np);
		if (ret) {
			of_node_put(np);
			return ret;
		}
	}
	return 0;
}

/* Where no device tree tells of them: those that have a window now. */
static int idm_add_windows(struct idm *idm)
{
	struct idm_slave *slave;
	unsigned int id;
	int ret;

	for (id = 1; id < IDM_COUPLE_MAX; id++) {
		if (!idm_window_size(idm->base + IDM_COUPLE(id)))
			continue;
		slave = idm_slave_alloc_id(idm, id);
		ret = idm_add_slave(idm, slave);
		if (!ret)
			ret = idm_slave_find(slave, id);
		if (ret)
			return dev_err_probe(idm->dev, ret, "slave %u cannot be used\n", id);
	}
	return 0;
}

static void idm_destroy_workqueue(void *workqueue)
{
	destroy_workqueue(workqueue);
}

static int idm_register_slaves(struct idm *idm)
{
	struct idm_slave *slave;
	int ret;

	list_for_each_entry(slave, &idm->slaves, node) {
		ret = idm_slave_register(slave);
		if (!ret)
			continue;

		list_for_each_entry_continue_reverse(slave, &idm->slaves, node)
			idm_slave_remove(slave);
		return ret;
	}
	return 0;
}

struct idm *idm_alloc(struct device *dev)
{
	struct idm *idm = devm_kzalloc(dev, sizeof(*idm), GFP_KERNEL);

	if (!idm)
		return NULL;
	idm->dev = dev;
	INIT_LIST_HEAD(&idm->slaves);
	dev_set_drvdata(dev, idm);
	return idm;
}

int idm_set_up(struct idm *idm, int irq)
{
	struct device *dev = idm->dev;
	int ret;

	/* Freed in the reverse order: interrupt, work, slaves, operations. */
	ret = idm_set_dma_ops(idm);
	if (ret)
		return ret;
	ret = devm_add_action_or_reset(dev, idm_free_slaves, idm);
	if (ret)
		return ret;
	ret = dev_is_pci(dev) ? idm_add_windows(idm) : idm_add_nodes(idm);
	if (ret)
		return ret;
	idm->workqueue = alloc_workqueue("%s", WQ_HIGHPRI | WQ_UNBOUND, 0, dev_name(dev));
	if (!idm->workqueue)
		return -ENOMEM;
	ret = devm_add_action_or_reset(dev, idm_destroy_workqueue, idm->workqueue);
	if (ret)
		return ret;
	ret = devm_request_threaded_irq(dev, irq, NULL, idm_interrupt,
					IRQF_ONESHOT | idm->irq_flags,
					dev_name(dev), idm);
	if (ret)
		return ret;

	writel(IDM_CTRL_IRQ_ENABLE, idm->base + IDM_CTRL);
	ret = idm_register_slaves(idm);
	if (ret)
		writel(0, idm->base + IDM_CTRL);
	return ret;
}

void idm_tear_down(struct idm *idm)
{
	struct idm_slave *slave;

	list_for_each_entry(slave, &idm->slaves, node)
		idm_slave_remove(slave);
	writel(0, idm->base + IDM_CTRL);
}

/* ------------------------------------------------------------------------ */
/* The platform device                                                      */

static int idm_probe(struct platform_device *pdev)
{
	struct idm *idm = idm_alloc(&pdev->dev);
	int irq;

	if (!idm)
		return -ENOMEM;
	irq = idm_claim(pdev, &idm->base);
	if (irq < 0)
		return irq;
	return idm_set_up(idm, irq);
}

static int idm_remove(struct platform_device *pdev)
{
	idm_tear_down(platform_get_drvdata(pdev));
	return 0;
}

static const struct of_device_id idm_of_match[] = {
	{ .compatible = "het,idm-1.0" },
	{ }
};

/*
 * Not MODULE_DEVICE_TABLE(): with Debian's headers it cannot be built for 32
 * bits on a host of 64, whose modpost has another idea of the table's size.
 */
MODULE_ALIAS("of:N*T*Chet,idm-1.0");
MODULE_ALIAS("of:N*T*Chet,idm-1.0C*");

static struct platform_driver idm_driver = {
	.probe = idm_probe,
	.remove = idm_remove,
	.driver = {
		.name = "idm-rproc",
		.of_match_table = idm_of_match,
	},
};

static int __init idm_init(void)
{
	int ret = platform_driver_register(&idm_driver);

	if (ret)
		return ret;
	ret = idm_pci_register();
	if (ret)
		platform_driver_unregister(&idm_driver);
	return ret;
}
module_init(idm_init);

static void __exit idm_exit(void)
{
	idm_pci_unregister();
	platform_driver_unregister(&idm_driver);
}
module_exit(idm_exit);

MODULE_DESCRIPTION("Remote processors behind an IDM");
MODULE_LICENSE("GPL");
