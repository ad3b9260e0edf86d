/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A slave's Linux in its window: where kernel, initial RAM disk and device tree go, and how they get there. The window, at the
 * address that the master has, is all of the memory of that Linux:
 *
 *   begin   what the kernel uses until it knows its memory (kernel-image.h)
 *           …
 *   end     device tree, initial RAM disk, and the MiB that virtio has with a Linux on the other side (docs/linux-master.md)
 */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel-image.h"
#include "platform-file.h"

/* Open files, and a plan. Offsets are from the begin of the window. */
typedef struct LinuxBoot {
        KernelImage kernel;
        int kernel_fd, initrd_fd;       /* the latter may be negative: no initial RAM disk */
        uint64_t initrd_offset, initrd_size;
        uint64_t tree_limit;            /* the device tree ends there or before */
} LinuxBoot;

#define LINUX_BOOT_INIT { .kernel_fd = -EBADF, .initrd_fd = -EBADF }

/*
 * For a slave with Kernel=. Errors name the file and what is wrong with it, or tell how large the window would have to be. ret must
 * have been LINUX_BOOT_INIT, and is cleared by the caller in any case.
 */
bool linux_boot_open(const ProcessorConfig *slave, LinuxBoot *ret, GError **error);
/*
 * Copies kernel and RAM disk into the window, which begins at memory_offset of the memfd. Some milliseconds for the 20 MB of a usual
 * kernel that is in the page cache, in which hetd does nothing else.
 */
bool linux_boot_load(const LinuxBoot *boot, const ProcessorConfig *slave, int memory, uint64_t memory_offset, GError **error);
void linux_boot_clear(LinuxBoot *boot);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinuxBoot, linux_boot_clear)

/* Where the memory ends that Linux begins with, from the begin of the window */
uint64_t linux_boot_memory_end(const ProcessorConfig *slave);

/* Where a device tree of that size goes. boot NULL: somebody else has filled the window. */
bool linux_boot_place_tree(const ProcessorConfig *slave, const LinuxBoot *boot, size_t size, uint64_t *ret_offset, GError **error);
