/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The log: structured entries of the journal when stderr is connected to it, else lines on stderr with the same fields behind the
 * text. Called by everything that has nobody to return an error to.
 */

#include <glib.h>
#include <stdbool.h>
#include <syslog.h>
#include <systemd/sd-event.h>

/* What an entry is about; each may be NULL. Fields of the journal: PLATFORM=, PROCESSOR=, JOB=, STATE=, REASON=. */
typedef struct LogAbout {
        const char *platform;
        const char *processor;
        const char *job;
        const char *state;
        const char *reason;
} LogAbout;

/* Decides where the log goes. Until then, and in tests, it goes to stderr. */
void log_open(void);

/* The journal may not take an entry at once: it waits then, and goes by itself. Without an event loop it goes with the next one. */
void log_attach(sd_event *event);
/* hetd ends */
void log_close(void);

/* Messages of a lower priority (a greater number, LOG_DEBUG) are dropped. LOG_INFO at the beginning. */
void log_set_level(int level);
int log_get_level(void);
/* For those whose message takes work to make */
bool log_is_on(int level);
/* "debug", "info", "notice", "warning", "err" or a number 0 to 7 */
bool log_level_from_string(const char *s, int *ret);
const char *log_level_to_string(int level);
/* "journal", "console" (stderr), or "auto": as log_open() decides; false: none of them */
bool log_set_target(const char *target);
/* "journal" or "console" */
const char *log_get_target(void);

void log_about(int level, const LogAbout *about, const char *format, ...) G_GNUC_PRINTF(3, 4);

#define log_debug(...)   log_about(LOG_DEBUG, NULL, __VA_ARGS__)
#define log_info(...)    log_about(LOG_INFO, NULL, __VA_ARGS__)
#define log_warning(...) log_about(LOG_WARNING, NULL, __VA_ARGS__)
#define log_error(...)   log_about(LOG_ERR, NULL, __VA_ARGS__)
