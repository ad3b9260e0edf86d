// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remote processors behind an IDM (inter-processor interrupt distribution
 * module), the device through which the master of a qemu-het platform starts,
 * stops and interrupts its slaves.
 *
 * One device, one interrupt, and for each child node of it one slave, which
 * is one instance of remoteproc. Two kinds of work come with the interrupt:
 *
 * - events (a request was answered, a slave changed its state) are dealt with
 *   in the interrupt's thread, which must not take rproc->lock: start and stop
 *   hold it while they wait for an event;
 * - vectors are the ids of virtqueues. They are collected, and a work item
 *   hands them over under rproc->lock, so that virtqueues cannot go meanwhile.
 */

#include <linux/bitops.h>
#include <linux/elf.h>
#include <linux/firmware.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/overflow.h>
#include <linux/platform_device.h>
#include <linux/remoteproc.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "hw/misc/idm-regs.h"
#include "idm_rproc.h"

#define IDM_MAJOR(version)	((version) >> 16)
#define IDM_REQUEST_TIMEOUT	(30 * HZ)
#define IDM_STATE_TIMEOUT	(5 * HZ)	/* a slave that died may be started again by then */

/* The end of each window is for virtio; what is left is the firmware's. */
#define IDM_VIRTIO_SIZE		SZ_1M
#define IDM_VRING0_OFFSET	0x00000
#define IDM_VRING1_OFFSET	0x10000
#define IDM_VRING_SIZE		SZ_64K
#define IDM_BUFFER_OFFSET	0x20000
#define IDM_BUFFER_SIZE		0xd0000

struct idm {
	struct device *dev;
	void __iomem *base;
	struct workqueue_struct *workqueue;
	struct list_head slaves;
};

struct idm_slave {
	struct list_head node;
	struct idm *idm;
	struct rproc *rproc;
	void __iomem *regs;		/* its block */
	u32 id;
	u32 protocol;			/* IDM_PROTOCOL_* */
	phys_addr_t window;
	size_t window_size;

	wait_queue_head_t changed;	/* CONTROL or PEER_STATE */
	struct work_struct vector_work;
	atomic_t vectors;		/* that came and were not handed over yet */
	struct work_struct failed_work;
	bool recovering;		/* under rproc->lock */

	spinlock_t lock;
	bool expect_running;		/* under lock: it is a crash if it does not */
};

static const char * const idm_state_names[] = {
	[IDM_STATE_OFFLINE] = "offline",
	[IDM_STATE_WAITING] = "waiting for memory",
	[IDM_STATE_READY] = "ready",
	[IDM_STATE_RUNNING] = "running",
	[IDM_STATE_PAUSED] = "paused",
	[IDM_STATE_CRASHED] = "crashed",
};

static u32 idm_slave_state(struct idm_slave *slave)
{
	u32 state = readl(slave->regs + IDM_PEER_STATE);

	return state < ARRAY_SIZE(idm_state_names) ? state : IDM_STATE_OFFLINE;
}

/* Booted, and not ended since. */
static bool idm_state_is_alive(u32 state)
{
	return state == IDM_STATE_RUNNING || state == IDM_STATE_PAUSED;
}

/* ------------------------------------------------------------------------ */
/* Requests                                                                 */

static bool idm_request_is_answered(struct idm_slave *slave)
{
	return (readl(slave->regs + IDM_CONTROL) & 0xff) != IDM_RESULT_PENDING;
}

static int idm_request_wait(struct idm_slave *slave)
{
	if (wait_event_timeout(slave->changed, idm_request_is_answered(slave),
			       IDM_REQUEST_TIMEOUT))
		return 0;

	dev_err(&slave->rproc->dev, "the platform does not answer\n");
	return -ETIMEDOUT;
}

static int idm_request(struct idm_slave *slave, u32 request)
{
	int ret;

	/* One of a kernel before us may be on its way. */
	ret = idm_request_wait(slave);
	if (ret)
		return ret;

	writel(request, slave->regs + IDM_CONTROL);
	ret = idm_request_wait(slave);
	if (ret)
		return ret;

	switch (readl(slave->regs + IDM_CONTROL) & 0xff) {
	case IDM_RESULT_DONE:
		return 0;
	case IDM_RESULT_REFUSED:
		return -EPERM;
	case IDM_RESULT_NONE:		/* the slave was detached */
		return -ENODEV;
	default:
		return -EIO;
	}
}

/* Returns the time that is left, 0 if there is none. */
static long idm_wait_state(struct idm_slave *slave, u32 states)
{
	return wait_event_timeout(slave->changed, BIT(idm_slave_state(slave)) & states,
				  IDM_STATE_TIMEOUT);
}

static void idm_expect_running(struct idm_slave *slave, bool expected)
{
	spin_lock(&slave->lock);
	slave->expect_running = expected;
	spin_unlock(&slave->lock);
}

static void idm_check_state(struct idm_slave *slave)
{
	bool crashed;
	u32 state;

	spin_lock(&slave->lock);
	state = idm_slave_state(slave);
	crashed = slave->expect_running && !idm_state_is_alive(state);
	if (crashed)
		slave->expect_running = false;
	spin_unlock(&slave->lock);

	if (!crashed)
		return;

	dev_err(&slave->rproc->dev, "it does not run any more: it is %s\n", idm_state_names[state]);
	rproc_report_crash(slave->rproc, state == IDM_STATE_CRASHED ? RPROC_FATAL_ERROR : RPROC_WATCHDOG);
}

/* ------------------------------------------------------------------------ */
/* Memory                                                                   */

static int idm_mem_map(struct rproc *rproc, struct rproc_mem_entry *mem)
{
	void __iomem *va = ioremap_wc(mem->dma, mem->len);

	if (!va) {
		dev_err(&rproc->dev, "cannot map %s: %pad, %zu bytes\n", mem->name, &mem->dma, mem->len);
		return -ENOMEM;
	}

	mem->va = (__force void *)va;
	return 0;
}

static int idm_mem_unmap(struct rproc *rproc, struct rproc_mem_entry *mem)
{
	if (mem->va)
		iounmap((__force void __iomem *)mem->va);
	return 0;
}

/* Part of the window. The slave has it at the same address as we. */
static int idm_add_memory(struct idm_slave *slave, size_t offset, size_t size, bool map, const char *name)
{
	phys_addr_t address = slave->window + offset;
	struct rproc_mem_entry *mem;

	mem = rproc_mem_entry_init(&slave->rproc->dev, NULL, address, size, address,
				   map ? idm_mem_map : NULL, map ? idm_mem_unmap : NULL, "%s", name);
	if (!mem)
		return -ENOMEM;

	rproc_add_carveout(slave->rproc, mem);
	return 0;
}

static int idm_prepare(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;
	size_t virtio = slave->window_size - IDM_VIRTIO_SIZE;
	u32 state = idm_slave_state(slave);
	int ret;

	if (rproc->state == RPROC_DETACHED)
		return 0;

	/* Before anything is written to it. A crashed one is stopped first: it may have crashed while nobody looked. */
	if (state == IDM_STATE_CRASHED) {
		idm_request(slave, IDM_CONTROL_STOP);
		state = idm_slave_state(slave);
	}
	if (state != IDM_STATE_READY) {
		dev_err(&rproc->dev, "it is %s and cannot be started\n", idm_state_names[state]);
		return idm_state_is_alive(state) ? -EBUSY : -ENODEV;
	}

	/* Found by the core by their names, which are fixed. It maps the buffers itself. */
	ret = idm_add_memory(slave, virtio + IDM_VRING0_OFFSET, IDM_VRING_SIZE, true, "vdev0vring0");
	if (!ret)
		ret = idm_add_memory(slave, virtio + IDM_VRING1_OFFSET, IDM_VRING_SIZE, true, "vdev0vring1");
	if (!ret)
		ret = idm_add_memory(slave, virtio + IDM_BUFFER_OFFSET, IDM_BUFFER_SIZE, false, "vdev0buffer");
	if (ret)
		rproc_resource_cleanup(rproc);
	return ret;
}

static int idm_unprepare(struct rproc *rproc)
{
	/* The core forgets this when firmware is refused. */
	rproc_resource_cleanup(rproc);
	return 0;
}

/* ------------------------------------------------------------------------ */
/* Firmware                                                                 */

struct idm_segment {
	u64 address, size;
};

/* PT_LOAD segments one after the other, from *index on. The core has checked the headers. */
static bool idm_next_segment(const struct firmware *fw, unsigned int *index, struct idm_segment *segment)
{
	const struct elf32_hdr *ehdr32 = (const void *)fw->data;
	const struct elf64_hdr *ehdr64 = (const void *)fw->data;
	bool is64 = fw->data[EI_CLASS] == ELFCLASS64;
	unsigned int n = is64 ? ehdr64->e_phnum : ehdr32->e_phnum;

	while (*index < n) {
		u32 type;

		if (is64) {
			const struct elf64_phdr *phdr = (const void *)(fw->data + ehdr64->e_phoff);

			phdr += (*index)++;
			type = phdr->p_type;
			segment->address = phdr->p_paddr;
			segment->size = phdr->p_memsz;
		} else {
			const struct elf32_phdr *phdr = (const void *)(fw->data + ehdr32->e_phoff);

			phdr += (*index)++;
			type = phdr->p_type;
			segment->address = phdr->p_paddr;
			segment->size = phdr->p_memsz;
		}
		if (type == PT_LOAD && segment->size)
			return true;
	}
	return false;
}

/* The core looks at the table of program headers by itself only in newer kernels. */
static int idm_sanity_check(struct rproc *rproc, const struct firmware *fw)
{
	const struct elf32_hdr *ehdr32 = (const void *)fw->data;
	const struct elf64_hdr *ehdr64 = (const void *)fw->data;
	u64 offset, size;
	int ret;

	ret = rproc_elf_sanity_check(rproc, fw);
	if (ret)
		return ret;

	if (fw->data[EI_CLASS] == ELFCLASS64) {
		offset = ehdr64->e_phoff;
		size = (u64)ehdr64->e_phnum * sizeof(struct elf64_phdr);
	} else {
		offset = ehdr32->e_phoff;
		size = (u64)ehdr32->e_phnum * sizeof(struct elf32_phdr);
	}
	if (offset > fw->size || size > fw->size - offset) {
		dev_err(&rproc->dev, "the image's program headers are cut off\n");
		return -EINVAL;
	}
	return 0;
}

/* Cortex-M begins with a table of vectors at the start of the image, wherever e_entry points to. */
static u64 idm_get_boot_addr(struct rproc *rproc, const struct firmware *fw)
{
	struct idm_slave *slave = rproc->priv;
	struct idm_segment segment;
	unsigned int index = 0;
	u64 lowest = U64_MAX;

	if (slave->protocol != IDM_PROTOCOL_VECTORS)
		return rproc_elf_get_boot_addr(rproc, fw);

	while (idm_next_segment(fw, &index, &segment))
		lowest = min(lowest, segment.address);
	return lowest;
}

static int idm_add_segment(struct idm_slave *slave, const struct idm_segment *segment)
{
	u64 start = segment->address, end, room = slave->window_size - IDM_VIRTIO_SIZE;
	char name[32];

	if (check_add_overflow(start, segment->size, &end) || start < slave->window ||
	    end > slave->window + room) {
		dev_err(&slave->rproc->dev, "segment of %#llx bytes at %#llx is not in the firmware's part of the window, %#llx-%#llx\n",
			segment->size, segment->address, (u64)slave->window, slave->window + room - 1);
		return -EINVAL;
	}

	start = round_down(start, PAGE_SIZE);
	end = round_up(end, PAGE_SIZE);
	snprintf(name, sizeof(name), "segment-%llx", segment->address);
	return idm_add_memory(slave, start - slave->window, end - start, true, name);
}

/* What would be taken from the kernel's own memory is where the slave cannot reach it. */
static int idm_check_resources(struct rproc *rproc)
{
	const struct resource_table *table = rproc->table_ptr;
	unsigned int i, vdevs = 0;

	if (!table)
		return 0;

	for (i = 0; i < table->num; i++) {
		const struct fw_rsc_hdr *hdr;
		size_t offset = table->offset[i];

		if (offset > rproc->table_sz || rproc->table_sz - offset < sizeof(*hdr))
			return -EINVAL;
		hdr = (const void *)table + offset;
		if (hdr->type == RSC_CARVEOUT || (hdr->type == RSC_VDEV && ++vdevs > 1)) {
			dev_err(&rproc->dev, "%s in the resource table\n",
				hdr->type == RSC_VDEV ? "more than one RSC_VDEV" : "RSC_CARVEOUT");
			return -EINVAL;
		}
	}
	return 0;
}

static int idm_parse_fw(struct rproc *rproc, const struct firmware *fw)
{
	struct idm_slave *slave = rproc->priv;
	struct idm_segment segment;
	unsigned int index = 0;
	int ret;

	while (idm_next_segment(fw, &index, &segment)) {
		ret = idm_add_segment(slave, &segment);
		if (!ret)
			ret = rproc_coredump_add_segment(rproc, segment.address, segment.size);
		if (ret)
			return ret;
	}

	/* Without a table there is no virtio and no trace, but it runs. A bad one is an error. */
	ret = rproc_elf_load_rsc_table(rproc, fw);
	if (ret == -EINVAL && !rproc->table_ptr) {
		dev_info(&rproc->dev, "the image has no resource table\n");
		return 0;
	}
	return ret ?: idm_check_resources(rproc);
}

/* ------------------------------------------------------------------------ */
/* Operations                                                               */

static int idm_start(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;
	u32 ready = BIT(IDM_STATE_READY);
	int ret = -ENODEV;

	/* After a crash its process may be on its way back. */
	if (!idm_wait_state(slave, ready)) {
		dev_err(&rproc->dev, "it is %s and cannot be started\n", idm_state_names[idm_slave_state(slave)]);
		goto failed;
	}

	atomic_set(&slave->vectors, 0);
	writel(~0u, slave->regs + IDM_PENDING);
	writel(~0u, slave->regs + IDM_ENABLE);
	writel(lower_32_bits(rproc->bootaddr), slave->regs + IDM_ENTRY_LO);
	writel(upper_32_bits(rproc->bootaddr), slave->regs + IDM_ENTRY_HI);
	writel(0, slave->regs + IDM_ARGUMENT_LO);
	writel(0, slave->regs + IDM_ARGUMENT_HI);

	ret = idm_request(slave, IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(slave->protocol));
	if (ret) {
		dev_err(&rproc->dev, "its start was %s (%d)\n", ret == -EPERM ? "refused" : "not successful", ret);
		goto failed;
	}
	if (!idm_wait_state(slave, ~ready)) {
		dev_err(&rproc->dev, "it was started and does not run\n");
		ret = -ETIMEDOUT;
		goto failed;
	}

	slave->recovering = false;
	idm_expect_running(slave, true);
	idm_check_state(slave);
	return 0;

failed:
	writel(0, slave->regs + IDM_ENABLE);
	if (slave->recovering)
		queue_work(slave->idm->workqueue, &slave->failed_work);
	return ret;
}

/*
 * The core calls a processor offline when its recovery has failed, but still counts it as in use: it could neither be started nor
 * stopped ever. As a crashed one it can be recovered when the reason is gone.
 */
static void idm_failed_work(struct work_struct *work)
{
	struct idm_slave *slave = container_of(work, struct idm_slave, failed_work);
	struct rproc *rproc = slave->rproc;

	mutex_lock(&rproc->lock);
	if (rproc->state == RPROC_OFFLINE && slave->recovering)
		rproc->state = RPROC_CRASHED;
	mutex_unlock(&rproc->lock);
}

static int idm_stop(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;
	u32 state;
	int ret = 0;

	slave->recovering = rproc->state == RPROC_CRASHED;
	idm_expect_running(slave, false);
	writel(0, slave->regs + IDM_ENABLE);

	state = idm_slave_state(slave);
	if (idm_state_is_alive(state) || state == IDM_STATE_CRASHED)
		ret = idm_request(slave, IDM_CONTROL_STOP);

	/* One whose process is gone cannot be stopped, and need not. */
	state = idm_slave_state(slave);
	if (!ret || !idm_state_is_alive(state))
		return 0;

	dev_err(&rproc->dev, "it cannot be stopped (%d), it is %s\n", ret, idm_state_names[state]);
	idm_expect_running(slave, true);
	writel(~0u, slave->regs + IDM_ENABLE);
	return ret;
}

/* It was running when we came: nothing is known of its image, but it can be watched and stopped. */
static int idm_attach(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;

	if (!idm_state_is_alive(idm_slave_state(slave)))
		return -ENODEV;

	writel(~0u, slave->regs + IDM_ENABLE);
	idm_expect_running(slave, true);
	idm_check_state(slave);
	return 0;
}

static int idm_detach(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;

	idm_expect_running(slave, false);
	writel(0, slave->regs + IDM_ENABLE);
	return 0;
}

static void idm_kick(struct rproc *rproc, int vqid)
{
	struct idm_slave *slave = rproc->priv;

	if (vqid >= 0 && vqid < 32)
		writel(vqid, slave->regs + IDM_DOORBELL);
	else
		dev_warn_once(&rproc->dev, "virtqueue %d has no vector\n", vqid);
}

static const struct rproc_ops idm_rproc_ops = {
	.prepare = idm_prepare,
	.unprepare = idm_unprepare,
	.start = idm_start,
	.stop = idm_stop,
	.attach = idm_attach,
	.detach = idm_detach,
	.kick = idm_kick,
	.load = rproc_elf_load_segments,
	.parse_fw = idm_parse_fw,
	.find_loaded_rsc_table = rproc_elf_find_loaded_rsc_table,
	.sanity_check = idm_sanity_check,
	.get_boot_addr = idm_get_boot_addr,
};

/* ------------------------------------------------------------------------ */
/* Interrupts                                                               */

static void idm_vector_work(struct work_struct *work)
{
	struct idm_slave *slave = container_of(work, struct idm_slave, vector_work);
	struct rproc *rproc = slave->rproc;
	unsigned long vectors;
	unsigned int vector;

	mutex_lock(&rproc->lock);
	vectors = (u32)atomic_xchg(&slave->vectors, 0);
	if (rproc->state == RPROC_RUNNING || rproc->state == RPROC_ATTACHED)
		for_each_set_bit(vector, &vectors, 32)
			rproc_vq_interrupt(rproc, vector);
	mutex_unlock(&rproc->lock);
}

static bool idm_slave_interrupt(struct idm_slave *slave)
{
	u32 vectors = readl(slave->regs + IDM_PENDING) & readl(slave->regs + IDM_ENABLE);
	u32 events = readl(slave->regs + IDM_EVENT);

	if (vectors) {
		writel(vectors, slave->regs + IDM_PENDING);
		atomic_or(vectors, &slave->vectors);
		queue_work(slave->idm->workqueue, &slave->vector_work);
	}
	if (events) {
		writel(events, slave->regs + IDM_EVENT);
		wake_up_all(&slave->changed);
		idm_check_state(slave);
	}
	return vectors || events;
}

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
	return handled ? IRQ_HANDLED : IRQ_NONE;
}

/* ------------------------------------------------------------------------ */
/* Set-up                                                                   */

static int idm_parse_protocol(struct device_node *np, u32 *protocol)
{
	const char *name;

	*protocol = IDM_PROTOCOL_RAW;
	if (of_property_read_string(np, "het,boot-protocol", &name) || !strcmp(name, "raw"))
		return 0;
	if (!strcmp(name, "vector-table"))
		*protocol = IDM_PROTOCOL_VECTORS;
	else if (!strcmp(name, "linux"))
		*protocol = IDM_PROTOCOL_LINUX;
	else
		return -EINVAL;
	return 0;
}

static int idm_parse_window(struct device_node *np, struct idm_slave *slave)
{
	struct device_node *region = of_parse_phandle(np, "memory-region", 0);
	struct resource res;
	int ret;

	if (!region)
		return -EINVAL;
	ret = of_address_to_resource(region, 0, &res);
	of_node_put(region);
	if (ret)
		return ret;

	slave->window = res.start;
	slave->window_size = resource_size(&res);
	return slave->window_size > IDM_VIRTIO_SIZE && PAGE_ALIGNED(slave->window) &&
		PAGE_ALIGNED(slave->window_size) ? 0 : -EINVAL;
}

static void idm_remove_slave(struct idm_slave *slave)
{
	struct rproc *rproc = slave->rproc;

	/* The core would not clean up after one whose recovery has failed, and counts what was started meanwhile as one more user. */
	mutex_lock(&rproc->lock);
	if (rproc->state == RPROC_CRASHED)
		rproc->state = RPROC_RUNNING;
	if (rproc->state == RPROC_RUNNING)
		atomic_set(&rproc->power, 1);
	mutex_unlock(&rproc->lock);

	rproc_del(rproc);
	writel(0, slave->regs + IDM_ENABLE);
	writel(0, slave->regs + IDM_EVENT_ENABLE);
}

static void idm_remove_slaves(struct idm *idm)
{
	struct idm_slave *slave;

	list_for_each_entry(slave, &idm->slaves, node)
		idm_remove_slave(slave);
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

static struct idm_slave *idm_alloc_slave(struct idm *idm, struct device_node *np)
{
	const char *name = np->name, *firmware = NULL;
	struct idm_slave *slave;
	struct rproc *rproc;

	of_property_read_string(np, "label", &name);
	of_property_read_string(np, "firmware-name", &firmware);
	rproc = rproc_alloc(idm->dev, name, &idm_rproc_ops, firmware, sizeof(*slave));
	if (!rproc)
		return NULL;

	rproc->auto_boot = false;
	rproc->has_iommu = false;
	slave = rproc->priv;
	slave->rproc = rproc;
	slave->idm = idm;
	init_waitqueue_head(&slave->changed);
	INIT_WORK(&slave->vector_work, idm_vector_work);
	INIT_WORK(&slave->failed_work, idm_failed_work);
	spin_lock_init(&slave->lock);
	return slave;
}

static int idm_add_slave(struct idm *idm, struct device_node *np)
{
	struct idm_slave *slave;
	int ret;

	slave = idm_alloc_slave(idm, np);
	if (!slave)
		return -ENOMEM;
	list_add_tail(&slave->node, &idm->slaves);

	ret = of_property_read_u32(np, "reg", &slave->id);
	if (!ret && (slave->id == 0 || slave->id >= IDM_COUPLE_MAX))
		ret = -EINVAL;
	if (!ret)
		ret = idm_parse_protocol(np, &slave->protocol);
	if (!ret)
		ret = idm_parse_window(np, slave);
	if (ret)
		return dev_err_probe(idm->dev, ret, "%pOF cannot be used\n", np);

	rproc_coredump_set_elf_info(slave->rproc, ELFCLASS32, EM_ARM);
	slave->regs = idm->base + IDM_COUPLE(slave->id);
	writel(0, slave->regs + IDM_ENABLE);
	writel(~0u, slave->regs + IDM_PENDING);
	writel(IDM_EVENT_STATE | IDM_EVENT_REQUEST, slave->regs + IDM_EVENT);
	return 0;
}

static int idm_register_slave(struct idm_slave *slave)
{
	if (idm_state_is_alive(idm_slave_state(slave)))
		slave->rproc->state = RPROC_DETACHED;
	return rproc_add(slave->rproc);
}

static void idm_destroy_workqueue(void *workqueue)
{
	destroy_workqueue(workqueue);
}

static int idm_check_device(struct idm *idm)
{
	u32 id = readl(idm->base + IDM_ID), version = readl(idm->base + IDM_VERSION);
	u32 wanted = IDM_FEATURE_MASTER | IDM_FEATURE_CONTROL;

	if (id != IDM_ID_VALUE)
		return dev_err_probe(idm->dev, -ENODEV, "this is no IDM: %#x\n", id);
	if (IDM_MAJOR(version) != IDM_MAJOR(IDM_VERSION_VALUE))
		return dev_err_probe(idm->dev, -ENODEV, "version %u is not known\n", IDM_MAJOR(version));
	if ((readl(idm->base + IDM_FEATURES) & wanted) != wanted)
		return dev_err_probe(idm->dev, -ENODEV, "this is not the master\n");
	return 0;
}

static int idm_add_slaves(struct idm *idm)
{
	struct device_node *np;
	int ret;

	for_each_available_child_of_node(idm->dev->of_node, np) {
		if (!of_device_is_compatible(np, "het,slave-1.0"))
			continue;
		ret = idm_add_slave(idm, np);
		if (ret) {
			of_node_put(np);
			return ret;
		}
	}
	return 0;
}

static int idm_register_slaves(struct idm *idm)
{
	struct idm_slave *slave;
	int ret;

	list_for_each_entry(slave, &idm->slaves, node) {
		writel(IDM_EVENT_STATE | IDM_EVENT_REQUEST, slave->regs + IDM_EVENT_ENABLE);
		ret = idm_register_slave(slave);
		if (!ret)
			continue;

		writel(0, slave->regs + IDM_EVENT_ENABLE);
		list_for_each_entry_continue_reverse(slave, &idm->slaves, node)
			idm_remove_slave(slave);
		return ret;
	}
	return 0;
}

static int idm_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct idm *idm;
	int irq, ret;

	idm = devm_kzalloc(dev, sizeof(*idm), GFP_KERNEL);
	if (!idm)
		return -ENOMEM;
	idm->dev = dev;
	INIT_LIST_HEAD(&idm->slaves);
	platform_set_drvdata(pdev, idm);

	idm->base = devm_platform_ioremap_resource(pdev, 0);
	if (IS_ERR(idm->base))
		return PTR_ERR(idm->base);
	irq = platform_get_irq(pdev, 0);
	if (irq < 0)
		return irq;
	ret = idm_check_device(idm);
	if (ret)
		return ret;
	writel(0, idm->base + IDM_CTRL);

	/* Freed in the reverse order: interrupt, work, slaves. */
	ret = devm_add_action_or_reset(dev, idm_free_slaves, idm);
	if (ret)
		return ret;
	ret = idm_add_slaves(idm);
	if (ret)
		return ret;
	idm->workqueue = alloc_workqueue("%s", WQ_HIGHPRI | WQ_UNBOUND, 0, dev_name(dev));
	if (!idm->workqueue)
		return -ENOMEM;
	ret = devm_add_action_or_reset(dev, idm_destroy_workqueue, idm->workqueue);
	if (ret)
		return ret;
	ret = devm_request_threaded_irq(dev, irq, NULL, idm_interrupt, IRQF_ONESHOT, dev_name(dev), idm);
	if (ret)
		return ret;

	writel(IDM_CTRL_IRQ_ENABLE, idm->base + IDM_CTRL);
	ret = idm_register_slaves(idm);
	if (ret)
		writel(0, idm->base + IDM_CTRL);
	return ret;
}

static int idm_remove(struct platform_device *pdev)
{
	struct idm *idm = platform_get_drvdata(pdev);

	idm_remove_slaves(idm);
	writel(0, idm->base + IDM_CTRL);
	return 0;
}

static const struct of_device_id idm_of_match[] = {
	{ .compatible = "het,idm-1.0" },
	{ }
};

/*
 * Not MODULE_DEVICE_TABLE(): out of Debian's tree it cannot be built for 32 bits on a host of 64, whose modpost has another idea of
 * the table's size.
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
module_platform_driver(idm_driver);

MODULE_DESCRIPTION("Remote processors behind an IDM");
MODULE_LICENSE("GPL");
