/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.freedesktop.LogControl1: `systemctl service-log-level hetd debug` and its like. See bus.h. */

#include "bus.h"

#include "log.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

int bus_log_control_authorize(sd_bus_message *m, void *manager, sd_bus_error *error) {
        int r = sd_bus_message_is_method_call(m, PROPERTIES, "Set");

        if (r <= 0)
                return r;

        r = bus_authorize(manager, m, BUS_ACTION_MANAGE, NULL, error);
        return r < 0 ? r : r == 0;      /* 0: go on to the property */
}

static int set_level(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *value,
                     void *userdata, sd_bus_error *error) {
        const char *name;
        int level, r = sd_bus_message_read(value, "s", &name);

        if (r < 0)
                return r;
        if (!log_level_from_string(name, &level))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "There is no log level %s, but debug, info, notice, "
                                         "warning and err", name);

        log_set_level(level);
        return 0;
}

static int set_target(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *value,
                      void *userdata, sd_bus_error *error) {
        const char *name;
        int r = sd_bus_message_read(value, "s", &name);

        if (r < 0)
                return r;
        if (!log_set_target(name))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "There is no log target %s, but auto, journal and console",
                                         name);

        return 0;
}

BUS_GETTER(get_level, Manager, manager, "s", log_level_to_string(log_get_level()))
BUS_GETTER(get_target, Manager, manager, "s", log_get_target())
BUS_GETTER(get_identifier, Manager, manager, "s", "hetd")

const sd_bus_vtable bus_log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
