/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Couples: what they are made of, what hetd does to them, and what a hostile page can do to hetd (nothing). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "couple.h"
#include "hw/misc/idm-regs.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "window.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned count_fds(void) {
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(directory);
        while (readdir(directory))
                n++;
        closedir(directory);
        return n;
}

/* What was written to an eventfd since it was last asked; 0: nothing */
static uint64_t take(int fd) {
        uint64_t count = 0;

        if (read(fd, &count, sizeof(count)) < 0)
                assert_int_equal(errno, EAGAIN);
        return count;
}

static void signal_fd(int fd) {
        uint64_t one = 1;

        assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void test_new(void **state) {
        unsigned n_fds = count_fds();
        g_autoptr(Couple) c = NULL;
        HetPage *other;
        struct stat st;

        assert_true(couple_new(255, 0, &c, NULL));
        assert_int_equal(count_fds(), n_fds + 5);
        assert_int_equal(c->id, 255);

        assert_int_equal(fstat(c->page_fd, &st), 0);
        assert_int_equal(st.st_size, HET_PAGE_SIZE);
        assert_int_equal(fcntl(c->page_fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);

        /* As a QEMU sees it */
        other = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->page_fd, 0);
        assert_ptr_not_equal(other, MAP_FAILED);
        assert_int_equal(other->magic, HET_PAGE_MAGIC);
        assert_int_equal(other->version, HET_PAGE_VERSION);
        assert_int_equal(other->id, 255);
        assert_int_equal(other->master.state, IDM_STATE_OFFLINE);
        assert_int_equal(other->slave.state, IDM_STATE_OFFLINE);
        assert_int_equal(munmap(other, HET_PAGE_SIZE), 0);

        assert_int_equal(take(c->to_master) | take(c->to_slave) | take(c->to_master_halt) | take(c->to_slave_halt), 0);
        c = couple_free(c);
        assert_null(c);
        assert_int_equal(count_fds(), n_fds);
        assert_null(couple_free(NULL));
}

static void test_numbers(void **state) {
        Couple *untouched = (Couple *) 1, *c = untouched;
        g_autoptr(GError) error = NULL;

        assert_false(couple_new(0, 0, &c, NULL));
        assert_false(couple_new(256, 0, &c, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_string_equal(error->message, "Slaves have the numbers 1 to 255, not 256");
        assert_ptr_equal(c, untouched);
}

static void test_no_fds_left(void **state) {
        unsigned n_fds = count_fds();
        struct rlimit before, limit;
        int top = dup(STDIN_FILENO);

        assert_true(top >= 0);
        assert_int_equal(close(top), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);

        /* A couple needs five; one that fails half-way leaves nothing behind */
        for (unsigned spare = 0; spare < 5; spare++) {
                g_autoptr(Couple) c = NULL;
                g_autoptr(GError) error = NULL;
                bool made;

                limit = before;
                limit.rlim_cur = (rlim_t) top + spare;
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
                made = couple_new(7, 0, &c, &error);
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);

                assert_false(made);
                assert_null(c);
                assert_string_equal(error->message, "Cannot make the couple of slave 7: Too many open files");
                assert_int_equal(count_fds(), n_fds);
        }
}

static void test_slave_gone(void **state) {
        g_autoptr(Couple) c = NULL;

        assert_true(couple_new(1, 0, &c, NULL));
        c->page->slave.state = IDM_STATE_RUNNING;
        c->page->slave.wait = HET_WAIT_HALT;
        c->page->slave.pending = 0x80000001;
        c->page->slave.resource_table = 0x60001000;
        c->page->master.state = IDM_STATE_RUNNING;
        c->page->master.wait = HET_WAIT_POLL;
        c->page->master.pending = 0x10;
        signal_fd(c->to_slave);
        signal_fd(c->to_slave_halt);

        couple_set_slave_state(c, IDM_STATE_CRASHED);

        /* The slave's side is as new, the master's is as it was, and the master was woken, however it waits */
        assert_int_equal(c->page->slave.state, IDM_STATE_CRASHED);
        assert_int_equal(c->page->slave.wait, HET_WAIT_EVENTFD);
        assert_int_equal(c->page->slave.pending, 0);
        assert_int_equal(c->page->slave.resource_table, 0);
        assert_int_equal(c->page->master.state, IDM_STATE_RUNNING);
        assert_int_equal(c->page->master.wait, HET_WAIT_POLL);
        assert_int_equal(c->page->master.pending, 0x10);
        assert_int_equal(take(c->to_slave), 0);
        assert_int_equal(take(c->to_slave_halt), 0);
        assert_int_equal(take(c->to_master), 1);
        assert_int_equal(take(c->to_master_halt), 1);
}

static void test_master_gone(void **state) {
        g_autoptr(Couple) c = NULL;

        assert_true(couple_new(1, 0, &c, NULL));
        c->page->master.state = IDM_STATE_RUNNING;
        c->page->master.wait = HET_WAIT_POLL;
        c->page->master.pending = 1;
        c->page->slave.pending = 2;
        signal_fd(c->to_master);

        couple_set_master_state(c, IDM_STATE_OFFLINE);

        assert_int_equal(c->page->master.state, IDM_STATE_OFFLINE);
        assert_int_equal(c->page->master.wait, HET_WAIT_EVENTFD);
        assert_int_equal(c->page->master.pending, 0);
        assert_int_equal(c->page->slave.pending, 2);
        assert_int_equal(take(c->to_master), 0);
        assert_int_equal(take(c->to_slave), 1);
        assert_int_equal(take(c->to_slave_halt), 1);
}

static void test_full_eventfd(void **state) {
        /* A peer that fills the counter must not block hetd */
        g_autoptr(Couple) c = NULL;
        uint64_t most = UINT64_MAX - 1;

        assert_true(couple_new(1, 0, &c, NULL));
        assert_int_equal(write(c->to_master, &most, sizeof(most)), sizeof(most));
        couple_set_slave_state(c, IDM_STATE_OFFLINE);
        assert_true(take(c->to_master) == most);
}

/* What QEMU does to the fds that it gets: hetd must not wait then, neither for an empty nor for a full one */
static void test_blocking_eventfds(void **state) {
        g_autoptr(Couple) c = NULL;
        uint64_t full = UINT64_MAX - 1;

        assert_true(couple_new(1, 0, &c, NULL));
        assert_int_equal(fd_set_nonblock(c->to_master, false), 0);
        assert_int_equal(fd_set_nonblock(c->to_slave, false), 0);
        assert_int_equal(fd_set_nonblock(c->to_master_halt, false), 0);
        assert_int_equal(fd_set_nonblock(c->to_slave_halt, false), 0);
        assert_int_equal(write(c->to_master, &full, sizeof(full)), sizeof(full));
        couple_set_slave_state(c, IDM_STATE_CRASHED);
        couple_set_master_state(c, IDM_STATE_CRASHED);
        assert_int_equal(c->page->slave.state, IDM_STATE_CRASHED);
        assert_int_equal(c->page->master.state, IDM_STATE_CRASHED);
}

typedef struct Filler {
        int fd;
        bool stop, ended;
} Filler;

/* A hostile QEMU: fills the counter each time there is room */
static void *fill(void *userdata) {
        Filler *filler = userdata;
        uint64_t most = UINT64_MAX - 1;

        while (!__atomic_load_n(&filler->stop, __ATOMIC_SEQ_CST)) {
                struct pollfd room = { .fd = filler->fd, .events = POLLOUT };

                if (poll(&room, 1, 0) > 0 && (room.revents & POLLOUT))
                        (void) !write(filler->fd, &most, sizeof(most));
        }

        __atomic_store_n(&filler->ended, true, __ATOMIC_SEQ_CST);
        return NULL;
}

static void empty(int fd) {
        uint64_t count;
        struct iovec iov = { &count, sizeof(count) };

        (void) !preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
}

static void test_filled_in_between(void **state) {
        g_autoptr(Couple) c = NULL;
        Filler filler = {};
        GThread *thread;

        assert_true(couple_new(1, 0, &c, NULL));
        assert_int_equal(fd_set_nonblock(c->to_master, false), 0);
        assert_int_equal(fd_set_nonblock(c->to_master_halt, false), 0);
        filler.fd = c->to_master;
        thread = g_thread_new("filler", fill, &filler);

        (void) alarm(60);               /* ends a test that waits for ever */
        for (unsigned i = 0; i < 100000; i++) {
                couple_set_slave_state(c, IDM_STATE_OFFLINE);
                empty(c->to_master);
        }
        (void) alarm(0);

        __atomic_store_n(&filler.stop, true, __ATOMIC_SEQ_CST);
        while (!__atomic_load_n(&filler.ended, __ATOMIC_SEQ_CST))
                empty(c->to_master);
        g_thread_join(thread);
}

static void test_counters(void **state) {
        g_autoptr(Couple) c = NULL;
        CoupleCounters master, slave;

        assert_true(couple_new(1, 0, &c, NULL));
        couple_get_counters(c, &master, &slave);
        assert_int_equal(master.sent | master.coalesced | master.last_sent_ns, 0);

        c->page->master.sent = 7;
        c->page->master.coalesced = 3;
        c->page->master.last_sent_ns = 1234567890123ULL;
        c->page->slave.sent = UINT64_MAX;
        couple_get_counters(c, &master, &slave);
        assert_int_equal(master.sent, 7);
        assert_int_equal(master.coalesced, 3);
        assert_true(master.last_sent_ns == 1234567890123ULL);
        assert_true(slave.sent == UINT64_MAX);
        assert_int_equal(slave.coalesced, 0);

        assert_true(couple_get_heartbeat_ns(c) == 0);
        c->page->slave.heartbeat_ns = 1234567890123ULL;
        assert_true(couple_get_heartbeat_ns(c) == 1234567890123ULL);
        couple_set_slave_state(c, IDM_STATE_CRASHED);
        assert_true(couple_get_heartbeat_ns(c) == 0);
}

static void test_hostile_page(void **state) {
        g_autoptr(Couple) c = NULL;
        CoupleCounters master, slave;
        void *page;

        assert_true(couple_new(1, 50, &c, NULL));
        page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->page_fd, 0);
        assert_ptr_not_equal(page, MAP_FAILED);

        /* Neither the size nor the mapping can be taken away, and no content leads anywhere */
        assert_int_equal(ftruncate(c->page_fd, 0), -1);
        for (unsigned byte = 0; byte < 256; byte++) {
                memset(page, (int) byte, HET_PAGE_SIZE);
                couple_get_counters(c, &master, &slave);
                couple_set_slave_state(c, IDM_STATE_OFFLINE);
                couple_set_master_state(c, IDM_STATE_OFFLINE);
                assert_int_equal(c->page->slave.state, IDM_STATE_OFFLINE);
                assert_int_equal(c->id, 1);

                /* What the next process of the slave looks at before it takes it */
                couple_renew(c);
                assert_int_equal(c->page->magic, HET_PAGE_MAGIC);
                assert_int_equal(c->page->version, HET_PAGE_VERSION);
                assert_int_equal(c->page->id, 1);
                assert_int_equal(c->page->heartbeat_ms, 50);
        }
        assert_int_equal(munmap(page, HET_PAGE_SIZE), 0);
}

static void duplicate(const Couple *c, int fds[COUPLE_FDS]) {
        const int from[COUPLE_FDS] = { c->page_fd, c->to_master, c->to_slave, c->to_master_halt, c->to_slave_halt };

        for (size_t i = 0; i < COUPLE_FDS; i++) {
                fds[i] = fd_dup_cloexec(from[i]);
                assert_true(fds[i] >= 0);
        }
}

static void refuse(int fds[COUPLE_FDS], const CoupleIdentity *identity) {
        g_autoptr(Couple) adopted = NULL;
        g_autoptr(GError) error = NULL;

        assert_false(couple_adopt(3, fds, identity, &adopted, &error));
        assert_null(adopted);
        assert_string_equal(error->message, "What was given back is not the couple of slave 3");
}

/* What the next hetd takes from a QEMU that may be hostile: the very same files, and no others */
static void test_adopt(void **state) {
        unsigned n_fds = count_fds();
        g_autoptr(Couple) c = NULL, other = NULL, adopted = NULL;
        CoupleIdentity identity;
        int fds[COUPLE_FDS];

        assert_true(couple_new(3, 0, &c, NULL));
        assert_true(couple_new(3, 0, &other, NULL));
        identity = *couple_identify(c);

        for (size_t i = 0; i < COUPLE_FDS; i++) {
                int foreign[COUPLE_FDS];

                duplicate(c, fds);
                duplicate(other, foreign);
                (void) fd_close(fds[i]);
                fds[i] = fd_take(&foreign[i]);
                refuse(fds, &identity);
                for (size_t k = 0; k < COUPLE_FDS; k++)
                        fd_close(foreign[k]);
        }

        duplicate(c, fds);
        assert_true(couple_adopt(3, fds, &identity, &adopted, NULL));
        c->page->slave.heartbeat_ns = 7;
        assert_int_equal(couple_get_heartbeat_ns(adopted), 7);

        c = couple_free(c);
        other = couple_free(other);
        adopted = couple_free(adopted);
        assert_int_equal(count_fds(), n_fds);
}

/* Numbers of files are those of a file system: a page that could be truncated is not ours, whatever its number */
static void test_adopt_forged(void **state) {
        static const int seals[] = { 0, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW };
        g_autoptr(Couple) c = NULL;

        assert_true(couple_new(3, 0, &c, NULL));
        for (size_t i = 0; i < G_N_ELEMENTS(seals); i++) {
                CoupleIdentity identity = *couple_identify(c);
                int fds[COUPLE_FDS];

                duplicate(c, fds);
                (void) fd_close(fds[0]);
                fds[0] = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                assert_true(fds[0] >= 0);
                assert_int_equal(ftruncate(fds[0], HET_PAGE_SIZE), 0);
                assert_int_equal(fcntl(fds[0], F_ADD_SEALS, seals[i]), 0);
                identity.page = window_memory_number(fds[0]);
                refuse(fds, &identity);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_no_fds_left),
                cmocka_unit_test(test_slave_gone),
                cmocka_unit_test(test_master_gone),
                cmocka_unit_test(test_full_eventfd),
                cmocka_unit_test(test_blocking_eventfds),
                cmocka_unit_test(test_filled_in_between),
                cmocka_unit_test(test_counters),
                cmocka_unit_test(test_hostile_page),
                cmocka_unit_test(test_adopt),
                cmocka_unit_test(test_adopt_forged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
