// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resource tables: that of an image, and that of a slave which runs already.
 * The latter is in memory that the slave can write at any time. So it is copied
 * once, and what is looked at, and what the core gets, is the copy; only when
 * everything is in place the core works on the slave's, as after a start.
 */

#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/virtio_ring.h>

#include "idm_rproc.h"

#define IDM_TABLE_MAX	SZ_4K	/* of a slave that runs */
#define IDM_ENTRIES_MAX	16
#define IDM_TRACES_MAX	SZ_1M	/* of all its trace buffers together, which are mapped */

/* Entries one after the other, from *index on. NULL: no more, or cut off if *index is not num. */
static struct fw_rsc_hdr *idm_next_entry(struct resource_table *table, size_t size,
					 unsigned int *index, size_t *room)
{
	size_t offset;

	if (size < sizeof(*table) || *index >= table->num ||
	    table->num > (size - sizeof(*table)) / sizeof(table->offset[0]))
		return NULL;

	offset = table->offset[*index];
	if (offset > size || size - offset < sizeof(struct fw_rsc_hdr))
		return NULL;
	(*index)++;
	*room = size - offset - sizeof(struct fw_rsc_hdr);
	return (void *)table + offset;
}

/* The core would start a slave whose rings it cannot make, and only do without virtio. */
static int idm_check_vdev(struct idm_slave *slave, const struct fw_rsc_vdev *vdev, size_t size)
{
	phys_addr_t rings = slave->window + slave->window_size - IDM_VIRTIO_SIZE;
	static const u32 offsets[] = { IDM_VRING0_OFFSET, IDM_VRING1_OFFSET };
	unsigned int i;

	if (size < sizeof(*vdev) || vdev->num_of_vrings > ARRAY_SIZE(offsets) ||
	    size < struct_size(vdev, vring, vdev->num_of_vrings) ||
	    vdev->config_len > size - struct_size(vdev, vring, vdev->num_of_vrings))
		return -EINVAL;

	for (i = 0; i < vdev->num_of_vrings; i++) {
		const struct fw_rsc_vdev_vring *ring = &vdev->vring[i];

		if (!is_power_of_2(ring->num) || !is_power_of_2(ring->align) ||
		    ring->num > IDM_VRING_SIZE || ring->align > IDM_VRING_SIZE ||
		    vring_size(ring->num, ring->align) > IDM_VRING_SIZE)
			return -EINVAL;
		if (ring->da != FW_RSC_ADDR_ANY && ring->da != lower_32_bits(rings + offsets[i]))
			return -EINVAL;
	}
	return 0;
}

/* What would be taken from the kernel's own memory is where the slave cannot reach it. */
int idm_check_table(struct idm_slave *slave, struct resource_table *table, size_t size)
{
	unsigned int index = 0, vdevs = 0;
	struct fw_rsc_hdr *hdr;
	size_t room;

	/* Addresses in it have 32 bits. */
	if (upper_32_bits(slave->window + slave->window_size - 1) && size >= sizeof(*table) &&
	    table->num) {
		dev_err(&slave->rproc->dev, "a resource table needs a window below 4 GiB\n");
		return -EINVAL;
	}

	while ((hdr = idm_next_entry(table, size, &index, &room))) {
		int ret = 0;

		if (hdr->type == RSC_CARVEOUT || (hdr->type == RSC_VDEV && ++vdevs > 1))
			ret = -EINVAL;
		else if (hdr->type == RSC_VDEV)
			ret = idm_check_vdev(slave, (void *)hdr->data, room);
		if (ret) {
			dev_err(&slave->rproc->dev,
				"entry %u of the resource table cannot be had\n", index - 1);
			return ret;
		}
	}
	if (size < sizeof(*table) || index != table->num) {
		dev_err(&slave->rproc->dev, "the resource table is cut off\n");
		return -EINVAL;
	}
	return 0;
}

/* As it is in an image: without what a master writes. The table is a good one. */
static void idm_clean_table(struct resource_table *table, size_t size)
{
	struct fw_rsc_hdr *hdr;
	unsigned int index = 0;
	size_t room;

	while ((hdr = idm_next_entry(table, size, &index, &room))) {
		struct fw_rsc_vdev *vdev = (void *)hdr->data;
		unsigned int i;

		if (hdr->type != RSC_VDEV)
			continue;
		vdev->notifyid = 0;
		vdev->gfeatures = 0;
		vdev->status = 0;
		for (i = 0; i < vdev->num_of_vrings; i++) {
			vdev->vring[i].da = FW_RSC_ADDR_ANY;
			vdev->vring[i].notifyid = 0;
		}
	}
}

/* ------------------------------------------------------------------------ */
/* Of a slave that runs                                                     */

/* Where it ends; what follows it in the window is not ours. The table is a good one. */
static size_t idm_table_size(struct resource_table *table, size_t size)
{
	size_t end = struct_size(table, offset, table->num), room;
	struct fw_rsc_hdr *hdr;
	unsigned int index = 0;

	while ((hdr = idm_next_entry(table, size, &index, &room))) {
		const struct fw_rsc_vdev *vdev = (void *)hdr->data;
		size_t length = 0;

		if (hdr->type == RSC_VDEV)
			length = struct_size(vdev, vring, vdev->num_of_vrings) + vdev->config_len;
		else if (hdr->type == RSC_TRACE)
			length = sizeof(struct fw_rsc_trace);
		end = max(end, (void *)hdr->data - (void *)table + length);
	}
	return min(end, size);
}

/* Mapped, so that the core can show them */
static int idm_add_traces(struct idm_slave *slave, struct resource_table *table, size_t size)
{
	size_t room, total = 0;
	struct fw_rsc_hdr *hdr;
	unsigned int index = 0;
	int ret;

	while ((hdr = idm_next_entry(table, size, &index, &room))) {
		const struct fw_rsc_trace *trace = (void *)hdr->data;

		if (hdr->type != RSC_TRACE || (room >= sizeof(*trace) && !trace->len))
			continue;
		if (room < sizeof(*trace) || trace->len > IDM_TRACES_MAX - total) {
			dev_err(&slave->rproc->dev, "its trace buffers are too large\n");
			return -EINVAL;
		}
		total += trace->len;
		ret = idm_add_range(slave, trace->da, trace->len, IDM_MAP_LATER, "trace");
		if (ret)
			return ret;
	}
	return 0;
}

/* Virtqueues that it still believes in are gone: it sees that its driver has left, and looks up. */
void idm_tell_driver_left(struct idm_slave *slave)
{
	wmb();		/* the table's status before the vectors */
	writel(0, slave->regs + IDM_DOORBELL);
	writel(1, slave->regs + IDM_DOORBELL);
}

static u64 idm_published_table(struct idm_slave *slave)
{
	if (!slave->extension)
		return 0;
	return readl(slave->extension + IDM_PEER_RESOURCE_TABLE_LO) |
		(u64)readl(slave->extension + IDM_PEER_RESOURCE_TABLE_HI) << 32;
}

/* Maps what may be the table, and copies it. */
static int idm_copy_table(struct idm_slave *slave, u64 address, size_t *size)
{
	u64 end = slave->window + slave->window_size - IDM_VIRTIO_SIZE;
	struct device *dev = &slave->rproc->dev;
	struct rproc_mem_entry *mem;

	if (address < slave->window || address >= end || !IS_ALIGNED(address, sizeof(u32))) {
		dev_err(dev, "its resource table at %#llx is not in the window's part for firmware\n",
			address);
		return -EINVAL;
	}
	*size = min_t(u64, end - address, IDM_TABLE_MAX);
	mem = idm_add_memory(slave, address, *size, IDM_MAP_NOW, "resource-table");
	if (IS_ERR(mem))
		return PTR_ERR(mem);

	slave->loaded_table = mem->va + (address - mem->dma);
	slave->table = kmalloc(*size, GFP_KERNEL);
	if (!slave->table)
		return -ENOMEM;
	memcpy_fromio(slave->table, (void __force __iomem *)slave->loaded_table, *size);
	if (*size < sizeof(*slave->table) || slave->table->ver != 1 ||
	    slave->table->num > IDM_ENTRIES_MAX) {
		dev_err(dev, "there is no resource table at %#llx\n", address);
		return -EINVAL;
	}
	return 0;
}

/* For the core, which attaches without one if there is none. */
struct resource_table *idm_get_loaded_table(struct rproc *rproc, size_t *size)
{
	struct idm_slave *slave = rproc->priv;
	u64 address = idm_published_table(slave);
	size_t room;
	int ret;

	if (!address) {
		dev_info(&rproc->dev, "it publishes no resource table\n");
		return NULL;
	}
	ret = idm_copy_table(slave, address, &room);
	if (!ret)
		ret = idm_check_table(slave, slave->table, room);
	if (!ret)
		ret = idm_add_traces(slave, slave->table, room);
	if (!ret)
		ret = idm_add_virtio_memory(slave);
	if (ret)
		return ERR_PTR(ret);

	*size = idm_table_size(slave->table, room);
	idm_clean_table(slave->table, *size);
	memcpy_toio((void __force __iomem *)slave->loaded_table, slave->table, *size);
	idm_tell_driver_left(slave);
	return slave->table;
}

/* The core has put addresses and vectors into the copy. From here on it works on the slave's. */
void idm_use_loaded_table(struct idm_slave *slave)
{
	struct rproc *rproc = slave->rproc;

	if (!slave->table)
		return;
	memcpy_toio((void __force __iomem *)slave->loaded_table, slave->table, rproc->table_sz);
	rproc->table_ptr = slave->loaded_table;
}

/* Before it is unmapped. Else the core has a copy by now. */
void idm_leave_loaded_table(struct idm_slave *slave)
{
	if (slave->table && slave->rproc->table_ptr == slave->loaded_table)
		slave->rproc->table_ptr = slave->table;
}

void idm_forget_table(struct idm_slave *slave)
{
	struct rproc *rproc = slave->rproc;

	/* The core forgets these two when it cannot attach. */
	if (slave->table && rproc->table_ptr == slave->table) {
		kfree(rproc->clean_table);
		rproc->clean_table = NULL;
		rproc->table_ptr = NULL;
	}
	kfree(slave->table);
	slave->table = NULL;
	slave->loaded_table = NULL;
}

/* ------------------------------------------------------------------------ */
/* In a recovery: of the image, and of what ran                             */

/*
 * What the core has taken for the one must be right for the other. Leaves the
 * core's copy as it was at the attach: the slave has written to its own since.
 */
int idm_check_same_table(struct idm_slave *slave, const struct firmware *fw)
{
	struct rproc *rproc = slave->rproc;
	struct resource_table *cached = rproc->cached_table, *found, *wanted = NULL;
	size_t size = rproc->table_sz, found_size;
	bool same = false;
	int ret;

	rproc->cached_table = NULL;
	rproc->table_ptr = NULL;
	ret = rproc_elf_load_rsc_table(rproc, fw);
	found = rproc->cached_table;
	found_size = rproc->table_sz;
	rproc->cached_table = cached;
	rproc->table_ptr = cached;
	rproc->table_sz = size;

	if (!found && !slave->table && ret != -ENOMEM)
		return 0;
	if (found && slave->table)
		wanted = kmemdup(slave->table, size, GFP_KERNEL);
	if (wanted && found_size >= size && !idm_check_table(slave, found, found_size)) {
		idm_clean_table(found, found_size);
		idm_clean_table(wanted, size);
		same = !memcmp(found, wanted, size);
	}
	kfree(wanted);
	kfree(found);
	if (!same)
		return -ENOEXEC;
	memcpy(cached, slave->table, size);
	return 0;
}
