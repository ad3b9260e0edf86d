/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The memory of slaves. Called by the objects of a platform, and with what a client handed over on the bus. */

#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd-util.h"

/* Without these its owner could take pages away under a QEMU, which would die of SIGBUS */
#define SEALS_REQUIRED (F_SEAL_SHRINK | F_SEAL_GROW)

#define COPY_SIZE (256U * 1024)

bool window_memory_new(const char *platform, const char *processor, uint64_t size, int *ret_fd, GError **error) {
        g_autofree char *name = g_strdup_printf("het:%s/%s", platform, processor);
        HET_AUTO_FD int fd = -EBADF;

        if (size == 0 || size > INT64_MAX) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                            "A window of %" PRIu64 " bytes is not possible", size);
                return false;
        }

        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        /* F_SEAL_SEAL: a QEMU that has the fd cannot make it read-only for everybody */
        if (fd < 0 || fchmod(fd, 0600) < 0 || ftruncate(fd, (off_t) size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS_REQUIRED | F_SEAL_SEAL) < 0) {
                int saved = errno;

                g_set_error(error, HET_ERROR, het_error_from_errno(saved),
                            "Cannot make a window of %" PRIu64 " bytes for %s: %s", size, processor, g_strerror(saved));
                return false;
        }

        *ret_fd = fd_take(&fd);
        return true;
}

static uint64_t page_size_of(int fd) {
        struct statfs s;

        if (fstatfs(fd, &s) == 0 && s.f_type == HUGETLBFS_MAGIC && s.f_bsize > 0)
                return (uint64_t) s.f_bsize;

        return (uint64_t) sysconf(_SC_PAGESIZE);
}

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool refuse(GError **error, const char *format, ...) {
        g_autofree char *reason = NULL;
        va_list args;

        va_start(args, format);
        reason = g_strdup_vprintf(format, args);
        va_end(args);

        g_set_error(error, HET_ERROR, HET_ERROR_MEMORY_REFUSED, "The file descriptor is no usable memory: %s", reason);
        return false;
}

static bool check_type(int fd, GError **error) {
        int flags = fcntl(fd, F_GETFL), seals;

        if (flags < 0)
                return refuse(error, "%s", g_strerror(errno));
        if ((flags & O_PATH) || (flags & O_ACCMODE) != O_RDWR)
                return refuse(error, "it is not open for reading and writing");

        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0)
                return refuse(error, "it is no memfd");
        if ((seals & SEALS_REQUIRED) != SEALS_REQUIRED)
                return refuse(error, "it lacks the seals F_SEAL_SHRINK and F_SEAL_GROW (it has 0x%x)",
                              (unsigned) seals);
        if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
                return refuse(error, "it is sealed against writing");

        return true;
}

bool window_memory_check(int fd, uint64_t offset, uint64_t size, GError **error) {
        struct stat st;
        uint64_t page;

        if (!check_type(fd, error))
                return false;

        if (fstat(fd, &st) < 0)
                return refuse(error, "%s", g_strerror(errno));

        page = page_size_of(fd);
        if (offset % page != 0)
                return refuse(error, "the offset 0x%" PRIx64 " is not a multiple of its page size 0x%" PRIx64, offset,
                              page);
        if (size == 0 || size % page != 0)
                return refuse(error, "the size 0x%" PRIx64 " is not a multiple of its page size 0x%" PRIx64, size,
                              page);
        if ((uint64_t) st.st_size < offset || (uint64_t) st.st_size - offset < size)
                return refuse(error, "it has 0x%" PRIx64 " bytes, needed are 0x%" PRIx64 " from 0x%" PRIx64,
                              (uint64_t) st.st_size, size, offset);

        return true;
}

int window_open_read_only(int fd, GError **error) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        int read_only = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (read_only < 0)
                g_set_error(error, HET_ERROR, het_error_from_errno(errno), "Cannot open a window for reading only: %s", g_strerror(errno));
        return read_only;
}

/*
 * Memory of huge pages can only be written to where it is mapped. By the kernel: where there is no page left our own access would
 * be SIGBUS.
 */
static int write_mapped(int fd, const void *data, size_t size, uint64_t offset) {
        uint64_t page = page_size_of(fd), first = offset / page * page;
        size_t length = (size_t) ((offset - first + size + page - 1) / page * page);
        uint8_t *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t) first);
        ssize_t n;

        if (mapped == MAP_FAILED)
                return -errno;

        struct iovec from = { (void *) data, size }, to = { mapped + (offset - first), size };

        n = process_vm_writev(getpid(), &from, 1, &to, 1, 0);

        int r = n == (ssize_t) size ? 0 : n < 0 && errno != EFAULT ? -errno : -ENOMEM;

        (void) munmap(mapped, length);
        return r;
}

int window_write(int fd, const void *data, size_t size, uint64_t offset) {
        const uint8_t *bytes = data;

        while (size > 0) {
                ssize_t n = pwrite(fd, bytes, size, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EINVAL)
                        return write_mapped(fd, bytes, size, offset);
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;

                bytes += n;
                size -= (size_t) n;
                offset += (size_t) n;
        }

        return 0;
}

int window_copy(int fd, uint64_t offset, int from, uint64_t from_offset, uint64_t size) {
        g_autofree uint8_t *buffer = g_malloc(COPY_SIZE);

        for (uint64_t done = 0; done < size;) {
                ssize_t n = pread(from, buffer, MIN(size - done, COPY_SIZE), (off_t) (from_offset + done));
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -ENODATA;

                r = window_write(fd, buffer, (size_t) n, offset + done);
                if (r < 0)
                        return r;
                done += (size_t) n;
        }

        return 0;
}

static bool ends_beyond(uint64_t address, uint64_t size) {
        return size > 0 && size - 1 > UINT64_MAX - address;
}

uint64_t window_memory_number(int fd) {
        struct stat st;

        return fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0 ? 0 : (uint64_t) st.st_ino;
}

bool window_memory_is(int fd, uint64_t number) {
        return number != 0 && window_memory_number(fd) == number;
}

bool window_overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
        if (ends_beyond(a, a_size) || ends_beyond(b, b_size))
                return true;
        if (a_size == 0 || b_size == 0)
                return false;

        return a <= b + (b_size - 1) && b <= a + (a_size - 1);
}
