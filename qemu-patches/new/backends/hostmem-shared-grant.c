/*
 * memory-backend-shared: memory that is granted to a slave, and revoked
 *
 * A grant maps a file over the address space that the object has reserved,
 * and lays an alias of it where the master sees the same memory; revoking
 * it leaves address space only. The guest sees neither until the slave is
 * booted. Used by hw/core/het-slave.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qapi/error.h"
#include "qemu/madvise.h"
#include "qemu/range.h"
#include "exec/address-spaces.h"
#include "exec/ramblock.h"
#include "hw/het-check.h"
#include "hostmem-shared-internal.h"
#include "trace.h"

/* Above what a board declares as not implemented; nothing else is there */
#define BUS_ALIAS_PRIORITY 1000

/*
 * Puts inaccessible address space where the memory was. The kernel can
 * refuse it only for want of memory for its own tables, and with the file
 * still mapped, or a hole that others may fill, there is no way on.
 */
static void hostmem_shared_reserve(HostMemoryBackendShared *s)
{
    SharedReservation *r = s->reservation;
    void *ptr = mmap(r->host, r->size, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                     -1, 0);

    if (ptr == MAP_FAILED) {
        error_setg_errno(&error_fatal, errno,
                         "cannot reserve address space for '%s' again",
                         hostmem_shared_id(s));
    }
}

/* What the machine and the object have asked for goes with the old mapping */
static void hostmem_shared_advise(const SharedReservation *r, bool dump)
{
    qemu_madvise(r->host, r->size, QEMU_MADV_HUGEPAGE);
    qemu_madvise(r->host, r->size, QEMU_MADV_DONTFORK);
    if (!dump) {
        qemu_madvise(r->host, r->size, QEMU_MADV_DONTDUMP);
    }
}

typedef struct SharedPlace {
    uint64_t address;
    uint64_t size;
    HostMemoryBackendShared *taken_by;
} SharedPlace;

static int hostmem_shared_overlaps(HostMemoryBackendShared *s, void *opaque)
{
    SharedPlace *p = opaque;
    uint64_t size = hostmem_shared_size(s);
    uint64_t own;

    if ((hostmem_shared_address(s, &own) &&
         ranges_overlap(own, size, p->address, p->size)) ||
        (s->has_alias &&
         ranges_overlap(s->bus_address, size, p->address, p->size))) {
        p->taken_by = s;
    }
    return p->taken_by != NULL;
}

HostMemoryBackendShared *hostmem_shared_at(uint64_t address, uint64_t size)
{
    SharedPlace place = { .address = address, .size = size };

    hostmem_shared_foreach(hostmem_shared_overlaps, &place);
    return place.taken_by;
}

/* Whether an alias at address is wanted; false with errp if it cannot be */
static bool hostmem_shared_check_alias(HostMemoryBackendShared *s,
                                       uint64_t address, size_t page_size,
                                       bool *wanted, Error **errp)
{
    uint64_t size = hostmem_shared_size(s);
    HostMemoryBackendShared *other;
    uint64_t own;

    if (!QEMU_IS_ALIGNED(address, page_size)) {
        error_setg(errp, "bus address 0x%" PRIx64 " is not aligned to the"
                   " page size of the memory, 0x%zx", address, page_size);
        return false;
    }
    if (address > UINT64_MAX - (size - 1)) {
        error_setg(errp, "bus address 0x%" PRIx64 " leaves no room for"
                   " 0x%" PRIx64 " bytes", address, size);
        return false;
    }
    *wanted = !hostmem_shared_address(s, &own) || own != address;
    if (!*wanted) {
        return true;
    }
    /* This one's own, too */
    other = hostmem_shared_at(address, size);
    if (other) {
        error_setg(errp, "the alias at bus address 0x%" PRIx64 " overlaps the"
                   " memory '%s'", address, hostmem_shared_id(other));
        return false;
    }
    return het_check_place("the alias at the bus address", address, size,
                           false, errp);
}

static void hostmem_shared_add_alias(HostMemoryBackendShared *s,
                                     uint64_t address)
{
    MemoryRegion *mr = hostmem_shared_mr(s);

    memory_region_init_alias(&s->alias, OBJECT(s), "het-bus-address", mr, 0,
                             memory_region_size(mr));
    memory_region_set_enabled(&s->alias, false);
    memory_region_add_subregion_overlap(get_system_memory(), address,
                                        &s->alias, BUS_ALIAS_PRIORITY);
    s->has_alias = true;
    s->bus_address = address;
}

static void hostmem_shared_remove_alias(HostMemoryBackendShared *s)
{
    if (s->has_alias) {
        memory_region_del_subregion(get_system_memory(), &s->alias);
        object_unparent(OBJECT(&s->alias));
        s->has_alias = false;
    }
}

/*
 * What the guest writes to memory that is read only is dropped, as it is
 * with ROM. There is no other way for it to the mapping, which would fault.
 */
static void hostmem_shared_set_readonly(HostMemoryBackendShared *s,
                                        bool readonly)
{
    MemoryRegion *mr = hostmem_shared_mr(s);

    memory_region_set_readonly(mr, readonly);
    if (readonly) {
        mr->ram_block->flags |= RAM_READONLY | RAM_READONLY_FD;
    } else {
        mr->ram_block->flags &= ~(RAM_READONLY | RAM_READONLY_FD);
    }
}

bool hostmem_shared_grant(HostMemoryBackendShared *s, int fd, uint64_t offset,
                          size_t page_size, bool readonly,
                          const uint64_t *bus_address, Error **errp)
{
    MemoryRegion *mr = hostmem_shared_mr(s);
    SharedReservation *r = s->reservation;
    bool alias = false;
    void *ptr;

    if (hostmem_shared_is_granted(s)) {
        error_setg(errp, "'%s' has memory already", hostmem_shared_id(s));
        goto err;
    }
    if (!QEMU_PTR_IS_ALIGNED(r->host, page_size)) {
        error_setg(errp, "'%s' is too small for pages of 0x%zx bytes",
                   hostmem_shared_id(s), page_size);
        goto err;
    }
    if (bus_address && !hostmem_shared_check_alias(s, *bus_address, page_size,
                                                   &alias, errp)) {
        goto err;
    }

    ptr = mmap(r->host, r->size, PROT_READ | (readonly ? 0 : PROT_WRITE),
               MAP_SHARED | MAP_FIXED, fd, offset);
    if (ptr == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot map the memory for '%s'",
                         hostmem_shared_id(s));
        hostmem_shared_reserve(s);
        goto err;
    }
    hostmem_shared_advise(r, MEMORY_BACKEND(s)->dump);

    r->fd = fd;
    s->granted = true;
    mr->ram_block->fd = fd;
    mr->ram_block->fd_offset = offset;
    mr->ram_block->page_size = page_size;
    hostmem_shared_set_readonly(s, readonly);
    if (alias) {
        hostmem_shared_add_alias(s, *bus_address);
    }
    trace_hostmem_shared_grant(hostmem_shared_id(s), offset, r->size,
                               page_size);
    return true;

err:
    close(fd);
    return false;
}

void hostmem_shared_revoke(HostMemoryBackendShared *s)
{
    MemoryRegion *mr = hostmem_shared_mr(s);
    SharedReservation *r = s->reservation;

    assert(s->granted && !mr->enabled);

    trace_hostmem_shared_revoke(hostmem_shared_id(s));
    hostmem_shared_remove_alias(s);
    hostmem_shared_reserve(s);
    mr->ram_block->fd = -1;
    mr->ram_block->fd_offset = 0;
    mr->ram_block->page_size = qemu_real_host_page_size();
    hostmem_shared_set_readonly(s, false);
    close(r->fd);
    r->fd = -1;
    s->granted = false;
}

void hostmem_shared_set_visible(HostMemoryBackendShared *s, bool visible)
{
    if (s->is_master) {
        return;
    }
    assert(!visible || s->granted);

    trace_hostmem_shared_set_visible(hostmem_shared_id(s), visible);
    memory_region_set_enabled(hostmem_shared_mr(s), visible);
    if (s->has_alias) {
        memory_region_set_enabled(&s->alias, visible);
    }
}
