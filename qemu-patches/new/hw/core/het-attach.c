/*
 * Heterogeneous platforms: slaves and masters come and go
 *
 * What must be so before a couple is attached, and what belongs to it: the
 * role of this process, the window, the migration blocker. Used by
 * het-qmp.c, where a broker hands over what a couple is made of, and by
 * multi-socket-master.c and multi-socket-slave.c, where there is none.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/het-attach.h"

static bool het_check_id(uint32_t id, Error **errp)
{
    if (id < 1 || id > HET_ID_MAX) {
        error_setg(errp, "slave number %u is not between 1 and %u", id,
                   HET_ID_MAX);
        return false;
    }
    return true;
}

/* --- slaves of a master --- */

bool het_may_attach_slave(uint32_t id, Error **errp)
{
    if (!het_check_id(id, errp)) {
        return false;
    }
    if (het_role() != HET_ROLE_SLAVE && het_couple_find(id)) {
        error_setg(errp, "slave %u is attached already", id);
        return false;
    }
    return het_become_master(errp);
}

bool het_slave_attach(uint32_t id, HetCoupleFds *fds,
                      const HetWindowPlace *window, Error **errp)
{
    if (!het_may_attach_slave(id, errp) || !het_block_migration(errp)) {
        if (window && window->fd >= 0) {
            close(window->fd);
        }
        het_couple_close_fds(fds);
        return false;
    }
    if (window && !het_window_map(id, window, errp)) {
        goto err;
    }
    if (!het_couple_attach(id, fds, errp)) {
        het_window_unmap(id);
        goto err;
    }
    return true;

err:
    het_couple_close_fds(fds);
    if (!het_couple_count()) {
        het_unblock_migration();
    }
    return false;
}

bool het_slave_detach(uint32_t id, Error **errp)
{
    if (het_role() != HET_ROLE_MASTER || !het_couple_find(id)) {
        error_setg(errp, "no slave %u is attached", id);
        return false;
    }
    het_couple_detach(id);
    het_window_unmap(id);
    if (!het_couple_count()) {
        het_unblock_migration();
    }
    return true;
}

/* --- the master of a slave --- */

bool het_may_attach_master(uint32_t id, Error **errp)
{
    if (het_role() != HET_ROLE_SLAVE) {
        error_setg(errp, "this QEMU process is not a slave");
        return false;
    }
    if (!het_check_id(id, errp)) {
        return false;
    }
    if (het_couple_find(0)) {
        error_setg(errp, "this slave is attached to a master already");
        return false;
    }
    return true;
}

bool het_master_attach(uint32_t id, HetCoupleFds *fds, Error **errp)
{
    if (!het_may_attach_master(id, errp)) {
        het_couple_close_fds(fds);
        return false;
    }
    return het_couple_attach(id, fds, errp);
}

bool het_master_detach(Error **errp)
{
    if (het_role() != HET_ROLE_SLAVE || !het_couple_find(0)) {
        error_setg(errp, "this QEMU process is not attached to a master");
        return false;
    }
    het_couple_detach(0);
    return true;
}
