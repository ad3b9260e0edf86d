/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log.h"

#include "outbox.h"
#include "util/fd-util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_SOCKET          "/run/systemd/journal/socket"
#define JOURNAL_WAITING_MAX     1024U           /* entries that the journal has not taken yet */
#define JOURNAL_MESSAGE_MAX     (32 * 1024)     /* bytes of one; what is larger than a datagram would be lost */
#define JOURNAL_LAST_WORDS_USEC G_USEC_PER_SEC

static int log_level = LOG_INFO;
static bool log_to_journal;
static int log_fd = STDERR_FILENO;
static unsigned log_lost;               /* lines that nobody has read in time, since the last one that was written */
static sd_event *log_event;
static Outbox *journal;                 /* NULL until it is needed */
static unsigned journal_lost;           /* since it was last said there */
static bool log_is_cut;                 /* of the last line the end is missing */

/* $JOURNAL_STREAM says which socket systemd has connected us to; somebody may have redirected stderr since */
static bool stderr_is_journal(void) {
        const char *stream = g_getenv("JOURNAL_STREAM");
        uint64_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
                fstat(STDERR_FILENO, &st) >= 0 && st.st_dev == device && st.st_ino == inode;
}

/* That of somebody else, as after su(1), may not be opened by its own name; but as what the process belongs to */
static int open_terminal(void) {
        HET_AUTO_FD int fd = isatty(STDERR_FILENO) ? open("/dev/tty", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -EBADF;
        unsigned ours, theirs;

        if (fd < 0 || ioctl(fd, TIOCGDEV, &ours) < 0 || ioctl(STDERR_FILENO, TIOCGDEV, &theirs) < 0 || ours != theirs)
                return -EBADF;

        return fd_take(&fd);
}

/* Another opening of a pipe or a terminal, so that O_NONBLOCK is not set for all who have it */
static int open_stderr(void) {
        struct stat st;
        int fd = -EBADF;

        if (fstat(STDERR_FILENO, &st) >= 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
                fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        if (fd < 0)
                fd = open_terminal();
        return fd >= 0 ? fd : STDERR_FILENO;    /* a file, which never waits, or one that may not be opened */
}

void log_open(void) {
        log_to_journal = stderr_is_journal();
        if (log_fd == STDERR_FILENO)
                log_fd = open_stderr();
}

void log_set_level(int level) {
        log_level = level;
}

int log_get_level(void) {
        return log_level;
}

bool log_set_target(const char *target) {
        if (g_str_equal(target, "auto"))
                log_open();
        else if (g_str_equal(target, "journal") || g_str_equal(target, "console"))
                log_to_journal = target[0] == 'j';
        else
                return false;

        return true;
}

const char *log_get_target(void) {
        return log_to_journal ? "journal" : "console";
}

bool log_is_on(int level) {
        return level <= log_level;
}

static const char *const level_names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

const char *log_level_to_string(int level) {
        return level_names[level];
}

bool log_level_from_string(const char *s, int *ret) {
        for (int i = 0; i < (int) G_N_ELEMENTS(level_names); i++)
                if (g_str_equal(s, level_names[i]) || (s[0] == '0' + i && s[1] == '\0')) {
                        *ret = i;
                        return true;
                }

        return false;
}

static void add_field(GPtrArray *fields, const char *name, const char *value) {
        if (value)
                g_ptr_array_add(fields, g_strdup_printf("%s=%s", name, value));
}

/* Systemd's "Native Journal Protocol" */
static void append_field(GString *entry, const char *field) {
        const char *equals = strchr(field, '=');
        size_t size = strlen(field);

        if (!strchr(field, '\n'))
                g_string_append_len(entry, field, (gssize) size);
        else {
                const uint64_t n = GUINT64_TO_LE((uint64_t) (size - (size_t) (equals + 1 - field)));

                g_string_append_len(entry, field, equals - field);
                g_string_append_c(entry, '\n');
                g_string_append_len(entry, (const char *) &n, sizeof(n));
                g_string_append(entry, equals + 1);
        }
        g_string_append_c(entry, '\n');
}

static bool send_entry(int level, const char *message, GPtrArray *fields) {
        g_autofree char *text = g_strdup_printf("MESSAGE=%.*s", JOURNAL_MESSAGE_MAX, message);
        g_autoptr(GString) entry = g_string_new(NULL);

        g_string_append_printf(entry, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n", level, program_invocation_short_name);
        append_field(entry, text);
        for (guint i = 0; fields && i < fields->len; i++)
                append_field(entry, fields->pdata[i]);

        return outbox_send(journal, entry->str, entry->len, -EBADF);
}

/* Where the gap is: behind all that was taken, before what comes next */
static bool tell_what_is_missing(void) {
        const unsigned lost = journal_lost;
        g_autofree char *missing = NULL;

        if (lost == 0)
                return true;

        missing = g_strdup_printf("%u entries are missing here, which the journal did not take", lost);
        if (!send_entry(LOG_WARNING, missing, NULL)) {
                journal_lost--;                 /* this one is none of them */
                return false;
        }

        journal_lost -= lost;
        return true;
}

static void on_taken(void) {
        (void) tell_what_is_missing();
}

static bool open_journal(void) {
        journal = outbox_new(JOURNAL_SOCKET, JOURNAL_WAITING_MAX, 0, &journal_lost);
        if (journal && log_event)
                outbox_attach(journal, log_event, on_taken);

        return journal;
}

void log_attach(sd_event *event) {
        log_event = sd_event_ref(event);
        if (journal)
                outbox_attach(journal, event, on_taken);
}

void log_close(void) {
        if (journal) {
                outbox_flush(journal, JOURNAL_LAST_WORDS_USEC);
                (void) tell_what_is_missing();
        }
        journal = outbox_free(journal);
        log_event = sd_event_unref(log_event);
}

static void write_journal(int level, const char *message, GPtrArray *fields) {
        if (!journal && !open_journal())
                return;

        if (tell_what_is_missing())
                (void) send_entry(level, message, fields);
        else
                journal_lost++;
}

/* How much of it was written: who reads the log and has stopped (a pager, a terminal after Ctrl-S) must not stop hetd */
static size_t write_now(const char *data, size_t size) {
        struct pollfd room = { .fd = log_fd, .events = POLLOUT };
        size_t done = 0;

        while (done < size && poll(&room, 1, 0) > 0 && (room.revents & POLLOUT)) {
                ssize_t n = write(log_fd, data + done, MIN(size - done, (size_t) PIPE_BUF));

                if (n < 0 && errno != EINTR)
                        break;
                done += n < 0 ? 0 : (size_t) n;
        }

        return done;
}

static void write_line(const GString *line) {
        char missing[80];
        size_t n;

        if (log_lost > 0) {
                n = (size_t) snprintf(missing, sizeof(missing), "%s[%u lines are missing here, which nobody has read in time]\n",
                                      log_is_cut ? "...\n" : "", log_lost);
                if (write_now(missing, n) < n) {
                        log_lost++;
                        return;
                }
                log_is_cut = false;
        }

        n = write_now(line->str, line->len);
        log_is_cut = n > 0 && n < line->len;
        log_lost = n < line->len;
}

static void write_stderr(const char *message, GPtrArray *fields) {
        g_autoptr(GString) line = g_string_new(NULL);

        /* One entry stays one line, whatever a guest or QEMU had to say */
        for (const char *c = message; *c; c++)
                g_string_append_c(line, *c == '\n' ? '|' : (unsigned char) *c < ' ' ? '?' : *c);
        for (guint i = 0; i < fields->len; i++)
                g_string_append_printf(line, "%s%s", i == 0 ? "  [" : " ", (const char *) fields->pdata[i]);
        if (fields->len > 0)
                g_string_append_c(line, ']');
        g_string_append_c(line, '\n');

        write_line(line);
}

void log_about(int level, const LogAbout *about, const char *format, ...) {
        g_autoptr(GPtrArray) fields = NULL;
        va_list arguments;

        if (!log_is_on(level))
                return;

        va_start(arguments, format);
        g_autofree char *message = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        fields = g_ptr_array_new_with_free_func(g_free);
        if (about) {
                add_field(fields, "PLATFORM", about->platform);
                add_field(fields, "PROCESSOR", about->processor);
                add_field(fields, "JOB", about->job);
                add_field(fields, "STATE", about->state);
                add_field(fields, "REASON", about->reason);
        }

        if (log_to_journal)
                write_journal(level, message, fields);
        else
                write_stderr(message, fields);
}
