/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Datagrams that nothing waits for. See outbox.h. */

#include "outbox.h"

#include "util/fd-util.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct Message {
        size_t size;
        int fd;                         /* ours; negative: none */
        char data[];
} Message;

struct Outbox {
        struct sockaddr_un address;
        socklen_t address_size;
        int fd;                         /* connected, so that it can be waited for room; -EBADF: it is to be made */
        size_t max_messages, max_fds, n_fds;
        GQueue queue;                   /* of Message */
        sd_event *event;
        sd_event_source *room;          /* while something waits */
        void (*taken)(void);
        unsigned *lost;                 /* of the owner: how many there were */
};

static void message_free(Message *message) {
        if (!message)
                return;

        fd_close(message->fd);
        g_free(message);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Message, message_free)

static void disconnect(Outbox *o) {
        o->room = sd_event_source_disable_unref(o->room);
        o->fd = fd_close(o->fd);
}

Outbox *outbox_new(const char *address, size_t max_messages, size_t max_fds, unsigned *lost) {
        size_t length = strlen(address);
        Outbox *o;

        if ((address[0] != '/' && address[0] != '@') || length < 2 || length >= sizeof(o->address.sun_path))
                return NULL;

        o = g_new0(Outbox, 1);
        o->address.sun_family = AF_UNIX;
        memcpy(o->address.sun_path, address, length);
        if (address[0] == '@')
                o->address.sun_path[0] = '\0';
        o->address_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length + (address[0] == '/'));
        o->fd = -EBADF;
        o->max_messages = max_messages;
        o->max_fds = max_fds;
        o->lost = lost;
        g_queue_init(&o->queue);
        return o;
}

Outbox *outbox_free(Outbox *o) {
        if (!o)
                return NULL;

        disconnect(o);
        g_queue_clear_full(&o->queue, (GDestroyNotify) message_free);
        sd_event_unref(o->event);
        g_free(o);
        return NULL;
}

static int reach(Outbox *o) {
        HET_AUTO_FD int fd = -EBADF;

        if (o->fd >= 0)
                return 0;

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &o->address, o->address_size) < 0)
                return -errno;

        o->fd = fd_take(&fd);
        return 0;
}

static int send_once(Outbox *o, const void *data, size_t size, int fd) {
        ssize_t n = reach(o);

        if (n >= 0)
                n = fd_send(o->fd, data, size, &fd, fd >= 0, MSG_DONTWAIT);
        return (int) MIN(n, 0);
}

/* -EAGAIN: there is no room now */
static int send_now(Outbox *o, const void *data, size_t size, int fd) {
        int r = send_once(o, data, size, fd);

        /* The other one may have been started again, with a socket of its own in the same place */
        if (r == -ECONNREFUSED || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE) {
                disconnect(o);
                r = send_once(o, data, size, fd);
        }

        return r;
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata);

/* What waits, in order, as far as there is room. What nobody is there for is lost. */
static void send_waiting(Outbox *o) {
        Message *message;

        while ((message = g_queue_peek_head(&o->queue))) {
                int r = send_now(o, message->data, message->size, message->fd);

                if (r == -EAGAIN)
                        break;
                *o->lost += r < 0;
                o->n_fds -= message->fd >= 0;
                message_free(g_queue_pop_head(&o->queue));
        }

        /* Where that cannot be waited for, the next message has them sent */
        if (!message)
                o->room = sd_event_source_disable_unref(o->room);
        else if (o->event && !o->room)
                (void) sd_event_add_io(o->event, &o->room, o->fd, EPOLLOUT, on_room, o);
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Outbox *o = userdata;

        send_waiting(o);
        if (o->queue.length == 0 && o->taken)
                o->taken();
        return 0;
}

void outbox_attach(Outbox *o, sd_event *event, void (*taken)(void)) {
        o->event = sd_event_ref(event);
        o->taken = taken;
        send_waiting(o);
}

static bool keep(Outbox *o, const void *data, size_t size, int fd) {
        g_autoptr(Message) message = NULL;

        if (o->queue.length >= o->max_messages || (fd >= 0 && o->n_fds >= o->max_fds))
                return false;

        message = g_malloc(sizeof(Message) + size);
        message->size = size;
        message->fd = fd < 0 ? -EBADF : fd_dup_cloexec(fd);
        memcpy(message->data, data, size);
        if (fd >= 0 && message->fd < 0)
                return false;

        o->n_fds += fd >= 0;
        g_queue_push_tail(&o->queue, g_steal_pointer(&message));
        send_waiting(o);
        return true;
}

bool outbox_send(Outbox *o, const void *data, size_t size, int fd) {
        int r = -EAGAIN;
        bool good;

        send_waiting(o);
        if (o->queue.length == 0)
                r = send_now(o, data, size, fd);
        good = r == -EAGAIN ? keep(o, data, size, fd) : r >= 0;
        *o->lost += !good;
        return good;
}

bool outbox_is_empty(const Outbox *o) {
        return o->queue.length == 0;
}

void outbox_flush(Outbox *o, uint64_t usec) {
        const int64_t end = g_get_monotonic_time() + (int64_t) usec;
        int64_t left;

        for (send_waiting(o); o->queue.length > 0 && (left = end - g_get_monotonic_time()) > 0; send_waiting(o)) {
                struct pollfd room = { .fd = o->fd, .events = POLLOUT };

                (void) poll(&room, 1, (int) (left / 1000) + 1);
        }
}
