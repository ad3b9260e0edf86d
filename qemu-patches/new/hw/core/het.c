/*
 * Heterogeneous platforms: what this process is in one
 *
 * A process is a master, a slave, or neither, and has a state that others
 * of its platform are told. It gets its role in het-master.c or het-slave.c,
 * which also keep the state; everything else asks here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "system/runstate.h"
#include "het-internal.h"

HetProcess het_self;

HetRole het_role(void)
{
    return het_self.role;
}

bool het_shares_memory(void)
{
    return het_self.role != HET_ROLE_NONE;
}

uint64_t het_boots(void)
{
    return het_self.boots;
}

HetStateReason het_reason(void)
{
    return het_self.reason;
}

uint64_t het_resource_table(void)
{
    return het_self.resource_table;
}

HetState het_state_of(bool running, RunState state)
{
    if (running) {
        return HET_STATE_RUNNING;
    }
    return state == RUN_STATE_GUEST_PANICKED ||
           state == RUN_STATE_INTERNAL_ERROR ? HET_STATE_CRASHED
                                             : HET_STATE_PAUSED;
}

HetState het_state(void)
{
    return het_self.role == HET_ROLE_SLAVE
           ? het_self.state
           : het_state_of(runstate_is_running(), runstate_get());
}

bool het_refuses_incoming(Error **errp)
{
    if (het_self.role == HET_ROLE_NONE) {
        return false;
    }
    error_setg(errp, "memory is shared with the other processes of a"
               " heterogeneous platform");
    return true;
}
