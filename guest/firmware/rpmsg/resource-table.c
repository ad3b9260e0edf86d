/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The resource table of every program with rpmsg here: one rpmsg bus and one trace buffer. */

#include <stddef.h>

#include "resource-table.h"
#include "trace.h"

_Static_assert(sizeof(ResourceVdev) == 68 && sizeof(ResourceTrace) == 48, "the layout is remoteproc's");

__attribute__((section(".resource_table"), used))
volatile ResourceTable resource_table = {
        .version = RESOURCE_TABLE_VERSION,
        .entries = 2,
        .offsets = { offsetof(ResourceTable, vdev), offsetof(ResourceTable, trace) },
        .vdev = {
                .type = RESOURCE_TYPE_VDEV,
                .id = VIRTIO_ID_RPMSG,
                .features = VIRTIO_RPMSG_F_NS,
                .rings = 2,
                .to_master = { .address = RESOURCE_ANY_ADDRESS, .align = RING_ALIGN, .buffers = RING_BUFFERS },
                .from_master = { .address = RESOURCE_ANY_ADDRESS, .align = RING_ALIGN, .buffers = RING_BUFFERS },
        },
        .trace = {
                .type = RESOURCE_TYPE_TRACE,
                .address = (uint32_t) (uintptr_t) trace_buffer,
                .size = TRACE_SIZE,
                .name = "trace0",
        },
};
