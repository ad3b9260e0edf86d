/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * console: the first serial port of a processor on this terminal. What it printed comes from its socket; with --history
 * it all comes from its log, so that nothing is missed or shown twice between the past and the present, and the socket
 * only tells that there is more, and takes what is typed.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "bus-json.h"
#include "console-log.h"
#include "console-split.h"
#include "objects.h"
#include "util/fd-util.h"
#include "verb.h"

#define ESCAPE          0x1d            /* Ctrl-] */
#define PENDING_MAX     65536U
#define LINES_DEFAULT   100

static gboolean option_history, option_follow;
static int option_lines = LINES_DEFAULT;
static char *option_until;

static const GOptionEntry console_options[] = {
        { "history", 0, 0, G_OPTION_ARG_NONE, &option_history, "First show the end of what it printed before", NULL },
        { "lines", 'n', 0, G_OPTION_ARG_INT, &option_lines, "Lines of --history (default 100; 0: all)", "N" },
        { "follow", 'f', 0, G_OPTION_ARG_NONE, &option_follow, "Go on when standard input has ended", NULL },
        { "until", 'u', 0, G_OPTION_ARG_FILENAME, &option_until,
          "Leave as soon as it has printed TEXT, fail after --timeout", "TEXT" },
        {}
};

typedef struct Console {
        Client *client;
        sd_event *event;
        sd_event_source *input, *output, *log_changes;
        int socket, log;                /* log: -EBADF unless output comes from it */
        bool terminal;
        struct termios saved;
        bool sent, input_ended, closing;        /* closing: told QEMU that no more is coming */
        uint8_t last_shown;
        GByteArray *pending;            /* typed, and not taken by QEMU yet */
        GByteArray *seen;               /* the last bytes that may begin --until */
        bool found;
        GError *error;                  /* why it ended, if not well */
} Console;

static void console_clear(Console *console) {
        if (console->terminal)
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &console->saved);
        sd_event_source_disable_unref(console->input);
        sd_event_source_disable_unref(console->output);
        sd_event_source_disable_unref(console->log_changes);
        sd_event_unref(console->event);
        g_byte_array_unref(console->pending);
        g_byte_array_unref(console->seen);
        fd_close(console->socket);
        fd_close(console->log);
}

static int leave(Console *console) {
        return sd_event_exit(console->event, 0);
}

static int write_stdout(const uint8_t *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(STDOUT_FILENO, data, size);

                if (n >= 0) {
                        data += n;
                        size -= (size_t) n;
                } else if (errno == EAGAIN) {
                        struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

                        (void) poll(&p, 1, -1);
                } else if (errno != EINTR)
                        return -errno;
        }

        return 0;
}

/* A raw terminal goes to the beginning of a line by \r only, which bare-metal programs do not all print */
static int write_terminal(Console *console, const uint8_t *data, size_t size) {
        g_autoptr(GByteArray) text = g_byte_array_sized_new((guint) size);

        for (size_t i = 0; i < size; i++) {
                if (data[i] == '\n' && console->last_shown != '\r')
                        g_byte_array_append(text, (const uint8_t *) "\r", 1);
                g_byte_array_append(text, &data[i], 1);
                console->last_shown = data[i];
        }

        return write_stdout(text->data, text->len);
}

/* Shows what the guest printed; returns a negative errno if nobody takes it any more. */
static int show(Console *console, const uint8_t *data, size_t size) {
        int r = console->terminal ? write_terminal(console, data, size) : write_stdout(data, size);

        if (r < 0 || !option_until || console->found)
                return r;

        size_t wanted = strlen(option_until);

        g_byte_array_append(console->seen, data, (guint) size);
        if (memmem(console->seen->data, console->seen->len, option_until, wanted)) {
                console->found = true;
                return leave(console);
        }
        if (console->seen->len >= wanted)
                g_byte_array_remove_range(console->seen, 0, console->seen->len - (guint) wanted + 1);

        return 0;
}

static int show_log(Console *console) {
        uint8_t buffer[16384];
        ssize_t n;

        while ((n = read(console->log, buffer, sizeof(buffer))) > 0) {
                int r = show(console, buffer, (size_t) n);

                if (r < 0)
                        return r;
        }

        return n < 0 ? -errno : 0;
}

static int on_input_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Console *console = userdata;

        failure(&console->error, EXIT_TIMED_OUT,
                "Somebody else may be connected to its console, or its guest may not read from it.",
                "The guest did not take all of the input in time.");
        return leave(console);
}

/*
 * The input has ended, and the socket has all of it. QEMU reads as fast as its guest does, and would throw away what it
 * has not read yet if the socket were closed; half closed, it is read to its end, and then QEMU closes it.
 */
static int close_input(Console *console) {
        uint64_t timeout = console->client->timeout_usec;

        if (option_follow || option_until || console->closing)
                return 0;
        if (!console->sent)
                return leave(console);
        if (shutdown(console->socket, SHUT_WR) < 0)
                return -errno;

        console->closing = true;
        if (timeout == TIMEOUT_INFINITE)
                return 0;
        return sd_event_add_time_relative(console->event, NULL, CLOCK_MONOTONIC, timeout, 0, on_input_timeout, console);
}

static int send_pending(Console *console) {
        while (console->pending->len > 0) {
                ssize_t n = send(console->socket, console->pending->data, console->pending->len,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0)
                        return -errno;
                g_byte_array_remove_range(console->pending, 0, (guint) n);
        }

        bool more = console->pending->len > 0;
        int r = sd_event_source_set_io_events(console->output, more ? EPOLLIN | EPOLLOUT : EPOLLIN);

        /* A file waits until the guest takes more; a terminal is always read, for the sake of the escape */
        if (r >= 0 && console->input && !console->terminal)
                r = sd_event_source_set_enabled(console->input, more ? SD_EVENT_OFF : SD_EVENT_ON);

        return r >= 0 && console->input_ended && !more ? close_input(console) : r;
}

static int on_console_closed(Console *console) {
        if (console->log >= 0)
                (void) show_log(console);

        if (console->terminal)
                fputs("\r\nhetctl: the console was closed.\r\n", stderr);
        return leave(console);
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Console *console = userdata;
        uint8_t buffer[16384];
        int r = 0;

        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

                if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                        return on_console_closed(console);
                if (n > 0)
                        r = console->log >= 0 ? show_log(console) : show(console, buffer, (size_t) n);
        }
        if (r >= 0 && events & EPOLLOUT && send_pending(console) < 0)
                return on_console_closed(console);

        return r;
}

static int read_input(Console *console, int fd) {
        uint8_t buffer[4096], *escape;
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0) {
                console->input = sd_event_source_disable_unref(console->input);
                console->input_ended = true;
                return send_pending(console) < 0 ? on_console_closed(console) : 0;
        }

        escape = console->terminal ? memchr(buffer, ESCAPE, (size_t) n) : NULL;
        if (escape)
                n = escape - buffer;
        console->sent = true;
        if (console->pending->len + (size_t) n <= PENDING_MAX)
                g_byte_array_append(console->pending, buffer, (guint) n);
        if (send_pending(console) < 0)
                return on_console_closed(console);

        return escape ? leave(console) : 0;
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        return read_input(userdata, fd);
}

static int on_file_input(sd_event_source *source, void *userdata) {
        return read_input(userdata, STDIN_FILENO);
}

static int on_log(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        return show_log(userdata);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Console *console = userdata;

        failure(&console->error, EXIT_TIMED_OUT, "--timeout=TIME waits longer.", "'%s' was not printed in time.",
                option_until);
        return leave(console);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Console *console = userdata;

        failure(&console->error, (HetctlExit) (128 + (int) si->ssi_signo), NULL, "Interrupted.");
        return leave(console);
}

static int open_log(Console *console, const char *path) {
        uint64_t offset = 0;
        int r;

        console->log = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (console->log < 0)
                return -errno;

        r = console_log_find_tail(console->log, (uint64_t) option_lines, &offset);
        if (r >= 0 && lseek(console->log, (off_t) offset, SEEK_SET) < 0)
                r = -errno;
        return r;
}

static int connect_console(Console *console, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);

        console->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (console->socket < 0 || connect(console->socket, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;

        return 0;
}

static int add_signals(Console *console) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        sigset_t mask;
        int r = 0;

        sigemptyset(&mask);
        for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(signals); i++) {
                sigaddset(&mask, signals[i]);
                if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                        return -errno;
                r = sd_event_add_signal(console->event, NULL, signals[i], on_signal, console);
        }

        return r;
}

static int add_input(Console *console) {
        int r = sd_event_add_io(console->event, &console->input, STDIN_FILENO, EPOLLIN, on_input, console);

        if (r == -EPERM) {      /* a plain file or /dev/null: always ready */
                r = sd_event_add_defer(console->event, &console->input, on_file_input, console);
                if (r >= 0)
                        r = sd_event_source_set_enabled(console->input, SD_EVENT_ON);
        } else if (r == -EBADF) /* closed: nothing is typed */
                return 0;
        return r;
}

static int set_up_loop(Console *console, const char *log_path) {
        uint64_t timeout = console->client->timeout_usec;
        int r = add_signals(console);

        if (r >= 0)
                r = sd_event_add_io(console->event, &console->output, console->socket, EPOLLIN, on_output, console);
        if (r >= 0)
                r = add_input(console);
        if (r >= 0 && console->log >= 0)
                r = sd_event_add_inotify(console->event, &console->log_changes, log_path, IN_MODIFY, on_log, console);
        if (r >= 0 && option_until && timeout != TIMEOUT_INFINITE)
                r = sd_event_add_time_relative(console->event, NULL, CLOCK_MONOTONIC, timeout, 0, on_timeout, console);

        return r;
}

static void make_raw(Console *console, const char *name) {
        struct termios raw;

        if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &console->saved) < 0)
                return;

        if (!console->client->quiet)
                fprintf(stderr, "Console of %s. Ctrl-] leaves it.\n", name);
        raw = console->saved;
        cfmakeraw(&raw);
        console->terminal = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) >= 0;
}

static bool finish(Console *console, GError **error) {
        if (console->error && !console->found) {
                g_propagate_error(error, g_steal_pointer(&console->error));
                return false;
        }

        g_clear_error(&console->error);
        if (option_until && !console->found)
                return failure(error, EXIT_FAILED, NULL, "The console was closed before it printed '%s'.",
                               option_until);

        return true;
}

/* It does not run (any more): its log is all there is */
static bool show_past(Console *console, const char *name, GError **error) {
        int r = show_log(console);

        if (r < 0)
                return failure_from_errno(error, r, "showing its log failed");
        if (!console->client->quiet)
                fprintf(stderr, "%s has no console now; that was its log.\n", name);

        return finish(console, error);
}

static bool converse(Console *console, const char *name, const char *log_path, GError **error) {
        int r = set_up_loop(console, log_path);

        if (r < 0)
                return failure_from_errno(error, r, "opening the console failed");

        make_raw(console, name);
        if (console->log >= 0)
                r = show_log(console);
        if (r >= 0)
                r = sd_event_loop(console->event);
        if (console->terminal)
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &console->saved);
        console->terminal = false;
        if (r < 0)
                return failure_from_errno(error, r, "the console failed");

        return finish(console, error);
}

static bool open_and_converse(Console *console, const char *name, json_object *properties, GError **error) {
        const char *socket_path = json_get_string(properties, "Console"),
                   *log_path = json_get_string(properties, "ConsoleLog");
        int r = sd_event_new(&console->event);

        if (r < 0)
                return failure_from_errno(error, r, "opening the console failed");
        if (!*socket_path && !(option_history && *log_path))
                return failure(error, EXIT_WRONG_STATE,
                               "It is started by 'hetctl start', or has its console where it was started.",
                               "%s is %s and has no console that hetd knows of.", name,
                               json_get_string(properties, "State"));

        if (option_history) {
                r = *log_path ? open_log(console, log_path) : -ENOENT;
                if (r < 0)
                        return failure_from_errno(error, r, *log_path ? log_path : "its log");
        }

        r = *socket_path ? connect_console(console, socket_path) : -ENOENT;
        if (option_history && (r == -ENOENT || r == -ECONNREFUSED))
                return show_past(console, name, error);
        if (r == -EAGAIN)
                return failure(error, EXIT_WRONG_STATE,
                               "'hetctl console --history --follow </dev/null' watches it, too.",
                               "Somebody else uses the console of %s.", name);
        if (r == -ECONNREFUSED)
                return failure(error, EXIT_WRONG_STATE, "'hetctl console --history' shows what it printed.",
                               "The process of %s does not answer on its console any more.", name);
        if (r < 0)
                return failure_from_errno(error, r, socket_path);

        return converse(console, name, log_path, error);
}

/* A platform's name stands for all of its consoles. false, without an error: it is no platform */
static bool show_all(Client *client, const char *name, GError **error) {
        g_autoptr(Objects) objects = NULL;
        const Platform *platform;

        if (!objects_load(client, &objects, error))
                return false;

        platform = objects_find_platform(objects, name);
        return platform && console_split(client, platform, error);
}

static bool verb_console(Client *client, int n, char **arguments, GError **error) {
        g_autofree char *path = NULL, *name = NULL;
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(json_object) properties = NULL;
        Console console = { .client = client, .socket = -EBADF, .log = -EBADF };

        if (option_lines < 0)
                return failure_usage(error, "console", "--lines=%d: it is a number of lines, or 0 for all.",
                                     option_lines);
        if (option_until && !*option_until)
                return failure_usage(error, "console", "--until: the text is empty.");
        if (option_lines != LINES_DEFAULT)
                option_history = TRUE;

        if (!client_need_local(client, "A console", error))
                return false;
        if (!strchr(arguments[0], '/') && !show_all(client, arguments[0], error) && *error)
                return false;
        if (!objects_resolve_processor(client, arguments[0], &path, &name, error) ||
            !client_call(client, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, error, "s",
                         HETD_PROCESSOR) ||
            !client_read(bus_json_read(reply, &properties), error))
                return false;

        console.pending = g_byte_array_new();
        console.seen = g_byte_array_new();
        bool ok = open_and_converse(&console, name, properties, error);
        console_clear(&console);
        return ok;
}

const Verb verbs_console[] = {
        { "console", "PROCESSOR|PLATFORM", "Connect to the serial console of a processor, or to all of a platform",
          "On a terminal, keys go to the guest as they are typed; Ctrl-] leaves. Otherwise standard input is\n"
          "copied to the guest, and what it prints to standard output, until the guest has taken all of the\n"
          "input. With --follow or --until it goes on then, until the console closes or TEXT was printed.\n"
          "A console has one user at a time: a second one waits until the first has left. --history shows\n"
          "what is printed even then.\n"
          "Of a PLATFORM all consoles are shown side by side, in tmux.\n"
          "\n"
          "Examples:\n"
          "  hetctl console first-light\n"
          "  hetctl console first-light/slave1 --history\n"
          "  hetctl console slave2 --history --until='ready' --timeout=10s </dev/null\n"
          "  echo 'stop 1' | hetctl console master\n"
          "  hetctl console master --follow </dev/null | tee master.log",
          1, 1, console_options, verb_console },
        {}
};
