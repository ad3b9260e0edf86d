// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images of slaves, and the parts of the window that they and virtio use.
 */

#include <linux/elf.h>
#include <linux/firmware.h>
#include <linux/overflow.h>
#include <linux/slab.h>

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

/*
 * Whole pages of the window, around what is asked for; the slave has them at
 * the same address as we. The core maps them, if it is left to it, when it has
 * all of them together, and unmaps them.
 */
struct rproc_mem_entry *idm_add_memory(struct idm_slave *slave, phys_addr_t address, size_t size,
				       enum idm_map map, const char *name)
{
	phys_addr_t start = round_down(address, PAGE_SIZE);
	size_t length = round_up(address + size, PAGE_SIZE) - start;
	struct rproc_mem_entry *mem;
	int ret;

	mem = rproc_mem_entry_init(&slave->rproc->dev, NULL, start, length, start,
				   map == IDM_MAP_LATER ? idm_mem_map : NULL,
				   map == IDM_MAP_NEVER ? NULL : idm_mem_unmap, "%s", name);
	if (!mem)
		return ERR_PTR(-ENOMEM);

	rproc_add_carveout(slave->rproc, mem);
	if (map == IDM_MAP_NOW) {
		ret = idm_mem_map(slave->rproc, mem);
		if (ret)
			return ERR_PTR(ret);
	}
	return mem;
}

/* What firmware says of its memory */
int idm_add_range(struct idm_slave *slave, u64 address, u64 size, enum idm_map map,
		  const char *name)
{
	u64 end, room = slave->window_size - IDM_VIRTIO_SIZE;

	if (check_add_overflow(address, size, &end) || address < slave->window ||
	    end > slave->window + room) {
		dev_err(&slave->rproc->dev,
			"%#llx bytes at %#llx are not in the window's part for firmware, %#llx-%#llx\n",
			size, address, (u64)slave->window, (u64)slave->window + room - 1);
		return -EINVAL;
	}
	return PTR_ERR_OR_ZERO(idm_add_memory(slave, address, size, map, name));
}

/*
 * Found by the core by their names, which are fixed. It maps the buffers
 * itself, if it can: see idm_dma.c.
 */
int idm_add_virtio_memory(struct idm_slave *slave)
{
	phys_addr_t virtio = slave->window + slave->window_size - IDM_VIRTIO_SIZE;
	struct rproc_mem_entry *mem;

	mem = idm_add_memory(slave, virtio + IDM_VRING0_OFFSET, IDM_VRING_SIZE, IDM_MAP_LATER,
			     "vdev0vring0");
	if (!IS_ERR(mem))
		mem = idm_add_memory(slave, virtio + IDM_VRING1_OFFSET, IDM_VRING_SIZE,
				     IDM_MAP_LATER, "vdev0vring1");
	if (!IS_ERR(mem) && IS_ENABLED(CONFIG_DMA_DECLARE_COHERENT))
		mem = idm_add_memory(slave, virtio + IDM_BUFFER_OFFSET, IDM_BUFFER_SIZE,
				     IDM_MAP_NEVER, "vdev0buffer");
	return PTR_ERR_OR_ZERO(mem);
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

static int idm_add_segments(struct idm_slave *slave, const struct firmware *fw, enum idm_map map)
{
	struct idm_segment segment;
	unsigned int index = 0;
	char name[32];
	int ret;

	while (idm_next_segment(fw, &index, &segment)) {
		snprintf(name, sizeof(name), "segment-%llx", segment.address);
		ret = idm_add_range(slave, segment.address, segment.size, map, name);
		if (ret)
			return ret;
	}
	return 0;
}

int idm_parse_fw(struct rproc *rproc, const struct firmware *fw)
{
	struct idm_slave *slave = rproc->priv;
	const struct elf32_hdr *ehdr = (const void *)fw->data;	/* these two are in both classes' */
	int ret;

	rproc_coredump_set_elf_info(rproc, ehdr->e_ident[EI_CLASS], ehdr->e_machine);
	ret = idm_add_segments(slave, fw, IDM_MAP_LATER);
	if (ret)
		return ret;

	/* Without a table there is no virtio and no trace, but it runs. A bad one is an error. */
	ret = rproc_elf_load_rsc_table(rproc, fw);
	if (ret == -EINVAL && !rproc->table_ptr) {
		dev_info(&rproc->dev, "the image has no resource table\n");
		return 0;
	}
	ret = ret ?: idm_check_table(slave, rproc->table_ptr, rproc->table_sz);
	if (ret) {
		/* The core keeps what was refused, and the next image may have none. */
		kfree(rproc->cached_table);
		rproc->cached_table = NULL;
		rproc->table_ptr = NULL;
	}
	return ret;
}

/*
 * A slave that was attached to has crashed, and the core loads its firmware, as
 * it would after a start. That must be what ran: the core keeps what it has
 * made of the resource table.
 */
static int idm_adopt_image(struct idm_slave *slave, const struct firmware *fw)
{
	int ret = idm_check_same_table(slave, fw);

	if (ret) {
		dev_err(&slave->rproc->dev,
			"it was not booted by Linux with %s, and cannot be recovered with it\n",
			slave->rproc->firmware);
		return ret;
	}
	ret = idm_add_segments(slave, fw, IDM_MAP_NOW);
	if (!ret)
		slave->attached = false;
	return ret;
}

/* In a recovery the core does not look at the image first, which may be another one by now. */
int idm_load(struct rproc *rproc, const struct firmware *fw)
{
	struct idm_slave *slave = rproc->priv;
	int ret = idm_sanity_check(rproc, fw);

	if (!ret && slave->attached)
		ret = idm_adopt_image(slave, fw);
	if (ret)
		return ret;

	rproc->bootaddr = idm_get_boot_addr(rproc, fw);
	return rproc_elf_load_segments(rproc, fw);
}

/* Where the slave has what is mapped there, 0: not mapped */
u64 idm_mapped_address(struct idm_slave *slave, const void *va)
{
	struct rproc_mem_entry *mem;

	list_for_each_entry(mem, &slave->rproc->carveouts, node)
		if (mem->va && va >= mem->va && va < mem->va + mem->len)
			return mem->da + (va - mem->va);
	return 0;
}

/* ------------------------------------------------------------------------ */
/* Coredump                                                                 */

/* In pieces: a window may be larger than what can be mapped at once. */
static void idm_dump(struct rproc *rproc, struct rproc_dump_segment *segment, void *to,
		     size_t offset, size_t size)
{
	while (size) {
		phys_addr_t address = segment->da + offset;
		size_t in_page = offset_in_page(address);
		size_t part = min_t(size_t, size, IDM_DUMP_PIECE - in_page);
		void __iomem *from = ioremap_wc(address - in_page, PAGE_ALIGN(in_page + part));

		if (from) {
			memcpy_fromio(to, from + in_page, part);
			iounmap(from);
		} else {
			dev_err_ratelimited(&rproc->dev, "%pap cannot be dumped\n", &address);
			memset(to, 0xff, part);		/* as the core has it */
		}
		to += part;
		offset += part;
		size -= part;
	}
}

/* The whole window: what firmware has made of its memory is not in the image. */
int idm_add_dump(struct idm_slave *slave)
{
	return rproc_coredump_add_custom_segment(slave->rproc, slave->window, slave->window_size,
						 idm_dump, NULL);
}
