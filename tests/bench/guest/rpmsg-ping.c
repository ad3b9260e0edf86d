/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rpmsg benchmarks run in the master's Linux. Each prints one line of the format that bench-eventfd and the firmware
 * print. Times are the guest's CLOCK_MONOTONIC: without -icount QEMU derives it from the host's clock, so they are real.
 *
 *   rpmsg-ping echo NAME DEVICE SIZE COUNT           round trips of single messages through /dev/rpmsgN
 *   rpmsg-ping flood NAME DEVICE SIZE COUNT          messages with up to DEPTH of them on their way, for their rate
 *   rpmsg-ping pipe NAME SIZE COUNT                  round trips through two pipes to another process of this guest
 *   rpmsg-ping start NAME STATE DEVICE COUNT         "start" written to remoteproc's state, to the first echo; then "stop"
 *   rpmsg-ping again DEVICE COUNT                    "bench: echo" when it is there and has answered, and each time it is back
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX     496
#define DEPTH           8               /* half of what a ring has */
#define COUNT_MAX       1000000

static uint64_t now_ns(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

__attribute__((format(printf, 1, 2)))
static _Noreturn void die(const char *format, ...) {
        va_list arguments;
        int error = errno;

        va_start(arguments, format);
        printf("bench: error ");
        vprintf(format, arguments);
        printf(": %s\n", strerror(error));
        va_end(arguments);
        exit(EXIT_FAILURE);
}

static size_t number(const char *text, size_t min, size_t max) {
        char *end;
        size_t value = strtoul(text, &end, 10);

        if (end == text || *end || value < min || value > max) {
                errno = EINVAL;
                die("%s", text);
        }
        return value;
}

/* Messages of rpmsg are read and written whole; pipes keep pieces of this size together, too. */
static void put(int fd, const void *data, size_t size) {
        if (write(fd, data, size) != (ssize_t) size)
                die("write");
}

static void get(int fd, void *data, size_t size) {
        ssize_t got = read(fd, data, size);

        if (got != (ssize_t) size) {
                if (got >= 0)
                        errno = EPROTO;
                die("read");
        }
}

/* Each message has a number, by which its echo is known. */
static void put_number(int fd, size_t size, uint32_t value) {
        char data[MESSAGE_MAX] = { 0 };

        memcpy(data, &value, sizeof(value));
        put(fd, data, size);
}

static void get_number(int fd, size_t size, uint32_t expected) {
        char data[MESSAGE_MAX];
        uint32_t value;

        get(fd, data, size);
        memcpy(&value, data, sizeof(value));
        if (value != expected) {
                errno = EBADMSG;
                die("message %u instead of %u", value, expected);
        }
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *times, size_t n) {
        qsort(times, n, sizeof(*times), compare);
        printf("bench: result transport=%s n=%zu min_ns=%llu p50_ns=%llu p99_ns=%llu max_ns=%llu\n", name, n,
               (unsigned long long) times[0], (unsigned long long) times[n / 2], (unsigned long long) times[n * 99 / 100],
               (unsigned long long) times[n - 1]);
}

static void round_trips(const char *name, int to, int from, size_t size, size_t n) {
        size_t warm_up = n / 10 + 1;
        uint64_t *times = calloc(n, sizeof(*times));

        if (!times)
                die("memory");
        for (size_t i = 0; i < warm_up + n; i++) {
                uint64_t begin = now_ns();

                put_number(to, size, (uint32_t) i);
                get_number(from, size, (uint32_t) i);
                if (i >= warm_up)
                        times[i - warm_up] = now_ns() - begin;
        }
        report(name, times, n);
        free(times);
}

static int open_device(const char *path) {
        int fd = open(path, O_RDWR | O_CLOEXEC);

        if (fd < 0)
                die("%s", path);
        return fd;
}

static void do_echo(char *argv[]) {
        int fd = open_device(argv[1]);

        round_trips(argv[0], fd, fd, number(argv[2], sizeof(uint32_t), MESSAGE_MAX), number(argv[3], 1, COUNT_MAX));
        close(fd);
}

static void do_flood(char *argv[]) {
        size_t size = number(argv[2], sizeof(uint32_t), MESSAGE_MAX), n = number(argv[3], 1, COUNT_MAX), sent = 0;
        int fd = open_device(argv[1]);
        uint64_t begin = now_ns(), took;

        for (size_t received = 0; received < n; received++) {
                for (; sent < n && sent < received + DEPTH; sent++)
                        put_number(fd, size, (uint32_t) sent);
                get_number(fd, size, (uint32_t) received);
        }
        took = now_ns() - begin;
        printf("bench: result transport=%s n=%zu per_s=%llu\n", argv[0], n, (unsigned long long) (n * 1000000000ull / took));
        close(fd);
}

static _Noreturn void answer(int from, int to, size_t size) {
        char data[MESSAGE_MAX];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                get(from, data, size);
                put(to, data, size);
        }
}

static void do_pipe(char *argv[]) {
        size_t size = number(argv[1], sizeof(uint32_t), MESSAGE_MAX), n = number(argv[2], 1, COUNT_MAX);
        int there[2], back[2];
        pid_t pid;

        if (pipe(there) < 0 || pipe(back) < 0)
                die("pipe");
        fflush(stdout);
        pid = fork();
        if (pid < 0)
                die("fork");
        if (pid == 0)
                answer(there[0], back[1], size);
        round_trips(argv[0], there[1], back[0], size, n);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static void write_state(const char *path, const char *word) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                die("%s", path);
        put(fd, word, strlen(word));
        close(fd);
}

/* The device file, as soon as the kernel has made it. Nobody looks again and again: the folder tells. */
static int wait_device(int notify, const char *path) {
        char events[4096];
        int fd;

        while ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0) {
                if (errno != ENOENT && errno != ENXIO && errno != ENODEV)
                        die("%s", path);
                if (read(notify, events, sizeof(events)) < 0)
                        die("/dev");
        }
        return fd;
}

/*
 * The device file is removed after those who read it were woken. Who opened it in between would hold on to what is no
 * more, and with it the number, so that the next one would have another name.
 */
static void wait_removed(int notify, const char *path) {
        _Alignas(struct inotify_event) char events[4096];

        for (;;) {
                ssize_t size = read(notify, events, sizeof(events));
                const struct inotify_event *event;

                if (size < 0)
                        die("/dev");
                for (char *p = events; p < events + size; p += sizeof(*event) + event->len) {
                        event = (const struct inotify_event *) p;
                        if (event->mask & IN_DELETE && strcmp(event->name, strrchr(path, '/') + 1) == 0)
                                return;
                }
        }
}

static int watch_devices(void) {
        int notify = inotify_init1(IN_CLOEXEC);

        if (notify < 0 || inotify_add_watch(notify, "/dev", IN_CREATE | IN_ATTRIB | IN_DELETE) < 0)
                die("/dev");
        return notify;
}

static void do_start(char *argv[]) {
        const char *state = argv[1], *device = argv[2];
        size_t n = number(argv[3], 1, COUNT_MAX);
        uint64_t *times = calloc(n, sizeof(*times));
        int notify = watch_devices();

        if (!times)
                die("memory");
        for (size_t i = 0; i <= n; i++) {       /* the first one does not count */
                uint64_t begin = now_ns();
                int fd;

                write_state(state, "start");
                fd = wait_device(notify, device);
                put_number(fd, sizeof(uint32_t), (uint32_t) i);
                get_number(fd, sizeof(uint32_t), (uint32_t) i);
                if (i > 0)
                        times[i - 1] = now_ns() - begin;
                close(fd);
                write_state(state, "stop");
        }
        /* Few, and from several calls: whoever has them all sorts them. */
        printf("bench: result transport=%s n=%zu ns=", argv[0], n);
        for (size_t i = 0; i < n; i++)
                printf("%s%llu", i > 0 ? "," : "", (unsigned long long) times[i]);
        putchar('\n');
        close(notify);
        free(times);
}

/* Blocks in the device file until that is gone, which is an error of read(). */
static void do_again(char *argv[]) {
        size_t n = number(argv[1], 1, COUNT_MAX);
        int notify = watch_devices();

        for (size_t i = 0; i < n; i++) {
                int fd = wait_device(notify, argv[0]);
                char data[MESSAGE_MAX];

                put_number(fd, sizeof(uint32_t), (uint32_t) i);
                get_number(fd, sizeof(uint32_t), (uint32_t) i);
                puts("bench: echo");
                fflush(stdout);
                while (i + 1 < n && read(fd, data, sizeof(data)) > 0)
                        ;
                close(fd);
                if (i + 1 < n)
                        wait_removed(notify, argv[0]);
        }
        close(notify);
}

int main(int argc, char *argv[]) {
        static const struct {
                const char *name;
                int arguments;
                void (*function)(char *argv[]);
        } commands[] = {
                { "echo", 4, do_echo },
                { "flood", 4, do_flood },
                { "pipe", 3, do_pipe },
                { "start", 4, do_start },
                { "again", 2, do_again },
        };

        for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
                if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 == commands[i].arguments) {
                        commands[i].function(argv + 2);
                        return EXIT_SUCCESS;
                }
        fprintf(stderr, "Usage: see the beginning of rpmsg-ping.c\n");
        return EXIT_FAILURE;
}
