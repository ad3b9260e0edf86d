/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * verify: what hetd would say of a platform file, and what it would run, without a hetd. The file is read by hetd's own code, and the
 * slaves' firmware is really loaded, into memory that is thrown away.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus-json.h"
#include "command-line.h"
#include "firmware.h"
#include "platform-file.h"
#include "text.h"
#include "util/fd-util.h"
#include "verb.h"

static char **option_set;
static gboolean option_commands;

static const GOptionEntry verify_options[] = {
        { "set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &option_set,
          "Value for ${NAME} in the platform file (may be repeated)", "NAME=VALUE" },
        { "commands", 'c', 0, G_OPTION_ARG_NONE, &option_commands, "Print the command lines of its QEMUs", NULL },
        {}
};

/* A name is that of a file which hetd would find. That is not asked: it need not run */
static bool find_file(const Client *client, const char *file_or_name, char **ret, GError **error) {
        g_auto(GStrv) directories = NULL;
        g_autoptr(GError) local = NULL;

        if (arguments_is_file(file_or_name)) {
                *ret = g_strdup(file_or_name);
                return true;
        }

        directories = platform_config_get_directories(!client->system);
        return platform_config_find(file_or_name, (const char *const *) directories, ret, &local) ||
               failure(error, EXIT_NOT_FOUND, "A file has a '/' in its name, or ends with .platform.", "%s", local->message);
}

static bool read_file(const char *file, PlatformConfig **ret, GError **error) {
        g_autoptr(GHashTable) variables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        HET_AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        g_autofree char *path = fd >= 0 ? realpath(file, NULL) : NULL;
        g_autoptr(GError) local = NULL;

        if (!path)
                return failure_from_errno(error, errno, file);

        for (char **set = option_set; set && *set; set++) {
                char *name, *value;

                if (!arguments_parse_assignment(*set, &name, &value, error))
                        return false;
                g_hash_table_replace(variables, name, value);
        }

        return platform_config_read_fd(NULL, path, fd, variables, ret, &local) ||
               failure(error, EXIT_FAILED, "A value for ${NAME} in it is given with --set NAME=VALUE.", "%s", local->message);
}

/* Whether it lies in the window, for an example */
static bool check_firmware(const ProcessorConfig *c, GError **error) {
        FirmwareWindow window = { .fd = -EBADF, .size = c->window_size, .bus_address = c->window_address };
        HET_AUTO_FD int fd = -EBADF;
        g_autoptr(GError) local = NULL;
        uint64_t entry;

        if (c->role != PROCESSOR_SLAVE || !c->firmware)
                return true;

        fd = memfd_create("verify", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, (off_t) c->window_size) < 0)
                return failure_from_errno(error, errno, "memory for the firmware of a slave");

        window.fd = fd;
        window.ram_base = c->board->ram_base;
        window.architecture = c->board->architecture;
        return firmware_load(c->firmware, &window, c->board->m_profile, &entry, NULL, &local) ||
               failure(error, EXIT_FAILED, NULL, "%s: %s", c->name, local->message);
}

/* As hetd starts it, but for the paths of files that it makes itself: those are shown by their names alone */
static char **make_command(const PlatformConfig *platform, const ProcessorConfig *c) {
        g_autofree char *qemu = c->qemu ? g_strdup(c->qemu) : g_strdup_printf("qemu-system-%s", c->target);
        g_autofree char *socket = g_strdup_printf("%s.console", c->name), *log = g_strdup_printf("%s.log", c->name);
        g_autofree char *tree = g_strdup_printf("%s.dtb", c->name);
        bool made = c->role == PROCESSOR_MASTER && c->kernel && !c->device_tree && c->board->device_tree;
        CommandLinePaths paths = {
                .qemu = qemu,
                .console_socket = socket,
                .console_log = log,
                .device_tree = made ? tree : NULL,
        };

        return command_line_build(platform, c, &paths);
}

static json_object *processor_to_json(const PlatformConfig *platform, const ProcessorConfig *c) {
        json_object *entry = json_object_new_object(), *list = json_object_new_array();

        json_add_string(entry, "name", c->name);
        json_add_string(entry, "role", processor_role_to_string(c->role));
        json_add_string(entry, "machine", c->machine);
        json_add_string(entry, "start", c->start == PROCESSOR_START_HETD ? "hetd" : "external");
        if (c->start == PROCESSOR_START_HETD) {
                g_auto(GStrv) command = make_command(platform, c);

                for (char **argument = command; *argument; argument++)
                        json_object_array_add(list, json_object_new_string(*argument));
        }
        return json_add(entry, "command", list);
}

static void print_json(const Client *client, const char *file, const PlatformConfig *platform) {
        g_autoptr(json_object) object = json_object_new_object();
        json_object *processors = json_object_new_array();

        for (unsigned i = 0; i < platform->processors->len; i++)
                json_object_array_add(processors, processor_to_json(platform, platform->processors->pdata[i]));
        json_add_string(object, "file", file);
        json_add_string(object, "platform", platform->name);
        json_add(object, "processors", processors);
        json_print(object, client->json);
}

/* For a shell */
static void print_command(const PlatformConfig *platform, const ProcessorConfig *c) {
        g_auto(GStrv) command = make_command(platform, c);
        const char *separator = "";

        printf("\n# %s: %s\n", c->name, c->start == PROCESSOR_START_HETD ? "the monitor is a listening socket on descriptor 0"
                                                                       : "somebody else starts it");
        if (c->start == PROCESSOR_START_EXTERNAL)
                return;

        for (char **argument = command; *argument; argument++) {
                bool plain = **argument != '\0';

                for (const char *s = *argument; *s; s++)
                        plain = plain && (g_ascii_isalnum(*s) || strchr("-_./=,:@%+", *s));

                g_autofree char *quoted = plain ? g_strdup(*argument) : g_shell_quote(*argument);

                printf("%s%s", separator, quoted);
                separator = (argument[1] && argument[1][0] == '-') ? " \\\n    " : " ";
        }
        putchar('\n');
}

static bool verify(Client *client, const char *file_or_name, GError **error) {
        g_autoptr(PlatformConfig) platform = NULL;
        g_autofree char *file = NULL;

        if (!find_file(client, file_or_name, &file, error) || !read_file(file, &platform, error))
                return false;
        for (unsigned i = 0; i < platform->processors->len; i++)
                if (!check_firmware(platform->processors->pdata[i], error))
                        return false;

        if (client->json != JSON_OFF) {
                print_json(client, file, platform);
                return true;
        }

        client_say(client, "%s: good: platform %s, %u processors", file, platform->name, platform->processors->len);
        for (unsigned i = 0; option_commands && i < platform->processors->len; i++)
                print_command(platform, platform->processors->pdata[i]);
        return true;
}

static bool verb_verify(Client *client, int n, char **arguments, GError **error) {
        for (int i = 0; i < n; i++)
                if (!verify(client, arguments[i], error))
                        return false;

        return true;
}

const Verb verbs_verify[] = {
        { "verify", "FILE|NAME...", "Check platform files, and show what hetd would run",
          "NAME is that of an installed one: NAME.platform in one of the directories where hetd looks for them. Needs\n"
          "no hetd, and starts nothing. All errors of a file are told at once, with their lines; firmware is checked\n"
          "against the windows, too. Exit status: 0 if all files are good, 1 at the first that is not.\n"
          "het-device-tree(1) prints the device trees that hetd makes.\n"
          "\n"
          "Examples:\n"
          "  hetctl verify docs/examples/*.platform --set FIRMWARE_DIR=build/guest/firmware\n"
          "  hetctl verify my.platform --commands\n"
          "  hetctl verify first-light",
          1, -1, verify_options, verb_verify, true },
        {}
};
