/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The floor of the interrupt benchmark: two processes wake each other through a pair of eventfds, in ppoll(), as bare as it can
 * be done. Prints one line of the format that the firmware's ping-pong prints: "bench: result transport=… n=… min_ns=… …".
 */

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static int wait_for(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        uint64_t value;

        while (ppoll(&p, 1, NULL, NULL) < 0)
                if (errno != EINTR)
                        return -errno;
        return read(fd, &value, sizeof(value)) == sizeof(value) ? 0 : -EIO;
}

static int ring(int fd) {
        const uint64_t one = 1;

        return write(fd, &one, sizeof(one)) == sizeof(one) ? 0 : -EIO;
}

static _Noreturn void answer(int rx, int tx) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (wait_for(rx) == 0 && ring(tx) == 0)
                ;
        _exit(EXIT_FAILURE);
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

int main(int argc, char *argv[]) {
        size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000, warm_up = n / 10;
        int there = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK), back = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);
        uint64_t *times;
        pid_t pid;

        if (n == 0 || n > 10000000 || there < 0 || back < 0 || !(times = calloc(n, sizeof(*times)))) {
                fprintf(stderr, "Usage: %s [ROUND-TRIPS]\n", argv[0]);
                return EXIT_FAILURE;
        }

        pid = fork();
        if (pid < 0)
                return EXIT_FAILURE;
        if (pid == 0)
                answer(there, back);

        for (size_t i = 0; i < warm_up + n; i++) {
                uint64_t begin = now_ns();

                if (ring(there) < 0 || wait_for(back) < 0) {
                        fprintf(stderr, "The other process is gone.\n");
                        return EXIT_FAILURE;
                }
                if (i >= warm_up)
                        times[i - warm_up] = now_ns() - begin;
        }

        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);

        qsort(times, n, sizeof(*times), compare);
        printf("bench: result transport=eventfd n=%zu min_ns=%llu p50_ns=%llu p99_ns=%llu\n", n, (unsigned long long) times[0],
               (unsigned long long) times[n / 2], (unsigned long long) times[n * 99 / 100]);
        free(times);
        return EXIT_SUCCESS;
}
