/*
 * What the tests of the IDM share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/eventfd.h>
#include <sys/mman.h>
#include "qemu/atomic.h"
#include "qemu/memfd.h"
#include "qobject/qlist.h"
#include "standard-headers/linux/pci_regs.h"
#include "idm-util.h"

#define SLAVE_ARGS      ",slave=on,memory-backend=mem -m 16M" \
                        " -object memory-backend-shared,id=mem,size=16M"

/* --- a QEMU with an IDM --- */

const Machine idm_virt = {
    .path = "virt", .name = "virt", .arch = "arm aarch64",
    .args = "-nodefaults -machine virt%s " VIRT_ARGS,
    .base = VIRT_BASE, .ram = 0x40000000, .sysbus = true,
};
const Machine idm_mps2 = {
    .path = "mps2-an385", .name = "mps2-an385", .arch = "arm aarch64",
    .args = "-nodefaults -machine mps2-an385%s " FLAT_ARGS,
    .base = FLAT_BASE, .ram = 0x21000000,
};
static const Machine idm_virt_pci = {
    .path = "virt-pci", .name = "virt", .arch = "arm aarch64",
    .args = "-nodefaults -machine virt,highmem=off%s -cpu cortex-a15 " PCI_ARGS,
    .base = 0x10000000, .ram = 0x40000000, .ecam = 0x3f000000,
};
static const Machine idm_riscv_virt = {
    .path = "virt", .name = "virt", .arch = "riscv64 riscv32",
    .args = "-nodefaults -bios none -machine virt%s -device idm_ipi,id=idm",
    .base = 0x04000000, .ram = 0x80000000, .sysbus = true,
};
static const Machine idm_riscv_virt_pci = {
    .path = "virt-pci", .name = "virt", .arch = "riscv64 riscv32",
    .args = "-nodefaults -bios none -machine virt%s " PCI_ARGS,
    .base = 0x40000000, .ram = 0x80000000, .ecam = 0x30000000,
};
static const Machine idm_pc = {
    .path = "pc", .name = "pc", .arch = "i386 x86_64",
    .args = "-nodefaults -machine pc%s " PCI_ARGS,
    .base = 0xe0000000, .ram = 0, .ports = true,
};
static const Machine idm_q35 = {
    .path = "q35", .name = "q35", .arch = "i386 x86_64",
    .args = "-nodefaults -machine q35%s " PCI_ARGS,
    .base = 0xe0000000, .ram = 0, .ports = true,
};
static const Machine idm_microvm = {
    .path = "microvm", .name = "microvm", .arch = "i386 x86_64",
    .args = "-nodefaults -machine microvm,acpi=on,pcie=on%s " PCI_ARGS,
    .base = 0xc0000000, .ram = 0, .ecam = 0xe0000000,
};

static const Machine *const machines[] = {
    &idm_virt, &idm_virt_pci, &idm_mps2, &idm_riscv_virt, &idm_riscv_virt_pci,
    &idm_q35, &idm_pc, &idm_microvm,
};

bool machine_is_pci(const Machine *machine)
{
    return machine->ports || machine->ecam;
}

bool machine_is_here(const Machine *machine)
{
    g_auto(GStrv) archs = g_strsplit(machine->arch, " ", -1);

    return g_strv_contains((const char *const *)archs, qtest_get_arch()) &&
           qtest_has_machine(machine->name);
}

const Machine *machine_first(void)
{
    for (unsigned m = 0; m < ARRAY_SIZE(machines); m++) {
        if (machine_is_here(machines[m])) {
            return machines[m];
        }
    }
    g_assert_not_reached();
}

static void add_tests_of(const Machine *machine, const MachineTest *tests,
                         unsigned count)
{
    if (!machine_is_here(machine)) {
        return;
    }
    for (unsigned t = 0; t < count; t++) {
        g_autofree char *path = g_strdup_printf("/idm/%s/%s", machine->path,
                                                tests[t].name);

        qtest_add_data_func(path, machine, tests[t].run);
    }
}

void add_machine_tests(const MachineTest *tests, unsigned count)
{
    for (unsigned m = 0; m < ARRAY_SIZE(machines); m++) {
        add_tests_of(machines[m], tests, count);
    }
}

void add_pci_machine_tests(const MachineTest *tests, unsigned count)
{
    for (unsigned m = 0; m < ARRAY_SIZE(machines); m++) {
        if (machine_is_pci(machines[m])) {
            add_tests_of(machines[m], tests, count);
        }
    }
}

/* --- PCI --- */

static uint64_t pci_address(Side *side, uint32_t reg)
{
    if (side->machine->ports) {
        qtest_outl(side->qts, 0xcf8, 0x80000000u | IDM_PCI_DEVFN << 8 | reg);
        return 0xcfc;
    }
    return side->machine->ecam + (IDM_PCI_DEVFN << 12) + reg;
}

uint32_t pci_rd(Side *side, uint32_t reg)
{
    uint64_t address = pci_address(side, reg);

    return side->machine->ports ? qtest_inl(side->qts, address)
                                : qtest_readl(side->qts, address);
}

void pci_wr(Side *side, uint32_t reg, uint32_t value)
{
    uint64_t address = pci_address(side, reg);

    if (side->machine->ports) {
        qtest_outl(side->qts, address, value);
    } else {
        qtest_writel(side->qts, address, value);
    }
}

/* What firmware does, which is not there */
void pci_setup(Side *side)
{
    uint64_t base = side->machine->base;

    pci_wr(side, PCI_BASE_ADDRESS_0 + 4 * IDM_PCI_BAR, base);
    pci_wr(side, PCI_BASE_ADDRESS_0 + 4 * IDM_PCI_MSIX_BAR,
           base + IDM_MMIO_SIZE);
    pci_wr(side, PCI_BASE_ADDRESS_0 + 4 * IDM_PCI_PAGES_BAR,
           base + IDM_PCI_PAGES_SIZE);
    pci_wr(side, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* --- sides --- */

char *make_pc_firmware(void)
{
    char *path;
    int fd = g_file_open_tmp("idm-test-XXXXXX.bin", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, 64 * 1024), ==, 0);
    close(fd);
    return path;
}

static char *firmware_argument(const Machine *machine, bool slave, char **path)
{
    if (slave || !strstr(machine->arch, "x86_64")) {
        return g_strdup("");
    }
    *path = make_pc_firmware();
    return g_strdup_printf(" -bios %s", *path);
}

void side_start_args(Side *side, const Machine *machine, bool slave,
                     const char *args)
{
    side->machine = machine;
    side->slave = slave;
    side->qts = qtest_initf("%s", args);
}

void side_start(Side *side, const Machine *machine, bool slave)
{
    g_autofree char *args = g_strdup_printf(machine->args,
                                            slave ? SLAVE_ARGS : "");
    g_autofree char *path = NULL;
    g_autofree char *bios = firmware_argument(machine, slave, &path);
    g_autofree char *all = g_strconcat(args, bios, NULL);

    side_start_args(side, machine, slave, all);
    if (path) {
        unlink(path);
    }
    if (machine_is_pci(machine)) {
        pci_setup(side);
    } else if (machine->sysbus) {
        qtest_irq_intercept_out_named(side->qts, "/machine/peripheral/idm",
                                      "sysbus-irq");
    } else {
        qtest_irq_intercept_out(side->qts, "/machine/peripheral/idm");
    }
}

void side_end(Side *side)
{
    qtest_quit(side->qts);
}

/* A reset takes a device on PCI out of the memory map */
static void find_registers(Side *side)
{
    if (machine_is_pci(side->machine) &&
        !(pci_rd(side, PCI_COMMAND) & PCI_COMMAND_MEMORY)) {
        pci_setup(side);
    }
}

uint32_t rd(Side *side, uint32_t reg)
{
    find_registers(side);
    return qtest_readl(side->qts, side->machine->base + reg);
}

void wr(Side *side, uint32_t reg, uint32_t value)
{
    find_registers(side);
    qtest_writel(side->qts, side->machine->base + reg, value);
}

bool irq(Side *side)
{
    if (machine_is_pci(side->machine)) {
        return pci_rd(side, PCI_COMMAND) >> 16 & PCI_STATUS_INTERRUPT;
    }
    return qtest_get_irq(side->qts, 0);
}

/*
 * What was ready before this has been handled after it: the first command
 * is read in a turn of the main loop that sees all of it, and the second
 * is not read before that turn is over.
 */
void settle(Side *side)
{
    rd(side, IDM_ID);
    rd(side, IDM_ID);
}

/* For what comes from another process in its own time */
void wait_for(Side *side, uint32_t reg, uint32_t mask, uint32_t value)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while ((rd(side, reg) & mask) != value) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

/* --- a couple, made by the test --- */

int make_memfd(size_t size, unsigned seals)
{
    int fd = memfd_create("couple", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, seals), ==, 0);
    return fd;
}

int make_eventfd(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

void couple_make(Couple *c, uint32_t id)
{
    c->id = id;
    c->page_fd = make_memfd(HET_PAGE_SIZE, SEALS);
    c->master_rx = make_eventfd();
    c->slave_rx = make_eventfd();
    c->page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                   c->page_fd, 0);
    g_assert(c->page != MAP_FAILED);
    c->page->magic = HET_PAGE_MAGIC;
    c->page->version = HET_PAGE_VERSION;
    c->page->id = id;
}

void couple_end(Couple *c)
{
    munmap(c->page, HET_PAGE_SIZE);
    close(c->page_fd);
    close(c->master_rx);
    close(c->slave_rx);
}

void give_fd(QTestState *qts, const char *name, int fd)
{
    qtest_qmp_fds_assert_success(qts, &fd, 1,
                                 "{ 'execute': 'getfd',"
                                 "  'arguments': { 'fdname': %s } }", name);
}

void fd_name_is_gone(QTestState *qts, const char *name)
{
    QDict *resp = qtest_qmp(qts, "{ 'execute': 'closefd',"
                            " 'arguments': { 'fdname': %s } }", name);

    g_assert(qdict_haskey(resp, "error"));
    qobject_unref(resp);
}

QDict *attach_fds(Side *side, uint32_t id, int page, int rx, int tx)
{
    give_fd(side->qts, "page", page);
    give_fd(side->qts, "rx", rx);
    give_fd(side->qts, "tx", tx);
    return qtest_qmp(side->qts, "{ 'execute': %s, 'arguments': { 'id': %u,"
                     " 'couple': { 'page': 'page', 'rx': 'rx',"
                     " 'tx': 'tx' } } }",
                     side->slave ? "het-master-attach" : "het-slave-attach",
                     id);
}

void couple_attach(Couple *c, Side *side)
{
    QDict *resp = attach_fds(side, c->id, c->page_fd,
                             side->slave ? c->slave_rx : c->master_rx,
                             side->slave ? c->master_rx : c->slave_rx);

    g_assert(qdict_haskey(resp, "return"));
    qobject_unref(resp);
}

void attach_refused(Side *side, uint32_t id, int page, int rx, int tx)
{
    QDict *resp = attach_fds(side, id, page, rx, tx);

    g_assert(qdict_haskey(resp, "error"));
    qobject_unref(resp);
    fd_name_is_gone(side->qts, "page");
    fd_name_is_gone(side->qts, "rx");
    fd_name_is_gone(side->qts, "tx");
}

void couple_detach(Couple *c, Side *side)
{
    if (side->slave) {
        qtest_qmp_assert_success(side->qts,
                                 "{ 'execute': 'het-master-detach' }");
    } else {
        qtest_qmp_assert_success(side->qts, "{ 'execute': 'het-slave-detach',"
                                 " 'arguments': { 'id': %u } }", c->id);
    }
}

void wake(int fd)
{
    uint64_t one = 1;

    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
}

/* How often it was written since the last call */
uint64_t woken(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* The test sends to the master, as a slave would */
void send_to_master(Couple *c, uint32_t vectors)
{
    if (!qatomic_fetch_or(&c->page->master.pending, vectors)) {
        wake(c->master_rx);
    }
}

void send_to_slave(Side *side, Couple *c, uint32_t vectors)
{
    qatomic_or(&c->page->slave.channels, vectors);
    qatomic_or(&c->page->slave.pending, vectors);
    wake(c->slave_rx);
    settle(side);
}

void set_slave_state(Couple *c, uint32_t state)
{
    qatomic_set(&c->page->slave.state, state);
    wake(c->master_rx);
}

QDict *query_couple(Side *side, uint32_t id)
{
    QDict *info = qtest_qmp_assert_success_ref(side->qts,
                                               "{ 'execute': 'query-het' }");
    QListEntry *entry;
    QDict *found = NULL;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(info, "couples"), entry) {
        QDict *couple = qobject_to(QDict, qlist_entry_obj(entry));

        if (qdict_get_int(couple, "id") == id) {
            found = qobject_ref(couple);
        }
    }
    qobject_unref(info);
    return found;
}

void check_ro(Side *side, uint32_t reg, uint32_t value)
{
    g_assert_cmphex(rd(side, reg), ==, value);
    wr(side, reg, ~value);
    g_assert_cmphex(rd(side, reg), ==, value);
    wr(side, reg, 0);
    g_assert_cmphex(rd(side, reg), ==, value);
}

void complete(Side *side, uint32_t id, const char *result, bool ok)
{
    QDict *resp = qtest_qmp(side->qts, "{ 'execute': 'het-request-complete',"
                            " 'arguments': { 'id': %u, 'result': %s } }",
                            id, result);

    g_assert(qdict_haskey(resp, ok ? "return" : "error"));
    qobject_unref(resp);
}

unsigned count_entries(Side *side, const char *what)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s",
                                            qtest_pid(side->qts), what);
    GDir *dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    g_assert(dir);
    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

void wait_tasks(Side *side, unsigned most)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (count_entries(side, "task") > most) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

void check_refused(const char *args, const char *reason)
{
    const char *qemu = g_getenv("QTEST_QEMU_BINARY");
    g_autofree char *line = g_strdup_printf("%s -accel qtest -display none"
                                            " -nodefaults %s", qemu, args);
    g_autofree char *err = NULL;
    int status;

    g_assert(g_spawn_command_line_sync(line, NULL, &err, &status, NULL));
    g_assert_cmpint(WIFEXITED(status) ? WEXITSTATUS(status) : -1, ==, 1);
    if (!strstr(err, reason)) {
        g_error("'%s' said '%s', not '%s'", args, err, reason);
    }
}
