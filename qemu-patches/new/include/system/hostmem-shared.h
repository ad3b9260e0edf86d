/*
 * memory-backend-shared: memory that comes later, or that is handed out
 *
 * On a slave of a heterogeneous platform the object holds address space
 * only, until it is granted memory; on a master it allocates memory whose
 * file descriptor can be given to other processes. Used by hw/core/het*.c.
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef SYSTEM_HOSTMEM_SHARED_H
#define SYSTEM_HOSTMEM_SHARED_H

#include "system/hostmem.h"
#include "qapi/qapi-types-het.h"

#define TYPE_MEMORY_BACKEND_SHARED "memory-backend-shared"
OBJECT_DECLARE_SIMPLE_TYPE(HostMemoryBackendShared, MEMORY_BACKEND_SHARED)

/* What hands it to slaves, or a slave's to it, where there is no broker */
#define TYPE_MULTI_SOCKET_BACKEND "multi-socket-backend"

/* NULL with errp if there is no such object */
HostMemoryBackendShared *hostmem_shared_find(const char *id, Error **errp);
/* Calls fn for each object until it returns non-zero, and returns that */
int hostmem_shared_foreach(int (*fn)(HostMemoryBackendShared *s, void *opaque),
                           void *opaque);

bool hostmem_shared_is_master(HostMemoryBackendShared *s);
/* Whether the machine has mapped it into the guest's address space */
bool hostmem_shared_is_mapped(HostMemoryBackendShared *s);
/* The same, and ends QEMU if a machine has taken it and does not use it */
bool hostmem_shared_check_used(HostMemoryBackendShared *s);
bool hostmem_shared_is_granted(HostMemoryBackendShared *s);
/* False if the address cannot be told, as the memory shows through aliases */
bool hostmem_shared_address(HostMemoryBackendShared *s, uint64_t *address);
uint64_t hostmem_shared_size(HostMemoryBackendShared *s);
/*
 * Where the guest sees it: a PC has its memory in parts, one of which is above
 * 4 GiB. In the order of addresses, with nothing of ours or the board's above.
 */
typedef struct HostMemorySharedPart {
    uint64_t address;
    uint64_t offset;            /* in the memory */
    uint64_t size;
} HostMemorySharedPart;

GArray *hostmem_shared_parts(HostMemoryBackendShared *s);
/*
 * The object whose memory, or alias, is to be at these addresses, or NULL. A
 * slave's is hidden most of the time, so that nothing else finds it.
 */
HostMemoryBackendShared *hostmem_shared_at(uint64_t address, uint64_t size);
/* The multi-socket-backend that hands it out, or that it comes from, or NULL */
Object *hostmem_shared_socket(HostMemoryBackendShared *s);

/*
 * The fd is the object's own from now on, or closed if this fails. Of memory
 * that is read only it is open for reading only.
 */
bool hostmem_shared_grant(HostMemoryBackendShared *s, int fd, uint64_t offset,
                          size_t page_size, bool readonly,
                          const uint64_t *bus_address, Error **errp);
/* The guest must not see the memory. Leaves neither a mapping nor an fd. */
void hostmem_shared_revoke(HostMemoryBackendShared *s);
/* Lets the guest see the memory and its alias, or neither; in a transaction */
void hostmem_shared_set_visible(HostMemoryBackendShared *s, bool visible);

/* The fd stays the object's */
int hostmem_shared_fd(HostMemoryBackendShared *s, uint64_t *offset,
                      size_t *page_size);
HetMemoryInfo *hostmem_shared_query(HostMemoryBackendShared *s);

#endif
