/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LOG_FIELDS_MAX 8

static int log_level = LOG_INFO;
static bool log_to_journal;

/* $JOURNAL_STREAM says which socket systemd has connected us to; somebody may have redirected stderr since */
static bool stderr_is_journal(void) {
        const char *stream = g_getenv("JOURNAL_STREAM");
        uint64_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
                fstat(STDERR_FILENO, &st) >= 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(void) {
        log_to_journal = stderr_is_journal();
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

static void write_journal(int level, const char *message, GPtrArray *fields) {
        g_autofree char *text = g_strdup_printf("MESSAGE=%s", message);
        g_autofree char *priority = g_strdup_printf("PRIORITY=%d", level);
        struct iovec iov[LOG_FIELDS_MAX] = {
                { text, strlen(text) },
                { priority, strlen(priority) },
        };
        int n = 2;

        for (guint i = 0; i < fields->len && n < LOG_FIELDS_MAX; i++, n++)
                iov[n] = (struct iovec) { fields->pdata[i], strlen(fields->pdata[i]) };

        (void) sd_journal_sendv(iov, n);
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

        ssize_t n = write(STDERR_FILENO, line->str, line->len);

        (void) n;       /* there is nobody left to tell */
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
