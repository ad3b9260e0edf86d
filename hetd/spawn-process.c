/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spawn-internal.h"

#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_READ_BYTES       4096
#define OUTPUT_READS_MAX        64U             /* more than a pipe holds, unless somebody goes on */
#define OUTPUT_LINES_PER_SEC    200U            /* each goes to the log; the pipe holds the process back beyond that, after */
#define OUTPUT_LINES_BURST      1000U           /* so many at once */

static void spawn_deliver_line(Spawn *spawn) {
        if (spawn->line->len == 0)
                return;

        g_autofree char *line = g_utf8_make_valid(spawn->line->str, (gssize) spawn->line->len);

        g_string_truncate(spawn->line, 0);
        spawn->output_wait_usec = rate_limit_take(&spawn->lines, (uint64_t) g_get_monotonic_time());
        if (spawn->pid == 0 && spawn->output_wait_usec > 0) {
                /* It cannot be held back any more; its last line mostly says why it has ended */
                g_free(spawn->last_line);
                spawn->last_line = g_steal_pointer(&line);
        } else if (spawn->handlers->line)
                spawn->handlers->line(spawn, line, spawn->userdata);
}

static void spawn_take_output(Spawn *spawn, const char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (bytes[i] == '\n')
                        spawn_deliver_line(spawn);
                else if (spawn->line->len < SPAWN_LINE_MAX && bytes[i] != '\r' && bytes[i] != '\0')
                        g_string_append_c(spawn->line, bytes[i]);
}

/* One read; false: there is nothing more now */
static bool spawn_read_output(Spawn *spawn) {
        char bytes[OUTPUT_READ_BYTES];
        ssize_t n = read(spawn->output, bytes, sizeof(bytes));

        if (n > 0)
                spawn_take_output(spawn, bytes, (size_t) n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                spawn->output_io = sd_event_source_disable_unref(spawn->output_io);
                spawn->output = fd_close(spawn->output);
        }

        return n > 0;
}

static int on_output_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Spawn *spawn = userdata;

        spawn->output_timer = sd_event_source_disable_unref(spawn->output_timer);
        if (spawn->output_io)
                (void) sd_event_source_set_enabled(spawn->output_io, SD_EVENT_ON);
        return 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Spawn *spawn = userdata;

        (void) spawn_read_output(spawn);
        if (spawn->output_wait_usec == 0 || !spawn->output_io)
                return 0;

        if (sd_event_add_time_relative(spawn->event, &spawn->output_timer, CLOCK_MONOTONIC, spawn->output_wait_usec, 0,
                                       on_output_timer, spawn) >= 0)
                (void) sd_event_source_set_enabled(spawn->output_io, SD_EVENT_OFF);
        return 0;
}

static int on_exit_of_orphan(sd_event_source *source, const siginfo_t *si, void *userdata) {
        return 0;       /* sd-event reaps it */
}

static void remove_path(char **path) {
        if (*path)
                (void) unlink(*path);
        g_clear_pointer(path, g_free);
}

void spawn_ended(Spawn *spawn, const SpawnExit *status) {
        spawn->pid = 0;
        spawn->pidfd = fd_close(spawn->pidfd);
        spawn->kill_timer = sd_event_source_disable_unref(spawn->kill_timer);
        spawn->started = sd_event_source_disable_unref(spawn->started);

        /* What it left in the pipe. Bounded: somebody who has inherited the other end could go on for ever. */
        for (unsigned i = 0; i < OUTPUT_READS_MAX && spawn->output >= 0 && spawn_read_output(spawn); i++)
                ;
        spawn_deliver_line(spawn);
        if (spawn->last_line && spawn->handlers->line)
                spawn->handlers->line(spawn, spawn->last_line, spawn->userdata);
        remove_path(&spawn->monitor_path);
        remove_path(&spawn->output_path);

        if (spawn->handlers->exited)
                spawn->handlers->exited(spawn, status, spawn->userdata);
}

static int on_exit_of_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        const SpawnExit status = { .killed = si->si_code != CLD_EXITED, .status = si->si_status };

        spawn_ended(userdata, &status);
        return 0;
}

static int on_exit_of_stranger(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static const SpawnExit unknown = { .unknown = true };
        Spawn *spawn = userdata;

        spawn->child = sd_event_source_disable_unref(spawn->child);
        if (spawn->unit)
                spawn_unit_gone(spawn);
        else
                spawn_ended(spawn, &unknown);
        return 0;
}

int spawn_watch_pidfd(Spawn *spawn) {
        return sd_event_add_io(spawn->event, &spawn->child, spawn->pidfd, EPOLLIN, on_exit_of_stranger, spawn);
}

/* A child's number is its own until we reap it; one that was adopted may be gone at any time */
static void spawn_kill(const Spawn *spawn, int number) {
        if (spawn->pidfd >= 0)
                (void) pidfd_send_signal(spawn->pidfd, number, NULL, 0);
        else
                (void) kill(-spawn->pid, number);
}

static int on_started(sd_event_source *source, void *userdata) {
        Spawn *spawn = userdata;

        spawn->started = sd_event_source_disable_unref(spawn->started);
        if (spawn->handlers->started)
                spawn->handlers->started(spawn, spawn->userdata);
        return 0;
}

/* What service managers tell us is not for our children */
static char **child_environment(void) {
        static const char *const ours[] = { "NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
                                            "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM", "INVOCATION_ID" };
        char **environment = g_get_environ();

        for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
                environment = g_environ_unsetenv(environment, ours[i]);

        return environment;
}

/*
 * A FIFO and no pipe, so that a hetd that comes later can open it, too. The process has its writing end alone: it never waits for a
 * reader that does not come back.
 */
int spawn_make_fifo(const char *path, int *ret_ours, int *ret_theirs) {
        HET_AUTO_FD int ours = -EBADF, theirs = -EBADF;

        if ((unlink(path) < 0 && errno != ENOENT) || mkfifo(path, 0600) < 0)
                return -errno;

        ours = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (ours < 0)
                return -errno;

        theirs = open(path, O_WRONLY | O_CLOEXEC);
        if (theirs < 0)
                return -errno;

        *ret_ours = fd_take(&ours);
        *ret_theirs = fd_take(&theirs);
        return 0;
}

typedef struct Child {
        char *const *argv;
        char **environment;
        int monitor, output;
        int go;                         /* one byte comes from it, or hetd has died, or does not want to */
        int failure;                    /* takes the errno of execve() */
} Child;

/* In the child: nothing but system calls */
static void child_run(const Child *child) {
        sigset_t none;
        char byte;
        int error;

        (void) setpgid(0, 0);
        for (int i = 1; i < NSIG; i++)
                (void) signal(i, SIG_DFL);
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);

        if (read(child->go, &byte, 1) != 1)
                _exit(EXIT_SUCCESS);

        if (dup2(child->monitor, STDIN_FILENO) >= 0 && dup2(child->output, STDOUT_FILENO) >= 0 &&
            dup2(child->output, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) >= 0)
                (void) execve(child->argv[0], child->argv, child->environment);

        error = errno;
        if (write(child->failure, &error, sizeof(error)) < 0)
                _exit(EXIT_FAILURE);
        _exit(127);
}

/* Its other end is closed by execve(), which is waited for as posix_spawn() does */
static int read_failure(int fd) {
        ssize_t n;
        int error;

        do
                n = read(fd, &error, sizeof(error));
        while (n < 0 && errno == EINTR);

        return n == sizeof(error) ? -error : 0;
}

static bool let_go(Spawn *spawn, int go, int failure, GError **error) {
        ProcessId id;
        int r = process_id_get(spawn->pid, &id);

        if (r >= 0 && spawn->handlers->forked && !spawn->handlers->forked(&id, spawn->userdata, error))
                return false;

        if (r >= 0 && write(go, "", 1) != 1)
                r = -errno;
        if (r >= 0)
                r = read_failure(failure);
        if (r < 0)
                g_set_error(error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "%s", g_strerror(-r));

        return r >= 0;
}

static bool start_process(Spawn *spawn, char *const *argv, int monitor, int output, GError **error) {
        HET_AUTO_FD int go = -EBADF, go_child = -EBADF, failure = -EBADF, failure_child = -EBADF;
        g_auto(GStrv) environment = child_environment();
        int gos[2], failures[2];

        if (pipe2(gos, O_CLOEXEC) >= 0) {
                go_child = gos[0];
                go = gos[1];
        }
        if (go >= 0 && pipe2(failures, O_CLOEXEC) >= 0) {
                failure = failures[0];
                failure_child = failures[1];
        }

        const Child child = { argv, environment, monitor, output, go_child, failure_child };

        spawn->pid = failure < 0 ? -1 : fork();
        if (spawn->pid < 0) {
                spawn->pid = 0;
                g_set_error(error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "%s", g_strerror(errno));
                return false;
        }
        if (spawn->pid == 0) {
                (void) close(go);       /* its end is to be seen here when hetd dies */
                child_run(&child);
        }

        failure_child = fd_close(failure_child);
        if (let_go(spawn, go, failure, error))
                return true;

        go = fd_close(go);
        (void) waitpid(spawn->pid, NULL, 0);
        spawn->pid = 0;
        return false;
}

int spawn_watch_output(Spawn *spawn) {
        spawn->lines = RATE_LIMIT(G_USEC_PER_SEC / OUTPUT_LINES_PER_SEC, OUTPUT_LINES_BURST);
        return sd_event_add_io(spawn->event, &spawn->output_io, spawn->output, EPOLLIN, on_output, spawn);
}

/* What can fail while the process lives already: the caller frees the spawn then, which kills it */
static int spawn_watch(Spawn *spawn, const char *name) {
        int r = sd_event_add_child(spawn->event, &spawn->child, spawn->pid, WEXITED, on_exit_of_child, spawn);

        if (r < 0) {
                (void) kill(-spawn->pid, SIGKILL);
                return r;
        }

        (void) sd_event_source_set_description(spawn->child, name);
        r = spawn_watch_output(spawn);
        if (r >= 0)
                r = sd_event_add_defer(spawn->event, &spawn->started, on_started, spawn);

        return r;
}

Spawn *spawn_make(sd_event *event, const SpawnRequest *request, const SpawnHandlers *handlers, void *userdata) {
        Spawn *spawn = g_new0(Spawn, 1);

        spawn->event = sd_event_ref(event);
        spawn->handlers = handlers;
        spawn->userdata = userdata;
        spawn->output = spawn->pidfd = -EBADF;
        spawn->line = g_string_new(NULL);
        spawn->monitor_path = g_strdup(request->monitor_path);
        spawn->output_path = g_strdup(request->output_path);
        return spawn;
}

bool spawn_refuse(GError **error, const char *what, const char *path, int r) {
        g_set_error(error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "Cannot %s %s: %s", what, path, g_strerror(-r));
        return false;
}

bool spawn_new(sd_event *event, const SpawnRequest *request, const SpawnHandlers *handlers, void *userdata,
               Spawn **ret, GError **error) {
        g_autoptr(Spawn) spawn = spawn_make(event, request, handlers, userdata);
        HET_AUTO_FD int monitor = -EBADF, output = -EBADF;
        int r;

        if (request->unit) {
                if (!spawn_unit_start(spawn, request, error))
                        return false;
                *ret = g_steal_pointer(&spawn);
                return true;
        }

        r = fd_listen(request->monitor_path, SOCK_STREAM, &monitor);
        if (r < 0)
                return spawn_refuse(error, "make the monitor socket", request->monitor_path, r);

        r = spawn_make_fifo(request->output_path, &spawn->output, &output);
        if (r < 0)
                return spawn_refuse(error, "make the FIFO", request->output_path, r);

        if (!start_process(spawn, request->argv, monitor, output, error)) {
                g_prefix_error(error, "Cannot start %s: ", request->argv[0]);
                return false;
        }

        r = spawn_watch(spawn, request->name);
        if (r < 0)
                return spawn_refuse(error, "watch", request->name, r);

        *ret = g_steal_pointer(&spawn);
        return true;
}

bool spawn_adopt(sd_event *event, const SpawnRequest *request, const ProcessId *id, const SpawnHandlers *handlers, void *userdata,
                 Spawn **ret, GError **error) {
        g_autoptr(Spawn) spawn = spawn_make(event, request, handlers, userdata);
        int r;

        spawn->pidfd = process_id_open(id);
        if (spawn->pidfd < 0 && spawn->pidfd != -ESRCH) {
                r = spawn->pidfd;
                spawn_leave(spawn);
                return spawn_refuse(error, "find the process of", request->name, r);
        }

        spawn->pid = id->pid;
        if (spawn->pidfd < 0 || spawn_is_gone(spawn))
                spawn->pid = 0;
        else {
                r = spawn_watch_pidfd(spawn);
                spawn->output = r < 0 ? -EBADF : open(request->output_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
                if (spawn->output >= 0)         /* else somebody has removed it: what it says is not worth its life */
                        r = spawn_watch_output(spawn);
                if (r < 0 || (request->unit && !spawn_unit_adopt(spawn, request, error))) {
                        spawn_leave(spawn);
                        return r < 0 ? spawn_refuse(error, "watch", request->name, r) : false;
                }
        }

        *ret = g_steal_pointer(&spawn);
        return true;
}

/* The source that reaps a child belongs to the Spawn: a new one that belongs to the loop takes its place */
static void leave_orphan(Spawn *spawn) {
        spawn_kill(spawn, SIGKILL);
        spawn->child = sd_event_source_disable_unref(spawn->child);
        if (spawn->pidfd < 0)
                (void) sd_event_add_child(spawn->event, NULL, spawn->pid, WEXITED, on_exit_of_orphan, NULL);
}

Spawn *spawn_free(Spawn *spawn) {
        if (!spawn)
                return NULL;

        if (spawn->pid > 0)
                leave_orphan(spawn);
        spawn_unit_free(spawn->unit);
        remove_path(&spawn->monitor_path);
        remove_path(&spawn->output_path);

        sd_event_source_disable_unref(spawn->child);
        sd_event_source_disable_unref(spawn->output_io);
        sd_event_source_disable_unref(spawn->output_timer);
        sd_event_source_disable_unref(spawn->started);
        sd_event_source_disable_unref(spawn->kill_timer);
        fd_close(spawn->output);
        fd_close(spawn->pidfd);
        g_string_free(spawn->line, TRUE);
        g_free(spawn->last_line);
        sd_event_unref(spawn->event);
        g_free(spawn);
        return NULL;
}

pid_t spawn_get_pid(const Spawn *spawn) {
        return spawn->pid;
}

bool spawn_is_gone(const Spawn *spawn) {
        struct pollfd ended = { .fd = spawn->pidfd, .events = POLLIN };
        siginfo_t si = {};

        if (spawn->pid == 0)
                return true;
        if (spawn->pidfd >= 0)
                return poll(&ended, 1, 0) > 0;

        return waitid(P_PID, (id_t) spawn->pid, &si, WEXITED | WNOHANG | WNOWAIT) >= 0 && si.si_pid == spawn->pid;
}

void spawn_end_now(Spawn *spawn) {
        if (spawn->pid > 0)
                spawn_kill(spawn, SIGKILL);
}

static int on_kill_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        spawn_end_now(userdata);
        return 0;
}

void spawn_end(Spawn *spawn) {
        if (spawn->ending || (spawn->pid == 0 && !spawn->unit))
                return;

        spawn->ending = true;
        if (spawn->pid == 0) {
                spawn_unit_cancel(spawn);
                return;
        }

        spawn_kill(spawn, SIGTERM);

        /* No timer: then it is better to end it the hard way than to wait for ever */
        if (sd_event_add_time_relative(spawn->event, &spawn->kill_timer, CLOCK_MONOTONIC, SPAWN_TERM_TIMEOUT_USEC, 0,
                                       on_kill_timer, spawn) < 0)
                spawn_end_now(spawn);
}

void spawn_leave(Spawn *spawn) {
        spawn->pid = 0;
        spawn->pidfd = fd_close(spawn->pidfd);
        g_clear_pointer(&spawn->monitor_path, g_free);
        g_clear_pointer(&spawn->output_path, g_free);
}

char *spawn_exit_to_string(const SpawnExit *status) {
        if (status->failure)
                return g_strdup(status->failure);
        if (status->unknown)
                return g_strdup("how it ended is not known, since an earlier hetd had started it");
        if (status->killed)
                return g_strdup_printf("it was killed by signal %d (%s)", status->status, g_strsignal(status->status));

        return g_strdup_printf("it ended with status %d", status->status);
}
