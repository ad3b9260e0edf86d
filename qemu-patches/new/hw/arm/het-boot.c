/*
 * How a slave's boot CPU is set up: Arm A-profile, 32 and 64 bit, and
 * M-profile
 *
 * Called by hw/core/het-boot.c with the machine stopped and the memory
 * visible. Boards' own boot code (boot.c, armv7m.c) has no part in it: it
 * works with images that QEMU loads.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/het-boot.h"
#include "system/tcg.h"
#include "cpu.h"
#include "trace.h"

/* Bits of VTOR that are not implemented, the same in all versions */
#define ARM_VECTOR_TABLE_ALIGNMENT 128

static bool arm_is_m_profile(CPUState *cs)
{
    return arm_feature(&ARM_CPU(cs)->env, ARM_FEATURE_M);
}

static HetBootProtocol arm_het_default_protocol(CPUState *cs)
{
    return arm_is_m_profile(cs) ? HET_BOOT_PROTOCOL_VECTOR_TABLE
                                : HET_BOOT_PROTOCOL_RAW;
}

static void arm_het_power_on(CPUState *cs)
{
    cs->halted = 0;
    ARM_CPU(cs)->power_state = PSCI_ON;
    if (tcg_enabled()) {
        arm_rebuild_hflags(&ARM_CPU(cs)->env);
    }
}

static bool arm_het_check_protocol(CPUState *cs, const HetBootInfo *info,
                                   Error **errp)
{
    bool vector_table = info->protocol == HET_BOOT_PROTOCOL_VECTOR_TABLE;

    if (vector_table != arm_is_m_profile(cs)) {
        error_setg(errp, "protocol '%s' is not possible for CPUs of type '%s'",
                   HetBootProtocol_str(info->protocol),
                   object_get_typename(OBJECT(cs)));
        return false;
    }
    if (vector_table &&
        !QEMU_IS_ALIGNED(info->entry, ARM_VECTOR_TABLE_ALIGNMENT)) {
        error_setg(errp, "the vector table at 0x%" PRIx64 " is not aligned to"
                   " %d bytes", info->entry, ARM_VECTOR_TABLE_ALIGNMENT);
        return false;
    }
    return true;
}

static bool arm_het_check_width(CPUState *cs, const HetBootInfo *info,
                                Error **errp)
{
    CPUARMState *env = &ARM_CPU(cs)->env;

    if (!arm_feature(env, ARM_FEATURE_AARCH64)) {
        if (info->entry > UINT32_MAX || info->argument > UINT32_MAX) {
            error_setg(errp, "entry and argument must be below 4 GiB for CPUs"
                       " of type '%s'", object_get_typename(OBJECT(cs)));
            return false;
        }
    } else if (info->entry & 3) {
        error_setg(errp, "entry 0x%" PRIx64 " is not aligned to 4 bytes",
                   info->entry);
        return false;
    }
    return true;
}

/* The reset reads the table, so it must be known, and visible, before */
static void arm_het_boot_m(CPUState *cs, const HetBootInfo *info)
{
    ARMCPU *cpu = ARM_CPU(cs);

    cpu->init_svtor = info->entry;
    cpu->init_nsvtor = info->entry;
    cpu_reset(cs);
    cpu->env.regs[0] = info->argument;
}

static void arm_het_boot_linux(CPUState *cs, const HetBootInfo *info)
{
    CPUARMState *env = &ARM_CPU(cs)->env;

    arm_emulate_firmware_reset(cs, arm_feature(env, ARM_FEATURE_EL2) ? 2 : 1);
    if (is_a64(env)) {
        env->xregs[0] = info->argument;
        memset(&env->xregs[1], 0, 3 * sizeof(env->xregs[1]));
    } else {
        env->regs[0] = 0;
        env->regs[1] = UINT32_MAX;
        env->regs[2] = info->argument;
    }
}

static bool arm_het_boot(CPUState *cs, const HetBootInfo *info, Error **errp)
{
    CPUARMState *env = &ARM_CPU(cs)->env;

    if (!arm_het_check_protocol(cs, info, errp) ||
        !arm_het_check_width(cs, info, errp)) {
        return false;
    }
    if (arm_is_m_profile(cs)) {
        arm_het_boot_m(cs, info);
    } else {
        cpu_reset(cs);
        if (info->protocol == HET_BOOT_PROTOCOL_LINUX) {
            arm_het_boot_linux(cs, info);
        } else if (is_a64(env)) {
            env->xregs[0] = info->argument;
        } else {
            env->regs[0] = info->argument;
        }
        cpu_set_pc(cs, info->entry);
    }
    trace_arm_het_boot(cs->cpu_index, HetBootProtocol_str(info->protocol),
                       info->entry, info->argument);
    arm_het_power_on(cs);
    return true;
}

static const HetBootOps arm_het_boot_ops = {
    .default_protocol = arm_het_default_protocol,
    .boot = arm_het_boot,
};

static void arm_het_boot_register(void)
{
    het_register_boot_ops(TYPE_ARM_CPU, &arm_het_boot_ops);
}

type_init(arm_het_boot_register)
