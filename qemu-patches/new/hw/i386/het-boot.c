/*
 * How a slave's boot CPU is set up: x86
 *
 * Called by hw/core/het-boot.c with the machine stopped and the memory
 * visible. There is no firmware: the CPU begins where the entry address
 * says, in real mode as after a start-up IPI, or in flat protected mode.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "hw/het-boot.h"
#include "system/hw_accel.h"
#include "cpu.h"

#ifdef CONFIG_KVM
#include <linux/kvm.h>
#endif

/* The selectors of Linux's 32-bit boot protocol; raw has the same */
#define X86_BOOT_CS 0x10
#define X86_BOOT_DS 0x18

#define X86_FLAT_DATA (DESC_G_MASK | DESC_B_MASK | DESC_P_MASK | DESC_S_MASK | \
                       DESC_W_MASK | DESC_A_MASK)
#define X86_FLAT_CODE (DESC_G_MASK | DESC_B_MASK | DESC_P_MASK | DESC_S_MASK | \
                       DESC_CS_MASK | DESC_R_MASK | DESC_A_MASK)

static HetBootProtocol x86_het_default_protocol(CPUState *cs)
{
    return HET_BOOT_PROTOCOL_RAW;
}

static bool x86_het_check(CPUState *cs, const HetBootInfo *info, Error **errp)
{
    if (info->protocol == HET_BOOT_PROTOCOL_VECTOR_TABLE) {
        error_setg(errp, "protocol '%s' is not possible for CPUs of type '%s'",
                   HetBootProtocol_str(info->protocol),
                   object_get_typename(OBJECT(cs)));
        return false;
    }
    if (info->entry > UINT32_MAX || info->argument > UINT32_MAX) {
        error_setg(errp, "entry and argument must be below 4 GiB: the CPU"
                   " begins with 32 bits");
        return false;
    }
    return true;
}

/* As a start-up IPI does it, for pages; with the rest of the address in IP */
static void x86_het_enter_real(CPUX86State *env, uint32_t entry)
{
    uint32_t base = entry & ~0xfff;

    cpu_x86_load_seg_cache(env, R_CS, base >> 4, base, 0xffff,
                           env->segs[R_CS].flags);
    env->eip = entry - base;
}

static void x86_het_enter_flat(CPUX86State *env, uint32_t entry)
{
    static const X86Seg data[] = { R_DS, R_ES, R_SS, R_FS, R_GS };

    cpu_x86_update_cr0(env, env->cr[0] | CR0_PE_MASK);
    cpu_x86_load_seg_cache(env, R_CS, X86_BOOT_CS, 0, UINT32_MAX,
                           X86_FLAT_CODE);
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
        cpu_x86_load_seg_cache(env, data[i], X86_BOOT_DS, 0, UINT32_MAX,
                               X86_FLAT_DATA);
    }
    env->eip = entry;
}

static bool x86_het_boot(CPUState *cs, const HetBootInfo *info, Error **errp)
{
    CPUX86State *env = &X86_CPU(cs)->env;
    bool linux_boot = info->protocol == HET_BOOT_PROTOCOL_LINUX;

    if (!x86_het_check(cs, info, errp)) {
        return false;
    }
    cpu_reset(cs);
    if (!linux_boot && info->entry < MiB) {
        x86_het_enter_real(env, info->entry);
    } else {
        x86_het_enter_flat(env, info->entry);
    }
    /* That of a reset would be the model of the CPU, in EDX */
    memset(env->regs, 0, sizeof(env->regs));
    env->regs[linux_boot ? R_ESI : R_EAX] = info->argument;

    cs->halted = 0;
#ifdef CONFIG_KVM
    env->mp_state = KVM_MP_STATE_RUNNABLE;
#endif
    cpu_synchronize_post_reset(cs);
    return true;
}

static const HetBootOps x86_het_boot_ops = {
    .default_protocol = x86_het_default_protocol,
    .boot = x86_het_boot,
};

static void x86_het_boot_register(void)
{
    het_register_boot_ops(TYPE_X86_CPU, &x86_het_boot_ops);
}

type_init(x86_het_boot_register)
