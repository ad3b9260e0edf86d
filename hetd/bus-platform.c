/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.hetd1.Platform. The contract is dbus/org.hetd1.Platform.xml. */

#include "bus.h"

#include "util/error.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bus_platform_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        Manager *manager = userdata;
        char *name = NULL;
        Platform *platform;
        int r = sd_bus_path_decode(path, BUS_PATH_PLATFORM, &name);

        if (r <= 0)
                return r;

        platform = g_hash_table_lookup(manager->platforms, name);
        free(name);
        /* The encoding is not unique, the object is at the path that we give out */
        if (!platform || !g_str_equal(platform->path, path))
                return 0;

        *ret = platform;
        return 1;
}

int bus_reply_json(sd_bus_message *m, json_object *object_consume) {
        const char *text = json_object_to_json_string_ext(object_consume, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        int r = sd_bus_reply_method_return(m, "s", text);

        json_object_put(object_consume);
        return r;
}

static int start_job(sd_bus_message *m, Platform *platform, sd_bus_error *error,
                     bool (*verb)(Platform *platform, Job **ret, GError **error)) {
        g_autoptr(GError) local = NULL;
        Job *job = NULL;
        int r = bus_options_read(m, BUS_NO_OPTIONS, error);

        if (r < 0)
                return r;

        return verb(platform, &job, &local) ? sd_bus_reply_method_return(m, "o", job->path) : bus_error_set(error, local);
}

int bus_platform_start(sd_bus_message *m, Platform *platform, sd_bus_error *error) {
        return start_job(m, platform, error, platform_start);
}

int bus_platform_stop(sd_bus_message *m, Platform *platform, sd_bus_error *error) {
        return start_job(m, platform, error, platform_stop);
}

int bus_platform_remove(sd_bus_message *m, Platform *platform, sd_bus_error *error) {
        g_autoptr(GError) local = NULL;

        if (!manager_remove_platform(platform->manager, platform, &local))
                return bus_error_set(error, local);

        return sd_bus_reply_method_return(m, NULL);
}

static int authorized(sd_bus_message *m, Platform *platform, sd_bus_error *error,
                      int (*verb)(sd_bus_message *m, Platform *platform, sd_bus_error *error)) {
        int r = bus_authorize(platform->manager, m, BUS_ACTION_MANAGE, platform->config->name, error);

        return r < 0 ? r : r == 0 ? 1 : verb(m, platform, error);
}

static int method_start(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return authorized(m, userdata, error, bus_platform_start);
}

static int method_stop(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return authorized(m, userdata, error, bus_platform_stop);
}

static int method_remove(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return authorized(m, userdata, error, bus_platform_remove);
}

static int pause_or_resume(sd_bus_message *m, Platform *platform, sd_bus_error *error,
                           void (*verb)(Platform *platform, DoneFunc done, void *userdata)) {
        BusRequest *request = NULL;
        int r = bus_request_new(platform->manager, m, &request, error);

        if (r < 0)
                return r;

        verb(platform, bus_request_done, request);
        return 1;
}

static int do_pause(sd_bus_message *m, Platform *platform, sd_bus_error *error) {
        return pause_or_resume(m, platform, error, platform_pause);
}

static int do_resume(sd_bus_message *m, Platform *platform, sd_bus_error *error) {
        return pause_or_resume(m, platform, error, platform_resume);
}

static int method_pause(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return authorized(m, userdata, error, do_pause);
}

static int method_resume(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return authorized(m, userdata, error, do_resume);
}

static int do_reconfigure(sd_bus_message *m, Platform *platform, sd_bus_error *error) {
        Manager *manager = platform->manager;
        g_autoptr(GHashTable) variables = NULL, all = NULL;
        g_autoptr(GError) local = NULL;
        PlatformConfig *config = NULL;
        const char *path = NULL;
        const BusOption options[] = {
                { "Path", BUS_OPTION_STRING, &path },
                { "Variables", BUS_OPTION_STRINGS, &variables },
        };
        BusRequest *request = NULL;
        int fd, r;

        r = sd_bus_message_read(m, "h", &fd);
        if (r >= 0)
                r = bus_options_read(m, options, G_N_ELEMENTS(options), error);
        if (r < 0)
                return r;

        all = manager_complete_variables(manager, variables ?: platform->config->variables);
        if (!platform_config_read_fd(platform->config->name, path ?: platform->config->path, fd, all, &config, &local))
                return bus_error_set(error, local);

        r = bus_request_new(manager, m, &request, error);
        if (r < 0) {
                platform_config_free(config);
                return r;
        }

        platform_reconfigure(platform, config, bus_request_done, request);
        return 1;
}

/* What a platform file says is run: it takes the same right as to define a platform */
static int method_reconfigure(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Platform *platform = userdata;
        int r = bus_authorize(platform->manager, m, BUS_ACTION_DEFINE, NULL, error);

        return r < 0 ? r : r == 0 ? 1 : do_reconfigure(m, platform, error);
}

static int method_describe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_reply_json(m, platform_describe(userdata));
}

BUS_GETTER(get_name, Platform, platform, "s", platform->config->name)
BUS_GETTER(get_description, Platform, platform, "s", platform->config->description ?: "")
BUS_GETTER(get_source_path, Platform, platform, "s", platform->config->path ?: "")
BUS_GETTER(get_state, Platform, platform, "s", platform_state_to_string(platform->state))
BUS_GETTER(get_reason, Platform, platform, "s", platform->reason)
BUS_GETTER(get_reason_text, Platform, platform, "s", platform->reason_text)

static int get_processors(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                          void *userdata, sd_bus_error *error) {
        Platform *platform = userdata;
        int r = sd_bus_message_open_container(reply, 'a', "o");

        for (guint i = 0; i < platform->processors->len && r >= 0; i++)
                r = sd_bus_message_append(reply, "o", ((Processor *) platform->processors->pdata[i])->path);

        return r < 0 ? r : sd_bus_message_close_container(reply);
}

const sd_bus_vtable bus_platform_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job), method_start,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job), method_stop,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_remove, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_pause, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_resume, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reconfigure", SD_BUS_ARGS("h", file, "a{sv}", options), SD_BUS_NO_RESULT, method_reconfigure,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json), method_describe,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Description", "s", get_description, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("SourcePath", "s", get_source_path, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reason", "s", get_reason, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ReasonText", "s", get_reason_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Processors", "ao", get_processors, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
