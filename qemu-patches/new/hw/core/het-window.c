/*
 * Windows: the memory of slaves, laid over the master's own
 *
 * Each window is a RAM region of its own, with the file of its slave,
 * above the board's memory, or where the board has nothing. So a slave holds
 * nothing but its window, and those who ask for the file behind an address
 * (vhost-user, dumps) are told the right one. A window that is part of the
 * master's own memory has no region: it is only known here. Used by
 * het-attach.c and multi-socket-master.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/range.h"
#include "qemu/rcu.h"
#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "hw/boards.h"
#include "hw/het-check.h"
#include "hw/het-window.h"
#include "hw/misc/het-page.h"
#include "qom/object.h"
#include "trace.h"

/* Above the board's own memory; windows do not overlap each other */
#define HET_WINDOW_PRIORITY 1

#define TYPE_HET_WINDOW "het-window"
OBJECT_DECLARE_SIMPLE_TYPE(HetWindowState, HET_WINDOW)

/*
 * The owner of its region: views of the guest's memory that are still in
 * use keep it alive, and with it the mapping.
 */
struct HetWindowState {
    Object parent_obj;

    MemoryRegion mr;
    bool has_region;            /* not if it is the master's own memory */
    uint64_t address;
    uint64_t size;
    uint64_t offset;
};

OBJECT_DEFINE_SIMPLE_TYPE(HetWindowState, het_window, HET_WINDOW, OBJECT)

static HetWindowState *windows[HET_ID_MAX + 1];

static void het_window_init(Object *obj)
{
}

static void het_window_finalize(Object *obj)
{
    HetWindowState *w = HET_WINDOW(obj);

    trace_het_window_gone(w->address, w->size);
}

static void het_window_class_init(ObjectClass *oc, void *data)
{
}

/* 0: none; else the number of a slave whose window is there */
static uint32_t het_window_overlapping(uint64_t address, uint64_t size)
{
    for (uint32_t id = 1; id <= HET_ID_MAX; id++) {
        if (windows[id] && ranges_overlap(address, size, windows[id]->address,
                                          windows[id]->size)) {
            return id;
        }
    }
    return 0;
}

static bool het_window_check(const HetWindowPlace *place, Error **errp)
{
    uint64_t address = place->address;
    uint64_t size = place->size;
    size_t page_size = place->page_size;
    uint32_t other;
    uint64_t end = memory_region_size(get_system_memory());
    const char *image;

    if (!size) {
        error_setg(errp, "the window's size must not be 0");
        return false;
    }
    if (!QEMU_IS_ALIGNED(address, page_size)) {
        error_setg(errp, "window address 0x%" PRIx64 " is not aligned to the"
                   " page size of its memory, 0x%zx", address, page_size);
        return false;
    }
    if (address > end || size > end - address) {
        error_setg(errp, "the window at 0x%" PRIx64 " with 0x%" PRIx64 " bytes"
                   " does not fit the address space", address, size);
        return false;
    }
    other = het_window_overlapping(address, size);
    if (other) {
        error_setg(errp, "the window overlaps that of slave %u, at"
                   " 0x%" PRIx64 " with 0x%" PRIx64 " bytes", other,
                   windows[other]->address, windows[other]->size);
        return false;
    }
    image = het_find_image(address, size, NULL);
    if (image) {
        error_setg(errp, "the window overlaps '%s', which a reset of this"
                   " machine would write into it", image);
        return false;
    }
    return het_check_place("the window", address, size, true, errp);
}

/* Takes the fd, also when it fails */
static bool het_window_init_region(HetWindowState *w, const char *name,
                                   const HetWindowPlace *place, Error **errp)
{
    /* Huge pages are reserved: to run out of them later would end us */
    if (!memory_region_init_ram_from_fd(&w->mr, OBJECT(w), name, place->size,
                                        RAM_SHARED, place->fd, place->offset,
                                        errp)) {
        close(place->fd);
        return false;
    }
    w->has_region = true;
    return true;
}

bool het_window_map(uint32_t slave_id, const HetWindowPlace *place,
                    Error **errp)
{
    g_autofree char *name = g_strdup_printf("het-window-%u", slave_id);
    HetWindowState *w;

    assert(!windows[slave_id]);
    if (!het_window_check(place, errp)) {
        if (place->fd >= 0) {
            close(place->fd);
        }
        return false;
    }

    w = HET_WINDOW(object_new(TYPE_HET_WINDOW));
    if (place->fd >= 0 && !het_window_init_region(w, name, place, errp)) {
        object_unref(OBJECT(w));
        return false;
    }
    w->address = place->address;
    w->size = place->size;
    w->offset = place->offset;
    object_property_add_child(qdev_get_machine(), name, OBJECT(w));
    object_unref(OBJECT(w));
    if (w->has_region) {
        memory_region_add_subregion_overlap(get_system_memory(), w->address,
                                            &w->mr, HET_WINDOW_PRIORITY);
    }
    windows[slave_id] = w;
    trace_het_window_map(slave_id, w->address, w->size);
    return true;
}

void het_window_unmap(uint32_t slave_id)
{
    HetWindowState *w = windows[slave_id];

    if (!w) {
        return;
    }
    trace_het_window_unmap(slave_id, w->address, w->size);
    windows[slave_id] = NULL;
    if (!w->has_region) {
        object_unparent(OBJECT(w));
        return;
    }
    memory_region_del_subregion(get_system_memory(), &w->mr);
    object_unparent(OBJECT(w));
    /*
     * The first round ends the old views of the guest's memory, which frees
     * the region, which leaves its RAMBlock to the second.
     */
    drain_call_rcu();
    drain_call_rcu();
}

bool het_window_find_place(uint64_t base, uint64_t end, uint64_t size,
                           uint64_t align, uint64_t *address)
{
    uint64_t at;
    uint32_t other;

    while (end >= base && end - base >= size) {
        at = QEMU_ALIGN_DOWN(end - size, align);
        if (at < base) {
            return false;
        }
        other = het_window_overlapping(at, size);
        if (other) {
            end = windows[other]->address;
        } else if (het_find_image(at, size, NULL)) {
            end = at + size - 1;    /* the next lower place */
        } else {
            *address = at;
            return true;
        }
    }
    return false;
}

bool het_window_get(uint32_t slave_id, uint64_t *address, uint64_t *size)
{
    HetWindowState *w = slave_id <= HET_ID_MAX ? windows[slave_id] : NULL;

    if (!w) {
        return false;
    }
    *address = w->address;
    *size = w->size;
    return true;
}

HetWindowInfo *het_window_query(uint32_t slave_id)
{
    HetWindowState *w = slave_id <= HET_ID_MAX ? windows[slave_id] : NULL;
    HetWindowInfo *info;

    if (!w) {
        return NULL;
    }
    info = g_new0(HetWindowInfo, 1);
    info->address = w->address;
    info->size = w->size;
    info->offset = w->offset;
    return info;
}

int het_window_fd(uint32_t slave_id, uint64_t *offset)
{
    HetWindowState *w = slave_id <= HET_ID_MAX ? windows[slave_id] : NULL;

    if (!w || !w->has_region) {
        return -1;
    }
    *offset = w->offset;
    return memory_region_get_fd(&w->mr);
}
