/*
 * Tests of heterogeneous platforms: what the options of a command line refuse,
 * and what is loaded
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "het-test-util.h"

static void refuses(const char *args, const char *text)
{
    const char *qemu = getenv("QTEST_QEMU_BINARY");
    g_autofree char *command = g_strdup_printf("%s -display none %s", qemu,
                                               args);
    g_autofree char *errors = NULL;
    int status;

    g_assert(g_spawn_command_line_sync(command, NULL, &errors, &status, NULL));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILURE ||
        !strstr(errors, text)) {
        g_error("%s: wanted '%s', got: %s", command, text, errors);
    }
}

#define VIRT "-nodefaults -m 16M -machine virt"
#define OBJECT " -object memory-backend-shared,id=mem,size=16M"

static void test_command_lines(void)
{
    g_autofree char *image = het_image_file();
    g_autofree char *kernel = g_strdup_printf(SLAVE_ARGS " -kernel %s", image);
    g_autofree char *bios = g_strdup_printf(SLAVE_ARGS " -bios %s", image);

    refuses(VIRT ",slave=on", "needs a memory-backend-shared");
    refuses(VIRT ",slave=on" OBJECT, "needs a memory-backend-shared");
    refuses(VIRT ",memory-backend=mem -incoming shared:other" OBJECT,
            "object 'other'");
    refuses(SLAVE_ARGS ",prealloc=on", "prealloc=on");
    refuses(SLAVE_ARGS ",mem-path=/dev/shm", "mem-path");
    refuses(SLAVE_ARGS ",share=off", "share=off");
    refuses(SLAVE_ARGS ",master=on", "is a slave");
    refuses(kernel, "-kernel");
    refuses(bios, "-bios");
    refuses(SLAVE_ARGS " -accel tcg,thread=single", "thread=single");
    refuses(SLAVE_ARGS " -icount auto", "-icount");
    refuses("-nodefaults -machine netduinoplus2,slave=on,memory-backend=mem"
            " -m 192K -object memory-backend-shared,id=mem,size=192K",
            "does not use the memory");
    refuses("-nodefaults -machine netduinoplus2,memory-backend=mem -m 192K"
            " -object memory-backend-shared,id=mem,size=192K,master=on",
            "does not use the memory");
    refuses(VIRT " -object memory-backend-shared,id=mem,size=16M,master=off",
            "slave=on");
    refuses(VIRT " -object memory-backend-shared,id=mem,size=16M,mem-path=.",
            "neither on tmpfs");
    refuses(VIRT " -object memory-backend-shared,id=mem,size=16M,"
            "mem-path=./nowhere", "no directory");
    g_assert_false(g_file_test("./nowhere", G_FILE_TEST_EXISTS));
    refuses(VIRT ",memory-backend=mem,slave=off -incoming shared:mem" OBJECT,
            "contradicts");
    refuses(VIRT " -accel tcg,thread=single" OBJECT, "thread=single");
    unlink(image);
}

/* --- what is loaded --- */

#define LOADER " -device loader,addr="

static void refuses_file(const char *args, const char *image,
                         const char *address, const char *more,
                         const char *text)
{
    g_autofree char *all = g_strdup_printf("%s" LOADER "%s,force-raw=on,"
                                           "file=%s%s", args, address, image,
                                           more);

    refuses(all, text);
}

/* Nothing is there that would take it, or the boot takes it back */
static void test_loaders_refused(void)
{
    g_autofree char *image = het_image_file();

    /* Where it will have its memory, ... */
    refuses_file(SLAVE_ARGS, image, "0x40800000", "", "the memory 'mem'");
    refuses_file(SLAVE_M_ARGS, image, "0x21800000", "", "the memory 'mem'");
    refuses(SLAVE_ARGS LOADER "0x40800000,data=1,data-len=4",
            "nothing at 0x40800000");
    refuses(SLAVE_M_ARGS LOADER "0x21800000,data=1,data-len=4",
            "nothing at 0x21800000");
    /* ... which begins behind the last device */
    refuses(SLAVE_ARGS LOADER "0x3ffffffc,data=1,data-len=8",
            "nothing at 0x3ffffffc");
    /* ... and where that could be by its address in the master */
    refuses_file(SLAVE_ARGS, image, "0x50000000", "", "has nothing");
    refuses_file(SLAVE_M_ARGS, image, "0x41000000", "", "has nothing");
    refuses(SLAVE_M_ARGS LOADER "0x41000000,data=1,data-len=4",
            "nothing at 0x41000000");
    refuses(SLAVE_ARGS LOADER "0x40800000,cpu-num=0", "het-slave-boot");
    refuses_file(SLAVE_M_ARGS, image, "0x0", ",cpu-num=0", "het-slave-boot");
    unlink(image);
}

/* A board's own memory is written to at each reset, as without a master */
static void test_loader(void)
{
    QTestState *s = qtest_init(SLAVE_M_ARGS LOADER "0x100,data=0x12345678,"
                               "data-len=4,cpu-num=0");
    int fd = het_memfd("w", SLAVE_SIZE, SEALS);

    g_assert_cmphex(qtest_readl(s, 0x100), ==, 0x12345678);
    qtest_writel(s, 0x100, 0);
    het_grant(s, fd);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-boot', 'arguments':"
                             " { 'entry': %u } }", SLAVE_M_RAM);
    g_assert_cmphex(qtest_readl(s, 0x100), ==, 0);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    g_assert_cmphex(qtest_readl(s, 0x100), ==, 0x12345678);
    close(fd);
    qtest_quit(s);
}

void het_add_option_tests(void)
{
    qtest_add_func("/het/command-line", test_command_lines);
    qtest_add_func("/het/loader/refused", test_loaders_refused);
    qtest_add_func("/het/loader/memory-of-board", test_loader);
}
