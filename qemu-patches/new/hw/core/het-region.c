/*
 * Heterogeneous platforms: what lies where memory is to be laid
 *
 * Windows, aliases and devices go above what a board has at their
 * addresses. What that would hide, and what would be loaded there, is found
 * here. Used by het-window.c, hostmem-shared.c, idm-flat-place.c and
 * het-slave.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/range.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "hw/het-check.h"
#include "hw/loader.h"
#include "hw/misc/unimp.h"
#include "trace.h"

/* Boards put these where they lack a device */
static bool het_is_unimplemented(MemoryRegion *mr)
{
    return object_dynamic_cast(memory_region_owner(mr),
                               TYPE_UNIMPLEMENTED_DEVICE);
}

bool het_is_nowhere(AddressSpace *as, uint64_t address, uint64_t size)
{
    const uint64_t ends[] = { address, address + (size - 1) };

    for (int i = 0; i < ARRAY_SIZE(ends); i++) {
        MemoryRegionSection found = memory_region_find(as->root, ends[i], 1);
        bool nowhere = !found.mr || het_is_unimplemented(found.mr);

        memory_region_unref(found.mr);
        if (nowhere) {
            return true;
        }
    }
    return false;
}

typedef struct HetImages {
    uint64_t address;
    uint64_t size;
    const char *const *except;
} HetImages;

static bool het_counts(const HetImages *wanted, const char *name)
{
    return !wanted->except || !g_strv_contains(wanted->except, name);
}

static bool het_image_overlaps(const char *name, AddressSpace *as,
                               hwaddr address, hwaddr size, const void *opaque)
{
    const HetImages *wanted = opaque;

    return wanted->size && het_counts(wanted, name) &&
           ranges_overlap(wanted->address, wanted->size, address, size);
}

static bool het_image_is_lost(const char *name, AddressSpace *as,
                              hwaddr address, hwaddr size, const void *opaque)
{
    return het_counts(opaque, name) && het_is_nowhere(as, address, size);
}

const char *het_find_image(uint64_t address, uint64_t size,
                           const char *const *except)
{
    const HetImages wanted = {
        .address = address, .size = size, .except = except,
    };

    return rom_find(het_image_overlaps, &wanted);
}

const char *het_find_lost_image(const char *const *except)
{
    const HetImages wanted = { .except = except };

    return rom_find(het_image_is_lost, &wanted);
}

static bool het_may_cover(const MemoryRegionSection *found, bool over_ram)
{
    if (het_is_unimplemented(found->mr)) {
        return true;
    }
    return over_ram && memory_region_is_ram(found->mr) && !found->readonly &&
           !memory_region_is_ram_device(found->mr);
}

bool het_check_place(const char *what, uint64_t address, uint64_t size,
                     bool over_ram, Error **errp)
{
    uint64_t done = 0;

    while (done < size) {
        MemoryRegionSection found = memory_region_find(get_system_memory(),
                                                       address + done,
                                                       size - done);
        bool ok;

        if (!found.mr) {
            break;
        }
        ok = het_may_cover(&found, over_ram);
        if (!ok) {
            error_setg(errp, "%s would hide '%s', which is at 0x%" HWADDR_PRIx,
                       what, memory_region_name(found.mr),
                       found.offset_within_address_space);
            trace_het_region_refused(what, address, size,
                                     memory_region_name(found.mr));
        }
        done = found.offset_within_address_space - address +
               int128_get64(found.size);
        memory_region_unref(found.mr);
        if (!ok) {
            return false;
        }
    }
    return true;
}
