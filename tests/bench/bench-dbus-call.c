/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What hetd costs: a D-Bus call that needs one QMP command (org.hetd1.Processor.Kick, het-ipi-send), beside the same command sent
 * straight to the same QEMU on a second monitor. Rounds of both take turns, so that they meet the same noise.
 *
 * Usage: bench-dbus-call PROCESSOR-OBJECT QMP-SOCKET SLAVE-ID [CALLS]
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define CALLS_PER_ROUND 100U
#define VECTOR 31U              /* no guest of the benchmark enables it */

static uint64_t now_ns(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *times, size_t n) {
        qsort(times, n, sizeof(*times), compare);
        printf("bench: result transport=%s n=%zu min_ns=%llu p50_ns=%llu p99_ns=%llu\n", name, n, (unsigned long long) times[0],
               (unsigned long long) times[n / 2], (unsigned long long) times[n * 99 / 100]);
}

/* Reads one line; QEMU ends each message with one. Events that come in between are skipped. */
static int qmp_read_reply(FILE *monitor) {
        char *line = NULL;
        size_t allocated = 0;
        int r;

        do
                if (getline(&line, &allocated, monitor) < 0) {
                        free(line);
                        return -ECONNRESET;
                }
        while (strstr(line, "\"event\":"));

        r = strstr(line, "\"error\":") ? -EREMOTEIO : 0;
        if (r < 0)
                fprintf(stderr, "QEMU: %s", line);
        free(line);
        return r;
}

static int qmp_call(int fd, FILE *monitor, const char *command) {
        size_t length = strlen(command);

        if (send(fd, command, length, MSG_NOSIGNAL) != (ssize_t) length)
                return -errno;
        return qmp_read_reply(monitor);
}

static int qmp_connect(const char *path, int *ret_fd, FILE **ret_monitor) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        FILE *monitor;
        int fd, r;

        if (strlen(path) >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        strcpy(sa.sun_path, path);

        fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr*) &sa, sizeof(sa)) < 0 || !(monitor = fdopen(fd, "r"))) {
                r = -errno;
                close(fd);
                return r;
        }

        r = qmp_read_reply(monitor);            /* the greeting */
        if (r >= 0)
                r = qmp_call(fd, monitor, "{\"execute\":\"qmp_capabilities\"}\n");
        if (r < 0) {
                fclose(monitor);
                return r;
        }

        *ret_fd = fd;
        *ret_monitor = monitor;
        return 0;
}

static int bus_kick(sd_bus *bus, const char *object) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(bus, "org.hetd1", object, "org.hetd1.Processor", "Kick", &error, NULL, "ua{sv}", VECTOR, 0);
        if (r < 0)
                fprintf(stderr, "hetd: %s\n", error.message);
        sd_bus_error_free(&error);
        return r;
}

static int measure(sd_bus *bus, const char *object, int fd, FILE *monitor, unsigned id, size_t calls) {
        uint64_t *by_bus = calloc(calls, sizeof(uint64_t)), *by_qmp = calloc(calls, sizeof(uint64_t));
        char command[128];
        int r = by_bus && by_qmp ? 0 : -ENOMEM;

        /* With an id, as every client that has more than one command under way */
        snprintf(command, sizeof(command), "{\"execute\":\"het-ipi-send\",\"arguments\":{\"id\":%u,\"vector\":%u},\"id\":\"bench0-100\"}\n",
                 id, VECTOR);

        for (size_t i = 0; r >= 0 && i < calls; i += CALLS_PER_ROUND) {
                for (size_t j = i; r >= 0 && j < i + CALLS_PER_ROUND; j++) {
                        uint64_t begin = now_ns();

                        r = bus_kick(bus, object);
                        by_bus[j] = now_ns() - begin;
                }
                for (size_t j = i; r >= 0 && j < i + CALLS_PER_ROUND; j++) {
                        uint64_t begin = now_ns();

                        r = qmp_call(fd, monitor, command);
                        by_qmp[j] = now_ns() - begin;
                }
        }

        if (r >= 0) {
                report("dbus-call", by_bus, calls);
                report("qmp-call", by_qmp, calls);
        }
        free(by_bus);
        free(by_qmp);
        return r;
}

int main(int argc, char *argv[]) {
        sd_bus *bus = NULL;
        FILE *monitor = NULL;
        size_t calls = argc > 4 ? strtoul(argv[4], NULL, 10) : 2000;
        int fd = -1, r;

        if (argc < 4 || calls == 0 || calls > 1000000) {
                fprintf(stderr, "Usage: %s PROCESSOR-OBJECT QMP-SOCKET SLAVE-ID [CALLS]\n", argv[0]);
                return 2;
        }
        calls = (calls + CALLS_PER_ROUND - 1) / CALLS_PER_ROUND * CALLS_PER_ROUND;

        r = sd_bus_open_user(&bus);
        if (r >= 0)
                r = qmp_connect(argv[2], &fd, &monitor);
        if (r >= 0)
                r = measure(bus, argv[1], fd, monitor, (unsigned) strtoul(argv[3], NULL, 10), calls);
        if (r < 0)
                fprintf(stderr, "Failed: %s\n", strerror(-r));

        if (monitor)
                fclose(monitor);
        sd_bus_flush_close_unref(bus);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
