/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Errors of hetctl: GErrors whose code is the exit status of the program. The message is what went wrong; what the user
 * may do next follows it on lines of its own. Only main() prints them.
 */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#define HETCTL_ERROR (hetctl_error_quark())

/* docs/hetctl.md and docs/man/hetctl.1 promise these numbers */
typedef enum HetctlExit {
        EXIT_OK,
        EXIT_FAILED,            /* hetd or QEMU could not do it */
        EXIT_USAGE,             /* hetctl was called wrongly */
        EXIT_NOT_FOUND,         /* no such platform, processor or file */
        EXIT_NO_HETD,           /* no bus, or nobody on it who answers */
        EXIT_WRONG_STATE,       /* not possible now: it runs already, does not run yet, exists already, is in use */
        EXIT_DENIED,            /* the user may not do that */
        EXIT_TIMED_OUT,         /* --timeout is over */
} HetctlExit;

GQuark hetctl_error_quark(void);

/* Sets the error and returns false. hint may be NULL. */
bool failure(GError **error, HetctlExit code, const char *hint, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* usage error: the hint names the verb's help (NULL: hetctl --help) */
bool failure_usage(GError **error, const char *verb, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* From a reply of hetd or of the bus; r is what sd-bus returned and stands in where e is not set. */
bool failure_from_bus(GError **error, const sd_bus_error *e, int r);
bool failure_from_errno(GError **error, int r, const char *what);

/* What is known of a D-Bus error name; *ret_hint may become NULL. */
HetctlExit failure_classify(const char *bus_error_name, const char **ret_hint);
