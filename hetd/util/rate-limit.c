/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rate-limit.h"

#include <glib.h>

uint64_t rate_limit_take(RateLimit *limit, uint64_t now_usec) {
        uint64_t free_usec = limit->interval_usec * limit->burst, debt_usec;

        limit->until_usec = MAX(limit->until_usec, now_usec) + limit->interval_usec;
        debt_usec = limit->until_usec - now_usec;
        return debt_usec > free_usec ? debt_usec - free_usec : 0;
}
