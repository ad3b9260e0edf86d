/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Architectures of processors: a QEMU binary has one, each has its programs, its boot protocols and its own board "virt". */

typedef enum Architecture {
        ARCHITECTURE_ARM,
        ARCHITECTURE_RISCV,
        ARCHITECTURE_X86,
        _ARCHITECTURE_MAX
} Architecture;

const char *architecture_to_string(Architecture architecture);

/* QEMU's targets: the binary is qemu-system-TARGET. Those of 64 bits run CPUs of 32, too, but not the other way round. */
#define TARGET_ARM      "arm"
#define TARGET_AARCH64  "aarch64"
#define TARGET_RISCV32  "riscv32"
#define TARGET_RISCV64  "riscv64"
#define TARGET_I386     "i386"
#define TARGET_X86_64   "x86_64"

const char *target_find(const char *name, Architecture *ret);   /* NULL: there is none */
