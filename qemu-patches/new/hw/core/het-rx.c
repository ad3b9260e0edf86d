/*
 * Couples: a thread that waits for them
 *
 * The couples that have halt eventfds do not wait in the main loop, whose
 * turns are long: one thread of our own waits for all of them. It is there
 * while there is such a couple.
 *
 * What comes is taken by the vCPU's thread. A thread of ours would hold the
 * BQL just when the vCPU that it has interrupted wants it, and the vCPU would
 * have to be woken once more: that costs more than all the rest. Under KVM
 * the vCPU's thread is not needed to interrupt a guest, and ours takes it.
 *
 * The events are edges: until the vCPU has come to it, nobody has emptied
 * the eventfd. However many come by then, they are one piece of work.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qapi/error.h"
#include "hw/core/cpu.h"
#include "het-eventfd.h"
#include "het-halt.h"
#include "het-rx.h"
#include "trace.h"

#define HET_RX_BATCH    16
#define HET_RX_STOP     UINT32_MAX

static struct {
    QemuThread thread;
    HetRxWoken *woken;
    unsigned count;
    int epoll_fd;
    int stop_fd;
    bool stop;
    bool queued[HET_ID_MAX + 1];    /* a vCPU's thread will look */
} rx;

static void het_rx_work(CPUState *cpu, run_on_cpu_data id)
{
    /* Before the look: what comes after it is work again */
    qatomic_xchg(&rx.queued[id.host_int], false);
    rx.woken(id.host_int);
}

/*
 * A couple may have been detached, or another one of its number been
 * attached, between epoll_wait() and the BQL: woken() must be right about
 * both, and a wake too many means nothing.
 */
static void het_rx_woken(uint32_t id)
{
    CPUState *cpu = het_halt_worker();

    if (!cpu) {
        bql_lock();
        rx.woken(id);
        bql_unlock();
    } else if (!qatomic_xchg(&rx.queued[id], true)) {
        async_run_on_cpu(cpu, het_rx_work, RUN_ON_CPU_HOST_INT(id));
        if (het_halt_is_deaf(cpu)) {
            bql_lock();
            qemu_cpu_kick(cpu);
            bql_unlock();
        }
    }
}

static void *het_rx_thread(void *opaque)
{
    struct epoll_event event[HET_RX_BATCH];

    rcu_register_thread();
    while (!qatomic_read(&rx.stop)) {
        int n = epoll_wait(rx.epoll_fd, event, HET_RX_BATCH, -1);

        trace_het_rx_woken(n);
        for (int i = 0; i < n; i++) {
            if (event[i].data.u32 != HET_RX_STOP) {
                het_rx_woken(event[i].data.u32);
            }
        }
    }
    rcu_unregister_thread();
    return NULL;
}

bool het_rx_watch(uint32_t id, int fd, Error **errp)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLET,
        .data.u32 = id,
    };

    if (epoll_ctl(rx.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        error_setg_errno(errp, errno, "cannot wait for an eventfd");
        return false;
    }
    return true;
}

void het_rx_unwatch(int fd)
{
    epoll_ctl(rx.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static bool het_rx_start(Error **errp)
{
    rx.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    rx.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (rx.epoll_fd < 0 || rx.stop_fd < 0 ||
        !het_rx_watch(HET_RX_STOP, rx.stop_fd, NULL)) {
        error_setg_errno(errp, errno, "cannot wait for eventfds");
        if (rx.epoll_fd >= 0) {
            close(rx.epoll_fd);
        }
        if (rx.stop_fd >= 0) {
            close(rx.stop_fd);
        }
        return false;
    }
    qatomic_set(&rx.stop, false);
    qemu_thread_create(&rx.thread, "het-rx", het_rx_thread, NULL,
                       QEMU_THREAD_JOINABLE);
    return true;
}

static void het_rx_stop(void)
{
    qatomic_set(&rx.stop, true);
    het_eventfd_write(rx.stop_fd);
    /* It may be about to take the BQL */
    bql_unlock();
    qemu_thread_join(&rx.thread);
    bql_lock();
    close(rx.epoll_fd);
    close(rx.stop_fd);
}

bool het_rx_hold(HetRxWoken *woken, Error **errp)
{
    rx.woken = woken;
    if (!rx.count && !het_rx_start(errp)) {
        return false;
    }
    rx.count++;
    return true;
}

void het_rx_release(void)
{
    if (--rx.count == 0) {
        het_rx_stop();
    }
}
