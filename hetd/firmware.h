/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Loads firmware (ELF, by libelf) into a slave's window. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "architecture.h"

/* Where a window's bytes are seen by the slave: at bus_address (as in the master), and at ram_base (as its own memory). */
typedef struct FirmwareWindow {
        int fd;                         /* the window's memfd; written with pwrite(): a bad length cannot fault us */
        uint64_t size;
        uint64_t bus_address;
        uint64_t ram_base;
        uint64_t offset;                /* where in fd the window begins; not 0 only in memory that a client brought */
        Architecture architecture;      /* of the CPU that will execute it */
} FirmwareWindow;

/*
 * Copies the PT_LOAD segments (by physical address, the rest of memsz zeroed). Checks all of them before it writes anything.
 * ret_entry: e_entry, or for an M-profile ELF (vector_table) the lowest segment's address.
 * ret_resource_table (may be NULL): bus address of the section .resource_table, that of Linux's remoteproc; 0: it has none, or it
 * is not loaded.
 * Errors: HET_ERROR_INVALID_ARGUMENT "file: segment 2 (0x…–0x…) is not inside the window …".
 */
bool firmware_load(const char *path, const FirmwareWindow *window, bool vector_table, uint64_t *ret_entry,
                   uint64_t *ret_resource_table, GError **error);
