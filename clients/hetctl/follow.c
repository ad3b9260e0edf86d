/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "follow.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "bus-json.h"
#include "loop.h"

struct Follow {
        Client *client;
        char *path, *name;
        sd_event *event;
        sd_bus_slot *changed, *owner, *call;
        char *state, *reason;
        bool started;                   /* before that its states are of no interest */
        bool ended, interrupted;
        GError *error;
};

Follow *follow_free(Follow *follow) {
        if (!follow)
                return NULL;

        sd_bus_slot_unref(follow->changed);
        sd_bus_slot_unref(follow->owner);
        sd_bus_slot_unref(follow->call);
        if (follow->event)
                (void) sd_bus_detach_event(follow->client->bus);
        sd_event_unref(follow->event);
        g_clear_error(&follow->error);
        g_free(follow->path);
        g_free(follow->name);
        g_free(follow->state);
        g_free(follow->reason);
        g_free(follow);
        return NULL;
}

static void end_wait(Follow *follow) {
        follow->ended = true;
        if (follow->event)
                (void) sd_event_exit(follow->event, 0);
}

static void take_state(Follow *follow, const char *state, const char *reason) {
        static const char *const over[] = { "defined", "stopped", "crashed", "failed", NULL };

        g_free(follow->state);
        g_free(follow->reason);
        follow->state = g_strdup(state);
        follow->reason = g_strdup(reason);
        (void) sd_notifyf(false, "STATUS=%s: %s", state, reason);
        if (g_strv_contains(over, state))
                end_wait(follow);
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const sd_bus_error *failed = sd_bus_message_get_error(m);
        g_autoptr(json_object) properties = NULL;
        Follow *follow = userdata;

        follow->call = sd_bus_slot_unref(follow->call);
        if (failed && sd_bus_error_has_name(failed, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
                failure(&follow->error, EXIT_NOT_FOUND, NULL, "%s: hetd does not know it any more.", follow->name);
                end_wait(follow);
        } else if (!failed && bus_json_read(m, &properties) >= 0)
                take_state(follow, json_get_string(properties, "State"), json_get_string(properties, "ReasonText"));
        return 0;
}

/* What the signals say is not looked at: the answer is as new, and complete */
static int ask(Follow *follow) {
        if (follow->call || !follow->started)
                return 0;

        return sd_bus_call_method_async(follow->client->bus, &follow->call, HETD_NAME, follow->path, "org.freedesktop.DBus.Properties",
                                        "GetAll", on_properties, follow, "s", HETD_PLATFORM);
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        return ask(userdata);
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const char *new_owner;

        if (sd_bus_message_read(m, "sss", NULL, NULL, &new_owner) < 0)
                return 0;

        if (*new_owner)
                return ask(userdata);

        return sd_notify(false, "STATUS=hetd is gone; its platforms go on, the next one takes them over");
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Follow *follow = userdata;

        follow->interrupted = true;
        end_wait(follow);
        return 0;
}

bool follow_new(Client *client, const char *path, Follow **ret, GError **error) {
        g_autoptr(Follow) follow = g_new0(Follow, 1);
        int r;

        if (!client_connect(client, error))
                return false;

        follow->client = client;
        follow->path = g_strdup(path);
        follow->name = client_path_to_name(path);
        r = sd_bus_match_signal(client->bus, &follow->changed, HETD_NAME, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                on_changed, follow);
        if (r >= 0)
                r = sd_bus_add_match(client->bus, &follow->owner, "type='signal',sender='org.freedesktop.DBus',"
                                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" HETD_NAME "'", on_owner, follow);
        if (r < 0)
                return failure_from_errno(error, r, "watching hetd failed");

        *ret = g_steal_pointer(&follow);
        return true;
}

bool follow_wait(Follow *follow, GError **error) {
        int r = loop_new(on_signal, follow, &follow->event);

        follow->started = true;
        (void) sd_notify(false, "READY=1");
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(follow->client->bus, true);
        if (r >= 0)
                r = sd_bus_attach_event(follow->client->bus, follow->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = ask(follow);
        if (r >= 0)
                r = sd_event_loop(follow->event);
        if (r < 0)
                return failure_from_errno(error, r, "waiting for the platform failed");

        if (follow->error) {
                g_propagate_error(error, g_steal_pointer(&follow->error));
                return false;
        }
        if (!follow->ended)
                return failure(error, EXIT_NO_HETD, NULL, "The bus went away.");
        if (follow->interrupted) {
                client_say(follow->client, "%s: goes on; 'hetctl stop %s' stops it", follow->name, follow->name);
                return true;
        }
        if (g_str_equal(follow->state, "crashed") || g_str_equal(follow->state, "failed")) {
                g_autofree char *hint = g_strdup_printf("'hetctl status %s' shows its processors, 'hetctl log %s' what they said.",
                                                        follow->name, follow->name);

                return failure(error, EXIT_FAILED, hint, "%s: %s: %s", follow->name, follow->state, follow->reason);
        }

        client_say(follow->client, "%s: %s: %s", follow->name, follow->state, follow->reason);
        return true;
}
