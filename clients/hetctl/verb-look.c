/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Verbs that change nothing: list, status, describe, version, and what shell completion asks. */

#include <string.h>

#include "bus-json.h"
#include "loop.h"
#include "objects.h"
#include "platform-file.h"
#include "status.h"
#include "verb.h"

static gboolean option_all;
static char *option_interval;

static const GOptionEntry list_options[] = {
        { "all", 'a', 0, G_OPTION_ARG_NONE, &option_all,
          "Also platform files in hetd's platform directories that are not loaded", NULL },
        {}
};

static const GOptionEntry status_options[] = {
        { "interval", 'd', 0, G_OPTION_ARG_STRING, &option_interval, "Count interrupts for TIME, and show how many a second", "TIME" },
        {}
};

static json_object *new_list_entry(const char *name, const char *state, uint64_t n_processors, const char *description,
                                   const char *source) {
        json_object *entry = json_object_new_object();

        json_add_string(entry, "name", name);
        json_add_string(entry, "state", state);
        json_add(entry, "processors", json_object_new_uint64(n_processors));
        json_add_string(entry, "description", description);
        json_add_string(entry, "source", source);
        return entry;
}

static bool read_directories(Client *client, json_object **ret, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;

        return client_call(client, HETD_PATH, "org.freedesktop.DBus.Properties", "Get", &reply, error, "ss",
                           HETD_MANAGER, "PlatformDirectories") &&
               client_read(bus_json_read(reply, ret), error);
}

/* Files that hetd would find by name: of two with the same name, the one in the earlier directory. */
static void add_available(const Objects *objects, const char *directory, GHashTable *seen, json_object *list) {
        g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
        const char *file;

        while (dir && (file = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(directory, file, NULL);
                g_autofree char *name = g_str_has_suffix(file, ".platform")
                                                ? g_strndup(file, strlen(file) - strlen(".platform"))
                                                : NULL;

                if (!name || !platform_name_is_valid(name) || !g_file_test(path, G_FILE_TEST_IS_REGULAR) ||
                    !g_utf8_validate(path, -1, NULL) || objects_find_platform(objects, name) || g_hash_table_contains(seen, name))
                        continue;
                json_object_array_add(list, new_list_entry(name, "available", 0, "", path));
                g_hash_table_add(seen, g_steal_pointer(&name));
        }
}

static bool make_list(Client *client, json_object **ret, GError **error) {
        g_autoptr(json_object) list = json_object_new_array(), directories = NULL;
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(Objects) objects = NULL;

        if (!objects_load(client, &objects, error) || (option_all && !read_directories(client, &directories, error)))
                return false;

        for (guint i = 0; i < objects->platforms->len; i++) {
                Platform *p = g_ptr_array_index(objects->platforms, i);

                json_object_array_add(list,
                                      new_list_entry(platform_name(p), json_get_string(p->properties, "State"),
                                                     p->processors->len, json_get_string(p->properties, "Description"),
                                                     json_get_string(p->properties, "SourcePath")));
        }
        for (size_t i = 0; directories && i < json_object_array_length(directories); i++)
                add_available(objects, json_object_get_string(json_object_array_get_idx(directories, i)), seen, list);

        *ret = g_steal_pointer(&list);
        return true;
}

static void print_list(const Client *client, json_object *list) {
        g_autoptr(Table) table = table_new();

        table_add_column(table, "PLATFORM", TABLE_CUT, 0);
        table_add_column(table, "STATE", TABLE_LEFT, 0);
        table_add_column(table, "PROCESSORS", TABLE_RIGHT, 1);
        table_add_column(table, "DESCRIPTION", TABLE_CUT, 0);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *entry = json_object_array_get_idx(list, i);
                const char *state = json_get_string(entry, "state"),
                           *description = json_get_string(entry, "description");
                uint64_t n = json_get_number(entry, "processors");

                table_add_row(table);
                table_add_cell(table, COLOR_NONE, json_get_string(entry, "name"));
                table_add_cell(table, text_state_color(state), state);
                table_add_cellf(table, COLOR_NONE, n ? "%" PRIu64 : "-", n);
                table_add_cell(table, COLOR_NONE, *description ? description : json_get_string(entry, "source"));
        }

        g_autofree char *text = table_render(table, 0, client_width(stdout), client->color_out);

        fputs(text, stdout);
}

static bool verb_list(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(json_object) list = NULL;

        if (!make_list(client, &list, error))
                return false;

        if (client->json != JSON_OFF)
                json_print(list, client->json);
        else if (json_object_array_length(list) == 0)
                client_say(client, "No platforms%s",
                           option_all ? ", and no platform files in hetd's directories."
                                      : ". 'hetctl start FILE' starts one, 'hetctl list --all' looks for files.");
        else
                print_list(client, list);
        return true;
}

/* path is that of the manager or of a platform */
static bool call_describe(Client *client, const char *path, const char *interface, json_object **ret, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        const char *json;

        if (!client_call(client, path, interface, "Describe", &reply, error, NULL) ||
            !client_read(sd_bus_message_read(reply, "s", &json), error))
                return false;

        *ret = json_tokener_parse(json);
        return *ret || failure(error, EXIT_FAILED, NULL, "hetd's description is not valid JSON.");
}

/* It went away between two calls if it is not there */
static bool pick_processor(json_object *platform, const char *name, json_object **ret, GError **error) {
        json_object *processors = NULL;
        size_t n = json_object_object_get_ex(platform, "processors", &processors) ? json_object_array_length(processors)
                                                                                  : 0;

        for (size_t i = 0; i < n; i++) {
                json_object *processor = json_object_array_get_idx(processors, i);

                if (strcmp(json_get_string(processor, "name"), name) == 0) {
                        *ret = json_object_get(processor);
                        return true;
                }
        }

        return failure(error, EXIT_NOT_FOUND, NULL, "There is no processor '%s' any more.", name);
}

static bool verb_describe(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(json_object) whole = NULL, part = NULL;
        g_autoptr(Objects) objects = NULL;
        Platform *platform = NULL;
        Processor *processor = NULL;

        if (n == 0) {
                if (!call_describe(client, HETD_PATH, HETD_MANAGER, &whole, error))
                        return false;
                json_print(whole, client->json);
                return true;
        }

        if (!objects_load(client, &objects, error) ||
            !objects_resolve(objects, arguments[0], &platform, &processor, error) ||
            !call_describe(client, platform ? platform->path : processor->platform->path, HETD_PLATFORM, &whole,
                           error) ||
            (processor && !pick_processor(whole, processor_name(processor), &part, error)))
                return false;

        json_print(processor ? part : whole, client->json);
        return true;
}

static int on_interval(sd_event_source *source, uint64_t usec, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

/* Takes a first look, and waits */
static bool look_before(Client *client, uint64_t usec, Objects **ret, GError **error) {
        g_autoptr(sd_event) event = NULL;
        int r;

        if (!objects_load(client, ret, error))
                return false;

        r = loop_new(NULL, NULL, &event);
        if (r >= 0)
                r = sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, usec, 1, on_interval, NULL);
        if (r >= 0)
                r = sd_event_loop(event);
        return r >= 0 || failure_from_errno(error, r, "waiting for the second look failed");
}

static bool verb_status(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(Objects) objects = NULL, earlier = NULL;
        uint64_t interval = 0, begin = (uint64_t) g_get_monotonic_time();
        StatusBefore since = {}, *before = NULL;
        Platform *platform = NULL;
        Processor *processor = NULL;

        if (option_interval && (!arguments_parse_timeout(option_interval, &interval, error) || interval == TIMEOUT_INFINITE))
                return *error ? false : failure_usage(error, "status", "--interval: it is not infinite.");
        if (client->json != JSON_OFF)
                return verb_describe(client, n, arguments, error);
        if (option_interval) {
                if (!look_before(client, interval, &earlier, error))
                        return false;
                since = (StatusBefore) { .objects = earlier, .usec = (uint64_t) g_get_monotonic_time() - begin };
                before = &since;
        }
        if (!objects_load(client, &objects, error) ||
            (n > 0 && !objects_resolve(objects, arguments[0], &platform, &processor, error)))
                return false;

        if (processor)
                status_print_processor(client, processor, before);
        else if (platform)
                status_print_platform(client, platform, before);
        else
                status_print_all(client, objects, before);
        return true;
}

static bool verb_version(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(json_object) object = json_object_new_object();
        g_autoptr(sd_bus_message) reply = NULL;
        const char *version;

        /* its own version is told even if hetd is not there */
        if (client->json == JSON_OFF) {
                puts("hetctl " HET_VERSION);
                fflush(stdout);
        }
        if (!client_call(client, HETD_PATH, "org.freedesktop.DBus.Properties", "Get", &reply, error, "ss", HETD_MANAGER,
                         "Version") ||
            !client_read(sd_bus_message_read(reply, "v", "s", &version), error))
                return false;

        if (client->json == JSON_OFF) {
                printf(client->host ? "hetd   %s on %s\n" : "hetd   %s on the %s bus\n", version, client_bus_name(client));
                return true;
        }
        json_add_string(object, "hetctl", HET_VERSION);
        json_add_string(object, "hetd", version);
        json_add_string(object, "bus", client->system ? "system" : "session");
        if (client->host)
                json_add_string(object, "host", client->host);
        json_print(object, client->json);
        return true;
}

static bool complete_startable(Client *client, GError **error) {
        g_autoptr(json_object) list = NULL;

        option_all = TRUE;
        if (!make_list(client, &list, error))
                return false;

        for (size_t i = 0; i < json_object_array_length(list); i++)
                puts(json_get_string(json_object_array_get_idx(list, i), "name"));
        return true;
}

/* One name a line: platforms, startable (also files by name), processors, slaves */
static bool verb_complete(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(Objects) objects = NULL;
        bool slaves = strcmp(arguments[0], "slaves") == 0;

        if (strcmp(arguments[0], "startable") == 0)
                return complete_startable(client, error);
        if (!objects_load(client, &objects, error))
                return false;

        for (guint i = 0; i < objects->platforms->len; i++) {
                Platform *platform = g_ptr_array_index(objects->platforms, i);

                if (strcmp(arguments[0], "platforms") == 0) {
                        puts(platform_name(platform));
                        continue;
                }
                for (guint k = 0; k < platform->processors->len; k++) {
                        Processor *processor = g_ptr_array_index(platform->processors, k);

                        if (!slaves || strcmp(json_get_string(processor->properties, "Role"), "slave") == 0)
                                printf("%s/%s\n", platform_name(platform), processor_name(processor));
                }
        }
        return true;
}

const Verb verbs_look[] = {
        { "list", "", "List the platforms",
          "Examples:\n"
          "  hetctl list\n"
          "  hetctl list --all --json=short",
          0, 0, list_options, verb_list, true },
        { "status", "[PLATFORM[/PROCESSOR]]", "Show state, reason, window, process and interrupts",
          "IPI-IN and IPI-OUT count the interrupts that a slave was sent, and that it sent. The table leaves\n"
          "out columns that do not fit the terminal; the status of a single processor has it all.\n"
          "With --interval it counts for that long, and shows interrupts a second; 'hetctl top' goes on with that.\n"
          "With --json it is what 'hetctl describe' prints (docs/json.md).\n"
          "\n"
          "Examples:\n"
          "  hetctl status\n"
          "  hetctl status first-light/slave1\n"
          "  hetctl status first-light --interval=1s\n"
          "  hetctl status first-light --json=short | jq -r '.processors[] | .name + \" \" + .state'",
          0, 1, status_options, verb_status, true },
        { "describe", "[PLATFORM[/PROCESSOR]]", "Print all that hetd knows as JSON",
          "docs/json.md tells what the members mean.\n"
          "\n"
          "Examples:\n"
          "  hetctl describe first-light\n"
          "  hetctl describe first-light/slave1 --json=short",
          0, 1, NULL, verb_describe, true },
        { "version", "", "Print the versions of hetctl and of hetd",
          "'hetctl --version' prints hetctl's own, and needs no hetd.",
          0, 0, NULL, verb_version },
        { "__complete", "KIND", NULL, "For shell completion.", 1, 1, NULL, verb_complete },
        {}
};
