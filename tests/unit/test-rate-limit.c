/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* So many at once, then one an interval. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/rate-limit.h"

#define NOW     UINT64_C(1000000)

static void test_burst(void **state) {
        RateLimit limit = RATE_LIMIT(10, 3);

        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(rate_limit_take(&limit, NOW), 0);
        assert_int_equal(rate_limit_take(&limit, NOW), 10);
        assert_int_equal(rate_limit_take(&limit, NOW), 20);
        assert_int_equal(rate_limit_take(&limit, NOW + 20), 10);        /* who does not wait waits longer */
        assert_int_equal(rate_limit_take(&limit, NOW + 40), 0);
}

static void test_pause(void **state) {
        RateLimit limit = RATE_LIMIT(10, 3);

        for (unsigned i = 0; i < 6; i++)
                (void) rate_limit_take(&limit, NOW);
        /* No more than the burst is saved, however long nothing happens */
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(rate_limit_take(&limit, NOW * 1000), 0);
        assert_int_equal(rate_limit_take(&limit, NOW * 1000), 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_burst),
                cmocka_unit_test(test_pause),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
