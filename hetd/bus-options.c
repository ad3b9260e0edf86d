/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The options a{sv} at the end of a method's arguments. See bus.h. */

#include "bus.h"

static const char *const signatures[] = {
        [BUS_OPTION_STRING]  = "s",
        [BUS_OPTION_UINT64]  = "t",
        [BUS_OPTION_BOOL]    = "b",
        [BUS_OPTION_STRINGS] = "a{ss}",
};

static int read_strings(sd_bus_message *m, GHashTable **ret) {
        g_autoptr(GHashTable) strings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        const char *key, *value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{ss}");
        while (r > 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0)
                g_hash_table_insert(strings, g_strdup(key), g_strdup(value));
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;

        if (*ret)
                g_hash_table_unref(*ret);
        *ret = g_steal_pointer(&strings);
        return 0;
}

static int read_value(sd_bus_message *m, const BusOption *option) {
        int b, r;

        switch (option->type) {
        case BUS_OPTION_STRING:
                return sd_bus_message_read(m, "s", option->value);
        case BUS_OPTION_UINT64:
                return sd_bus_message_read(m, "t", option->value);
        case BUS_OPTION_BOOL:
                r = sd_bus_message_read(m, "b", &b);
                if (r >= 0)
                        *(bool *) option->value = b;
                return r;
        case BUS_OPTION_STRINGS:
                return read_strings(m, option->value);
        }

        g_assert_not_reached();
}

static int refuse_unknown(const char *name, const BusOption *options, size_t n_options, sd_bus_error *error) {
        g_autoptr(GString) known = g_string_new(NULL);

        for (size_t i = 0; i < n_options; i++)
                g_string_append_printf(known, "%s%s", i == 0 ? "it has " : ", ", options[i].name);

        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "This method has no option %s; %s", name,
                                 n_options > 0 ? known->str : "it has none yet");
}

static int read_one(sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error) {
        const char *name, *signature;
        char type;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, &type, &signature);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n_options; i++) {
                if (!g_str_equal(options[i].name, name))
                        continue;
                if (!g_str_equal(signatures[options[i].type], signature))
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "The option %s has the type %s, not %s", name,
                                                 signatures[options[i].type], signature);
                if (options[i].given)
                        *options[i].given = true;

                r = sd_bus_message_enter_container(m, 'v', signature);
                if (r >= 0)
                        r = read_value(m, &options[i]);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                return r;
        }

        return refuse_unknown(name, options, n_options, error);
}

int bus_options_read(sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_one(m, options, n_options, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }

        return r < 0 ? r : sd_bus_message_exit_container(m);
}
