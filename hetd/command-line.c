/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Command lines of QEMU. Called by what starts processes, and by hetctl to show them. */

#include "command-line.h"

#include <inttypes.h>

/* The IDM: on a platform bus, which gives it address and interrupt; for boards without one, which is told both; on PCI */
#define IDM_DEVICE              "idm_ipi"
#define IDM_DEVICE_FLAT         "idm_ipi-flat"
#define IDM_DEVICE_PCI          "idm_ipi-pci"
#define STM32_DEVICE            "idm_stm32"
#define STM32_DEVICE_FLAT       "idm_stm32-flat"

/* For QEMU 10's TCG nothing stricter is left: threads and the sockets that are handed over go on working */
#define SANDBOX                 "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

static void add(GPtrArray *argv, const char *argument) {
        g_ptr_array_add(argv, g_strdup(argument));
}

static void add_option(GPtrArray *argv, const char *option, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void add_option(GPtrArray *argv, const char *option, const char *format, ...) {
        va_list args;

        va_start(args, format);
        add(argv, option);
        g_ptr_array_add(argv, g_strdup_vprintf(format, args));
        va_end(args);
}

char *command_line_quote(const char *value) {
        g_autoptr(GString) quoted = g_string_new(NULL);

        for (; *value != '\0'; value++) {
                if (*value == ',')
                        g_string_append_c(quoted, ',');
                g_string_append_c(quoted, *value);
        }

        return g_string_free(g_steal_pointer(&quoted), FALSE);
}

static void add_common(GPtrArray *argv, const PlatformConfig *platform, const ProcessorConfig *c,
                       const CommandLinePaths *paths) {
        g_autofree char *socket = command_line_quote(paths->console_socket), *log = command_line_quote(paths->console_log);

        add_option(argv, "-name", "%s/%s,process=het-%s,debug-threads=on", platform->name, c->name, c->name);
        add(argv, "-nodefaults");
        add(argv, "-no-user-config");
        add_option(argv, "-display", "none");
        add_option(argv, "-sandbox", "%s", SANDBOX);
        add_option(argv, "-chardev", "socket,id=qmp,fd=0,server=on,wait=off");
        add_option(argv, "-mon", "chardev=qmp,mode=control");
        add_option(argv, "-chardev", "socket,id=console,path=%s,server=on,wait=off,drop=on,logfile=%s,logappend=on", socket,
                   log);
        add_option(argv, "-serial", "chardev:console");
}

static void add_stm32_slave(GPtrArray *argv, const Board *board) {
        if (board->architecture != ARCHITECTURE_ARM)
                return;         /* there is no STM32 of that kind; the master sees the vectors of the IDM acknowledged */
        if (board->platform_bus)
                add_option(argv, "-device", "%s", STM32_DEVICE);
        else
                add_option(argv, "-device", "%s,addr=0x%" PRIx64 ",irq=%u,irq-free=%u", STM32_DEVICE_FLAT,
                           board->stm32_address, board->stm32_irq, board->stm32_irq_free);
}

/* STM32 registers for a couple: the master has them for each of the slaves that its Linux drives so, the slave for firmware
 * that speaks to such a mailbox. They come after the IDM; the addresses on the platform bus follow from the order. */
static void add_stm32(GPtrArray *argv, const PlatformConfig *platform, const ProcessorConfig *c) {
        if (c->role == PROCESSOR_SLAVE) {
                if (c->remoteproc == REMOTEPROC_STM32)
                        add_stm32_slave(argv, c->board);
                return;
        }

        for (unsigned i = 0; i < platform->processors->len; i++) {
                const ProcessorConfig *slave = g_ptr_array_index(platform->processors, i);

                if (slave->role == PROCESSOR_SLAVE && slave->remoteproc == REMOTEPROC_STM32)
                        add_option(argv, "-device", "%s,couple=%u,entry=0x%" PRIx64 ",argument=0x%" PRIx64, STM32_DEVICE,
                                   slave->id, slave->has_entry ? slave->entry : slave->window_address, slave->argument);
        }
}

static void add_machine(GPtrArray *argv, const PlatformConfig *platform, const ProcessorConfig *c) {
        if (c->role == PROCESSOR_SLAVE) {
                add_option(argv, "-object", "memory-backend-shared,id=%s,size=%" PRIu64, COMMAND_LINE_MEMORY_ID,
                           c->memory);
                add_option(argv, "-machine", "%s,slave=on,memory-backend=%s", c->machine, COMMAND_LINE_MEMORY_ID);
        } else
                add_option(argv, "-machine", "%s", c->machine);

        add_option(argv, "-m", "%" PRIu64 "B", c->memory);
        if (c->cpu)
                add_option(argv, "-cpu", "%s", c->cpu);
        add_option(argv, "-smp", "%u", c->cpus);

        if (c->idm_pci)
                add_option(argv, "-device", "%s,id=idm", IDM_DEVICE_PCI);
        else if (c->board->platform_bus)
                add_option(argv, "-device", "%s,id=idm", IDM_DEVICE);
        else
                add_option(argv, "-device", "%s,id=idm,addr=0x%" PRIx64 ",irq=%u", IDM_DEVICE_FLAT,
                           c->board->idm_address, c->board->idm_irq);
        add_stm32(argv, platform, c);
}

/* A slave's memory is not there yet: hetd loads it later */
static void add_boot(GPtrArray *argv, const ProcessorConfig *c, const CommandLinePaths *paths) {
        const char *device_tree = paths->device_tree ?: c->device_tree;

        if (c->role == PROCESSOR_SLAVE) {
                /* Who shuts down or panics stays, so that its memory can be looked at and it can be booted again */
                add_option(argv, "-action", "shutdown=pause,panic=pause");
                return;
        }

        add(argv, "-S");
        if (c->firmware && c->board->firmware_is_rom)
                add_option(argv, "-bios", "%s", c->firmware);
        else if (c->firmware || c->kernel)
                add_option(argv, "-kernel", "%s", c->firmware ?: c->kernel);
        if (c->initrd)
                add_option(argv, "-initrd", "%s", c->initrd);
        if (c->command_line)
                add_option(argv, "-append", "%s", c->command_line);
        if (device_tree)
                add_option(argv, "-dtb", "%s", device_tree);
}

char **command_line_build(const PlatformConfig *platform, const ProcessorConfig *processor,
                          const CommandLinePaths *paths) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

        add(argv, paths->qemu);
        add_common(argv, platform, processor, paths);
        add_machine(argv, platform, processor);
        add_boot(argv, processor, paths);

        for (char **extra = processor->extra_arguments; extra && *extra; extra++)
                add(argv, *extra);

        g_ptr_array_add(argv, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}
