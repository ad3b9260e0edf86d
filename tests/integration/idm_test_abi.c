/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a program may expect of /dev/idmN (idm_test.h), tried in the guest by test_rfc_demo.py.
 *
 * Usage: idm_test_abi ID: the slave runs first-light's program, which sends back each vector that it gets, and nobody else sends it any.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "idm_test.h"

#define TIMEOUT_MS 60000

static const char *device;
static struct idm_test_info info;
static long page;

#define check(condition)                                                                                \
        do                                                                                              \
                if (!(condition)) {                                                                     \
                        printf("line %d: not so: %s; errno %d (%m)\n", __LINE__, #condition, errno);    \
                        exit(1);                                                                        \
                }                                                                                       \
        while (0)

#define check_fails(error, call)                        \
        do {                                            \
                errno = 0;                              \
                check((call) < 0 && errno == (error));  \
        } while (0)

static int open_device(int flags) {
        int fd = open(device, O_RDWR | flags);

        check(fd >= 0);
        return fd;
}

static int wait_readable(int fd, int timeout) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        check(poll(&p, 1, timeout) >= 0);
        check((p.revents & ~POLLIN) == 0);
        return p.revents;
}

/* Sends a vector, and takes what comes back from each of the files. */
static void echo(unsigned vector, int n, const int *fds) {
        check(ioctl(fds[0], IDM_TEST_SEND, vector) == 0);
        for (int i = 0; i < n; i++) {
                struct idm_test_event event;

                check(wait_readable(fds[i], TIMEOUT_MS) == POLLIN);
                check(read(fds[i], &event, sizeof(event)) == sizeof(event));
                check(event.vectors == 1U << vector && event.events == 0 && event.state == IDM_TEST_STATE_RUNNING);
                check(event.reserved == 0);
        }
}

static void test_calls(void) {
        struct idm_test_start start = { .entry = info.window_base, .protocol = IDM_TEST_PROTOCOL_RAW };
        int fd = open_device(0);

        check(info.version == IDM_TEST_VERSION && info.flags == IDM_TEST_ATTACHED && info.state == IDM_TEST_STATE_RUNNING);
        check(info.reserved == 0 && info.window_size > 0 && info.window_base % page == 0 && info.window_size % page == 0);

        check_fails(ENOTTY, ioctl(fd, _IO(0xbe, 99)));
        check_fails(ENOTTY, ioctl(fd, TIOCGWINSZ, &start));
        check_fails(EFAULT, ioctl(fd, IDM_TEST_INFO, NULL));
        check_fails(EFAULT, ioctl(fd, IDM_TEST_START, NULL));
        check_fails(EINVAL, ioctl(fd, IDM_TEST_SEND, 32UL));
        check_fails(EINVAL, ioctl(fd, IDM_TEST_SEND, ~0UL));
        check_fails(EBUSY, ioctl(fd, IDM_TEST_START, &start));
        start.protocol = IDM_TEST_PROTOCOL_VECTORS + 1;
        check_fails(EINVAL, ioctl(fd, IDM_TEST_START, &start));
        start.protocol = IDM_TEST_PROTOCOL_RAW;
        start.reserved = 1;
        check_fails(EINVAL, ioctl(fd, IDM_TEST_START, &start));
        check_fails(ESPIPE, (int) lseek(fd, 0, SEEK_SET));
        check_fails(EINVAL, (int) write(fd, &start, sizeof(start)));
        close(fd);
}

/* What mmap() did: 0, or errno */
static int map(int fd, uint64_t offset, uint64_t size, int flags) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, (off_t) offset);

        if (p == MAP_FAILED)
                return errno;
        check(*(volatile uint8_t *) p == *(volatile uint8_t *) p);      /* no fault */
        check(munmap(p, size) == 0);
        return 0;
}

static void test_window(void) {
        uint64_t size = info.window_size;
        int fd = open_device(0), read_only = open(device, O_RDONLY);

        check(map(fd, 0, page, MAP_SHARED) == 0);
        check(map(fd, size - page, page, MAP_SHARED) == 0);
        check(map(fd, size / 2, page + 1, MAP_SHARED) == 0);
        check(map(fd, size, page, MAP_SHARED) == EINVAL);
        check(map(fd, size - page, 2 * page, MAP_SHARED) == EINVAL);
        check(map(fd, 0, size + page, MAP_SHARED) == EINVAL);
        check(map(fd, (uint64_t) 1 << 40, page, MAP_SHARED) != 0);
        check(map(fd, -(uint64_t) page, 2 * page, MAP_SHARED) != 0);
        check(map(fd, 0, page, MAP_PRIVATE) == EINVAL);
        check(read_only >= 0 && map(read_only, 0, page, MAP_SHARED) == EACCES);
        close(read_only);
        close(fd);
}

static void test_vectors(void) {
        struct idm_test_event event;
        int fds[2] = { open_device(O_NONBLOCK), open_device(0) };
        void *volatile nowhere = NULL;

        check_fails(EINVAL, (int) read(fds[0], &event, sizeof(event) - 1));
        check_fails(EAGAIN, (int) read(fds[0], &event, sizeof(event)));
        check(wait_readable(fds[1], 0) == 0);
        for (unsigned vector = 1; vector < 32; vector++)
                echo(vector, 2, fds);
        check_fails(EAGAIN, (int) read(fds[0], &event, sizeof(event)));

        /* What could not be handed over is still there */
        check(ioctl(fds[0], IDM_TEST_SEND, 5UL) == 0 && wait_readable(fds[0], TIMEOUT_MS) == POLLIN);
        check_fails(EFAULT, (int) read(fds[0], nowhere, sizeof(event)));
        check(read(fds[0], &event, sizeof(event)) == sizeof(event) && event.vectors == 1U << 5);

        /* One that goes does not take what is for the other; and a file that never read gets nothing */
        close(fds[0]);
        check(read(fds[1], &event, sizeof(event)) == sizeof(event) && event.vectors == 1U << 5);
        fds[0] = open_device(O_NONBLOCK);
        echo(31, 1, fds + 1);
        check_fails(EAGAIN, (int) read(fds[0], &event, sizeof(event)));
        close(fds[0]);
        close(fds[1]);

        /* Nobody receives: the IDM keeps it */
        fds[0] = open_device(0);
        check(ioctl(fds[0], IDM_TEST_SEND, 9UL) == 0);
        check(read(fds[0], &event, sizeof(event)) == sizeof(event) && event.vectors == 1U << 9);
        close(fds[0]);
}

static void on_alarm(int signal_number) {
        (void) signal_number;
}

/* Ends a read() that waits; and one more comes if it was too early. */
static void test_signal(void) {
        struct itimerval often = { .it_interval.tv_usec = 50000, .it_value.tv_usec = 50000 }, never = { 0 };
        struct sigaction action = { .sa_handler = on_alarm };
        struct idm_test_event event;
        int fd = open_device(0);

        check(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
        check_fails(EINTR, (int) read(fd, &event, sizeof(event)));
        check(setitimer(ITIMER_REAL, &never, NULL) == 0);
        echo(3, 1, &fd);
        close(fd);
}

int main(int argc, char **argv) {
        char name[32];
        int fd;

        if (argc != 2)
                return 2;
        snprintf(name, sizeof(name), "/dev/idm%s", argv[1]);
        device = name;
        page = sysconf(_SC_PAGESIZE);
        fd = open_device(0);
        check(ioctl(fd, IDM_TEST_INFO, &info) == 0 && info.id == (unsigned) atoi(argv[1]));
        close(fd);

        test_calls();
        test_window();
        test_vectors();
        test_signal();
        puts("as it should be");
        return 0;
}
