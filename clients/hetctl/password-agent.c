/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "password-agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/fd-util.h"

#define AGENT           "pkttyagent"
#define NOTIFY_FD       3               /* where it says that it is ready, by closing it */
#define READY_MS        10000

extern char **environ;

static pid_t spawn(int notify) {
        /* Not --fallback: polkit does not find such a one where there is no session. It is started when nobody else was there. */
        char *const arguments[] = { (char *) AGENT, (char *) "--notify-fd=3", NULL };
        posix_spawn_file_actions_t actions;
        pid_t pid = 0;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r == 0) {
                r = posix_spawn_file_actions_adddup2(&actions, notify, NOTIFY_FD);
                if (r == 0)
                        r = posix_spawnp(&pid, AGENT, &actions, NULL, arguments, environ);
                posix_spawn_file_actions_destroy(&actions);
        }

        errno = r;
        return r == 0 ? pid : 0;
}

pid_t password_agent_start(void) {
        int fds[2];
        pid_t agent;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return 0;

        HET_AUTO_FD int ready = fds[0];
        agent = spawn(fds[1]);
        fd_close(fds[1]);
        if (agent > 0) {
                struct pollfd hangup = { .fd = ready };

                /* If it ends instead, polkit will say that there is none */
                while (poll(&hangup, 1, READY_MS) < 0 && errno == EINTR)
                        ;
        }
        return agent;
}

void password_agent_end(pid_t agent) {
        if (agent <= 0)
                return;

        (void) kill(agent, SIGTERM);
        (void) kill(agent, SIGCONT);
        while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
                ;
}
