/*
 * What the tests of the IDM share: QEMUs that have one, and couples
 *
 * The test is the broker, which makes the control page and the eventfds,
 * and mostly the other side of the couple as well.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QTEST_IDM_UTIL_H
#define QTEST_IDM_UTIL_H

#include "libqtest.h"
#include "hw/misc/het-page.h"
#include "hw/misc/idm-regs.h"
#include "qobject/qdict.h"

#define VIRT_BASE       0x0c000000
#define VIRT_SPI        112
#define FLAT_BASE       0x50000000
#define FLAT_IRQ        31
#define SEALS           (F_SEAL_SHRINK | F_SEAL_GROW)
#define DEADLINE_S      60

#define VIRT_ARGS       "-cpu cortex-a15 -device idm_ipi,id=idm"
#define FLAT_ARGS       "-device idm_ipi-flat,id=idm,addr=0x50000000,irq=31"

/* The fifth on the first bus */
#define IDM_PCI_DEVFN   (5 << 3)
#define PCI_ARGS        "-device idm_ipi-pci,id=idm,addr=5"

typedef struct Machine {
    const char *path;       /* of its tests */
    const char *name;
    const char *arch;       /* the targets that have it, with spaces */
    const char *args;       /* printf-style: what follows the machine's name */
    uint64_t base;          /* of the registers; on PCI the test sets it */
    uint64_t ram;
    bool sysbus;
    uint64_t ecam;          /* PCI's configuration is there, */
    bool ports;             /* or at the ports that a PC has for it */
} Machine;

extern const Machine idm_virt;
extern const Machine idm_mps2;

typedef struct Side {
    const Machine *machine;
    QTestState *qts;
    bool slave;
} Side;

typedef struct Couple {
    uint32_t id;
    int page_fd;
    int master_rx;          /* to the master */
    int slave_rx;           /* to the slave */
    HetPage *page;
} Couple;

typedef struct MachineTest {
    const char *name;
    void (*run)(const void *data);      /* data: the Machine */
} MachineTest;

bool machine_is_here(const Machine *machine);
/* For tests that do not depend on it */
const Machine *machine_first(void);
bool machine_is_pci(const Machine *machine);
/* Configuration space of the device, and its setting-up */
uint32_t pci_rd(Side *side, uint32_t reg);
void pci_wr(Side *side, uint32_t reg, uint32_t value);
void pci_setup(Side *side);
/* Each of them with each machine that this QEMU has */
void add_machine_tests(const MachineTest *tests, unsigned count);
void add_pci_machine_tests(const MachineTest *tests, unsigned count);
/* idm-receive-tests.c */
void add_receive_tests(void);
/* With a whole command line, and the interrupt not intercepted */
void side_start_args(Side *side, const Machine *machine, bool slave,
                     const char *args);
void side_start(Side *side, const Machine *machine, bool slave);
void side_end(Side *side);
uint32_t rd(Side *side, uint32_t reg);
void wr(Side *side, uint32_t reg, uint32_t value);
bool irq(Side *side);
void settle(Side *side);
void wait_for(Side *side, uint32_t reg, uint32_t mask, uint32_t value);
/* A PC that is no slave wants some; nothing executes it. To be unlinked. */
char *make_pc_firmware(void);
int make_memfd(size_t size, unsigned seals);
int make_eventfd(void);
void couple_make(Couple *c, uint32_t id);
void couple_end(Couple *c);
void give_fd(QTestState *qts, const char *name, int fd);
void fd_name_is_gone(QTestState *qts, const char *name);
QDict *attach_fds(Side *side, uint32_t id, int page, int rx, int tx);
void couple_attach(Couple *c, Side *side);
void attach_refused(Side *side, uint32_t id, int page, int rx, int tx);
void couple_detach(Couple *c, Side *side);
void wake(int fd);
uint64_t woken(int fd);
void send_to_master(Couple *c, uint32_t vectors);
/* By a sender that waits until they are acknowledged */
void send_to_slave(Side *side, Couple *c, uint32_t vectors);
void set_slave_state(Couple *c, uint32_t state);
QDict *query_couple(Side *side, uint32_t id);
/* That it reads as value, whatever is written to it */
void check_ro(Side *side, uint32_t reg, uint32_t value);
/* het-request-complete, which must or must not succeed */
void complete(Side *side, uint32_t id, const char *result, bool ok);
/* That a QEMU of this command line ends, and says reason */
void check_refused(const char *args, const char *reason);
/* Of a directory of the process in /proc */
unsigned count_entries(Side *side, const char *what);
/*
 * Until it has no more threads than that: one that was joined is still there
 * for a moment, and one that had other work may have ended meanwhile
 */
void wait_tasks(Side *side, unsigned most);

#endif
