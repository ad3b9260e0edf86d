/*
 * How a slave's harts are set up: RISC-V, 32 and 64 bit
 *
 * Called by hw/core/het-boot.c with the machine stopped and the memory
 * visible. The board's own boot code (boot.c) has no part in it: it works
 * with images that QEMU loads.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/het-boot.h"
#include "system/kvm.h"
#include "cpu.h"

static HetBootProtocol riscv_het_default_protocol(CPUState *cs)
{
    return HET_BOOT_PROTOCOL_RAW;
}

static bool riscv_het_check(CPUState *cs, const HetBootInfo *info,
                            Error **errp)
{
    if (kvm_enabled()) {
        error_setg(errp, "with KVM a hart begins in supervisor mode, which"
                   " slaves are not made for; use -accel tcg");
        return false;
    }
    if (info->protocol == HET_BOOT_PROTOCOL_VECTOR_TABLE) {
        error_setg(errp, "protocol '%s' is not possible for CPUs of type '%s'",
                   HetBootProtocol_str(info->protocol),
                   object_get_typename(OBJECT(cs)));
        return false;
    }
    if (riscv_cpu_mxl(&RISCV_CPU(cs)->env) == MXL_RV32 &&
        (info->entry > UINT32_MAX || info->argument > UINT32_MAX)) {
        error_setg(errp, "entry and argument must be below 4 GiB for CPUs"
                   " of type '%s'", object_get_typename(OBJECT(cs)));
        return false;
    }
    if (info->entry & 1) {
        error_setg(errp, "entry 0x%" PRIx64 " is not aligned to 2 bytes",
                   info->entry);
        return false;
    }
    return true;
}

static void riscv_het_start(CPUState *cs, uint64_t entry, uint64_t a0,
                            uint64_t a1)
{
    CPURISCVState *env = &RISCV_CPU(cs)->env;

    cpu_reset(cs);
    env->gpr[xA0] = a0;
    env->gpr[xA1] = a1;
    cpu_set_pc(cs, entry);
    cs->halted = 0;
}

/*
 * There is nobody below the firmware that could start a hart later: as on
 * boards all of them begin where it begins, each with its number.
 */
static void riscv_het_boot_linux(const HetBootInfo *info)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        riscv_het_start(cs, info->entry, RISCV_CPU(cs)->env.mhartid,
                        info->argument);
    }
}

static bool riscv_het_boot(CPUState *cs, const HetBootInfo *info,
                           Error **errp)
{
    if (!riscv_het_check(cs, info, errp)) {
        return false;
    }
    if (info->protocol == HET_BOOT_PROTOCOL_LINUX) {
        riscv_het_boot_linux(info);
    } else {
        riscv_het_start(cs, info->entry, info->argument, 0);
    }
    return true;
}

static const HetBootOps riscv_het_boot_ops = {
    .default_protocol = riscv_het_default_protocol,
    .boot = riscv_het_boot,
};

static void riscv_het_boot_register(void)
{
    het_register_boot_ops(TYPE_RISCV_CPU, &riscv_het_boot_ops);
}

type_init(riscv_het_boot_register)
