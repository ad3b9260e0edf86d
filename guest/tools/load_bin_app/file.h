/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files that are read whole, and the one way in which the program fails. */

#include <stddef.h>
#include <stdint.h>

enum {
        EXIT_UNUSABLE = 1,      /* a file, or the slave as it is now */
        EXIT_USAGE = 2,
        EXIT_PLATFORM = 3,      /* was asked to, and did not do it */
};

#define KIB 1024U
#define MIB (1024U * KIB)

typedef struct File {
        const char *name;
        uint8_t *data;
        size_t size;
} File;

/* Says why, and exits with this status. */
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The content stays until the program ends. */
File file_read(const char *name);

static inline uint64_t round_up(uint64_t value, uint64_t alignment) {
        return (value + alignment - 1) & ~(alignment - 1);
}
