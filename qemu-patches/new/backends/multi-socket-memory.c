/*
 * multi-socket-backend: which memory goes over it
 *
 * Used by multi-socket-master.c and multi-socket-slave.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "multi-socket-internal.h"

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
