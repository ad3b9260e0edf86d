// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images of slaves, and the parts of the window that they and virtio use.
 */

#include <linux/elf.h>
#include <linux/firmware.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/virtio_ring.h>

#include "idm_rproc.h"

static int idm_mem_map(struct rproc *rproc, struct rproc_mem_entry *mem)
{
	void __iomem *va = ioremap_wc(mem->dma, mem->len);

	if (!va) {
		dev_err(&rproc->dev, "cannot map %s: %pad, %zu bytes\n", mem->name, &mem->dma,
			mem->len);
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
static int idm_add_memory(struct idm_slave *slave, size_t offset, size_t size, bool map,
			  const char *name)
{
	phys_addr_t address = slave->window + offset;
	struct rproc_mem_entry *mem;

	mem = rproc_mem_entry_init(&slave->rproc->dev, NULL, address, size, address,
				   map ? idm_mem_map : NULL, map ? idm_mem_unmap : NULL, "%s",
				   name);
	if (!mem)
		return -ENOMEM;

	rproc_add_carveout(slave->rproc, mem);
	return 0;
}

/* Found by the core by their names, which are fixed. It maps the buffers itself. */
int idm_add_virtio_memory(struct idm_slave *slave)
{
	size_t virtio = slave->window_size - IDM_VIRTIO_SIZE;
	int ret;

	ret = idm_add_memory(slave, virtio + IDM_VRING0_OFFSET, IDM_VRING_SIZE, true,
			     "vdev0vring0");
	if (!ret)
		ret = idm_add_memory(slave, virtio + IDM_VRING1_OFFSET, IDM_VRING_SIZE, true,
				     "vdev0vring1");
	if (!ret)
		ret = idm_add_memory(slave, virtio + IDM_BUFFER_OFFSET, IDM_BUFFER_SIZE, false,
				     "vdev0buffer");
	return ret;
}

struct idm_segment {
	u64 address, size;
};

/* PT_LOAD segments one after the other, from *index on. The core has checked the headers. */
static bool idm_next_segment(const struct firmware *fw, unsigned int *index,
			     struct idm_segment *segment)
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
int idm_sanity_check(struct rproc *rproc, const struct firmware *fw)
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
u64 idm_get_boot_addr(struct rproc *rproc, const struct firmware *fw)
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
		dev_err(&slave->rproc->dev,
			"%#llx bytes at %#llx are not in the window's part for firmware, %#llx-%#llx\n",
			segment->size, segment->address, (u64)slave->window,
			slave->window + room - 1);
		return -EINVAL;
	}

	start = round_down(start, PAGE_SIZE);
	end = round_up(end, PAGE_SIZE);
	snprintf(name, sizeof(name), "segment-%llx", segment->address);
	return idm_add_memory(slave, start - slave->window, end - start, true, name);
}

/* The core would start a slave whose rings it cannot make, and only do without virtio. */
static int idm_check_vdev(struct idm_slave *slave, const struct fw_rsc_vdev *vdev, size_t size)
{
	phys_addr_t rings = slave->window + slave->window_size - IDM_VIRTIO_SIZE;
	static const u32 offsets[] = { IDM_VRING0_OFFSET, IDM_VRING1_OFFSET };
	unsigned int i;

	if (size < sizeof(*vdev) || vdev->num_of_vrings > ARRAY_SIZE(offsets) ||
	    size < struct_size(vdev, vring, vdev->num_of_vrings))
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
static int idm_check_resources(struct rproc *rproc)
{
	const struct resource_table *table = rproc->table_ptr;
	unsigned int i, vdevs = 0;

	if (!table)
		return 0;

	for (i = 0; i < table->num; i++) {
		const struct fw_rsc_hdr *hdr;
		size_t offset = table->offset[i];
		int ret = 0;

		if (offset > rproc->table_sz || rproc->table_sz - offset < sizeof(*hdr))
			return -EINVAL;
		hdr = (const void *)table + offset;
		if (hdr->type == RSC_CARVEOUT || (hdr->type == RSC_VDEV && ++vdevs > 1))
			ret = -EINVAL;
		else if (hdr->type == RSC_VDEV)
			ret = idm_check_vdev(rproc->priv, (const void *)hdr->data,
					     rproc->table_sz - offset - sizeof(*hdr));
		if (ret) {
			dev_err(&rproc->dev, "entry %u of the resource table cannot be had\n", i);
			return ret;
		}
	}
	return 0;
}

int idm_parse_fw(struct rproc *rproc, const struct firmware *fw)
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

int idm_load(struct rproc *rproc, const struct firmware *fw)
{
	struct idm_slave *slave = rproc->priv;

	/* In a recovery the core uses what it has read from the image at the start. */
	if (slave->attached) {
		dev_err(&rproc->dev, "it was not booted by Linux and cannot be recovered\n");
		return -ENOEXEC;
	}
	return rproc_elf_load_segments(rproc, fw);
}
