/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changes of properties, collected and told once in a turn of the loop. See bus.h. */

#include "bus.h"

#include "log.h"

typedef struct Change {
        char *path;
        const char *interface;
        GPtrArray *properties;          /* of const char*, and a NULL at the end when it is sent */
} Change;

struct BusChanges {
        GPtrArray *list;                /* of Change*, in the order in which they came */
        sd_event_source *flush;
        Manager *manager;
};

static void change_free(void *p) {
        Change *change = p;

        g_free(change->path);
        g_ptr_array_unref(change->properties);
        g_free(change);
}

static int on_flush(sd_event_source *source, void *userdata) {
        BusChanges *changes = userdata;

        bus_flush(changes->manager);
        return 0;
}

BusChanges *bus_changes_new(Manager *manager) {
        BusChanges *changes = g_new0(BusChanges, 1);

        changes->manager = manager;
        changes->list = g_ptr_array_new_with_free_func(change_free);
        if (sd_event_add_defer(manager->event, &changes->flush, on_flush, changes) < 0 ||
            sd_event_source_set_enabled(changes->flush, SD_EVENT_OFF) < 0)
                return bus_changes_free(changes);

        return changes;
}

BusChanges *bus_changes_free(BusChanges *changes) {
        if (!changes)
                return NULL;

        sd_event_source_disable_unref(changes->flush);
        g_ptr_array_unref(changes->list);
        g_free(changes);
        return NULL;
}

static Change *find_change(BusChanges *changes, const char *path, const char *interface) {
        for (guint i = 0; i < changes->list->len; i++) {
                Change *change = changes->list->pdata[i];

                if (g_str_equal(change->path, path) && g_str_equal(change->interface, interface))
                        return change;
        }

        return NULL;
}

static bool has_property(const Change *change, const char *property) {
        for (guint i = 0; i < change->properties->len; i++)
                if (g_str_equal(change->properties->pdata[i], property))
                        return true;

        return false;
}

void bus_changed(Manager *manager, const char *path, const char *interface, const char *property) {
        BusChanges *changes = manager->bus_state ? manager->bus_state->changes : NULL;
        Change *change;

        if (!changes)
                return;

        change = find_change(changes, path, interface);
        if (!change) {
                change = g_new0(Change, 1);
                change->path = g_strdup(path);
                change->interface = interface;
                change->properties = g_ptr_array_new();
                g_ptr_array_add(changes->list, change);
        }

        if (!has_property(change, property))
                g_ptr_array_add(change->properties, (char *) property);
        if (sd_event_source_set_enabled(changes->flush, SD_EVENT_ONESHOT) < 0)
                bus_flush(manager);
}

bool bus_is_changed(Manager *manager, const char *path, const char *interface, const char *property) {
        Change *change = manager->bus_state ? find_change(manager->bus_state->changes, path, interface) : NULL;

        return change && has_property(change, property);
}

void bus_flush(Manager *manager) {
        BusChanges *changes = manager->bus_state ? manager->bus_state->changes : NULL;
        g_autoptr(GPtrArray) list = NULL;

        if (!changes || changes->list->len == 0)
                return;

        list = g_steal_pointer(&changes->list);
        changes->list = g_ptr_array_new_with_free_func(change_free);
        (void) sd_event_source_set_enabled(changes->flush, SD_EVENT_OFF);

        for (guint i = 0; i < list->len; i++) {
                Change *change = list->pdata[i];
                int r;

                g_ptr_array_add(change->properties, NULL);
                r = sd_bus_emit_properties_changed_strv(manager->bus, change->path, change->interface,
                                                        (char **) change->properties->pdata);
                if (r < 0)
                        log_debug("Cannot tell changes of %s: %s", change->path, g_strerror(-r));
        }
}
