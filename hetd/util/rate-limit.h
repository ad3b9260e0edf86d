/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How often something may happen: so many times at once, and then one more each interval. It has no timer: its user waits. */

#include <stdint.h>

typedef struct RateLimit {
        uint64_t interval_usec;
        unsigned burst;
        uint64_t until_usec;            /* when all that was taken is paid for */
} RateLimit;

#define RATE_LIMIT(interval, n) ((RateLimit) { .interval_usec = (interval), .burst = (n) })

/* It happens, now: a monotonic clock. Returns for how long it should not happen again, 0: it may. */
uint64_t rate_limit_take(RateLimit *limit, uint64_t now_usec);
