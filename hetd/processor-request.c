/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Requests of the master's guest: to boot a slave, to stop it. See processor.h.
 *
 * The guest sees the state of a slave in the control page, at once. The same news, and the answer to our last command, reach hetd
 * through the slave's monitor a little later, perhaps behind a request that the guest makes because of them. Such a request waits.
 */

#include "processor.h"

#include "log.h"
#include "platform.h"
#include "util/json-util.h"

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
