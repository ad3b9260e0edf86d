/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of idm_rproc share: idm_device.c, the device, which is there
 * once; idm_pci.c, how it is found on PCI; idm_slave.c, a slave, which is an instance of remoteproc;
 * idm_firmware.c, images and the window; idm_table.c, resource tables; and
 * idm_dma.c, memory for virtio.
 */

#ifndef IDM_RPROC_H
#define IDM_RPROC_H

#include <linux/dma-map-ops.h>
#include <linux/io.h>
#include <linux/irqreturn.h>
#include <linux/list.h>
#include <linux/remoteproc.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "idm_couple.h"

struct device_node;
struct firmware;

/* The end of each window is for virtio; what is left is the firmware's. */
#define IDM_VIRTIO_SIZE		SZ_1M
#define IDM_VRING0_OFFSET	0x00000
#define IDM_VRING1_OFFSET	0x10000
#define IDM_VRING_SIZE		SZ_64K
#define IDM_BUFFER_OFFSET	0x20000
#define IDM_BUFFER_SIZE		0xd0000

#define IDM_DUMP_PIECE		SZ_1M		/* is mapped at once */

struct idm {
	struct device *dev;
	void __iomem *base;
	struct workqueue_struct *workqueue;
	struct list_head slaves;
	unsigned long irq_flags;
	const struct dma_map_ops *dma_ops;	/* that it had before idm_dma.c's */
	bool messages;			/* the interrupt is not a line, but MSI-X */
};

struct idm_slave {
	struct list_head node;
	struct idm *idm;
	struct rproc *rproc;
	void __iomem *regs;		/* its block */
	void __iomem *extension;	/* its other one, NULL: the IDM has none */
	void __iomem *take;		/* its TAKE, NULL: the IDM has none */
	u32 id;
	u32 protocol;			/* IDM_PROTOCOL_* */
	phys_addr_t window;
	size_t window_size;

	wait_queue_head_t changed;	/* CONTROL or PEER_STATE */
	struct work_struct vector_work;
	atomic_t vectors;		/* that came and were not handed over yet */
	struct work_struct settle_work;
	bool recovering;		/* since a crash; under rproc->lock */
	bool attached;			/* not booted by us; under rproc->lock */
	struct resource_table *table;	/* copy of that of one that was attached to */
	struct resource_table *loaded_table;	/* the slave's own, as it is mapped */
	void __iomem *buffers;		/* of virtio, where idm_dma.c maps them */

	spinlock_t lock;		/* of the two below */
	bool expect_running;		/* it is a crash if it does not */
	bool removed;			/* nothing is a crash any more */
};

/* idm_device.c */
struct idm *idm_alloc(struct device *dev);
/* Its base is mapped, and its interrupt is quiet. */
int idm_set_up(struct idm *idm, int irq);
void idm_tear_down(struct idm *idm);

/* idm_pci.c */
int idm_pci_register(void);
void idm_pci_unregister(void);

/* idm_slave.c */
bool idm_slave_interrupt(struct idm_slave *slave);
struct idm_slave *idm_slave_alloc_node(struct idm *idm, struct device_node *np);
struct idm_slave *idm_slave_alloc_id(struct idm *idm, unsigned int id);
/* What its node says, or its registers */
int idm_slave_parse(struct idm_slave *slave, struct device_node *np);
int idm_slave_find(struct idm_slave *slave, unsigned int id);
int idm_slave_register(struct idm_slave *slave);
void idm_slave_remove(struct idm_slave *slave);

/* idm_firmware.c */
enum idm_map {
	IDM_MAP_NEVER,
	IDM_MAP_LATER,			/* by the core */
	IDM_MAP_NOW,
};

struct rproc_mem_entry *idm_add_memory(struct idm_slave *slave, phys_addr_t address, size_t size,
				       enum idm_map map, const char *name);
int idm_add_range(struct idm_slave *slave, u64 address, u64 size, enum idm_map map,
		  const char *name);
int idm_add_virtio_memory(struct idm_slave *slave);
int idm_add_dump(struct idm_slave *slave);
u64 idm_mapped_address(struct idm_slave *slave, const void *va);
int idm_sanity_check(struct rproc *rproc, const struct firmware *fw);
u64 idm_get_boot_addr(struct rproc *rproc, const struct firmware *fw);
int idm_parse_fw(struct rproc *rproc, const struct firmware *fw);
int idm_load(struct rproc *rproc, const struct firmware *fw);

/* idm_dma.c */
int idm_set_dma_ops(struct idm *idm);

/* idm_table.c */
int idm_check_table(struct idm_slave *slave, struct resource_table *table, size_t size);
int idm_check_same_table(struct idm_slave *slave, const struct firmware *fw);
struct resource_table *idm_get_loaded_table(struct rproc *rproc, size_t *size);
void idm_use_loaded_table(struct idm_slave *slave);
void idm_leave_loaded_table(struct idm_slave *slave);
void idm_forget_table(struct idm_slave *slave);
void idm_tell_driver_left(struct idm_slave *slave);

/*
 * The core of remoteproc exports these to drivers, and declares them in a
 * header of its own folder, which is in no package of kernel headers.
 */
irqreturn_t rproc_vq_interrupt(struct rproc *rproc, int vq_id);
int rproc_elf_sanity_check(struct rproc *rproc, const struct firmware *fw);
u64 rproc_elf_get_boot_addr(struct rproc *rproc, const struct firmware *fw);
int rproc_elf_load_segments(struct rproc *rproc, const struct firmware *fw);
int rproc_elf_load_rsc_table(struct rproc *rproc, const struct firmware *fw);
struct resource_table *rproc_elf_find_loaded_rsc_table(struct rproc *rproc,
						       const struct firmware *fw);

#endif
