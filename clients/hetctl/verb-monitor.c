/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* monitor: what happens in hetd, a line an event, until it is interrupted. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus-json.h"
#include "loop.h"
#include "objects.h"
#include "text.h"
#include "verb.h"

typedef struct Monitor {
        Client *client;
        char *path;             /* only this object and those below it; NULL: all */
} Monitor;

static void print_time(const Monitor *monitor, int64_t usec) {
        time_t seconds = (time_t) (usec / G_USEC_PER_SEC);
        struct tm tm;
        char text[16];

        localtime_r(&seconds, &tm);
        strftime(text, sizeof(text), "%H:%M:%S", &tm);
        printf(monitor->client->color_out ? "\033[90m%s.%03d\033[0m " : "%s.%03d ", text,
               (int) (usec % G_USEC_PER_SEC / 1000));
}

static void print_property(const Monitor *monitor, const char *key, json_object *value) {
        bool state = strcmp(key, "State") == 0, string = json_object_is_type(value, json_type_string);
        g_autofree char *text = text_clean(
                json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

        if (state && string) {
                const char *s = json_object_get_string(value);
                Color color = text_state_color(s);

                printf(" State=%s%s%s", monitor->client->color_out ? text_color(color) : "", s,
                       monitor->client->color_out ? text_color(COLOR_NONE) : "");
        } else
                printf(" %s=%s", key, text);
}

/* fields_consume: what is known of the event, in the order in which it is shown */
static void emit(const Monitor *monitor, const char *event, const char *path, json_object *fields_consume) {
        g_autoptr(json_object) fields = fields_consume, object = NULL;
        int64_t now = g_get_real_time();
        g_autofree char *name = client_path_to_name(path);

        if (monitor->client->json == JSON_OFF) {
                print_time(monitor, now);
                printf("%s%s%s", event, name || g_str_has_prefix(path, HETD_JOB_PREFIX) ? " " : "",
                       name ? name : g_str_has_prefix(path, HETD_JOB_PREFIX) ? path + strlen(HETD_JOB_PREFIX) + 1 : "");
                json_object_object_foreach(fields, key, value)
                        if (strcmp(key, "StateChangeTimestamp") != 0)   /* the line has the time */
                                print_property(monitor, key, value);
                putchar('\n');
                fflush(stdout);
                return;
        }

        object = json_object_new_object();
        json_add(object, "time", json_object_new_int64(now));
        json_add_string(object, "event", event);
        if (name)
                json_add_string(object, "name", name);
        json_add_string(object, "path", path);
        json_object_object_foreach(fields, field, content)
                json_add(object, field, json_object_get(content));
        json_print(object, JSON_SHORT);
}

static bool is_wanted(const Monitor *monitor, const char *path) {
        size_t length;

        if (!monitor->path)
                return true;

        length = strlen(monitor->path);
        return strncmp(path, monitor->path, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static const char *kind_of(const char *interface) {
        if (strcmp(interface, HETD_PLATFORM) == 0)
                return "platform";
        if (strcmp(interface, HETD_PROCESSOR) == 0)
                return "processor";
        if (strcmp(interface, HETD_JOB) == 0)
                return "job";
        if (strcmp(interface, HETD_MANAGER) == 0)
                return "hetd";

        return NULL;
}

static void on_properties(const Monitor *monitor, sd_bus_message *m) {
        const char *path = sd_bus_message_get_path(m), *interface;
        g_autoptr(json_object) properties = NULL;

        if (sd_bus_message_read(m, "s", &interface) < 0 || bus_json_read(m, &properties) < 0)
                return;
        if (!kind_of(interface) || !is_wanted(monitor, path) || json_object_object_length(properties) == 0)
                return;

        emit(monitor, kind_of(interface), path, g_steal_pointer(&properties));
}

static void on_manager_signal(const Monitor *monitor, sd_bus_message *m) {
        const char *member = sd_bus_message_get_member(m), *name, *path, *result, *message;
        uint32_t id;
        json_object *fields = NULL;
        const char *event = NULL;

        if (strcmp(member, "PlatformNew") == 0 && sd_bus_message_read(m, "so", &name, &path) >= 0)
                event = "platform-new";
        else if (strcmp(member, "PlatformRemoved") == 0 && sd_bus_message_read(m, "so", &name, &path) >= 0)
                event = "platform-removed";
        else if (strcmp(member, "JobNew") == 0 && sd_bus_message_read(m, "uo", &id, &path) >= 0)
                event = "job-new";
        else if (strcmp(member, "JobRemoved") == 0 &&
                 sd_bus_message_read(m, "uoss", &id, &path, &result, &message) >= 0) {
                event = "job-removed";
                fields = json_add_string(json_object_new_object(), "Result", result);
                if (*message)
                        json_add_string(fields, "Message", message);
        }

        if (event && is_wanted(monitor, path))
                emit(monitor, event, path, fields ? fields : json_object_new_object());
        else
                json_object_put(fields);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const char *interface = sd_bus_message_get_interface(m);

        if (g_strcmp0(interface, "org.freedesktop.DBus.Properties") == 0)
                on_properties(userdata, m);
        else if (g_strcmp0(interface, HETD_MANAGER) == 0)
                on_manager_signal(userdata, m);

        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const char *old_owner, *new_owner;

        if (sd_bus_message_read(m, "sss", NULL, &old_owner, &new_owner) < 0)
                return 0;

        if (*old_owner)
                emit(userdata, "hetd-gone", HETD_PATH, json_object_new_object());
        if (*new_owner)
                emit(userdata, "hetd-started", HETD_PATH, json_object_new_object());
        return 0;
}

static int subscribe(Monitor *monitor) {
        sd_bus *bus = monitor->client->bus;
        int r = sd_bus_add_match(bus, NULL, "type='signal',sender='" HETD_NAME "',path_namespace='" HETD_PATH "'",
                                 on_signal, monitor);

        if (r >= 0)
                r = sd_bus_add_match(bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                                     "member='NameOwnerChanged',arg0='" HETD_NAME "'",
                                     on_owner, monitor);
        return r;
}

static int run_loop(Monitor *monitor) {
        g_autoptr(sd_event) event = NULL;
        int r = loop_new(NULL, NULL, &event);

        if (r >= 0)
                r = sd_bus_attach_event(monitor->client->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(monitor->client->bus, true);
        if (r >= 0)
                r = sd_event_loop(event);
        (void) sd_bus_detach_event(monitor->client->bus);

        return r;
}

/* The first event: what hetd is, or that it is not there yet; then it is waited for. */
static bool show_beginning(Monitor *monitor, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(json_object) properties = NULL;

        if (!client_call(monitor->client, HETD_PATH, "org.freedesktop.DBus.Properties", "GetAll", &reply, error, "s",
                         HETD_MANAGER)) {
                if (!g_error_matches(*error, HETCTL_ERROR, EXIT_NO_HETD))
                        return false;
                g_clear_error(error);
                emit(monitor, "hetd-gone", HETD_PATH, json_object_new_object());
                return true;
        }
        if (!client_read(bus_json_read(reply, &properties), error))
                return false;

        emit(monitor, "hetd", HETD_PATH, g_steal_pointer(&properties));
        return true;
}

static bool choose_object(Monitor *monitor, const char *name, GError **error) {
        g_autoptr(Objects) objects = NULL;
        Platform *platform = NULL;
        Processor *processor = NULL;

        if (!objects_load(monitor->client, &objects, error) ||
            !objects_resolve(objects, name, &platform, &processor, error))
                return false;

        monitor->path = g_strdup(platform ? platform->path : processor->path);
        return true;
}

static bool verb_monitor(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL;
        Monitor monitor = { .client = client };
        int r;

        if (!client_connect(client, error))
                return false;
        /* first listen, then look: nothing is missed in between */
        r = subscribe(&monitor);
        if (r < 0)
                return failure_from_errno(error, r, "listening to hetd failed");

        if (n > 0 ? !choose_object(&monitor, arguments[0], error) : !show_beginning(&monitor, error))
                return false;
        path = monitor.path;

        if (!client->quiet)
                fprintf(stderr, "Watching %s. Ctrl-C ends it.\n", n > 0 ? arguments[0] : "hetd");
        r = run_loop(&monitor);
        if (r < 0)
                return failure_from_errno(error, r, "listening to hetd failed");

        return r == 0 || failure(error, EXIT_NO_HETD, NULL, "The bus went away.");
}

const Verb verbs_monitor[] = {
        { "monitor", "[PLATFORM[/PROCESSOR]]", "Show what happens, as it happens",
          "A line an event: time, kind, object, and the properties that changed. The first line tells of hetd;\n"
          "if it does not run yet, it is waited for. Interrupts do not pass through hetd and do not show;\n"
          "'hetctl status' has their counts. With --json (of any kind) a line is an object; time is in\n"
          "microseconds since 1970.\n"
          "\n"
          "Examples:\n"
          "  hetctl monitor\n"
          "  hetctl monitor first-light/slave1\n"
          "  hetctl monitor --json | jq --unbuffered -r 'select(.State == \"crashed\") | .name'",
          0, 1, NULL, verb_monitor },
        {}
};
