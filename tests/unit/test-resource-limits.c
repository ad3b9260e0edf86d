/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Limits of what a process may have of its host: what systemd is told of them, and what this kernel keeps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resource-limits.h"

#include <glib.h>
#include <unistd.h>

static ResourceKey find(const char *name) {
        ResourceKey key;

        assert_true(resource_key_find(name, &key));
        assert_string_equal(resource_key_name(key), name);
        return key;
}

static void test_values(void **state) {
        static const struct {
                const char *key, *text;
                uint64_t value;
        } good[] = {
                { "CPUWeight", "1", 1 },                { "CPUWeight", "10000", 10000 },        { "CPUWeight", "idle", 0 },
                { "CPUQuota", "20%", 200000 },          { "CPUQuota", "1%", 10000 },            { "CPUQuota", "250%", 2500000 },
                { "MemoryMax", "64M", 64 << 20 },       { "MemoryMax", "infinity", UINT64_MAX }, { "MemoryMin", "0%", 0 },
                { "TasksMax", "12", 12 },               { "TasksMax", "infinity", UINT64_MAX }, { "IOWeight", "100", 100 },
        };
        ResourceLimits limits = {};

        assert_false(resource_limits_are_set(&limits));
        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                ResourceKey key = find(good[i].key);

                assert_null(resource_limits_parse(&limits, key, good[i].text));
                assert_string_equal(limits.limits[key].text, good[i].text);
                assert_int_equal(limits.limits[key].value, good[i].value);
        }

        assert_true(resource_limits_are_set(&limits));
        assert_null(resource_limits_parse(&limits, RESOURCE_MEMORY_HIGH, "100%"));
        assert_true(limits.limits[RESOURCE_MEMORY_HIGH].value > 0);
        resource_limits_clear(&limits);
        assert_false(resource_limits_are_set(&limits));
}

static void test_bad_values(void **state) {
        static const char *const bad[][2] = {
                { "CPUWeight", "10001" }, { "CPUWeight", "-1" },  { "IOWeight", "idle" },  { "CPUQuota", "0%" },    { "CPUQuota", "%" },
                { "CPUQuota", "x%" },     { "CPUQuota", "20" },   { "MemoryMax", "" },     { "MemoryMax", "101%" }, { "MemoryMax", "1 G" },
                { "TasksMax", "0" },      { "TasksMax", "5%" },   { "AllowedCPUs", "," },  { "AllowedCPUs", "8192" },
                { "AllowedCPUs", "1-" },  { "AllowedCPUs", "a" }, { "AllowedCPUs", "-3" },
        };
        ResourceLimits limits = {};
        ResourceKey key;

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autofree char *problem = resource_limits_parse(&limits, find(bad[i][0]), bad[i][1]);

                assert_non_null(problem);
                assert_false(resource_limits_are_set(&limits));
        }

        assert_false(resource_key_find("memorymax", &key));
        resource_limits_clear(&limits);
}

static void test_cpus(void **state) {
        ResourceLimits limits = {};
        const ResourceLimit *cpus = &limits.limits[RESOURCE_ALLOWED_CPUS];

        assert_null(resource_limits_parse(&limits, RESOURCE_ALLOWED_CPUS, "0-2, 9 17"));
        assert_int_equal(cpus->n_cpus, 3);
        assert_int_equal(cpus->cpus[0], 0x07);
        assert_int_equal(cpus->cpus[1], 0x02);
        assert_int_equal(cpus->cpus[2], 0x02);
        assert_null(resource_limits_parse(&limits, RESOURCE_ALLOWED_CPUS, "8191"));
        assert_int_equal(cpus->n_cpus, 1024);
        resource_limits_clear(&limits);
}

/* No limit, nothing that is not kept; of a process that is gone nobody knows */
static void test_kept(void **state) {
        ResourceLimits limits = {};

        assert_null(resource_limits_find_not_kept(&limits, getpid()));
        assert_null(resource_limits_parse(&limits, RESOURCE_TASKS_MAX, "5"));
        assert_null(resource_limits_find_not_kept(&limits, INT32_MAX));
        resource_limits_clear(&limits);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_bad_values),
                cmocka_unit_test(test_cpus),
                cmocka_unit_test(test_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
