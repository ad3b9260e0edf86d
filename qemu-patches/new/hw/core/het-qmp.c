/*
 * QMP commands of heterogeneous platforms (qapi/het.json)
 *
 * Checks what a command names, takes its file descriptors and leaves the
 * work to het-slave.c, het-attach.c and het-couple.c. Whatever file
 * descriptor a command names is gone when it has returned: used, or closed.
 * Those that hand something out are in het-export.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-het.h"
#include "monitor/monitor.h"
#include "hw/het-attach.h"
#include "hw/het-check.h"
#include "hw/het-slave.h"

static void het_forget_couple_fds(HetCouple *couple)
{
    het_forget_fd(couple->page);
    het_forget_fd(couple->rx);
    het_forget_fd(couple->tx);
    if (couple->rx_halt) {
        het_forget_fd(couple->rx_halt);
    }
    if (couple->tx_halt) {
        het_forget_fd(couple->tx_halt);
    }
}

/*
 * Each of the names is taken, whatever becomes of the others, so that none
 * is left for a later command. Only the first error is kept.
 */
static bool het_take_couple_fds(HetCoupleFds *fds, HetCouple *couple,
                                Error **errp)
{
    Error *err = NULL;
    size_t page_size;

    *fds = HET_COUPLE_FDS_NONE;
    fds->page = het_take_memory_fd(couple->page, 0, 0, false, &page_size,
                                   &err);
    fds->rx = het_take_eventfd(couple->rx, err ? NULL : &err);
    fds->tx = het_take_eventfd(couple->tx, err ? NULL : &err);
    if (couple->rx_halt) {
        fds->rx_halt = het_take_eventfd(couple->rx_halt, err ? NULL : &err);
    }
    if (couple->tx_halt) {
        fds->tx_halt = het_take_eventfd(couple->tx_halt, err ? NULL : &err);
    }
    if (!err && !couple->rx_halt != !couple->tx_halt) {
        error_setg(&err, "rx-halt and tx-halt must be given together");
    }
    if (err) {
        het_couple_close_fds(fds);
        error_propagate(errp, err);
        return false;
    }
    return true;
}

static bool het_check_slave(Error **errp)
{
    if (het_role() != HET_ROLE_SLAVE) {
        error_setg(errp, "this QEMU process is not a slave");
        return false;
    }
    return true;
}

/* --- slaves of a master --- */

/* place is NULL, and the answer true, if there is no window */
static bool het_take_window(HetWindow *window, HetWindowPlace **place,
                            Error **errp)
{
    HetWindowPlace *p = *place;

    if (!window) {
        *place = NULL;
        return true;
    }
    p->address = window->address;
    p->size = window->size;
    p->offset = window->has_offset ? window->offset : 0;
    p->fd = het_take_memory_fd(window->memory, p->offset, p->size, false,
                               &p->page_size, errp);
    return p->fd >= 0;
}

void qmp_het_slave_attach(uint32_t id, HetCouple *couple, HetWindow *window,
                          Error **errp)
{
    HetWindowPlace storage, *place = &storage;
    HetCoupleFds fds;

    if (!het_may_attach_slave(id, errp) ||
        !het_take_window(window, &place, errp)) {
        het_forget_couple_fds(couple);
        if (window) {
            het_forget_fd(window->memory);
        }
        return;
    }
    if (!het_take_couple_fds(&fds, couple, errp)) {
        if (place) {
            close(place->fd);
        }
        return;
    }
    het_slave_attach(id, &fds, place, errp);
}

void qmp_het_slave_detach(uint32_t id, Error **errp)
{
    het_slave_detach(id, errp);
}

void qmp_het_request_complete(uint32_t id, HetRequestResult result,
                              Error **errp)
{
    het_couple_request_complete(id, result, errp);
}

/* --- the master of a slave --- */

void qmp_het_master_attach(uint32_t id, HetCouple *couple, Error **errp)
{
    HetCoupleFds fds;

    if (!het_may_attach_master(id, errp)) {
        het_forget_couple_fds(couple);
        return;
    }
    if (het_take_couple_fds(&fds, couple, errp)) {
        het_master_attach(id, &fds, errp);
    }
}

void qmp_het_master_detach(Error **errp)
{
    het_master_detach(errp);
}

/* --- memory --- */

static bool het_grant(const char *id, const char *memory, uint64_t offset,
                      const uint64_t *bus_address, bool readonly,
                      Error **errp)
{
    HostMemoryBackendShared *s;
    size_t page_size;
    int fd;

    if (!het_check_slave(errp)) {
        return false;
    }
    s = hostmem_shared_find(id, errp);
    if (!s) {
        return false;
    }
    fd = het_take_memory_fd(memory, offset, hostmem_shared_size(s), readonly,
                            &page_size, errp);
    return fd >= 0 && het_memory_grant(s, fd, offset, page_size, readonly,
                                       bus_address, errp);
}

void qmp_het_memory_grant(const char *id, const char *memory, bool has_offset,
                          uint64_t offset, bool has_bus_address,
                          uint64_t bus_address, bool has_readonly,
                          bool readonly, Error **errp)
{
    if (!het_grant(id, memory, has_offset ? offset : 0,
                   has_bus_address ? &bus_address : NULL,
                   has_readonly && readonly, errp)) {
        het_forget_fd(memory);
    }
}

void qmp_het_memory_revoke(const char *id, Error **errp)
{
    HostMemoryBackendShared *s = hostmem_shared_find(id, errp);

    if (s) {
        het_memory_revoke(s, errp);
    }
}

void qmp_het_request_repeat(Error **errp)
{
    het_couples_repeat_requests();
}

/* --- boot and stop --- */

void qmp_het_slave_boot(uint64_t entry, bool has_argument, uint64_t argument,
                        bool has_protocol, HetBootProtocol protocol,
                        bool has_resource_table, uint64_t resource_table,
                        Error **errp)
{
    het_boot(has_protocol ? protocol : HET_BOOT_PROTOCOL_AUTO, entry,
             has_argument ? argument : 0,
             has_resource_table ? resource_table : 0, errp);
}

void qmp_het_slave_stop(Error **errp)
{
    het_stop(errp);
}

void qmp_het_slave_fail(Error **errp)
{
    het_fail(errp);
}

/* --- IPIs --- */

void qmp_het_ipi_send(uint32_t id, uint32_t vector, Error **errp)
{
    HetCoupleState *c = het_couple_find(id);

    if (!c) {
        error_setg(errp, "there is no couple with processor %u", id);
        return;
    }
    if (vector >= HET_VECTORS) {
        error_setg(errp, "vector %u is not between 0 and %u", vector,
                   HET_VECTORS - 1);
        return;
    }
    het_couple_send(c, vector);
}

void qmp_het_ipi_watch(uint32_t id, bool enable, Error **errp)
{
    het_couple_watch(id, enable, errp);
}

/* --- query --- */

static int het_query_memory(HostMemoryBackendShared *s, void *opaque)
{
    HetMemoryInfoList ***tail = opaque;

    QAPI_LIST_APPEND(*tail, hostmem_shared_query(s));
    return 0;
}

HetInfo *qmp_query_het(Error **errp)
{
    HetInfo *info = g_new0(HetInfo, 1);
    HetMemoryInfoList **memory = &info->memory;
    HetCoupleInfoList **couples = &info->couples;
    uint32_t self = het_couple_self();
    HetCoupleState *c;

    het_couples_poll();
    info->role = het_role();
    info->has_id = self != UINT32_MAX;
    info->id = info->has_id ? self : 0;
    info->state = het_state();
    info->reason = het_reason();
    info->boots = het_boots();
    info->has_resource_table = het_resource_table() != 0;
    info->resource_table = het_resource_table();
    hostmem_shared_foreach(het_query_memory, &memory);
    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        QAPI_LIST_APPEND(couples, het_couple_query(c));
    }
    return info;
}
