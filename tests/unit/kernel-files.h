/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Linux kernels, as far as a loader looks at them: headers that are right, of files that are otherwise filled with a pattern. */

#include <stddef.h>
#include <stdint.h>

#define RAM_BASE        0x40000000U
#define KERNEL_FILE_MAX (64U * 1024)
/* Of a bzImage: where its header ends, what comes then is code; and how long a command line it takes */
#define BZIMAGE_HEADER_END              0x26cU
#define BZIMAGE_COMMAND_LINE_MAX        2047U

typedef struct KernelFile {
        uint8_t bytes[KERNEL_FILE_MAX];
        size_t size;
} KernelFile;

void put_le32(KernelFile *file, size_t offset, uint32_t value);
void put_be32(KernelFile *file, size_t offset, uint32_t value);
void put_le64(KernelFile *file, size_t offset, uint64_t value);

/* One that tells how large the kernel in it is: kernel_size, and bss more, at text_offset */
void make_zimage(KernelFile *file, uint32_t size, uint32_t kernel_size, uint32_t bss, uint32_t text_offset);
/* size: without the header. The checksum is made by seal_uimage(). */
void make_uimage(KernelFile *file, uint32_t size, uint32_t load, uint32_t entry);
void seal_uimage(KernelFile *file);
void make_arm64(KernelFile *file, uint32_t size, uint64_t text_offset, uint64_t image_size);
/* Of 64 bits. size: of all of it, with four sectors of 512 bytes, and more, that are not loaded */
void make_bzimage(KernelFile *file, uint32_t size, uint64_t address, uint32_t memory_size);

/* A file with it, to be closed; and its path, for those who open it themselves: to be freed */
int kernel_file_open(const KernelFile *file, char **ret_path);
