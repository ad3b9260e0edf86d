/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of idm_rproc share: idm_device.c, the device, which is there
 * once; idm_slave.c, a slave, which is an instance of remoteproc; and
 * idm_firmware.c, images and the window.
 */

#ifndef IDM_RPROC_H
#define IDM_RPROC_H

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
	struct work_struct settle_work;
	bool recovering;		/* since a crash; under rproc->lock */
	bool attached;			/* not booted by us; under rproc->lock */

	spinlock_t lock;
	bool expect_running;		/* under lock: it is a crash if it does not */
};

/* idm_slave.c */
bool idm_slave_interrupt(struct idm_slave *slave);
struct idm_slave *idm_slave_alloc(struct idm *idm, struct device_node *np);
int idm_slave_parse(struct idm_slave *slave, struct device_node *np);
int idm_slave_register(struct idm_slave *slave);
void idm_slave_remove(struct idm_slave *slave);

/* idm_firmware.c */
int idm_add_virtio_memory(struct idm_slave *slave);
int idm_sanity_check(struct rproc *rproc, const struct firmware *fw);
u64 idm_get_boot_addr(struct rproc *rproc, const struct firmware *fw);
int idm_parse_fw(struct rproc *rproc, const struct firmware *fw);
int idm_load(struct rproc *rproc, const struct firmware *fw);

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
