/*
 * Couples: a halted vCPU that waits for vectors itself
 *
 * With an interrupt that goes through a thread to a halted vCPU, two
 * threads must be woken one after the other, and that is nearly all of its
 * latency. So the vCPU that handles the IDM's interrupts waits, while it is
 * halted, for the doorbell itself: first it watches the words in the
 * control pages for a while, then it sleeps on the halt eventfds. The
 * `wait` words tell the senders which of both, or neither.
 *
 * No wake-up is lost. There are two sources of them.
 *
 * A sender does fetch_or(pending), full barrier, load of `wait`; we store
 * `wait`, full barrier, load of `pending`. So at least one of the two sees
 * the other:
 *  - We go to POLL, to HALT, or back to EVENTFD: either the sender sees it
 *    and does as it says, or we see its bit in the check that comes after
 *    (while we watch, before we sleep, and when we take the vectors).
 *  - A sender that has seen HALT writes the halt eventfd, perhaps after we
 *    have left. Then we took its bit, and the next sleep ends at once and
 *    empties the eventfd.
 *  - A sender that finds the word not empty does nothing. Whoever has set
 *    the first bit has woken us, or we are about to look.
 *
 * A kick makes its change (to the work list, cpu->stop, the interrupt
 * request), full barrier, load of `cpu`; we store `cpu`, clear `kicked`, full
 * barrier, load what the change was made to. If the kick does not see `cpu`,
 * we see the change and do not wait. If it does, it sets `kicked`. That is
 * either after we have cleared it, and we see it, or before, and then the
 * change came before as well and we see that. `kicked` and `sleeping` are
 * again stored and loaded crosswise, with full barriers between.
 *
 * A vCPU that does not wait here, as the machine is stopped or there is no
 * couple for it, sleeps on its halt_cond. Whoever kicks it without the BQL may
 * do so between its look and its sleep, and is not heard. So it looks once
 * more after a full barrier, and who has kicked it looks after one whether it
 * is halted or stopped: either it sees the change, or it is kicked again, with
 * the BQL, when it sleeps.
 *
 * The list of couples changes only while no vCPU waits: whoever changes it
 * kicks the one that does and waits until it has left. It cannot come back
 * since that takes the BQL. A vCPU that has set `left` does not look at the
 * list any more. It clears `cpu` only after that: another one that waits next
 * would reset `left` before it is set, and its own be taken for left already.
 *
 * The time to watch is adapted as KVM does for halt-polling. Between two
 * looks the CPU is given to others: a pure spin would often keep the very
 * process from running that it waits for. Where they are many, that costs a
 * time slice, and who sleeps is run sooner when it is woken: after such a
 * look the next waits are sleeps.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "system/cpus.h"
#include "system/kvm.h"
#include "het-eventfd.h"
#include "het-halt.h"
#include "trace.h"

#define HET_HALT_START_NS 10000
#define HET_HALT_SLEEPS 64          /* before it looks how it is now */

static struct {
    /* fd[0] ends a sleep, fd[n + 1] is the halt eventfd of side[n] */
    unsigned count;
    HetPageSide *side[HET_ID_MAX];
    struct pollfd fd[HET_ID_MAX + 1];

    HetHaltConfig config;
    int64_t window_ns;
    unsigned sleeps;            /* to come: others want the CPU */

    bool hooked;                /* vCPUs ask us before they sleep */
    const CPUState *preferred;  /* NULL: the first. Never dereferenced. */
    CPUState *cpu;              /* that waits */
    bool kicked;
    bool sleeping;
    QemuEvent left;             /* set: no vCPU waits */
} halt;

/* --- the vCPU, without the BQL --- */

static void het_halt_publish(uint32_t wait)
{
    for (unsigned i = 0; i < halt.count; i++) {
        qatomic_set(&halt.side[i]->wait, wait);
    }
    /* Before the loads of `pending` that follow; pairs with the senders */
    smp_mb();
}

static bool het_halt_has_vectors(void)
{
    for (unsigned i = 0; i < halt.count; i++) {
        if (qatomic_read(&halt.side[i]->pending)) {
            return true;
        }
    }
    return false;
}

static bool het_halt_is_over(void)
{
    return qatomic_read(&halt.kicked) || het_halt_has_vectors();
}

/* *now: when the wait begins; then, when it was last looked at the clock */
static bool het_halt_watch(int64_t *now)
{
    int64_t start = *now, before;

    if (!halt.window_ns) {
        return false;
    }
    if (halt.sleeps) {
        halt.sleeps--;
        return false;
    }
    het_halt_publish(HET_WAIT_POLL);
    do {
        if (het_halt_is_over()) {
            return true;
        }
        before = *now;
        sched_yield();
        *now = get_clock();
        if (!halt.config.fixed && *now - before > HET_CROWDED_NS) {
            halt.sleeps = HET_HALT_SLEEPS;
            return het_halt_is_over();
        }
    } while (*now - start < halt.window_ns);
    return false;
}

static void het_halt_sleep(void)
{
    qatomic_set(&halt.sleeping, true);
    het_halt_publish(HET_WAIT_HALT);
    if (!het_halt_is_over() && poll(halt.fd, halt.count + 1, -1) > 0) {
        for (unsigned i = 0; i <= halt.count; i++) {
            if (halt.fd[i].revents) {
                het_eventfd_clear(halt.fd[i].fd);
            }
        }
    }
    qatomic_set(&halt.sleeping, false);
}

static void het_halt_adapt(int64_t waited)
{
    if (halt.config.fixed || waited <= halt.window_ns) {
        return;
    }
    if (waited > halt.config.max_ns) {
        halt.window_ns = 0;
    } else {
        halt.window_ns = MIN(MAX(2 * halt.window_ns, HET_HALT_START_NS),
                             halt.config.max_ns);
    }
}

/* --- the hooks --- */

static bool het_halt_wait(CPUState *cpu)
{
    const CPUState *preferred = halt.preferred ?: first_cpu;
    int64_t start, now;

    if (!halt.count || cpu != preferred || cpu_is_stopped(cpu) ||
        qatomic_load_acquire(&halt.cpu)) {
        /* Pairs with het_halt_is_deaf() */
        smp_mb();
        return !cpu_thread_is_idle(cpu);
    }
    qatomic_set(&halt.cpu, cpu);
    qatomic_xchg(&halt.kicked, false);
    smp_mb__after_rmw();
    if (!cpu_thread_is_idle(cpu)) {
        qatomic_set(&halt.cpu, NULL);
        return true;
    }

    qemu_event_reset(&halt.left);
    bql_unlock();
    start = now = get_clock();
    if (!het_halt_watch(&now)) {
        het_halt_sleep();
        now = get_clock();
    }
    het_halt_publish(HET_WAIT_EVENTFD);
    het_halt_adapt(now - start);
    trace_het_halt_wait(cpu->cpu_index, now - start, halt.window_ns,
                        het_halt_has_vectors());
    qemu_event_set(&halt.left);
    /* The last: until now no other vCPU can begin to wait, and reset `left` */
    qatomic_store_release(&halt.cpu, NULL);
    bql_lock();

    halt.config.woken();
    return true;
}

static void het_halt_kick(CPUState *cpu)
{
    /* After the change that the kick is about; pairs with het_halt_wait() */
    smp_mb();
    if (qatomic_read(&halt.cpu) != cpu) {
        return;
    }
    qatomic_set(&halt.kicked, true);
    /* Pairs with het_halt_publish() in het_halt_sleep() */
    smp_mb();
    if (qatomic_read(&halt.sleeping)) {
        het_eventfd_write(halt.fd[0].fd);
    }
}

static const CPUHaltOps het_halt_ops = {
    .wait = het_halt_wait,
    .kick = het_halt_kick,
};

/* --- set-up --- */

bool het_halt_init(const HetHaltConfig *config, Error **errp)
{
    if (!halt.hooked) {
        /* A kick may be in progress in any thread: this is never closed */
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (fd < 0) {
            error_setg_errno(errp, errno, "cannot make an eventfd");
            return false;
        }
        halt.fd[0] = (struct pollfd) { .fd = fd, .events = POLLIN };
        qemu_event_init(&halt.left, true);
        cpus_set_halt_ops(&het_halt_ops);
        qatomic_set(&halt.hooked, true);
    }
    halt.config = *config;
    halt.window_ns = config->fixed ? config->max_ns : 0;
    return true;
}

void het_halt_set_cpu(const CPUState *cpu)
{
    qatomic_set(&halt.preferred, cpu);
}

CPUState *het_halt_worker(void)
{
    const CPUState *preferred = qatomic_read(&halt.preferred);

    /* Any other than the first may be unplugged while we look */
    if (!qatomic_read(&halt.hooked) || kvm_enabled() ||
        (preferred && preferred != first_cpu)) {
        return NULL;
    }
    return first_cpu;
}

bool het_halt_is_deaf(CPUState *cpu)
{
    /* After the change that the kick was about; pairs with het_halt_wait() */
    smp_mb();
    return qatomic_read(&halt.cpu) != cpu &&
           (qatomic_read(&cpu->halted) || cpu_is_stopped(cpu));
}

/* On return no vCPU waits, and none does before the BQL is dropped */
static void het_halt_quiesce(void)
{
    CPUState *cpu = qatomic_read(&halt.cpu);

    if (cpu) {
        het_halt_kick(cpu);
        qemu_event_wait(&halt.left);
    }
}

void het_halt_add(HetPageSide *side, int fd)
{
    CPUState *cpu;

    het_halt_quiesce();
    halt.side[halt.count] = side;
    halt.count++;
    halt.fd[halt.count] = (struct pollfd) { .fd = fd, .events = POLLIN };
    /* One that is halted already waits in the usual way */
    CPU_FOREACH(cpu) {
        qemu_cpu_kick(cpu);
    }
}

void het_halt_remove(HetPageSide *side)
{
    het_halt_quiesce();
    for (unsigned i = 0; i < halt.count; i++) {
        if (halt.side[i] == side) {
            halt.side[i] = halt.side[halt.count - 1];
            halt.fd[i + 1] = halt.fd[halt.count];
            halt.count--;
            break;
        }
    }
}
