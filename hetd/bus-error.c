/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus.h"

#include "util/error.h"

/* libsystemd keeps the table itself: it must stay */
static sd_bus_error_map error_map[_HET_ERROR_MAX + 1];

int bus_error_init(void) {
        if (error_map[0].code != 0)
                return 0;

        for (int i = 0; i < _HET_ERROR_MAX; i++)
                error_map[i] = (sd_bus_error_map) { het_error_to_dbus_name(i), het_error_to_errno(i) };
        error_map[_HET_ERROR_MAX] = (sd_bus_error_map) SD_BUS_ERROR_MAP_END;

        return sd_bus_error_add_map(error_map);
}

int bus_error_set(sd_bus_error *error, const GError *from) {
        HetError code = from->domain == HET_ERROR ? (HetError) from->code : HET_ERROR_FAILED;
        /* The bus daemon would throw us off the bus for anything else */
        g_autofree char *message = g_utf8_make_valid(from->message, -1);

        (void) sd_bus_error_set(error, het_error_to_dbus_name(code), message);
        return -het_error_to_errno(code);
}
