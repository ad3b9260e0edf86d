/*
 * Heterogeneous platforms: a process that has slaves
 *
 * It becomes one when it makes memory for slaves or gets the first of them.
 * From then on TCG translates for parallel execution, the couples are told
 * when the machine stops or goes on, and there is no migration while slaves
 * are attached.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "exec/tb-flush.h"
#include "exec/translation-block.h"
#include "migration/blocker.h"
#include "system/cpus.h"
#include "system/runstate.h"
#include "system/tcg.h"
#include "hw/core/cpu.h"
#include "hw/het-couple.h"
#include "het-internal.h"
#include "trace.h"

static Error *migration_blocker;

bool het_check_accel(Error **errp)
{
    if (tcg_enabled() && !qemu_tcg_mttcg_enabled()) {
        error_setg(errp, "with a single thread for all CPUs (thread=single,"
                   " -icount) TCG's atomic instructions are not atomic towards"
                   " other processes; use -accel tcg,thread=multi");
        return false;
    }
    return true;
}

/*
 * CPUs that are there already have run, or may be running, code that was
 * translated for a machine that shares no memory.
 */
static void het_force_parallel(void)
{
    bool running = runstate_is_running();
    CPUState *cs;

    if (!tcg_enabled() || !first_cpu) {
        return;
    }
    if (running) {
        pause_all_vcpus();
    }
    CPU_FOREACH(cs) {
        tcg_cflags_set(cs, CF_PARALLEL);
    }
    tb_flush(first_cpu);
    if (running) {
        resume_all_vcpus();
    }
}

static void het_master_vm_state_changed(void *opaque, bool running,
                                        RunState state)
{
    HetState now = het_state_of(running, state);

    het_self.reason = running ? HET_STATE_REASON_CPUS_RESUMED :
                      now == HET_STATE_CRASHED
                      ? HET_STATE_REASON_GUEST_PANICKED
                      : HET_STATE_REASON_CPUS_STOPPED;
    het_couples_publish_state(now);
}

bool het_become_master(Error **errp)
{
    switch (het_self.role) {
    case HET_ROLE_SLAVE:
        error_setg(errp, "this QEMU process is a slave");
        return false;
    case HET_ROLE_MASTER:
        return true;
    default:
        break;
    }
    if (!het_check_accel(errp)) {
        return false;
    }
    trace_het_master();
    het_self.role = HET_ROLE_MASTER;
    qemu_add_vm_change_state_handler(het_master_vm_state_changed, NULL);
    het_force_parallel();
    return true;
}

bool het_block_migration(Error **errp)
{
    if (migration_blocker) {
        return true;
    }
    error_setg(&migration_blocker,
               "slaves of a heterogeneous platform are attached");
    return migrate_add_blocker(&migration_blocker, errp) >= 0;
}

void het_unblock_migration(void)
{
    migrate_del_blocker(&migration_blocker);
}
