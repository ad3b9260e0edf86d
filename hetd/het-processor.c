/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the template unit of processors executes.
 *
 *   het-processor SOCKET               connects to hetd there, is given file descriptors and arguments, and executes QEMU
 *   het-processor --register NAME PID  tells systemd-machined of it, if that is there; with the rights of root
 *
 * See spawn-unit.c, which is the other side.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/sd-cleanup.h"

#define ARGUMENTS_MAX           (16 * 1024 * 1024)
#define REGISTER_USEC           (5 * G_USEC_PER_SEC)

typedef enum Given { GIVEN_MONITOR, GIVEN_OUTPUT, GIVEN_ARGUMENTS, _GIVEN_MAX } Given;

/* --- QEMU --- */

static int connect_to(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
                fprintf(stderr, "het-processor: %s: %s\n", path, g_strerror(fd < 0 ? errno : ENAMETOOLONG));
                return -1;
        }

        strcpy(address.sun_path, path);
        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                fprintf(stderr, "het-processor: %s: %s: hetd has not started this unit, or is gone; hetctl starts processors\n", path,
                        g_strerror(errno));
                return -1;
        }

        return fd;
}

/* Waits for hetd to have written down who we are. 0: it does not want us any more. */
static int receive(int connection, int fds[static _GIVEN_MAX]) {
        char byte;
        struct iovec data = { .iov_base = &byte, .iov_len = 1 };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(_GIVEN_MAX * sizeof(int))];
        } control;
        struct msghdr message = {
                .msg_iov = &data,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        const struct cmsghdr *header;
        ssize_t n;

        do
                n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : 0;

        header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(_GIVEN_MAX * sizeof(int)))
                return -EBADMSG;

        memcpy(fds, CMSG_DATA(header), _GIVEN_MAX * sizeof(int));
        return 1;
}

/* They live as long as the process */
static char **map_arguments(int fd) {
        GPtrArray *argv = g_ptr_array_new();
        struct stat st;
        char *text;

        if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > ARGUMENTS_MAX)
                return NULL;

        text = mmap(NULL, (size_t) st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        if (text == MAP_FAILED || text[st.st_size - 1] != '\0')
                return NULL;

        for (char *word = text; word < text + st.st_size; word += strlen(word) + 1)
                g_ptr_array_add(argv, word);
        g_ptr_array_add(argv, NULL);
        return (char **) g_ptr_array_free(argv, FALSE);
}

static int execute(const int fds[static _GIVEN_MAX]) {
        char **argv = map_arguments(fds[GIVEN_ARGUMENTS]);

        if (!argv)
                return -EBADMSG;

        if (dup2(fds[GIVEN_MONITOR], STDIN_FILENO) >= 0 && dup2(fds[GIVEN_OUTPUT], STDOUT_FILENO) >= 0 &&
            dup2(fds[GIVEN_OUTPUT], STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) >= 0)
                (void) execv(argv[0], argv);
        return -errno;
}

static int run(const char *path) {
        int connection = connect_to(path), fds[_GIVEN_MAX], r, number;

        if (connection < 0)
                return EXIT_SUCCESS;    /* nobody waits for it: that is no failure of the unit */

        r = receive(connection, fds);
        if (r == 0)
                return EXIT_SUCCESS;
        if (r > 0)
                r = execute(fds);

        number = -r;
        if (send(connection, &number, sizeof(number), MSG_NOSIGNAL) < 0)
                fprintf(stderr, "het-processor: %s\n", g_strerror(number));
        return 127;
}

/* --- systemd-machined --- */

/* Names of machines are those of hosts: letters, digits and dashes */
static char *machine_name(const char *name) {
        char *machine = g_strdup(name);

        return g_strcanon(machine, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS, '-');
}

static int register_machine(const char *name, const char *number) {
        g_autofree char *machine = machine_name(name);
        uint32_t pid = (uint32_t) strtoul(number, NULL, 10);
        g_auto(sd_bus_error) error = {};
        g_autoptr(sd_bus) bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, REGISTER_USEC);
        if (r >= 0)
                r = sd_bus_call_method(bus, "org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager",
                                       "RegisterMachine", &error, NULL, "sayssus", machine, 0, "qemu-het", "vm", pid, "");
        if (r >= 0 || sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN))
                return EXIT_SUCCESS;

        fprintf(stderr, "het-processor: %s is not shown by machinectl: %s\n", machine, error.message ?: g_strerror(-r));
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        if (argc == 2 && argv[1][0] == '/')
                return run(argv[1]);
        if (argc == 4 && g_str_equal(argv[1], "--register"))
                return register_machine(argv[2], argv[3]);

        fprintf(stderr, "Usage: het-processor SOCKET\n"
                        "       het-processor --register NAME PID\n\n"
                        "The unit het-processor@.service executes this; hetctl(1) starts processors.\n");
        return 2;
}
