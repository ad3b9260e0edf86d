/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a program in a file becomes: bytes in a slave's window, and a place to begin at. */

#include <stdbool.h>

#include "file.h"
#include "slave.h"

typedef struct Options {
        bool has_raw, has_entry, has_argument, has_protocol;
        uint64_t raw, entry, argument;
        uint32_t protocol;              /* IDM_TEST_PROTOCOL_* */
        const char *command_line;
} Options;

/* linux.c: tree and initrd may be NULL */
void load_linux(Slave *slave, const File *kernel, const File *tree, const File *initrd, const Options *options);

/* bare.c */
void load_elf(Slave *slave, const File *file, const Options *options);
void load_raw(Slave *slave, const File *file, const Options *options);
