/*
 * Heterogeneous platforms: hosts that have none
 *
 * They need memfds, seals and eventfds. Elsewhere than on Linux a process
 * has no role.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "het-internal.h"

void het_set_slave(const char *memory_id)
{
    error_report(HET_UNSUPPORTED);
    exit(EXIT_FAILURE);
}

HetRole het_role(void)
{
    return HET_ROLE_NONE;
}

bool het_shares_memory(void)
{
    return false;
}

bool het_refuses_incoming(Error **errp)
{
    return false;
}

void het_begin_reset(ShutdownCause cause)
{
}

bool het_check_loader(AddressSpace *as, uint64_t address, uint64_t size,
                      bool sets_pc, Error **errp)
{
    return true;
}

bool het_guest_lockup(CPUState *cs)
{
    return false;
}
