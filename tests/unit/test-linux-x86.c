/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The boot parameters of a PC's Linux: what its boot protocol wants is where that says, and nothing else is touched. Names of fields are
 * those of the kernel's Documentation/arch/x86/boot.rst and zero-page.rst.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel-files.h"
#include "linux-x86.h"
#include "util/error.h"
#include "util/fd-util.h"

#include <endian.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB             (1ULL << 20)
#define GIB             (1ULL << 30)
#define BUS             0x60000000U
#define GUARD           0x3000U                 /* memory of others before the window */
#define FILLED          0xa5

#define PARAMETERS      0x10000U
#define COMMAND_LINE    0x20000U

#define E820_ENTRIES            0x1e8U
#define SETUP_SECTS             0x1f1U
#define HEADER                  0x202U
#define TYPE_OF_LOADER          0x210U
#define RAMDISK_IMAGE           0x218U
#define RAMDISK_SIZE            0x21cU
#define CMD_LINE_PTR            0x228U
#define E820_TABLE              0x2d0U
#define E820_RAM                1U

static KernelFile file;

typedef struct Fixture {
        ProcessorConfig slave;
        LinuxBoot boot;
        int kernel_fd, initrd_fd, memory_fd;
        uint8_t page[4096];
} Fixture;

static int set_up(void **state) {
        Fixture *f = g_new0(Fixture, 1);

        make_bzimage(&file, 0x4000, 16 * MIB, 40 * MIB);
        f->boot = (LinuxBoot) LINUX_BOOT_INIT;
        f->kernel_fd = kernel_file_open(&file, &f->slave.kernel);
        f->initrd_fd = memfd_create("initrd", MFD_CLOEXEC);
        f->memory_fd = memfd_create("window", MFD_CLOEXEC);
        assert_true(f->initrd_fd >= 0 && f->memory_fd >= 0);
        f->slave.name = g_strdup("s");
        f->slave.board = board_find("q35");
        f->slave.target = TARGET_X86_64;
        f->slave.window_address = BUS;
        f->slave.window_size = 128 * MIB;
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        linux_boot_clear(&f->boot);
        fd_close(f->kernel_fd);
        fd_close(f->initrd_fd);
        fd_close(f->memory_fd);
        g_free(f->slave.kernel);
        g_free(f->slave.initrd);
        g_free(f->slave.command_line);
        g_free(f->slave.name);
        g_free(f);
        return 0;
}

static void add_initrd(Fixture *f, uint64_t size) {
        assert_int_equal(ftruncate(f->initrd_fd, (off_t) size), 0);
        f->slave.initrd = g_strdup_printf("/proc/self/fd/%d", f->initrd_fd);
}

static uint32_t word(const uint8_t *bytes, size_t offset) {
        uint32_t value;

        memcpy(&value, bytes + offset, sizeof(value));
        return le32toh(value);
}

static void check_memory(const Fixture *f, unsigned n, uint64_t begin, uint64_t end) {
        const uint8_t *entry = f->page + E820_TABLE + 20U * n;

        assert_int_equal(word(entry, 0) | (uint64_t) word(entry, 4) << 32, begin);
        assert_int_equal(word(entry, 8) | (uint64_t) word(entry, 12) << 32, end - begin);
        assert_int_equal(word(entry, 16), E820_RAM);
}

/* Into a window that is all holes, so that a large one costs nothing */
static void write_parameters(Fixture *f) {
        g_autoptr(GError) error = NULL;
        uint64_t address = 0;

        assert_int_equal(ftruncate(f->memory_fd, (off_t) (GUARD + f->slave.window_size)), 0);
        if (!linux_boot_open(&f->slave, &f->boot, &error) ||
            !linux_x86_write_parameters(&f->boot, &f->slave, f->memory_fd, GUARD, &address, &error))
                fail_msg("%s", error->message);
        assert_int_equal(address, PARAMETERS);
        assert_int_equal(pread(f->memory_fd, f->page, sizeof(f->page), GUARD + PARAMETERS), sizeof(f->page));
}

static void refused(Fixture *f, const char *message) {
        g_autoptr(GError) error = NULL;
        uint64_t address = 0;

        assert_false(linux_boot_open(&f->slave, &f->boot, &error) &&
                     linux_x86_write_parameters(&f->boot, &f->slave, f->memory_fd, GUARD, &address, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_string_equal(error->message, message);
        assert_int_equal(address, 0);
}

/* The kernel's header comes along, as it is, up to where it says that it ends; and all that nobody has set is 0 */
static void test_header(void **state) {
        Fixture *f = *state;
        uint8_t expected[sizeof(f->page)] = {};

        write_parameters(f);
        memcpy(expected + SETUP_SECTS, file.bytes + SETUP_SECTS, BZIMAGE_HEADER_END - SETUP_SECTS);
        expected[TYPE_OF_LOADER] = 0xff;
        memset(expected + RAMDISK_IMAGE, 0, 8);
        memcpy(expected + CMD_LINE_PTR, (const uint32_t[]) { htole32(COMMAND_LINE) }, 4);
        expected[E820_ENTRIES] = 2;
        memcpy(expected + E820_TABLE, f->page + E820_TABLE, 2 * 20);
        assert_memory_equal(f->page, expected, sizeof(expected));
}

/* One that claims more than there is room for takes nothing of what follows it */
static void test_long_header(void **state) {
        Fixture *f = *state;

        file.bytes[0x201] = 0xff;
        assert_int_equal(pwrite(f->kernel_fd, file.bytes, file.size, 0), file.size);
        write_parameters(f);
        assert_memory_equal(f->page + HEADER, file.bytes + HEADER, TYPE_OF_LOADER - HEADER);
        assert_memory_equal(f->page + 0x26c, file.bytes + 0x26c, 0x290 - 0x26c);
        for (size_t offset = 0x290; offset < E820_TABLE; offset++)
                assert_int_equal(f->page[offset], 0);
}

/* Low memory without what a PC's firmware has there; the last MiB of the window is virtio's */
static void test_memory_map(void **state) {
        static const struct {
                const char *machine;
                uint64_t window, end;
        } maps[] = {
                { "q35", 128 * MIB, 127 * MIB }, { "microvm", 128 * MIB, 127 * MIB },
                { "q35", 0xb0000000 - 2 * MIB, 0xb0000000 - 3 * MIB }, { "q35", 0xb0000000, 2 * GIB }, { "q35", 8 * GIB, 2 * GIB },
                { "pc", 0xb0000000, 0xb0000000 - MIB }, { "pc", 0xe0000000, 3 * GIB }, { "microvm", 3 * GIB, 3 * GIB },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < G_N_ELEMENTS(maps); i++) {
                f->slave.board = board_find(maps[i].machine);
                f->slave.window_size = maps[i].window;
                write_parameters(f);
                linux_boot_clear(&f->boot);
                assert_int_equal(f->page[E820_ENTRIES], 2);
                check_memory(f, 0, 0, 0x9f000);
                check_memory(f, 1, MIB, maps[i].end);
        }
}

static void test_initrd(void **state) {
        Fixture *f = *state;

        write_parameters(f);
        assert_int_equal(word(f->page, RAMDISK_IMAGE), 0);
        assert_int_equal(word(f->page, RAMDISK_SIZE), 0);
        linux_boot_clear(&f->boot);

        add_initrd(f, 5 * MIB + 3);
        write_parameters(f);
        assert_int_equal(word(f->page, RAMDISK_IMAGE), 127 * MIB - 5 * MIB - 4096);
        assert_int_equal(word(f->page, RAMDISK_SIZE), 5 * MIB + 3);
}

/* It stays below the devices of the board, whatever the window has above them; and what does not fit there is refused */
static void test_large_initrd(void **state) {
        Fixture *f = *state;

        f->slave.window_size = 8 * GIB;
        add_initrd(f, GIB);
        write_parameters(f);
        assert_int_equal(word(f->page, RAMDISK_IMAGE), GIB);
        assert_int_equal(word(f->page, RAMDISK_SIZE), GIB);
        linux_boot_clear(&f->boot);

        assert_int_equal(ftruncate(f->initrd_fd, (off_t) (2 * GIB)), 0);
        refused(f, "s: Its kernel and its initial RAM disk need 2104.1 MiB, and below its devices a q35 has 2048.0 MiB; make the RAM disk "
                   "smaller");
}

static void read_line(Fixture *f, size_t size, char *ret) {
        write_parameters(f);
        assert_int_equal(word(f->page, CMD_LINE_PTR), COMMAND_LINE);
        assert_int_equal(pread(f->memory_fd, ret, size, GUARD + COMMAND_LINE), size);
        linux_boot_clear(&f->boot);
}

static void test_command_line(void **state) {
        Fixture *f = *state;
        char line[BZIMAGE_COMMAND_LINE_MAX + 1];

        read_line(f, 1, line);
        assert_string_equal(line, "");
        f->slave.command_line = g_strdup("console=ttyS0 quiet");
        read_line(f, strlen(f->slave.command_line) + 1, line);
        assert_string_equal(line, f->slave.command_line);

        /* As long as the kernel takes, and one more */
        g_free(f->slave.command_line);
        f->slave.command_line = g_strnfill(BZIMAGE_COMMAND_LINE_MAX, 'x');
        read_line(f, sizeof(line), line);
        assert_string_equal(line, f->slave.command_line);
        g_free(f->slave.command_line);
        f->slave.command_line = g_strnfill(BZIMAGE_COMMAND_LINE_MAX + 1, 'x');
        refused(f, "s: CommandLine= has 2048 bytes, and its kernel takes 2047");
}

/* Beside the page, and the line with its end, every byte stays as it was */
static void test_nothing_else(void **state) {
        Fixture *f = *state;
        size_t size = GUARD + f->slave.window_size, line = GUARD + COMMAND_LINE, page = GUARD + PARAMETERS, n = 0;
        uint8_t *memory;

        f->slave.command_line = g_strdup("quiet");
        assert_int_equal(ftruncate(f->memory_fd, (off_t) size), 0);
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
        assert_ptr_not_equal(memory, MAP_FAILED);
        memset(memory, FILLED, size);
        write_parameters(f);
        for (size_t i = 0; i < size; i++)
                n += memory[i] != FILLED && (i < page || i >= page + 4096) && (i < line || i >= line + sizeof("quiet"));
        assert_int_equal(n, 0);
        munmap(memory, size);
}

static void test_file_shrinks(void **state) {
        Fixture *f = *state;
        g_autofree char *message = g_strdup_printf("%s: cannot be read", f->slave.kernel);
        g_autoptr(GError) error = NULL;
        uint64_t address;

        assert_true(linux_boot_open(&f->slave, &f->boot, NULL));
        assert_int_equal(ftruncate(f->kernel_fd, 0x280), 0);
        assert_false(linux_x86_write_parameters(&f->boot, &f->slave, f->memory_fd, GUARD, &address, &error));
        assert_string_equal(error->message, message);
}

/* What Arm begins with is no kernel for it */
static void test_wrong_kernel(void **state) {
        Fixture *f = *state;
        g_autofree char *message = g_strdup_printf("%s: is a kernel for Arm, and s is a PC", f->slave.kernel);

        make_zimage(&file, 0x4000, 20 * MIB, 0x5000, 0x208000);
        assert_int_equal(pwrite(f->kernel_fd, file.bytes, file.size, 0), file.size);
        refused(f, message);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_header),
                TEST(test_long_header),
                TEST(test_memory_map),
                TEST(test_initrd),
                TEST(test_large_initrd),
                TEST(test_command_line),
                TEST(test_nothing_else),
                TEST(test_file_shrinks),
                TEST(test_wrong_kernel),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
