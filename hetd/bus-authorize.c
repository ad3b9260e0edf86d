/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may change something: root and the user that hetd runs as, and on the system bus whom polkit lets. A message on a bus does not
 * say whose it is, and asking the bus daemon takes a while: the call waits meanwhile, and is then dispatched again. See bus.h.
 */

#include "bus.h"

#include "log.h"
#include "util/error.h"
#include "util/rate-limit.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <unistd.h>

#define DENIED_PER_SEC          10U     /* lines in the log, after */
#define DENIED_BURST            100U    /* so many at once */

struct BusSenders {
        GHashTable *users;              /* unique name → uid; a name is never used again */
        RateLimit denied;
};

typedef struct Question {
        Manager *manager;
        sd_bus_message *message;
} Question;

BusSenders *bus_senders_new(void) {
        BusSenders *senders = g_new0(BusSenders, 1);

        senders->users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        senders->denied = RATE_LIMIT(G_USEC_PER_SEC / DENIED_PER_SEC, DENIED_BURST);
        return senders;
}

BusSenders *bus_senders_free(BusSenders *senders) {
        if (!senders)
                return NULL;

        g_hash_table_unref(senders->users);
        g_free(senders);
        return NULL;
}

static void question_free(void *userdata) {
        Question *question = userdata;

        bus_call_end(question->manager, sd_bus_message_get_sender(question->message));
        sd_bus_message_unref(question->message);
        g_free(question);
}

void bus_dispatch_again(Manager *manager, sd_bus_message *m) {
        int r = sd_bus_message_rewind(m, true);

        if (r >= 0)
                r = sd_bus_enqueue_for_read(manager->bus, m);
        if (r < 0)
                (void) sd_bus_reply_method_errnof(m, r, "Cannot go on with the call");
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Question *question = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        BusSenders *senders = question->manager->bus_state->senders;
        uint32_t uid;
        int r;

        r = e ? -EACCES : sd_bus_message_read(reply, "u", &uid);
        if (r < 0) {
                (void) sd_bus_reply_method_errorf(question->message, SD_BUS_ERROR_ACCESS_DENIED, "It is not known who calls: %s",
                                                  e ? e->message : g_strerror(-r));
                return 0;
        }

        if (g_hash_table_size(senders->users) >= BUS_SENDERS_MAX)
                g_hash_table_remove_all(senders->users);
        g_hash_table_insert(senders->users, g_strdup(sd_bus_message_get_sender(question->message)), GUINT_TO_POINTER(uid));

        bus_dispatch_again(question->manager, question->message);
        return 0;
}

static int ask(Manager *manager, sd_bus_message *m, const char *sender, sd_bus_error *error) {
        g_autoptr(sd_bus_slot) slot = NULL;
        Question *question;
        int r = bus_call_begin(manager, sender, error);

        if (r < 0)
                return r;

        question = g_new0(Question, 1);
        question->manager = manager;
        question->message = sd_bus_message_ref(m);
        r = sd_bus_call_method_async(manager->bus, &slot, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_answer, question, "s", sender);
        if (r < 0) {
                question_free(question);
                return sd_bus_error_set_errnof(error, r, "Cannot find out who calls");
        }

        (void) sd_bus_slot_set_destroy_callback(slot, question_free);
        return sd_bus_slot_set_floating(slot, true);
}

/* Polkit has let this very call through, when it was here before */
static bool is_granted(Manager *manager, sd_bus_message *m, BusAction action) {
        void *granted;

        if (!g_hash_table_lookup_extended(manager->bus_state->granted, m, NULL, &granted))
                return false;

        g_hash_table_remove(manager->bus_state->granted, m);
        return GPOINTER_TO_UINT(granted) == action;
}

uid_t bus_sender_user(Manager *manager, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);
        void *known;

        return sender && g_hash_table_lookup_extended(manager->bus_state->senders->users, sender, NULL, &known) ?
               GPOINTER_TO_UINT(known) : getuid();
}

int bus_authorize(Manager *manager, sd_bus_message *m, BusAction action, const char *platform, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(m);
        void *known;
        uid_t uid;
        int r;

        /* No sender: a connection without a bus daemon, which somebody has handed to us */
        if (!sender || is_granted(manager, m, action))
                return 1;

        if (!g_hash_table_lookup_extended(manager->bus_state->senders->users, sender, NULL, &known)) {
                r = ask(manager, m, sender, error);
                return r < 0 ? r : 0;
        }

        uid = GPOINTER_TO_UINT(known);
        if (uid == 0 || uid == getuid())
                return 1;

        if (manager->options.polkit) {
                r = bus_polkit_ask(manager, m, action, platform, uid, error);
                return r < 0 ? r : 0;
        }

        /* Everybody may try, as often as he likes */
        if (rate_limit_take(&manager->bus_state->senders->denied, (uint64_t) g_get_monotonic_time()) == 0)
                log_info("User %u was denied %s.%s()", uid, sd_bus_message_get_interface(m), sd_bus_message_get_member(m));
        return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "Only root and the user that hetd runs as may do this");
}
