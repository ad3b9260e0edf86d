/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tree of objects: paths, vtables, ObjectManager, and the signals of what comes and goes. See bus.h. */

#include "bus.h"

#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *bus_platform_path(const char *platform) {
        char *path = NULL;

        if (sd_bus_path_encode(BUS_PATH_PLATFORM, platform, &path) < 0)
                g_error("Out of memory");

        return path;
}

char *bus_processor_path(const char *platform, const char *processor) {
        char *path = NULL;

        if (sd_bus_path_encode_many(&path, BUS_PATH_PLATFORM "/%/processor/%", platform, processor) < 0)
                g_error("Out of memory");

        return path;
}

char *bus_job_path(uint32_t id) {
        return g_strdup_printf(BUS_PATH_JOB "/%u", id);
}

/* sd-bus frees what it gets with free(), and each string of it too */
static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        Manager *manager = userdata;
        g_autoptr(GPtrArray) paths = g_ptr_array_new();
        GHashTableIter iter;
        Platform *platform;
        Job *job;
        char **list;

        g_hash_table_iter_init(&iter, manager->platforms);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &platform)) {
                g_ptr_array_add(paths, platform->path);
                for (guint i = 0; i < platform->processors->len; i++)
                        g_ptr_array_add(paths, ((Processor *) platform->processors->pdata[i])->path);
        }

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &job))
                g_ptr_array_add(paths, job->path);

        list = calloc(paths->len + 1, sizeof(char *));
        for (guint i = 0; list && i < paths->len; i++)
                list[i] = strdup(paths->pdata[i]);
        if (!list)
                return -ENOMEM;

        *ret = list;
        return 1;
}

static void slot_free(void *slot) {
        sd_bus_slot_unref(slot);
}

static void message_free(void *m) {
        sd_bus_message_unref(m);
}

static void add_slot(Manager *manager, sd_bus_slot *slot) {
        if (slot)
                g_ptr_array_add(manager->bus_state->slots, slot);
}

static int add_fallback(Manager *manager, const char *prefix, const char *interface, const sd_bus_vtable *vtable,
                        sd_bus_object_find_t find) {
        sd_bus_slot *slot = NULL;
        int r = sd_bus_add_fallback_vtable(manager->bus, &slot, prefix, interface, vtable, find, manager);

        add_slot(manager, slot);
        return r;
}

static int add_objects(Manager *manager) {
        sd_bus_slot *slot = NULL;
        int r;

        r = sd_bus_add_object_vtable(manager->bus, &slot, BUS_PATH, BUS_MANAGER, bus_manager_vtable, manager);
        add_slot(manager, g_steal_pointer(&slot));
        if (r >= 0)
                r = sd_bus_add_object(manager->bus, &slot, BUS_PATH_LOG_CONTROL, bus_log_control_authorize, manager);
        add_slot(manager, g_steal_pointer(&slot));
        if (r >= 0)
                r = sd_bus_add_object_vtable(manager->bus, &slot, BUS_PATH_LOG_CONTROL, BUS_LOG_CONTROL, bus_log_control_vtable, manager);
        add_slot(manager, g_steal_pointer(&slot));
        if (r >= 0)
                r = add_fallback(manager, BUS_PATH_PLATFORM, BUS_PLATFORM, bus_platform_vtable, bus_platform_find);
        if (r >= 0)
                r = add_fallback(manager, BUS_PATH_PLATFORM, BUS_PROCESSOR, bus_processor_vtable, bus_processor_find);
        if (r >= 0)
                r = add_fallback(manager, BUS_PATH_JOB, BUS_JOB, bus_job_vtable, bus_job_find);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(manager->bus, &slot, BUS_PATH, enumerate, manager);
        add_slot(manager, g_steal_pointer(&slot));
        if (r >= 0)
                r = sd_bus_add_object_manager(manager->bus, &slot, BUS_PATH);
        add_slot(manager, g_steal_pointer(&slot));

        return r;
}

int bus_export(Manager *manager, sd_bus *bus) {
        int r = bus_error_init();

        if (r < 0)
                return r;

        manager->bus = sd_bus_ref(bus);
        manager->bus_state = g_new0(BusState, 1);
        manager->bus_state->senders = bus_senders_new();
        manager->bus_state->calls = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        manager->bus_state->granted = g_hash_table_new_full(NULL, NULL, message_free, NULL);
        manager->bus_state->slots = g_ptr_array_new_with_free_func(slot_free);
        manager->bus_state->changes = bus_changes_new(manager);
        r = manager->bus_state->changes ? add_objects(manager) : -ENOMEM;
        if (r < 0)
                bus_unexport(manager);

        return r;
}

void bus_unexport(Manager *manager) {
        BusState *state = g_steal_pointer(&manager->bus_state);

        if (!state)
                return;

        bus_changes_free(state->changes);
        g_ptr_array_unref(state->slots);
        bus_senders_free(state->senders);
        g_hash_table_unref(state->calls);
        g_hash_table_unref(state->granted);
        g_free(state);
        manager->bus = sd_bus_unref(manager->bus);
}

static void emit(Manager *manager, const char *signal, const char *types, ...) {
        va_list arguments;
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_signal(manager->bus, &m, BUS_PATH, BUS_MANAGER, signal);
        if (r >= 0) {
                va_start(arguments, types);
                r = sd_bus_message_appendv(m, types, arguments);
                va_end(arguments);
        }
        if (r >= 0)
                r = sd_bus_send(manager->bus, m, NULL);
        if (r < 0)
                log_warning("Cannot send the signal %s: %s", signal, g_strerror(-r));

        sd_bus_message_unref(m);
}

void bus_platform_added(Platform *platform) {
        Manager *manager = platform->manager;

        if (!manager->bus)
                return;

        (void) sd_bus_emit_object_added(manager->bus, platform->path);
        for (guint i = 0; i < platform->processors->len; i++)
                (void) sd_bus_emit_object_added(manager->bus, ((Processor *) platform->processors->pdata[i])->path);
        emit(manager, "PlatformNew", "so", platform->config->name, platform->path);
        bus_changed(manager, BUS_PATH, BUS_MANAGER, "NPlatforms");
}

void bus_platform_removed(Platform *platform) {
        Manager *manager = platform->manager;

        if (!manager->bus)
                return;

        bus_flush(manager);
        for (guint i = 0; i < platform->processors->len; i++)
                (void) sd_bus_emit_object_removed(manager->bus, ((Processor *) platform->processors->pdata[i])->path);
        (void) sd_bus_emit_object_removed(manager->bus, platform->path);
        emit(manager, "PlatformRemoved", "so", platform->config->name, platform->path);
        bus_changed(manager, BUS_PATH, BUS_MANAGER, "NPlatforms");
}

void bus_job_added(Job *job) {
        Manager *manager = job->manager;

        if (!manager->bus)
                return;

        (void) sd_bus_emit_object_added(manager->bus, job->path);
        emit(manager, "JobNew", "uo", job->id, job->path);
}

void bus_job_removed(Job *job, const char *result, const char *message) {
        Manager *manager = job->manager;

        if (!manager->bus)
                return;

        bus_flush(manager);
        (void) sd_bus_emit_object_removed(manager->bus, job->path);
        emit(manager, "JobRemoved", "uoss", job->id, job->path, result, message);
}
