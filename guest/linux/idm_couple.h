/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IDM's registers as every driver of a master uses them: is this one, what
 * is with a slave, and requests to start and to stop it. A block of registers
 * is given by its address, and the place where one waits for its events by a
 * queue that the owner of the interrupt wakes after it has acknowledged them.
 *
 * Here and not in a file of its own, since an object cannot be part of two
 * modules.
 */

#ifndef IDM_COUPLE_H
#define IDM_COUPLE_H

#include <linux/bits.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/platform_device.h>
#include <linux/wait.h>

#include "hw/misc/idm-regs.h"

#define IDM_MAJOR(version)	((version) >> 16)
#define IDM_REQUEST_TIMEOUT	(30 * HZ)

/* ------------------------------------------------------------------------ */
/* The device                                                               */

static inline int idm_check_device(struct device *dev, void __iomem *base)
{
	u32 id = readl(base + IDM_ID), version = readl(base + IDM_VERSION);
	u32 wanted = IDM_FEATURE_MASTER | IDM_FEATURE_CONTROL;

	if (id != IDM_ID_VALUE)
		return dev_err_probe(dev, -ENODEV, "this is no IDM: %#x\n", id);
	if (IDM_MAJOR(version) != IDM_MAJOR(IDM_VERSION_VALUE))
		return dev_err_probe(dev, -ENODEV, "version %u is not known\n",
				     IDM_MAJOR(version));
	if ((readl(base + IDM_FEATURES) & wanted) != wanted)
		return dev_err_probe(dev, -ENODEV, "this is not the master\n");
	return 0;
}

/* Maps the registers and makes the line quiet; returns the number of its interrupt. */
static inline int idm_claim(struct platform_device *pdev, void __iomem **base)
{
	int irq, ret;

	*base = devm_platform_ioremap_resource(pdev, 0);
	if (IS_ERR(*base))
		return PTR_ERR(*base);
	irq = platform_get_irq(pdev, 0);
	if (irq < 0)
		return irq;
	ret = idm_check_device(&pdev->dev, *base);
	if (ret)
		return ret;

	writel(0, *base + IDM_CTRL);
	return irq;
}

/* Of a slave's other block of registers; NULL: this IDM has none. */
static inline void __iomem *idm_extension(void __iomem *base, u32 id)
{
	if (readl(base + IDM_FEATURES) & IDM_FEATURE_RESOURCE_TABLE)
		return base + IDM_EXTENSION(id);
	return NULL;
}

/* That register of a slave; NULL: this IDM has none. */
static inline void __iomem *idm_take_register(void __iomem *base, u32 id)
{
	if (readl(base + IDM_FEATURES) & IDM_FEATURE_TAKE)
		return base + IDM_EXTENSION(id) + IDM_TAKE;
	return NULL;
}

/* ------------------------------------------------------------------------ */
/* What arrives                                                             */

/* Acknowledges the vectors that interrupt, and returns them. take: NULL if there is none. */
static inline u32 idm_take(void __iomem *regs, void __iomem *take)
{
	u32 vectors;

	if (take)
		return readl(take);
	vectors = readl(regs + IDM_PENDING) & readl(regs + IDM_ENABLE);
	if (vectors)
		writel(vectors, regs + IDM_PENDING);
	return vectors;
}

/* ------------------------------------------------------------------------ */
/* The slave at the other end                                               */

static inline u32 idm_state(void __iomem *regs)
{
	u32 state = readl(regs + IDM_PEER_STATE);

	return state <= IDM_STATE_CRASHED ? state : IDM_STATE_OFFLINE;
}

/* Booted, and not ended since. */
static inline bool idm_state_is_alive(u32 state)
{
	return state == IDM_STATE_RUNNING || state == IDM_STATE_PAUSED;
}

/* Of one that idm_state() has returned. */
static inline const char *idm_state_name(u32 state)
{
	static const char * const names[] = {
		[IDM_STATE_OFFLINE] = "offline",
		[IDM_STATE_WAITING] = "waiting for memory",
		[IDM_STATE_READY] = "ready",
		[IDM_STATE_RUNNING] = "running",
		[IDM_STATE_PAUSED] = "paused",
		[IDM_STATE_CRASHED] = "crashed",
	};

	return names[state];
}

static inline u64 idm_window_base(void __iomem *regs)
{
	return readl(regs + IDM_WINDOW_BASE_LO) | (u64)readl(regs + IDM_WINDOW_BASE_HI) << 32;
}

static inline u64 idm_window_size(void __iomem *regs)
{
	return readl(regs + IDM_WINDOW_SIZE_LO) | (u64)readl(regs + IDM_WINDOW_SIZE_HI) << 32;
}

/* What the next start is to begin with. */
static inline void idm_set_boot(void __iomem *regs, u64 entry, u64 argument)
{
	writel(lower_32_bits(entry), regs + IDM_ENTRY_LO);
	writel(upper_32_bits(entry), regs + IDM_ENTRY_HI);
	writel(lower_32_bits(argument), regs + IDM_ARGUMENT_LO);
	writel(upper_32_bits(argument), regs + IDM_ARGUMENT_HI);
}

static inline void idm_set_resource_table(void __iomem *extension, u64 address)
{
	writel(lower_32_bits(address), extension + IDM_RESOURCE_TABLE_LO);
	writel(upper_32_bits(address), extension + IDM_RESOURCE_TABLE_HI);
}

/* ------------------------------------------------------------------------ */
/* Requests                                                                 */

static inline bool idm_request_is_answered(void __iomem *regs)
{
	return (readl(regs + IDM_CONTROL) & 0xff) != IDM_RESULT_PENDING;
}

/* A process that is killed does not wait for the end, if killable. */
static inline int idm_request_wait(void __iomem *regs, wait_queue_head_t *changed, bool killable)
{
	long left;

	if (killable)
		left = wait_event_killable_timeout(*changed, idm_request_is_answered(regs),
						   IDM_REQUEST_TIMEOUT);
	else
		left = wait_event_timeout(*changed, idm_request_is_answered(regs),
					  IDM_REQUEST_TIMEOUT);
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/* IDM_CONTROL_*; returns what the platform has made of it. */
static inline int idm_request(void __iomem *regs, wait_queue_head_t *changed, u32 request,
			      bool killable)
{
	int ret;

	/* One of a kernel before us, or of a process that was killed, may be on its way. */
	ret = idm_request_wait(regs, changed, killable);
	if (ret)
		return ret;

	writel(request, regs + IDM_CONTROL);
	ret = idm_request_wait(regs, changed, killable);
	if (ret)
		return ret;

	switch (readl(regs + IDM_CONTROL) & 0xff) {
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

#endif
