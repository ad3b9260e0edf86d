/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rpmsg, the side of the firmware: messages of up to 496 bytes to and from the master's Linux. Each has a source and a
 * destination address. Services are announced by name; for each, Linux makes a channel, for a driver of that name.
 *
 * The caller calls rpmsg_poll() after every kick of the master, and once after rpmsg_init(); main.c does so for an
 * application. Messages are received in there. The functions need no locks, and are for one task (or the main loop), not
 * for interrupt handlers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPMSG_MESSAGE_MAX       496u

typedef struct RpmsgService RpmsgService;
struct RpmsgService {
        const char *name;               /* at most 31 characters */
        uint32_t address;               /* of this side; those below 1024 are Linux's for fixed purposes */
        /* A message; it is the service's until it returns. One answer is certain to find a buffer. */
        void (*received)(const RpmsgService *service, uint32_t source, char *data, size_t size);
};

/*
 * The array is kept. gone() may be NULL: the driver has left, perhaps for a new one that is there already; who has sent
 * a message before is not to be answered any more.
 */
void rpmsg_init(const RpmsgService *services, unsigned count, void (*gone)(void));
void rpmsg_poll(void);
/* Where the master says that it leaves: the status in the resource table does not count before its next kick */
void rpmsg_driver_left(void);
void rpmsg_driver_kicked(void);
/* False: too long, there is no buffer, or no driver */
bool rpmsg_send(const RpmsgService *service, uint32_t destination, const void *data, size_t size);
