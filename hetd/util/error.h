/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Errors that a user of hetd gets to read. Each code has one D-Bus error name and one errno (error.c); bus-error.c turns a
 * GError of this domain into a D-Bus error, so that no method invents a name or a text of its own.
 */

#include <glib.h>
#include <stdarg.h>
#include <stdbool.h>

#define HET_ERROR (het_error_quark())

typedef enum HetError {
        HET_ERROR_FAILED,             /* org.hetd1.Error.Failed: anything that has no better name; EIO */
        HET_ERROR_INVALID_ARGUMENT,   /* org.freedesktop.DBus.Error.InvalidArgs: a value is wrong; EINVAL */
        HET_ERROR_INVALID_PLATFORM,   /* org.hetd1.Error.InvalidPlatform: a platform file is wrong; EBADMSG */
        HET_ERROR_NO_SUCH_PLATFORM,   /* org.hetd1.Error.NoSuchPlatform; ENOENT */
        HET_ERROR_NO_SUCH_PROCESSOR,  /* org.hetd1.Error.NoSuchProcessor; ENOENT */
        HET_ERROR_NO_SUCH_JOB,        /* org.hetd1.Error.NoSuchJob; ENOENT */
        HET_ERROR_PLATFORM_EXISTS,    /* org.hetd1.Error.PlatformExists; EEXIST */
        HET_ERROR_WRONG_STATE,        /* org.hetd1.Error.WrongState: not possible now, the message says in which state it is; EBUSY */
        HET_ERROR_NOT_SUPPORTED,      /* org.freedesktop.DBus.Error.NotSupported: this QEMU cannot do that; EOPNOTSUPP */
        HET_ERROR_MEMORY_REFUSED,     /* org.hetd1.Error.MemoryRefused: the fd is no usable memory (type, seals, size); EINVAL */
        HET_ERROR_MONITOR_BUSY,       /* org.hetd1.Error.MonitorBusy: connected, but no greeting: somebody else uses it; EBUSY */
        HET_ERROR_MONITOR_LOST,       /* org.hetd1.Error.MonitorLost: the QMP connection ended; ENOTCONN */
        HET_ERROR_TIMEOUT,            /* org.freedesktop.DBus.Error.Timeout: no answer in time; ETIMEDOUT */
        HET_ERROR_PROTOCOL,           /* org.hetd1.Error.ProtocolError: a peer sent what is not QMP; EPROTO */
        HET_ERROR_QEMU,               /* org.hetd1.Error.Qemu: QEMU answered with an error, its text is in the message; EREMOTEIO */
        HET_ERROR_SPAWN_FAILED,       /* org.hetd1.Error.SpawnFailed: the QEMU process could not be started or ended at once; ECHILD */
        HET_ERROR_CANCELED,           /* org.hetd1.Error.Canceled; ECANCELED */
        HET_ERROR_LIMIT_EXCEEDED,     /* org.freedesktop.DBus.Error.LimitsExceeded; EDQUOT */
        HET_ERROR_ACCESS_DENIED,      /* org.freedesktop.DBus.Error.AccessDenied; EACCES */
        _HET_ERROR_MAX,
} HetError;

GQuark het_error_quark(void);

const char *het_error_to_dbus_name(HetError code);
int het_error_to_errno(HetError code);                  /* positive errno */
HetError het_error_from_errno(int error);               /* positive or negative errno */

/* "NAME is STATE: " and the rest; false, for a return */
bool het_error_wrong_state(GError **error, const char *name, const char *state, const char *format, va_list arguments) G_GNUC_PRINTF(4, 0);
