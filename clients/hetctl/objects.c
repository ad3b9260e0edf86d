/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "objects.h"

#include <string.h>

static void processor_free(void *data) {
        Processor *processor = data;

        g_free(processor->path);
        g_free(processor);
}

static void platform_free(void *data) {
        Platform *platform = data;

        g_ptr_array_unref(platform->processors);
        g_free(platform->path);
        g_free(platform);
}

Objects *objects_free(Objects *objects) {
        if (objects) {
                g_clear_pointer(&objects->platforms, g_ptr_array_unref);
                json_object_put(objects->root);
                g_free(objects);
        }

        return NULL;
}

const char *platform_name(const Platform *platform) {
        return json_get_string(platform->properties, "Name");
}

const char *processor_name(const Processor *processor) {
        return json_get_string(processor->properties, "Name");
}

static int compare_platforms(const void *a, const void *b) {
        return strcmp(platform_name(*(Platform *const *) a), platform_name(*(Platform *const *) b));
}

static int compare_processors(const void *a, const void *b) {
        uint64_t x = json_get_number((*(Processor *const *) a)->properties, "Id");
        uint64_t y = json_get_number((*(Processor *const *) b)->properties, "Id");

        return x < y ? -1 : x > y;
}

static void add_platform(Objects *objects, const char *path, json_object *properties) {
        Platform *platform = g_new0(Platform, 1);

        platform->path = g_strdup(path);
        platform->properties = properties;
        platform->processors = g_ptr_array_new_with_free_func(processor_free);
        g_ptr_array_add(objects->platforms, platform);
}

static void add_processor(Objects *objects, const char *path, json_object *properties) {
        for (guint i = 0; i < objects->platforms->len; i++) {
                Platform *platform = g_ptr_array_index(objects->platforms, i);

                if (strcmp(platform->path, json_get_string(properties, "Platform")) == 0) {
                        Processor *processor = g_new0(Processor, 1);

                        processor->platform = platform;
                        processor->path = g_strdup(path);
                        processor->properties = properties;
                        g_ptr_array_add(platform->processors, processor);
                        return;
                }
        }
}

bool objects_load(Client *client, Objects **ret, GError **error) {
        g_autoptr(Objects) objects = g_new0(Objects, 1);
        g_autoptr(sd_bus_message) reply = NULL;

        objects->platforms = g_ptr_array_new_with_free_func(platform_free);
        if (!client_call(client, HETD_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &reply, error,
                         NULL) ||
            !client_read(bus_json_read(reply, &objects->root), error))
                return false;

        json_object_object_foreach(objects->root, path, interfaces) {
                json_object *properties = NULL;

                if (json_object_object_get_ex(interfaces, HETD_PLATFORM, &properties))
                        add_platform(objects, path, properties);
        }
        json_object_object_foreach(objects->root, processor_path, processor_interfaces) {
                json_object *properties = NULL;

                if (json_object_object_get_ex(processor_interfaces, HETD_PROCESSOR, &properties))
                        add_processor(objects, processor_path, properties);
        }

        g_ptr_array_sort(objects->platforms, compare_platforms);
        for (guint i = 0; i < objects->platforms->len; i++)
                g_ptr_array_sort(((Platform *) g_ptr_array_index(objects->platforms, i))->processors,
                                 compare_processors);

        *ret = g_steal_pointer(&objects);
        return true;
}

Platform *objects_find_platform(const Objects *objects, const char *name) {
        for (guint i = 0; i < objects->platforms->len; i++) {
                Platform *platform = g_ptr_array_index(objects->platforms, i);

                if (strcmp(platform_name(platform), name) == 0)
                        return platform;
        }

        return NULL;
}

double objects_rate(uint64_t now, uint64_t before, uint64_t usec) {
        return now >= before && usec > 0 ? (double) (now - before) * (double) G_USEC_PER_SEC / (double) usec : 0;
}

/* platform NULL: in all of them. All that match, as "a/x, b/x" in names. */
static Processor *find_processors(const Objects *objects, const Platform *platform, const char *name, unsigned *ret_n,
                                  GString *names) {
        Processor *found = NULL;

        *ret_n = 0;
        for (guint i = 0; i < objects->platforms->len; i++) {
                Platform *p = g_ptr_array_index(objects->platforms, i);

                if (platform && p != platform)
                        continue;
                for (guint k = 0; k < p->processors->len; k++) {
                        Processor *processor = g_ptr_array_index(p->processors, k);

                        if (strcmp(processor_name(processor), name) != 0)
                                continue;
                        g_string_append_printf(names, "%s%s/%s", *ret_n ? ", " : "", platform_name(p), name);
                        found = processor;
                        (*ret_n)++;
                }
        }

        return found;
}

bool objects_resolve(const Objects *objects, const char *text, Platform **ret_platform, Processor **ret_processor,
                     GError **error) {
        g_autofree char *platform_part = NULL, *name = NULL;
        g_autoptr(GString) names = g_string_new(NULL);
        Platform *platform = NULL;
        unsigned n;

        if (!arguments_split_name(text, &platform_part, &name, error))
                return false;

        *ret_platform = NULL;
        *ret_processor = NULL;
        platform = objects_find_platform(objects, platform_part ? platform_part : name);
        if (platform && !platform_part) {
                *ret_platform = platform;
                return true;
        }
        if (!platform && platform_part)
                return failure(error, EXIT_NOT_FOUND, "'hetctl list --all' shows the platforms that there are.",
                               "There is no platform '%s'.", platform_part);

        *ret_processor = find_processors(objects, platform, name, &n, names);
        if (n == 0 && platform)
                return failure(error, EXIT_NOT_FOUND, "'hetctl status' shows the processors that there are.",
                               "Platform '%s' has no processor '%s'.", platform_part, name);
        if (n == 0)
                return failure(error, EXIT_NOT_FOUND, "'hetctl status' shows all that there are.",
                               "There is no platform or processor '%s'.", name);
        if (n > 1)
                return failure(error, EXIT_USAGE, "Name the platform too.",
                               "'%s' is the name of several processors: %s.", name, names->str);

        return true;
}

static bool get_processor(Client *client, const char *platform, const char *name, char **ret_path, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        const char *path;

        if (!client_call(client, HETD_PATH, HETD_MANAGER, "GetProcessor", &reply, error, "ss", platform, name) ||
            !client_read(sd_bus_message_read(reply, "o", &path), error))
                return false;

        *ret_path = g_strdup(path);
        return true;
}

bool objects_resolve_processor(Client *client, const char *text, char **ret_path, char **ret_name, GError **error) {
        g_autofree char *platform_part = NULL, *name = NULL;
        g_autoptr(Objects) objects = NULL;
        Platform *platform = NULL;
        Processor *processor = NULL;

        if (!arguments_split_name(text, &platform_part, &name, error))
                return false;

        if (platform_part) {
                if (!get_processor(client, platform_part, name, ret_path, error))
                        return false;
                *ret_name = g_strdup(text);
                return true;
        }

        if (!objects_load(client, &objects, error) || !objects_resolve(objects, text, &platform, &processor, error))
                return false;
        if (platform)
                return failure(error, EXIT_USAGE, "'hetctl status' shows the processors that there are.",
                               "'%s' is a platform; a processor of it is named %s/PROCESSOR.", text, text);

        *ret_path = g_strdup(processor->path);
        *ret_name = g_strdup_printf("%s/%s", platform_name(processor->platform), processor_name(processor));
        return true;
}
