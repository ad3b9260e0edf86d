/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Platforms as JSON: docs/json.md is the contract. */

#include "platform.h"
#include "util/json-util.h"

static json_object *describe_window(Processor *p) {
        json_object *window = json_object_new_object();

        json_add_uint64(window, "address", p->config->window_address);
        json_add_uint64(window, "size", p->config->window_size);
        json_add_string(window, "access", window_access_to_string(p->config->read_only));
        json_add_bool(window, "granted", p->granted);
        return window;
}

static json_object *describe_side(const CoupleCounters *counters) {
        json_object *side = json_object_new_object();

        json_add_uint64(side, "sent", counters->sent);
        json_add_uint64(side, "coalesced", counters->coalesced);
        json_add_uint64(side, "last-sent-ns", counters->last_sent_ns);
        return side;
}

static json_object *describe_couple(Processor *p) {
        json_object *couple = json_object_new_object();
        CoupleCounters master, slave;

        couple_get_counters(p->couple, &master, &slave);
        json_object_object_add(couple, "master", describe_side(&master));
        json_object_object_add(couple, "slave", describe_side(&slave));
        json_add_uint64(couple, "heartbeat-ns", couple_get_heartbeat_ns(p->couple));
        return couple;
}

static void add_limits(json_object *object, const ResourceLimits *limits) {
        json_object *list;

        if (!resource_limits_are_set(limits))
                return;

        list = json_object_new_object();
        for (ResourceKey key = 0; key < _RESOURCE_KEY_MAX; key++)
                if (limits->limits[key].text)
                        json_add_string(list, resource_key_name(key), limits->limits[key].text);
        json_object_object_add(object, "limits", list);
}

static json_object *describe_processor(Processor *p) {
        json_object *object = json_object_new_object();

        json_add_string(object, "name", p->config->name);
        json_add_string(object, "object", p->path);
        json_add_string(object, "role", processor_role_to_string(p->config->role));
        json_add_uint64(object, "id", p->config->id);
        json_add_string(object, "start", p->config->start == PROCESSOR_START_HETD ? "hetd" : "external");
        json_add_string(object, "machine", p->config->machine);
        json_add_string(object, "cpu", p->config->cpu ?: p->config->board->default_cpu);
        json_add_uint64(object, "cpus", p->config->cpus);
        json_add_uint64(object, "memory", p->config->memory);
        json_add_string(object, "state", processor_state_to_string(p->state));
        json_add_string(object, "reason", p->reason);
        json_add_string(object, "reason-text", p->reason_text);
        json_add_uint64(object, "state-changed-usec", p->state_usec);
        json_add_uint64(object, "boots", p->boots);
        json_add_uint64(object, "restarts", p->restart.count);
        json_add_uint64(object, "pid", p->process ? (uint64_t) spawn_get_pid(p->process) : 0);
        json_add_string(object, "unit", p->process ? p->unit : NULL);
        json_add_string(object, "qemu-version", p->monitor_ready ? p->qemu_version : NULL);
        json_add_string(object, "monitor", p->monitor_path);
        json_add_string(object, "console", processor_get_console(p));
        json_add_string(object, "console-log", p->log_path);
        add_limits(object, &p->config->limits);
        if (!processor_is_master(p))
                json_object_object_add(object, "window", describe_window(p));
        if (p->couple)
                json_object_object_add(object, "couple", describe_couple(p));

        return object;
}

json_object *platform_describe(Platform *platform) {
        json_object *object = json_object_new_object(), *processors = json_object_new_array();

        for (guint i = 0; i < platform->processors->len; i++)
                json_object_array_add(processors, describe_processor(platform->processors->pdata[i]));

        json_add_string(object, "name", platform->config->name);
        json_add_string(object, "object", platform->path);
        json_add_string(object, "description", platform->config->description);
        json_add_string(object, "path", platform->config->path);
        json_add_string(object, "state", platform_state_to_string(platform->state));
        json_add_string(object, "reason", platform->reason);
        json_add_string(object, "reason-text", platform->reason_text);
        add_limits(object, &platform->config->limits);
        json_object_object_add(object, "processors", processors);
        return object;
}
