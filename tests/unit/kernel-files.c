/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include "kernel-files.h"

#include <cmocka.h>
#include <endian.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TABLE           0x100U          /* of a zImage */
#define PACKED_SIZE     0x140U          /* where the size of the kernel is told */

void put_le32(KernelFile *file, size_t offset, uint32_t value) {
        uint32_t v = htole32(value);

        memcpy(file->bytes + offset, &v, sizeof(v));
}

void put_be32(KernelFile *file, size_t offset, uint32_t value) {
        uint32_t v = htobe32(value);

        memcpy(file->bytes + offset, &v, sizeof(v));
}

void put_le64(KernelFile *file, size_t offset, uint64_t value) {
        put_le32(file, offset, (uint32_t) value);
        put_le32(file, offset + 4, (uint32_t) (value >> 32));
}

static void fill(KernelFile *file, size_t size) {
        assert_in_range(size, 64, KERNEL_FILE_MAX);
        file->size = size;
        for (size_t i = 0; i < size; i++)
                file->bytes[i] = (uint8_t) (i * 7 + i / 251);
}

void make_zimage(KernelFile *file, uint32_t size, uint32_t kernel_size, uint32_t bss, uint32_t text_offset) {
        /* An entry that is not known is skipped */
        const uint32_t table[] = { 3, 0x12345678, 0, 6, 0x5a534c4b, PACKED_SIZE, bss, text_offset, 0x10000, 0 };

        fill(file, size);
        put_le32(file, 0x24, 0x016f2818);
        put_le32(file, 0x28, 0);
        put_le32(file, 0x2c, size);
        put_le32(file, 0x30, 0x04030201);
        put_le32(file, 0x34, 0x45454545);
        put_le32(file, 0x38, TABLE);
        for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
                put_le32(file, TABLE + 4 * i, table[i]);
        put_le32(file, PACKED_SIZE, kernel_size);
}

/* Another way than the one that is tested: by a table */
static uint32_t checksum(const uint8_t *bytes, size_t size) {
        uint32_t table[256], sum = 0xffffffff;

        for (uint32_t i = 0; i < 256; i++) {
                table[i] = i;
                for (int bit = 0; bit < 8; bit++)
                        table[i] = (table[i] >> 1) ^ (table[i] % 2 * 0xedb88320);
        }
        for (size_t i = 0; i < size; i++)
                sum = table[(sum ^ bytes[i]) & 0xff] ^ (sum >> 8);
        return sum ^ 0xffffffff;
}

void seal_uimage(KernelFile *file) {
        put_be32(file, 4, 0);
        put_be32(file, 4, checksum(file->bytes, 64));
}

void make_uimage(KernelFile *file, uint32_t size, uint32_t load, uint32_t entry) {
        fill(file, 64 + size);
        put_be32(file, 0, 0x27051956);
        put_be32(file, 12, size);
        put_be32(file, 16, load);
        put_be32(file, 20, entry);
        file->bytes[28] = 5;            /* Linux */
        file->bytes[29] = 2;            /* Arm */
        file->bytes[30] = 2;            /* kernel */
        file->bytes[31] = 0;            /* not compressed */
        seal_uimage(file);
}

void make_arm64(KernelFile *file, uint32_t size, uint64_t text_offset, uint64_t image_size) {
        fill(file, size);
        memcpy(file->bytes, "MZ", 2);
        put_le64(file, 8, text_offset);
        put_le64(file, 16, image_size);
        put_le64(file, 24, 0xa);
        memcpy(file->bytes + 56, "ARM\x64", 4);
}

void make_bzimage(KernelFile *file, uint32_t size, uint64_t address, uint32_t memory_size) {
        fill(file, size);
        put_le32(file, 0x24, 0);                /* no zImage, no arm64 Image */
        put_le32(file, 0x38, 0);
        file->bytes[0x1f1] = 4;
        file->bytes[0x201] = BZIMAGE_HEADER_END - 0x202;
        put_le32(file, 0x238, BZIMAGE_COMMAND_LINE_MAX);
        put_le32(file, 0x1f4, (size - 5 * 512) / 16);
        put_le32(file, 0x202, 0x53726448);
        put_le32(file, 0x206, 0x20f);
        file->bytes[0x211] = 1;
        file->bytes[0x236] = 1;
        put_le64(file, 0x258, address);
        put_le32(file, 0x260, memory_size);
}

int kernel_file_open(const KernelFile *file, char **ret_path) {
        int fd = memfd_create("kernel", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, file->bytes, file->size), file->size);
        if (ret_path)
                *ret_path = g_strdup_printf("/proc/self/fd/%d", fd);
        return fd;
}
