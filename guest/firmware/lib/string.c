/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memcpy() and memset(), bytewise: memory is not cached here, and nothing of size is copied often. */

#include "string.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
        char *t = to;
        const char *f = from;

        while (size--)
                *t++ = *f++;
        return to;
}

void *memset(void *to, int value, size_t size) {
        char *t = to;

        while (size--)
                *t++ = (char) value;
        return to;
}
