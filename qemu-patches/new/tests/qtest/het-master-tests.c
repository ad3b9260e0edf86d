/*
 * Tests of heterogeneous platforms: masters, their windows and memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/eventfd.h>
#include <sys/mman.h>
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "het-test-util.h"

/* --- windows --- */

static void attach(QTestState *s, uint32_t id, int fd, uint64_t offset,
                   uint64_t address, uint64_t size)
{
    QDict *response = het_attach(s, id, fd, offset, address, size);

    g_assert_true(qdict_haskey(response, "return"));
    qobject_unref(response);
    het_assert_no_couple(s);
    het_assert_no_fd(s, "m");
}

static void attach_error(QTestState *s, uint32_t id, int fd, uint64_t offset,
                         uint64_t address, uint64_t size, const char *text)
{
    het_assert_error(het_attach(s, id, fd, offset, address, size), text);
    het_assert_no_couple(s);
    het_assert_no_fd(s, "m");
}

static void detach(QTestState *s, uint32_t id)
{
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-detach',"
                             " 'arguments': { 'id': %u } }", id);
}

static void test_window_errors(void)
{
    g_autofree char *image = het_image_file();
    QTestState *s = qtest_initf(MASTER_ARGS " -device loader,file=%s,"
                                "force-raw=on,addr=0x48000000", image);
    int fd = het_memfd("window", 2 * MIB, SEALS);
    int bad = het_memfd("bad", 2 * MIB, F_SEAL_GROW);

    unlink(image);
    attach_error(s, 0, fd, 0, WINDOW, MIB, "not between 1 and 255");
    attach_error(s, 256, fd, 0, WINDOW, MIB, "not between 1 and 255");
    attach_error(s, 1, bad, 0, WINDOW, MIB, "lacks the seals");
    attach_error(s, 1, fd, 0, WINDOW, 0, "must not be 0");
    attach_error(s, 1, fd, 0, WINDOW + 1, MIB, "not aligned");
    attach_error(s, 1, fd, 0, WINDOW, MIB + 1, "not a multiple");
    attach_error(s, 1, fd, 1, WINDOW, MIB, "not aligned");
    attach_error(s, 1, fd, 4096, WINDOW, 2 * MIB, "too small");
    attach_error(s, 1, fd, 0, UINT64_MAX - 4095, MIB, "does not fit");
    attach_error(s, 1, fd, 0, 0x48000000, MIB, "which a reset");
    /* Flash, a UART, and an empty page with that behind */
    attach_error(s, 1, fd, 0, 0, MIB, "would hide 'virt.flash0'");
    attach_error(s, 1, fd, 0, 0x09000000, MIB, "would hide 'pl011'");
    attach_error(s, 1, fd, 0, 0x09000000 - 4096, 8192, "would hide 'pl011'");
    g_assert_false(het_holds(s, "window"));
    g_assert_false(het_holds(s, "bad"));

    attach(s, 1, fd, 0, WINDOW, MIB);
    attach_error(s, 1, fd, MIB, WINDOW + MIB, MIB, "attached already");
    attach_error(s, 2, fd, MIB, WINDOW, MIB, "overlaps that of slave 1");
    attach_error(s, 2, fd, MIB, WINDOW + MIB - 4096, MIB, "overlaps");
    attach_error(s, 2, fd, MIB, WINDOW - MIB + 4096, MIB, "overlaps");
    attach_error(s, 2, fd, 0, WINDOW - 4096, 2 * MIB, "overlaps");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-slave-detach',"
                               " 'arguments': { 'id': 2 } }"), "no slave 2");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-ipi-send',"
                               " 'arguments': { 'id': 1, 'vector': 32 } }"),
                     "not between 0 and 31");
    attach(s, 2, fd, MIB, WINDOW + MIB, MIB);
    close(fd);
    close(bad);
    qtest_quit(s);
}

static void test_window(void)
{
    QTestState *s = qtest_init(MASTER_ARGS);
    int fd = het_memfd("window", 2 * MIB, SEALS);
    uint8_t *memory = het_map(fd, 2 * MIB);
    QDict *info, *couple;

    qtest_writel(s, WINDOW, 0x11111111);
    qtest_writel(s, WINDOW - 4, 0x22222222);
    attach(s, 7, fd, MIB, WINDOW, MIB);
    g_assert_cmphex(qtest_readl(s, WINDOW), ==, 0);
    g_assert_cmphex(qtest_readl(s, WINDOW - 4), ==, 0x22222222);
    qtest_writel(s, WINDOW + MIB - 4, 0x33333333);
    g_assert_cmphex(*(uint32_t *)(memory + 2 * MIB - 4), ==, 0x33333333);

    info = qtest_qmp_assert_success_ref(s, "{ 'execute': 'query-het' }");
    g_assert_cmpstr(qdict_get_str(info, "role"), ==, "master");
    g_assert_cmpint(qdict_get_int(info, "id"), ==, 0);
    couple = qobject_to(QDict, qlist_peek(qdict_get_qlist(info, "couples")));
    g_assert_cmpint(qdict_get_int(couple, "id"), ==, 7);
    couple = qdict_get_qdict(couple, "window");
    g_assert_cmphex(qdict_get_int(couple, "address"), ==, WINDOW);
    g_assert_cmphex(qdict_get_int(couple, "size"), ==, MIB);
    g_assert_cmphex(qdict_get_int(couple, "offset"), ==, MIB);
    qobject_unref(info);

    het_fill(memory, 0, 2 * MIB, 3);
    qtest_system_reset(s);
    het_assert_filled(memory, 2 * MIB, 3);
    het_assert_no_migration(s, "slaves of a heterogeneous platform");

    detach(s, 7);
    g_assert_false(het_holds(s, "window"));
    g_assert_false(het_holds(s, "het-page"));
    g_assert_cmphex(qtest_readl(s, WINDOW), ==, 0x11111111);
    het_assert_filled(memory, 2 * MIB, 3);
    attach(s, 8, fd, 0, WINDOW, MIB);
    detach(s, 8);
    g_assert_false(het_holds(s, "window"));
    qtest_qmp_assert_success(s, "{ 'execute': 'migrate', 'arguments':"
                             " { 'uri': 'exec:cat >/dev/null' } }");
    munmap(memory, 2 * MIB);
    close(fd);
    qtest_quit(s);
}

static void test_window_many(void)
{
    QTestState *s = qtest_init(MASTER_ARGS);
    int fd = het_memfd("window", HET_ID_MAX * 4096, SEALS);
    uint8_t *memory = het_map(fd, HET_ID_MAX * 4096);

    for (uint32_t id = 1; id <= HET_ID_MAX; id++) {
        attach(s, id, fd, (id - 1) * 4096, WINDOW + id * 8192,
               4096);
    }
    for (uint32_t id = 1; id <= HET_ID_MAX; id++) {
        qtest_writel(s, WINDOW + id * 8192 + 4, id);
        g_assert_cmpuint(*(uint32_t *)(memory + (id - 1) * 4096 + 4), ==, id);
    }
    munmap(memory, HET_ID_MAX * 4096);
    close(fd);
    qtest_quit(s);
}

/* --- a master's own memory --- */

static void give_socket(QTestState *s, int domain, int *mine)
{
    int pair[2];

    g_assert_cmpint(socketpair(domain, SOCK_STREAM, 0, pair), ==, 0);
    het_pass(s, "s", pair[0]);
    *mine = pair[1];
}

static int receive_fd(int socket)
{
    union {
        struct cmsghdr align;
        char data[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof(control),
    };
    struct cmsghdr *cmsg;
    int fd;

    g_assert_cmpint(recvmsg(socket, &msg, MSG_CMSG_CLOEXEC), ==, 1);
    cmsg = CMSG_FIRSTHDR(&msg);
    g_assert_nonnull(cmsg);
    g_assert_cmpint(cmsg->cmsg_type, ==, SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
    return fd;
}

static void export_error(QTestState *s, const char *id, const char *text)
{
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-export',"
                               " 'arguments': { 'id': %s, 'socket': 's' } }",
                               id), text);
    het_assert_no_fd(s, "s");
}

static void test_export(void)
{
    QTestState *s = qtest_init("-nodefaults -machine virt,memory-backend=mem"
                               " -cpu cortex-a15 -m 16M" SLAVE_OBJECT);
    uint8_t *memory;
    QDict *export;
    int mine, fd;

    give_socket(s, AF_UNIX, &mine);
    export = qtest_qmp_assert_success_ref(s,
        "{ 'execute': 'het-memory-export',"
        " 'arguments': { 'id': 'mem', 'socket': 's' } }");
    g_assert_cmpint(qdict_get_int(export, "offset"), ==, 0);
    g_assert_cmpint(qdict_get_int(export, "size"), ==, SLAVE_SIZE);
    qobject_unref(export);
    het_assert_no_fd(s, "s");
    fd = receive_fd(mine);
    g_assert_cmphex(fcntl(fd, F_GET_SEALS) & SEALS, ==, SEALS);
    memory = het_map(fd, SLAVE_SIZE);
    qtest_writel(s, SLAVE_RAM + MIB, 0x12345678);
    g_assert_cmphex(*(uint32_t *)(memory + MIB), ==, 0x12345678);
    munmap(memory, SLAVE_SIZE);
    close(fd);
    close(mine);

    het_pass(s, "s", eventfd(0, EFD_CLOEXEC));
    export_error(s, "mem", "not a UNIX socket");
    het_pass(s, "s", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    export_error(s, "mem", "not a UNIX socket");
    give_socket(s, AF_UNIX, &mine);
    export_error(s, "other", "no memory-backend-shared object");
    close(mine);
    give_socket(s, AF_UNIX, &mine);
    close(mine);
    export_error(s, "mem", "cannot send");
    het_assert_error(qtest_qmp(s, "{ 'execute': 'het-memory-revoke',"
                               " 'arguments': { 'id': 'mem' } }"),
                     "itself");
    het_assert_no_migration(s, "'mem' is shared");
    qtest_quit(s);
}

static void test_export_slave(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int mine;

    give_socket(s, AF_UNIX, &mine);
    export_error(s, "mem", "not this process's own");
    close(mine);
    qtest_quit(s);
}

static void test_single_thread(void)
{
    QTestState *s = qtest_init(MASTER_ARGS " -accel tcg,thread=single");
    int fd = het_memfd("window", MIB, SEALS);

    attach_error(s, 1, fd, 0, WINDOW, MIB, "thread=single");
    g_assert_false(het_holds(s, "window"));
    close(fd);
    qtest_quit(s);
}

void het_add_master_tests(void)
{
    qtest_add_func("/het/window/errors", test_window_errors);
    qtest_add_func("/het/window/use", test_window);
    qtest_add_func("/het/window/many", test_window_many);
    qtest_add_func("/het/export/master", test_export);
    qtest_add_func("/het/export/slave", test_export_slave);
    if (qtest_has_accel("tcg")) {
        qtest_add_func("/het/window/single-thread", test_single_thread);
    }
}
