/*
 * Heterogeneous platforms: what the role of this process is kept in
 *
 * het.c         for all to ask
 * het-master.c  a process that has slaves
 * het-slave.c   one that waits for memory and boot
 * het-*stub.c   hosts where there is none of it
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_CORE_HET_INTERNAL_H
#define HW_CORE_HET_INTERNAL_H

#include "hw/het.h"

#define HET_UNSUPPORTED "heterogeneous platforms need a Linux host"

typedef struct HetProcess {
    HetRole role;
    HetState state;             /* a slave's */
    HetStateReason reason;
    uint64_t boots;
    uint64_t resource_table;    /* 0 while it is not booted */
} HetProcess;

extern HetProcess het_self;

/* Of a process that is no slave, where the machine's state is all there is */
HetState het_state_of(bool running, RunState state);

/* het-master.c: whether TCG can be a part of a platform as it is set up */
bool het_check_accel(Error **errp);

#endif
