/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The console of a QEMU that hands it over as a connected socket, which only hetd has: between it and whoever connects to a socket
 * like that of QEMUs that hetd starts, with a log like theirs. One user at a time; who does not read in time misses something, the log
 * has it.
 */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

typedef struct ConsoleRelay ConsoleRelay;

/* anew: the log begins empty. Stale sockets are replaced. */
bool console_relay_new(sd_event *event, const char *socket_path, const char *log_path, bool anew, ConsoleRelay **ret, GError **error);
/* Takes away the socket; the log stays */
ConsoleRelay *console_relay_free(ConsoleRelay *relay);          /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ConsoleRelay, console_relay_free)

/* QEMU's end, in the place of the one before, which QEMU may have closed */
bool console_relay_set_line(ConsoleRelay *relay, int fd_consume, GError **error);
