/*
 * Tests of heterogeneous platforms: roles, memory and boot of slaves
 *
 * No guest runs in these; see het-guest-tests.c for those, het-master-tests.c
 * for masters, het-option-tests.c for command lines, and idm-test.c for
 * couples.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "het-test-util.h"

#define TMPFS_MAGIC 0x01021994

/* --- roles --- */

/* A QEMU that is no part of a platform */
static void test_no_role(void)
{
    QTestState *s = qtest_init(MASTER_ARGS);
    QDict *info = qtest_qmp_assert_success_ref(s,
                                               "{ 'execute': 'query-het' }");

    g_assert_cmpstr(qdict_get_str(info, "role"), ==, "none");
    g_assert_false(qdict_haskey(info, "id"));
    qobject_unref(info);

    het_pass(s, "w", het_memfd("het", MIB, SEALS));
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-grant',"
                               " 'arguments': { 'id': 'mem',"
                               " 'memory': 'w' } }"), "not a slave");
    het_assert_no_fd(s, "w");
    het_give_couple(s, 1);
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-master-attach',"
                               " 'arguments': { 'id': 1, 'couple':"
                               " { 'page': 'p', 'rx': 'r', 'tx': 't' } } }"),
                     "not a slave");
    het_assert_no_couple(s);
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-slave-boot',"
                               " 'arguments': { 'entry': 0 } }"),
                     "not a slave");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-slave-stop' }"),
                     "not a slave");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-slave-fail' }"),
                     "not a slave");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'qom-set', 'arguments':"
                               " { 'path': '/machine', 'property': 'slave',"
                               " 'value': true } }"), "is made already");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-master-detach' }"),
                     "not attached");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-slave-detach',"
                               " 'arguments': { 'id': 1 } }"),
                     "no slave 1");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-revoke',"
                               " 'arguments': { 'id': 'mem' } }"),
                     "no memory-backend-shared object");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-ipi-send',"
                               " 'arguments': { 'id': 1, 'vector': 0 } }"),
                     "no couple");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-ipi-watch',"
                               " 'arguments': { 'id': 1, 'enable': true } }"),
                     "no couple");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-request-complete',"
                               " 'arguments': { 'id': 1,"
                               " 'result': 'done' } }"), "no slave 1");
    qtest_quit(s);
}

/* A slave can have no slaves */
static void test_slave_attach_slave(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("window", MIB, SEALS);

    het_assert_error(het_attach(s, 1, fd, 0, WINDOW, MIB), "is a slave");
    het_assert_no_couple(s);
    het_assert_no_fd(s, "m");
    g_assert_false(het_holds(s, "window"));
    close(fd);
    qtest_quit(s);
}

/* --- grant --- */

/* No bus address, which as such would not be aligned */
#define NO_BUS UINT64_MAX

static void grant_error(QTestState *s, int fd, uint64_t offset, uint64_t bus,
                        const char *text)
{
    het_give(s, "w", fd);
    if (bus == NO_BUS) {
        het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-grant',"
                                   " 'arguments': { 'id': 'mem',"
                                   " 'memory': 'w', 'offset': %" PRIu64
                                   " } }", offset), text);
    } else {
        het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-grant',"
                                   " 'arguments': { 'id': 'mem',"
                                   " 'memory': 'w', 'offset': %" PRIu64 ","
                                   " 'bus-address': %" PRIu64 " } }",
                                   offset, bus), text);
    }
    het_assert_no_fd(s, "w");
    g_assert_false(het_holds(s, "w"));
}

static void grant_error_close(QTestState *s, int fd, const char *text)
{
    g_assert_cmpint(fd, >=, 0);
    grant_error(s, fd, 0, NO_BUS, text);
    close(fd);
}

/* A file on a disk, where there is one */
static int disk_file(void)
{
    g_autofree char *name = g_strdup("het-test-XXXXXX");
    int fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
    struct statfs fs;

    if (fd < 0) {
        return -1;
    }
    unlink(name);
    if (fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS_MAGIC ||
        ftruncate(fd, SLAVE_SIZE) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void test_grant_wrong_type(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    g_autofree char *path = NULL;
    int pair[2], fd;

    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-grant',"
                               " 'arguments': { 'id': 'mem',"
                               " 'memory': 'w' } }"), "has not been found");
    het_pass(s, "w", het_memfd("w", SLAVE_SIZE, SEALS));
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-grant',"
                               " 'arguments': { 'id': 'other',"
                               " 'memory': 'w' } }"),
                     "no memory-backend-shared object");
    het_assert_no_fd(s, "w");

    grant_error_close(s, eventfd(0, EFD_CLOEXEC), "neither a memfd");
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    close(pair[1]);
    grant_error_close(s, pair[0], "neither a memfd");
    fd = disk_file();
    if (fd >= 0) {
        grant_error_close(s, fd, "neither a memfd");
    }

    grant_error_close(s, het_memfd("w", SLAVE_SIZE, 0), "lacks the seals");
    grant_error_close(s, het_memfd("w", SLAVE_SIZE, F_SEAL_SHRINK),
                      "lacks the seals");
    grant_error_close(s, het_memfd("w", SLAVE_SIZE, F_SEAL_GROW),
                      "lacks the seals");
    grant_error_close(s, het_memfd("w", SLAVE_SIZE, SEALS | F_SEAL_WRITE),
                      "sealed against writing");
    fd = het_memfd("w", SLAVE_SIZE, SEALS);
    path = g_strdup_printf("/proc/self/fd/%d", fd);
    grant_error_close(s, open(path, O_RDONLY | O_CLOEXEC),
                      "not open for reading and writing");
    close(fd);
    het_assert_state(s, "waiting", "none");
    qtest_quit(s);
}

static void test_grant_wrong_range(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("w", SLAVE_SIZE + 4096, SEALS);

    grant_error_close(s, het_memfd("w", SLAVE_SIZE - 4096, SEALS),
                      "too small");
    grant_error(s, fd, 4095, NO_BUS, "not aligned");
    grant_error(s, fd, 8192, NO_BUS, "too small");
    grant_error(s, fd, UINT64_MAX - 4095, NO_BUS, "too small");
    grant_error(s, fd, 0, WINDOW + 16, "not aligned");
    grant_error(s, fd, 0, SLAVE_RAM + 4096, "overlaps");
    grant_error(s, fd, 0, SLAVE_RAM - 4096, "overlaps");
    grant_error(s, fd, 0, SLAVE_RAM + SLAVE_SIZE - 4096, "overlaps");
    grant_error(s, fd, 0, UINT64_MAX & ~4095ull, "leaves no room");
    /* Flash, UARTs and what else virt has there */
    grant_error(s, fd, 0, 0, "would hide 'virt.flash");
    grant_error(s, fd, 0, 0x09000000, "would hide 'pl011'");
    grant_error(s, fd, 0, 0x09000000 - SLAVE_SIZE + 4096, "would hide '");
    het_assert_state(s, "waiting", "none");

    /* None of this keeps a right one from being taken */
    het_give(s, "w", fd);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w',"
                             " 'offset': 4096 } }");
    het_assert_state(s, "ready", "granted");
    close(fd);
    qtest_quit(s);
}

static QDict *grant_alias(QTestState *s, const char *id, int fd, uint64_t bus)
{
    het_give(s, "w", fd);
    return qtest_qmp(s, "{ 'execute': 'het-memory-grant', 'arguments':"
                     " { 'id': %s, 'memory': 'w',"
                     " 'bus-address': %" PRIu64 " } }", id, bus);
}

/* Neither is there before the boot, but both are then */
static void test_grant_two(void)
{
    QTestState *s = qtest_init("-nodefaults -machine virt,slave=on -smp 2"
                               " -cpu cortex-a15 -m 32M" SLAVE_OBJECT
                               " -object memory-backend-shared,id=mem2,size=16M"
                               " -numa node,nodeid=0,cpus=0,memdev=mem"
                               " -numa node,nodeid=1,cpus=1,memdev=mem2");
    int fd = het_memfd("w", SLAVE_SIZE, SEALS);
    QDict *response;

    het_assert_error(grant_alias(s, "mem", fd, SLAVE_RAM + SLAVE_SIZE),
                     "overlaps the memory 'mem2'");
    response = grant_alias(s, "mem", fd, WINDOW);
    g_assert_true(qdict_haskey(response, "return"));
    qobject_unref(response);
    het_assert_error(grant_alias(s, "mem2", fd, WINDOW + 4096),
                     "overlaps the memory 'mem'");
    het_assert_state(s, "waiting", "none");
    response = grant_alias(s, "mem2", fd, WINDOW + SLAVE_SIZE);
    g_assert_true(qdict_haskey(response, "return"));
    qobject_unref(response);
    het_assert_state(s, "ready", "granted");
    close(fd);
    qtest_quit(s);
}

static void revoke_memory(QTestState *s)
{
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-revoke',"
                             " 'arguments': { 'id': 'mem' } }");
}

static void grant_readonly_error(QTestState *s, int fd, const char *text)
{
    het_give(s, "w", fd);
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-grant',"
                               " 'arguments': { 'id': 'mem', 'memory': 'w',"
                               " 'readonly': true } }"), text);
    het_assert_no_fd(s, "w");
}

/* Neither the guest nor the process can write to it, until it is another's */
static void test_grant_readonly(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("w", SLAVE_SIZE, SEALS);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    int readonly = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *memory = het_map(fd, SLAVE_SIZE);

    grant_readonly_error(s, fd, "not open for reading only");
    grant_error(s, readonly, 0, NO_BUS, "not open for reading and writing");
    het_give(s, "w", readonly);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w',"
                             " 'readonly': true, 'bus-address': %u } }",
                             WINDOW);
    g_assert_true(het_maps_readonly(s, "w"));
    memory[0x100] = 1;
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': %u } }", SLAVE_RAM);
    g_assert_cmpint(qtest_readb(s, SLAVE_RAM + 0x100), ==, 1);
    qtest_writeb(s, SLAVE_RAM + 0x100, 2);
    qtest_writeb(s, WINDOW + 0x100, 3);
    qtest_memset(s, SLAVE_RAM, 4, 0x10000);
    g_assert_cmpint(qtest_readb(s, WINDOW + 0x100), ==, 1);
    g_assert_cmpint(memory[0x100], ==, 1);
    g_assert_cmpint(memory[0x101], ==, 0);

    /* The same memory, to be written to */
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    revoke_memory(s);
    het_grant(s, fd);
    g_assert_false(het_maps_readonly(s, "w"));
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': %u } }", SLAVE_RAM);
    qtest_writeb(s, SLAVE_RAM + 0x100, 2);
    g_assert_cmpint(memory[0x100], ==, 2);
    munmap(memory, SLAVE_SIZE);
    close(readonly);
    close(fd);
    qtest_quit(s);
}

static QDict *query_memory(QTestState *s, QDict **info)
{
    *info = qtest_qmp_assert_success_ref(s, "{ 'execute': 'query-het' }");
    return qobject_to(QDict, qlist_peek(qdict_get_qlist(*info, "memory")));
}

static void assert_memory(QTestState *s, bool granted, bool visible,
                          int64_t bus_address)
{
    QDict *info, *memory = query_memory(s, &info);

    g_assert_cmpstr(qdict_get_str(memory, "id"), ==, "mem");
    g_assert_cmpint(qdict_get_int(memory, "size"), ==, SLAVE_SIZE);
    g_assert_cmpint(qdict_get_bool(memory, "granted"), ==, granted);
    g_assert_cmpint(qdict_get_bool(memory, "visible"), ==, visible);
    g_assert_cmpint(qdict_haskey(memory, "page-size"), ==, granted);
    g_assert_cmpint(qdict_get_try_int(memory, "bus-address", -1), ==,
                    bus_address);
    qobject_unref(info);
}

static void test_grant_revoke(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int first = het_memfd("first", SLAVE_SIZE, SEALS);
    int second = het_memfd("second", SLAVE_SIZE, SEALS);

    het_assert_state(s, "waiting", "none");
    het_assert_status(s, "prelaunch");
    assert_memory(s, false, false, -1);
    /* There is nothing to touch */
    het_assert_error(qtest_qmp(s, "{ 'execute': 'qom-set', 'arguments':"
                               " { 'path': '/objects/mem',"
                               " 'property': 'prealloc', 'value': true } }"),
                     "incompatible");
    het_grant(s, first);
    het_wait_state(s, "ready", "granted");
    assert_memory(s, true, false, -1);
    g_assert_true(het_holds(s, "first"));

    grant_error(s, second, 0, NO_BUS, "has memory already");
    g_assert_false(het_holds(s, "second"));
    g_assert_true(het_holds(s, "first"));

    revoke_memory(s);
    g_assert_false(het_holds(s, "first"));
    het_wait_state(s, "waiting", "revoked");
    assert_memory(s, false, false, -1);
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-revoke',"
                               " 'arguments': { 'id': 'mem' } }"),
                     "has no memory");

    /* The same address as the memory's own needs no alias */
    het_give(s, "w", second);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w',"
                             " 'bus-address': %u } }", SLAVE_RAM);
    assert_memory(s, true, false, -1);
    revoke_memory(s);
    g_assert_false(het_holds(s, "second"));
    close(first);
    close(second);
    qtest_quit(s);
}

/* An object that is no part of the machine can go, with its memory */
static void test_object_del(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("other", MIB, SEALS);

    qtest_qmp_assert_success(s, "{ 'execute': 'object-add', 'arguments':"
                             " { 'qom-type': 'memory-backend-shared',"
                             " 'id': 'other', 'size': %u } }", MIB);
    het_give(s, "w", fd);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'other', 'memory': 'w',"
                             " 'bus-address': %u } }", WINDOW);
    het_assert_state(s, "waiting", "none");
    g_assert_true(het_holds(s, "other"));
    het_assert_error(qtest_qmp(s, "{ 'execute': 'object-del',"
                               " 'arguments': { 'id': 'other' } }"),
                     "in use");
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-revoke',"
                             " 'arguments': { 'id': 'other' } }");
    qtest_qmp_assert_success(s, "{ 'execute': 'object-del',"
                             " 'arguments': { 'id': 'other' } }");
    g_assert_false(het_holds(s, "other"));
    het_assert_error(qtest_qmp(s, "{ 'execute': 'object-del',"
                               " 'arguments': { 'id': 'mem' } }"),
                     "in use");
    close(fd);
    qtest_quit(s);
}

/* --- boot and stop --- */

static void boot(QTestState *s)
{
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': %u } }", SLAVE_RAM);
}

static void boot_error(QTestState *s, uint64_t entry, const char *protocol,
                       const char *text)
{
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-slave-boot',"
                               " 'arguments': { 'entry': %" PRIu64 ","
                               " 'protocol': %s } }", entry, protocol), text);
}

static void test_visibility(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("w", SLAVE_SIZE + 4096, SEALS);
    uint32_t *word = (uint32_t *)(het_map(fd, 8192) + 4096);

    het_give(s, "w", fd);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w',"
                             " 'offset': 4096, 'bus-address': %u } }", WINDOW);
    *word = 0x12345678;
    g_assert_cmphex(qtest_readl(s, SLAVE_RAM), ==, 0);
    g_assert_cmphex(qtest_readl(s, WINDOW), ==, 0);
    qtest_writel(s, SLAVE_RAM, 1);
    g_assert_cmphex(*word, ==, 0x12345678);

    boot(s);
    assert_memory(s, true, true, WINDOW);
    g_assert_cmphex(qtest_readl(s, SLAVE_RAM), ==, 0x12345678);
    g_assert_cmphex(qtest_readl(s, WINDOW), ==, 0x12345678);
    qtest_writel(s, WINDOW, 0x87654321);
    g_assert_cmphex(*word, ==, 0x87654321);

    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    assert_memory(s, true, false, WINDOW);
    g_assert_cmphex(qtest_readl(s, SLAVE_RAM), ==, 0);
    g_assert_cmphex(qtest_readl(s, WINDOW), ==, 0);
    revoke_memory(s);
    assert_memory(s, false, false, -1);
    g_assert_false(het_holds(s, "w"));
    munmap((uint8_t *)word - 4096, 8192);
    close(fd);
    qtest_quit(s);
}

static void test_boot_errors(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("w", SLAVE_SIZE, SEALS);

    boot_error(s, SLAVE_RAM, "auto", "has no memory");
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    het_assert_state(s, "waiting", "none");
    het_grant(s, fd);
    boot_error(s, SLAVE_RAM + SLAVE_SIZE, "auto", "no memory at the entry");
    boot_error(s, SLAVE_RAM, "vector-table", "not possible");
    boot_error(s, SLAVE_RAM + (1ull << 32), "raw", "no memory at the entry");
    assert_memory(s, true, false, -1);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    het_assert_state(s, "ready", "granted");
    het_assert_status(s, "prelaunch");

    boot(s);
    boot_error(s, SLAVE_RAM, "raw", "is running");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-revoke',"
                               " 'arguments': { 'id': 'mem' } }"),
                     "is running");
    qtest_qmp_assert_success(s, "{ 'execute': 'stop' }");
    het_wait_state(s, "paused", "cpus-stopped");
    boot_error(s, SLAVE_RAM, "raw", "is paused");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-revoke',"
                               " 'arguments': { 'id': 'mem' } }"),
                     "is paused");
    qtest_qmp_assert_success(s, "{ 'execute': 'cont' }");
    het_wait_state(s, "running", "cpus-resumed");
    g_assert_true(het_holds(s, "w"));
    close(fd);
    qtest_quit(s);
}

/* Whatever ends a boot leaves the memory as it was */
static void test_memory_kept(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("w", SLAVE_SIZE, SEALS);
    uint8_t *memory = het_map(fd, SLAVE_SIZE);

    het_grant(s, fd);
    het_fill(memory, 0, SLAVE_SIZE, 1);
    boot(s);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    het_wait_state(s, "ready", "stop");
    het_assert_status(s, "prelaunch");
    het_assert_filled(memory, SLAVE_SIZE, 1);

    boot(s);
    qtest_qmp_assert_success(s, "{ 'execute': 'system_reset' }");
    het_wait_state(s, "ready", "host-reset");
    het_assert_filled(memory, SLAVE_SIZE, 1);
    assert_memory(s, true, false, -1);

    /* Of a machine that is not booted, too */
    qtest_system_reset(s);
    het_assert_filled(memory, SLAVE_SIZE, 1);
    /* Nothing starts by itself */
    qtest_qmp_assert_success(s, "{ 'execute': 'cont' }");
    het_assert_state(s, "ready", "host-reset");
    boot(s);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    het_assert_filled(memory, SLAVE_SIZE, 1);
    munmap(memory, SLAVE_SIZE);
    close(fd);
    qtest_quit(s);
}

static void test_incoming(void)
{
    QTestState *s = qtest_init("-nodefaults -machine virt,memory-backend=mem"
                               " -cpu cortex-a15 -m 16M -incoming shared:mem"
                               SLAVE_OBJECT);
    int fd = het_memfd("w", SLAVE_SIZE, SEALS);

    het_assert_status(s, "inmigrate");
    het_assert_state(s, "waiting", "none");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'migrate-incoming',"
                               " 'arguments': { 'uri': 'exec:cat' } }"),
                     "memory is shared");
    het_grant(s, fd);
    boot(s);
    het_assert_status(s, "running");
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    het_assert_status(s, "prelaunch");
    close(fd);
    qtest_quit(s);
}

static void test_slave_migration(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);

    het_assert_no_migration(s, "'mem' is shared");
    qtest_quit(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    /* Other targets' slaves are the business of het-boot-test */
    if (strcmp(qtest_get_arch(), "arm") &&
        strcmp(qtest_get_arch(), "aarch64")) {
        return g_test_run();
    }
    qtest_add_func("/het/role/none", test_no_role);
    qtest_add_func("/het/role/slave", test_slave_attach_slave);
    qtest_add_func("/het/grant/type", test_grant_wrong_type);
    qtest_add_func("/het/grant/range", test_grant_wrong_range);
    qtest_add_func("/het/grant/two", test_grant_two);
    qtest_add_func("/het/grant/revoke", test_grant_revoke);
    qtest_add_func("/het/grant/readonly", test_grant_readonly);
    qtest_add_func("/het/grant/object-del", test_object_del);
    qtest_add_func("/het/boot/visibility", test_visibility);
    qtest_add_func("/het/boot/errors", test_boot_errors);
    qtest_add_func("/het/boot/memory", test_memory_kept);
    qtest_add_func("/het/boot/incoming", test_incoming);
    qtest_add_func("/het/migration", test_slave_migration);
    het_add_master_tests();
    het_add_guest_tests();
    het_add_option_tests();
    return g_test_run();
}
