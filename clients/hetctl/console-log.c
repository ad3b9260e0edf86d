/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "console-log.h"

#include <errno.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

int console_log_find_tail(int fd, uint64_t lines, uint64_t *ret_offset) {
        char block[16384];
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;

        /* from the end towards the beginning; the newline that ends the last line begins no other */
        for (off_t end = st.st_size; end > 0;) {
                size_t size = MIN((size_t) end, sizeof(block));
                ssize_t n = pread(fd, block, size, end - (off_t) size);

                if (n < 0)
                        return -errno;
                if ((size_t) n < size)  /* it was cut short meanwhile */
                        break;

                for (size_t i = size; i-- > 0;) {
                        off_t after = end - (off_t) size + (off_t) i + 1;

                        if (block[i] == '\n' && after < st.st_size && --lines == 0) {
                                *ret_offset = (uint64_t) after;
                                return 0;
                        }
                }
                end -= (off_t) size;
        }

        *ret_offset = 0;
        return 0;
}
