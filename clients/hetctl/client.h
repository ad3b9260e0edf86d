/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The connection to hetd, and what was said on the command line that concerns all verbs. Calls wait for their reply. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "arguments.h"
#include "failure.h"
#include "util/sd-cleanup.h"

#define HETD_NAME               "org.hetd1"
#define HETD_PATH               "/org/hetd1"
#define HETD_MANAGER            "org.hetd1.Manager"
#define HETD_PLATFORM           "org.hetd1.Platform"
#define HETD_PROCESSOR          "org.hetd1.Processor"
#define HETD_JOB                "org.hetd1.Job"
#define HETD_PLATFORM_PREFIX    "/org/hetd1/platform"
#define HETD_JOB_PREFIX         "/org/hetd1/job"

typedef struct Client {
        bool system;                    /* which bus */
        const char *host;               /* whose system bus, by ssh; NULL: this one's */
        bool quiet;
        bool ask_password;              /* on this terminal, if polkit wants one */
        pid_t agent;                    /* who asks (password-agent.h), 0: nobody yet */
        JsonFormat json;
        uint64_t timeout_usec;
        bool color_out, color_err;      /* stdout and stderr are terminals that may have colours */
        sd_bus *bus;                    /* NULL: not connected yet */
} Client;

/* Connects at the first use. The bus belongs to the client. */
bool client_connect(Client *client, GError **error);
void client_close(Client *client);
/* Files and sockets do not go through ssh: instead, what the user may do there. False and error with --host */
bool client_need_local(const Client *client, const char *what, GError **error);
/* For messages: system, session, or the host's name */
const char *client_bus_name(const Client *client);

/* Call of a method of hetd: new, fill with sd_bus_message_append(), send. reply may be NULL. */
bool client_new_call(Client *client, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                     GError **error);
bool client_send(Client *client, sd_bus_message *call, sd_bus_message **ret_reply, GError **error);
/* All in one: types and values as of sd_bus_message_append() */
bool client_call(Client *client, const char *path, const char *interface, const char *method,
                 sd_bus_message **ret_reply, GError **error, const char *types, ...);

/* What sd_bus_message_append() returned: false and error if it is negative. */
bool client_built(int r, GError **error);
/* The same of sd_bus_message_read() and bus_json_read() */
bool client_read(int r, GError **error);

/* A line on stdout for people: nothing with --quiet or --json. */
void client_say(const Client *client, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Columns of the terminal that stream is; 0: none */
size_t client_width(FILE *stream);

/* g_strdup() of NAME or PLATFORM/NAME; NULL: not the path of a platform or processor */
char *client_path_to_name(const char *path);
