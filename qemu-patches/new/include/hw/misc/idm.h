/*
 * IDM: inter-processor interrupt distribution module
 *
 * What the guest sees of the couples. hw/misc/idm.c keeps the state and
 * the interrupt, and does what the guest asks for; it knows nothing of
 * addresses. idm-options.c looks at what the user says of it. idm-mmio.c is
 * the register file of docs/specs/idm.rst on top of it; idm-sysbus.c,
 * idm-flat.c and idm-pci.c are the devices. Devices with another register
 * layout for one couple (idm-stm32.c) come beside it, as views.
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_MISC_IDM_H
#define HW_MISC_IDM_H

#include "exec/memory.h"
#include "hw/het-couple.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "hw/misc/idm-regs.h"
#include "migration/vmstate.h"

/* The devices: on a platform bus, for boards that have none, and on PCI */
#define TYPE_IDM_SYSBUS "idm_ipi"
#define TYPE_IDM_FLAT   "idm_ipi-flat"
#define TYPE_IDM_PCI    "idm_ipi-pci"

#define IDM_FDT_COMPATIBLE "het,idm-1.0"

/* What the guest has set and not yet seen of one couple */
typedef struct IDMCouple {
    uint32_t pending;
    uint32_t enable;
    uint32_t event;
    uint32_t event_enable;
    uint64_t entry;
    uint64_t argument;
    uint64_t resource_table;    /* on a slave: what is being written */
} IDMCouple;

/* Shows one couple in other registers, too. Filled in by idm_add_view(). */
typedef struct IDMView IDMView;

typedef struct IDMViewOps {
    /* PENDING has more; repeated: what was not acknowledged when it came */
    void (*received)(IDMView *view, uint32_t repeated);
    /* the vectors that would interrupt the guest in these registers now */
    uint32_t (*heard)(const IDMView *view);
    /* the other side's state, or whether there is a couple */
    void (*changed)(IDMView *view);
    void (*request_completed)(IDMView *view);
    /* channels are free again, or PENDING has changed */
    void (*acknowledged)(IDMView *view);
} IDMViewOps;

typedef struct IDMState IDMState;

struct IDMView {
    const IDMViewOps *ops;
    IDMState *idm;
    uint32_t id;
};

struct IDMState {
    MemoryRegion iomem;
    qemu_irq irq;
    HetCoupleClient client;
    uint32_t halt_poll_max_ns;
    bool halt_poll_fixed;
    OnOffAuto auto_ack;
    bool polling;               /* the guest is looking at its registers */
    bool pages;                 /* the guest has the control pages */
    /* NULL, or the device's: a couple may have come or gone */
    void (*changed)(IDMState *s, uint32_t id);
    /* What the user takes this process for: must be right, changes nothing */
    OnOffAuto master;
    char *memdev;
    char *socket;

    uint32_t ctrl;
    IDMCouple couple[IDM_COUPLE_MAX];
    /* bit n: couple n has an enabled vector, an enabled event, pending */
    uint32_t vector_summary[IDM_SUMMARY_COUNT];
    uint32_t event_summary[IDM_SUMMARY_COUNT];
    IDMView *view[IDM_COUPLE_MAX];      /* NULL: the guest has none */
};

/* As KVM has it on x86 */
#define IDM_HALT_POLL_MAX_NS 200000

extern const PropertyInfo idm_prop_master;

#define DEFINE_IDM_PROPERTIES(_state, _field)                           \
    DEFINE_PROP("master", _state, _field.master, idm_prop_master,       \
                OnOffAuto),                                             \
    DEFINE_PROP_STRING("memdev", _state, _field.memdev),                \
    DEFINE_PROP_STRING("socket", _state, _field.socket),                \
    DEFINE_PROP_UINT32("halt-poll-max-ns", _state,                      \
                       _field.halt_poll_max_ns, IDM_HALT_POLL_MAX_NS),  \
    DEFINE_PROP_BOOL("halt-poll-fixed", _state,                         \
                     _field.halt_poll_fixed, false),                    \
    DEFINE_PROP_ON_OFF_AUTO("auto-ack", _state, _field.auto_ack,        \
                            ON_OFF_AUTO_AUTO)

/* The help texts of these */
void idm_describe_properties(ObjectClass *oc);

extern const VMStateDescription vmstate_idm;

/* idm-options.c; false with errp if what the user says is not so */
bool idm_check_options(const IDMState *s, Error **errp);

/* Makes the IDM the client of the couples; the irq may be connected later */
bool idm_realize(IDMState *s, Error **errp);
void idm_unrealize(IDMState *s);
void idm_reset(IDMState *s);

/* Whether this side is the master: it has couples 1 to 255, a slave has 0 */
bool idm_is_master(void);
/* Whether a couple of this number can be; needed for the functions below */
bool idm_couple_valid(uint32_t id);

uint32_t idm_irq_status(const IDMState *s);
/* After a change of ctrl, or of what is pending or enabled for a couple */
void idm_update_irq(IDMState *s);
void idm_update_couple(IDMState *s, uint32_t id);

/* These return false if there is no couple, or the request cannot be taken */
bool idm_ring(IDMState *s, uint32_t id, uint32_t vector);
/* The guest has put vectors into the control page itself */
bool idm_kick(IDMState *s, uint32_t id);
/* Vectors that arrived and were seen by the guest; others are left alone */
void idm_acknowledge(IDMState *s, uint32_t id, uint32_t vectors);
bool idm_start(IDMState *s, uint32_t id, HetBootProtocol protocol);
bool idm_stop(IDMState *s, uint32_t id);

/* The machine has an IDM already, and no other view of this couple */
bool idm_add_view(IDMView *view, const IDMViewOps *ops, uint32_t id,
                  Error **errp);
void idm_remove_view(IDMView *view);

/* idm-mmio.c */
void idm_init_mmio(IDMState *s, Object *owner);

#endif
