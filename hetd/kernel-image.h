/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Linux kernels as files: which format one has, and where in a board's memory it wants to be. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum KernelFormat {
        KERNEL_ZIMAGE,                  /* 32-bit Arm, unpacks itself */
        KERNEL_UIMAGE,                  /* any kernel with U-Boot's header, which says where it goes */
        KERNEL_ARM64_IMAGE,
        KERNEL_BZIMAGE,                 /* x86 */
        _KERNEL_FORMAT_MAX,
} KernelFormat;

/* Offsets are from the begin of memory */
typedef struct KernelImage {
        KernelFormat format;
        bool has_64_bits;
        uint64_t file_offset, file_size;        /* the part of the file that is loaded */
        uint64_t load_offset;
        uint64_t entry_offset;
        uint64_t memory_size;           /* from the begin of memory to the end of what it uses before it has read its device tree */
} KernelImage;

/* Linux' page tables map its memory by this */
#define KERNEL_MEMORY_ALIGNMENT (2U * 1024 * 1024)

/*
 * Reads the headers of the open file; path is for messages. ram_base: where the board has its memory, which the addresses in a
 * uImage are of. The file is hostile input; what comes out is inside of it, and is all below 2^40.
 * Errors (HET_ERROR_INVALID_ARGUMENT): "file: what is wrong".
 */
bool kernel_image_read(const char *path, int fd, uint64_t ram_base, KernelImage *ret, GError **error);

const char *kernel_format_to_string(KernelFormat format);
