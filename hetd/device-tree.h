/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Device trees (libfdt). QEMU's board makes the base (dumpdtb); we add what the platform is. Pure functions on blobs.
 * The bindings are in docs/device-tree.md.
 */

#include <glib.h>
#include <stdbool.h>

#include "platform-file.h"

#define DEVICE_TREE_SIZE_MAX (2U * 1024 * 1024)

/*
 * The master's: the IDM's node (address and interrupt of the board), one reserved-memory node (no-map) for each slave's window, and
 * below the IDM's node one child for each slave with its number, memory-region and firmware-name. Slaves with Remoteproc=stm32 have
 * the nodes of a chip with such a coprocessor instead, below the node that QEMU has made for their registers.
 * Returns a packed blob, to be freed with g_free().
 */
bool device_tree_make_master(const PlatformConfig *platform, const void *base, size_t base_size,
                             void **ret, size_t *ret_size, GError **error);
/*
 * A slave's: /memory is the window at the bus address, /chosen gets the command line and where the initial RAM disk is (size 0:
 * there is none), and the IDM's node is there.
 */
bool device_tree_make_slave(const ProcessorConfig *slave, const void *base, size_t base_size, uint64_t initrd_address,
                            uint64_t initrd_size, void **ret, size_t *ret_size, GError **error);
