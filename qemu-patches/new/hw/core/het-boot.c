/*
 * How the boot CPU of a slave is set up
 *
 * Chooses what an architecture has registered for the CPU, or does what is
 * possible with any CPU. Used by het-slave.c while the machine is stopped.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "exec/memory.h"
#include "system/hw_accel.h"
#include "hw/het-boot.h"
#include "trace.h"

/* One for each family of CPUs that a binary has */
#define HET_BOOT_OPS_MAX 8

typedef struct HetBootOpsEntry {
    const char *cpu_type;
    const HetBootOps *ops;
} HetBootOpsEntry;

static HetBootOpsEntry boot_ops[HET_BOOT_OPS_MAX];
static unsigned boot_ops_count;

void het_register_boot_ops(const char *cpu_type, const HetBootOps *ops)
{
    assert(boot_ops_count < HET_BOOT_OPS_MAX);
    boot_ops[boot_ops_count++] = (HetBootOpsEntry) { cpu_type, ops };
}

static HetBootProtocol het_generic_default_protocol(CPUState *cs)
{
    return HET_BOOT_PROTOCOL_RAW;
}

static bool het_generic_boot(CPUState *cs, const HetBootInfo *info,
                             Error **errp)
{
    if (info->protocol != HET_BOOT_PROTOCOL_RAW || info->argument) {
        error_setg(errp, "CPUs of type '%s' can only be booted with protocol"
                   " 'raw' and no argument",
                   object_get_typename(OBJECT(cs)));
        return false;
    }
    cpu_reset(cs);
    cpu_set_pc(cs, info->entry);
    cs->halted = 0;
    return true;
}

static const HetBootOps generic_ops = {
    .default_protocol = het_generic_default_protocol,
    .boot = het_generic_boot,
};

static const HetBootOps *het_find_boot_ops(CPUState *cs)
{
    for (unsigned i = 0; i < boot_ops_count; i++) {
        if (object_dynamic_cast(OBJECT(cs), boot_ops[i].cpu_type)) {
            return boot_ops[i].ops;
        }
    }
    return &generic_ops;
}

bool het_is_visible_memory(CPUState *cs, uint64_t address)
{
    hwaddr len = 1, xlat;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(cs->as, address, &xlat, &len, false,
                                 MEMTXATTRS_UNSPECIFIED);
    return memory_region_is_ram(mr) || memory_region_is_romd(mr);
}

bool het_boot_cpu(CPUState *cs, HetBootInfo *info, Error **errp)
{
    const HetBootOps *ops = het_find_boot_ops(cs);

    if (info->protocol == HET_BOOT_PROTOCOL_AUTO) {
        info->protocol = ops->default_protocol(cs);
    }
    if (!het_is_visible_memory(cs, info->entry)) {
        error_setg(errp, "there is no memory at the entry address"
                   " 0x%" PRIx64, info->entry);
        return false;
    }
    trace_het_boot_cpu(cs->cpu_index, object_get_typename(OBJECT(cs)),
                       info->entry);
    cpu_synchronize_state(cs);
    return ops->boot(cs, info, errp);
}
