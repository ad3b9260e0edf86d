/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/fd-util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOKS_INTERVAL_USEC     (100 * 1000)
#define LOOKS_BURST             16U             /* at a listener, in that time */

int fd_close(int fd) {
        if (fd >= 0) {
                int saved = errno;

                /* Linux always lets the fd go, also on EINTR: never repeat */
                (void) close(fd);
                errno = saved;
        }

        return -EBADF;
}

int fd_take(int *fd) {
        int taken = *fd;

        *fd = -EBADF;
        return taken;
}

int fd_dup_cloexec(int fd) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        return copy < 0 ? -errno : copy;
}

static int change_flag(int fd, int get, int set, int flag, bool on) {
        int flags = fcntl(fd, get);

        if (flags < 0)
                return -errno;

        int wanted = on ? flags | flag : flags & ~flag;

        return wanted != flags && fcntl(fd, set, wanted) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool nonblock) {
        return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, nonblock);
}

int fd_set_cloexec(int fd, bool cloexec) {
        return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, cloexec);
}

bool fd_is_unix_stream(int fd) {
        int domain = 0, type = 0;
        socklen_t size = sizeof(int);

        return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) >= 0 &&
                domain == AF_UNIX && type == SOCK_STREAM;
}

int fd_listen(const char *path, int type, int *ret) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        HET_AUTO_FD int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;

        fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;

        strcpy(address.sun_path, path);
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        if (bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 4) < 0)
                return -errno;

        *ret = fd_take(&fd);
        return 0;
}

int fd_watch_listener(sd_event *event, int fd, sd_event_io_handler_t handler, void *userdata, sd_event_source **ret) {
        sd_event_source *source = NULL, *timer = NULL;
        int r = sd_event_add_io(event, &source, fd, EPOLLIN, handler, userdata);

        /* The loop has the fd for its timers from the first one on: when it needs one for the limit, there may be none */
        if (r >= 0)
                r = sd_event_add_time(event, &timer, CLOCK_MONOTONIC, UINT64_MAX, 0, NULL, NULL);
        sd_event_source_disable_unref(timer);
        if (r >= 0)
                r = sd_event_source_set_ratelimit(source, LOOKS_INTERVAL_USEC, LOOKS_BURST);
        if (r < 0) {
                sd_event_source_disable_unref(source);
                return r;
        }

        *ret = source;
        return 0;
}

ssize_t fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds, int flags) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
        } control = {};
        struct iovec iov = { (void *) data, size };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n;

        if (n_fds > FD_SEND_MAX)
                return -EINVAL;

        if (n_fds > 0) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
        }

        do
                n = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}
