/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fail(int status, const char *format, ...) {
        va_list ap;

        (void) fflush(stdout);
        fputs("load_bin_app: ", stderr);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
        exit(status);
}

File file_read(const char *name) {
        File file = { .name = name };
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                fail(EXIT_UNUSABLE, "%s: %s", name, strerror(errno));
        if (!S_ISREG(st.st_mode))
                fail(EXIT_UNUSABLE, "%s is not a file", name);
        if (st.st_size == 0 || st.st_size > INT32_MAX)
                fail(EXIT_UNUSABLE, "%s has %lld bytes, nothing that could be loaded", name, (long long) st.st_size);

        file.data = malloc((size_t) st.st_size);
        if (!file.data)
                fail(EXIT_UNUSABLE, "%s: there is no memory for its %lld bytes", name, (long long) st.st_size);

        while (file.size < (size_t) st.st_size) {
                ssize_t n = read(fd, file.data + file.size, (size_t) st.st_size - file.size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        fail(EXIT_UNUSABLE, "%s: %s", name, n < 0 ? strerror(errno) : "it has become shorter");
                file.size += (size_t) n;
        }

        (void) close(fd);
        return file;
}
