/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpmsg over two virtio rings. The driver is Linux's virtio_rpmsg_bus; it owns the buffers of both rings, and this side
 * takes one of to_master for each message that it sends and one of from_master for each that it receives.
 *
 * Messages are not queued anywhere: one is taken only if there is also a buffer for an answer. So a driver that does
 * not give buffers back makes its own sending wait, and nothing is lost.
 */

#include "barrier.h"
#include "console.h"
#include "resource-table.h"
#include "rpmsg.h"
#include "string.h"
#include "vring.h"

typedef struct RpmsgHeader {
        uint32_t source;
        uint32_t destination;
        uint32_t reserved;
        uint16_t size;                  /* of what follows */
        uint16_t flags;
} RpmsgHeader;

_Static_assert(sizeof(RpmsgHeader) + RPMSG_MESSAGE_MAX == 512, "Linux's buffers have 512 bytes");

/* What a name service message consists of, and where it goes */
typedef struct RpmsgAnnouncement {
        char name[32];
        uint32_t address;
        uint32_t flags;                 /* 0: it is there; 1: it is gone */
} RpmsgAnnouncement;

#define NAME_SERVICE_ADDRESS    53u

static const RpmsgService *rpmsg_services;
static unsigned rpmsg_count, rpmsg_announced;
static void (*rpmsg_gone)(void);
static bool rpmsg_up;                   /* the rings are valid */
static bool rpmsg_left;                 /* the driver has said that they are not, whatever its status */
static bool rpmsg_polling;              /* inside rpmsg_poll(), which tells the driver of everything at its end */
static Vring to_master, from_master;

void rpmsg_init(const RpmsgService *services, unsigned count, void (*gone)(void)) {
        rpmsg_services = services;
        rpmsg_count = count;
        rpmsg_gone = gone;
}

static void rpmsg_forget_driver(void) {
        rpmsg_up = false;
        print("rpmsg: the driver is gone\n");
        if (rpmsg_gone)
                rpmsg_gone();
}

/*
 * The driver comes and goes as it likes, while this program runs: DRIVER_OK says that it is there. It may have left
 * and come back since the last look; then the rings are new, and the indices that we have written are gone.
 */
static bool rpmsg_follow_driver(void) {
        volatile const ResourceVdev *vdev = &resource_table.vdev;
        bool ready = !rpmsg_left && vdev->status & VIRTIO_STATUS_DRIVER_OK;

        barrier_read();         /* the status first, then the rings */
        if (rpmsg_up && (!ready || vring_was_reset(&to_master) || vring_was_reset(&from_master)))
                rpmsg_forget_driver();
        if (!rpmsg_up && ready && vring_init(&to_master, "to the master", VRING_TO_DRIVER, &vdev->to_master) &&
            vring_init(&from_master, "from the master", VRING_FROM_DRIVER, &vdev->from_master)) {
                rpmsg_up = true;
                rpmsg_announced = vdev->driver_features & VIRTIO_RPMSG_F_NS ? 0 : rpmsg_count;
                print("rpmsg: the driver is there, rings at 0x%x and 0x%x\n",
                      (unsigned) (uintptr_t) to_master.descriptors, (unsigned) (uintptr_t) from_master.descriptors);
        }
        return rpmsg_up;
}

static bool rpmsg_send_from(uint32_t source, uint32_t destination, const void *data, size_t size) {
        RpmsgHeader header = { .source = source, .destination = destination, .size = (uint16_t) size };
        VringBuffer buffer;

        if (size > RPMSG_MESSAGE_MAX || !vring_take(&to_master, &buffer))
                return false;
        if (buffer.size < sizeof(header) + size) {
                print("rpmsg: a buffer of %u bytes is too small\n", (unsigned) buffer.size);
                to_master.broken = true;
                return false;
        }
        memcpy((void *) buffer.data, &header, sizeof(header));
        memcpy((char *) buffer.data + sizeof(header), data, size);
        vring_give_back(&to_master, &buffer, sizeof(header) + size);
        return true;
}

bool rpmsg_send(const RpmsgService *service, uint32_t destination, const void *data, size_t size) {
        if (rpmsg_polling)
                return rpmsg_send_from(service->address, destination, data, size);

        if (!rpmsg_follow_driver() || !rpmsg_send_from(service->address, destination, data, size))
                return false;
        vring_kick(&to_master);
        return true;
}

static bool rpmsg_announce(const RpmsgService *service) {
        RpmsgAnnouncement announcement = { .address = service->address };

        for (unsigned n = 0; n < sizeof(announcement.name) - 1 && service->name[n]; n++)
                announcement.name[n] = service->name[n];
        return rpmsg_send_from(service->address, NAME_SERVICE_ADDRESS, &announcement, sizeof(announcement));
}

static const RpmsgService *rpmsg_find(uint32_t address) {
        for (unsigned n = 0; n < rpmsg_count; n++)
                if (rpmsg_services[n].address == address)
                        return &rpmsg_services[n];
        return NULL;
}

/* False: there is none, or none can be answered */
static bool rpmsg_receive(void) {
        /* A copy: what is in the buffer may change at any time, and is not ours when it was given back. */
        static struct {
                RpmsgHeader header;
                char data[RPMSG_MESSAGE_MAX];
        } message;
        const RpmsgService *service;
        VringBuffer buffer;

        if (!vring_has_buffer(&to_master) || !vring_take(&from_master, &buffer))
                return false;
        memcpy(&message, (const void *) buffer.data, buffer.size < sizeof(message) ? buffer.size : sizeof(message));
        vring_give_back(&from_master, &buffer, 0);

        if (buffer.size < sizeof(message.header) || message.header.size > buffer.size - sizeof(message.header) ||
            message.header.size > RPMSG_MESSAGE_MAX)
                print("rpmsg: a message is dropped: its size does not fit its buffer of %u bytes\n",
                      (unsigned) buffer.size);
        else if (!(service = rpmsg_find(message.header.destination)))
                print("rpmsg: a message is dropped: nobody is at 0x%x\n", (unsigned) message.header.destination);
        else
                service->received(service, message.header.source, message.data, message.header.size);
        return true;
}

void rpmsg_driver_left(void) {
        rpmsg_left = true;
        if (rpmsg_up)
                rpmsg_forget_driver();
}

void rpmsg_driver_kicked(void) {
        rpmsg_left = false;
}

void rpmsg_poll(void) {
        uint16_t sent, taken;

        if (!rpmsg_follow_driver())
                return;
        rpmsg_polling = true;
        sent = to_master.next_used;
        taken = from_master.next_used;
        while (rpmsg_announced < rpmsg_count && rpmsg_announce(&rpmsg_services[rpmsg_announced]))
                rpmsg_announced++;
        while (rpmsg_receive())
                ;
        rpmsg_polling = false;
        if (to_master.next_used != sent)
                vring_kick(&to_master);
        if (from_master.next_used != taken)
                vring_kick(&from_master);
}
