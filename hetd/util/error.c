/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/error.h"

#include <errno.h>

G_DEFINE_QUARK(het-error-quark, het_error)

static const struct {
        const char *dbus_name;
        int error;
} error_table[_HET_ERROR_MAX] = {
        [HET_ERROR_FAILED]            = { "org.hetd1.Error.Failed",                      EIO },
        [HET_ERROR_INVALID_ARGUMENT]  = { "org.freedesktop.DBus.Error.InvalidArgs",      EINVAL },
        [HET_ERROR_INVALID_PLATFORM]  = { "org.hetd1.Error.InvalidPlatform",             EBADMSG },
        [HET_ERROR_NO_SUCH_PLATFORM]  = { "org.hetd1.Error.NoSuchPlatform",              ENOENT },
        [HET_ERROR_NO_SUCH_PROCESSOR] = { "org.hetd1.Error.NoSuchProcessor",             ENOENT },
        [HET_ERROR_NO_SUCH_JOB]       = { "org.hetd1.Error.NoSuchJob",                   ENOENT },
        [HET_ERROR_PLATFORM_EXISTS]   = { "org.hetd1.Error.PlatformExists",              EEXIST },
        [HET_ERROR_WRONG_STATE]       = { "org.hetd1.Error.WrongState",                  EBUSY },
        [HET_ERROR_NOT_SUPPORTED]     = { "org.freedesktop.DBus.Error.NotSupported",     EOPNOTSUPP },
        [HET_ERROR_MEMORY_REFUSED]    = { "org.hetd1.Error.MemoryRefused",               EINVAL },
        [HET_ERROR_MONITOR_BUSY]      = { "org.hetd1.Error.MonitorBusy",                 EBUSY },
        [HET_ERROR_MONITOR_LOST]      = { "org.hetd1.Error.MonitorLost",                 ENOTCONN },
        [HET_ERROR_TIMEOUT]           = { "org.freedesktop.DBus.Error.Timeout",          ETIMEDOUT },
        [HET_ERROR_PROTOCOL]          = { "org.hetd1.Error.ProtocolError",               EPROTO },
        [HET_ERROR_QEMU]              = { "org.hetd1.Error.Qemu",                        EREMOTEIO },
        [HET_ERROR_SPAWN_FAILED]      = { "org.hetd1.Error.SpawnFailed",                 ECHILD },
        [HET_ERROR_CANCELED]          = { "org.hetd1.Error.Canceled",                    ECANCELED },
        [HET_ERROR_LIMIT_EXCEEDED]    = { "org.freedesktop.DBus.Error.LimitsExceeded",   EDQUOT },
        [HET_ERROR_ACCESS_DENIED]     = { "org.freedesktop.DBus.Error.AccessDenied",     EACCES },
};

const char *het_error_to_dbus_name(HetError code) {
        g_return_val_if_fail(code >= 0 && code < _HET_ERROR_MAX, error_table[HET_ERROR_FAILED].dbus_name);

        return error_table[code].dbus_name;
}

int het_error_to_errno(HetError code) {
        g_return_val_if_fail(code >= 0 && code < _HET_ERROR_MAX, EIO);

        return error_table[code].error;
}

HetError het_error_from_errno(int error) {
        switch (error < 0 ? -error : error) {
        case EINVAL:
                return HET_ERROR_INVALID_ARGUMENT;
        case EACCES:
        case EPERM:
                return HET_ERROR_ACCESS_DENIED;
        case ETIMEDOUT:
                return HET_ERROR_TIMEOUT;
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN:
        case ECONNREFUSED:
                return HET_ERROR_MONITOR_LOST;
        case EMFILE:
        case ENFILE:
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
                return HET_ERROR_LIMIT_EXCEEDED;
        case ECANCELED:
                return HET_ERROR_CANCELED;
        case EOPNOTSUPP:
                return HET_ERROR_NOT_SUPPORTED;
        default:
                return HET_ERROR_FAILED;
        }
}

bool het_error_wrong_state(GError **error, const char *name, const char *state, const char *format, va_list arguments) {
        g_autofree char *text = g_strdup_vprintf(format, arguments);

        g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "%s is %s: %s", name, state, text);
        return false;
}
