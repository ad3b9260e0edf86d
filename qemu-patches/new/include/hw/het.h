/*
 * Heterogeneous platforms: what all of QEMU asks of them, and tells them
 *
 * hw/core/het.c         what this process is in a platform
 * hw/core/het-master.c  a process that has slaves
 * hw/core/het-slave.c   one that waits for memory and boot
 *
 * What their parts know of each other is in hw/het-*.h and
 * system/hostmem-shared.h. All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_H
#define HW_HET_H

#include "qapi/qapi-types-het.h"
#include "qapi/qapi-types-run-state.h"

/* --- het.c --- */

HetRole het_role(void);
HetState het_state(void);
HetStateReason het_reason(void);
uint64_t het_boots(void);
/* What a booted slave publishes of its resource table; else 0 */
uint64_t het_resource_table(void);
/*
 * Whether memory is shared with other processes: then TCG must use atomics
 * even for one vCPU
 */
bool het_shares_memory(void);
/* Says why memory must not be loaded into this process; false if it may */
bool het_refuses_incoming(Error **errp);

/* --- het-master.c --- */

/*
 * Makes a process that is no part of a platform its master; false with errp
 * on a slave
 */
bool het_become_master(Error **errp);
/*
 * As long as a master has slaves it cannot be migrated or saved; false with
 * errp if it must be migratable
 */
bool het_block_migration(Error **errp);
void het_unblock_migration(void);

/* --- het-slave.c --- */

/*
 * Called for -machine slave=on and -incoming shared:ID, before the machine is
 * made.
 * memory_id: the object that must be there, NULL: any
 */
void het_set_slave(const char *memory_id);
/*
 * Called by runstate.c when it begins a reset, so that its cause is known, and
 * nothing that is reset writes into a slave's memory
 */
void het_begin_reset(ShutdownCause cause);
/*
 * Whether a reset may write size bytes to an address, and set the PC of a CPU;
 * false with errp on a slave where that cannot be what is wanted
 */
bool het_check_loader(AddressSpace *as, uint64_t address, uint64_t size,
                      bool sets_pc, Error **errp);
/*
 * Called where a guest can bring its CPU into a state that is not emulated.
 * On a slave this counts as a panic of the guest and returns true: the CPU
 * must not go on. Else false.
 */
bool het_guest_lockup(CPUState *cs);
/* The slave's guest says it; ignored while it is not booted */
void het_set_resource_table(uint64_t address);

#endif
