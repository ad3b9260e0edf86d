/*
 * A halted vCPU that waits for vectors itself
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_CORE_HET_HALT_H
#define HW_CORE_HET_HALT_H

#include "hw/core/cpu.h"
#include "hw/misc/het-page.h"

/* A sched_yield() that takes so long was a time slice of somebody else's */
#define HET_CROWDED_NS  200000

typedef struct HetHaltConfig {
    /* how long it watches before it sleeps; 0: not at all */
    uint32_t max_ns;
    /* always that long; else up to it, adapted to how long it had to wait */
    bool fixed;
    /* Called with the BQL held when it has waited: takes what has arrived */
    void (*woken)(void);
} HetHaltConfig;

bool het_halt_init(const HetHaltConfig *config, Error **errp);
/* The vCPU that waits; NULL: the first */
void het_halt_set_cpu(const CPUState *cpu);
/*
 * Whose thread may be given what has come for it; NULL: none. May be called
 * without the BQL.
 */
CPUState *het_halt_worker(void);
/*
 * Whether the worker may sleep on in spite of a kick, because that came
 * without the BQL. May be called without the BQL.
 */
bool het_halt_is_deaf(CPUState *cpu);
void het_halt_add(HetPageSide *side, int fd);
/* On return no vCPU looks at the side or the fd any more */
void het_halt_remove(HetPageSide *side);

#endif
