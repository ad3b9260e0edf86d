// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slaves behind an IDM (inter-processor interrupt distribution module), to be
 * driven by hand: each has a device file, /dev/idm1 for slave 1 and so on, and a
 * program does what it likes with it; idm_test.h has the calls.
 *
 * There is a device for each slave of the device tree, and one for each other
 * that is attached, also later. Nothing here starts or stops a slave by itself:
 * one that runs goes on when its files are closed, and when the module goes.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_platform.h>
#include <linux/platform_device.h>

#include "idm_test_mod.h"

#define IDM_COMPATIBLE	"het,idm-1.0"

struct idm_test {
	struct device *dev;
	void __iomem *base;
	struct idm_test_slave *slaves[IDM_COUPLE_MAX];	/* by number */
};

static dev_t idm_test_numbers;		/* the minor ones are those of the slaves */

static struct class idm_test_class = {
	.name = "idm",
};

static int idm_test_add(struct idm_test *idm, u32 id)
{
	struct idm_test_slave *slave;

	slave = idm_test_slave_add(idm->dev, &idm_test_class,
				   MKDEV(MAJOR(idm_test_numbers), id), idm->base, id);
	if (IS_ERR(slave))
		return dev_err_probe(idm->dev, PTR_ERR(slave), "slave %u gets no device\n", id);

	idm->slaves[id] = slave;
	return 0;
}

/* The only place that adds slaves later. */
static bool idm_test_couple_interrupt(struct idm_test *idm, u32 id)
{
	void __iomem *regs = idm->base + IDM_COUPLE(id);

	if (id == 0)
		return false;
	if (!idm->slaves[id]) {
		writel(readl(regs + IDM_EVENT), regs + IDM_EVENT);
		if (readl(regs + IDM_STATUS) & IDM_STATUS_ATTACHED)
			idm_test_add(idm, id);
		return true;
	}
	return idm_test_slave_interrupt(idm->slaves[id], regs);
}

static irqreturn_t idm_test_interrupt(int irq, void *data)
{
	struct idm_test *idm = data;
	unsigned long summary;
	bool handled = false;
	unsigned int i, bit;

	for (i = 0; i < IDM_SUMMARY_COUNT; i++) {
		summary = readl(idm->base + IDM_SUMMARY(i));
		for_each_set_bit(bit, &summary, 32)
			handled |= idm_test_couple_interrupt(idm, 32 * i + bit);
	}
	return handled ? IRQ_HANDLED : IRQ_NONE;
}

static void idm_test_enable_events(struct idm_test *idm, u32 events)
{
	u32 id;

	for (id = 1; id < IDM_COUPLE_MAX; id++) {
		writel(0, idm->base + IDM_COUPLE(id) + IDM_ENABLE);
		writel(events, idm->base + IDM_COUPLE(id) + IDM_EVENT_ENABLE);
	}
}

static void idm_test_remove_slaves(void *data)
{
	struct idm_test *idm = data;
	u32 id;

	for (id = 1; id < IDM_COUPLE_MAX; id++)
		if (idm->slaves[id])
			idm_test_slave_remove(idm->slaves[id]);
	idm_test_enable_events(idm, 0);
}

static int idm_test_add_slaves(struct idm_test *idm)
{
	struct device_node *np;
	int ret = 0;
	u32 id;

	for_each_available_child_of_node(idm->dev->of_node, np) {
		if (of_device_is_compatible(np, "het,slave-1.0") &&
		    !of_property_read_u32(np, "reg", &id) && id > 0 && id < IDM_COUPLE_MAX &&
		    !idm->slaves[id])
			ret = idm_test_add(idm, id);
		if (ret) {
			of_node_put(np);
			return ret;
		}
	}
	for (id = 1; id < IDM_COUPLE_MAX && !ret; id++)
		if (!idm->slaves[id] &&
		    readl(idm->base + IDM_COUPLE(id) + IDM_STATUS) & IDM_STATUS_ATTACHED)
			ret = idm_test_add(idm, id);
	return ret;
}

static void idm_test_quiet(void *data)
{
	struct idm_test *idm = data;
	u32 id;

	/* Who waits for an answer needs the interrupt. */
	for (id = 1; id < IDM_COUPLE_MAX; id++)
		if (idm->slaves[id])
			idm_test_slave_leave(idm->slaves[id]);
	writel(0, idm->base + IDM_CTRL);
}

static int idm_test_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct idm_test *idm;
	int irq, ret;

	idm = devm_kzalloc(dev, sizeof(*idm), GFP_KERNEL);
	if (!idm)
		return -ENOMEM;
	idm->dev = dev;

	irq = idm_claim(pdev, &idm->base);
	if (irq < 0)
		return irq;

	/* Undone in the reverse order: no calls and a quiet line, no interrupt, no slaves. */
	ret = devm_add_action_or_reset(dev, idm_test_remove_slaves, idm);
	if (ret)
		return ret;
	ret = idm_test_add_slaves(idm);
	if (ret)
		return ret;
	ret = devm_request_threaded_irq(dev, irq, NULL, idm_test_interrupt, IRQF_ONESHOT,
					dev_name(dev), idm);
	if (ret)
		return ret;
	ret = devm_add_action_or_reset(dev, idm_test_quiet, idm);
	if (ret)
		return ret;

	idm_test_enable_events(idm, IDM_EVENT_STATE | IDM_EVENT_REQUEST);
	writel(IDM_CTRL_IRQ_ENABLE, idm->base + IDM_CTRL);
	return 0;
}

/* No alias: whoever wants it asks for it by its name. */
static const struct of_device_id idm_test_of_match[] = {
	{ .compatible = IDM_COMPATIBLE },
	{ }
};

static struct platform_driver idm_test_driver = {
	.probe = idm_test_probe,
	.driver = {
		.name = "idm-test",
		.of_match_table = idm_test_of_match,
	},
};

/* An IDM has one driver at a time: 0 if it is this one. */
static int idm_test_check_bound(struct device *dev)
{
	int ret = -ENODEV;

	device_lock(dev);
	if (dev->driver == &idm_test_driver.driver) {
		ret = 0;
	} else if (dev->driver) {
		pr_err("%s belongs to the driver %s already: rmmod %s first\n", dev_name(dev),
		       dev->driver->name, module_name(dev->driver->owner));
		ret = -EBUSY;
	}
	device_unlock(dev);
	return ret;
}

static int idm_test_find(void)
{
	struct platform_device *pdev;
	struct device_node *np;
	int ret = -ENODEV;

	np = of_find_compatible_node(NULL, NULL, IDM_COMPATIBLE);
	pdev = np ? of_find_device_by_node(np) : NULL;
	of_node_put(np);
	if (pdev) {
		ret = idm_test_check_bound(&pdev->dev);
		put_device(&pdev->dev);
	} else {
		pr_err("the device tree has no IDM\n");
	}
	return ret;
}

static int __init idm_test_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&idm_test_numbers, 0, IDM_COUPLE_MAX, "idm");
	if (ret)
		return ret;
	ret = class_register(&idm_test_class);
	if (ret)
		goto no_class;
	ret = platform_driver_register(&idm_test_driver);
	if (ret)
		goto no_driver;
	ret = idm_test_find();
	if (ret)
		goto no_device;
	return 0;

no_device:
	platform_driver_unregister(&idm_test_driver);
no_driver:
	class_unregister(&idm_test_class);
no_class:
	unregister_chrdev_region(idm_test_numbers, IDM_COUPLE_MAX);
	return ret;
}
module_init(idm_test_init);

static void __exit idm_test_exit(void)
{
	platform_driver_unregister(&idm_test_driver);
	class_unregister(&idm_test_class);
	unregister_chrdev_region(idm_test_numbers, IDM_COUPLE_MAX);
}
module_exit(idm_test_exit);

MODULE_DESCRIPTION("Slaves behind an IDM, driven by hand");
MODULE_LICENSE("GPL");
