/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which exit status and which advice belongs to an error of hetd. */

#include "failure.h"

#include <errno.h>

static const struct {
        const char *name;
        HetctlExit code;
        const char *hint;
} known[] = {
        { "org.hetd1.Error.Failed",             EXIT_FAILED,      NULL },
        { "org.hetd1.Error.InvalidPlatform",    EXIT_FAILED,
          "Correct the platform file and try again. A value for ${NAME} in it is given with --set NAME=VALUE." },
        { "org.hetd1.Error.NoSuchPlatform",     EXIT_NOT_FOUND,
          "'hetctl list --all' shows the platforms that there are." },
        { "org.hetd1.Error.NoSuchProcessor",    EXIT_NOT_FOUND,
          "'hetctl status' shows the processors that there are." },
        { "org.hetd1.Error.NoSuchJob",          EXIT_NOT_FOUND,
          "It has ended already: 'hetctl status' shows what came of it." },
        { "org.hetd1.Error.PlatformExists",     EXIT_WRONG_STATE,
          "'hetctl remove NAME' forgets a stopped platform; 'hetctl start FILE --name=NAME' uses another name." },
        { "org.hetd1.Error.WrongState",         EXIT_WRONG_STATE,
          "'hetctl status' shows the states and what they are due to." },
        { "org.hetd1.Error.MemoryRefused",      EXIT_FAILED,      NULL },
        { "org.hetd1.Error.MonitorBusy",        EXIT_WRONG_STATE,
          "QEMU talks to one client at a time on a QMP socket: end the other one, or give QEMU a second -qmp socket." },
        { "org.hetd1.Error.MonitorLost",        EXIT_FAILED,
          "'hetctl status' shows whether the process is still there." },
        { "org.hetd1.Error.ProtocolError",      EXIT_FAILED,
          "Is this the socket of a QMP monitor (-qmp unix:PATH,server=on,wait=off)?" },
        { "org.hetd1.Error.Qemu",               EXIT_FAILED,      NULL },
        { "org.hetd1.Error.SpawnFailed",        EXIT_FAILED,
          "hetd's log has what QEMU said; 'hetctl status' the path of its console log." },
        { "org.hetd1.Error.Canceled",           EXIT_FAILED,      NULL },
        { SD_BUS_ERROR_INVALID_ARGS,            EXIT_FAILED,      NULL },
        { SD_BUS_ERROR_NOT_SUPPORTED,           EXIT_FAILED,
          "Is it a QEMU with the changes of qemu-het? 'scripts/setup' builds one." },
        { SD_BUS_ERROR_LIMITS_EXCEEDED,         EXIT_FAILED,      NULL },
        { SD_BUS_ERROR_ACCESS_DENIED,           EXIT_DENIED,
          "Run it as root, or use a hetd of your own: hetctl --user." },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, EXIT_DENIED,
          "Run it as root, or on a terminal where pkttyagent (package polkitd) can ask for a password." },
        { SD_BUS_ERROR_TIMEOUT,                 EXIT_TIMED_OUT,
          "'hetctl status' shows what has been done; --timeout=TIME waits longer." },
        { SD_BUS_ERROR_NO_REPLY,                EXIT_TIMED_OUT,
          "hetd may have ended meanwhile: 'hetctl version' shows whether it answers." },
        { SD_BUS_ERROR_DISCONNECTED,            EXIT_NO_HETD,     "The bus went away." },
        { SD_BUS_ERROR_SERVICE_UNKNOWN,         EXIT_NO_HETD,     NULL },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER,       EXIT_NO_HETD,     NULL },
        { SD_BUS_ERROR_UNKNOWN_METHOD,          EXIT_FAILED,
          "hetd may be older than hetctl: 'hetctl version' shows both versions." },
        { SD_BUS_ERROR_UNKNOWN_OBJECT,          EXIT_NOT_FOUND,
          "It went away meanwhile: 'hetctl status' shows what there is." },
};

G_DEFINE_QUARK(hetctl-error-quark, hetctl_error)

HetctlExit failure_classify(const char *bus_error_name, const char **ret_hint) {
        for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
                if (g_strcmp0(known[i].name, bus_error_name) == 0) {
                        *ret_hint = known[i].hint;
                        return known[i].code;
                }

        *ret_hint = NULL;
        return EXIT_FAILED;
}

static bool failure_take(GError **error, HetctlExit code, const char *hint, char *text_consume) {
        g_autofree char *text = text_consume;
        g_autofree char *whole = hint ? g_strdup_printf("%s\n%s", text, hint) : g_strdup(text);

        g_set_error_literal(error, HETCTL_ERROR, (int) code, whole);
        return false;
}

bool failure(GError **error, HetctlExit code, const char *hint, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        return failure_take(error, code, hint, text);
}

bool failure_usage(GError **error, const char *verb, const char *format, ...) {
        g_autofree char *hint = verb ? g_strdup_printf("'hetctl %s --help' explains it.", verb)
                                     : g_strdup("'hetctl --help' explains it.");
        va_list arguments;

        va_start(arguments, format);
        char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        return failure_take(error, EXIT_USAGE, hint, text);
}

bool failure_from_bus(GError **error, const sd_bus_error *e, int r) {
        const char *hint = NULL;

        if (!sd_bus_error_is_set(e))
                return failure_from_errno(error, r, "talking to hetd failed");

        HetctlExit code = failure_classify(e->name, &hint);
        const char *text = e->message && *e->message ? e->message : e->name;

        return failure(error, code, hint, "%s", text);
}

bool failure_from_errno(GError **error, int r, const char *what) {
        HetctlExit code = EXIT_FAILED;

        switch (ABS(r)) {
        case ENOENT:
        case ENOTDIR:
                code = EXIT_NOT_FOUND;
                break;
        case EACCES:
        case EPERM:
                code = EXIT_DENIED;
                break;
        case ETIMEDOUT:
                code = EXIT_TIMED_OUT;
                break;
        case ECONNRESET:
        case ENOTCONN:
        case EPIPE:
                code = EXIT_NO_HETD;
                break;
        }

        return failure(error, code, NULL, "%s: %s", what, g_strerror(ABS(r)));
}
