/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* File descriptors: ownership by scope (HET_AUTO_FD), duplicates that do not leak into a child, O_NONBLOCK, listening, sending. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* Closes fd unless it is negative; keeps errno. Returns -EBADF: fd = fd_close(fd); */
int fd_close(int fd);

/* Hands the fd over to the caller and leaves -EBADF behind. */
int fd_take(int *fd);

/* Duplicate with O_CLOEXEC, never one of 0, 1, 2. Negative errno on failure. */
int fd_dup_cloexec(int fd);

/* 0 or a negative errno. The flag belongs to the open file: everybody who has a duplicate of fd sees it. */
int fd_set_nonblock(int fd, bool nonblock);
int fd_set_cloexec(int fd, bool cloexec);

/* What carries fds, and never waits when it is told so, whatever others who have it do with O_NONBLOCK. */
bool fd_is_unix_stream(int fd);

/* A UNIX socket of that type that listens at path; what is there is replaced. 0 or a negative errno. */
int fd_listen(const char *path, int type, int *ret);
/*
 * The source that says when somebody connects to it. 0 or a negative errno. Who cannot be accepted, for want of fds, stays there: the loop
 * looks at that now and then, and not without end.
 */
int fd_watch_listener(sd_event *event, int fd, sd_event_io_handler_t handler, void *userdata, sd_event_source **ret);

#define FD_SEND_MAX 8
/*
 * sendmsg() of the data with up to FD_SEND_MAX fds, which stay the caller's and go with the first byte. MSG_NOSIGNAL is added to the
 * flags. How much was sent, or a negative errno.
 */
ssize_t fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds, int flags);

static inline void fd_closep(int *fd) {
        fd_close(*fd);
}

/* HET_AUTO_FD int fd = -EBADF; */
#define HET_AUTO_FD __attribute__((cleanup(fd_closep)))
