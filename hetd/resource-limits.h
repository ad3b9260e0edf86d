/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a processor, or a platform, may have of its host: keys of platform files, with the names and the syntax of
 * systemd.resource-control(5). systemd keeps them (unit.c).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RESOURCE_CPUS_MAX       8192U           /* numbers of CPUs in AllowedCPUs= are below */

typedef enum ResourceKey {
        RESOURCE_CPU_WEIGHT,
        RESOURCE_CPU_QUOTA,
        RESOURCE_ALLOWED_CPUS,
        RESOURCE_MEMORY_MIN,
        RESOURCE_MEMORY_LOW,
        RESOURCE_MEMORY_HIGH,
        RESOURCE_MEMORY_MAX,
        RESOURCE_MEMORY_SWAP_MAX,
        RESOURCE_TASKS_MAX,
        RESOURCE_IO_WEIGHT,
        _RESOURCE_KEY_MAX,
} ResourceKey;

typedef struct ResourceLimit {
        char *text;                     /* as it was written; NULL: it is not limited */
        uint64_t value;                 /* as the bus has it */
        uint8_t *cpus;                  /* AllowedCPUs=: a bit for each */
        size_t n_cpus;                  /* bytes of it */
} ResourceLimit;

typedef struct ResourceLimits {
        ResourceLimit limits[_RESOURCE_KEY_MAX];
} ResourceLimits;

void resource_limits_clear(ResourceLimits *limits);
bool resource_limits_are_set(const ResourceLimits *limits);

const char *resource_key_name(ResourceKey key);
bool resource_key_find(const char *name, ResourceKey *ret);
/* Of the property on the bus */
const char *resource_key_property(ResourceKey key);
/* What the bus is told so that nothing is limited; of AllowedCPUs= that is an empty array */
uint64_t resource_key_no_limit(ResourceKey key);

/* NULL where all is well, else what would be right, to be freed */
char *resource_limits_parse(ResourceLimits *limits, ResourceKey key, const char *value);

/*
 * The keys that the kernel does not keep for the process, since its unit lacks the controller; ", " between them. NULL: it keeps all.
 * To be freed.
 */
char *resource_limits_find_not_kept(const ResourceLimits *limits, pid_t pid);
