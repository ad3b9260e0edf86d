/*
 * What the tests of multi-socket-backend share: the other side of the socket
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "qemu/atomic.h"
#include "multi-socket-util.h"

#define DEADLINE_MS (DEADLINE_S * 1000)

static char *directory;
static char *path;

const char *socket_path(void)
{
    if (!path) {
        directory = g_dir_make_tmp("multi-socket-XXXXXX", NULL);
        g_assert_nonnull(directory);
        path = g_build_filename(directory, "socket", NULL);
    }
    return path;
}

void socket_remove(void)
{
    if (path) {
        unlink(path);
        g_rmdir(directory);
        g_clear_pointer(&path, g_free);
        g_clear_pointer(&directory, g_free);
    }
}

void master_start(Side *side, const char *more)
{
    g_autofree char *args = g_strdup_printf(
        "-nodefaults -machine virt,memory-backend=mem -m 256M -cpu cortex-a15"
        " -object multi-socket-backend,id=foo,listen=on,path=%s%s"
        " -object memory-backend-shared,id=mem,size=256M,chardev=foo,master=on"
        " -device idm_ipi,master=true,memdev=mem,socket=foo",
        socket_path(), more);

    side_start_args(side, &idm_virt, false, args);
}

void slave_start(Side *side, const char *more)
{
    g_autofree char *args = g_strdup_printf(
        "-nodefaults -machine virt,slave=on,memory-backend=mem -m 16M"
        " -cpu cortex-a15"
        " -object multi-socket-backend,id=foo,path=%s%s"
        " -object memory-backend-shared,id=mem,size=16M,chardev=foo,master=off"
        " -device idm_ipi,master=false,memdev=mem,socket=foo",
        socket_path(), more);

    side_start_args(side, &idm_virt, true, args);
}

/* --- the connection --- */

static void fill_address(struct sockaddr_un *address)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    g_strlcpy(address->sun_path, socket_path(), sizeof(address->sun_path));
}

static void peer_init(Peer *p, int fd)
{
    memset(p, 0, sizeof(*p));
    p->fd = fd;
    g_assert_cmpint(fd, >=, 0);
}

void peer_connect(Peer *p)
{
    struct sockaddr_un address;

    fill_address(&address);
    peer_init(p, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    g_assert_cmpint(connect(p->fd, (struct sockaddr *)&address,
                            sizeof(address)), ==, 0);
}

int peer_listen(void)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fill_address(&address);
    unlink(socket_path());
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)),
                    ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

static void wait_readable(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };

    g_assert_cmpint(poll(&pfd, 1, DEADLINE_MS), ==, 1);
}

void peer_accept(Peer *p, int listener)
{
    wait_readable(listener);
    peer_init(p, accept(listener, NULL, NULL));
}

static void peer_close_fds(Peer *p)
{
    for (unsigned i = 0; i < p->nfds; i++) {
        close(p->fds[i]);
    }
    p->nfds = 0;
}

void peer_close(Peer *p)
{
    peer_close_fds(p);
    if (p->page) {
        munmap(p->page, HET_PAGE_SIZE);
        p->page = NULL;
    }
    close(p->fd);
    p->fd = -1;
}

/* The other side may have ended it meanwhile, which is what it is tested for */
void peer_send_raw(Peer *p, const void *data, size_t size)
{
    ssize_t n = send(p->fd, data, size, MSG_NOSIGNAL);

    g_assert(n > 0 || (n < 0 && (errno == EPIPE || errno == ECONNRESET)));
}

void peer_send_fds(Peer *p, MultiSocketType type, uint32_t serial,
                   const void *body, size_t size, const int *fds,
                   unsigned nfds)
{
    MultiSocketHeader header = {
        .magic = MULTI_SOCKET_MAGIC,
        .version = MULTI_SOCKET_VERSION,
        .type = type,
        .length = size,
        .serial = serial,
    };
    struct iovec iov[] = {
        { .iov_base = &header, .iov_len = sizeof(header) },
        { .iov_base = (void *)body, .iov_len = size },
    };
    union {
        struct cmsghdr align;
        char data[CMSG_SPACE(64 * sizeof(int))];
    } control = { };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

    if (nfds) {
        struct cmsghdr *cmsg = &control.align;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
    }
    g_assert_cmpint(sendmsg(p->fd, &msg, MSG_NOSIGNAL), ==,
                    sizeof(header) + size);
}

void peer_send(Peer *p, MultiSocketType type, uint32_t serial,
               const void *body, size_t size)
{
    peer_send_fds(p, type, serial, body, size, NULL, 0);
}

static void peer_keep_fds(Peer *p, struct msghdr *msg)
{
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

    g_assert_false(msg->msg_flags & MSG_CTRUNC);
    if (cmsg) {
        peer_close_fds(p);
        g_assert_cmpint(cmsg->cmsg_type, ==, SCM_RIGHTS);
        p->nfds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(p->fds, CMSG_DATA(cmsg), p->nfds * sizeof(int));
    }
}

static void peer_read(Peer *p, void *to, size_t size)
{
    for (size_t have = 0; have < size;) {
        union {
            struct cmsghdr align;
            char data[CMSG_SPACE(sizeof(p->fds))];
        } control;
        struct iovec iov = { .iov_base = (char *)to + have,
                             .iov_len = size - have };
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1,
            .msg_control = &control, .msg_controllen = sizeof(control),
        };
        ssize_t n;

        wait_readable(p->fd);
        n = recvmsg(p->fd, &msg, MSG_CMSG_CLOEXEC);
        g_assert_cmpint(n, >, 0);
        peer_keep_fds(p, &msg);
        have += n;
    }
}

void peer_expect(Peer *p, MultiSocketType type)
{
    peer_read(p, &p->header, sizeof(p->header));
    g_assert_cmphex(p->header.magic, ==, MULTI_SOCKET_MAGIC);
    g_assert_cmpint(p->header.version, ==, MULTI_SOCKET_VERSION);
    g_assert_cmpint(p->header.type, ==, type);
    g_assert_cmpint(p->header.length, <=, sizeof(p->body));
    peer_read(p, &p->body, p->header.length);
}

void peer_wait_end(Peer *p)
{
    char byte;
    ssize_t n;

    wait_readable(p->fd);
    n = recv(p->fd, &byte, 1, 0);
    /* What was sent and not read makes a reset of it */
    g_assert(n == 0 || (n < 0 && errno == ECONNRESET));
}

void peer_expect_end(Peer *p)
{
    peer_wait_end(p);
    peer_close(p);
}

/* --- as a slave --- */

void peer_hello(Peer *p, uint32_t id, uint64_t size, uint64_t address)
{
    MultiSocketHello hello = { .id = id, .size = size, .address = address };

    peer_send(p, MULTI_SOCKET_HELLO, 0, &hello, sizeof(hello));
}

void peer_state(Peer *p, uint32_t state)
{
    qatomic_set_mb(&p->page->slave.state, state);
    wake(p->fds[MULTI_SOCKET_FD_TX]);
}

void peer_refused(uint32_t id, uint64_t size, uint64_t address,
                  const char *text)
{
    Peer p;

    peer_connect(&p);
    peer_hello(&p, id, size, address);
    peer_expect(&p, MULTI_SOCKET_REFUSE);
    if (!strstr(p.body.refuse.text, text)) {
        g_error("wanted '%s', got '%s'", text, p.body.refuse.text);
    }
    peer_expect_end(&p);
}

void peer_attach(Peer *p, uint32_t id, uint32_t state)
{
    peer_connect(p);
    peer_hello(p, id, WINDOW_SIZE, MULTI_SOCKET_ANY);
    peer_expect(p, MULTI_SOCKET_WELCOME);
    g_assert_cmpint(p->nfds, ==, MULTI_SOCKET_FD__MAX);
    p->page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                   p->fds[MULTI_SOCKET_FD_PAGE], 0);
    g_assert(p->page != MAP_FAILED);
    peer_state(p, state);
}

void peer_result(Peer *p, uint32_t serial, uint32_t result)
{
    MultiSocketResult body = { .result = result, .text = "the test says so" };

    peer_send(p, MULTI_SOCKET_RESULT, serial, &body, sizeof(body));
}

/* --- what QMP tells --- */

void wait_event(Side *side, const char *name, uint32_t id)
{
    QDict *event = qtest_qmp_eventwait_ref(side->qts, name);
    QDict *data = qdict_get_qdict(event, "data");

    g_assert_cmpint(qdict_get_int(data, "id"), ==, id);
    qobject_unref(event);
}

void wait_state(Side *side, const char *state)
{
    bool found = false;

    while (!found) {
        QDict *event = qtest_qmp_eventwait_ref(side->qts, "HET_SLAVE_STATE");

        found = !strcmp(qdict_get_str(qdict_get_qdict(event, "data"), "state"),
                        state);
        qobject_unref(event);
    }
}
