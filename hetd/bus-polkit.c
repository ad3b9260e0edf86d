/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Asks polkit whether somebody may do something. The call waits meanwhile, which can take as long as a user needs for a password;
 * hetd does not. See bus.h.
 */

#include "bus.h"

#include "log.h"
#include "util/sd-cleanup.h"

#include <errno.h>

#define POLKIT_NAME             "org.freedesktop.PolicyKit1"
#define POLKIT_PATH             "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_AUTHORITY        "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_INTERACTIVE      1U
#define POLKIT_USEC             (25 * G_USEC_PER_SEC)
#define POLKIT_INTERACTIVE_USEC (5 * 60 * G_USEC_PER_SEC)       /* somebody is looking for a password */
#define GRANTED_MAX             256U    /* more: some were never dispatched again, because what they were about is gone */

typedef struct PolkitCall {
        Manager *manager;
        sd_bus_message *message;
        char *sender;
        BusAction action;
        uid_t uid;
} PolkitCall;

static const char *const action_names[] = {
        [BUS_ACTION_MANAGE] = "org.hetd1.manage-platforms",
        [BUS_ACTION_DEFINE] = "org.hetd1.define-platforms",
};

static void call_free(void *userdata) {
        PolkitCall *call = userdata;

        bus_call_end(call->manager, call->sender);
        sd_bus_message_unref(call->message);
        g_free(call->sender);
        g_free(call);
}

static void deny(PolkitCall *call, const char *error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void deny(PolkitCall *call, const char *error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        log_info("User %u was denied %s.%s(): %s", call->uid, sd_bus_message_get_interface(call->message),
                 sd_bus_message_get_member(call->message), text);
        (void) sd_bus_reply_method_errorf(call->message, error, "%s", text);
}

static void grant(PolkitCall *call) {
        GHashTable *granted = call->manager->bus_state->granted;

        if (g_hash_table_size(granted) >= GRANTED_MAX)
                g_hash_table_remove_all(granted);       /* these calls are asked about again */
        g_hash_table_insert(granted, sd_bus_message_ref(call->message), GUINT_TO_POINTER(call->action));
        bus_dispatch_again(call->manager, call->message);
}

static int on_decision(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        PolkitCall *call = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const char *action = action_names[call->action];
        int authorized = false, challenge = false, r;

        r = e ? 0 : sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r > 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) || sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                deny(call, SD_BUS_ERROR_ACCESS_DENIED, "Only root and the user that hetd runs as may do this: there is no polkit to "
                     "ask about others");
        else if (e || r < 0)
                deny(call, SD_BUS_ERROR_ACCESS_DENIED, "polkit could not be asked for %s: %s", action, e ? e->message : g_strerror(-r));
        else if (authorized)
                grant(call);
        else if (challenge)
                deny(call, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "This needs %s, and nobody could be asked for a password: "
                     "do it as root, or with a rule of polkit", action);
        else
                deny(call, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow it (%s)", action);
        return 0;
}

/* The details can be used by rules: action.lookup("platform") */
static int make_question(sd_bus_message *m, BusAction action, const char *platform, bool interactive, sd_bus *bus,
                         sd_bus_message **ret) {
        g_autoptr(sd_bus_message) question = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &question, POLKIT_NAME, POLKIT_PATH, POLKIT_AUTHORITY, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(question, "(sa{sv})s", "system-bus-name", 1, "name", "s", sd_bus_message_get_sender(m),
                                          action_names[action]);
        if (r >= 0 && platform)
                r = sd_bus_message_append(question, "a{ss}", 1, "platform", platform);
        else if (r >= 0)
                r = sd_bus_message_append(question, "a{ss}", 0);
        if (r >= 0)
                r = sd_bus_message_append(question, "us", interactive ? POLKIT_INTERACTIVE : 0U, "");
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&question);
        return 0;
}

int bus_polkit_ask(Manager *manager, sd_bus_message *m, BusAction action, const char *platform, uid_t uid, sd_bus_error *error) {
        bool interactive = sd_bus_message_get_allow_interactive_authorization(m) > 0;
        const char *sender = sd_bus_message_get_sender(m);
        g_autoptr(sd_bus_message) question = NULL;
        g_autoptr(sd_bus_slot) slot = NULL;
        PolkitCall *call;
        int r;

        r = bus_call_begin(manager, sender, error);
        if (r < 0)
                return r;

        call = g_new0(PolkitCall, 1);
        call->manager = manager;
        call->message = sd_bus_message_ref(m);
        call->sender = g_strdup(sender);
        call->action = action;
        call->uid = uid;

        r = make_question(m, action, platform, interactive, manager->bus, &question);
        if (r >= 0)
                r = sd_bus_call_async(manager->bus, &slot, question, on_decision, call,
                                      interactive ? POLKIT_INTERACTIVE_USEC : POLKIT_USEC);
        if (r < 0) {
                call_free(call);
                return sd_bus_error_set_errnof(error, r, "Cannot ask polkit");
        }

        (void) sd_bus_slot_set_destroy_callback(slot, call_free);
        (void) sd_bus_slot_set_floating(slot, true);
        return 0;
}
