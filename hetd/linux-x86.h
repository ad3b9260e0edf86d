/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a Linux of a PC is told instead of a device tree: the boot parameters (Documentation/arch/x86/zero-page.rst of the kernel),
 * in the low memory that the kernel keeps for such. There is no firmware, and no ACPI.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "linux-boot.h"

/*
 * Writes them and the command line into the window, which begins at memory_offset of the memfd. ret_address: what the kernel gets,
 * an address of the slave's own memory.
 */
bool linux_x86_write_parameters(const LinuxBoot *boot, const ProcessorConfig *slave, int memory, uint64_t memory_offset,
                                uint64_t *ret_address, GError **error);
