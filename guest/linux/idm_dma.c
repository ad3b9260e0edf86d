// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the buffers of virtio are, in kernels to which a driver cannot declare
 * memory of its device (CONFIG_DMA_DECLARE_COHERENT, which comes with device
 * trees and is not set for PCs). The core of remoteproc gives the virtio
 * device of each slave the DMA operations of the IDM. That does no DMA of its
 * own, so they can be those that take the memory from the slave's window.
 */

#include "idm_rproc.h"

/* All buffers come in one piece. */
static void *idm_dma_alloc(struct device *dev, size_t size, dma_addr_t *handle, gfp_t flags,
			   unsigned long attrs)
{
	struct rproc *rproc = rproc_get_by_child(dev);
	struct idm_slave *slave;
	phys_addr_t address;

	if (!rproc)
		return NULL;
	slave = rproc->priv;
	address = slave->window + slave->window_size - IDM_VIRTIO_SIZE + IDM_BUFFER_OFFSET;
	if (slave->buffers || size > IDM_BUFFER_SIZE || address + size - 1 > dev->coherent_dma_mask)
		return NULL;

	slave->buffers = ioremap_wc(address, size);
	*handle = address;
	return (__force void *)slave->buffers;
}

static void idm_dma_free(struct device *dev, size_t size, void *va, dma_addr_t handle,
			 unsigned long attrs)
{
	struct idm_slave *slave = rproc_get_by_child(dev)->priv;

	iounmap(slave->buffers);
	slave->buffers = NULL;
}

static const struct dma_map_ops idm_dma_ops = {
	.alloc = idm_dma_alloc,
	.free = idm_dma_free,
};

static void idm_reset_dma_ops(void *data)
{
	struct idm *idm = data;

	set_dma_ops(idm->dev, idm->dma_ops);
}

int idm_set_dma_ops(struct idm *idm)
{
	if (IS_ENABLED(CONFIG_DMA_DECLARE_COHERENT))
		return 0;

	idm->dma_ops = get_dma_ops(idm->dev);
	set_dma_ops(idm->dev, &idm_dma_ops);
	if (get_dma_ops(idm->dev) != &idm_dma_ops)
		return dev_err_probe(idm->dev, -EOPNOTSUPP,
				     "this kernel has no DMA operations of devices (CONFIG_DMA_OPS)\n");
	return devm_add_action_or_reset(idm->dev, idm_reset_dma_ops, idm);
}
