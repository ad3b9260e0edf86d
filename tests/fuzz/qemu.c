/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A QEMU that a fuzz target drives. It lives on from input to input, since a start takes longer than thousands of them. One that ends is
 * what is looked for: the fuzzer then aborts, and so keeps the input. One that hangs is found by the fuzzer's own limit of time.
 *
 * scripts/fuzz compiles QEMU so that it counts, in memory that is shared with the fuzzer, which branches of our files were taken
 * (qemu-coverage.c). libFuzzer takes these counters for its own. With another QEMU, as in the tests, nothing counts.
 */

#include "qemu.h"

#include "fuzz.h"
#include "qemu-coverage.h"
#include "util/fd-util.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1U << 20)

typedef struct Channel {
        int fd;
        GString *received;
} Channel;

struct Qemu {
        pid_t pid;
        Channel qtest, qmp;
};

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[HET_COVERAGE_SIZE];
static uint8_t *shared;
static int shared_fd = -1;
static pid_t pids[8];
static size_t n_pids;

/* --- coverage --- */

static void share_counters(void) {
        if (shared)
                return;

        shared_fd = memfd_create("coverage", 0);
        g_assert_cmpint(shared_fd, >=, 0);
        g_assert_cmpint(ftruncate(shared_fd, HET_COVERAGE_SIZE), ==, 0);
        shared = mmap(NULL, HET_COVERAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
        g_assert_true(shared != MAP_FAILED);
}

void qemu_coverage_begin(void) {
        memset(shared, 0, HET_COVERAGE_SIZE);
}

void qemu_coverage_end(void) {
        memcpy(counters, shared, HET_COVERAGE_SIZE);
}

/* --- the process --- */

static void become_qemu(const char *program, const char *const *arguments, int qtest, int qmp) {
        g_autofree char *test = g_strdup_printf("socket,id=het-qtest,fd=%d", qtest), *monitor = g_strdup_printf("socket,id=het-qmp,fd=%d", qmp);
        g_autofree char *coverage = g_strdup_printf("%d", shared_fd);
        const char *first[] = { program, "-accel", "qtest", "-display", "none", "-nodefaults", "-chardev", test, "-qtest", "chardev:het-qtest",
                                "-qtest-log", "none", "-chardev", monitor, "-mon", "chardev=het-qmp,mode=control" };
        g_autoptr(GPtrArray) all = g_ptr_array_new();

        for (size_t n = 0; n < G_N_ELEMENTS(first); n++)
                g_ptr_array_add(all, (char *) first[n]);
        for (; *arguments; arguments++)
                g_ptr_array_add(all, (char *) *arguments);
        g_ptr_array_add(all, NULL);

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) setenv(HET_COVERAGE_FD, coverage, 1);
        (void) setenv("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1", 1);
        (void) setenv("UBSAN_OPTIONS", "print_stacktrace=1", 1);
        execv(program, (char **) all->pdata);
        _exit(127);
}

static void channel_open(Channel *channel, int pair[2]) {
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
        channel->fd = pair[0];
        channel->received = g_string_new(NULL);
}

/* It is waited for, so that its processor time counts for the fuzzer's */
static void end_all(void) {
        while (n_pids > 0) {
                (void) kill(pids[--n_pids], SIGKILL);
                (void) waitpid(pids[n_pids], NULL, 0);
        }
}

Qemu *qemu_start(const char *const *arguments) {
        const char *program = getenv("QEMU_HET_QEMU");
        Qemu *qemu = g_new0(Qemu, 1);
        int qtest[2], qmp[2];

        if (!program || access(program, X_OK) < 0) {
                fprintf(stderr, "QEMU_HET_QEMU names no QEMU: nothing is tested\n");
                exit(77);
        }

        share_counters();
        channel_open(&qemu->qtest, qtest);
        channel_open(&qemu->qmp, qmp);
        qemu->pid = fork();
        g_assert_cmpint(qemu->pid, >=, 0);
        if (qemu->pid == 0) {
                close(qtest[0]);
                close(qmp[0]);
                become_qemu(program, arguments, qtest[1], qmp[1]);
        }
        close(qtest[1]);
        close(qmp[1]);
        if (n_pids == 0)
                (void) atexit(end_all);
        g_assert_cmpuint(n_pids, <, G_N_ELEMENTS(pids));
        pids[n_pids++] = qemu->pid;
        qemu_must(qemu, -1, "{\"execute\":\"qmp_capabilities\"}");
        return qemu;
}

static void __attribute__((noreturn)) qemu_is_gone(Qemu *qemu) {
        char last[4096];
        int status = 0;
        ssize_t n;

        /* What it has said at last may tell why */
        fprintf(stderr, "%s", qemu->qmp.received->str);
        while ((n = read(qemu->qmp.fd, last, sizeof(last))) > 0)
                fprintf(stderr, "%.*s", (int) n, last);
        (void) waitpid(qemu->pid, &status, 0);
        fuzz_fail("QEMU has ended: %s %d", WIFSIGNALED(status) ? "signal" : "exit status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* --- lines --- */

static char *read_line(Qemu *qemu, Channel *channel) {
        char *end;

        while (!(end = memchr(channel->received->str, '\n', channel->received->len))) {
                char data[4096];
                ssize_t n = TEMP_FAILURE_RETRY(read(channel->fd, data, sizeof(data)));     /* the fuzzer has a timer */

                if (n <= 0)
                        qemu_is_gone(qemu);
                g_assert_cmpuint(channel->received->len, <, LINE_MAX_BYTES);
                g_string_append_len(channel->received, data, n);
        }

        char *line = g_strndup(channel->received->str, (gsize) (end - channel->received->str));

        g_string_erase(channel->received, 0, end + 1 - channel->received->str);
        return line;
}

static void send_line(Qemu *qemu, Channel *channel, int fd, const char *line) {
        if (fd_send(channel->fd, line, strlen(line), &fd, fd >= 0, 0) != (ssize_t) strlen(line))
                qemu_is_gone(qemu);
}

/* --- registers --- */

static uint64_t ask_qtest(Qemu *qemu, const char *request) {
        uint64_t value = 0;

        send_line(qemu, &qemu->qtest, -1, request);
        for (;;) {
                g_autofree char *line = read_line(qemu, &qemu->qtest);

                if (g_str_has_prefix(line, "IRQ "))
                        continue;
                if (!g_str_has_prefix(line, "OK"))
                        fuzz_fail("%s: %s", request, line);
                (void) sscanf(line, "OK %" G_GINT64_MODIFIER "x", (guint64 *) &value);
                return value;
        }
}

uint64_t qemu_read(Qemu *qemu, char width, uint64_t address) {
        g_autofree char *request = g_strdup_printf("read%c 0x%" G_GINT64_MODIFIER "x\n", width, (guint64) address);

        return ask_qtest(qemu, request);
}

void qemu_write(Qemu *qemu, char width, uint64_t address, uint64_t value) {
        g_autofree char *request = g_strdup_printf("write%c 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x\n", width, (guint64) address,
                                                   (guint64) value);

        (void) ask_qtest(qemu, request);
}

void qemu_clock_step(Qemu *qemu, uint64_t ns) {
        g_autofree char *request = g_strdup_printf("clock_step %" G_GUINT64_FORMAT "\n", (guint64) ns);

        (void) ask_qtest(qemu, request);
}

/* The first is read in a turn of the main loop that sees all that was ready, the second not before that turn is over */
void qemu_settle(Qemu *qemu, uint64_t address) {
        (void) qemu_read(qemu, 'l', address);
        (void) qemu_read(qemu, 'l', address);
}

/* --- commands --- */

static int command(Qemu *qemu, int fd, const char *format, va_list arguments) {
        g_autofree char *text = g_strdup_vprintf(format, arguments), *line = g_strconcat(text, "\n", NULL);

        send_line(qemu, &qemu->qmp, fd, line);
        for (;;) {
                g_autofree char *reply = read_line(qemu, &qemu->qmp);

                if (g_str_has_prefix(reply, "{\"return\":"))
                        return 1;
                if (g_str_has_prefix(reply, "{\"error\":"))
                        return 0;
        }
}

int qemu_command(Qemu *qemu, int fd, const char *format, ...) {
        va_list arguments;
        int succeeds;

        va_start(arguments, format);
        succeeds = command(qemu, fd, format, arguments);
        va_end(arguments);
        return succeeds;
}

void qemu_must(Qemu *qemu, int fd, const char *format, ...) {
        va_list arguments;
        int succeeds;

        va_start(arguments, format);
        succeeds = command(qemu, fd, format, arguments);
        va_end(arguments);
        if (!succeeds)
                fuzz_fail("QEMU refuses what it must do: %s", format);
}

/* It is done by the main loop, before the answer or after it */
void qemu_reset(Qemu *qemu) {
        int is_answered = 0, is_done = 0;

        send_line(qemu, &qemu->qmp, -1, "{\"execute\":\"system_reset\"}\n");
        while (!is_answered || !is_done) {
                g_autofree char *reply = read_line(qemu, &qemu->qmp);

                is_answered |= g_str_has_prefix(reply, "{\"return\":");
                is_done |= strstr(reply, "\"event\": \"RESET\"") != NULL;
        }
}

/* --- input --- */

uint64_t bytes_take(Bytes *bytes, unsigned n_bytes) {
        uint64_t value = 0;

        for (unsigned n = 0; n < n_bytes && bytes->left > 0; n++, bytes->left--)
                value |= (uint64_t) *bytes->data++ << (8 * n);
        return value;
}
