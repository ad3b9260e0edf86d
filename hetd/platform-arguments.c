/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ExtraArguments= and the options behind Machine= go to QEMU as they are. What would take away what hetd relies on (its
 * monitor, the slave's memory, the time at which a guest starts) is refused here, where the file and line can still be
 * told. This protects from mistakes, not from ill will: who may write a platform file may run QEMU as he likes. Called
 * by platform-check.c.
 */

#include <string.h>

#include "command-line.h"
#include "platform-parser.h"

typedef enum RefusedFor {
        REFUSED_ALWAYS,
        REFUSED_FOR_SLAVES,
} RefusedFor;

/* Options that are refused whatever their value is, each with what would be right */
static const struct {
        const char *option;
        RefusedFor whom;
        const char *instead;
} refused_options[] = {
        { "S",             REFUSED_ALWAYS,     "hetd decides when a guest starts" },
        { "append",        REFUSED_ALWAYS,     "use CommandLine=" },
        { "bios",          REFUSED_FOR_SLAVES, "a slave's memory is not there when QEMU starts; use Firmware=" },
        { "action",        REFUSED_ALWAYS,     "hetd decides what follows a shutdown or panic" },
        { "chroot",        REFUSED_ALWAYS,     "hetd could not reach the sockets" },
        { "cpu",           REFUSED_ALWAYS,     "use CPU=" },
        { "daemonize",     REFUSED_ALWAYS,     "hetd watches the process that it starts" },
        { "display",       REFUSED_ALWAYS,     "there is none; use -vnc for a display over the network" },
        { "dtb",           REFUSED_ALWAYS,     "use DeviceTree=" },
        { "enable-kvm",    REFUSED_ALWAYS,     "add accel=kvm to Machine=" },
        { "h",             REFUSED_ALWAYS,     "QEMU would only print its help" },
        { "help",          REFUSED_ALWAYS,     "QEMU would only print its help" },
        { "icount",        REFUSED_ALWAYS,     "processors that share memory cannot count instructions" },
        { "incoming",      REFUSED_ALWAYS,     "hetd itself hands a slave its memory" },
        { "initrd",        REFUSED_ALWAYS,     "use Initrd=" },
        { "kernel",        REFUSED_ALWAYS,     "use Kernel= or Firmware=" },
        { "loadvm",        REFUSED_ALWAYS,     "memory that is shared cannot be restored" },
        { "M",             REFUSED_ALWAYS,     "add it to Machine=" },
        { "m",             REFUSED_ALWAYS,     "use Memory= (master) or Window= (slave)" },
        { "machine",       REFUSED_ALWAYS,     "add it to Machine=" },
        { "mem-path",      REFUSED_ALWAYS,     "hetd hands out the memory" },
        { "mem-prealloc",  REFUSED_FOR_SLAVES, "a slave's memory is not there when QEMU starts" },
        { "name",          REFUSED_ALWAYS,     "the name is made of the platform's and the processor's" },
        { "nographic",     REFUSED_ALWAYS,     "it would take standard input, where hetd's monitor is" },
        { "only-migratable", REFUSED_ALWAYS,   "memory that is shared cannot be migrated" },
        { "preconfig",     REFUSED_ALWAYS,     "hetd expects a complete machine" },
        { "readconfig",    REFUSED_ALWAYS,     "write the options themselves, so that they can be checked" },
        { "runas",         REFUSED_ALWAYS,     "QEMU runs as who started it" },
        { "run-with",      REFUSED_ALWAYS,     "QEMU runs as who started it" },
        { "sandbox",       REFUSED_ALWAYS,     "it is on, as strict as it goes" },
        { "smp",           REFUSED_ALWAYS,     "use CPUs=" },
        { "version",       REFUSED_ALWAYS,     "QEMU would only print its version" },
};

/* Properties of -machine that are hetd's, and the keys to use instead */
static const struct {
        const char *name, *instead;
} refused_machine_options[] = {
        { "append",         "use CommandLine=" },
        { "dtb",            "use DeviceTree=" },
        { "dumpdtb",        "QEMU would end once it has written the device tree" },
        { "initrd",         "use Initrd=" },
        { "kernel",         "use Kernel= or Firmware=" },
        { "memory",         "use Memory= (master) or Window= (slave)" },
        { "memory-backend", "hetd hands out the memory" },
        { "slave",          "use Role=" },
        { "smp",            "use CPUs=" },
        { "type",           "begin with the machine's name" },
};

/* Whether one of the comma-separated parts of value is the word, or begins with it where it ends with '=' */
static bool has_part(const char *value, const char *word) {
        size_t length = strlen(word);
        bool prefix = word[length - 1] == '=';

        for (const char *s = value; s; s = strchr(s, ',')) {
                s += *s == ',';
                if (strncmp(s, word, length) == 0 && (prefix || s[length] == '\0' || s[length] == ','))
                        return true;
        }

        return false;
}

/* Anything that would read QEMU's standard input, where the monitor's socket is */
static bool uses_standard_input(const char *value) {
        return has_part(value, "stdio") || has_part(value, "mon:stdio") || has_part(value, "chardev:stdio") ||
                has_part(value, "fd=0") || has_part(value, "path=0") || has_part(value, "/dev/stdin") ||
                has_part(value, "path=/dev/stdin");
}

/* A -device of the IDM's family */
static bool names_idm(const char *value) {
        static const char *const drivers[] = { "idm_ipi", "idm_ipi-flat", "idm_ipi-pci", "idm_stm32", "idm_stm32-flat" };

        for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
                g_autofree char *option = g_strconcat("driver=", drivers[i], NULL);

                if (has_part(value, drivers[i]) || has_part(value, option))
                        return true;
        }

        return false;
}

static const char *value_problem(const char *option, const char *value, const ProcessorConfig *config) {
        if (uses_standard_input(value))
                return "standard input is the socket of hetd's monitor; use a UNIX socket";

        if (strcmp(option, "mon") == 0 || strcmp(option, "qmp") == 0 || strcmp(option, "qmp-pretty") == 0 ||
            strcmp(option, "monitor") == 0 || strcmp(option, "serial") == 0)
                if (has_part(value, "qmp") || has_part(value, "chardev=qmp") || has_part(value, "chardev:qmp") ||
                    has_part(value, "console") || has_part(value, "chardev=console") ||
                    has_part(value, "chardev:console"))
                        return "the character devices qmp and console are hetd's; add one of your own with -chardev";

        if (strcmp(option, "chardev") == 0 && (has_part(value, "id=qmp") || has_part(value, "id=console")))
                return "the ids qmp and console are hetd's; choose another";

        if (strcmp(option, "object") == 0 &&
            (has_part(value, "id=" COMMAND_LINE_MEMORY_ID) || has_part(value, "memory-backend-shared") ||
             has_part(value, "qom-type=memory-backend-shared")))
                return "the memory that is shared is hetd's (Memory=, Window=)";

        if (strcmp(option, "device") == 0 && names_idm(value))
                return "hetd adds the IDM itself";

        if (strcmp(option, "device") == 0 && config->role == PROCESSOR_SLAVE &&
            (has_part(value, "loader") || has_part(value, "driver=loader")))
                return "a slave's memory is not there when QEMU starts; use Firmware=";

        if (strcmp(option, "accel") == 0 && (has_part(value, "thread=single") || has_part(value, "one-insn-per-tb=on")))
                return "processors that share memory need threads of their own";

        if (strcmp(option, "overcommit") == 0 && config->role == PROCESSOR_SLAVE && has_part(value, "mem-lock=on"))
                return "a grant would populate all of the memory; use mem-lock=on-fault";

        return NULL;
}

static const char *option_problem(const char *option, const ProcessorConfig *config) {
        for (size_t i = 0; i < G_N_ELEMENTS(refused_options); i++)
                if (strcmp(option, refused_options[i].option) == 0 &&
                    (refused_options[i].whom == REFUSED_ALWAYS || config->role == PROCESSOR_SLAVE))
                        return refused_options[i].instead;

        return NULL;
}

char *extra_arguments_problem(char *const *arguments, const ProcessorConfig *config) {
        for (; *arguments; arguments++) {
                const char *option = *arguments, *instead;

                if (option[0] != '-') {
                        /* Of an option without a value the next one does not belong to it, but is a disk image */
                        continue;
                }

                option += option[1] == '-' ? 2 : 1;
                instead = option_problem(option, config);
                if (!instead && arguments[1])
                        instead = value_problem(option, arguments[1], config);
                if (instead)
                        return g_strdup_printf("%s%s%s is not possible here: %s", *arguments,
                                               arguments[1] && arguments[1][0] != '-' ? " " : "",
                                               arguments[1] && arguments[1][0] != '-' ? arguments[1] : "", instead);
        }

        return NULL;
}

char *machine_options_problem(const char *options) {
        g_auto(GStrv) parts = NULL;

        /* Begins with a comma, so that what is before the first one is empty */
        parts = g_strsplit(options, ",", -1);
        for (unsigned i = 1; parts[0] && parts[i]; i++) {
                const char *part = parts[i];
                size_t length = strcspn(part, "=.");

                if (length == 0)
                        return g_strdup_printf("there is an option without a name; write it like "
                                               "Machine=virt,highmem=off");

                for (size_t j = 0; j < G_N_ELEMENTS(refused_machine_options); j++)
                        if (strncmp(part, refused_machine_options[j].name, length) == 0 &&
                            refused_machine_options[j].name[length] == '\0')
                                return g_strdup_printf("the option '%s' is not possible here: %s", part,
                                                       refused_machine_options[j].instead);
        }

        return NULL;
}
