/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "pager.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

/* As systemctl: it ends by itself if all fits, shows colours, leaves the text there, and ends with Ctrl-C */
#define LESS_OPTIONS    "FRSXMK"

static pid_t pager;
static size_t width;

/* "": none is wanted */
static const char *find_pager(void) {
        static const char *const variables[] = { "SYSTEMD_PAGER", "PAGER" };

        for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
                const char *command = getenv(variables[i]);

                if (command)
                        return strcmp(command, "cat") == 0 ? "" : command;
        }

        return "less";
}

/* In the child. Where it cannot be executed, the text goes as it is. */
static void run_pager(const char *command) {
        const char *options = getenv("SYSTEMD_LESS");

        (void) setenv("LESS", options ? options : LESS_OPTIONS, true);
        (void) execlp("sh", "sh", "-c", command, NULL);
        (void) execlp("cat", "cat", NULL);
        _exit(EXIT_FAILURE);
}

void pager_open(void) {
        const char *command = find_pager();
        int fds[2];

        if (pager > 0 || !isatty(STDOUT_FILENO) || *command == '\0' || g_strcmp0(getenv("TERM"), "dumb") == 0)
                return;

        g_auto(GStrv) words = g_strsplit_set(command, " \t", 2);
        g_autofree char *program = g_find_program_in_path(words[0]);

        if (!program || pipe2(fds, O_CLOEXEC) < 0)
                return;

        width = client_width(stdout);
        fflush(stdout);
        pager = fork();
        if (pager == 0) {
                (void) dup2(fds[0], STDIN_FILENO);
                run_pager(command);
        }
        if (pager > 0) {
                /* Who leaves it before the end has seen enough */
                (void) signal(SIGPIPE, SIG_IGN);
                (void) dup2(fds[1], STDOUT_FILENO);
        }
        close(fds[0]);
        close(fds[1]);
}

bool pager_close(void) {
        if (pager <= 0)
                return false;

        fflush(stdout);
        (void) close(STDOUT_FILENO);
        (void) waitpid(pager, NULL, 0);
        pager = 0;
        return true;
}

size_t pager_width(void) {
        return pager > 0 ? width : 0;
}
