/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device side of a virtio ring in the window. rpmsg.c has two. */

#include "barrier.h"
#include "console.h"
#include "doorbell.h"
#include "vring.h"

#define DESCRIPTOR_NEXT         (1u << 0)       /* a chain: rpmsg has none */
#define DESCRIPTOR_WRITE        (1u << 1)       /* for the device to write */
#define DESCRIPTOR_INDIRECT     (1u << 2)
#define AVAILABLE_NO_INTERRUPT  (1u << 0)       /* the driver does not want to know */

/* By the linker script: what the driver may use is in between */
extern char program_end[], window_end[];

static bool is_ours_to_use(uint32_t address, uint32_t size) {
        uint32_t begin = (uint32_t) (uintptr_t) program_end, end = (uint32_t) (uintptr_t) window_end;

        return address % sizeof(uint32_t) == 0 && address >= begin && address <= end && size <= end - address;
}

static bool vring_fail(Vring *vring, const char *what, uint32_t value) {
        vring->broken = true;
        print("rpmsg: the ring %s has %s 0x%x\n", vring->name, what, (unsigned) value);
        return false;
}

bool vring_init(Vring *vring, const char *name, VringDirection direction, const volatile ResourceRing *resource) {
        uint32_t address = resource->address, vector = resource->notify_id;
        uint32_t used = sizeof(VringDescriptor) * RING_BUFFERS + sizeof(VringAvailable);

        used = (used + RING_ALIGN - 1) & -RING_ALIGN;
        *vring = (Vring) { .name = name, .direction = direction, .vector = vector };
        if (!is_ours_to_use(address, used + sizeof(VringUsed)))
                return vring_fail(vring, "the address", address);
        if (!doorbell_is_valid(vector))
                return vring_fail(vring, "the notify id", vector);

        vring->descriptors = (void *) (uintptr_t) address;
        vring->available = (void *) (uintptr_t) (address + sizeof(VringDescriptor) * RING_BUFFERS);
        vring->used = (void *) (uintptr_t) (address + used);
        return true;
}

bool vring_was_reset(const Vring *vring) {
        /* A broken ring that was never used looks the same after that, so it is tried again each time. */
        return vring->used->index != vring->next_used || (vring->broken && vring->next_used == 0);
}

bool vring_has_buffer(Vring *vring) {
        uint16_t buffers;

        if (vring->broken)
                return false;
        buffers = vring->available->index - vring->next_available;
        if (buffers > RING_BUFFERS)
                return vring_fail(vring, "more buffers than it has room for:", buffers);
        return buffers > 0;
}

bool vring_take(Vring *vring, VringBuffer *buffer) {
        volatile const VringDescriptor *descriptor;
        uint32_t id, address, size, flags;

        if (!vring_has_buffer(vring))
                return false;
        barrier_read();         /* the index first, then what it announces */
        id = vring->available->ring[vring->next_available % RING_BUFFERS];
        if (id >= RING_BUFFERS)
                return vring_fail(vring, "a descriptor", id);

        descriptor = &vring->descriptors[id];
        address = descriptor->address;
        size = descriptor->size;
        flags = descriptor->flags;
        if (descriptor->address_high || !is_ours_to_use(address, size))
                return vring_fail(vring, "a buffer at the address", address);
        if (flags != (vring->direction == VRING_TO_DRIVER ? DESCRIPTOR_WRITE : 0))
                return vring_fail(vring, "a buffer with the flags", flags);

        *buffer = (VringBuffer) { .id = id, .data = (void *) (uintptr_t) address, .size = size };
        vring->next_available++;
        return true;
}

void vring_give_back(Vring *vring, const VringBuffer *buffer, uint32_t size) {
        unsigned n = vring->next_used % RING_BUFFERS;

        vring->used->ring[n].id = buffer->id;
        vring->used->ring[n].size = size;
        barrier_write();        /* the buffer and its entry first, then the index that announces them */
        vring->used->index = ++vring->next_used;
}

void vring_kick(Vring *vring) {
        /*
         * The index first, then the question whether the driver wants to know of it. The driver does it the other way
         * round: it asks to be told, and then looks at the index once more. So one of both notices.
         */
        barrier_full();
        if (!(vring->available->flags & AVAILABLE_NO_INTERRUPT))
                doorbell_ring(vring->vector);
}
