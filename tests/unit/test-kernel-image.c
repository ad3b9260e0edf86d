/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Headers of kernels, and what is wrong with them. That real ones boot is seen in tests/integration. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel-files.h"
#include "kernel-image.h"
#include "util/error.h"
#include "util/fd-util.h"

#include <string.h>
#include <unistd.h>

#define MIB (1U << 20)

static KernelFile file;

static bool try(KernelImage *ret, GError **error) {
        HET_AUTO_FD int fd = kernel_file_open(&file, NULL);

        return kernel_image_read("kernel", fd, RAM_BASE, ret, error);
}

static KernelImage good(void) {
        g_autoptr(GError) error = NULL;
        KernelImage image;

        if (!try(&image, &error))
                fail_msg("%s", error->message);
        return image;
}

static void bad(const char *message) {
        KernelImage image = { .file_size = 5 };
        g_autoptr(GError) error = NULL;

        assert_false(try(&image, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_string_equal(error->message, message);
        assert_int_equal(image.file_size, 5);
}

static void test_zimage(void **state) {
        KernelImage image;

        make_zimage(&file, 0x1000, 20 * MIB, 0x5000, 0x208000);
        image = good();
        assert_int_equal(image.format, KERNEL_ZIMAGE);
        assert_int_equal(image.file_offset, 0);
        assert_int_equal(image.file_size, 0x1000);
        assert_int_equal(image.load_offset, 0x8000);
        assert_int_equal(image.entry_offset, 0x8000);
        assert_int_equal(image.memory_size, 0x208000 + 20 * MIB + 0x5000 + 0x1000 + MIB);

        /* What is behind it, mostly a device tree, stays behind */
        file.size += 0x800;
        assert_int_equal(good().file_size, 0x1000);

        /* A kernel for another place; and one of the time when the place was not told */
        put_le32(&file, 0x11c, 0x8000);
        assert_int_equal(good().memory_size, 0x8000 + 20 * MIB + 0x5000 + 0x1000 + MIB);
        put_le32(&file, 0x10c, 4);
        assert_int_equal(good().memory_size, 0x208000 + 20 * MIB + 0x5000 + 0x1000 + MIB);
}

/* Without a table, or with one that leads nowhere, the size is guessed: on the safe side */
static void test_zimage_without_table(void **state) {
        static const struct {
                size_t offset;
                uint32_t value;
        } damages[] = {
                { 0x34, 0 }, { 0x38, 0xfffffff0 }, { 0x38, 0xff0 }, { 0x100, 0 }, { 0x100, 0xffffffff }, { 0x10c, 2 },
                { 0x114, 0xffffffff }, { 0x114, 0xffe },
        };
        uint64_t guess = 0x208000 + 6 * 0x1000 + 0x1000 + MIB;

        for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
                make_zimage(&file, 0x1000, 20 * MIB, 0x5000, 0x8000);
                put_le32(&file, damages[i].offset, damages[i].value);
                assert_int_equal(good().memory_size, guess);
        }
}

static void test_bad_zimage(void **state) {
        make_zimage(&file, 0x1000, 20 * MIB, 0, 0x8000);
        file.size = 0xfff;
        bad("kernel: was cut off: the zImage has 4096 bytes, of which 4095 are there");
        put_le32(&file, 0x2c, 0);
        bad("kernel: looks like a zImage, but its header is damaged (from 0x0 to 0x0)");
        put_le32(&file, 0x28, 0xffffffff);
        bad("kernel: looks like a zImage, but its header is damaged (from 0xffffffff to 0x0)");
}

static void test_uimage(void **state) {
        KernelImage image;

        make_uimage(&file, 0x8000, 0x40208000, 0x40208040);
        image = good();
        assert_int_equal(image.format, KERNEL_UIMAGE);
        assert_int_equal(image.file_offset, 64);
        assert_int_equal(image.file_size, 0x8000);
        assert_int_equal(image.load_offset, 0x208000);
        assert_int_equal(image.entry_offset, 0x208040);
        assert_int_equal(image.memory_size, 0x208000 + 0x8000 + 2 * MIB);
        assert_false(image.has_64_bits);
        file.bytes[29] = 22;
        seal_uimage(&file);
        assert_true(good().has_64_bits);
}

static void test_zimage_in_uimage(void **state) {
        KernelFile inner;
        KernelImage image;

        make_zimage(&inner, 0x1000, 20 * MIB, 0x5000, 0x8000);
        make_uimage(&file, 0x1000, 0x40010000, 0x40010000);
        memcpy(file.bytes + 64, inner.bytes, 0x1000);
        image = good();
        assert_int_equal(image.format, KERNEL_UIMAGE);
        assert_int_equal(image.memory_size, 0x8000 + 20 * MIB + 0x5000 + 0x1000 + MIB);
}

static void test_bad_uimage(void **state) {
        make_uimage(&file, 0x1000, 0x40208000, 0x40208000);
        file.size--;
        bad("kernel: was cut off: the uImage has 4160 bytes, of which 4159 are there");

        make_uimage(&file, 0x1000, 0x40208000, 0x40208000);
        file.bytes[40] ^= 1;
        bad("kernel: looks like a uImage, but its header is damaged (wrong checksum)");

        make_uimage(&file, 0x1000, 0x80008000, 0x80009000);
        bad("kernel: is a uImage for the address 0x80008000, begun at 0x80009000; it must be in the board's memory, from 0x40000000 "
            "on (mkimage -a, -e)");
        make_uimage(&file, 0x1000, 0x8000, 0x8000);
        bad("kernel: is a uImage for the address 0x8000, begun at 0x8000; it must be in the board's memory, from 0x40000000 on "
            "(mkimage -a, -e)");

        make_uimage(&file, 0x1000, 0x40208000, 0x40208000);
        file.bytes[31] = 1;
        seal_uimage(&file);
        bad("kernel: is a uImage compressed with gzip; make one that is not (mkimage -C none)");
        file.bytes[31] = 99;
        seal_uimage(&file);
        bad("kernel: is a uImage compressed with something unknown; make one that is not (mkimage -C none)");
        file.bytes[29] = 3;
        seal_uimage(&file);
        bad("kernel: is a uImage for architecture 3, not for Arm (2) or AArch64 (22)");
        file.bytes[30] = 3;
        seal_uimage(&file);
        bad("kernel: is a uImage, but of no Linux kernel (operating system 5, type 3)");
}

static void test_arm64(void **state) {
        KernelImage image;

        make_arm64(&file, 0x4000, 0, 0x6000);
        image = good();
        assert_int_equal(image.format, KERNEL_ARM64_IMAGE);
        assert_true(image.has_64_bits);
        assert_int_equal(image.file_size, 0x4000);
        assert_int_equal(image.load_offset, 0);
        assert_int_equal(image.entry_offset, 0);
        assert_int_equal(image.memory_size, 0x6000);

        make_arm64(&file, 0x4000, 0x80000, 0x6000);
        image = good();
        assert_int_equal(image.load_offset, 0x80000);
        assert_int_equal(image.entry_offset, 0x80000);
        assert_int_equal(image.memory_size, 0x86000);

        /* Before the header told it */
        make_arm64(&file, 0x4000, 0, 0);
        image = good();
        assert_int_equal(image.load_offset, 0x80000);
        assert_int_equal(image.memory_size, 0x80000 + 0x4000 + 2 * MIB);
}

static void test_bzimage(void **state) {
        KernelImage image;

        make_bzimage(&file, 0x4000, 16 * MIB, 40 * MIB);
        image = good();
        assert_int_equal(image.format, KERNEL_BZIMAGE);
        assert_true(image.has_64_bits);
        assert_int_equal(image.file_offset, 5 * 512);
        assert_int_equal(image.file_size, 0x4000 - 5 * 512);
        assert_int_equal(image.load_offset, 16 * MIB);
        assert_int_equal(image.entry_offset, 16 * MIB);
        assert_int_equal(image.memory_size, 56 * MIB);

        /* 0 sectors mean 4; a signature follows */
        file.bytes[0x1f1] = 0;
        file.size += 0x800;
        image = good();
        assert_int_equal(image.file_offset, 5 * 512);
        assert_int_equal(image.file_size, 0x4000 - 5 * 512);
}

static void test_bad_bzimage(void **state) {
        make_bzimage(&file, 0x4000, 16 * MIB, 40 * MIB);
        file.size -= 16;
        bad("kernel: was cut off: the bzImage has 16384 bytes, of which 16368 are there");
        make_bzimage(&file, 0x4000, 16 * MIB, 40 * MIB);
        file.bytes[0x1f1] = 255;
        bad("kernel: was cut off: the bzImage has 144896 bytes, of which 16384 are there");
        make_bzimage(&file, 0x4000, 0x1000, 40 * MIB);
        bad("kernel: looks like a bzImage, but its header is damaged (0x2800000 bytes at 0x1000)");
        make_bzimage(&file, 0x4000, UINT64_MAX, 40 * MIB);
        bad("kernel: looks like a bzImage, but its header is damaged (0x2800000 bytes at 0xffffffffffffffff)");
        make_bzimage(&file, 0x4000, UINT32_MAX - MIB, 40 * MIB);
        bad("kernel: looks like a bzImage, but its header is damaged (0x2800000 bytes at 0xffefffff)");
        make_bzimage(&file, 0x4000, 16 * MIB, 0x1000);
        bad("kernel: looks like a bzImage, but its header is damaged (0x1000 bytes at 0x1000000)");
        make_bzimage(&file, 0x4000, 16 * MIB, 40 * MIB);
        file.bytes[0x211] = 0;
        bad("kernel: is a kernel for PCs of before Linux 2.6.31; use a newer one");
        make_bzimage(&file, 0x4000, 16 * MIB, 40 * MIB);
        file.bytes[0x206] = 9;
        bad("kernel: is a kernel for PCs of before Linux 2.6.31; use a newer one");
}

static void test_bad_arm64(void **state) {
        make_arm64(&file, 0x1000, 0, 0x6000);
        bad("kernel: was cut off: the arm64 Image has 24576 bytes, of which 4096 are there");
        make_arm64(&file, 0x4000, UINT64_MAX, 0x6000);
        bad("kernel: looks like an arm64 Image, but its header is damaged (0x6000 bytes at 0xffffffffffffffff)");
        make_arm64(&file, 0x4000, 0, UINT64_MAX);
        bad("kernel: looks like an arm64 Image, but its header is damaged (0xffffffffffffffff bytes at 0x0)");
        make_arm64(&file, 0x4000, 0, 0x6000);
        file.bytes[24] |= 1;
        bad("kernel: is a big-endian kernel");
}

static void test_others(void **state) {
        static const struct {
                const char *begin;
                size_t size;
                const char *message;
        } others[] = {
                { "\x1f\x8b\x08", 3, "kernel: is compressed with gzip; unpack it first" },
                { "\xfd" "7zXZ", 6, "kernel: is compressed with xz; unpack it first" },
                { "\x28\xb5\x2f\xfd", 4, "kernel: is compressed with zstd; unpack it first" },
                { "\x02\x21\x4c\x18", 4, "kernel: is compressed with lz4; unpack it first" },
                { "\x89LZO", 4, "kernel: is compressed with lzop; unpack it first" },
                { "BZh9", 4, "kernel: is compressed with bzip2; unpack it first" },
                { "MZ\0\0zimg", 8, "kernel: is a kernel that UEFI unpacks; use the Image that is packed in it" },
                { "\x7f" "ELF", 4, "kernel: is an ELF file; use the zImage or Image of the same kernel, or Firmware=" },
                { "\xd0\x0d\xfe\xed", 4, "kernel: is a device tree or a FIT image; use the zImage or Image in it" },
                { "", 0, "kernel: is no kernel that can be booted here: those are zImage, uImage, arm64 Image, and bzImage" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
                make_arm64(&file, 0x1000, 0, 0x1000);
                memset(file.bytes, 0, 64);
                memcpy(file.bytes, others[i].begin, others[i].size);
                bad(others[i].message);
        }
}

static void test_short(void **state) {
        make_zimage(&file, 0x1000, 20 * MIB, 0, 0x8000);
        file.size = 63;
        bad("kernel: is no kernel: it has 63 bytes");
        file.size = 0;
        bad("kernel: is no kernel: it has 0 bytes");
}

static void test_no_file(void **state) {
        int pipe_fds[2];
        KernelImage image;
        g_autoptr(GError) error = NULL;

        assert_int_equal(pipe(pipe_fds), 0);
        assert_false(kernel_image_read("kernel", pipe_fds[0], RAM_BASE, &image, &error));
        assert_string_equal(error->message, "kernel: is not a regular file");
        fd_close(pipe_fds[0]);
        fd_close(pipe_fds[1]);
}

/* Any byte of a header wrong: what is loaded is in the file, and the kernel is in the memory that it is said to need */
static void test_damaged(void **state) {
        static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };

        for (unsigned kind = 0; kind < 3; kind++)
                for (unsigned i = 0; i < 0x140; i++)
                        for (unsigned v = 0; v < G_N_ELEMENTS(values); v++) {
                                KernelImage image;

                                if (kind == 0)
                                        make_zimage(&file, 0x1000, 20 * MIB, 0x5000, 0x208000);
                                else if (kind == 1)
                                        make_uimage(&file, 0x1000, 0x40208000, 0x40208000);
                                else
                                        make_arm64(&file, 0x1000, 0x80000, 0x1800);
                                file.bytes[i] = values[v];
                                if (kind == 1)
                                        seal_uimage(&file);
                                if (!try(&image, NULL))
                                        continue;
                                assert_in_range(image.file_size, 1, file.size - image.file_offset);
                                assert_in_range(image.load_offset + image.file_size, 1, image.memory_size);
                                assert_in_range(image.entry_offset, image.load_offset, image.memory_size);
                                assert_in_range(image.memory_size, 1, 1ULL << 40);
                        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_zimage),
                cmocka_unit_test(test_zimage_without_table),
                cmocka_unit_test(test_bad_zimage),
                cmocka_unit_test(test_uimage),
                cmocka_unit_test(test_zimage_in_uimage),
                cmocka_unit_test(test_bad_uimage),
                cmocka_unit_test(test_arm64),
                cmocka_unit_test(test_bad_arm64),
                cmocka_unit_test(test_bzimage),
                cmocka_unit_test(test_bad_bzimage),
                cmocka_unit_test(test_others),
                cmocka_unit_test(test_short),
                cmocka_unit_test(test_no_file),
                cmocka_unit_test(test_damaged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
