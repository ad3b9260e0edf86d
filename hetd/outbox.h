/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Datagrams to a socket of somebody who may hang: the journal, the service manager. What finds no room there waits here, up to a limit,
 * and goes when there is room again; what is beyond the limit, and what nobody is there for, is lost, and counted. Nothing ever waits
 * for the other one, which the functions of libsystemd for the same do.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct Outbox Outbox;

/*
 * As in $NOTIFY_SOCKET: a path, or the name of an abstract socket behind @; NULL if it is neither. Who is not there now may be there when
 * the next message comes. Of the messages that wait, at most max_fds have an fd. *lost grows with each message that is lost.
 */
Outbox *outbox_new(const char *address, size_t max_messages, size_t max_fds, unsigned *lost);
Outbox *outbox_free(Outbox *o);                 /* returns NULL; what waits is lost */
/*
 * From now on what waits goes by itself; without it only before the next message. taken (NULL: nobody wants to know) is called from the
 * loop each time that all that has waited went so.
 */
void outbox_attach(Outbox *o, sd_event *event, void (*taken)(void));
/* fd (negative: none) stays the caller's. False: it is lost. */
bool outbox_send(Outbox *o, const void *data, size_t size, int fd);
bool outbox_is_empty(const Outbox *o);          /* nothing waits */
/* For the end of the process, where nothing is kept from running: waits up to that time for room for all that waits */
void outbox_flush(Outbox *o, uint64_t usec);
