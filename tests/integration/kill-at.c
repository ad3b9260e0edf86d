/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * kill-at PID N
 *
 * Kills a process right before its Nth system call from now on that others can see: what it sends, writes, renames, removes, starts,
 * ends. Nothing of that is in the process itself. Says "ready" once it counts; then, when the process is gone or this program gets
 * SIGTERM, how many such calls there were, and which was the last one. Exit status 77: the kernel does not allow it.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
        long number;
        const char *name;
} effects[] = {
        { SYS_sendmsg, "sendmsg" }, { SYS_sendto, "sendto" }, { SYS_write, "write" }, { SYS_renameat, "rename" },
        { SYS_renameat2, "rename" }, { SYS_unlinkat, "unlink" }, { SYS_mkdirat, "mkdir" }, { SYS_mknodat, "mknod" },
        { SYS_bind, "bind" }, { SYS_connect, "connect" }, { SYS_clone, "fork" }, { SYS_clone3, "fork" }, { SYS_kill, "kill" },
        { SYS_memfd_create, "memfd_create" }, { SYS_eventfd2, "eventfd" }, { SYS_io_submit, "io_submit" },
        { SYS_pidfd_send_signal, "pidfd_send_signal" },
#ifdef SYS_rename
        { SYS_rename, "rename" }, { SYS_unlink, "unlink" }, { SYS_mkdir, "mkdir" }, { SYS_mknod, "mknod" }, { SYS_fork, "fork" },
#endif
};

static volatile sig_atomic_t asked_to_end;

static void on_sigterm(int number) {
        asked_to_end = 1;
}

/* NULL: it has no effect, or it is a line of the log */
static const char *effect_of(pid_t pid) {
        struct __ptrace_syscall_info info;

        if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
                return NULL;
        if ((long) info.entry.nr == SYS_write && info.entry.args[0] == STDERR_FILENO)
                return NULL;

        for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
                if (effects[i].number == (long) info.entry.nr)
                        return effects[i].name;

        return NULL;
}

static void let_be(pid_t pid) {
        (void) ptrace(PTRACE_INTERRUPT, pid, 0, 0);
        (void) waitpid(pid, NULL, 0);
        (void) ptrace(PTRACE_DETACH, pid, 0, 0);
}

/* With the signal that it stopped for, unless that is ours */
static void go_on(pid_t pid, int status) {
        int number = WSTOPSIG(status), event = status >> 16;
        bool ours = number == (SIGTRAP | 0x80) || event != 0;

        (void) ptrace(PTRACE_SYSCALL, pid, 0, ours ? 0 : number);
}

static unsigned long count(pid_t pid, unsigned long at, const char **last) {
        unsigned long n = 0;
        int status;

        while (!asked_to_end) {
                const char *effect;

                if (waitpid(pid, &status, 0) < 0) {
                        if (errno == EINTR)
                                continue;
                        return n;
                }
                if (!WIFSTOPPED(status))
                        return n;

                effect = WSTOPSIG(status) == (SIGTRAP | 0x80) ? effect_of(pid) : NULL;
                if (effect) {
                        *last = effect;
                        if (++n == at)
                                (void) kill(pid, SIGKILL);
                }
                go_on(pid, status);
        }

        let_be(pid);
        return n;
}

int main(int argc, char **argv) {
        struct sigaction action = { .sa_handler = on_sigterm };
        const char *last = "nothing";
        unsigned long n;
        pid_t pid;

        if (argc != 3)
                return 2;

        pid = (pid_t) atol(argv[1]);
        (void) sigaction(SIGTERM, &action, NULL);
        if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0) {
                printf("%s\n", strerror(errno));
                return 77;
        }

        puts("ready");
        (void) fflush(stdout);
        n = count(pid, strtoul(argv[2], NULL, 10), &last);
        printf("%lu %s\n", n, last);
        return 0;
}
