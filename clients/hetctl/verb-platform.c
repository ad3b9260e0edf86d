/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Verbs on whole platforms: start, define, stop, remove, pause, resume. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus-json.h"
#include "follow.h"
#include "job.h"
#include "objects.h"
#include "util/fd-util.h"
#include "verb.h"

static char **option_set;
static char *option_name;
static gboolean option_no_wait, option_wait, option_if_stopped;

static const GOptionEntry define_options[] = {
        { "set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &option_set,
          "Value for ${NAME} in the platform file (may be repeated)", "NAME=VALUE" },
        { "name", 'n', 0, G_OPTION_ARG_FILENAME, &option_name,
          "Name of the platform, instead of the file's own", "NAME" },
        {}
};

static const GOptionEntry start_options[] = {
        { "set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &option_set,
          "Value for ${NAME} in the platform file (may be repeated)", "NAME=VALUE" },
        { "name", 'n', 0, G_OPTION_ARG_FILENAME, &option_name,
          "Name of the platform, instead of the file's own", "NAME" },
        { "no-wait", 0, 0, G_OPTION_ARG_NONE, &option_no_wait, "Return at once; hetd goes on", NULL },
        { "if-stopped", 0, 0, G_OPTION_ARG_NONE, &option_if_stopped, "Take a platform NAME that runs already as started", NULL },
        { "wait", 'w', 0, G_OPTION_ARG_NONE, &option_wait, "Wait for the end of the platform, too; it fails if the platform does", NULL },
        {}
};

static const GOptionEntry reconfigure_options[] = {
        { "set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &option_set,
          "Value for ${NAME} in the platform file (may be repeated)", "NAME=VALUE" },
        {}
};

static const GOptionEntry remove_options[] = {
        { "if-stopped", 0, 0, G_OPTION_ARG_NONE, &option_if_stopped, "Leave those alone that are not stopped, or not there", NULL },
        {}
};

static const GOptionEntry stop_options[] = {
        { "no-wait", 0, 0, G_OPTION_ARG_NONE, &option_no_wait, "Return at once; hetd goes on", NULL },
        {}
};

/* Appends "Variables" to the open a{sv} */
static bool append_variables(sd_bus_message *call, GError **error) {
        int r;

        if (!option_set)
                return true;

        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", "Variables");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "a{ss}");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{ss}");
        for (char **set = option_set; r >= 0 && *set; set++) {
                g_autofree char *name = NULL, *value = NULL;

                if (!arguments_parse_assignment(*set, &name, &value, error))
                        return false;
                r = sd_bus_message_append(call, "{ss}", name, value);
        }
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(call);

        return client_built(r, error);
}

static bool send_for_path(Client *client, sd_bus_message *call, char **ret_path, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        const char *path;

        if (!client_send(client, call, &reply, error) || !client_read(sd_bus_message_read(reply, "o", &path), error))
                return false;

        *ret_path = g_strdup(path);
        return true;
}

static bool open_file(const char *file, int *ret_fd, char **ret_path, GError **error) {
        HET_AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return failure_from_errno(error, errno, file);

        g_autofree char *path = realpath(file, NULL);
        if (!path)
                return failure_from_errno(error, errno, file);

        *ret_fd = fd_take(&fd);
        *ret_path = g_steal_pointer(&path);
        return true;
}

static bool finish_options(sd_bus_message *call, int r, GError **error) {
        return client_built(r, error) && append_variables(call, error) && client_built(sd_bus_message_close_container(call), error);
}

/* hetd need not be able to read where the user can: it gets the open file. replace: a platform of that name makes room. */
static bool define_fd(Client *client, const char *name, int fd, const char *path, bool replace, char **ret_path,
                      GError **error) {
        g_autoptr(sd_bus_message) call = NULL;
        int r;

        if (!client_new_call(client, HETD_PATH, HETD_MANAGER, "DefinePlatform", &call, error))
                return false;

        r = sd_bus_message_append(call, "sh", name, fd);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}{sv}", "Path", "s", path, "Replace", "b", replace);

        return finish_options(call, r, error) && send_for_path(client, call, ret_path, error);
}

static bool load_name(Client *client, const char *name, char **ret_path, GError **error) {
        g_autoptr(sd_bus_message) call = NULL;
        int r;

        if (!client_new_call(client, HETD_PATH, HETD_MANAGER, "LoadPlatform", &call, error))
                return false;

        r = sd_bus_message_append(call, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");

        return finish_options(call, r, error) && send_for_path(client, call, ret_path, error);
}

/* hetctl opens the file, since hetd need not be able to */
static bool open_for_hetd(const Client *client, const char *file, int *ret_fd, char **ret_path, GError **error) {
        if (client->host)
                return failure(error, EXIT_USAGE, "Copy it to one of hetd's platform directories there, and start it by its name.",
                               "A file is not handed over to another host.");

        return open_file(file, ret_fd, ret_path, error);
}

/* hetd puts a new definition in the place of an old one if that does not run. What it would say does not tell what to do. */
static bool can_be_replaced(const Platform *platform, GError **error) {
        const char *state = json_get_string(platform->properties, "State");
        static const char *const busy[] = { "starting", "running", "paused", "stopping", NULL };

        if (g_strv_contains(busy, state)) {
                g_autofree char *hint = g_strdup_printf("'hetctl status %1$s' shows it; 'hetctl stop %1$s' stops it, "
                                                        "after that it can be started anew.",
                                                        platform_name(platform));

                return failure(error, EXIT_WRONG_STATE, hint, "Platform '%s' is %s already.", platform_name(platform),
                               state);
        }

        return true;
}

static bool define_file(Client *client, const char *file, char **ret_path, GError **error) {
        g_autoptr(Objects) objects = NULL;
        g_autofree char *path = NULL;
        HET_AUTO_FD int fd = -EBADF;
        bool replace = false;

        if (!open_for_hetd(client, file, &fd, &path, error) || !objects_load(client, &objects, error))
                return false;

        for (guint i = 0; i < objects->platforms->len; i++) {
                Platform *platform = g_ptr_array_index(objects->platforms, i);
                bool same = option_name ? strcmp(platform_name(platform), option_name) == 0
                                        : strcmp(json_get_string(platform->properties, "SourcePath"), path) == 0;

                if (same && !can_be_replaced(platform, error))
                        return false;
                replace = replace || same;
        }

        return define_fd(client, option_name ? option_name : "", fd, path, replace, ret_path, error);
}

/* A platform that hetd has, or one that it finds by name. New values for variables mean reading its file anew. */
static bool define_name(Client *client, const char *name, char **ret_path, GError **error) {
        g_autoptr(Objects) objects = NULL;

        if (option_name)
                return failure_usage(error, "start", "--name is for platform files; '%s' has its name already.", name);
        if (!objects_load(client, &objects, error))
                return false;

        Platform *platform = objects_find_platform(objects, name);
        if (!platform)
                return load_name(client, name, ret_path, error);
        if (!option_set) {
                *ret_path = g_strdup(platform->path);
                return true;
        }

        const char *source = json_get_string(platform->properties, "SourcePath");
        if (!*source)
                return failure(error, EXIT_WRONG_STATE, "Start it without --set, or from its file.",
                               "Platform '%s' was not made from a file that could be read anew.", name);

        g_autofree char *path = NULL;
        HET_AUTO_FD int fd = -EBADF;

        return open_file(source, &fd, &path, error) && can_be_replaced(platform, error) &&
               define_fd(client, name, fd, path, true, ret_path, error);
}

static bool define(Client *client, const char *argument, char **ret_path, GError **error) {
        for (char **set = option_set; set && *set; set++) {
                g_autofree char *name = NULL, *value = NULL;

                if (!arguments_parse_assignment(*set, &name, &value, error))
                        return false;
        }

        return arguments_is_file(argument) ? define_file(client, argument, ret_path, error)
                                           : define_name(client, argument, ret_path, error);
}

static void print_result(const Client *client, const char *platform, const char *key, const char *value) {
        g_autoptr(json_object) object = json_object_new_object();

        if (client->json == JSON_OFF)
                return;
        json_add_string(object, "platform", platform);
        json_add_string(object, key, value);
        json_print(object, client->json);
}

/* Calls a method that returns a job, and waits for the job */
static bool run_job(Client *client, const char *path, const char *method, const char *past, GError **error) {
        g_autofree char *name = client_path_to_name(path);
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(JobWatch) watch = NULL;
        const char *job;
        uint64_t usec = 0;

        if (!option_no_wait && !job_watch_new(client, &watch, error))
                return false;
        if (!client_call(client, path, HETD_PLATFORM, method, &reply, error, "a{sv}", 0) ||
            !client_read(sd_bus_message_read(reply, "o", &job), error))
                return false;

        if (option_no_wait) {
                client_say(client, "%s: under way as job %s", name, strrchr(job, '/') + 1);
                print_result(client, name, "job", job);
                return true;
        }

        if (!job_watch_wait(watch, job, &usec, error))
                return false;

        client_say(client, "%s: %s (%.2f s)", name, past, (double) usec / G_USEC_PER_SEC);
        print_result(client, name, "result", past);
        return true;
}

/* What cannot be started since it runs is as good as started with --if-stopped */
static bool start(Client *client, const char *path, GError **error) {
        g_autoptr(json_object) state = NULL;
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *name = client_path_to_name(path);
        g_autoptr(GError) e = NULL;

        if (run_job(client, path, "Start", "started", &e))
                return true;

        if (option_if_stopped && e->code == EXIT_WRONG_STATE &&
            client_call(client, path, "org.freedesktop.DBus.Properties", "Get", &reply, NULL, "ss", HETD_PLATFORM, "State") &&
            bus_json_read(reply, &state) >= 0 &&
            (strcmp(json_object_get_string(state), "running") == 0 || strcmp(json_object_get_string(state), "paused") == 0)) {
                client_say(client, "%s: is %s already", name, json_object_get_string(state));
                print_result(client, name, "result", json_object_get_string(state));
                return true;
        }

        g_propagate_error(error, g_steal_pointer(&e));
        return false;
}

static bool verb_start(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL;
        g_autoptr(Follow) follow = NULL;

        if (option_wait && option_no_wait)
                return failure_usage(error, "start", "--wait and --no-wait exclude each other.");
        if (option_if_stopped && arguments_is_file(arguments[0]))
                return failure_usage(error, "start", "--if-stopped is for the name of a platform, not for a file.");

        return define(client, arguments[0], &path, error) && (!option_wait || follow_new(client, path, &follow, error)) &&
               start(client, path, error) && (!option_wait || follow_wait(follow, error));
}

static bool verb_define(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL, *name = NULL;

        if (!define(client, arguments[0], &path, error))
                return false;

        name = client_path_to_name(path);
        client_say(client, "%s: defined", name);
        print_result(client, name, "result", "defined");
        return true;
}

/* From the file that it was made of, unless another one is named */
static bool verb_reconfigure(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(Objects) objects = NULL;
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_autofree char *path = NULL;
        HET_AUTO_FD int fd = -EBADF;
        Platform *platform;
        const char *file;
        int r;

        if (!objects_load(client, &objects, error))
                return false;

        platform = objects_find_platform(objects, arguments[0]);
        if (!platform)
                return failure(error, EXIT_NOT_FOUND, "'hetctl list' shows those that there are.", "There is no platform '%s'.",
                               arguments[0]);

        file = n > 1 ? arguments[1] : json_get_string(platform->properties, "SourcePath");
        if (!*file)
                return failure(error, EXIT_USAGE, "Name one: hetctl reconfigure PLATFORM FILE.",
                               "Platform '%s' was not made from a file that could be read anew.", arguments[0]);
        if (!open_for_hetd(client, file, &fd, &path, error) ||
            !client_new_call(client, platform->path, HETD_PLATFORM, "Reconfigure", &call, error))
                return false;

        r = sd_bus_message_append(call, "h", fd);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}", "Path", "s", path);
        if (!finish_options(call, r, error) || !client_send(client, call, &reply, error))
                return false;

        client_say(client, "%s: reconfigured", arguments[0]);
        print_result(client, arguments[0], "result", "reconfigured");
        return true;
}

static bool get_platform(Client *client, const char *name, char **ret_path, GError **error) {
        g_autoptr(sd_bus_message) call = NULL;

        if (!client_new_call(client, HETD_PATH, HETD_MANAGER, "GetPlatform", &call, error) ||
            !client_built(sd_bus_message_append(call, "s", name), error))
                return false;

        return send_for_path(client, call, ret_path, error);
}

static bool verb_stop(Client *client, int n, char **arguments, GError **error) {
        for (int i = 0; i < n; i++) {
                g_autofree char *path = NULL;

                if (!get_platform(client, arguments[i], &path, error) ||
                    !run_job(client, path, "Stop", "stopped", error))
                        return false;
        }

        return true;
}

static bool call_each(Client *client, int n, char **arguments, const char *method, const char *past, GError **error) {
        for (int i = 0; i < n; i++) {
                g_autofree char *path = NULL;

                if (!get_platform(client, arguments[i], &path, error) ||
                    !client_call(client, path, HETD_PLATFORM, method, NULL, error, NULL))
                        return false;
                client_say(client, "%s: %s", arguments[i], past);
                print_result(client, arguments[i], "result", past);
        }

        return true;
}

static bool verb_remove(Client *client, int n, char **arguments, GError **error) {
        for (int i = 0; i < n; i++) {
                g_autoptr(GError) e = NULL;

                if (call_each(client, 1, &arguments[i], "Remove", "removed", &e) ||
                    (option_if_stopped && (e->code == EXIT_NOT_FOUND || e->code == EXIT_WRONG_STATE)))
                        continue;
                g_propagate_error(error, g_steal_pointer(&e));
                return false;
        }

        return true;
}

static bool verb_pause(Client *client, int n, char **arguments, GError **error) {
        return call_each(client, n, arguments, "Pause", "paused", error);
}

static bool verb_resume(Client *client, int n, char **arguments, GError **error) {
        return call_each(client, n, arguments, "Resume", "resumed", error);
}

const Verb verbs_platform[] = {
        { "start", "FILE|NAME", "Start a platform: its QEMU processes, windows and couples",
          "FILE has a '/' in it or ends in .platform. hetctl opens it and hands it to hetd, which checks all\n"
          "of it before it starts anything. If the platform is there already and does not run, its file is\n"
          "read anew. NAME is a platform that hetd has, or NAME.platform in one of its platform directories\n"
          "('hetctl list --all'). Relative paths in a file, and in values of --set, are relative to the folder\n"
          "that the file is in.\n"
          "\n"
          "With --wait it stays until the platform has ended, also while hetd is restarted, and its exit status is 0\n"
          "if that was in order, 1 if the platform has crashed. Ctrl-C leaves the platform alone. It tells systemd\n"
          "when the platform runs, and what it does: a unit of Type=notify can execute it.\n"
          "\n"
          "Examples:\n"
          "  hetctl start docs/examples/first-light.platform --set FIRMWARE_DIR=/usr/lib/qemu-het/firmware\n"
          "  hetctl start ./my.platform --name=second\n"
          "  hetctl start first-light --no-wait\n"
          "  hetctl start first-light --wait || mail -s 'it has crashed' me </dev/null",
          1, 1, start_options, verb_start },
        { "define", "FILE|NAME", "Read a platform file and check it, but start nothing",
          "The platform then shows in 'hetctl list' as defined, and 'hetctl start NAME' starts it.\n"
          "\n"
          "Example:\n"
          "  hetctl define ./my.platform && hetctl describe my",
          1, 1, define_options, verb_define },
        { "reconfigure", "PLATFORM [FILE]", "Let a platform that runs have another file",
          "Each slave whose QEMU is to be another one by FILE (another board, another window ...) is replaced: its\n"
          "window is empty then, and it waits to be booted, unless it has AutoBoot=. The master and the other slaves\n"
          "go on. Its processors must stay the same. Without FILE the one that it was made of is read anew; values\n"
          "of --set stay as they were, if none is given.\n"
          "\n"
          "Examples:\n"
          "  hetctl reconfigure first-light\n"
          "  hetctl reconfigure first-light ./with-a-larger-slave.platform",
          1, 2, reconfigure_options, verb_reconfigure },
        { "stop", "PLATFORM...", "Stop platforms: end the processes that hetd started, let go of the others",
          "Each process is asked to quit by QMP first. Windows and couples go away; the definition stays, so that\n"
          "'hetctl start NAME' starts it again.\n"
          "\n"
          "Example:\n"
          "  hetctl stop first-light",
          1, -1, stop_options, verb_stop },
        { "pause", "PLATFORM...", "Stop the CPUs of every processor that runs",
          "The processes stay, and time stands still in their guests until 'hetctl resume'.\n"
          "\n"
          "Example:\n"
          "  hetctl pause first-light",
          1, -1, NULL, verb_pause },
        { "resume", "PLATFORM...", "Let a paused platform go on",
          "Example:\n"
          "  hetctl resume first-light",
          1, -1, NULL, verb_resume },
        { "remove", "PLATFORM...", "Forget stopped platforms",
          "The file that a platform was made of stays where it is. With --if-stopped those that are not stopped, or\n"
          "not there, are no error.\n"
          "\n"
          "Example:\n"
          "  hetctl stop first-light && hetctl remove first-light",
          1, -1, remove_options, verb_remove },
        {}
};
