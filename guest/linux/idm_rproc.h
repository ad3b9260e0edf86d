/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the remoteproc core exports to drivers, and declares in a header of its
 * own folder (drivers/remoteproc/remoteproc_internal.h), which no package of
 * kernel headers has. For idm_rproc.c.
 */

#ifndef IDM_RPROC_H
#define IDM_RPROC_H

#include <linux/irqreturn.h>
#include <linux/remoteproc.h>

struct firmware;

irqreturn_t rproc_vq_interrupt(struct rproc *rproc, int vq_id);

int rproc_elf_sanity_check(struct rproc *rproc, const struct firmware *fw);
u64 rproc_elf_get_boot_addr(struct rproc *rproc, const struct firmware *fw);
int rproc_elf_load_segments(struct rproc *rproc, const struct firmware *fw);
int rproc_elf_load_rsc_table(struct rproc *rproc, const struct firmware *fw);
struct resource_table *rproc_elf_find_loaded_rsc_table(struct rproc *rproc, const struct firmware *fw);

#endif
