/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* coredump: what is in the window of a slave, and in the registers of its CPUs, for a debugger. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bus-json.h"
#include "core-file.h"
#include "objects.h"
#include "util/fd-util.h"
#include "util/parse.h"
#include "verb.h"

static char *option_output;

static const GOptionEntry coredump_options[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &option_output, "The file that is made (default: NAME.core)", "FILE" },
        {}
};

typedef struct Progress {
        const char *name;
        uint64_t size;
        int percent;
} Progress;

static void show_progress(uint64_t done, void *userdata) {
        Progress *progress = userdata;
        int percent = (int) (done * 100 / progress->size);

        if (percent == progress->percent)
                return;

        progress->percent = percent;
        fprintf(stderr, "\r\033[K[%3d%%] %s", percent, progress->name);
        fflush(stderr);
}

static bool get_processor(Client *client, const char *path, CoreWindow *window, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(json_object) properties = NULL;

        if (!client_call(client, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, error, "s", HETD_PROCESSOR) ||
            !client_read(bus_json_read(reply, &properties), error))
                return false;

        core_window_set_processor(window, json_get_string(properties, "Machine"), json_get_string(properties, "CPU"));
        return true;
}

/* The memory is a duplicate of the caller's */
static bool get_window(Client *client, const char *path, const char *name, CoreWindow *window, GError **error) {
        g_autoptr(sd_bus_message) place = NULL, memory = NULL;
        uint64_t size;
        int fd;

        if (!client_call(client, path, "org.freedesktop.DBus.Properties", "Get", &place, error, "ss", HETD_PROCESSOR, "Window") ||
            !client_read(sd_bus_message_read(place, "v", "(tt)", &window->address, &size), error))
                return false;
        if (size == 0)
                return failure(error, EXIT_WRONG_STATE, "Name a slave: hetctl status lists them.",
                               "%s is a master, and has no window.", name);
        if (!client_call(client, path, HETD_PROCESSOR, "GetMemory", &memory, error, "") ||
            !client_read(sd_bus_message_read(memory, "htt", &fd, &window->offset, &window->size), error))
                return false;

        window->fd = fd_dup_cloexec(fd);
        if (window->fd < 0)
                return failure_from_errno(error, -window->fd, name);
        return get_processor(client, path, window, error);
}

/* Those of a slave whose CPUs do not stand still are of no use, and what one that is gone had is gone */
static void get_registers(Client *client, const char *path, const char *name, CoreWindow *window) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GError) error = NULL;
        int dump;

        if (client_call(client, path, HETD_PROCESSOR, "DumpRegisters", &reply, &error, "") &&
            client_read(sd_bus_message_read(reply, "h", &dump), &error))
                core_window_set_registers(window, dump);
        else if (error->code != EXIT_WRONG_STATE)
                client_say(client, "%s: no registers: %s", name, error->message);
}

static bool open_output(const char *path, int *ret_fd, GError **error) {
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);

        if (fd < 0 && errno == EEXIST)
                return failure(error, EXIT_WRONG_STATE, "Name another file with --output=FILE, or remove it.",
                               "%s is there already, and is not written over.", path);
        if (fd < 0)
                return failure_from_errno(error, errno, path);

        *ret_fd = fd;
        return true;
}

static void report(const Client *client, const char *name, const char *file, const CoreWindow *window, uint64_t written) {
        g_autoptr(json_object) object = json_object_new_object();
        char size[FORMAT_SIZE_MAX], data[FORMAT_SIZE_MAX];

        client_say(client, "%s: %s has its window of %s, %s of it not zero%s", name, file, format_size(window->size, size),
                   format_size(written, data), window->notes ? ", and its registers" : ", no registers");
        if (client->json == JSON_OFF)
                return;

        json_add_string(object, "processor", name);
        json_add_string(object, "result", "dumped");
        json_add_string(object, "file", file);
        json_add(object, "registers", json_object_new_boolean(window->notes != NULL));
        json_print(object, client->json);
}

static bool write_core(Client *client, const char *name, const char *file, const CoreWindow *window, uint64_t *ret_written,
                       GError **error) {
        bool show = !client->quiet && client->json == JSON_OFF && client_width(stderr) > 0;
        Progress progress = { .name = name, .size = window->size, .percent = -1 };
        HET_AUTO_FD int fd = -EBADF;
        int r;

        if (!open_output(file, &fd, error))
                return false;

        /* That the file cannot be as large (RLIMIT_FSIZE) is said as that there is no room */
        (void) signal(SIGXFSZ, SIG_IGN);
        r = core_file_write(window, fd, show ? show_progress : NULL, &progress, ret_written);
        if (show && progress.percent >= 0)
                fputs("\r\033[K", stderr);
        if (r == 0)
                return true;

        (void) unlink(file);
        if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
                return failure(error, EXIT_FAILED, "Name a place with more room: --output=FILE.",
                               "%s: There is no room for the window of %s: %s. The file was removed.", file, name, g_strerror(-r));
        return failure_from_errno(error, -r, file);
}

static bool verb_coredump(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL, *name = NULL, *file = NULL;
        CoreWindow window = { .fd = -EBADF };
        g_autoptr(GBytes) notes = NULL;
        HET_AUTO_FD int fd = -EBADF;
        uint64_t written = 0;
        bool ok;

        if (!objects_resolve_processor(client, arguments[0], &path, &name, error))
                return false;

        file = option_output ? g_strdup(option_output) : g_strconcat(strrchr(name, '/') + 1, ".core", NULL);
        ok = get_window(client, path, name, &window, error);
        fd = window.fd;
        if (ok)
                get_registers(client, path, name, &window);
        notes = window.notes;
        if (!ok || !write_core(client, name, file, &window, &written, error))
                return false;

        report(client, name, file, &window, written);
        return true;
}

const Verb verbs_coredump[] = {
        { "coredump", "PROCESSOR", "Write the window of a slave into an ELF core file, for gdb",
          "The window keeps its content when a slave fails or is stopped, and after a crash of its platform until\n"
          "the next start. It may be dumped at any time; while a guest runs, it changes meanwhile. The file has the\n"
          "CPUs' registers, too, if these have stopped as they were: the slave is paused ('hetctl pause'), or its\n"
          "guest has crashed and its QEMU lives on. What is zero is a hole in it. One that is there is not written\n"
          "over.\n"
          "\n"
          "Examples:\n"
          "  hetctl coredump first-light/slave2\n"
          "  hetctl coredump slave2 --output=/var/tmp/crash.core\n"
          "  gdb-multiarch firmware.elf slave2.core -ex 'x/s &trace_buffer'",
          1, 1, coredump_options, verb_coredump },
        {}
};
