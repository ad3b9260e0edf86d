/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The resource table: what this program needs from the master's remoteproc, and where remoteproc says what it got. It
 * is found by the name of its section, .resource_table, in the ELF file. All fields are little-endian.
 *
 * Fields marked "master" are written by the master, at any time from its copying the program into the window on. The
 * firmware must not write them, not even at its start: the master may have got further by then.
 */

#include <stdint.h>

#define RESOURCE_TABLE_VERSION  1u
#define RESOURCE_TYPE_TRACE     2u
#define RESOURCE_TYPE_VDEV      3u
#define RESOURCE_ANY_ADDRESS    0xffffffffu     /* the master chooses */

#define VIRTIO_ID_RPMSG         7u
#define VIRTIO_RPMSG_F_NS       (1u << 0)       /* channels are announced by name */
#define VIRTIO_STATUS_DRIVER_OK (1u << 2)       /* the driver is there, the rings are valid */

/* Of each ring */
#define RING_BUFFERS            16u
#define RING_ALIGN              4096u

typedef struct ResourceRing {
        uint32_t address;               /* master: where the ring is, a bus address */
        uint32_t align;
        uint32_t buffers;
        uint32_t notify_id;             /* master: the vector for this ring, in both directions */
        uint32_t reserved;
} ResourceRing;

/* An rpmsg bus. The master receives by the first ring and sends by the second. */
typedef struct ResourceVdev {
        uint32_t type;
        uint32_t id;
        uint32_t notify_id;             /* master: not used by rpmsg */
        uint32_t features;              /* what this program knows */
        uint32_t driver_features;       /* master: which of these it uses */
        uint32_t config_size;
        uint8_t status;                 /* master: VIRTIO_STATUS_* */
        uint8_t rings;
        uint8_t reserved[2];
        ResourceRing to_master;
        ResourceRing from_master;
} ResourceVdev;

/* Text that the master shows: it ends at the first zero byte */
typedef struct ResourceTrace {
        uint32_t type;
        uint32_t address;
        uint32_t size;
        uint32_t reserved;
        char name[32];
} ResourceTrace;

typedef struct ResourceTable {
        uint32_t version;
        uint32_t entries;
        uint32_t reserved[2];
        uint32_t offsets[2];            /* of the entries, from the beginning of the table */
        ResourceVdev vdev;
        ResourceTrace trace;
} ResourceTable;

extern volatile ResourceTable resource_table;
