/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the service manager is told ($NOTIFY_SOCKET, $WATCHDOG_USEC), where there is one. sd_notify(3) waits for one that hangs or is
 * busy; this does not: what it has not taken yet waits in hetd.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

/*
 * With signs of life, if it wants some. repeat is called when there is room again after something was lost, and tells again what must
 * not be: what notify_send() has refused, or all of it, if what had waited was lost as well. A negative errno: there can be none.
 */
int notify_open(sd_event *event, void (*repeat)(bool all));
/*
 * Lines as of sd_notify(3). fd (negative: none) goes with them, and stays the caller's. False: it is lost. Nothing happens, and that is
 * fine, where there is nobody to be told, and before notify_open().
 */
bool notify_send(const char *lines, int fd);
/* hetd ends */
void notify_close(void);
