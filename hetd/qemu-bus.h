/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The monitor and the console of a QEMU that offers them on D-Bus (-display dbus, -chardev dbus; docs/dbus.md says how it is started).
 * QEMU is found, and is given one end of a socket for each with org.qemu.Display1.Chardev.Register(); the other end is ours.
 *
 * Its address, of which all parts but `dbus:` may be left out; what is behind address= is taken as it is, to the end:
 *
 *   dbus:NAME,vm=VM,monitor=CHARDEV,console=CHARDEV,address=ADDRESS
 *
 * Without NAME what is at the other end is no bus, but QEMU itself.
 */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define QEMU_BUS_PREFIX         "dbus:"
#define QEMU_BUS_MONITOR        "org.qemu.monitor.qmp.0"        /* QEMU's own names of what they are for */
#define QEMU_BUS_CONSOLE        "org.qemu.console.serial.0"
#define QEMU_BUS_TIMEOUT_USEC   (10 * G_USEC_PER_SEC)           /* from the beginning to the last answer */
#define QEMU_BUS_OWNERS_MAX     256U                            /* QEMUs that want the same name */

typedef struct QemuBus QemuBus;

typedef struct QemuBusLines {
        int monitor;            /* connected sockets, to be taken by fd_take() */
        int console;            /* negative: it has none */
        const char *address;    /* of the same QEMU, and no other one; NULL: there is none */
} QemuBusLines;

/* Exactly one of lines and error is set; both are borrowed */
typedef void (*QemuBusFunc)(QemuBusLines *lines, const GError *error, void *userdata);

bool qemu_bus_is_address(const char *text);
/* Of one: whether a QEMU could be there */
bool qemu_bus_check_address(const char *address, GError **error);

/*
 * Begins to find it: on `bus` (NULL: there is none), where the address has no ADDRESS; or over `peer_consume`, if that is not negative:
 * a connection to QEMU itself. done runs once, not from in here, and may free what is returned: HET_ERROR_MONITOR_LOST (there is
 * nobody, or no more), _NOT_SUPPORTED (no such QEMU), _MONITOR_BUSY, _TIMEOUT, _INVALID_ARGUMENT (several of that name), or what
 * else it or the bus say.
 */
bool qemu_bus_new(sd_event *event, sd_bus *bus, const char *address, int peer_consume, QemuBusFunc done, void *userdata,
                  QemuBus **ret, GError **error);
QemuBus *qemu_bus_free(QemuBus *q);             /* returns NULL; done does not run any more */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuBus, qemu_bus_free)
