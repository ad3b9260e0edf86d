/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The file descriptors of couples and windows come back from the QEMUs that have them: by QMP, over a socket made for it. That needs
 * no right to look into another process, works with a service manager's store of file descriptors and without, and with a QEMU of
 * another user. See adopt.h.
 */

#include "adopt.h"

#include "fd-store.h"
#include "log.h"
#include "util/fd-util.h"
#include "util/json-util.h"
#include "window.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPORT_FDS_MAX (COUPLE_FDS + 1)

typedef struct Export {
        Processor *from, *slave;
        int socket;
        DoneFunc done;
        void *userdata;
} Export;

static void close_all(int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                fds[i] = fd_close(fds[i]);
}

/* How many came, all of them ours now */
static size_t receive_fds(int socket, int fds[EXPORT_FDS_MAX]) {
        union {
                struct cmsghdr align;
                char data[CMSG_SPACE(sizeof(int) * EXPORT_FDS_MAX)];
        } control = {};
        char byte;
        struct iovec iov = { &byte, 1 };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct cmsghdr *c;
        size_t n;

        if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
                return 0;

        c = CMSG_FIRSTHDR(&message);
        if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                return 0;

        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), n * sizeof(int));
        return n;
}

/* A slave has what it gets from its master the other way round */
static void put_in_order(int fds[COUPLE_FDS], bool from_slave) {
        const int rx = fds[1], rx_halt = fds[3];

        if (!from_slave)
                return;

        fds[1] = fds[2];
        fds[2] = rx;
        fds[3] = fds[4];
        fds[4] = rx_halt;
}

static void take_couple(Export *export, int fds[COUPLE_FDS]) {
        Processor *slave = export->slave;
        g_autoptr(GError) error = NULL;

        put_in_order(fds, export->from == slave);
        if (couple_adopt(slave->config->id, fds, &slave->missing->couple, &slave->couple, &error)) {
                slave->couple->heartbeat_ms = processor_get_heartbeat_ms(slave);
                slave->missing->has_couple = false;
        } else
                processor_log(export->from, LOG_WARNING, "%s: %s", export->from->config->name, error->message);
}

static void take_window(Export *export, int *fd, uint64_t offset) {
        Processor *slave = export->slave;
        g_autoptr(GError) error = NULL;

        if (slave->config->read_only && export->from == slave)
                return;         /* it can only read it: that is not what we had */

        if (!window_memory_is(*fd, slave->missing->window))
                g_set_error(&error, HET_ERROR, HET_ERROR_PROTOCOL, "What was given back is not the window of %s", slave->config->name);
        if (error || !window_memory_check(*fd, offset, slave->config->window_size, &error)) {
                processor_log(export->from, LOG_WARNING, "%s: %s", export->from->config->name, error->message);
                return;
        }

        slave->window_fd = fd_take(fd);
        slave->window_offset = offset;
        fd_store_keep(slave->window_fd);        /* it was not there */
        slave->missing->window = 0;
}

static void take(Export *export, json_object *result) {
        ProcessorMissing *missing = export->slave->missing;
        int fds[EXPORT_FDS_MAX] = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF };
        size_t n = receive_fds(export->socket, fds);
        uint64_t offset = 0;

        /* Without those of halted vCPUs it is none of ours */
        if (missing && n >= COUPLE_FDS) {
                if (missing->window != 0 && n > COUPLE_FDS && json_get_uint64(result, "memory-offset", &offset))
                        take_window(export, &fds[COUPLE_FDS], offset);
                if (missing->has_couple)
                        take_couple(export, fds);
                if (!missing->has_couple && missing->window == 0)
                        g_clear_pointer(&export->slave->missing, g_free);
        }

        close_all(fds, EXPORT_FDS_MAX);
}

static void on_exported(QmpClient *client, json_object *result, const GError *error, void *userdata) {
        Export *export = userdata;
        DoneFunc done = export->done;
        void *done_userdata = export->userdata;

        if (result)
                take(export, result);
        else
                processor_log(export->from, LOG_DEBUG, "%s: %s", export->from->config->name, error->message);

        fd_close(export->socket);
        g_free(export);
        done(NULL, done_userdata);
}

static void ask(Processor *from, Processor *slave, DoneFunc done, void *userdata) {
        json_object *arguments = json_object_new_object();
        g_autoptr(GError) error = NULL;
        Export *export = g_new0(Export, 1);
        HET_AUTO_FD int theirs = -EBADF;
        int pair[2] = { -EBADF, -EBADF };

        export->from = from;
        export->slave = slave;
        export->done = done;
        export->userdata = userdata;
        (void) socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
        export->socket = pair[0];
        theirs = pair[1];

        const QmpClientFd fds[] = { { "socket", theirs } };

        json_add_uint64(arguments, "id", from == slave ? 0 : slave->config->id);
        if (qmp_client_call(from->monitor, "het-couple-export", arguments, fds, G_N_ELEMENTS(fds), 0, on_exported, export, &error) == 0)
                on_exported(from->monitor, NULL, error, export);
}

void adopt_fds(Processor *p, DoneFunc done, void *userdata) {
        Gather *gather = gather_new(done, userdata);

        for (guint i = 1; i < p->platform->processors->len; i++) {
                Processor *slave = p->platform->processors->pdata[i];

                if (slave->missing && (p == slave || processor_is_master(p)))
                        ask(p, slave, gather_done, gather_add(gather));
        }
        gather_close(gather);
}
