/*
 * Eventfds that another process has as well
 *
 * O_NONBLOCK belongs to the file that both sides have open. So the other
 * side may clear it at any time, and empty the eventfd before we read it, or
 * fill it before we write it: neither must make us wait.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "het-eventfd.h"

#define HET_AIO_BATCH 16

/* For the life of the process */
static struct {
    bool tried;
    aio_context_t context;      /* 0: this host has none for us */
} aio;

void het_eventfd_write(int fd)
{
    static const uint64_t one = 1;
    ssize_t ret;

    do {
        ret = write(fd, &one, sizeof(one));
    } while (ret < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so the other side is being woken anyway */
}

static bool het_aio_init(void)
{
    if (!aio.tried) {
        aio.tried = true;
        if (syscall(SYS_io_setup, HET_AIO_BATCH, &aio.context) < 0) {
            aio.context = 0;
        }
    }
    return aio.context != 0;
}

static void het_aio_reap(void)
{
    struct io_event done[HET_AIO_BATCH];
    struct timespec no_time = { };

    while (syscall(SYS_io_getevents, aio.context, 0L, (long)HET_AIO_BATCH,
                   done, &no_time) == HET_AIO_BATCH) {
        /* there may be more */
    }
}

/*
 * There is no write that by itself does not wait, but the kernel never waits
 * when it signals an eventfd. So it is asked to tell this one about the end
 * of a request that is over at once: to read less than an eventfd gives.
 */
void het_eventfd_signal(int fd)
{
    struct iocb request = {
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_fildes = fd,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = fd,
    }, *requests[] = { &request };

    if (het_aio_init()) {
        for (int i = 0; i < 2; i++) {
            if (syscall(SYS_io_submit, aio.context, 1L, requests) == 1) {
                return;
            }
            /* No room is left for the results, which nobody looks at */
            het_aio_reap();
        }
    }
    het_eventfd_write(fd);
}

/* Only a read that by itself does not wait is safe here */
void het_eventfd_clear(int fd)
{
    uint64_t count;
    struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };
    ssize_t ret;

    do {
        ret = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
        if (ret < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
            /* Linux before 5.8 */
            ret = read(fd, &count, sizeof(count));
        }
    } while (ret < 0 && errno == EINTR);
}
