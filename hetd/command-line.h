/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line of a processor's QEMU process. */

#include <glib.h>

#include "platform-file.h"

#define COMMAND_LINE_MEMORY_ID "mem"    /* id of the memory-backend-shared object of a slave */

typedef struct CommandLinePaths {
        const char *qemu;               /* the binary */
        const char *console_socket;     /* UNIX socket of the first serial port: server, no wait */
        const char *console_log;        /* what it printed since its start; appended to */
        const char *device_tree;        /* what hetd made for the master; NULL: the board's own */
} CommandLinePaths;

/*
 * argv, NULL-terminated, to be freed with g_strfreev(). QMP is on file descriptor 0, a listening UNIX socket (the same for a child
 * of hetd and for a systemd unit with StandardInput=socket), so that the monitor can be connected to again and again. A master is
 * started with -S, a slave with -machine slave=on. -nodefaults, no display, -sandbox on as strict as it goes.
 */
char **command_line_build(const PlatformConfig *platform, const ProcessorConfig *processor, const CommandLinePaths *paths);
/* In a list of QEMU's options a comma in a value is written twice. g_free() */
char *command_line_quote(const char *value);
