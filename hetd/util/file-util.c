/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/file-util.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd-util.h"

/* Up to size bytes; the number of them, or a negative errno */
static ssize_t read_up_to(int fd, char *bytes, size_t size) {
        size_t n_read = 0;

        while (n_read < size) {
                ssize_t n = read(fd, bytes + n_read, size - n_read);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                n_read += (size_t) n;
        }

        return (ssize_t) n_read;
}

bool file_read(const char *path, size_t max, char **ret, size_t *ret_size, GError **error) {
        HET_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        g_autofree char *bytes = NULL;
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(errno), "Cannot read %s: %s", path, g_strerror(errno));
                return false;
        }

        if (!S_ISREG(st.st_mode)) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s is not a regular file", path);
                return false;
        }

        /* One byte more than is allowed, so that a file that grows meanwhile is noticed, too */
        bytes = g_malloc(max + 1);
        n = read_up_to(fd, bytes, max + 1);
        if (n < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno((int) n), "Cannot read %s: %s", path, g_strerror((int) -n));
                return false;
        }

        if ((size_t) n > max) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s is larger than %zu bytes", path, max);
                return false;
        }

        *ret = g_steal_pointer(&bytes);
        *ret_size = (size_t) n;
        return true;
}
