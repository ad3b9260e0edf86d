/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Kernels of Linux in their files: what kind of image it is, and what its header says about where it goes. */

#include <stdbool.h>

#include "file.h"

typedef struct Image {
        const char *kind;               /* for people */
        const uint8_t *data;            /* what is to be copied */
        size_t size;
        bool unpacks;                   /* itself, to the beginning of the memory: zImage */
        uint64_t offset;                /* else: from the beginning of the memory, where it must be */
        uint64_t entry;                 /* from the beginning of data */
        uint64_t footprint;             /* memory that the kernel takes, from the beginning of the memory on */
} Image;

bool image_is_elf(const File *file);

/* Ends the program if it is none, or one that is damaged. */
Image image_read(const File *file);
