/*
 * Heterogeneous platforms: a slave's memory, boot and stop
 *
 * Implemented by hw/core/het-slave.c, for whoever brings a slave up.
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_SLAVE_H
#define HW_HET_SLAVE_H

#include "hw/het.h"
#include "system/hostmem-shared.h"

bool het_memory_grant(HostMemoryBackendShared *s, int fd, uint64_t offset,
                      size_t page_size, bool readonly,
                      const uint64_t *bus_address, Error **errp);
bool het_memory_revoke(HostMemoryBackendShared *s, Error **errp);
/* resource_table: what the slave publishes while it is booted, 0: nothing */
bool het_boot(HetBootProtocol protocol, uint64_t entry, uint64_t argument,
              uint64_t resource_table, Error **errp);
bool het_stop(Error **errp);
/* Stops a slave that runs as it is: crashed, with the reason watchdog */
bool het_fail(Error **errp);

#endif
