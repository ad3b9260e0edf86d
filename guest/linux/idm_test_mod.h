/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of idm_test_mod share: idm_test_device.c, the IDM, which is
 * there once; and idm_test_slave.c, a slave with its device file.
 */

#ifndef IDM_TEST_MOD_H
#define IDM_TEST_MOD_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "idm_couple.h"
#include "idm_test.h"

/* Lives until its device is unregistered and the last file is closed. */
struct idm_test_slave {
	struct device dev;
	struct cdev cdev;
	u32 id;
	u32 protocol;			/* IDM_PROTOCOL_*, for programs that ask */
	char name[sizeof_field(struct idm_test_info, name)];

	struct rw_semaphore presence;	/* taken before everything else */
	void __iomem *regs;		/* its block; NULL, under presence: the driver is gone */
	void __iomem *extension;	/* its other one; NULL: the IDM has none */
	void __iomem *take;		/* its TAKE; NULL: the IDM has none */

	struct mutex request;		/* START and STOP, one after the other */
	wait_queue_head_t changed;

	spinlock_t lock;		/* for what follows, and ENABLE */
	struct list_head receivers;	/* files */
	u32 changes;			/* of its state, counted */
};

struct idm_test_slave *idm_test_slave_add(struct device *parent, struct class *class,
					  dev_t number, void __iomem *base, u32 id);
void idm_test_slave_leave(struct idm_test_slave *slave);
void idm_test_slave_remove(struct idm_test_slave *slave);
bool idm_test_slave_interrupt(struct idm_test_slave *slave, void __iomem *regs);

#endif
