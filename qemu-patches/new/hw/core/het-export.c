/*
 * QMP commands that hand memory and couples out once more
 *
 * Whoever manages the platform may have lost what it has made, or need the
 * memory of a master for a slave. File descriptors go out over a socket that
 * was stored with getfd, which is closed when a command has returned.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/socket.h>
#include "qapi/error.h"
#include "qapi/qapi-commands-het.h"
#include "monitor/monitor.h"
#include "system/hostmem-shared.h"
#include "hw/het-couple.h"
#include "hw/het-window.h"
#include "trace.h"

#define HET_EXPORT_FDS_MAX  (HET_COUPLE_FDS_MAX + 1)

static bool het_check_unix_socket(int fd, const char *name, Error **errp)
{
    int domain;
    socklen_t len = sizeof(domain);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
        domain != AF_UNIX) {
        error_setg(errp, "file descriptor '%s' is not a UNIX socket", name);
        return false;
    }
    return true;
}

/* Does not wait: a socket that was made for this has room for one byte */
static bool het_send_fds(int socket, const int *fds, size_t n, Error **errp)
{
    union {
        struct cmsghdr align;
        char data[CMSG_SPACE(sizeof(int) * HET_EXPORT_FDS_MAX)];
    } control = { };
    size_t size = n * sizeof(*fds);
    char byte = 0;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = CMSG_SPACE(size),
    };
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
    ssize_t ret;

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    assert(n <= HET_EXPORT_FDS_MAX);
    cmsg->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(cmsg), fds, size);
    ret = RETRY_ON_EINTR(sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (ret != 1) {
        error_setg_errno(errp, ret < 0 ? errno : EIO,
                         "cannot send file descriptors");
        return false;
    }
    trace_het_export(n);
    return true;
}

static HetMemoryExport *het_export(HostMemoryBackendShared *s, int socket,
                                   Error **errp)
{
    HetMemoryExport *export;
    uint64_t offset;
    size_t page_size;
    int fd;

    fd = hostmem_shared_fd(s, &offset, &page_size);
    if (!het_send_fds(socket, &fd, 1, errp)) {
        return NULL;
    }
    export = g_new0(HetMemoryExport, 1);
    export->offset = offset;
    export->size = hostmem_shared_size(s);
    export->page_size = page_size;
    return export;
}

HetMemoryExport *qmp_het_memory_export(const char *id, const char *socket,
                                       Error **errp)
{
    HetMemoryExport *export = NULL;
    HostMemoryBackendShared *s;
    int fd = monitor_get_fd(monitor_cur(), socket, errp);

    if (fd < 0) {
        return NULL;
    }
    s = hostmem_shared_find(id, errp);
    if (s && !hostmem_shared_is_master(s)) {
        error_setg(errp, "the memory of '%s' is not this process's own", id);
        s = NULL;
    }
    if (s && het_check_unix_socket(fd, socket, errp)) {
        export = het_export(s, fd, errp);
    }
    close(fd);
    return export;
}

/* --- couples, back to who manages the platform --- */

static int het_find_granted(HostMemoryBackendShared *s, void *opaque)
{
    HostMemoryBackendShared **found = opaque;

    if (!hostmem_shared_is_granted(s)) {
        return 0;
    }
    *found = s;
    return 1;
}

/* The memory that goes with the couple, borrowed; -1: none */
static int het_couple_memory(const HetCoupleState *c, uint64_t *offset)
{
    HostMemoryBackendShared *s = NULL;
    size_t page_size;

    if (het_role() == HET_ROLE_MASTER) {
        return het_window_fd(het_couple_id(c), offset);
    }
    hostmem_shared_foreach(het_find_granted, &s);
    return s ? hostmem_shared_fd(s, offset, &page_size) : -1;
}

static HetCoupleExport *het_couple_export(const HetCoupleState *c, int socket,
                                          Error **errp)
{
    int fds[HET_EXPORT_FDS_MAX];
    size_t n = het_couple_fds(c, fds);
    HetCoupleExport *export;
    uint64_t offset = 0;
    int memory = het_couple_memory(c, &offset);

    export = g_new0(HetCoupleExport, 1);
    export->halt = n > 3;
    if (memory >= 0) {
        export->has_memory_offset = true;
        export->memory_offset = offset;
        fds[n++] = memory;
    }
    if (!het_send_fds(socket, fds, n, errp)) {
        g_clear_pointer(&export, qapi_free_HetCoupleExport);
    }
    return export;
}

HetCoupleExport *qmp_het_couple_export(uint32_t id, const char *socket,
                                       Error **errp)
{
    HetCoupleExport *export = NULL;
    HetCoupleState *c;
    int fd = monitor_get_fd(monitor_cur(), socket, errp);

    if (fd < 0) {
        return NULL;
    }
    c = het_couple_find(id);
    if (!c) {
        error_setg(errp, "there is no couple with processor %u", id);
    } else if (het_check_unix_socket(fd, socket, errp)) {
        export = het_couple_export(c, fd, errp);
    }
    close(fd);
    return export;
}
