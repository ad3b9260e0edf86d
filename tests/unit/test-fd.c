/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * File descriptors that are sent: whose they are, how many, and that nothing is waited for; and listeners where nobody can be accepted,
 * of which a console's is tried with hetd as well (test_qemu_bus.py); that of a unit is watched in the same way.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static int set_up(void **state) {
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state) {
        return close(pair[0]) + close(pair[1]);
}

/* How many fds came with the next message; each is written to, so that what was sent can be told from others */
static size_t receive(char *ret_byte) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
        } control = {};
        struct iovec iov = { ret_byte, 1 };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        const struct cmsghdr *c;
        size_t n;

        assert_int_equal(recvmsg(pair[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 1);
        c = CMSG_FIRSTHDR(&message);
        n = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                assert_int_equal(eventfd_write(fd, i + 1), 0);
                assert_int_equal(close(fd), 0);
        }

        return n;
}

static void test_send(void **state) {
        int fds[FD_SEND_MAX + 1];
        char byte = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
                fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        assert_int_equal(fd_send(pair[0], "a", 1, NULL, 0, MSG_DONTWAIT), 1);
        assert_int_equal(receive(&byte), 0);
        assert_int_equal(byte, 'a');

        assert_int_equal(fd_send(pair[0], "b", 1, fds, FD_SEND_MAX, MSG_DONTWAIT), 1);
        assert_int_equal(receive(&byte), FD_SEND_MAX);
        assert_int_equal(byte, 'b');
        for (size_t i = 0; i < FD_SEND_MAX; i++) {
                eventfd_t value = 0;

                assert_int_equal(eventfd_read(fds[i], &value), 0);
                assert_int_equal(value, i + 1);
        }

        assert_int_equal(fd_send(pair[0], "c", 1, fds, FD_SEND_MAX + 1, MSG_DONTWAIT), -EINVAL);
        for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
                assert_int_equal(close(fds[i]), 0);
}

static void test_nobody_reads(void **state) {
        ssize_t n;

        (void) alarm(10);               /* ends a test that waits for somebody to read */
        do
                n = fd_send(pair[0], "x", 1, NULL, 0, MSG_DONTWAIT);
        while (n == 1);
        (void) alarm(0);
        assert_int_equal(n, -EAGAIN);
}

/* Without a signal, which would end the test */
static void test_nobody_is_there(void **state) {
        assert_int_equal(shutdown(pair[1], SHUT_RDWR), 0);
        assert_int_equal(fd_send(pair[0], "x", 1, NULL, 0, MSG_DONTWAIT), -EPIPE);
}

/* As where accept() has failed: whoever has come is still there */
static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ++*(unsigned *) userdata;
        return 0;
}

/* The loop does not look at them all the time, but looks again; also when there is no fd left for that */
static void test_nobody_is_accepted(void **state) {
        const unsigned most = 1000000;
        g_autoptr(sd_event) event = NULL;
        sd_event_source *source = NULL;
        struct rlimit all, none;
        unsigned looks = 0, before;

        assert_int_equal(fd_send(pair[0], "x", 1, NULL, 0, MSG_DONTWAIT), 1);
        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(fd_watch_listener(event, pair[1], on_connection, &looks, &source), 0);

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
        none = (struct rlimit) { 0, all.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        while (sd_event_source_is_ratelimited(source) == 0 && looks < most)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        assert_true(looks < most);

        before = looks;
        while (looks == before)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
        sd_event_source_disable_unref(source);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_send, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nobody_reads, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nobody_is_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nobody_is_accepted, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
