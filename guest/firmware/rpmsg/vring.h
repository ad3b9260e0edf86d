/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A virtio ring ("split virtqueue") as the device side sees it: the driver makes buffers available, the device takes
 * them in that order, reads or writes them, and gives them back.
 *
 * What is in the ring was written by the other side, and is checked: an index or an address that cannot be makes the
 * ring broken. It stays so, and has no more buffers, until the driver sets it up anew.
 */

#include <stdbool.h>
#include <stdint.h>

#include "resource-table.h"

/* The driver's memory; see "Split Virtqueues" in the virtio specification */
typedef struct VringDescriptor {
        uint32_t address, address_high; /* what the driver's side of the bus uses: no translation */
        uint32_t size;
        uint16_t flags;
        uint16_t next;
} VringDescriptor;

typedef struct VringAvailable {         /* written by the driver */
        uint16_t flags;
        uint16_t index;
        uint16_t ring[RING_BUFFERS];    /* numbers of descriptors */
} VringAvailable;

typedef struct VringUsed {              /* written by the device */
        uint16_t flags;
        uint16_t index;
        struct {
                uint32_t id;
                uint32_t size;
        } ring[RING_BUFFERS];
} VringUsed;

typedef enum VringDirection {
        VRING_FROM_DRIVER,              /* buffers to be read */
        VRING_TO_DRIVER,                /* buffers to be written */
} VringDirection;

typedef struct Vring {
        const char *name;               /* for the log */
        VringDirection direction;
        volatile const VringDescriptor *descriptors;
        volatile const VringAvailable *available;
        volatile VringUsed *used;
        uint16_t next_available;        /* first that was not taken */
        uint16_t next_used;             /* what used->index is, as long as the driver leaves it alone */
        uint32_t vector;
        bool broken;
} Vring;

typedef struct VringBuffer {
        uint32_t id;
        volatile void *data;
        uint32_t size;
} VringBuffer;

/* False, and the ring is broken: the driver has put it where it cannot be */
bool vring_init(Vring *vring, const char *name, VringDirection direction, const volatile ResourceRing *resource);
/* The driver has made a new ring of it since vring_init(), even if it looks ready again */
bool vring_was_reset(const Vring *vring);
bool vring_has_buffer(Vring *vring);
/* False: there is none */
bool vring_take(Vring *vring, VringBuffer *buffer);
/* size: how much was written into it */
void vring_give_back(Vring *vring, const VringBuffer *buffer, uint32_t size);
/* After one or more vring_give_back(): tells the driver, if it wants to know */
void vring_kick(Vring *vring);
