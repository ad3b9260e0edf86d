/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Boot, stop, reset and kick of a processor, by a client of hetd or by the master's guest. See processor.h. */

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

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- a command, and the state that it leads to --- */

typedef struct Effect {
        Processor *processor;
        unsigned mask;                  /* of the states, 0: none */
        bool answered, waiting, ended;
        DoneFunc done;
        void *userdata;
} Effect;

static void effect_unref(Effect *effect) {
        if (effect->ended && effect->answered && !effect->waiting)
                g_free(effect);
}

static void effect_end(Effect *effect, const GError *error) {
        DoneFunc done = effect->done;
        void *userdata = effect->userdata;

        effect->ended = true;
        effect_unref(effect);
        done(error, userdata);
}

static void on_effect_seen(const GError *error, void *userdata) {
        Effect *effect = userdata;

        effect->waiting = false;
        if (effect->ended)
                effect_unref(effect);
        else if (!error || effect->answered)            /* else the answer says more */
                effect_end(effect, error);
}

static void effect_wait(Effect *effect) {
        effect->waiting = true;
        processor_wait(effect->processor, effect->mask | PROCESSOR_FROM_CRASH, PROCESSOR_STATE_TIMEOUT_USEC, on_effect_seen, effect);
}

static void on_effect_answered(const GError *error, void *userdata) {
        Effect *effect = userdata;

        effect->answered = true;
        if (effect->ended)
                effect_unref(effect);
        else if (error || !effect->mask)
                effect_end(effect, error);
        else if (!effect->waiting)
                effect_wait(effect);
}

/*
 * QEMU tells of the state by an event, which comes before the answer or right after it. It is the event that counts: who sees the
 * state, and has another wish at once, shall not be told that this one is still being carried out.
 */
static void call_for_state(Processor *p, const char *command, json_object *arguments_consume, unsigned mask, DoneFunc done,
                           void *userdata) {
        Effect *effect = g_new0(Effect, 1);

        effect->processor = p;
        effect->mask = mask;
        effect->done = done;
        effect->userdata = userdata;
        if (mask && !processor_in_states(p, mask))
                effect_wait(effect);
        processor_call(p, command, arguments_consume, NULL, 0, on_effect_answered, effect);
}

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
        call_for_state(boot->processor, "het-slave-boot", arguments, PROCESSOR_STATE_MASK(PROCESSOR_RUNNING), on_booted, boot);
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

/* --- verbs that are one command --- */

typedef struct Verb {
        Processor *processor;
        DoneFunc done;
        void *userdata;
} Verb;

static void on_verb_done(const GError *error, void *userdata) {
        g_autofree Verb *verb = userdata;

        processor_end_verb(verb->processor);
        verb->done(error, verb->userdata);
}

static void verb_run(Processor *p, const char *command, unsigned mask, DoneFunc done, void *userdata) {
        Verb *verb = g_new0(Verb, 1);

        verb->processor = p;
        verb->done = done;
        verb->userdata = userdata;
        call_for_state(p, command, NULL, mask, on_verb_done, verb);
}

#define STATES_NOT_BOOTED (PROCESSOR_STATE_MASK(PROCESSOR_READY) | PROCESSOR_STATE_MASK(PROCESSOR_WAITING))

void processor_stop(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;

        if (processor_is_master(p))
                processor_wrong_state(p, &error, "it is the master, stop the platform instead");
        else if (!p->monitor_ready)
                processor_wrong_state(p, &error, "there is no QEMU to be stopped");
        else if (processor_begin(p, "stop", &error)) {
                verb_run(p, "het-slave-stop", STATES_NOT_BOOTED, done, userdata);
                return;
        }

        done(error, userdata);
}

void processor_reset(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;

        if (!p->monitor_ready)
                processor_wrong_state(p, &error, "there is no QEMU to be reset");
        else if (processor_begin(p, "reset", &error)) {
                verb_run(p, "system_reset", processor_is_master(p) ? 0 : STATES_NOT_BOOTED, done, userdata);
                return;
        }

        done(error, userdata);
}

void processor_kick(Processor *p, uint32_t vector, bool from_slave, DoneFunc done, void *userdata) {
        Processor *sender = from_slave ? p : platform_get_master(p->platform);
        g_autoptr(GError) error = NULL;
        json_object *arguments;

        if (vector >= HET_VECTORS)
                g_set_error(&error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "There is no vector %u, they are 0 to %u", vector,
                            HET_VECTORS - 1);
        else if (processor_is_master(p))
                processor_wrong_state(p, &error, "it is the master, kick a slave (or with FromSlave the master from a slave)");
        else if (!p->couple)
                processor_wrong_state(p, &error, "it has no couple with the master now");
        if (error) {
                done(error, userdata);
                return;
        }

        arguments = json_object_new_object();
        json_add_uint64(arguments, "id", from_slave ? 0 : p->config->id);
        json_add_uint64(arguments, "vector", vector);
        processor_call(sender, "het-ipi-send", arguments, NULL, 0, done, userdata);
}

/*
 * --- requests of the master's guest ---
 *
 * The guest sees the state of a slave in the control page, at once. The same news, and the answer to our last command, reach hetd
 * through the slave's monitor a little later, perhaps behind a request that the guest makes because of them. Such a request waits.
 */

#define HET_STATE_READY         2U      /* HetState in qapi/het.json */
#define REQUESTS_MAX            4U      /* of one slave: a master's QEMU makes the next one when the last one was answered */

typedef struct Request Request;

struct Request {
        Processor *master, *slave;
        uint32_t id;
        const char *verb;
        unsigned resets;                /* of the master before it */
        uint64_t process;               /* of the master: its start */
        bool repeated;                  /* it may have been carried out, and nobody has told the guest */
        void (*carry_out)(Request *request);
        BootOptions options;
};

static void on_completed(const GError *error, void *userdata) {
        Processor *master = userdata;

        if (error)
                processor_log(master, LOG_WARNING, "%s", error->message);
}

static void on_request_carried_out(const GError *error, void *userdata) {
        g_autofree Request *request = userdata;
        Processor *master = request->master;
        json_object *arguments = json_object_new_object();
        const char *result = "done";

        if (request->slave)
                request->slave->requests--;
        if (error) {
                bool refused = error->code == HET_ERROR_WRONG_STATE || error->code == HET_ERROR_INVALID_ARGUMENT ||
                        error->code == HET_ERROR_NO_SUCH_PROCESSOR;

                result = refused ? "refused" : "failed";
                processor_log(master, LOG_WARNING, "The guest's request to %s slave %u was %s: %s", request->verb, request->id,
                              result, error->message);
        }

        /* Another one has not asked */
        if (request->process != master->started_usec) {
                json_object_put(arguments);
                return;
        }

        json_add_uint64(arguments, "id", request->id);
        json_add_string(arguments, "result", result);
        processor_call(master, "het-request-complete", arguments, NULL, 0, on_completed, master);
}

/* NULL when it was refused already, or is not answered */
static Request *request_new(Processor *master, json_object *data, const char *verb) {
        uint64_t id = 0;
        Request *request;
        Processor *slave;

        if (!json_get_uint64(data, "id", &id) || id > UINT32_MAX)
                return NULL;

        /* At the end of the job it is told again */
        if (master->platform->job && master->platform->job->type == JOB_ADOPT)
                return NULL;

        slave = platform_find_slave(master->platform, (uint32_t) id);
        if (slave && slave->requests >= REQUESTS_MAX) {
                processor_log(master, LOG_DEBUG, "Slave %u has too many requests already, one more is not looked at", slave->config->id);
                return NULL;
        }

        request = g_new0(Request, 1);
        request->master = master;
        request->slave = slave;
        if (slave)
                slave->requests++;
        request->resets = master->platform->resets;
        request->process = master->started_usec;
        request->repeated = master->repeating;
        request->id = (uint32_t) id;
        request->verb = verb;
        if (slave && (slave->monitor_ready || processor_is_restarting(slave)))
                return request;

        g_autoptr(GError) error = g_error_new(HET_ERROR, HET_ERROR_NO_SUCH_PROCESSOR, "There is no slave %u now", request->id);

        on_request_carried_out(error, request);
        return NULL;
}

static void on_settled(const GError *error, void *userdata);

/* No verb is at work, no restart: only then is it clear what can be done */
static void wait_settled(Request *request) {
        processor_wait(request->slave, PROCESSOR_STATES_ALL | PROCESSOR_SETTLED, PROCESSOR_STATE_TIMEOUT_USEC, on_settled, request);
}

static void on_settled(const GError *error, void *userdata) {
        Request *request = userdata;
        g_autoptr(GError) stale = NULL;

        if (!error && (request->slave->busy || processor_is_restarting(request->slave) || processor_is_failing(request->slave))) {
                wait_settled(request);          /* somebody was before us */
                return;
        }

        if (request->resets != request->master->platform->resets)
                stale = g_error_new(HET_ERROR, HET_ERROR_WRONG_STATE,
                                    "The guest that has asked for it is gone: the master was reset");
        if (error || stale)
                on_request_carried_out(error ?: stale, request);
        else
                request->carry_out(request);
}

static void on_ready_to_boot(const GError *error, void *userdata) {
        Request *request = userdata;

        if (error)
                on_request_carried_out(error, request);
        else
                processor_boot(request->slave, &request->options, on_request_carried_out, request);
}

static void carry_out_boot(Request *request) {
        Processor *slave = request->slave;

        /* It was there, or was being started again, when the guest asked */
        if (!slave->monitor_ready) {
                g_autoptr(GError) gone = g_error_new(HET_ERROR, slave->failure, "%s: %s", slave->config->name, slave->reason_text);

                on_request_carried_out(gone, request);
                return;
        }

        if (request->repeated && slave->state == PROCESSOR_RUNNING)
                on_request_carried_out(NULL, request);
        else if (slave->couple && couple_get_slave_state(slave->couple) == HET_STATE_READY)
                processor_wait(slave, PROCESSOR_STATE_MASK(PROCESSOR_READY) | PROCESSOR_IDLE, PROCESSOR_STATE_TIMEOUT_USEC,
                               on_ready_to_boot, request);
        else
                on_ready_to_boot(NULL, request);
}

static void carry_out_stop(Request *request) {
        processor_stop(request->slave, on_request_carried_out, request);
}

void processor_boot_requested(Processor *master, json_object *data) {
        const char *protocol = json_get_string(data, "protocol");
        Request *request = request_new(master, data, "boot");
        BootOptions *options;

        if (!request)
                return;

        request->carry_out = carry_out_boot;
        options = &request->options;

        /* Without an entry: as the platform file says. With one the guest has loaded the window, and hetd keeps off it (but for the
         * device tree of a Linux, if the guest has none). */
        (void) json_get_uint64(data, "entry", &options->entry);
        if (options->entry != 0) {
                options->has_entry = options->has_argument = options->no_load = true;
                (void) json_get_uint64(data, "argument", &options->argument);
                options->has_protocol = protocol && boot_protocol_from_string(protocol, &options->protocol);
        }
        (void) json_get_uint64(data, "resource-table", &options->resource_table);

        wait_settled(request);
}

void processor_stop_requested(Processor *master, json_object *data) {
        Request *request = request_new(master, data, "stop");

        if (!request)
                return;

        /* It does not run, and will not when it is back: nobody needs to wait for that */
        if (processor_is_restarting(request->slave)) {
                request->slave->restart.no_boot = true;
                on_request_carried_out(NULL, request);
                return;
        }

        /* One that has crashed, too: that is how Linux begins to start it anew */
        request->carry_out = carry_out_stop;
        wait_settled(request);
}

static void on_repeated(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        Processor *master = userdata;

        master->repeating = false;
}

/* The events come before the answer */
void processor_repeat_requests(Processor *master) {
        if (!master->monitor_ready)
                return;

        master->repeating = qmp_client_call(master->monitor, "het-request-repeat", NULL, NULL, 0, 0, on_repeated, master, NULL) > 0;
}
