/*
 * Heterogeneous platforms: how a CPU of a slave is booted
 *
 * hw/core/het-boot.c    choice of the boot operations for a CPU
 * hw/<arch>/het-boot.c  those of an architecture
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_BOOT_H
#define HW_HET_BOOT_H

#include "qapi/qapi-types-het.h"
#include "hw/core/cpu.h"

typedef struct HetBootInfo {
    HetBootProtocol protocol;   /* never auto */
    uint64_t entry;
    uint64_t argument;
} HetBootInfo;

typedef struct HetBootOps {
    /* What auto means for this CPU */
    HetBootProtocol (*default_protocol)(CPUState *cs);
    /*
     * Resets the CPU and sets it up as info says; it is started by the
     * caller's vm_start()
     */
    bool (*boot)(CPUState *cs, const HetBootInfo *info, Error **errp);
} HetBootOps;

/*
 * By type_init of an architecture's file; the CPU's class must descend from
 * cpu_type
 */
void het_register_boot_ops(const char *cpu_type, const HetBootOps *ops);
/* Whether the CPU can fetch from memory at address */
bool het_is_visible_memory(CPUState *cs, uint64_t address);
/* Resolves auto, checks the entry address and calls the CPU's boot operation */
bool het_boot_cpu(CPUState *cs, HetBootInfo *info, Error **errp);

#endif
