/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "quota.h"

#include "util/error.h"
#include "util/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct {
        const char *name;
        uint64_t limit;
} kinds[_QUOTA_MAX] = {
        [QUOTA_PLATFORMS]  = { "platforms",  64 },
        [QUOTA_PROCESSORS] = { "processors", 1024 },
        [QUOTA_MEMORY]     = { "memory",     UINT64_MAX },      /* guests take it page by page; a service has MemoryMax= */
        [QUOTA_JOBS]       = { "jobs",       16 },
        [QUOTA_CALLS]      = { "calls",      128 },
};

struct Quotas {
        QuotaLimits limits;
        GHashTable *users;              /* uid → Taken */
};

typedef struct Taken {
        uint64_t n[_QUOTA_MAX];
} Taken;

void quota_limits_set_defaults(QuotaLimits *limits) {
        for (QuotaKind kind = 0; kind < _QUOTA_MAX; kind++)
                limits->limits[kind] = kinds[kind].limit;
}

bool quota_limits_parse(QuotaLimits *limits, const char *text, GError **error) {
        const char *equals = strchr(text, '=');
        size_t length = equals ? (size_t) (equals - text) : 0;

        for (QuotaKind kind = 0; kind < _QUOTA_MAX; kind++) {
                if (strlen(kinds[kind].name) != length || strncmp(kinds[kind].name, text, length) != 0)
                        continue;
                if (strcmp(equals + 1, "infinity") == 0)
                        limits->limits[kind] = UINT64_MAX;
                else if ((kind == QUOTA_MEMORY ? parse_size(equals + 1, &limits->limits[kind])
                                               : parse_uint(equals + 1, UINT64_MAX, &limits->limits[kind])) < 0)
                        break;
                return true;
        }

        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "'%s' is no quota; write platforms=N, processors=N, memory=SIZE, jobs=N or "
                    "calls=N, infinity for none", text);
        return false;
}

Quotas *quotas_new(const QuotaLimits *limits) {
        Quotas *quotas = g_new0(Quotas, 1);

        quotas->limits = *limits;
        quotas->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        return quotas;
}

Quotas *quotas_free(Quotas *quotas) {
        if (!quotas)
                return NULL;

        g_hash_table_unref(quotas->users);
        g_free(quotas);
        return NULL;
}

bool quotas_take(Quotas *quotas, uid_t user, QuotaKind kind, uint64_t n, GError **error) {
        Taken *taken = g_hash_table_lookup(quotas->users, GUINT_TO_POINTER(user));
        uint64_t has = taken ? taken->n[kind] : 0, limit = quotas->limits.limits[kind];

        if (n == 0)
                return true;
        if (has > limit || n > limit - has) {
                g_set_error(error, HET_ERROR, HET_ERROR_LIMIT_EXCEEDED, "User %u has %" PRIu64 " of %" PRIu64 " %s already, %" PRIu64
                            " more are not possible (see --quota= of hetd)", user, has, limit,
                            kind == QUOTA_MEMORY ? "bytes of memory" : kinds[kind].name, n);
                return false;
        }

        quotas_add(quotas, user, kind, n);
        return true;
}

void quotas_add(Quotas *quotas, uid_t user, QuotaKind kind, uint64_t n) {
        Taken *taken = g_hash_table_lookup(quotas->users, GUINT_TO_POINTER(user));

        if (n == 0)
                return;

        if (!taken) {
                taken = g_new0(Taken, 1);
                g_hash_table_insert(quotas->users, GUINT_TO_POINTER(user), taken);
        }
        taken->n[kind] += n;
}

void quotas_give(Quotas *quotas, uid_t user, QuotaKind kind, uint64_t n) {
        static const Taken nothing;
        Taken *taken = g_hash_table_lookup(quotas->users, GUINT_TO_POINTER(user));

        if (n == 0)
                return;

        g_return_if_fail(taken && taken->n[kind] >= n);
        taken->n[kind] -= n;
        if (memcmp(taken, &nothing, sizeof(nothing)) == 0)
                g_hash_table_remove(quotas->users, GUINT_TO_POINTER(user));
}
