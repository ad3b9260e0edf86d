/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a user may take, and the option that says how much. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quota.h"
#include "util/error.h"

#define ALICE   1000
#define BOB     1001
#define ROOT    0

static void test_take(void **state) {
        QuotaLimits limits;
        g_autoptr(GError) error = NULL;
        Quotas *quotas;

        quota_limits_set_defaults(&limits);
        limits.limits[QUOTA_PLATFORMS] = 3;
        quotas = quotas_new(&limits);
        assert_true(quotas_take(quotas, ALICE, QUOTA_PLATFORMS, 2, NULL));
        assert_false(quotas_take(quotas, ALICE, QUOTA_PLATFORMS, 2, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_LIMIT_EXCEEDED));
        assert_string_equal(error->message, "User 1000 has 2 of 3 platforms already, 2 more are not possible (see --quota= of hetd)");
        assert_true(quotas_take(quotas, ALICE, QUOTA_PLATFORMS, 1, NULL));
        assert_false(quotas_take(quotas, ALICE, QUOTA_PLATFORMS, 1, NULL));
        assert_false(quotas_take(quotas, ALICE, QUOTA_PLATFORMS, UINT64_MAX, NULL));

        /* Another kind, another user */
        assert_true(quotas_take(quotas, ALICE, QUOTA_JOBS, 1, NULL));
        assert_true(quotas_take(quotas, BOB, QUOTA_PLATFORMS, 3, NULL));
        assert_true(quotas_take(quotas, ROOT, QUOTA_PLATFORMS, 3, NULL));
        assert_false(quotas_take(quotas, ROOT, QUOTA_PLATFORMS, 1, NULL));

        quotas_give(quotas, ALICE, QUOTA_PLATFORMS, 3);
        quotas_give(quotas, ALICE, QUOTA_JOBS, 1);
        quotas_give(quotas, ALICE, QUOTA_CALLS, 0);
        assert_true(quotas_take(quotas, ALICE, QUOTA_PLATFORMS, 3, NULL));
        assert_true(quotas_take(quotas, BOB, QUOTA_MEMORY, UINT64_MAX, NULL));
        assert_false(quotas_take(quotas, BOB, QUOTA_MEMORY, 1, NULL));
        assert_null(quotas_free(quotas));
        assert_null(quotas_free(NULL));
}

static void test_parse(void **state) {
        QuotaLimits limits;
        static const char *const wrong[] = { "", "=", "platforms", "platforms=", "platforms=-1", "platforms=1G", "platform=1", "memory=x",
                                             "Memory=1", "platforms=infinite", "platforms =1", "platformsplatforms=1" };

        quota_limits_set_defaults(&limits);
        assert_int_equal(limits.limits[QUOTA_PLATFORMS], 64);
        assert_true(quota_limits_parse(&limits, "platforms=7", NULL));
        assert_true(quota_limits_parse(&limits, "memory=4G", NULL));
        assert_true(quota_limits_parse(&limits, "jobs=infinity", NULL));
        assert_true(quota_limits_parse(&limits, "calls=0", NULL));
        assert_int_equal(limits.limits[QUOTA_PLATFORMS], 7);
        assert_int_equal(limits.limits[QUOTA_MEMORY], UINT64_C(4) << 30);
        assert_int_equal(limits.limits[QUOTA_JOBS], UINT64_MAX);
        assert_int_equal(limits.limits[QUOTA_CALLS], 0);
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(GError) error = NULL;

                assert_false(quota_limits_parse(&limits, wrong[i], &error));
                assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_take),
                cmocka_unit_test(test_parse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
