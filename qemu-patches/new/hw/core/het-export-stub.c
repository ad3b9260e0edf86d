/*
 * QMP commands that hand things out, for hosts that have none of them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-het.h"
#include "het-internal.h"

HetMemoryExport *qmp_het_memory_export(const char *id, const char *socket,
                                       Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
    return NULL;
}

HetCoupleExport *qmp_het_couple_export(uint32_t id, const char *socket,
                                       Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
    return NULL;
}
