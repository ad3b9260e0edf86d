/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "console-log.h"

#include <errno.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

/* hetd makes a hole of what is old (ConsoleLogMax=), and writes a note behind it: zeros are no part of either */
static int find_start(int fd, off_t *ret) {
        off_t start = lseek(fd, 0, SEEK_DATA);
        char block[4096];
        ssize_t n;

        if (start < 0) {
                *ret = 0;
                return errno == ENXIO || errno == EINVAL ? 0 : -errno;  /* it is empty, or its file system knows no holes */
        }

        n = start > 0 ? pread(fd, block, sizeof(block), start) : 0;
        for (ssize_t i = 0; i < n && block[i] == '\0'; i++)
                start++;
        *ret = start;
        return n < 0 ? -errno : 0;
}

int console_log_find_tail(int fd, uint64_t lines, uint64_t *ret_offset) {
        char block[16384];
        struct stat st;
        off_t start;
        int r = find_start(fd, &start);

        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;

        /* from the end towards the beginning; the newline that ends the last line begins no other */
        for (off_t end = st.st_size; lines > 0 && end > start;) {
                size_t size = MIN((size_t) (end - start), sizeof(block));
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

        *ret_offset = (uint64_t) start;
        return 0;
}
