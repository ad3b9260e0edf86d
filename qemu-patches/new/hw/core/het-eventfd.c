/*
 * Couples: eventfds that another process has as well
 *
 * There is no way to write one that by itself does not wait: the other side
 * can make the next write wait, by clearing O_NONBLOCK and filling the
 * counter, until somebody reads it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/uio.h>
#include "het-couple-internal.h"

void het_eventfd_write(int fd)
{
    static const uint64_t one = 1;
    ssize_t ret;

    do {
        ret = write(fd, &one, sizeof(one));
    } while (ret < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so the other side is being woken anyway */
}

/*
 * The other side may clear O_NONBLOCK, which belongs to the file that both
 * have open, and may empty the eventfd between our poll and this: only a
 * read that by itself does not wait is safe here.
 */
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
