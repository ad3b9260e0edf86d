/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Method calls that are answered when QEMU has answered. See bus.h. */

#include "bus.h"

#include "log.h"
#include "util/error.h"
#include "util/sd-cleanup.h"

struct BusRequest {
        Manager *manager;
        sd_bus_message *message;
        char *sender;
        uid_t user;
};

static guint count_of(GHashTable *calls, const char *sender) {
        return GPOINTER_TO_UINT(g_hash_table_lookup(calls, sender));
}

static void set_count(GHashTable *calls, const char *sender, guint count) {
        if (count > 0)
                g_hash_table_replace(calls, g_strdup(sender), GUINT_TO_POINTER(count));
        else
                g_hash_table_remove(calls, sender);
}

int bus_call_begin(Manager *manager, const char *sender, sd_bus_error *error) {
        GHashTable *calls = manager->bus_state->calls;

        if (count_of(calls, sender) >= BUS_CALLS_PER_SENDER_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%u calls of yours wait for an answer already",
                                         BUS_CALLS_PER_SENDER_MAX);

        set_count(calls, sender, count_of(calls, sender) + 1);
        return 0;
}

void bus_call_end(Manager *manager, const char *sender) {
        if (manager->bus_state)
                set_count(manager->bus_state->calls, sender, count_of(manager->bus_state->calls, sender) - 1);
}

int bus_request_new(Manager *manager, sd_bus_message *m, BusRequest **ret, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(m) ?: "";
        uid_t user = bus_sender_user(manager, m);
        g_autoptr(GError) local = NULL;
        BusRequest *request;
        int r;

        if (!quotas_take(manager->quotas, user, QUOTA_CALLS, 1, &local))
                return bus_error_set(error, local);

        r = bus_call_begin(manager, sender, error);
        if (r < 0) {
                quotas_give(manager->quotas, user, QUOTA_CALLS, 1);
                return r;
        }

        request = g_new0(BusRequest, 1);
        request->manager = manager;
        request->message = sd_bus_message_ref(m);
        request->sender = g_strdup(sender);
        request->user = user;

        *ret = request;
        return 0;
}

static int reply(const BusRequest *request, int fd) {
        return fd < 0 ? sd_bus_reply_method_return(request->message, NULL) : sd_bus_reply_method_return(request->message, "h", fd);
}

void bus_request_done(const GError *error, void *request) {
        bus_request_done_fd(-EBADF, error, request);
}

void bus_request_done_fd(int fd, const GError *error, void *userdata) {
        BusRequest *request = userdata;
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;
        int r;

        /* What the call has changed is told before its reply */
        bus_flush(request->manager);

        if (error) {
                (void) bus_error_set(&e, error);
                r = sd_bus_reply_method_error(request->message, &e);
        } else
                r = reply(request, fd);
        if (r < 0)
                log_debug("Cannot answer a call: %s", g_strerror(-r));

        bus_call_end(request->manager, request->sender);
        quotas_give(request->manager->quotas, request->user, QUOTA_CALLS, 1);
        sd_bus_message_unref(request->message);
        g_free(request->sender);
        g_free(request);
}
