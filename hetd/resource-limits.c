/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "resource-limits.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "util/parse.h"

#define NO_LIMIT        UINT64_MAX
#define WEIGHT_MAX      10000U
#define QUOTA_MAX       1000000U        /* percent */
#define USEC_PER_PERCENT UINT64_C(10000)

typedef char *(*LimitParser)(ResourceLimit *limit, const char *value);

static char *parse_weight(ResourceLimit *limit, const char *value) {
        if (parse_uint(value, WEIGHT_MAX, &limit->value) >= 0 && limit->value > 0)
                return NULL;

        return g_strdup_printf("'%s' is no weight; use 1 to %u", value, WEIGHT_MAX);
}

static char *parse_cpu_weight(ResourceLimit *limit, const char *value) {
        if (!g_str_equal(value, "idle"))
                return parse_weight(limit, value);

        limit->value = 0;
        return NULL;
}

static char *parse_quota(ResourceLimit *limit, const char *value) {
        size_t length = strlen(value);

        if (length > 1 && value[length - 1] == '%') {
                g_autofree char *number = g_strndup(value, length - 1);
                uint64_t percent;

                if (parse_uint(number, QUOTA_MAX, &percent) >= 0 && percent > 0) {
                        limit->value = percent * USEC_PER_PERCENT;
                        return NULL;
                }
        }

        return g_strdup_printf("'%s' is no part of a CPU's time; write it like 20%%, or 150%% for one and a half CPUs", value);
}

/* A percentage is of this machine's memory */
static char *parse_memory(ResourceLimit *limit, const char *value) {
        size_t length = strlen(value);

        if (g_str_equal(value, "infinity")) {
                limit->value = NO_LIMIT;
                return NULL;
        }

        if (length > 1 && value[length - 1] == '%') {
                g_autofree char *number = g_strndup(value, length - 1);
                uint64_t percent;

                if (parse_uint(number, 100, &percent) >= 0) {
                        limit->value = (uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE) / 100 * percent;
                        return NULL;
                }
        } else if (parse_size(value, &limit->value) >= 0)
                return NULL;

        return g_strdup_printf("'%s' is no size; write it like 512M, 2G, 20%% or infinity", value);
}

static char *parse_tasks(ResourceLimit *limit, const char *value) {
        if (g_str_equal(value, "infinity"))
                limit->value = NO_LIMIT;
        else if (parse_uint(value, NO_LIMIT - 1, &limit->value) < 0 || limit->value == 0)
                return g_strdup_printf("'%s' is no number of tasks; write it like 64, or infinity", value);

        return NULL;
}

static bool add_cpus(ResourceLimit *limit, char *range) {
        char *dash = strchr(range, '-');
        uint64_t first, last;

        if (dash)
                *dash++ = '\0';
        if (parse_uint(range, RESOURCE_CPUS_MAX - 1, &first) < 0 ||
            parse_uint(dash ?: range, RESOURCE_CPUS_MAX - 1, &last) < 0 || last < first)
                return false;

        for (uint64_t cpu = first; cpu <= last; cpu++) {
                limit->cpus[cpu / 8] |= (uint8_t) (1U << cpu % 8);
                limit->n_cpus = MAX(limit->n_cpus, cpu / 8 + 1);
        }

        return true;
}

static char *parse_cpus(ResourceLimit *limit, const char *value) {
        g_auto(GStrv) ranges = g_strsplit_set(value, " \t,", -1);

        limit->cpus = g_malloc0(RESOURCE_CPUS_MAX / 8);
        for (char **range = ranges; *range; range++)
                if (**range != '\0' && !add_cpus(limit, *range))
                        return g_strdup_printf("'%s' is no list of CPUs; write it like 0-3 or 0,2,5-7", value);

        return limit->n_cpus > 0 ? NULL : g_strdup("it names no CPU; write it like 0-3 or 0,2,5-7");
}

static const struct {
        const char *name, *property;
        const char *controller, *old_controller;        /* of cgroup v2, and v1; NULL: v1 has none */
        uint64_t no_limit;
        LimitParser parse;
} keys[_RESOURCE_KEY_MAX] = {
        [RESOURCE_CPU_WEIGHT]      = { "CPUWeight",     "CPUWeight",          "cpu",    "cpu",    NO_LIMIT, parse_cpu_weight },
        [RESOURCE_CPU_QUOTA]       = { "CPUQuota",      "CPUQuotaPerSecUSec", "cpu",    "cpu",    NO_LIMIT, parse_quota      },
        [RESOURCE_ALLOWED_CPUS]    = { "AllowedCPUs",   "AllowedCPUs",        "cpuset", NULL,     0,        parse_cpus       },
        [RESOURCE_MEMORY_MIN]      = { "MemoryMin",     "MemoryMin",          "memory", NULL,     0,        parse_memory     },
        [RESOURCE_MEMORY_LOW]      = { "MemoryLow",     "MemoryLow",          "memory", NULL,     0,        parse_memory     },
        [RESOURCE_MEMORY_HIGH]     = { "MemoryHigh",    "MemoryHigh",         "memory", NULL,     NO_LIMIT, parse_memory     },
        [RESOURCE_MEMORY_MAX]      = { "MemoryMax",     "MemoryMax",          "memory", "memory", NO_LIMIT, parse_memory     },
        [RESOURCE_MEMORY_SWAP_MAX] = { "MemorySwapMax", "MemorySwapMax",      "memory", NULL,     NO_LIMIT, parse_memory     },
        [RESOURCE_TASKS_MAX]       = { "TasksMax",      "TasksMax",           "pids",   "pids",   NO_LIMIT, parse_tasks      },
        [RESOURCE_IO_WEIGHT]       = { "IOWeight",      "IOWeight",           "io",     "blkio",  NO_LIMIT, parse_weight     },
};

const char *resource_key_name(ResourceKey key) {
        return keys[key].name;
}

const char *resource_key_property(ResourceKey key) {
        return keys[key].property;
}

uint64_t resource_key_no_limit(ResourceKey key) {
        return keys[key].no_limit;
}

bool resource_key_find(const char *name, ResourceKey *ret) {
        for (ResourceKey key = 0; key < _RESOURCE_KEY_MAX; key++)
                if (g_str_equal(keys[key].name, name)) {
                        *ret = key;
                        return true;
                }

        return false;
}

static void limit_clear(ResourceLimit *limit) {
        g_free(limit->text);
        g_free(limit->cpus);
        *limit = (ResourceLimit) {};
}

void resource_limits_clear(ResourceLimits *limits) {
        for (ResourceKey key = 0; key < _RESOURCE_KEY_MAX; key++)
                limit_clear(&limits->limits[key]);
}

bool resource_limits_are_set(const ResourceLimits *limits) {
        for (ResourceKey key = 0; key < _RESOURCE_KEY_MAX; key++)
                if (limits->limits[key].text)
                        return true;

        return false;
}

char *resource_limits_parse(ResourceLimits *limits, ResourceKey key, const char *value) {
        ResourceLimit *limit = &limits->limits[key];
        char *problem;

        limit_clear(limit);
        problem = keys[key].parse(limit, value);
        if (problem)
                limit_clear(limit);
        else
                limit->text = g_strdup(value);

        return problem;
}

char *resource_limits_find_not_kept(const ResourceLimits *limits, pid_t pid) {
        g_autoptr(GString) missing = g_string_new(NULL);
        Cgroups *cgroups = cgroups_read(pid);

        for (ResourceKey key = 0; cgroups && key < _RESOURCE_KEY_MAX; key++)
                if (limits->limits[key].text && !cgroups_have(cgroups, keys[key].controller, keys[key].old_controller))
                        g_string_append_printf(missing, "%s%s=", missing->len > 0 ? ", " : "", keys[key].name);

        cgroups_free(cgroups);
        return missing->len > 0 ? g_string_free(g_steal_pointer(&missing), FALSE) : NULL;
}
