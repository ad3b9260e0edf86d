/*
 * memory-backend-shared: what its files share
 *
 * hostmem-shared.c        the object, and the memory that it makes
 * hostmem-shared-grant.c  memory that is granted to it, and revoked
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef BACKENDS_HOSTMEM_SHARED_INTERNAL_H
#define BACKENDS_HOSTMEM_SHARED_INTERNAL_H

#include "qemu/rcu.h"
#include "system/hostmem-shared.h"

/* Address space that outlives the object until no reader can use it */
typedef struct SharedReservation {
    struct rcu_head rcu;
    void *host;
    size_t size;
    int fd;
} SharedReservation;

struct HostMemoryBackendShared {
    HostMemoryBackend parent_obj;

    OnOffAuto master;
    char *mem_path;
    char *chardev;
    bool is_master;         /* once the memory is made */
    Error *migration_blocker;

    /* A slave's; NULL on a master */
    SharedReservation *reservation;
    bool granted;

    MemoryRegion alias;
    bool has_alias;
    uint64_t bus_address;
};

static inline MemoryRegion *hostmem_shared_mr(HostMemoryBackendShared *s)
{
    return host_memory_backend_get_memory(MEMORY_BACKEND(s));
}

static inline const char *hostmem_shared_id(HostMemoryBackendShared *s)
{
    return object_get_canonical_path_component(OBJECT(s));
}

#endif
