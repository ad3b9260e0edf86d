/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memcpy() and memset(). Messages are copied, so memcpy() goes by words where both sides are aligned. */

#include <stdint.h>

#include "string.h"

/* Words of whatever is copied */
typedef uint32_t __attribute__((may_alias)) Word;

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
        char *t = to;
        const char *f = from;

        if (((uintptr_t) t | (uintptr_t) f) % sizeof(Word) == 0)
                for (; size >= sizeof(Word); size -= sizeof(Word), t += sizeof(Word), f += sizeof(Word))
                        *(Word *) t = *(const Word *) f;
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
