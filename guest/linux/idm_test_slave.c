// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slave and its device file. idm_test.h says what the calls do.
 *
 * Vectors go to all files that receive. While there is none the IDM keeps them,
 * since they are not enabled. Changes of the state are counted; a file knows up
 * to which one its reader has been told.
 */

#include <linux/fs.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/of.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "idm_test_mod.h"

#define IDM_STATE_TIMEOUT	(5 * HZ)

struct idm_test_file {
	struct idm_test_slave *slave;
	struct list_head node;		/* of receivers; empty before the first read() or poll() */
	u32 vectors;			/* not read yet; under the slave's lock */
	u32 changes;			/* told already; under the slave's lock */
};

/* ------------------------------------------------------------------------ */
/* Its registers, as long as they are there                                 */

static void __iomem *idm_test_get(struct idm_test_slave *slave)
{
	down_read(&slave->presence);
	if (slave->regs)
		return slave->regs;

	up_read(&slave->presence);
	return NULL;
}

static void idm_test_put(struct idm_test_slave *slave)
{
	up_read(&slave->presence);
}

static bool idm_test_is_attached(void __iomem *regs)
{
	return readl(regs + IDM_STATUS) & IDM_STATUS_ATTACHED;
}

/*
 * What the IDM says is not taken for granted: memory of the kernel, or of a
 * device that has a driver, is no window.
 */
static bool idm_test_window(struct idm_test_slave *slave, phys_addr_t *base, u64 *size)
{
	u64 first = idm_window_base(slave->regs), last;

	*size = idm_test_is_attached(slave->regs) ? idm_window_size(slave->regs) : 0;
	*base = first;
	last = first + *size - 1;
	if (!*size)
		return false;
	if (PAGE_ALIGNED(first) && PAGE_ALIGNED(*size) && first <= last && *base == first &&
	    (phys_addr_t)last == last && (size_t)*size == *size &&
	    region_intersects(first, *size, IORESOURCE_MEM | IORESOURCE_BUSY, IORES_DESC_NONE) ==
	    REGION_DISJOINT)
		return true;

	dev_warn_once(&slave->dev, "its window is not the slave's alone: %#llx bytes at %#llx\n",
		      *size, first);
	*base = *size = 0;
	return false;
}

/* ------------------------------------------------------------------------ */
/* What arrives                                                             */

/* Interrupts still come while those who wait for one leave, so regs are given. */
bool idm_test_slave_interrupt(struct idm_test_slave *slave, void __iomem *regs)
{
	struct idm_test_file *file;
	u32 vectors, events;

	spin_lock(&slave->lock);
	vectors = idm_take(regs, slave->take);
	events = readl(regs + IDM_EVENT);
	if (vectors)
		list_for_each_entry(file, &slave->receivers, node)
			file->vectors |= vectors;
	if (events) {
		writel(events, regs + IDM_EVENT);
		if (events & IDM_EVENT_STATE)
			slave->changes++;
	}
	spin_unlock(&slave->lock);

	wake_up_all(&slave->changed);
	return vectors || events;
}

/* From now on the file gets everything; the first one also what the IDM has kept. */
static int idm_test_receive(struct idm_test_file *file)
{
	struct idm_test_slave *slave = file->slave;
	void __iomem *regs = idm_test_get(slave);

	if (!regs)
		return -ENODEV;

	spin_lock(&slave->lock);
	if (list_empty(&file->node)) {
		list_add_tail(&file->node, &slave->receivers);
		writel(~0u, regs + IDM_ENABLE);
	}
	spin_unlock(&slave->lock);
	idm_test_put(slave);
	return 0;
}

/* Takes what there is. */
static bool idm_test_take(struct idm_test_file *file, struct idm_test_event *event)
{
	struct idm_test_slave *slave = file->slave;

	spin_lock(&slave->lock);
	event->vectors = file->vectors;
	event->events = file->changes != slave->changes ? IDM_TEST_EVENT_STATE : 0;
	file->vectors = 0;
	file->changes = slave->changes;
	spin_unlock(&slave->lock);
	return event->vectors || event->events;
}

/* It could not be handed over. */
static void idm_test_give_back(struct idm_test_file *file, const struct idm_test_event *event)
{
	spin_lock(&file->slave->lock);
	file->vectors |= event->vectors;
	if (event->events & IDM_TEST_EVENT_STATE)
		file->changes = file->slave->changes - 1;
	spin_unlock(&file->slave->lock);
}

static bool idm_test_is_readable(struct idm_test_file *file)
{
	struct idm_test_slave *slave = file->slave;
	bool readable;

	spin_lock(&slave->lock);
	readable = file->vectors || file->changes != slave->changes;
	spin_unlock(&slave->lock);
	return readable;
}

static bool idm_test_is_gone(struct idm_test_slave *slave)
{
	return !READ_ONCE(slave->regs);
}

static ssize_t idm_test_read(struct file *filp, char __user *buffer, size_t size, loff_t *position)
{
	struct idm_test_file *file = filp->private_data;
	struct idm_test_slave *slave = file->slave;
	struct idm_test_event event = { };
	void __iomem *regs;
	int ret;

	if (size < sizeof(event))
		return -EINVAL;
	ret = idm_test_receive(file);
	if (ret)
		return ret;

	while (!idm_test_take(file, &event)) {
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(slave->changed, idm_test_is_readable(file) ||
					       idm_test_is_gone(slave));
		if (ret)
			return ret;
		if (idm_test_is_gone(slave))
			return -ENODEV;
	}

	regs = idm_test_get(slave);
	if (!regs)
		return -ENODEV;
	event.state = idm_state(regs);
	idm_test_put(slave);

	if (copy_to_user(buffer, &event, sizeof(event))) {
		idm_test_give_back(file, &event);
		return -EFAULT;
	}
	return sizeof(event);
}

static __poll_t idm_test_poll(struct file *filp, poll_table *table)
{
	struct idm_test_file *file = filp->private_data;

	poll_wait(filp, &file->slave->changed, table);
	if (idm_test_receive(file))
		return EPOLLERR | EPOLLHUP;
	return idm_test_is_readable(file) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ------------------------------------------------------------------------ */
/* Calls                                                                    */

static long idm_test_info(struct idm_test_file *file, void __user *argument)
{
	struct idm_test_slave *slave = file->slave;
	struct idm_test_info info = {
		.version = IDM_TEST_VERSION,
		.id = slave->id,
		.protocol = slave->protocol,
	};
	phys_addr_t base;
	u64 size;

	spin_lock(&slave->lock);
	file->changes = slave->changes;
	spin_unlock(&slave->lock);

	info.state = idm_state(slave->regs);
	if (idm_test_is_attached(slave->regs))
		info.flags |= IDM_TEST_ATTACHED;
	if (idm_test_window(slave, &base, &size)) {
		info.window_base = base;
		info.window_size = size;
	}
	strscpy(info.name, slave->name, sizeof(info.name));
	return copy_to_user(argument, &info, sizeof(info)) ? -EFAULT : 0;
}

/* Waits until it is in one of these states, or was in another one than when changes was taken. */
static int idm_test_wait_state(struct idm_test_slave *slave, unsigned long states, u32 changes)
{
	long left = wait_event_killable_timeout(slave->changed,
						BIT(idm_state(slave->regs)) & states,
						IDM_STATE_TIMEOUT);

	if (left < 0)
		return -EINTR;
	return left || READ_ONCE(slave->changes) != changes ? 0 : -ETIMEDOUT;
}

/* What arrived is of the program before. */
static void idm_test_forget_vectors(struct idm_test_slave *slave)
{
	struct idm_test_file *file;

	spin_lock(&slave->lock);
	writel(~0u, slave->regs + IDM_PENDING);
	list_for_each_entry(file, &slave->receivers, node)
		file->vectors = 0;
	spin_unlock(&slave->lock);
}

static int idm_test_start(struct idm_test_slave *slave, const struct idm_test_start *start)
{
	u32 changes = READ_ONCE(slave->changes);
	int ret;

	if (idm_state_is_alive(idm_state(slave->regs)))
		return -EBUSY;

	idm_test_forget_vectors(slave);
	idm_set_boot(slave->regs, start->entry, start->argument);
	if (slave->extension)
		idm_set_resource_table(slave->extension, 0);
	ret = idm_request(slave->regs, &slave->changed,
			  IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(start->protocol), true);
	return ret ?: idm_test_wait_state(slave, ~BIT(IDM_STATE_READY), changes);
}

static int idm_test_stop(struct idm_test_slave *slave)
{
	u32 changes = READ_ONCE(slave->changes);
	int ret = idm_request(slave->regs, &slave->changed, IDM_CONTROL_STOP, true);

	return ret ?: idm_test_wait_state(slave, ~(BIT(IDM_STATE_RUNNING) | BIT(IDM_STATE_PAUSED)),
					  changes);
}

static long idm_test_request(struct idm_test_slave *slave, const struct idm_test_start *start)
{
	int ret;

	if (!idm_test_is_attached(slave->regs))
		return -ENODEV;
	if (mutex_lock_killable(&slave->request))
		return -EINTR;

	ret = start ? idm_test_start(slave, start) : idm_test_stop(slave);
	mutex_unlock(&slave->request);
	return ret;
}

static long idm_test_start_user(struct idm_test_slave *slave, const void __user *argument)
{
	struct idm_test_start start;

	if (copy_from_user(&start, argument, sizeof(start)))
		return -EFAULT;
	if (start.protocol > IDM_PROTOCOL_VECTORS || start.reserved)
		return -EINVAL;
	return idm_test_request(slave, &start);
}

static long idm_test_send(struct idm_test_slave *slave, unsigned long vector)
{
	if (vector >= 32)
		return -EINVAL;
	if (!idm_test_is_attached(slave->regs))
		return -ENODEV;

	writel(vector, slave->regs + IDM_DOORBELL);
	return 0;
}

static long idm_test_ioctl(struct file *filp, unsigned int command, unsigned long argument)
{
	struct idm_test_file *file = filp->private_data;
	struct idm_test_slave *slave = file->slave;
	long ret;

	if (!idm_test_get(slave))
		return -ENODEV;

	switch (command) {
	case IDM_TEST_INFO:
		ret = idm_test_info(file, (void __user *)argument);
		break;
	case IDM_TEST_START:
		ret = idm_test_start_user(slave, (void __user *)argument);
		break;
	case IDM_TEST_STOP:
		ret = idm_test_request(slave, NULL);
		break;
	case IDM_TEST_SEND:
		ret = idm_test_send(slave, argument);
		break;
	default:
		ret = -ENOTTY;
	}
	idm_test_put(slave);
	return ret;
}

/* As idm_rproc maps it. Both sides see what the other one writes without a flush of caches. */
static int idm_test_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct idm_test_file *file = filp->private_data;
	struct idm_test_slave *slave = file->slave;
	phys_addr_t base;
	int ret = -ENXIO;
	u64 size;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!idm_test_get(slave))
		return -ENODEV;

	if (idm_test_window(slave, &base, &size)) {
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
		ret = vm_iomap_memory(vma, base, size);
	}
	idm_test_put(slave);
	return ret;
}

/* ------------------------------------------------------------------------ */
/* Files                                                                    */

static int idm_test_open(struct inode *inode, struct file *filp)
{
	struct idm_test_slave *slave = container_of(inode->i_cdev, struct idm_test_slave, cdev);
	struct idm_test_file *file;

	if (idm_test_is_gone(slave))
		return -ENODEV;
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return -ENOMEM;

	/* Not freed before the file is closed: the open file holds cdev, and cdev the slave. */
	file->slave = slave;
	INIT_LIST_HEAD(&file->node);
	file->changes = READ_ONCE(slave->changes);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int idm_test_release(struct inode *inode, struct file *filp)
{
	struct idm_test_file *file = filp->private_data;
	struct idm_test_slave *slave = file->slave;
	void __iomem *regs = idm_test_get(slave);

	spin_lock(&slave->lock);
	if (!list_empty(&file->node)) {
		list_del(&file->node);
		if (regs && list_empty(&slave->receivers))
			writel(0, regs + IDM_ENABLE);
	}
	spin_unlock(&slave->lock);
	if (regs)
		idm_test_put(slave);
	kfree(file);
	return 0;
}

static const struct file_operations idm_test_fops = {
	.owner = THIS_MODULE,
	.open = idm_test_open,
	.release = idm_test_release,
	.read = idm_test_read,
	.poll = idm_test_poll,
	.unlocked_ioctl = idm_test_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = idm_test_mmap,
	.llseek = no_llseek,
};

/* ------------------------------------------------------------------------ */
/* Set-up                                                                   */

/* What the device tree has of it, if it has anything. */
static void idm_test_parse(struct idm_test_slave *slave, struct device_node *parent)
{
	const char *label, *protocol;
	struct device_node *np;
	u32 id;

	for_each_available_child_of_node(parent, np) {
		if (!of_device_is_compatible(np, "het,slave-1.0") ||
		    of_property_read_u32(np, "reg", &id) || id != slave->id)
			continue;
		if (!of_property_read_string(np, "label", &label))
			strscpy(slave->name, label, sizeof(slave->name));
		if (of_property_read_string(np, "het,boot-protocol", &protocol) ||
		    !strcmp(protocol, "raw"))
			slave->protocol = IDM_PROTOCOL_RAW;
		else if (!strcmp(protocol, "linux"))
			slave->protocol = IDM_PROTOCOL_LINUX;
		else if (!strcmp(protocol, "vector-table"))
			slave->protocol = IDM_PROTOCOL_VECTORS;
		of_node_put(np);
		return;
	}
}

static void idm_test_free(struct device *dev)
{
	kfree(container_of(dev, struct idm_test_slave, dev));
}

struct idm_test_slave *idm_test_slave_add(struct device *parent, struct class *class,
					  dev_t number, void __iomem *base, u32 id)
{
	struct idm_test_slave *slave = kzalloc(sizeof(*slave), GFP_KERNEL);
	int ret;

	if (!slave)
		return ERR_PTR(-ENOMEM);

	slave->id = id;
	slave->regs = base + IDM_COUPLE(id);
	slave->extension = idm_extension(base, id);
	slave->take = idm_take_register(base, id);
	init_rwsem(&slave->presence);
	mutex_init(&slave->request);
	init_waitqueue_head(&slave->changed);
	spin_lock_init(&slave->lock);
	INIT_LIST_HEAD(&slave->receivers);
	idm_test_parse(slave, parent->of_node);

	device_initialize(&slave->dev);
	slave->dev.parent = parent;
	slave->dev.class = class;
	slave->dev.devt = number;
	slave->dev.release = idm_test_free;
	cdev_init(&slave->cdev, &idm_test_fops);
	slave->cdev.owner = THIS_MODULE;
	ret = dev_set_name(&slave->dev, "idm%u", id);
	if (!ret)
		ret = cdev_device_add(&slave->cdev, &slave->dev);
	if (ret) {
		put_device(&slave->dev);
		return ERR_PTR(ret);
	}
	return slave;
}

/* Waits for the calls that are under way; others fail. Files may stay open. */
void idm_test_slave_leave(struct idm_test_slave *slave)
{
	down_write(&slave->presence);
	WRITE_ONCE(slave->regs, NULL);
	up_write(&slave->presence);
	wake_up_all(&slave->changed);
}

void idm_test_slave_remove(struct idm_test_slave *slave)
{
	idm_test_slave_leave(slave);
	cdev_device_del(&slave->cdev, &slave->dev);
	put_device(&slave->dev);
}
