/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.hetd1.Job. The contract is dbus/org.hetd1.Job.xml. */

#include "bus.h"

#include "util/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bus_job_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        Manager *manager = userdata;
        const char *number = g_str_has_prefix(path, BUS_PATH_JOB "/") ? path + strlen(BUS_PATH_JOB "/") : "";
        guint64 id;
        Job *job;

        if (!g_ascii_string_to_unsigned(number, 10, 1, UINT32_MAX, &id, NULL))
                return 0;

        job = g_hash_table_lookup(manager->jobs, GUINT_TO_POINTER((guint) id));
        if (!job || !g_str_equal(job->path, path))
                return 0;

        *ret = job;
        return 1;
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Job *job = userdata;
        g_autoptr(GError) local = NULL;
        int r = bus_authorize(job->manager, m, BUS_ACTION_MANAGE, job->platform->config->name, error);

        if (r <= 0)
                return r < 0 ? r : 1;

        if (!job_cancel(job, &local))
                return bus_error_set(error, local);

        return sd_bus_reply_method_return(m, NULL);
}

BUS_GETTER(get_type, Job, job, "s", job_type_to_string(job->type))
BUS_GETTER(get_platform, Job, job, "o", job->platform->path)

const sd_bus_vtable bus_job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "u", NULL, offsetof(Job, id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Type", "s", get_type, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Platform", "o", get_platform, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Progress", "d", NULL, offsetof(Job, progress), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Step", "s", NULL, offsetof(Job, step), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};
