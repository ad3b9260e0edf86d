/*
 * QMP commands of heterogeneous platforms, for hosts that have none
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-het.h"
#include "het-internal.h"

void qmp_het_slave_attach(uint32_t id, HetCouple *couple, HetWindow *window,
                          Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_slave_detach(uint32_t id, Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_request_complete(uint32_t id, HetRequestResult result,
                              Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_master_attach(uint32_t id, HetCouple *couple, Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_master_detach(Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_memory_grant(const char *id, const char *memory, bool has_offset,
                          uint64_t offset, bool has_bus_address,
                          uint64_t bus_address, bool has_readonly,
                          bool readonly, Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_memory_revoke(const char *id, Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_request_repeat(Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_slave_boot(uint64_t entry, bool has_argument, uint64_t argument,
                        bool has_protocol, HetBootProtocol protocol,
                        bool has_resource_table, uint64_t resource_table,
                        Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_slave_stop(Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_slave_fail(Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_ipi_send(uint32_t id, uint32_t vector, Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

void qmp_het_ipi_watch(uint32_t id, bool enable, Error **errp)
{
    error_setg(errp, HET_UNSUPPORTED);
}

HetInfo *qmp_query_het(Error **errp)
{
    HetInfo *info = g_new0(HetInfo, 1);

    info->state = HET_STATE_OFFLINE;
    return info;
}
