/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.hetd1.Manager. The contract is dbus/org.hetd1.Manager.xml. */

#include "bus.h"

#include "util/error.h"
#include "util/json-util.h"
#include "util/sd-cleanup.h"

#include <string.h>

static int reply_object(sd_bus_message *m, const char *path) {
        return sd_bus_reply_method_return(m, "o", path);
}

static int method_define_platform(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Manager *manager = userdata;
        g_autoptr(GHashTable) variables = NULL, all = NULL;
        g_autoptr(GError) local = NULL;
        const char *name, *path = NULL;
        PlatformConfig *config = NULL;
        Platform *platform = NULL;
        bool replace = false;
        const BusOption options[] = {
                { "Path", BUS_OPTION_STRING, &path },
                { "Replace", BUS_OPTION_BOOL, &replace },
                { "Variables", BUS_OPTION_STRINGS, &variables },
        };
        int fd, r;

        r = bus_authorize(manager, m, BUS_ACTION_DEFINE, NULL, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = sd_bus_message_read(m, "sh", &name, &fd);
        if (r >= 0)
                r = bus_options_read(m, options, G_N_ELEMENTS(options), error);
        if (r < 0)
                return r;

        all = manager_complete_variables(manager, variables);
        if (!platform_config_read_fd(name[0] ? name : NULL, path, fd, all, &config, &local) ||
            !manager_add_platform(manager, config, bus_sender_user(manager, m), replace, &platform, &local))
                return bus_error_set(error, local);

        return reply_object(m, platform->path);
}

static int method_load_platform(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Manager *manager = userdata;
        g_autoptr(GHashTable) variables = NULL;
        g_autoptr(GError) local = NULL;
        const char *path_or_name;
        Platform *platform = NULL;
        bool replace = false, defines;
        const BusOption options[] = {
                { "Replace", BUS_OPTION_BOOL, &replace },
                { "Variables", BUS_OPTION_STRINGS, &variables },
        };
        int r;

        r = sd_bus_message_read(m, "s", &path_or_name);
        if (r >= 0)
                r = bus_options_read(m, options, G_N_ELEMENTS(options), error);
        if (r < 0)
                return r;

        /* One in hetd's directories, as it is, was put there by somebody who may */
        defines = g_path_is_absolute(path_or_name) || variables;
        r = bus_authorize(manager, m, defines ? BUS_ACTION_DEFINE : BUS_ACTION_MANAGE, defines ? NULL : path_or_name, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (!manager_load_platform(manager, path_or_name, variables, bus_sender_user(manager, m), replace, &platform, &local))
                return bus_error_set(error, local);

        return reply_object(m, platform->path);
}

/* The platform that the next argument names */
static int read_platform(sd_bus_message *m, Manager *manager, Platform **ret, sd_bus_error *error) {
        g_autoptr(GError) local = NULL;
        const char *name;
        int r = sd_bus_message_read(m, "s", &name);

        if (r < 0)
                return r;

        return manager_find_platform(manager, name, ret, &local) ? 0 : bus_error_set(error, local);
}

static int forward(sd_bus_message *m, Manager *manager, sd_bus_error *error,
                   int (*verb)(sd_bus_message *m, Platform *platform, sd_bus_error *error)) {
        g_autoptr(GError) local = NULL;
        Platform *platform = NULL;
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
                r = bus_authorize(manager, m, BUS_ACTION_MANAGE, name, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return manager_find_platform(manager, name, &platform, &local) ? verb(m, platform, error) : bus_error_set(error, local);
}

static int method_start_platform(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return forward(m, userdata, error, bus_platform_start);
}

static int method_stop_platform(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return forward(m, userdata, error, bus_platform_stop);
}

static int method_remove_platform(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return forward(m, userdata, error, bus_platform_remove);
}

static int method_get_platform(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Platform *platform = NULL;
        int r = read_platform(m, userdata, &platform, error);

        return r < 0 ? r : reply_object(m, platform->path);
}

static int method_get_processor(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        g_autoptr(GError) local = NULL;
        Platform *platform = NULL;
        const char *name;
        Processor *p;
        int r;

        r = read_platform(m, userdata, &platform, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;

        p = platform_find_processor(platform, name);
        if (p)
                return reply_object(m, p->path);

        g_set_error(&local, HET_ERROR, HET_ERROR_NO_SUCH_PROCESSOR, "%s has no processor %s", platform->config->name, name);
        return bus_error_set(error, local);
}

static int compare_platforms(const void *a, const void *b) {
        return strcmp(((const Platform *) a)->config->name, ((const Platform *) b)->config->name);
}

static GList *sorted_platforms(Manager *manager) {
        return g_list_sort(g_hash_table_get_values(manager->platforms), compare_platforms);
}

static int method_list_platforms(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        g_autoptr(GList) platforms = sorted_platforms(userdata);
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssso)");
        for (GList *l = platforms; l && r >= 0; l = l->next) {
                Platform *platform = l->data;

                r = sd_bus_message_append(reply, "(ssso)", platform->config->name, platform_state_to_string(platform->state),
                                          platform->config->description ?: "", platform->path);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);

        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int compare_jobs(const void *a, const void *b) {
        uint32_t id_a = ((const Job *) a)->id, id_b = ((const Job *) b)->id;

        return (id_a > id_b) - (id_a < id_b);
}

static int method_list_jobs(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Manager *manager = userdata;
        g_autoptr(GList) jobs = g_list_sort(g_hash_table_get_values(manager->jobs), compare_jobs);
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(usso)");
        for (GList *l = jobs; l && r >= 0; l = l->next) {
                Job *job = l->data;

                r = sd_bus_message_append(reply, "(usso)", job->id, job_type_to_string(job->type), job->platform->config->name,
                                          job->path);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);

        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_describe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        g_autoptr(GList) platforms = sorted_platforms(userdata);
        json_object *all = json_object_new_object(), *list = json_object_new_array();

        for (GList *l = platforms; l; l = l->next)
                json_object_array_add(list, platform_describe(l->data));
        json_add_string(all, "version", HET_VERSION);
        json_object_object_add(all, "platforms", list);

        return bus_reply_json(m, all);
}

BUS_GETTER(get_version, Manager, manager, "s", HET_VERSION)
BUS_GETTER(get_n_platforms, Manager, manager, "u", g_hash_table_size(manager->platforms))

static int get_directories(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                           void *userdata, sd_bus_error *error) {
        Manager *manager = userdata;

        return sd_bus_message_append_strv(reply, manager->options.directories);
}

const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("DefinePlatform", SD_BUS_ARGS("s", name, "h", file, "a{sv}", options),
                                SD_BUS_RESULT("o", platform), method_define_platform, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("LoadPlatform", SD_BUS_ARGS("s", path_or_name, "a{sv}", options),
                                SD_BUS_RESULT("o", platform), method_load_platform, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("StartPlatform", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_start_platform, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("StopPlatform", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_stop_platform, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemovePlatform", SD_BUS_ARGS("s", name),
                                SD_BUS_NO_RESULT, method_remove_platform, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPlatform", SD_BUS_ARGS("s", name),
                                SD_BUS_RESULT("o", platform), method_get_platform, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetProcessor", SD_BUS_ARGS("s", platform_name, "s", processor_name),
                                SD_BUS_RESULT("o", processor), method_get_processor, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListPlatforms", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("a(ssso)", platforms), method_list_platforms, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListJobs", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("a(usso)", jobs), method_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("s", json), method_describe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("NPlatforms", "u", get_n_platforms, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("PlatformDirectories", "as", get_directories, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_SIGNAL_WITH_ARGS("PlatformNew", SD_BUS_ARGS("s", name, "o", platform), 0),
        SD_BUS_SIGNAL_WITH_ARGS("PlatformRemoved", SD_BUS_ARGS("s", name, "o", platform), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("u", id, "o", job), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("u", id, "o", job, "s", result, "s", message), 0),
        SD_BUS_VTABLE_END,
};
