/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the service manager is told ($NOTIFY_SOCKET, $WATCHDOG_USEC), where there is one. sd_notify(3) waits for one that hangs or is
 * busy; this does not: what it has not taken yet waits in hetd.
 */

#include <systemd/sd-event.h>

/* With signs of life, if it wants some. A negative errno: there can be none. */
int notify_open(sd_event *event);
/* Lines as of sd_notify(3). fd (negative: none) goes with them, and stays the caller's. Nothing happens before notify_open(). */
void notify_send(const char *lines, int fd);
/* hetd ends */
void notify_close(void);
