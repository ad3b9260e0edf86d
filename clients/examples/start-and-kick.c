/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Starts a platform, boots one of its slaves, sends it an interrupt, and ends it all: org.hetd1 from C, with what gdbus-codegen makes of
 * the introspection files that are installed (package qemu-het-dev). By itself it is built by
 *
 *   gdbus-codegen --interface-prefix=org.hetd1. --c-namespace=Hetd --generate-c-code=hetd-bus /usr/share/dbus-1/interfaces/org.hetd1.*.xml
 *   cc start-and-kick.c hetd-bus.c -o start-and-kick $(pkg-config --cflags --libs gio-2.0)
 */

#include <gio/gio.h>
#include <stdbool.h>

#include "hetd-bus.h"

#define HETD_NAME       "org.hetd1"

typedef struct Ended {
        const char *job;                /* that is waited for */
        bool done;
        char *result, *message;
} Ended;

static void on_job_removed(HetdManager *manager, guint id, const char *job, const char *result, const char *message, void *userdata) {
        Ended *ended = userdata;

        if (g_strcmp0(job, ended->job) != 0)
                return;

        ended->done = true;
        ended->result = g_strdup(result);
        ended->message = g_strdup(message);
}

/* What starts or ends processes is a job: its end is a signal. Signals come from the loop, so none is missed before the wait. */
static bool wait_for_job(HetdManager *manager, const char *job, GError **error) {
        Ended ended = { .job = job };
        gulong handler = g_signal_connect(manager, "job-removed", G_CALLBACK(on_job_removed), &ended);
        bool ok;

        while (!ended.done)
                g_main_context_iteration(NULL, TRUE);
        g_signal_handler_disconnect(manager, handler);

        ok = g_str_equal(ended.result, "done");
        if (!ok)
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", *ended.message ? ended.message : ended.result);
        g_free(ended.result);
        g_free(ended.message);
        return ok;
}

static GVariant *no_options(void) {
        return g_variant_new("a{sv}", NULL);
}

/* hetd opens the file itself. With DefinePlatform it is handed over open: see the example in Python */
static bool load(HetdManager *manager, const char *file, char **assignments, char **ret, GError **error) {
        g_autofree char *path = g_canonicalize_filename(file, NULL);
        g_autoptr(GVariantDict) options = g_variant_dict_new(NULL);
        GVariantBuilder variables;

        g_variant_builder_init(&variables, G_VARIANT_TYPE("a{ss}"));
        for (; *assignments; assignments++) {
                g_auto(GStrv) parts = g_strsplit(*assignments, "=", 2);

                g_variant_builder_add(&variables, "{ss}", parts[0] ? parts[0] : "", parts[0] && parts[1] ? parts[1] : "");
        }
        g_variant_dict_insert_value(options, "Variables", g_variant_builder_end(&variables));

        return hetd_manager_call_load_platform_sync(manager, path, g_variant_dict_end(options), ret, NULL, error);
}

/* Properties that change are told by signals, and a proxy keeps the last value; but these counters go too fast for that */
static bool get_sent(HetdProcessor *processor, guint64 *ret, GError **error) {
        g_autoptr(GVariant) reply = g_dbus_proxy_call_sync(G_DBUS_PROXY(processor), "org.freedesktop.DBus.Properties.Get",
                                                           g_variant_new("(ss)", "org.hetd1.Processor", "Interrupts"),
                                                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
        g_autoptr(GVariant) value = NULL;

        if (!reply)
                return false;

        g_variant_get(reply, "(v)", &value);
        g_variant_get(value, "(tttt)", ret, NULL, NULL, NULL);
        return true;
}

static bool use_slave(GDBusConnection *bus, HetdManager *manager, const char *platform, const char *slave, GError **error) {
        g_autoptr(HetdProcessor) processor = NULL;
        g_autofree char *path = NULL;
        guint64 sent;

        if (!hetd_manager_call_get_processor_sync(manager, platform, slave, &path, NULL, error))
                return false;

        processor = hetd_processor_proxy_new_sync(bus, G_DBUS_PROXY_FLAGS_NONE, HETD_NAME, path, NULL, error);
        if (!processor || !hetd_processor_call_boot_sync(processor, no_options(), NULL, error))
                return false;

        while (g_strcmp0(hetd_processor_get_state(processor), "running") != 0)
                g_main_context_iteration(NULL, TRUE);
        g_print("%s: %s\n", slave, hetd_processor_get_state(processor));

        if (!hetd_processor_call_kick_sync(processor, 3, no_options(), NULL, error) || !get_sent(processor, &sent, error))
                return false;

        g_print("%s: it was sent %" G_GUINT64_FORMAT "\n", slave, sent);
        return true;
}

static bool run(GBusType type, char **arguments, GError **error) {
        g_autoptr(GDBusConnection) bus = g_bus_get_sync(type, NULL, error);
        g_autoptr(HetdManager) manager = NULL;
        g_autoptr(HetdPlatform) platform = NULL;
        g_autofree char *path = NULL, *start = NULL, *stop = NULL;
        const char *name;

        if (bus)
                manager = hetd_manager_proxy_new_sync(bus, G_DBUS_PROXY_FLAGS_NONE, HETD_NAME, "/org/hetd1", NULL, error);
        if (!manager || !load(manager, arguments[0], arguments + 2, &path, error))
                return false;

        platform = hetd_platform_proxy_new_sync(bus, G_DBUS_PROXY_FLAGS_NONE, HETD_NAME, path, NULL, error);
        if (!platform || !hetd_platform_call_start_sync(platform, no_options(), &start, NULL, error) ||
            !wait_for_job(manager, start, error))
                return false;

        name = hetd_platform_get_name(platform);
        g_print("%s: %s\n", name, hetd_platform_get_state(platform));
        if (!use_slave(bus, manager, name, arguments[1], error) ||
            !hetd_platform_call_stop_sync(platform, no_options(), &stop, NULL, error) || !wait_for_job(manager, stop, error))
                return false;

        g_print("%s: %s\n", name, hetd_platform_get_state(platform));
        return hetd_platform_call_remove_sync(platform, NULL, error);
}

int main(int argc, char **argv) {
        bool system = argc > 1 && g_str_equal(argv[1], "--system");
        g_autoptr(GError) error = NULL;

        if (argc - system < 3) {
                g_printerr("Usage: %s [--system] FILE SLAVE [NAME=VALUE...]\n", argv[0]);
                return 2;
        }

        if (!run(system ? G_BUS_TYPE_SYSTEM : G_BUS_TYPE_SESSION, argv + 1 + system, &error)) {
                g_printerr("%s: %s\n", argv[0], error->message);
                return 1;
        }
        return 0;
}
