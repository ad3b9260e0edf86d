/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What QEMU says of its state, in hetd's words. See processor.h. */

#include "processor.h"

#include "adopt.h"
#include "log.h"
#include "platform.h"
#include "util/json-util.h"

typedef struct StateReason {
        const char *qemu;               /* HetStateReason in qapi/het.json */
        const char *reason;
        const char *text;
} StateReason;

static const StateReason state_reasons[] = {
        { "none",           "connected",      "Its QEMU answers" },
        { "granted",        "granted",        "It was granted its window" },
        { "revoked",        "revoked",        "Its window was taken away" },
        { "boot",           "boot",           "It was booted" },
        { "stop",           "stop",           "It was stopped; its window keeps its content" },
        { "guest-reset",    "guest-reset",    "Its guest reset itself" },
        { "host-reset",     "host-reset",     "It was reset" },
        { "guest-shutdown", "guest-shutdown", "Its guest powered off" },
        { "guest-panicked", "guest-panicked", "Its guest panicked" },
        { "cpus-stopped",   "cpus-stopped",   "Its CPUs were stopped" },
        { "cpus-resumed",   "cpus-resumed",   "Its CPUs go on" },
        { "process-exit",   "process-exit",   "Its process ended" },
        { "watchdog",       "watchdog",       "It gave no sign of life in time" },
};

static const StateReason *find_reason(const char *qemu) {
        for (size_t i = 0; i < G_N_ELEMENTS(state_reasons); i++)
                if (qemu && g_str_equal(state_reasons[i].qemu, qemu))
                        return &state_reasons[i];

        return &state_reasons[0];
}

static bool parse_het_state(const char *s, ProcessorState *ret) {
        static const struct {
                const char *name;
                ProcessorState state;
        } states[] = {
                { "waiting", PROCESSOR_WAITING }, { "ready", PROCESSOR_READY },     { "running", PROCESSOR_RUNNING },
                { "paused", PROCESSOR_PAUSED },   { "crashed", PROCESSOR_CRASHED },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
                if (s && g_str_equal(states[i].name, s)) {
                        *ret = states[i].state;
                        return true;
                }

        return false;
}

void processor_set_boots(Processor *p, uint64_t boots) {
        if (p->boots == boots)
                return;

        p->boots = boots;
        processor_changed(p, "Boots");
        platform_save_soon(p->platform);
}

void processor_apply_het_state(Processor *p, json_object *data) {
        const StateReason *reason = find_reason(json_get_string(data, "reason"));
        ProcessorState state;

        if (!parse_het_state(json_get_string(data, "state"), &state)) {
                processor_log(p, LOG_WARNING, "%s: QEMU told a state that is not known: %s", p->config->name,
                              json_object_to_json_string(data));
                return;
        }

        if (p->master_stop && g_str_equal(reason->reason, "stop"))
                processor_set_state(p, state, p->master_stop, "%s", platform_stop_reason_text(p->master_stop));
        else
                processor_set_state(p, state, reason->reason, "%s", reason->text);
}

void processor_apply_run_state(Processor *p, const char *status) {
        if (g_str_equal(status, "running") || g_str_equal(status, "suspended")) {
                if (p->boots == 0)
                        processor_set_boots(p, 1);
                processor_set_state(p, PROCESSOR_RUNNING, "connected", "Its QEMU answers, its guest runs");
        } else if (g_str_equal(status, "prelaunch") || g_str_equal(status, "inmigrate"))
                processor_set_state(p, PROCESSOR_READY, "connected", "Its QEMU answers, its CPUs have not started");
        else if (g_str_equal(status, "guest-panicked") || g_str_equal(status, "internal-error") || g_str_equal(status, "io-error"))
                processor_set_state(p, PROCESSOR_CRASHED, "guest-panicked", "Its QEMU is in the state %s", status);
        else if (g_str_equal(status, "shutdown"))
                processor_set_state(p, PROCESSOR_STOPPED, "guest-shutdown", "Its guest powered off");
        else
                processor_set_state(p, PROCESSOR_PAUSED, "cpus-stopped", "Its CPUs are stopped (%s)", status);
}
