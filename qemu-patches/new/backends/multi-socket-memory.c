/*
 * multi-socket-backend: which memory goes over it, and which part of a
 * master's a slave gets
 *
 * Used by multi-socket-master.c and multi-socket-slave.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/units.h"
#include "multi-socket-internal.h"

/* Windows begin at least so far apart, whatever the page size is */
#define WINDOW_ALIGN (2 * MiB)

typedef struct BackendMemory {
    MultiSocketBackend *backend;
    HostMemoryBackendShared *found;
    unsigned count;
} BackendMemory;

static int backend_look_at_memory(HostMemoryBackendShared *s, void *opaque)
{
    BackendMemory *m = opaque;

    if (hostmem_shared_socket(s) == OBJECT(m->backend)) {
        m->found = s;
        m->count++;
    }
    return 0;
}

HostMemoryBackendShared *multi_socket_memory(MultiSocketBackend *b,
                                             Error **errp)
{
    const char *id = object_get_canonical_path_component(OBJECT(b));
    BackendMemory m = { .backend = b };

    hostmem_shared_foreach(backend_look_at_memory, &m);
    if (!m.count) {
        error_setg(errp, "no memory goes over '%s': a %s object with"
                   " 'chardev=%s' is missing", id, TYPE_MEMORY_BACKEND_SHARED,
                   id);
        return NULL;
    }
    if (m.count > 1) {
        error_setg(errp, "more than one %s object has 'chardev=%s'",
                   TYPE_MEMORY_BACKEND_SHARED, id);
        return NULL;
    }
    return m.found;
}

/* What may be given away of the parts in which the guest sees the memory */
static GArray *backend_parts(const MultiSocketBackend *b,
                             HostMemoryBackendShared *memory)
{
    g_autoptr(GArray) all = hostmem_shared_parts(memory);
    GArray *parts = g_array_new(false, false, sizeof(HostMemorySharedPart));

    for (unsigned i = 0; i < all->len; i++) {
        HostMemorySharedPart part = g_array_index(all, HostMemorySharedPart,
                                                  i);
        uint64_t skip = b->window_base > part.address ?
                        MIN(b->window_base - part.address, part.size) : 0;

        part.address += skip;
        part.offset += skip;
        part.size -= skip;
        if (part.size) {
            g_array_append_val(parts, part);
        }
    }
    return parts;
}

bool multi_socket_check_parts(const MultiSocketBackend *b,
                              HostMemoryBackendShared *memory, Error **errp)
{
    g_autoptr(GArray) parts = backend_parts(b, memory);

    if (!parts->len) {
        error_setg(errp, "this machine has nothing of the memory that names"
                   " '%s' at 0x%" PRIx64 " (window-base) or above", b->path,
                   b->window_base);
    }
    return parts->len;
}

/* The highest address that is free */
static const HostMemorySharedPart *backend_choose(const GArray *parts,
                                                  HetWindowPlace *place,
                                                  Error **errp)
{
    for (unsigned i = parts->len; i-- > 0; ) {
        const HostMemorySharedPart *part =
            &g_array_index(parts, HostMemorySharedPart, i);

        if (het_window_find_place(part->address, part->address + part->size,
                                  place->size,
                                  MAX(place->page_size, WINDOW_ALIGN),
                                  &place->address)) {
            return part;
        }
    }
    error_setg(errp, "there is no room for a window of 0x%" PRIx64 " bytes",
               place->size);
    return NULL;
}

/* The part that has all of the window */
static const HostMemorySharedPart *backend_find(const GArray *parts,
                                                const HetWindowPlace *place,
                                                Error **errp)
{
    const HostMemorySharedPart *largest = NULL;

    for (unsigned i = 0; i < parts->len; i++) {
        const HostMemorySharedPart *part =
            &g_array_index(parts, HostMemorySharedPart, i);

        if (place->address >= part->address && place->size <= part->size &&
            place->address - part->address <= part->size - place->size) {
            return part;
        }
        if (!largest || part->size > largest->size) {
            largest = part;
        }
    }
    error_setg(errp, "a window at 0x%" PRIx64 " with 0x%" PRIx64 " bytes is"
               " not in 0x%" PRIx64 "..0x%" PRIx64 "%s", place->address,
               place->size, largest ? largest->address : 0,
               largest ? largest->address + largest->size - 1 : 0,
               parts->len > 1 ? ", nor elsewhere" : "");
    return NULL;
}

bool multi_socket_find_place(const MultiSocketBackend *b,
                             HostMemoryBackendShared *memory,
                             const MultiSocketHello *hello,
                             HetWindowPlace *place, Error **errp)
{
    g_autoptr(GArray) parts = backend_parts(b, memory);
    const HostMemorySharedPart *part;
    uint64_t memory_offset;

    place->fd = -1;
    place->size = hello->size;
    place->address = hello->address;
    hostmem_shared_fd(memory, &memory_offset, &place->page_size);
    if (!place->size || !QEMU_IS_ALIGNED(place->size, place->page_size)) {
        error_setg(errp, "the size 0x%" PRIx64 " is no multiple of the page"
                   " size, 0x%zx", place->size, place->page_size);
        return false;
    }
    part = place->address == MULTI_SOCKET_ANY
           ? backend_choose(parts, place, errp)
           : backend_find(parts, place, errp);
    if (!part) {
        return false;
    }
    place->offset = memory_offset + part->offset +
                    (place->address - part->address);
    return true;
}
