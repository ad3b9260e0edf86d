/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.hetd1.Processor. The contract is dbus/org.hetd1.Processor.xml. */

#include "bus.h"

#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bus_processor_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        Manager *manager = userdata;
        char *platform_name = NULL, *name = NULL;
        Platform *platform;
        Processor *p;
        int r = sd_bus_path_decode_many(path, BUS_PATH_PLATFORM "/%/processor/%", &platform_name, &name);

        if (r <= 0)
                return r;

        platform = g_hash_table_lookup(manager->platforms, platform_name);
        p = platform ? platform_find_processor(platform, name) : NULL;
        free(platform_name);
        free(name);
        if (!p || !g_str_equal(p->path, path))
                return 0;

        *ret = p;
        return 1;
}

/* What every method does first: may the caller do this, and are its arguments good */
static int begin(sd_bus_message *m, Processor *p, BusAction action, sd_bus_error *error) {
        return bus_authorize(p->platform->manager, m, action, p->platform->config->name, error);
}

/* Then, with the arguments read: keep the call until it is answered */
static int request(sd_bus_message *m, Processor *p, BusRequest **ret, sd_bus_error *error) {
        return bus_request_new(p->platform->manager, m, ret, error);
}

static int method_attach(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        BusRequest *call = NULL;
        const char *path;
        int r;

        r = begin(m, p, BUS_ACTION_DEFINE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = sd_bus_message_read(m, "s", &path);
        if (r >= 0)
                r = bus_options_read(m, BUS_NO_OPTIONS, error);
        if (r >= 0 && !g_path_is_absolute(path) && !qemu_bus_is_address(path))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "The path of a monitor must be absolute, or dbus:NAME on a bus: %s", path);
        if (r >= 0)
                r = request(m, p, &call, error);
        if (r < 0)
                return r;

        platform_attach(p, path, -EBADF, bus_request_done, call);
        return 1;
}

static int method_attach_fd(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        BusRequest *call = NULL;
        const char *address = NULL;
        const BusOption options[] = {
                { "Bus", BUS_OPTION_STRING, &address },
        };
        int fd, r;

        r = begin(m, p, BUS_ACTION_DEFINE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = sd_bus_message_read(m, "h", &fd);
        if (r >= 0)
                r = bus_options_read(m, options, G_N_ELEMENTS(options), error);
        if (r >= 0 && address && !qemu_bus_is_address(address))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "The option Bus is dbus:, and what may be behind it: %s", address);
        if (r >= 0)
                fd = r = fd_dup_cloexec(fd);
        if (r < 0)
                return r;

        r = request(m, p, &call, error);
        if (r < 0) {
                fd_close(fd);
                return r;
        }

        platform_attach(p, address, fd, bus_request_done, call);
        return 1;
}

/* Methods with nothing but options, of which there are none yet */
static int simple(sd_bus_message *m, Processor *p, sd_bus_error *error,
                  void (*verb)(Processor *p, DoneFunc done, void *userdata)) {
        BusRequest *call = NULL;
        int r;

        r = begin(m, p, BUS_ACTION_DEFINE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = bus_options_read(m, BUS_NO_OPTIONS, error);
        if (r >= 0)
                r = request(m, p, &call, error);
        if (r < 0)
                return r;

        verb(p, bus_request_done, call);
        return 1;
}

static int method_detach(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return simple(m, userdata, error, platform_detach);
}

static int method_stop(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return simple(m, userdata, error, processor_stop);
}

static int method_reset(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return simple(m, userdata, error, processor_reset);
}

static int method_restart(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return simple(m, userdata, error, processor_restart);
}

static int method_revoke_memory(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return simple(m, userdata, error, processor_revoke_memory);
}

static int method_boot(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        BusRequest *call = NULL;
        BootOptions boot = {};
        const char *protocol = NULL;
        bool load = true;
        const BusOption options[] = {
                { "Entry", BUS_OPTION_UINT64, &boot.entry, &boot.has_entry },
                { "Argument", BUS_OPTION_UINT64, &boot.argument, &boot.has_argument },
                { "Protocol", BUS_OPTION_STRING, &protocol, &boot.has_protocol },
                { "Firmware", BUS_OPTION_STRING, &boot.firmware },
                { "Load", BUS_OPTION_BOOL, &load },
        };
        int r;

        r = bus_options_read(m, options, G_N_ELEMENTS(options), error);
        if (r >= 0)
                r = begin(m, p, boot.firmware ? BUS_ACTION_DEFINE : BUS_ACTION_MANAGE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (protocol && !boot_protocol_from_string(protocol, &boot.protocol))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "There is no protocol %s; there are auto, raw, linux, vector-table", protocol);
        if (boot.firmware && !g_path_is_absolute(boot.firmware))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Firmware must be an absolute path: %s", boot.firmware);

        r = request(m, p, &call, error);
        if (r < 0)
                return r;

        boot.no_load = !load;
        processor_boot(p, &boot, bus_request_done, call);
        return 1;
}

static int method_kick(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        BusRequest *call = NULL;
        bool from_slave = false;
        uint32_t vector;
        const BusOption options[] = {
                { "FromSlave", BUS_OPTION_BOOL, &from_slave },
        };
        int r;

        r = begin(m, p, BUS_ACTION_MANAGE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = sd_bus_message_read(m, "u", &vector);
        if (r >= 0)
                r = bus_options_read(m, options, G_N_ELEMENTS(options), error);
        if (r >= 0)
                r = request(m, p, &call, error);
        if (r < 0)
                return r;

        processor_kick(p, vector, from_slave, bus_request_done, call);
        return 1;
}

static int method_grant_memory(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        BusRequest *call = NULL;
        uint64_t offset = 0;
        const BusOption options[] = {
                { "Offset", BUS_OPTION_UINT64, &offset },
        };
        int fd, r;

        r = begin(m, p, BUS_ACTION_MANAGE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = sd_bus_message_read(m, "h", &fd);
        if (r >= 0)
                r = bus_options_read(m, options, G_N_ELEMENTS(options), error);
        if (r >= 0)
                r = request(m, p, &call, error);
        if (r < 0)
                return r;

        processor_grant_memory(p, fd, offset, bus_request_done, call);
        return 1;
}

static int method_get_memory(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        g_autoptr(GError) local = NULL;
        int fd, r;

        r = begin(m, p, BUS_ACTION_MANAGE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (!processor_get_memory(p, &fd, &local))
                return bus_error_set(error, local);

        return sd_bus_reply_method_return(m, "htt", fd, p->window_offset, p->config->window_size);
}

static int method_dump_registers(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        BusRequest *call = NULL;
        int r;

        r = begin(m, p, BUS_ACTION_MANAGE, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = request(m, p, &call, error);
        if (r < 0)
                return r;

        processor_dump_registers(p, bus_request_done_fd, call);
        return 1;
}

BUS_GETTER(get_name, Processor, p, "s", p->config->name)
BUS_GETTER(get_platform, Processor, p, "o", p->platform->path)
BUS_GETTER(get_role, Processor, p, "s", processor_role_to_string(p->config->role))
BUS_GETTER(get_id, Processor, p, "u", p->config->id)
BUS_GETTER(get_machine, Processor, p, "s", p->config->machine)
BUS_GETTER(get_cpu, Processor, p, "s", p->config->cpu ?: p->config->board->default_cpu ?: "")
BUS_GETTER(get_state, Processor, p, "s", processor_state_to_string(p->state))
BUS_GETTER(get_reason, Processor, p, "s", p->reason)
BUS_GETTER(get_reason_text, Processor, p, "s", p->reason_text)
BUS_GETTER(get_window, Processor, p, "(tt)", p->config->window_address, processor_is_master(p) ? (uint64_t) 0 : p->config->window_size)
BUS_GETTER(get_access, Processor, p, "s", processor_is_master(p) ? "" : window_access_to_string(p->config->read_only))
BUS_GETTER(get_memory_granted, Processor, p, "b", (int) p->granted)
BUS_GETTER(get_console, Processor, p, "s", processor_get_console(p) ?: "")
BUS_GETTER(get_console_log, Processor, p, "s", p->log_path ?: "")
BUS_GETTER(get_monitor, Processor, p, "s", p->monitor_path ?: "")
BUS_GETTER(get_pid, Processor, p, "u", p->process ? (uint32_t) spawn_get_pid(p->process) : 0)
BUS_GETTER(get_unit, Processor, p, "s", p->process && p->unit ? p->unit : "")

static int get_interrupts(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                          void *userdata, sd_bus_error *error) {
        Processor *p = userdata;
        CoupleCounters master = {}, slave = {};

        if (p->couple)
                couple_get_counters(p->couple, &master, &slave);

        return sd_bus_message_append(reply, "(tttt)", master.sent, master.coalesced, slave.sent, slave.coalesced);
}

#define OPTIONS SD_BUS_ARGS("a{sv}", options)
#define FREE    SD_BUS_VTABLE_UNPRIVILEGED      /* for the bus library; bus_authorize() decides */
#define CONST   SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

const sd_bus_vtable bus_processor_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Attach", SD_BUS_ARGS("s", qmp_path, "a{sv}", options), SD_BUS_NO_RESULT, method_attach, FREE),
        SD_BUS_METHOD_WITH_ARGS("AttachFd", SD_BUS_ARGS("h", qmp, "a{sv}", options), SD_BUS_NO_RESULT, method_attach_fd, FREE),
        SD_BUS_METHOD_WITH_ARGS("Detach", OPTIONS, SD_BUS_NO_RESULT, method_detach, FREE),
        SD_BUS_METHOD_WITH_ARGS("Boot", OPTIONS, SD_BUS_NO_RESULT, method_boot, FREE),
        SD_BUS_METHOD_WITH_ARGS("Stop", OPTIONS, SD_BUS_NO_RESULT, method_stop, FREE),
        SD_BUS_METHOD_WITH_ARGS("Reset", OPTIONS, SD_BUS_NO_RESULT, method_reset, FREE),
        SD_BUS_METHOD_WITH_ARGS("Restart", OPTIONS, SD_BUS_NO_RESULT, method_restart, FREE),
        SD_BUS_METHOD_WITH_ARGS("Kick", SD_BUS_ARGS("u", vector, "a{sv}", options), SD_BUS_NO_RESULT, method_kick, FREE),
        SD_BUS_METHOD_WITH_ARGS("GrantMemory", SD_BUS_ARGS("h", memory, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_grant_memory, FREE),
        SD_BUS_METHOD_WITH_ARGS("RevokeMemory", OPTIONS, SD_BUS_NO_RESULT, method_revoke_memory, FREE),
        SD_BUS_METHOD_WITH_ARGS("GetMemory", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", memory, "t", offset, "t", size),
                                method_get_memory, FREE),
        SD_BUS_METHOD_WITH_ARGS("DumpRegisters", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", core), method_dump_registers, FREE),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, CONST),
        SD_BUS_PROPERTY("Platform", "o", get_platform, 0, CONST),
        SD_BUS_PROPERTY("Role", "s", get_role, 0, CONST),
        SD_BUS_PROPERTY("Id", "u", get_id, 0, CONST),
        SD_BUS_PROPERTY("Machine", "s", get_machine, 0, CHANGES),
        SD_BUS_PROPERTY("CPU", "s", get_cpu, 0, CHANGES),
        SD_BUS_PROPERTY("State", "s", get_state, 0, CHANGES),
        SD_BUS_PROPERTY("Reason", "s", get_reason, 0, CHANGES),
        SD_BUS_PROPERTY("ReasonText", "s", get_reason_text, 0, CHANGES),
        SD_BUS_PROPERTY("Window", "(tt)", get_window, 0, CHANGES),
        SD_BUS_PROPERTY("Access", "s", get_access, 0, CHANGES),
        SD_BUS_PROPERTY("MemoryGranted", "b", get_memory_granted, 0, CHANGES),
        SD_BUS_PROPERTY("Console", "s", get_console, 0, CHANGES),
        SD_BUS_PROPERTY("ConsoleLog", "s", get_console_log, 0, CHANGES),
        SD_BUS_PROPERTY("Monitor", "s", get_monitor, 0, CHANGES),
        SD_BUS_PROPERTY("Pid", "u", get_pid, 0, CHANGES),
        SD_BUS_PROPERTY("Unit", "s", get_unit, 0, CHANGES),
        SD_BUS_PROPERTY("Boots", "t", NULL, offsetof(Processor, boots), CHANGES),
        SD_BUS_PROPERTY("Restarts", "u", NULL, offsetof(Processor, restart.count), CHANGES),
        SD_BUS_PROPERTY("StateChangeTimestamp", "t", NULL, offsetof(Processor, state_usec), CHANGES),
        SD_BUS_PROPERTY("Interrupts", "(tttt)", get_interrupts, 0, 0),
        SD_BUS_VTABLE_END,
};
