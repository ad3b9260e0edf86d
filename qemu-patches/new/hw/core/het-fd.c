/*
 * File descriptors that a heterogeneous platform is given
 *
 * Checks that they are what they should be; takes those that getfd has
 * stored. Used by het-qmp.c while a QMP command runs, where an fd that
 * does not pass is closed, so that no later command finds it, and for what
 * comes over a multi-socket-backend.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/mmap-alloc.h"
#include "monitor/monitor.h"
#include "hw/het-check.h"
#include "trace.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define HET_SEALS_NEEDED    (F_SEAL_SHRINK | F_SEAL_GROW)
#define HET_SEALS_REFUSED   (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

/* What the kernel calls the file, NULL if it does not tell */
static char *het_fd_target(int fd)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);

    return g_file_read_link(link, NULL);
}

/*
 * Memory that is to be read only must be so for this process, whatever
 * becomes of it: not even mprotect() gets more out of such a file.
 */
static bool het_check_access(int fd, const char *name, bool readonly,
                             Error **errp)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 ||
        (flags & O_ACCMODE) != (readonly ? O_RDONLY : O_RDWR)) {
        error_setg(errp, "file descriptor '%s' is not open for reading %s",
                   name, readonly ? "only" : "and writing");
        return false;
    }
    return true;
}

/*
 * The owner of a memfd must not be able to take it away under us: an
 * access behind the end of a file kills the process. A file on tmpfs or
 * hugetlbfs cannot be sealed; who hands it out answers for it. Where the
 * kernel does not tell which it is, seals are asked for.
 */
static bool het_check_memory_type(int fd, const char *name, bool readonly,
                                  struct stat *st, Error **errp)
{
    g_autofree char *target = NULL;
    QemuFsType fs;
    int seals;

    if (fstat(fd, st) < 0) {
        error_setg_errno(errp, errno, "cannot examine file descriptor '%s'",
                         name);
        return false;
    }
    fs = S_ISREG(st->st_mode) ? qemu_fd_getfs(fd) : QEMU_FS_TYPE_UNKNOWN;
    if (fs != QEMU_FS_TYPE_TMPFS && fs != QEMU_FS_TYPE_HUGETLBFS) {
        error_setg(errp, "file descriptor '%s' is neither a memfd nor a file"
                   " on tmpfs or hugetlbfs", name);
        return false;
    }
    if (!het_check_access(fd, name, readonly, errp)) {
        return false;
    }

    target = het_fd_target(fd);
    if (target && !g_str_has_prefix(target, "/memfd:")) {
        return true;
    }
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & HET_SEALS_NEEDED) != HET_SEALS_NEEDED) {
        error_setg(errp, "memfd '%s' lacks the seals F_SEAL_SHRINK and"
                   " F_SEAL_GROW", name);
        return false;
    }
    if (!readonly && (seals & HET_SEALS_REFUSED)) {
        error_setg(errp, "memfd '%s' is sealed against writing", name);
        return false;
    }
    return true;
}

static bool het_check_memory_range(const char *name, uint64_t file_size,
                                   uint64_t offset, uint64_t size,
                                   size_t page_size, Error **errp)
{
    if (!QEMU_IS_ALIGNED(offset, page_size)) {
        error_setg(errp, "offset 0x%" PRIx64 " is not aligned to the page size"
                   " of '%s', 0x%zx", offset, name, page_size);
        return false;
    }
    if (!QEMU_IS_ALIGNED(size, page_size)) {
        error_setg(errp, "size 0x%" PRIx64 " is not a multiple of the page"
                   " size of '%s', 0x%zx", size, name, page_size);
        return false;
    }
    if (offset > file_size || size > file_size - offset) {
        error_setg(errp, "'%s' is too small: it has 0x%" PRIx64 " bytes,"
                   " needed are 0x%" PRIx64 " from offset 0x%" PRIx64,
                   name, file_size, size, offset);
        return false;
    }
    return true;
}

bool het_check_memory_fd(int fd, const char *name, uint64_t offset,
                         uint64_t size, bool readonly, size_t *page_size,
                         Error **errp)
{
    struct stat st;

    if (!het_check_memory_type(fd, name, readonly, &st, errp)) {
        return false;
    }
    *page_size = qemu_fd_getpagesize(fd);
    if (size && !het_check_memory_range(name, st.st_size, offset, size,
                                        *page_size, errp)) {
        return false;
    }
    trace_het_fd_memory(name, st.st_size, *page_size);
    return true;
}

int het_take_memory_fd(const char *name, uint64_t offset, uint64_t size,
                       bool readonly, size_t *page_size, Error **errp)
{
    int fd = monitor_get_fd(monitor_cur(), name, errp);

    if (fd >= 0 && !het_check_memory_fd(fd, name, offset, size, readonly,
                                        page_size, errp)) {
        trace_het_fd_refused(name);
        close(fd);
        return -1;
    }
    return fd;
}

/* Without /proc no more can be told than that the file has no type */
static bool het_is_eventfd(int fd)
{
    g_autofree char *target = het_fd_target(fd);
    struct stat st;

    return target ? !strcmp(target, "anon_inode:[eventfd]")
                  : fstat(fd, &st) == 0 && !(st.st_mode & S_IFMT);
}

bool het_check_eventfd(int fd, const char *name, Error **errp)
{
    if (!het_is_eventfd(fd)) {
        error_setg(errp, "file descriptor '%s' is not an eventfd", name);
        return false;
    }
    if (!het_check_access(fd, name, false, errp)) {
        return false;
    }
    /* On its way it was cleared, for the other side as well */
    if (!g_unix_set_fd_nonblocking(fd, true, NULL)) {
        error_setg_errno(errp, errno, "cannot set up eventfd '%s'", name);
        return false;
    }
    trace_het_fd_eventfd(name);
    return true;
}

int het_take_eventfd(const char *name, Error **errp)
{
    int fd = monitor_get_fd(monitor_cur(), name, errp);

    if (fd >= 0 && !het_check_eventfd(fd, name, errp)) {
        trace_het_fd_refused(name);
        close(fd);
        return -1;
    }
    return fd;
}

void het_forget_fd(const char *name)
{
    int fd = monitor_get_fd(monitor_cur(), name, NULL);

    if (fd >= 0) {
        close(fd);
    }
}
