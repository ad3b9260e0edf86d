/*
 * Tests of heterogeneous platforms in which guests run
 *
 * The programs are a few instructions each, written as words, and are put
 * into the memory by the test, which sees there what they do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qemu/atomic.h"
#include "het-test-util.h"

#define TCG " -accel tcg"
#define MAGIC 0xcafebabe
/* Where in the memory a program begins, and what it writes is */
#define CODE 0x1000
#define DATA 0x2000

typedef struct Guest {
    QTestState *s;
    int fd;
    uint8_t *memory;
} Guest;

static void guest_start(Guest *g, const char *args)
{
    g->fd = het_memfd("guest", SLAVE_SIZE, SEALS);
    g->memory = het_map(g->fd, SLAVE_SIZE);
    g->s = qtest_init(args);
    het_grant(g->s, g->fd);
}

static void guest_end(Guest *g)
{
    qtest_quit(g->s);
    munmap(g->memory, SLAVE_SIZE);
    close(g->fd);
}

static void guest_program(Guest *g, const uint32_t *code, size_t size)
{
    memcpy(g->memory + CODE, code, size);
}

static void guest_boot(Guest *g, uint64_t entry, uint64_t argument)
{
    qtest_qmp_assert_success(g->s, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': %" PRIu64 ","
                             " 'argument': %" PRIu64 " } }", entry, argument);
}

static void guest_stop(Guest *g)
{
    qtest_qmp_assert_success(g->s, "{ 'execute': 'het-slave-stop' }");
}

/* Writes the last word to where the argument says */
static const uint32_t a_program[] = {
    0xe59f1008,         /* ldr r1, [pc, #8] */
    0xe5801000,         /* str r1, [r0] */
    0xeafffffe,         /* b . */
    0xe1a00000,         /* nop */
    MAGIC,
};

static void test_a_profile(void)
{
    Guest g;

    guest_start(&g, SLAVE_ARGS TCG);
    guest_program(&g, a_program, sizeof(a_program));
    guest_boot(&g, SLAVE_RAM + CODE, SLAVE_RAM + DATA);
    het_wait_word(g.memory + DATA, MAGIC);
    het_assert_state(g.s, "running", "boot");

    /* The code that was translated is not what is in the memory now */
    guest_stop(&g);
    *(uint32_t *)(g.memory + CODE + 4) = 0xe5801004;    /* str r1, [r0, #4] */
    guest_boot(&g, SLAVE_RAM + CODE, SLAVE_RAM + DATA);
    het_wait_word(g.memory + DATA + 4, MAGIC);
    guest_end(&g);
}

/* The same in Thumb, at the address that bit 0 tells it from */
static void test_thumb(void)
{
    static const uint32_t program[] = {
        0x60014901,     /* ldr r1, [pc, #4]; str r1, [r0] */
        0xbf00e7fe,     /* b .; nop */
        MAGIC,
    };
    Guest g;

    guest_start(&g, SLAVE_ARGS TCG);
    guest_program(&g, program, sizeof(program));
    guest_boot(&g, SLAVE_RAM + CODE + 1, SLAVE_RAM + DATA);
    het_wait_word(g.memory + DATA, MAGIC);
    guest_end(&g);
}

/* Linux is given r0 = 0, r1 = ~0, r2 = device tree */
static void test_linux(void)
{
    static const uint32_t program[] = {
        0xe5820000,     /* str r0, [r2] */
        0xe5821004,     /* str r1, [r2, #4] */
        0xe5822008,     /* str r2, [r2, #8] */
        0xeafffffe,     /* b . */
    };
    Guest g;

    guest_start(&g, SLAVE_ARGS TCG);
    guest_program(&g, program, sizeof(program));
    *(uint32_t *)(g.memory + DATA) = MAGIC;
    qtest_qmp_assert_success(g.s, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': %u, 'argument': %u,"
                             " 'protocol': 'linux' } }",
                             SLAVE_RAM + CODE, SLAVE_RAM + DATA);
    het_wait_word(g.memory + DATA + 8, SLAVE_RAM + DATA);
    g_assert_cmphex(*(uint32_t *)(g.memory + DATA), ==, 0);
    g_assert_cmphex(*(uint32_t *)(g.memory + DATA + 4), ==, UINT32_MAX);
    guest_end(&g);
}

/* A program that runs, and writes, at the addresses of the master */
static void test_bus_address(void)
{
    Guest g;

    g.fd = het_memfd("guest", SLAVE_SIZE, SEALS);
    g.memory = het_map(g.fd, SLAVE_SIZE);
    g.s = qtest_init(SLAVE_ARGS TCG);
    het_give(g.s, "w", g.fd);
    qtest_qmp_assert_success(g.s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w',"
                             " 'bus-address': %u } }", WINDOW);
    guest_program(&g, a_program, sizeof(a_program));
    guest_boot(&g, WINDOW + CODE, WINDOW + DATA);
    het_wait_word(g.memory + DATA, MAGIC);
    guest_end(&g);
}

static void guest_m_program(Guest *g)
{
    static const uint32_t program[] = {
        SLAVE_M_RAM + 0x8000,           /* stack pointer */
        SLAVE_M_RAM + CODE + 0x40 + 1,  /* reset */
        0, SLAVE_M_RAM + CODE + 0x40 + 1,
    };
    static const uint32_t code[] = {
        0x60014901,     /* ldr r1, [pc, #4]; str r1, [r0] */
        0xbf00e7fe,     /* b .; nop */
        MAGIC,
    };

    guest_program(g, program, sizeof(program));
    memcpy(g->memory + CODE + 0x40, code, sizeof(code));
}

static void test_m_profile(void)
{
    Guest g;

    guest_start(&g, SLAVE_M_ARGS TCG);
    guest_m_program(&g);
    guest_boot(&g, SLAVE_M_RAM + CODE, SLAVE_M_RAM + DATA);
    het_wait_word(g.memory + DATA, MAGIC);
    guest_stop(&g);
    guest_boot(&g, SLAVE_M_RAM + CODE, SLAVE_M_RAM + DATA + 4);
    het_wait_word(g.memory + DATA + 4, MAGIC);

    guest_stop(&g);
    het_assert_error(qtest_qmp(g.s, "{ 'execute': 'het-slave-boot',"
                               " 'arguments': { 'entry': %u } }",
                               SLAVE_M_RAM + CODE + 4), "not aligned");
    het_assert_error(qtest_qmp(g.s, "{ 'execute': 'het-slave-boot',"
                               " 'arguments': { 'entry': %u,"
                               " 'protocol': 'raw' } }",
                               SLAVE_M_RAM + CODE), "not possible");
    het_assert_state(g.s, "ready", "stop");
    guest_end(&g);
}

/* Bad vectors: the process stays, with what is needed to find out why */
static void test_m_lockup(void)
{
    Guest g;

    guest_start(&g, SLAVE_M_ARGS TCG);
    guest_m_program(&g);
    *(uint32_t *)(g.memory + CODE + 4) = 0xffffffff;
    *(uint32_t *)(g.memory + CODE + 12) = 0xffffffff;
    guest_boot(&g, SLAVE_M_RAM + CODE, 0);
    het_wait_state(g.s, "crashed", "guest-panicked");
    het_assert_status(g.s, "guest-panicked");
    het_assert_error(qtest_qmp(g.s, "{ 'execute': 'het-memory-revoke',"
                               " 'arguments': { 'id': 'mem' } }"),
                     "is crashed");

    guest_stop(&g);
    guest_m_program(&g);
    guest_boot(&g, SLAVE_M_RAM + CODE, SLAVE_M_RAM + DATA);
    het_wait_word(g.memory + DATA, MAGIC);
    guest_end(&g);
}

static void guest_psci(Guest *g, uint32_t function)
{
    const uint32_t program[] = {
        0xe59f0004,     /* ldr r0, [pc, #4] */
        0xe1400070,     /* hvc #0 */
        0xeafffffe,     /* b . */
        function,
    };

    guest_program(g, program, sizeof(program));
}

/* Undoes guest_psci(), and fails if the program is not there any more */
static void guest_psci_restore(Guest *g, uint32_t function)
{
    g_assert_cmphex(*(uint32_t *)(g->memory + CODE + 12), ==, function);
    het_fill(g->memory, CODE, 16, 7);
}

static void test_psci(uint32_t function, const char *reason)
{
    Guest g;

    guest_start(&g, SLAVE_ARGS TCG);
    het_fill(g.memory, 0, SLAVE_SIZE, 7);
    guest_psci(&g, function);
    guest_boot(&g, SLAVE_RAM + CODE, 0);
    het_wait_state(g.s, "ready", reason);
    /* All but the program is what it was, the board's images included */
    guest_psci_restore(&g, function);
    het_assert_filled(g.memory, SLAVE_SIZE, 7);
    g_assert_cmphex(qtest_readl(g.s, SLAVE_RAM), ==, 0);

    guest_program(&g, a_program, sizeof(a_program));
    guest_boot(&g, SLAVE_RAM + CODE, SLAVE_RAM + DATA);
    het_wait_word(g.memory + DATA, MAGIC);
    guest_stop(&g);
    het_assert_status(g.s, "prelaunch");
    qtest_qmp_assert_success(g.s, "{ 'execute': 'het-memory-revoke',"
                             " 'arguments': { 'id': 'mem' } }");
    guest_end(&g);
}

static void test_guest_reset(void)
{
    test_psci(0x84000009, "guest-reset");
}

static void test_guest_shutdown(void)
{
    test_psci(0x84000008, "guest-shutdown");
}

/*
 * Increments the word at WINDOW ten times, says so at the offset in r1,
 * waits for the word at WINDOW + 8, increments COUNT times, and says so
 * behind.
 */
#define COUNT 8000000
static const uint32_t count_program[] = {
    0xe3a06000,         /*       mov r6, #0 */
    0xe3a00205,         /*       mov r0, #0x50000000 */
    0xe3a01040,         /*       mov r1, #0x40 */
    0xe3a0500a,         /*       mov r5, #10 */
    0xe1903f9f,         /* loop: ldrex r3, [r0] */
    0xe2833001,         /*       add r3, r3, #1 */
    0xe1804f93,         /*       strex r4, r3, [r0] */
    0xe3540000,         /*       cmp r4, #0 */
    0x1afffffa,         /*       bne loop */
    0xe2555001,         /*       subs r5, r5, #1 */
    0x1afffff8,         /*       bne loop */
    0xe3560000,         /*       cmp r6, #0 */
    0x1a000006,         /*       bne done */
    0xe3a06001,         /*       mov r6, #1 */
    0xe7806001,         /*       str r6, [r0, r1] */
    0xe5905008,         /* wait: ldr r5, [r0, #8] */
    0xe3550000,         /*       cmp r5, #0 */
    0x0afffffc,         /*       beq wait */
    0xe59f500c,         /*       ldr r5, count */
    0xeaffffef,         /*       b loop */
    0xe2811004,         /* done: add r1, r1, #4 */
    0xe7806001,         /*       str r6, [r0, r1] */
    0xeafffffe,         /*       b . */
    COUNT,              /* count */
};

static QTestState *start_counting_master(void)
{
    g_autofree char *file = NULL;
    gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    int fd = g_file_open_tmp("het-test-XXXXXX", &file, NULL);
    QTestState *s;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, count_program, sizeof(count_program)), ==,
                    sizeof(count_program));
    close(fd);
    s = qtest_initf("%s%s -device loader,file=%s,force-raw=on,addr=0x%x,"
                    "cpu-num=0", MASTER_ARGS, TCG, file, 0x41000000);
    unlink(file);
    while (qtest_readl(s, WINDOW + 0x40) != 1) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    return s;
}

/*
 * Both count in the same word. The master's only CPU has translated its
 * program, and runs it, when the process becomes a master.
 */
static void test_atomics(void)
{
    uint32_t *word;
    QTestState *master;
    Guest g;

    master = start_counting_master();
    g.fd = het_memfd("guest", SLAVE_SIZE, SEALS);
    g.memory = het_map(g.fd, SLAVE_SIZE);
    word = (uint32_t *)g.memory;
    qobject_unref(het_attach(master, 1, g.fd, 0, WINDOW, SLAVE_SIZE));
    g_assert_cmphex(qtest_readl(master, WINDOW + 0x40), ==, 0);

    g.s = qtest_init(SLAVE_ARGS TCG);
    het_give(g.s, "w", g.fd);
    qtest_qmp_assert_success(g.s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w',"
                             " 'bus-address': %u } }", WINDOW);
    guest_program(&g, count_program, sizeof(count_program));
    *(uint32_t *)(g.memory + CODE + 8) = 0xe3a01050;    /* mov r1, #0x50 */
    guest_boot(&g, SLAVE_RAM + CODE, 0);
    het_wait_word(&word[0x50 / 4], 1);
    g_assert_cmpuint(word[0], ==, 10);

    qatomic_set(&word[8 / 4], 1);
    het_wait_word(&word[0x44 / 4], 1);
    het_wait_word(&word[0x54 / 4], 1);
    g_assert_cmpuint(word[0], ==, 10 + 2 * COUNT);

    qtest_quit(master);
    guest_end(&g);
}

void het_add_guest_tests(void)
{
    if (!qtest_has_accel("tcg")) {
        g_test_message("guests need TCG, which this QEMU lacks");
        return;
    }
    qtest_add_func("/het/guest/a-profile", test_a_profile);
    qtest_add_func("/het/guest/thumb", test_thumb);
    qtest_add_func("/het/guest/linux", test_linux);
    qtest_add_func("/het/guest/bus-address", test_bus_address);
    qtest_add_func("/het/guest/m-profile", test_m_profile);
    qtest_add_func("/het/guest/m-lockup", test_m_lockup);
    qtest_add_func("/het/guest/reset", test_guest_reset);
    qtest_add_func("/het/guest/shutdown", test_guest_shutdown);
    qtest_add_func("/het/guest/atomics", test_atomics);
}
