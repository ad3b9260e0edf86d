/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Couples, as hetd holds them. Called by the objects of a platform. */

#include "couple.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd-util.h"

void couple_renew(Couple *c) {
        c->page->magic = HET_PAGE_MAGIC;
        c->page->version = HET_PAGE_VERSION;
        c->page->id = c->id;
        c->page->heartbeat_ms = c->heartbeat_ms;
}

static bool make_page(Couple *c) {
        g_autofree char *name = g_strdup_printf("het-couple:%u", c->id);
        void *page;

        c->page_fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (c->page_fd < 0 || ftruncate(c->page_fd, HET_PAGE_SIZE) < 0)
                return false;

        if (fcntl(c->page_fd, F_ADD_SEALS, COUPLE_SEALS) < 0)
                return false;

        page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->page_fd, 0);
        if (page == MAP_FAILED)
                return false;

        c->page = page;
        couple_renew(c);
        return true;
}

static bool make_eventfds(Couple *c) {
        int *fds[] = { &c->to_master, &c->to_slave, &c->to_master_halt, &c->to_slave_halt };

        for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
                *fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (*fds[i] < 0)
                        return false;
        }

        return true;
}

bool couple_new(uint32_t id, uint32_t heartbeat_ms, Couple **ret, GError **error) {
        g_autoptr(Couple) c = NULL;

        if (id == 0 || id > HET_ID_MAX) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "Slaves have the numbers 1 to %u, not %u",
                            HET_ID_MAX, id);
                return false;
        }

        c = g_new0(Couple, 1);
        c->id = id;
        c->heartbeat_ms = heartbeat_ms;
        c->page_fd = c->to_master = c->to_slave = c->to_master_halt = c->to_slave_halt = -EBADF;

        if (!make_page(c) || !make_eventfds(c)) {
                int saved = errno;

                g_set_error(error, HET_ERROR, het_error_from_errno(saved), "Cannot make the couple of slave %u: %s", id,
                            g_strerror(saved));
                return false;
        }

        *ret = g_steal_pointer(&c);
        return true;
}

Couple *couple_free(Couple *c) {
        if (!c)
                return NULL;

        if (c->page)
                (void) munmap(c->page, HET_PAGE_SIZE);
        fd_close(c->page_fd);
        fd_close(c->to_master);
        fd_close(c->to_slave);
        fd_close(c->to_master_halt);
        fd_close(c->to_slave_halt);
        g_free(c);
        return NULL;
}

/*
 * QEMU clears O_NONBLOCK on the fds that it gets, and that is a flag of the open file, ours too: write() waits here while the
 * counter is full, and a hostile QEMU can fill it at any time. (write() knows no RWF_NOWAIT for eventfds.) But the kernel itself
 * never waits for one: so a request that reads nothing is made, whose end the kernel signals to it.
 */
static bool signal_by_kernel(const Couple *c, int fd) {
        static aio_context_t context;           /* for the life of the process: to destroy one takes milliseconds */
        struct iocb request = {
                .aio_lio_opcode = IOCB_CMD_PREAD,
                .aio_fildes = (uint32_t) c->page_fd,
                .aio_flags = IOCB_FLAG_RESFD,
                .aio_resfd = (uint32_t) fd,
        }, *requests[] = { &request };
        struct timespec no_time = {};
        struct io_event done;

        if ((context == 0 && syscall(SYS_io_setup, 1U, &context) < 0) || syscall(SYS_io_submit, context, 1L, requests) != 1)
                return false;

        (void) syscall(SYS_io_getevents, context, 0L, 1L, &done, &no_time);
        return true;
}

static void wake(const Couple *c, int fd) {
        struct pollfd full = { .fd = fd, .events = POLLOUT };
        uint64_t one = 1;
        ssize_t n;

        /* A counter can only be full if somebody has filled it on purpose; it is readable then all the same */
        if (poll(&full, 1, 0) <= 0 || !(full.revents & POLLOUT))
                return;

        /* A sandbox may be without these calls; to wake is worth more then */
        if (signal_by_kernel(c, fd))
                return;

        n = write(fd, &one, sizeof(one));
        (void) n;
}

/* Of a plain read() the same is true */
static void drain(int fd) {
        uint64_t count;
        struct iovec iov = { &count, sizeof(count) };
        ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

        (void) n;
}

/*
 * A side's process is gone. Interrupts that were on their way to it are lost, and must not reach the process that comes
 * after it. The eventfds are drained before the word is taken: who sends in between finds the word empty and writes an
 * eventfd again, so that no wake-up is missing, at worst one is too many.
 */
static void mend_side(HetPageSide *side, int rx, int rx_halt, uint32_t state) {
        drain(rx);
        drain(rx_halt);
        __atomic_store_n(&side->wait, HET_WAIT_EVENTFD, __ATOMIC_RELAXED);
        (void) __atomic_exchange_n(&side->pending, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&side->resource_table, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&side->heartbeat_ns, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&side->state, state, __ATOMIC_SEQ_CST);
}

void couple_set_slave_state(Couple *c, uint32_t state) {
        mend_side(&c->page->slave, c->to_slave, c->to_slave_halt, state);
        wake(c, c->to_master);
        wake(c, c->to_master_halt);
}

void couple_set_master_state(Couple *c, uint32_t state) {
        mend_side(&c->page->master, c->to_master, c->to_master_halt, state);
        wake(c, c->to_slave);
        wake(c, c->to_slave_halt);
}

uint32_t couple_get_slave_state(const Couple *c) {
        return __atomic_load_n(&c->page->slave.state, __ATOMIC_RELAXED);
}

uint64_t couple_get_heartbeat_ns(const Couple *c) {
        return __atomic_load_n(&c->page->slave.heartbeat_ns, __ATOMIC_RELAXED);
}

static void get_counters(const HetPageSide *side, CoupleCounters *ret) {
        ret->sent = __atomic_load_n(&side->sent, __ATOMIC_RELAXED);
        ret->coalesced = __atomic_load_n(&side->coalesced, __ATOMIC_RELAXED);
        ret->last_sent_ns = __atomic_load_n(&side->last_sent_ns, __ATOMIC_RELAXED);
}

void couple_get_counters(const Couple *c, CoupleCounters *ret_master, CoupleCounters *ret_slave) {
        get_counters(&c->page->master, ret_master);
        get_counters(&c->page->slave, ret_slave);
}
