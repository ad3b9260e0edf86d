/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A QEMU that offers its monitor and its console on D-Bus: they are asked for there, and used as any other. See processor.h. */

#include "processor.h"

#include "log.h"
#include "platform.h"
#include "util/fd-util.h"

#include <errno.h>

static char *file_path(const Processor *p, const char *suffix) {
        return g_strdup_printf("%s/%s.%s", p->platform->directory, p->config->name, suffix);
}

static bool open_console(Processor *p, int line_consume, GError **error) {
        HET_AUTO_FD int line = line_consume;

        if (!p->console) {
                p->console_path = p->console_path ?: file_path(p, "console");
                p->log_path = p->log_path ?: file_path(p, "log");
                if (!console_relay_new(p->platform->manager->event, p->console_path, p->log_path, p->state == PROCESSOR_STARTING,
                                       &p->console, error))
                        return false;

                processor_changed(p, "Console");
                processor_changed(p, "ConsoleLog");
        }

        return console_relay_set_line(p->console, fd_take(&line), error);
}

void processor_drop_console(Processor *p) {
        if (!p->console)
                return;

        processor_leave_console_log(p);
        p->console = console_relay_free(p->console);
        processor_changed(p, "Console");
}

const char *processor_get_console(const Processor *p) {
        return p->process || p->console ? p->console_path : NULL;
}

static void on_lines(QemuBusLines *lines, const GError *error, void *userdata) {
        Processor *p = userdata;
        g_autoptr(GError) local = NULL;

        p->search = qemu_bus_free(p->search);
        if (error) {
                processor_connect_failed(p, error);
                return;
        }

        /* Without a console it can be used, too */
        if (lines->console >= 0 && !open_console(p, fd_take(&lines->console), &local))
                processor_log(p, LOG_WARNING, "%s: %s", p->config->name, local->message);
        g_clear_error(&local);
        if (!processor_use_socket(p, fd_take(&lines->monitor), lines->address, &local))
                processor_connect_failed(p, local);
}

bool processor_search_bus(Processor *p, const char *address, int peer_consume, GError **error) {
        const Manager *manager = p->platform->manager;

        return qemu_bus_new(manager->event, manager->bus, address, peer_consume, on_lines, p, &p->search, error);
}
