/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The boot of a processor. See processor.h. */

#include "processor.h"

#include "device-tree.h"
#include "firmware.h"
#include "linux-boot.h"
#include "linux-x86.h"
#include "log.h"
#include "platform.h"
#include "util/file-util.h"
#include "util/json-util.h"
#include "window.h"

#include <unistd.h>

/* --- a boot that is at work --- */

typedef struct Boot {
        Processor *processor;
        uint64_t entry, argument;
        uint64_t resource_table;        /* 0: none is known */
        BootProtocol protocol;
        bool has_linux;                 /* that of Kernel= was loaded */
        LinuxBoot linux_boot;
        char *device_tree;              /* the file that QEMU dumps its board into */
        DoneFunc done;
        void *userdata;
} Boot;

static void boot_end(Boot *boot, const GError *error) {
        DoneFunc done = boot->done;
        void *userdata = boot->userdata;

        if (boot->device_tree)
                (void) unlink(boot->device_tree);
        processor_end_verb(boot->processor);
        linux_boot_clear(&boot->linux_boot);
        g_free(boot->device_tree);
        g_free(boot);
        done(error, userdata);
}

static void on_booted(const GError *error, void *userdata) {
        boot_end(userdata, error);
}

static void boot_go(Boot *boot) {
        json_object *arguments = json_object_new_object();

        json_add_uint64(arguments, "entry", boot->entry);
        /* QEMU takes some microseconds for each byte of a command: no word of the defaults */
        if (boot->argument != 0)
                json_add_uint64(arguments, "argument", boot->argument);
        if (boot->protocol != BOOT_PROTOCOL_AUTO)
                json_add_string(arguments, "protocol", boot_protocol_to_string(boot->protocol));
        if (boot->resource_table != 0)
                json_add_uint64(arguments, "resource-table", boot->resource_table);
        processor_call_for_state(boot->processor, "het-slave-boot", arguments, PROCESSOR_STATE_MASK(PROCESSOR_RUNNING), on_booted, boot);
}

/* --- the device tree of a slave with Linux --- */

static bool place_device_tree(Boot *boot, const void *blob, size_t size, GError **error) {
        Processor *p = boot->processor;
        uint64_t offset;
        int r;

        if (!linux_boot_place_tree(p->config, boot->has_linux ? &boot->linux_boot : NULL, size, &offset, error))
                return false;

        r = window_write(p->window_fd, blob, size, p->window_offset + offset);
        if (r < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "%s: Cannot write the device tree into the window: %s",
                            p->config->name, g_strerror(-r));
                return false;
        }

        boot->argument = p->config->window_address + offset;
        return true;
}

static bool make_device_tree(Boot *boot, const char *base, size_t base_size, GError **error) {
        const ProcessorConfig *config = boot->processor->config;
        g_autofree void *made = NULL;
        size_t size;

        return device_tree_make_slave(config, base, base_size, config->window_address + boot->linux_boot.initrd_offset,
                                      boot->linux_boot.initrd_size, &made, &size, error) &&
                place_device_tree(boot, made, size, error);
}

static void on_dumped(const GError *error, void *userdata) {
        Boot *boot = userdata;
        g_autoptr(GError) local = NULL;
        g_autofree char *base = NULL;
        size_t size;

        if (error)
                boot_end(boot, error);
        else if (file_read(boot->device_tree, DEVICE_TREE_SIZE_MAX, &base, &size, &local) &&
                 make_device_tree(boot, base, size, &local))
                boot_go(boot);
        else
                boot_end(boot, local);
}

static void boot_with_device_tree(Boot *boot) {
        Processor *p = boot->processor;
        g_autoptr(GError) error = NULL;
        g_autofree char *blob = NULL;
        json_object *arguments;
        size_t size;

        if (p->config->device_tree) {
                if (file_read(p->config->device_tree, DEVICE_TREE_SIZE_MAX, &blob, &size, &error) &&
                    place_device_tree(boot, blob, size, &error))
                        boot_go(boot);
                else
                        boot_end(boot, error);
                return;
        }

        boot->device_tree = g_strdup_printf("%s/%s.dtb", p->platform->directory, p->config->name);
        arguments = json_object_new_object();
        json_add_string(arguments, "filename", boot->device_tree);
        processor_call(p, "dumpdtb", arguments, NULL, 0, on_dumped, boot);
}

/* --- a PC has none --- */

static void boot_with_parameters(Boot *boot) {
        Processor *p = boot->processor;
        g_autoptr(GError) error = NULL;

        if (linux_x86_write_parameters(&boot->linux_boot, p->config, p->window_fd, p->window_offset, &boot->argument, &error))
                boot_go(boot);
        else
                boot_end(boot, error);
}

/* --- boot --- */

static bool load_firmware(Boot *boot, const char *firmware, GError **error) {
        Processor *p = boot->processor;
        const ProcessorConfig *config = p->config;
        bool vector_table = boot->protocol == BOOT_PROTOCOL_VECTOR_TABLE ||
                (boot->protocol == BOOT_PROTOCOL_AUTO && config->board->m_profile);
        FirmwareWindow window = {
                .fd = p->window_fd,
                .offset = p->window_offset,
                .size = config->window_size,
                .bus_address = config->window_address,
                .ram_base = config->board->ram_base,
                .architecture = config->board->architecture,
        };

        return firmware_load(firmware, &window, vector_table, &p->firmware_entry, &p->firmware_resource_table, error);
}

static bool load_kernel(Boot *boot, GError **error) {
        Processor *p = boot->processor;

        if (!linux_boot_open(p->config, &boot->linux_boot, error) ||
            !linux_boot_load(&boot->linux_boot, p->config, p->window_fd, p->window_offset, error))
                return false;

        boot->has_linux = true;
        p->firmware_resource_table = 0;
        /* Of a PC all is in its own memory, at 0, which begins as Linux wants it */
        p->firmware_entry = (p->config->board->kernel_without_tree ? p->config->board->ram_base : p->config->window_address) +
                boot->linux_boot.kernel.entry_offset;
        return true;
}

static bool boot_load(Boot *boot, const BootOptions *options, GError **error) {
        Processor *p = boot->processor;
        const ProcessorConfig *config = p->config;
        const char *firmware = options->firmware ?: config->firmware;

        if ((firmware || config->kernel) && !options->no_load) {
                if (!(firmware ? load_firmware(boot, firmware, error) : load_kernel(boot, error)))
                        return false;
                p->has_firmware_entry = true;
        }

        /* With an entry of its own, in a window that hetd has not filled, runs something else than what hetd has once loaded */
        boot->resource_table = options->resource_table;
        if (boot->resource_table == 0 && p->has_firmware_entry && !(options->has_entry && options->no_load))
                boot->resource_table = p->firmware_resource_table;

        if (options->has_entry)
                boot->entry = options->entry;
        else if (config->has_entry && !options->firmware)
                boot->entry = config->entry;
        else if (p->has_firmware_entry)
                boot->entry = p->firmware_entry;
        else {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: It is not known where it begins: set Firmware=, Kernel= "
                            "or Entry= in [Processor %s], or give the option Entry or Firmware", config->name, config->name);
                return false;
        }

        return true;
}

static bool may_boot(Processor *p, GError **error) {
        if (processor_is_master(p))
                return processor_wrong_state(p, error, "it is the master, which runs from the start of the platform on");
        if (p->state == PROCESSOR_RUNNING || p->state == PROCESSOR_PAUSED)
                return processor_wrong_state(p, error, "it was booted already, stop it first");
        if (p->state == PROCESSOR_WAITING)
                return processor_wrong_state(p, error, "it has no memory to boot from");
        if (p->state != PROCESSOR_READY && p->config->start == PROCESSOR_START_HETD && !p->process &&
            platform_is_active(p->platform))
                return processor_wrong_state(p, error, "it has no QEMU process, restart it first");
        if (p->state != PROCESSOR_READY)
                return processor_wrong_state(p, error, "only a slave that is ready can be booted");
        if (p->window_fd < 0)
                return processor_wrong_state(p, error, "its window is not known to hetd");

        return processor_begin(p, "boot", error);
}

void processor_boot(Processor *p, const BootOptions *options, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;
        Boot *boot;

        if (!may_boot(p, &error)) {
                done(error, userdata);
                return;
        }

        boot = g_new0(Boot, 1);
        boot->processor = p;
        boot->linux_boot = (LinuxBoot) LINUX_BOOT_INIT;
        boot->done = done;
        boot->userdata = userdata;
        boot->argument = options->has_argument ? options->argument : p->config->argument;
        boot->protocol = options->has_protocol ? options->protocol : p->config->protocol;

        if (!boot_load(boot, options, &error))
                boot_end(boot, error);
        else if (boot->has_linux && p->config->board->kernel_without_tree)
                boot_with_parameters(boot);
        else if (boot->protocol == BOOT_PROTOCOL_LINUX && boot->argument == 0)
                boot_with_device_tree(boot);            /* nobody has said where one is */
        else
                boot_go(boot);
}

void processor_auto_boot(Processor *p, DoneFunc done, void *userdata) {
        const BootOptions options = {};

        if (p->config->auto_boot && p->state == PROCESSOR_READY && !p->busy) {
                processor_boot(p, &options, done, userdata);
                return;
        }

        if (p->config->auto_boot && p->monitor_ready && p->state != PROCESSOR_WAITING)
                processor_log(p, LOG_INFO, "%s: The master's guest was faster than AutoBoot=", p->config->name);
        done(NULL, userdata);
}
