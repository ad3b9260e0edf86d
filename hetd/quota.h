/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much of hetd one user may take, so that something is left for the others. Counted by user id; the Manager has one. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum QuotaKind {
        QUOTA_PLATFORMS,        /* that are defined */
        QUOTA_PROCESSORS,       /* of these; each has a process, and a dozen file descriptors of hetd, when it is started */
        QUOTA_MEMORY,           /* bytes of main memory of these */
        QUOTA_JOBS,             /* that are at work on these */
        QUOTA_CALLS,            /* that wait for an answer */
        _QUOTA_MAX,
} QuotaKind;

typedef struct QuotaLimits {
        uint64_t limits[_QUOTA_MAX];    /* UINT64_MAX: none */
} QuotaLimits;

void quota_limits_set_defaults(QuotaLimits *limits);
/* "platforms=10"; a size for memory; "infinity" for none */
bool quota_limits_parse(QuotaLimits *limits, const char *text, GError **error);

typedef struct Quotas Quotas;

Quotas *quotas_new(const QuotaLimits *limits);
Quotas *quotas_free(Quotas *quotas);            /* returns NULL */
/* HET_ERROR_LIMIT_EXCEEDED: it would be more than the user may have; nothing is taken then */
bool quotas_take(Quotas *quotas, uid_t user, QuotaKind kind, uint64_t n, GError **error);
/* The same of what is there already, even if it is more */
void quotas_add(Quotas *quotas, uid_t user, QuotaKind kind, uint64_t n);
void quotas_give(Quotas *quotas, uid_t user, QuotaKind kind, uint64_t n);
