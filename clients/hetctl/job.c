/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus-json.h"
#include "loop.h"
#include "text.h"

struct JobWatch {
        Client *client;
        sd_event *event;
        sd_bus_slot *removed, *changed, *owner;
        char *job;
        bool show;
        double progress;
        char *step;
        bool ended;
        char *result, *message;         /* of JobRemoved */
        GError *error;                  /* ended without it */
};

JobWatch *job_watch_free(JobWatch *watch) {
        if (watch) {
                sd_bus_slot_unref(watch->removed);
                sd_bus_slot_unref(watch->changed);
                sd_bus_slot_unref(watch->owner);
                if (watch->event)
                        (void) sd_bus_detach_event(watch->client->bus);
                sd_event_unref(watch->event);
                g_clear_error(&watch->error);
                g_free(watch->job);
                g_free(watch->step);
                g_free(watch->result);
                g_free(watch->message);
                g_free(watch);
        }

        return NULL;
}

static int end_wait(JobWatch *watch) {
        watch->ended = true;
        return watch->event ? sd_event_exit(watch->event, 0) : 0;
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        JobWatch *watch = userdata;
        const char *job, *result, *message;

        if (sd_bus_message_read(m, "uoss", NULL, &job, &result, &message) < 0 || g_strcmp0(job, watch->job) != 0 ||
            watch->ended)
                return 0;

        watch->result = g_strdup(result);
        watch->message = g_strdup(message);
        return end_wait(watch);
}

static void show_progress(const JobWatch *watch) {
        g_autofree char *step = text_clean(watch->step);
        size_t width = client_width(stderr);
        g_autofree char *cut = text_ellipsize(step, width > 8 ? width - 8 : 1);

        fprintf(stderr, "\r\033[K[%3d%%] %s", (int) (watch->progress * 100), cut);
        fflush(stderr);
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        g_autoptr(json_object) properties = NULL;
        JobWatch *watch = userdata;
        json_object *value = NULL;

        if (g_strcmp0(sd_bus_message_get_path(m), watch->job) != 0 || !watch->show ||
            sd_bus_message_skip(m, "s") < 0 || bus_json_read(m, &properties) < 0)
                return 0;

        if (json_object_object_get_ex(properties, "Progress", &value))
                watch->progress = CLAMP(json_object_get_double(value), 0.0, 1.0);
        if (json_object_object_get_ex(properties, "Step", &value)) {
                g_free(watch->step);
                watch->step = g_strdup(json_object_get_string(value));
        }
        show_progress(watch);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        JobWatch *watch = userdata;
        const char *new_owner;

        if (sd_bus_message_read(m, "sss", NULL, NULL, &new_owner) < 0 || *new_owner || watch->ended)
                return 0;

        failure(&watch->error, EXIT_NO_HETD, "Its log says why.", "hetd ended while it was at work.");
        return end_wait(watch);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        JobWatch *watch = userdata;

        failure(&watch->error, EXIT_TIMED_OUT, "'hetctl monitor' shows how it goes on; --timeout=TIME waits longer.",
                "It was not done in time. hetd goes on with it.");
        return end_wait(watch);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        JobWatch *watch = userdata;

        failure(&watch->error, (HetctlExit) (128 + (int) si->ssi_signo),
                "'hetctl monitor' shows how it goes on; 'hetctl stop' ends the platform once it is started.",
                "Not waiting any longer. hetd goes on with it.");
        return end_wait(watch);
}

bool job_watch_new(Client *client, JobWatch **ret, GError **error) {
        g_autoptr(JobWatch) watch = g_new0(JobWatch, 1);
        int r;

        if (!client_connect(client, error))
                return false;

        watch->client = client;
        watch->show = isatty(STDERR_FILENO) && !client->quiet && client->json == JSON_OFF;

        r = sd_bus_match_signal(client->bus, &watch->removed, HETD_NAME, HETD_PATH, HETD_MANAGER, "JobRemoved",
                                on_removed, watch);
        if (r >= 0 && watch->show)
                r = sd_bus_add_match(client->bus, &watch->changed,
                                     "type='signal',sender='" HETD_NAME "',path_namespace='" HETD_JOB_PREFIX "',"
                                     "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'",
                                     on_changed, watch);
        if (r >= 0)
                r = sd_bus_add_match(client->bus, &watch->owner, "type='signal',sender='org.freedesktop.DBus',"
                                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" HETD_NAME "'",
                                     on_owner, watch);
        if (r < 0)
                return failure_from_errno(error, r, "watching hetd failed");

        *ret = g_steal_pointer(&watch);
        return true;
}

static int set_up_loop(JobWatch *watch) {
        uint64_t timeout = watch->client->timeout_usec;
        int r = loop_new(on_signal, watch, &watch->event);

        if (r >= 0 && timeout != TIMEOUT_INFINITE)
                r = sd_event_add_time_relative(watch->event, NULL, CLOCK_MONOTONIC, timeout, 0, on_timeout, watch);
        if (r >= 0)
                r = sd_bus_attach_event(watch->client->bus, watch->event, SD_EVENT_PRIORITY_NORMAL);

        return r;
}

bool job_watch_wait(JobWatch *watch, const char *job, uint64_t *ret_usec, GError **error) {
        int64_t begin = g_get_monotonic_time();
        int r;

        watch->job = g_strdup(job);
        r = set_up_loop(watch);
        if (r >= 0 && !watch->ended)
                r = sd_event_loop(watch->event);
        if (watch->step)
                fputs("\r\033[K", stderr);
        if (r < 0)
                return failure_from_errno(error, r, "waiting for hetd failed");
        if (!watch->result && !watch->error)
                return failure(error, EXIT_NO_HETD, NULL, "The bus went away while hetd was at work.");
        if (watch->error) {
                g_propagate_error(error, g_steal_pointer(&watch->error));
                return false;
        }
        if (strcmp(watch->result, "done") != 0) {
                bool canceled = strcmp(watch->result, "canceled") == 0;

                const char *hint = canceled ? NULL
                                            : "'hetctl status' shows the state that it is in now, hetd's log more.";
                const char *message = canceled ? "It was canceled." : "hetd does not say what failed.";

                return failure(error, EXIT_FAILED, hint, "%s", *watch->message ? watch->message : message);
        }

        *ret_usec = (uint64_t) (g_get_monotonic_time() - begin);
        return true;
}
