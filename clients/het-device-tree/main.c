/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * het-device-tree: the device tree that hetd gives a processor of a platform, without a hetd. It reads the platform file and makes
 * the tree with the very code of hetd, of what the processor's QEMU says of its board.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board-tree.h"
#include "device-tree.h"
#include "linux-boot.h"
#include "manager.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "util/file-util.h"
#include "util/sd-cleanup.h"

enum {
        EXIT_USAGE = 2,
};

static char **option_qemu, **option_set;
static char *option_output;
static gboolean option_version;

static const GOptionEntry option_entries[] = {
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &option_qemu,
          "The QEMU binary for a target, e.g. arm=/opt/qemu-het/bin/qemu-system-arm; may be repeated", "TARGET=PATH" },
        { "set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &option_set, "Value for ${NAME} in the platform file; may be repeated",
          "NAME=VALUE" },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &option_output, "Write to FILE, not to standard output", "FILE" },
        { "version", 0, 0, G_OPTION_ARG_NONE, &option_version, "Say which version this is", NULL },
        {},
};

/* --- arguments --- */

static bool usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool usage(GError **error, const char *format, ...) {
        va_list args;

        va_start(args, format);
        if (error)
                *error = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args);
        va_end(args);
        return false;
}

/* list of NAME=VALUE → table of strings; paths: the values are made absolute */
static bool parse_assignments(char **list, const char *option, const char *form, bool paths, GHashTable *to, GError **error) {
        for (char **s = list; s && *s; s++) {
                const char *equals = strchr(*s, '=');

                if (!equals || equals == *s || (paths && !equals[1]))
                        return usage(error, "--%s=%s: it must be %s", option, *s, form);
                g_hash_table_insert(to, g_strndup(*s, (gsize) (equals - *s)),
                                    paths ? g_canonicalize_filename(equals + 1, NULL) : g_strdup(equals + 1));
        }

        return true;
}

static bool parse_options(int *argc, char ***argv, GError **error) {
        g_autoptr(GOptionContext) context = g_option_context_new("FILE PROCESSOR");

        g_option_context_add_main_entries(context, option_entries, NULL);
        g_option_context_set_summary(context, "Prints the device tree that hetd gives a processor of a platform: what QEMU's board "
                                              "has, and what hetd adds.\nNothing needs to run; FILE is the platform file.");
        g_option_context_set_description(context,
                                         "Examples:\n"
                                         "  het-device-tree -o slave.dtb board.platform slave1   # for a boot loader\n"
                                         "  het-device-tree board.platform master | dtc -I dtb   # to be read\n"
                                         "\n"
                                         "'man het-device-tree' tells more.\n");
        if (!g_option_context_parse(context, argc, argv, error))
                return false;
        if (option_version)
                return true;
        if (*argc != 3)
                return usage(error, *argc < 3 ? "A platform file and the name of a processor in it are needed"
                                              : "There are more arguments than a platform file and a processor");
        if (!option_output && isatty(STDOUT_FILENO))
                return usage(error, "A device tree is nothing for a terminal: name a file with -o, or pipe it to dtc -I dtb");

        return true;
}

/* --- the platform --- */

static bool read_platform(const char *file, PlatformConfig **ret, GError **error) {
        g_autoptr(GHashTable) variables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autofree char *path = g_canonicalize_filename(file, NULL);
        HET_AUTO_FD int fd = -EBADF;

        if (!parse_assignments(option_set, "set", "NAME=VALUE", false, variables, error))
                return false;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                g_set_error(error, HET_ERROR, HET_ERROR_NO_SUCH_PLATFORM, "Cannot read %s: %s", file, g_strerror(errno));
                return false;
        }

        return platform_config_read_fd(NULL, path, fd, variables, ret, error);
}

static bool find_processor(const PlatformConfig *platform, const char *name, const ProcessorConfig **ret, GError **error) {
        g_autoptr(GString) names = g_string_new(NULL);

        *ret = platform_config_get_processor(platform, name);
        if (*ret)
                return true;

        for (unsigned i = 0; i < platform->processors->len; i++)
                g_string_append_printf(names, "%s%s", i > 0 ? ", " : "",
                                       ((const ProcessorConfig *) platform->processors->pdata[i])->name);
        g_set_error(error, HET_ERROR, HET_ERROR_NO_SUCH_PROCESSOR, "There is no processor %s in %s; there are %s", name,
                    platform->name, names->str);
        return false;
}

/* --- the board's tree, by its QEMU --- */

typedef struct Base {
        sd_event *event;
        char *blob;
        size_t size;
        GError *error;
} Base;

static void on_board_tree(char *blob, size_t size, const GError *error, void *userdata) {
        Base *base = userdata;

        base->blob = blob;
        base->size = size;
        base->error = error ? g_error_copy(error) : NULL;
        (void) sd_event_exit(base->event, 0);
}

static bool ask_qemu(Manager *manager, const PlatformConfig *platform, const ProcessorConfig *processor, const char *directory,
                     char **ret, size_t *ret_size, GError **error) {
        static const BoardTreeHandlers handlers = { .done = on_board_tree };
        g_autoptr(BoardTree) tree = NULL;
        g_autofree char *qemu = NULL;
        Base base = { .event = manager->event };
        int r;

        if (!manager_find_qemu(manager, processor, &qemu, error))
                return false;

        BoardTreeRequest request = { .platform = platform, .processor = processor, .qemu = qemu, .directory = directory };

        if (!board_tree_new(manager->event, &request, &handlers, &base, &tree, error))
                return false;

        r = sd_event_loop(manager->event);
        if (base.error) {
                g_propagate_error(error, base.error);
                return false;
        }
        if (!base.blob) {
                g_set_error(error, HET_ERROR, HET_ERROR_CANCELED, "%s", r < 0 ? g_strerror(-r) : "It was interrupted");
                return false;
        }

        *ret = base.blob;
        *ret_size = base.size;
        return true;
}

/* SIGCHLD as the loop wants it; and whoever interrupts us is not to leave a QEMU and its files behind */
static int prepare_signals(sd_event *event) {
        static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
        sigset_t set;
        int r = 0;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
                sigaddset(&set, ends[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < G_N_ELEMENTS(ends) && r >= 0; i++)
                r = sd_event_add_signal(event, NULL, ends[i], NULL, NULL);

        return r;
}

static bool get_board_tree(const PlatformConfig *platform, const ProcessorConfig *processor, char **ret, size_t *ret_size,
                           GError **error) {
        g_autoptr(GHashTable) qemu = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autofree char *directory = NULL;
        g_autoptr(sd_event) event = NULL;
        g_autoptr(Manager) manager = NULL;
        bool ok;
        int r;

        if (!parse_assignments(option_qemu, "qemu", "TARGET=PATH", true, qemu, error))
                return false;

        r = sd_event_new(&event);
        if (r >= 0)
                r = prepare_signals(event);
        if (r < 0) {
                g_set_error(error, HET_ERROR, HET_ERROR_FAILED, "Cannot make an event loop: %s", g_strerror(-r));
                return false;
        }

        directory = g_dir_make_tmp("het-device-tree-XXXXXX", error);
        if (!directory)
                return false;

        ManagerOptions options = { .runtime_directory = g_strdup(directory), .qemu = g_steal_pointer(&qemu) };

        manager = manager_new(event, &options);
        ok = ask_qemu(manager, platform, processor, directory, ret, ret_size, error);
        (void) g_rmdir(directory);
        return ok;
}

/* --- the result --- */

static bool make_tree(const PlatformConfig *platform, const ProcessorConfig *processor, void **ret, size_t *ret_size,
                      GError **error) {
        g_auto(LinuxBoot) linux_boot = LINUX_BOOT_INIT;
        g_autofree char *base = NULL;
        size_t base_size;

        if (processor->device_tree) {
                char *given;

                if (!file_read(processor->device_tree, DEVICE_TREE_SIZE_MAX, &given, ret_size, error))
                        return false;
                *ret = given;
                return true;
        }

        if (!get_board_tree(platform, processor, &base, &base_size, error))
                return false;
        if (processor->role == PROCESSOR_MASTER)
                return device_tree_make_master(platform, base, base_size, ret, ret_size, error);

        if (processor->kernel && !linux_boot_open(processor, &linux_boot, error))
                return false;
        return device_tree_make_slave(processor, base, base_size, processor->window_address + linux_boot.initrd_offset,
                                      linux_boot.initrd_size, ret, ret_size, error);
}

static bool write_out(const char *blob, size_t size, GError **error) {
        if (option_output)
                return g_file_set_contents_full(option_output, blob, (gssize) size, G_FILE_SET_CONTENTS_CONSISTENT, 0644, error);

        if (fwrite(blob, 1, size, stdout) == size && fflush(stdout) == 0)
                return true;

        g_set_error(error, HET_ERROR, het_error_from_errno(errno), "Cannot write the device tree: %s", g_strerror(errno));
        return false;
}

static bool run(char **argv, GError **error) {
        g_autoptr(PlatformConfig) platform = NULL;
        const ProcessorConfig *processor;
        g_autofree void *blob = NULL;
        size_t size;

        return read_platform(argv[1], &platform, error) && find_processor(platform, argv[2], &processor, error) &&
                make_tree(platform, processor, &blob, &size, error) && write_out(blob, size, error);
}

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;

        setlocale(LC_ALL, "");
        if (parse_options(&argc, &argv, &error)) {
                if (option_version) {
                        puts("het-device-tree " HET_VERSION);
                        return EXIT_SUCCESS;
                }
                if (run(argv, &error))
                        return EXIT_SUCCESS;
        }

        fprintf(stderr, "het-device-tree: %s%s\n", error->message,
                error->domain == G_OPTION_ERROR ? " (see het-device-tree --help)" : "");
        return error->domain == G_OPTION_ERROR ? EXIT_USAGE : EXIT_FAILURE;
}
