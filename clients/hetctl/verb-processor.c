/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Verbs on one processor: boot, halt, reset, restart, kick, attach, detach. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus-json.h"
#include "objects.h"
#include "util/fd-util.h"
#include "verb.h"

#define VECTOR_MAX      31U

static char *option_entry, *option_argument, *option_protocol, *option_firmware;
static gboolean option_no_load, option_from_slave, option_connect;

static const GOptionEntry boot_options[] = {
        { "entry", 'e', 0, G_OPTION_ARG_FILENAME, &option_entry,
          "Address of the first instruction (default: the firmware's own)", "ADDRESS" },
        { "argument", 'a', 0, G_OPTION_ARG_FILENAME, &option_argument, "Number that the guest is given", "NUMBER" },
        { "protocol", 'p', 0, G_OPTION_ARG_FILENAME, &option_protocol,
          "How the CPU is set up: auto, raw, linux, vector-table", "PROTOCOL" },
        { "firmware", 0, 0, G_OPTION_ARG_FILENAME, &option_firmware,
          "Load this ELF file instead of the platform file's", "FILE" },
        { "no-load", 0, 0, G_OPTION_ARG_NONE, &option_no_load,
          "Load nothing: the window has the program already", NULL },
        {}
};

static const GOptionEntry kick_options[] = {
        { "from-slave", 0, 0, G_OPTION_ARG_NONE, &option_from_slave,
          "From the slave to the master, not from the master to it", NULL },
        {}
};

static const GOptionEntry attach_options[] = {
        { "connect", 'c', 0, G_OPTION_ARG_NONE, &option_connect,
          "Connect here and hand over the connection, where hetd cannot reach the path", NULL },
        {}
};

static void report(const Client *client, const char *processor, const char *past) {
        g_autoptr(json_object) object = json_object_new_object();

        client_say(client, "%s: %s", processor, past);
        if (client->json == JSON_OFF)
                return;
        json_add_string(object, "processor", processor);
        json_add_string(object, "result", past);
        json_print(object, client->json);
}

static bool append_option(sd_bus_message *call, const char *key, const char *type, ...) {
        va_list value;
        int r = sd_bus_message_open_container(call, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(call, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', type);
        va_start(value, type);
        if (r >= 0)
                r = sd_bus_message_appendv(call, type, value);
        va_end(value);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_message_close_container(call);

        return r >= 0;
}

static bool append_number(sd_bus_message *call, const char *key, const char *option, const char *text, GError **error) {
        uint64_t value;

        if (!text)
                return true;

        return arguments_parse_number(option, text, UINT64_MAX, &value, error) &&
               client_built(append_option(call, key, "t", value) ? 0 : -EINVAL, error);
}

static bool append_boot_options(sd_bus_message *call, GError **error) {
        bool ok = true;

        if (!append_number(call, "Entry", "--entry", option_entry, error) ||
            !append_number(call, "Argument", "--argument", option_argument, error))
                return false;

        if (option_firmware) {
                g_autofree char *path = realpath(option_firmware, NULL);

                if (!path)
                        return failure_from_errno(error, errno, option_firmware);
                ok = append_option(call, "Firmware", "s", path);
        }
        if (ok && option_protocol)
                ok = append_option(call, "Protocol", "s", option_protocol);
        if (ok && option_no_load)
                ok = append_option(call, "Load", "b", 0);

        return client_built(ok ? 0 : -EINVAL, error);
}

static bool verb_boot(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL, *name = NULL;
        g_autoptr(sd_bus_message) call = NULL;

        if (option_no_load && option_firmware)
                return failure_usage(error, "boot", "--no-load and --firmware exclude each other.");
        if (!objects_resolve_processor(client, arguments[0], &path, &name, error) ||
            !client_new_call(client, path, HETD_PROCESSOR, "Boot", &call, error) ||
            !client_built(sd_bus_message_open_container(call, 'a', "{sv}"), error) ||
            !append_boot_options(call, error) ||
            !client_built(sd_bus_message_close_container(call), error) ||
            !client_send(client, call, NULL, error))
                return false;

        report(client, name, "booted");
        return true;
}

static bool call_plain(Client *client, const char *processor, const char *method, const char *past, GError **error) {
        g_autofree char *path = NULL, *name = NULL;

        if (!objects_resolve_processor(client, processor, &path, &name, error) ||
            !client_call(client, path, HETD_PROCESSOR, method, NULL, error, "a{sv}", 0))
                return false;

        report(client, name, past);
        return true;
}

static bool verb_halt(Client *client, int n, char **arguments, GError **error) {
        return call_plain(client, arguments[0], "Stop", "halted", error);
}

static bool verb_reset(Client *client, int n, char **arguments, GError **error) {
        return call_plain(client, arguments[0], "Reset", "reset", error);
}

static bool verb_restart(Client *client, int n, char **arguments, GError **error) {
        return call_plain(client, arguments[0], "Restart", "restarted", error);
}

static bool verb_detach(Client *client, int n, char **arguments, GError **error) {
        return call_plain(client, arguments[0], "Detach", "detached", error);
}

static bool verb_kick(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL, *name = NULL, *past = NULL;
        uint64_t vector;
        bool sent;

        if (!arguments_parse_number("VECTOR", arguments[1], VECTOR_MAX, &vector, error) ||
            !objects_resolve_processor(client, arguments[0], &path, &name, error))
                return false;

        if (option_from_slave)
                sent = client_call(client, path, HETD_PROCESSOR, "Kick", NULL, error, "ua{sv}", (uint32_t) vector, 1,
                                   "FromSlave", "b", 1);
        else
                sent = client_call(client, path, HETD_PROCESSOR, "Kick", NULL, error, "ua{sv}", (uint32_t) vector, 0);
        if (!sent)
                return false;

        past = g_strdup_printf(
                option_from_slave ? "vector %" PRIu64 " sent to its master" : "vector %" PRIu64 " sent to it", vector);
        report(client, name, past);
        return true;
}

static bool connect_socket(const char *path, int *ret_fd, GError **error) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        HET_AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (strlen(path) >= sizeof(address.sun_path))
                return failure(error, EXIT_USAGE, NULL, "%s: the path of a socket may have %zu bytes at most.", path,
                               sizeof(address.sun_path) - 1);
        strcpy(address.sun_path, path);

        if (fd < 0 || connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return failure_from_errno(error, errno, path);

        *ret_fd = fd_take(&fd);
        return true;
}

static bool verb_attach(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL, *name = NULL, *monitor = NULL;
        bool on_bus = g_str_has_prefix(arguments[1], "dbus:");
        HET_AUTO_FD int fd = -EBADF;
        bool sent;

        if (on_bus && option_connect)
                return failure_usage(error, "attach", "--connect is for paths: %s is looked for by hetd.", arguments[1]);
        monitor = on_bus ? g_strdup(arguments[1]) : realpath(arguments[1], NULL);
        if (!monitor)
                return failure_from_errno(error, errno, arguments[1]);
        if (!objects_resolve_processor(client, arguments[0], &path, &name, error))
                return false;

        if (option_connect)
                sent = client_need_local(client, "A connection", error) && connect_socket(monitor, &fd, error) &&
                       client_call(client, path, HETD_PROCESSOR, "AttachFd", NULL, error, "ha{sv}", fd, 0);
        else
                sent = client_call(client, path, HETD_PROCESSOR, "Attach", NULL, error, "sa{sv}", monitor, 0);
        if (!sent)
                return false;

        report(client, name, "attached");
        return true;
}

const Verb verbs_processor[] = {
        { "boot", "PROCESSOR", "Boot a slave",
          "Loads the firmware of the platform file into the slave's window and lets its CPU run. A slave that\n"
          "runs already has to be halted first.\n"
          "\n"
          "Examples:\n"
          "  hetctl boot first-light/slave2\n"
          "  hetctl boot slave2 --firmware=build/new.elf\n"
          "  hetctl boot slave1 --no-load --entry=0x60000000 --argument=7",
          1, 1, boot_options, verb_boot },
        { "halt", "PROCESSOR", "Stop a slave; its window keeps its content",
          "'hetctl boot' boots it again. A master ends with its platform: 'hetctl stop'.\n"
          "\n"
          "Example:\n"
          "  hetctl halt first-light/slave2",
          1, 1, NULL, verb_halt },
        { "reset", "PROCESSOR", "Reset a processor",
          "A master starts anew, and its slaves are stopped, but for those with OnMasterReset=keep. A slave is\n"
          "then ready, and waits to be booted.\n"
          "\n"
          "Example:\n"
          "  hetctl reset first-light/master",
          1, 1, NULL, verb_reset },
        { "restart", "PROCESSOR", "Start the QEMU of a processor anew",
          "For one that has crashed and that Restart= does not, or not any more, bring back. One whose QEMU lives is\n"
          "ended first. The window of a slave keeps its content; it is then ready, and waits to be booted. A master\n"
          "boots at once; its slaves are stopped meanwhile, but for those with OnMasterFailure=keep.\n"
          "\n"
          "Examples:\n"
          "  hetctl restart first-light/slave2\n"
          "  hetctl restart first-light/master",
          1, 1, NULL, verb_restart },
        { "kick", "PROCESSOR VECTOR", "Send an inter-processor interrupt",
          "From the master to the slave PROCESSOR, as if the master's guest had rung the doorbell; with\n"
          "--from-slave the other way. VECTOR is a number from 0 to 31.\n"
          "\n"
          "Examples:\n"
          "  hetctl kick first-light/slave1 3\n"
          "  hetctl kick first-light/slave1 5 --from-slave",
          2, 2, kick_options, verb_kick },
        { "attach", "PROCESSOR MONITOR", "Take over a QEMU that somebody else started (Start=external)",
          "MONITOR is the path of QEMU's monitor socket (-qmp unix:PATH,server=on,wait=off), or dbus:NAME of\n"
          "a QEMU that has it on hetd's bus (-display dbus, -chardev dbus); of several there the one with\n"
          "-name VM is dbus:NAME,vm=VM, and dbus:NAME,address=ADDRESS is on another bus. hetd checks that it\n"
          "is the QEMU that the platform file describes, and gives it couple and window.\n"
          "\n"
          "Examples:\n"
          "  hetctl attach first-light/slave1 /tmp/slave1.qmp\n"
          "  hetctl attach first-light/slave1 /home/me/slave1.qmp --connect\n"
          "  hetctl attach first-light/slave1 dbus:org.qemu,vm=slave1",
          2, 2, attach_options, verb_attach },
        { "detach", "PROCESSOR", "Let go of a QEMU that was attached",
          "The slave is stopped, its window and couple are taken away; its process lives on.\n"
          "\n"
          "Example:\n"
          "  hetctl detach first-light/slave1",
          1, 1, NULL, verb_detach },
        {}
};
