/*
 * Test of slaves on x86 and RISC-V: how they are booted
 *
 * As in het-guest-tests.c the programs are a few instructions each, which
 * write what they find in the CPU's registers to where the test sees it.
 * With KVM as well, where there is one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qemu/atomic.h"
#include "qobject/qdict.h"
#include "het-test-util.h"

#define MAGIC 0x55
/* Where in the memory a program begins, and what it writes is */
#define CODE 0x8000
#define DATA 0x8100
/* Where the memory is as well; the programs for x86 know it */
#define X86_BUS 0x60000000u
#define RISCV_BUS 0x90000000u

typedef struct Board {
    const char *name;
    const char *args;
    uint32_t ram;
    uint32_t bus;
} Board;

typedef struct Guest {
    QTestState *s;
    int fd;
    uint8_t *memory;
} Guest;

#define SLAVE(machine) "-nodefaults -machine " machine ",slave=on," \
                       "memory-backend=mem -m 16M" SLAVE_OBJECT " -accel "

static const Board x86_boards[] = {
    { "microvm/tcg", SLAVE("microvm") "tcg", 0, X86_BUS },
    { "microvm/kvm", SLAVE("microvm") "kvm", 0, X86_BUS },
    { "q35/tcg", SLAVE("q35") "tcg", 0, X86_BUS },
    { "q35/kvm", SLAVE("q35") "kvm", 0, X86_BUS },
    { "pc/tcg", SLAVE("pc") "tcg", 0, X86_BUS },
    { "pc/kvm", SLAVE("pc") "kvm", 0, X86_BUS },
};
/* What riscv32 has comes first */
static const Board riscv_boards[] = {
    { "virt/rv32", SLAVE("virt") "tcg -cpu rv32 -smp 2", 0x80000000,
      RISCV_BUS },
    { "virt/rv64", SLAVE("virt") "tcg -cpu rv64 -smp 2", 0x80000000,
      RISCV_BUS },
};

static void guest_start(Guest *g, const Board *board, const uint8_t *code,
                        size_t size)
{
    g->fd = het_memfd("guest", SLAVE_SIZE, SEALS);
    g->memory = het_map(g->fd, SLAVE_SIZE);
    memcpy(g->memory + CODE, code, size);
    g->s = qtest_init(board->args);
    het_give(g->s, "w", g->fd);
    qtest_qmp_assert_success(g->s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w',"
                             " 'bus-address': %u } }", board->bus);
}

static void guest_end(Guest *g)
{
    qtest_quit(g->s);
    munmap(g->memory, SLAVE_SIZE);
    close(g->fd);
}

static QDict *guest_try(Guest *g, const char *protocol, uint64_t entry,
                        uint64_t argument)
{
    return qtest_qmp(g->s, "{ 'execute': 'het-slave-boot', 'arguments':"
                     " { 'protocol': %s, 'entry': %" PRIu64 ","
                     " 'argument': %" PRIu64 " } }", protocol, entry, argument);
}

static void guest_boot(Guest *g, const char *protocol, uint64_t entry,
                       uint64_t argument)
{
    QDict *resp = guest_try(g, protocol, entry, argument);

    g_assert_true(qdict_haskey(resp, "return"));
    qobject_unref(resp);
}

static uint32_t guest_word(Guest *g, unsigned n)
{
    return qatomic_read((uint32_t *)(g->memory + DATA) + n);
}

/* Stopped, with nothing left of what it has written */
static void guest_stop(Guest *g)
{
    qtest_qmp_assert_success(g->s, "{ 'execute': 'het-slave-stop' }");
    memset(g->memory + DATA, 0, 0x100);
}

/* --- x86 --- */

/* EAX, CS, ESI, DS; then the last word says that they are there */
static const uint8_t x86_real[] = {
    0x66, 0xa3, 0x00, 0x81,             /* mov [0x8100], eax */
    0x8c, 0xc8,                         /* mov ax, cs */
    0xa3, 0x04, 0x81,                   /* mov [0x8104], ax */
    0x66, 0xc7, 0x06, 0x10, 0x81, MAGIC, 0, 0, 0, /* mov [0x8110], MAGIC */
    0xf4, 0xeb, 0xfd,                   /* hlt; jmp back to it */
};
static const uint8_t x86_flat[] = {
    0xa3, 0x00, 0x81, 0x00, 0x60,       /* mov [0x60008100], eax */
    0x8c, 0xc8,                         /* mov eax, cs */
    0xa3, 0x04, 0x81, 0x00, 0x60,       /* mov [0x60008104], eax */
    0x89, 0x35, 0x08, 0x81, 0x00, 0x60, /* mov [0x60008108], esi */
    0x8c, 0xd8,                         /* mov eax, ds */
    0xa3, 0x0c, 0x81, 0x00, 0x60,       /* mov [0x6000810c], eax */
    0xc7, 0x05, 0x10, 0x81, 0x00, 0x60, MAGIC, 0, 0, 0,
    0xf4, 0xeb, 0xfd,                   /* hlt; jmp back to it */
};

static void test_x86_real(const void *data)
{
    Guest g;

    guest_start(&g, data, x86_real, sizeof(x86_real));
    for (int i = 0; i < 3; i++) {
        guest_boot(&g, "auto", CODE, 0x12345678);
        het_wait_word(g.memory + DATA + 0x10, MAGIC);
        g_assert_cmphex(guest_word(&g, 0), ==, 0x12345678);
        g_assert_cmphex(guest_word(&g, 1), ==, CODE >> 4);
        het_assert_state(g.s, "running", "boot");
        guest_stop(&g);
    }
    guest_end(&g);
}

static void test_x86_flat(const void *data)
{
    Guest g;

    guest_start(&g, data, x86_flat, sizeof(x86_flat));
    guest_boot(&g, "raw", X86_BUS + CODE, 0x12345678);
    het_wait_word(g.memory + DATA + 0x10, MAGIC);
    g_assert_cmphex(guest_word(&g, 0), ==, 0x12345678);
    g_assert_cmphex(guest_word(&g, 1), ==, 0x10);
    g_assert_cmphex(guest_word(&g, 2), ==, 0);
    g_assert_cmphex(guest_word(&g, 3), ==, 0x18);
    guest_stop(&g);

    /* Linux's 32-bit protocol: below 1 MiB as well, and ESI */
    guest_boot(&g, "linux", CODE, 0x87654321);
    het_wait_word(g.memory + DATA + 0x10, MAGIC);
    g_assert_cmphex(guest_word(&g, 0), ==, 0);
    g_assert_cmphex(guest_word(&g, 1), ==, 0x10);
    g_assert_cmphex(guest_word(&g, 2), ==, 0x87654321);
    guest_end(&g);
}

/* A CPU that was not booted does nothing, whoever sets the machine going */
static void test_x86_powered_off(const void *data)
{
    g_autofree char *registers = NULL;
    Guest g;

    guest_start(&g, data, x86_real, sizeof(x86_real));
    qtest_qmp_assert_success(g.s, "{ 'execute': 'cont' }");
    qtest_qmp_assert_success(g.s, "{ 'execute': 'stop' }");
    registers = qtest_hmp(g.s, "info registers");
    g_assert_nonnull(strstr(registers, "EIP=0000fff0"));
    guest_boot(&g, "raw", CODE, 1);
    het_wait_word(g.memory + DATA + 0x10, MAGIC);
    guest_end(&g);
}

static void test_x86_errors(const void *data)
{
    Guest g;

    guest_start(&g, data, x86_real, sizeof(x86_real));
    het_assert_error(guest_try(&g, "vector-table", CODE, 0), "vector-table");
    het_assert_error(guest_try(&g, "raw", CODE, 1ULL << 32), "below 4 GiB");
    het_assert_error(guest_try(&g, "raw", SLAVE_SIZE, 0), "no memory");
    guest_boot(&g, "raw", CODE, 1);
    het_wait_word(g.memory + DATA + 0x10, MAGIC);
    guest_end(&g);
}

/* --- RISC-V --- */

/* For each hart 16 bytes, by the number in a0: a0, a1, MAGIC */
static const uint32_t riscv_program[] = {
    0x00000297,         /* auipc t0, 0 */
    0x00451393,         /* slli t2, a0, 4 */
    0x007282b3,         /* add t0, t0, t2 */
    0x10a2a023,         /* sw a0, 0x100(t0) */
    0x10b2a223,         /* sw a1, 0x104(t0) */
    0x05500313,         /* li t1, MAGIC */
    0x1062a423,         /* sw t1, 0x108(t0) */
    0x0000006f,         /* j . */
};

static void riscv_wait(Guest *g, unsigned n, uint32_t a1)
{
    het_wait_word(g->memory + DATA + 16 * n + 8, MAGIC);
    g_assert_cmphex(guest_word(g, 4 * n), ==, n);
    g_assert_cmphex(guest_word(g, 4 * n + 1), ==, a1);
}

static void test_riscv_raw(const void *data)
{
    const Board *board = data;
    Guest g;

    guest_start(&g, data, (const uint8_t *)riscv_program,
                sizeof(riscv_program));
    guest_boot(&g, "auto", board->ram + CODE, 3);
    riscv_wait(&g, 3, 0);
    guest_stop(&g);
    guest_boot(&g, "raw", board->bus + CODE, 5);
    riscv_wait(&g, 5, 0);
    guest_end(&g);
}

/* Each hart begins, and is told its number and the device tree */
static void test_riscv_linux(const void *data)
{
    const Board *board = data;
    Guest g;

    guest_start(&g, data, (const uint8_t *)riscv_program,
                sizeof(riscv_program));
    guest_boot(&g, "linux", board->ram + CODE, 0x12345678);
    riscv_wait(&g, 0, 0x12345678);
    riscv_wait(&g, 1, 0x12345678);
    guest_end(&g);
}

static void test_riscv_errors(const void *data)
{
    const Board *board = data;
    Guest g;

    guest_start(&g, data, (const uint8_t *)riscv_program,
                sizeof(riscv_program));
    het_assert_error(guest_try(&g, "vector-table", board->ram, 0),
                     "vector-table");
    het_assert_error(guest_try(&g, "raw", board->ram + 1, 0), "not aligned");
    het_assert_error(guest_try(&g, "raw", board->ram + SLAVE_SIZE, 0),
                     "no memory");
    if (strstr(board->name, "rv32")) {
        het_assert_error(guest_try(&g, "raw", board->ram, 1ULL << 32),
                         "below 4 GiB");
    }
    guest_end(&g);
}

/* --- */

typedef struct Test {
    const char *name;
    void (*run)(const void *data);
} Test;

static const Test x86_tests[] = {
    { "real", test_x86_real },
    { "flat", test_x86_flat },
    { "powered-off", test_x86_powered_off },
    { "errors", test_x86_errors },
};
static const Test riscv_tests[] = {
    { "raw", test_riscv_raw },
    { "linux", test_riscv_linux },
    { "errors", test_riscv_errors },
};

/* One of QEMU's, and the host lets us have it */
static bool has_accel(const char *name)
{
    return qtest_has_accel(name) &&
           (strcmp(name, "kvm") || access("/dev/kvm", R_OK | W_OK) == 0);
}

static void add_tests(const Board *boards, unsigned boards_count,
                      const Test *tests, unsigned tests_count)
{
    for (unsigned b = 0; b < boards_count; b++) {
        if (!has_accel(strstr(boards[b].args, "-accel kvm") ? "kvm" : "tcg")) {
            continue;
        }
        for (unsigned t = 0; t < tests_count; t++) {
            g_autofree char *path = g_strdup_printf("/het/boot/%s/%s",
                                                    boards[b].name,
                                                    tests[t].name);

            qtest_add_data_func(path, &boards[b], tests[t].run);
        }
    }
}

int main(int argc, char **argv)
{
    const char *arch = qtest_get_arch();

    g_test_init(&argc, &argv, NULL);
    if (strcmp(arch, "x86_64") == 0 || strcmp(arch, "i386") == 0) {
        add_tests(x86_boards, ARRAY_SIZE(x86_boards),
                  x86_tests, ARRAY_SIZE(x86_tests));
    } else if (strcmp(arch, "riscv64") == 0) {
        add_tests(riscv_boards, ARRAY_SIZE(riscv_boards),
                  riscv_tests, ARRAY_SIZE(riscv_tests));
    } else if (strcmp(arch, "riscv32") == 0) {
        add_tests(riscv_boards, 1, riscv_tests, ARRAY_SIZE(riscv_tests));
    }
    return g_test_run();
}
