/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spawn-process.h"

#include "util/error.h"
#include "util/fd-util.h"
#include "util/rate-limit.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_READ_BYTES       4096
#define OUTPUT_READS_MAX        64U             /* more than a pipe holds, unless somebody goes on */
#define OUTPUT_LINES_PER_SEC    200U            /* each goes to the log; the pipe holds the process back beyond that, after */
#define OUTPUT_LINES_BURST      1000U           /* so many at once */

struct Spawn {
        sd_event *event;
        const SpawnHandlers *handlers;
        void *userdata;
        pid_t pid;                      /* 0: gone, and reaped: the number may belong to somebody else */
        bool ending;
        char *monitor_path;             /* NULL: the socket does not exist, or is gone */
        int output;                     /* our end of the pipe that is its stdout and stderr */
        GString *line;
        RateLimit lines;
        uint64_t output_wait_usec;      /* before more lines are taken */
        char *last_line;                /* of a process that is gone, if there were too many to deliver */
        sd_event_source *child, *output_io, *output_timer, *started, *kill_timer;
};

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(posix_spawn_file_actions_t, posix_spawn_file_actions_destroy)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(posix_spawnattr_t, posix_spawnattr_destroy)

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

static int on_exit_of_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        Spawn *spawn = userdata;
        SpawnExit status = { .killed = si->si_code != CLD_EXITED, .status = si->si_status };

        spawn->pid = 0;
        spawn->kill_timer = sd_event_source_disable_unref(spawn->kill_timer);
        spawn->started = sd_event_source_disable_unref(spawn->started);

        /* What it left in the pipe. Bounded: somebody who has inherited the other end could go on for ever. */
        for (unsigned i = 0; i < OUTPUT_READS_MAX && spawn->output >= 0 && spawn_read_output(spawn); i++)
                ;
        spawn_deliver_line(spawn);
        if (spawn->last_line && spawn->handlers->line)
                spawn->handlers->line(spawn, spawn->last_line, spawn->userdata);
        (void) unlink(spawn->monitor_path);
        g_clear_pointer(&spawn->monitor_path, g_free);

        if (spawn->handlers->exited)
                spawn->handlers->exited(spawn, &status, spawn->userdata);
        return 0;
}

static int on_started(sd_event_source *source, void *userdata) {
        Spawn *spawn = userdata;

        spawn->started = sd_event_source_disable_unref(spawn->started);
        if (spawn->handlers->started)
                spawn->handlers->started(spawn, spawn->userdata);
        return 0;
}

static int listen_on(const char *path, int *ret) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        HET_AUTO_FD int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;

        strcpy(address.sun_path, path);
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        if (bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 4) < 0)
                return -errno;

        *ret = fd_take(&fd);
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

/* 0 or a negative errno, that of execve() too */
static int start_process(char *const *argv, int monitor, int output, pid_t *ret) {
        g_auto(posix_spawn_file_actions_t) actions;
        g_auto(posix_spawnattr_t) attributes;
        g_auto(GStrv) environment = child_environment();
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);

        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);

        r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attributes, &all);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, monitor, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        if (r == 0)
                r = posix_spawn(ret, argv[0], &actions, &attributes, argv, environment);

        return -r;
}

/* What can fail while the process lives already: the caller frees the spawn then, which kills it */
static int spawn_watch(Spawn *spawn, const char *name) {
        int r = sd_event_add_child(spawn->event, &spawn->child, spawn->pid, WEXITED, on_exit_of_child, spawn);

        if (r < 0) {
                (void) kill(-spawn->pid, SIGKILL);
                return r;
        }

        (void) sd_event_source_set_description(spawn->child, name);
        r = sd_event_add_io(spawn->event, &spawn->output_io, spawn->output, EPOLLIN, on_output, spawn);
        if (r >= 0)
                r = sd_event_add_defer(spawn->event, &spawn->started, on_started, spawn);

        return r;
}

bool spawn_new(sd_event *event, const SpawnRequest *request, const SpawnHandlers *handlers, void *userdata,
               Spawn **ret, GError **error) {
        HET_AUTO_FD int monitor = -EBADF, output = -EBADF;
        g_autoptr(Spawn) spawn = g_new0(Spawn, 1);
        int pipe_fds[2], r;

        spawn->event = sd_event_ref(event);
        spawn->handlers = handlers;
        spawn->userdata = userdata;
        spawn->output = -EBADF;
        spawn->line = g_string_new(NULL);
        spawn->lines = RATE_LIMIT(G_USEC_PER_SEC / OUTPUT_LINES_PER_SEC, OUTPUT_LINES_BURST);

        r = listen_on(request->monitor_path, &monitor);
        if (r < 0) {
                g_set_error(error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "Cannot make the monitor socket %s: %s",
                            request->monitor_path, g_strerror(-r));
                return false;
        }

        spawn->monitor_path = g_strdup(request->monitor_path);
        r = pipe2(pipe_fds, O_CLOEXEC) < 0 ? -errno : 0;
        if (r >= 0) {
                spawn->output = pipe_fds[0];
                output = pipe_fds[1];
                r = fd_set_nonblock(spawn->output, true);
        }
        if (r >= 0)
                r = start_process(request->argv, monitor, output, &spawn->pid);
        if (r >= 0)
                r = spawn_watch(spawn, request->name);
        if (r < 0) {
                g_set_error(error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "Cannot start %s: %s", request->argv[0], g_strerror(-r));
                return false;
        }

        *ret = g_steal_pointer(&spawn);
        return true;
}

/* The source that reaps a child belongs to the Spawn: a new one that belongs to the loop takes its place */
static void leave_orphan(Spawn *spawn) {
        (void) kill(-spawn->pid, SIGKILL);
        spawn->child = sd_event_source_disable_unref(spawn->child);
        (void) sd_event_add_child(spawn->event, NULL, spawn->pid, WEXITED, on_exit_of_orphan, NULL);
}

Spawn *spawn_free(Spawn *spawn) {
        if (!spawn)
                return NULL;

        if (spawn->pid > 0)
                leave_orphan(spawn);
        if (spawn->monitor_path)
                (void) unlink(spawn->monitor_path);

        sd_event_source_disable_unref(spawn->child);
        sd_event_source_disable_unref(spawn->output_io);
        sd_event_source_disable_unref(spawn->output_timer);
        sd_event_source_disable_unref(spawn->started);
        sd_event_source_disable_unref(spawn->kill_timer);
        fd_close(spawn->output);
        g_string_free(spawn->line, TRUE);
        g_free(spawn->last_line);
        g_free(spawn->monitor_path);
        sd_event_unref(spawn->event);
        g_free(spawn);
        return NULL;
}

pid_t spawn_get_pid(const Spawn *spawn) {
        return spawn->pid;
}

bool spawn_is_gone(const Spawn *spawn) {
        siginfo_t si = {};

        if (spawn->pid == 0)
                return true;

        return waitid(P_PID, (id_t) spawn->pid, &si, WEXITED | WNOHANG | WNOWAIT) >= 0 && si.si_pid == spawn->pid;
}

static int on_kill_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Spawn *spawn = userdata;

        if (spawn->pid > 0)
                (void) kill(-spawn->pid, SIGKILL);
        return 0;
}

void spawn_end(Spawn *spawn) {
        if (spawn->pid == 0 || spawn->ending)
                return;

        spawn->ending = true;
        (void) kill(-spawn->pid, SIGTERM);

        /* No timer: then it is better to end it the hard way than to wait for ever */
        if (sd_event_add_time_relative(spawn->event, &spawn->kill_timer, CLOCK_MONOTONIC, SPAWN_TERM_TIMEOUT_USEC, 0,
                                       on_kill_timer, spawn) < 0)
                (void) kill(-spawn->pid, SIGKILL);
}

char *spawn_exit_to_string(const SpawnExit *status) {
        if (status->killed)
                return g_strdup_printf("it was killed by signal %d (%s)", status->status, g_strsignal(status->status));

        return g_strdup_printf("it ended with status %d", status->status);
}
