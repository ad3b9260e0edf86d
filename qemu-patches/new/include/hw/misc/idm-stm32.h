/*
 * STM32 view of a couple
 *
 * The registers that Linux's drivers of the STM32MP1's coprocessor use, for
 * one couple of the IDM: mailbox (IPCC), reset, boot hold, state. What they
 * do is done by the IDM and the couple; a processor at the other end may as
 * well use the registers of the IDM, and does not notice.
 *
 * hw/misc/idm-stm32.c         the registers and the mailbox
 * hw/misc/idm-stm32-run.c     start, stop and watchdog: the master's half
 * hw/misc/idm-stm32-sysbus.c  the device, on a platform bus
 * hw/misc/idm-stm32-flat.c    the device of a slave, on boards with none
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_MISC_IDM_STM32_H
#define HW_MISC_IDM_STM32_H

#include "hw/misc/idm.h"
#include "hw/misc/idm-stm32-regs.h"

#define TYPE_IDM_STM32_SYSBUS "idm_stm32"
#define TYPE_IDM_STM32_FLAT   "idm_stm32-flat"

#define IDM_STM32_FDT_COMPATIBLE "het,stm32-1.0"

typedef enum IDMStm32Request {
    IDM_STM32_REQUEST_NONE,
    IDM_STM32_REQUEST_BOOT,
    IDM_STM32_REQUEST_STOP,
} IDMStm32Request;

/* Start, stop and watchdog; of a master */
typedef struct IDMStm32Run {
    bool released;              /* HOLD_BOOT */
    bool pdds;
    bool stop_wanted;           /* before a boot, if both are */
    bool boot_wanted;
    bool started;               /* by this guest */
    /* was seen to run: its end pulls the watchdog */
    bool alive;
    /* of its end since the last start was asked for */
    bool told;
    /* the guest has a driver: the watchdog is for it */
    bool used;
    IDMStm32Request request;    /* ours that has no answer yet */
    unsigned failures;          /* of starts, since it ran */
    QEMUTimer *pulse_timer;
    CPUState *waiting;          /* for the slave to have stopped; NULL: none */
    QEMUTimer *waiting_timer;
} IDMStm32Run;

typedef struct IDMStm32State {
    IDMView view;
    MemoryRegion iomem;
    qemu_irq rx;
    qemu_irq tx;
    qemu_irq watchdog;

    uint32_t couple;
    uint64_t entry;             /* 0: the beginning of the window */
    uint64_t argument;

    uint32_t control;
    uint32_t mask;
    uint32_t repeated;          /* came again before they were cleared */
    IDMStm32Run run;
} IDMStm32State;

#define DEFINE_IDM_STM32_PROPERTIES(_state, _field)                       \
    DEFINE_PROP_UINT32("couple", _state, _field.couple, 0),               \
    DEFINE_PROP_UINT64("entry", _state, _field.entry, 0),                 \
    DEFINE_PROP_UINT64("argument", _state, _field.argument, 0)

/* The help texts of these */
void idm_stm32_describe_properties(ObjectClass *oc);

void idm_stm32_init_mmio(IDMStm32State *s, Object *owner);
bool idm_stm32_realize(IDMStm32State *s, Error **errp);
void idm_stm32_unrealize(IDMStm32State *s);
/* The phases of a reset of the machine */
void idm_stm32_reset_hold(IDMStm32State *s);
void idm_stm32_reset_exit(IDMStm32State *s);

/* The address of its resource table that the slave has told; 0: none */
uint32_t idm_stm32_resource_table(IDMStm32State *s);

/* --- idm-stm32-run.c --- */

void idm_stm32_run_init(IDMStm32State *s);
void idm_stm32_run_end(IDMStm32State *s);
/* What the guest writes and reads */
void idm_stm32_run_reset(IDMStm32State *s);
void idm_stm32_run_release(IDMStm32State *s, bool released);
uint32_t idm_stm32_run_state(IDMStm32State *s);
/* What the couple tells */
void idm_stm32_run_changed(IDMStm32State *s);
void idm_stm32_run_completed(IDMStm32State *s);
/* The master is reset */
void idm_stm32_run_reset_hold(IDMStm32State *s);
void idm_stm32_run_reset_exit(IDMStm32State *s);

#endif
