/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes as what comes from the other side of multi-socket-backend, with file descriptors of any kind: slaves of a QEMU that is
 * the master, or the master of one that is a slave. QEMU lives, and the next slave that keeps to the protocol gets its memory; the slave
 * comes again.
 */

#define QEMU_BUILD_BUG_ON(condition) _Static_assert(!(condition), #condition)

#include "fuzz.h"
#include "qemu.h"
#include "util/fd-util.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <hw/misc/het-page.h>
#include <hw/misc/idm-regs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system/multi-socket.h>
#include <unistd.h>

#define STEPS_MAX 100
#define PEERS_MAX 3
#define FDS_MAX 8
#define IDM 0x0c000000U
#define MIB 0x100000U
#define WINDOW (16 * MIB)
#define DEADLINE_MS 30000       /* for what must come; the fuzzer has a limit of its own */
#define SLAVE_FROM 0xe0         /* such inputs are for the slave, which comes again only after a while */

typedef struct Peer {
        int fd;                 /* -1: none */
        HetPage *page;          /* of WELCOME */
} Peer;

static Peer peers[PEERS_MAX] = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } };
static char *directory;
static Qemu *master, *slave;
static int listener = -1;

/* --- sockets --- */

static struct sockaddr_un address_of(const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
        return address;
}

static void remove_directory(void) {
        (void) unlink(address_of("master").sun_path);
        (void) unlink(address_of("slave").sun_path);
        (void) rmdir(directory);
}

static void wait_readable(int fd, const char *what) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        if (TEMP_FAILURE_RETRY(poll(&poll_fd, 1, DEADLINE_MS)) != 1)
                fuzz_fail("QEMU does not %s", what);
}

static void peer_close(Peer *peer) {
        if (peer->page)
                (void) munmap(peer->page, HET_PAGE_SIZE);
        if (peer->fd >= 0)
                close(peer->fd);
        *peer = (Peer) { .fd = -1 };
}

static void peer_connect(Peer *peer) {
        struct sockaddr_un address = address_of("master");

        peer_close(peer);
        peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(peer->fd, >=, 0);
        g_assert_cmpint(TEMP_FAILURE_RETRY(connect(peer->fd, (struct sockaddr *) &address, sizeof(address))), ==, 0);
}

/* QEMU may have ended the connection, or may not read any more: both are as good as having sent it */
static void peer_send(const Peer *peer, const void *data, size_t size, const int *fds, unsigned n_fds) {
        (void) fd_send(peer->fd, data, size, fds, n_fds, MSG_DONTWAIT);
}

/* What has arrived; of its fds the page of a WELCOME is kept, if that is what they are. How much there was */
static ssize_t peer_receive(Peer *peer, int flags) {
        union {
                struct cmsghdr align;
                char data[CMSG_SPACE(FDS_MAX * sizeof(int))];
        } control;
        char data[4096];
        struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t size = TEMP_FAILURE_RETRY(recvmsg(peer->fd, &message, flags | MSG_CMSG_CLOEXEC));
        struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
        unsigned n_fds = header ? (unsigned) ((header->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;

        for (unsigned n = 0; n < n_fds; n++) {
                int fd;

                memcpy(&fd, CMSG_DATA(header) + n * sizeof(int), sizeof(int));
                if (n == MULTI_SOCKET_FD_PAGE && !peer->page) {
                        peer->page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                        g_assert_true(peer->page != MAP_FAILED);
                }
                close(fd);
        }
        return size;
}

/* --- file descriptors of any kind --- */

static int make_memfd(size_t size, int seals) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        g_assert_cmpint(ftruncate(fd, (off_t) size), ==, 0);
        g_assert_cmpint(fcntl(fd, F_ADD_SEALS, seals), ==, 0);
        return fd;
}

static int make_page(void) {
        int fd = make_memfd(HET_PAGE_SIZE, F_SEAL_SHRINK | F_SEAL_GROW);
        HetPage page = { .magic = HET_PAGE_MAGIC, .version = HET_PAGE_VERSION, .id = 1 };

        g_assert_cmpint(pwrite(fd, &page, sizeof(page), 0), ==, sizeof(page));
        return fd;
}

static int make_fd(uint8_t kind) {
        switch (kind % 8) {
        case 0:
                return make_memfd(WINDOW, F_SEAL_SHRINK | F_SEAL_GROW);
        case 1:
                return make_page();
        case 2:
        case 3:
                return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        case 4:
                return eventfd(0, EFD_CLOEXEC);
        case 5:
                return make_memfd(kind * 0x100U, 0);
        case 6:
                return open("/", O_PATH | O_CLOEXEC);
        default:
                return open("/dev/null", O_RDWR | O_CLOEXEC);
        }
}

/* Those that WELCOME comes with; what the input says in the place of some of them */
static unsigned take_fds(Bytes *bytes, int fds[FDS_MAX]) {
        static const uint8_t right[MULTI_SOCKET_FD__MAX] = { 0, 1, 2, 2, 2, 2 };
        uint8_t how = (uint8_t) bytes_take(bytes, 1);
        unsigned n_fds = how & 0x80 ? MULTI_SOCKET_FD__MAX : how % (FDS_MAX + 1);

        for (unsigned n = 0; n < n_fds; n++) {
                bool as_it_should_be = n < MULTI_SOCKET_FD__MAX && !(how >> n & 1);

                fds[n] = make_fd(as_it_should_be ? right[n] : (uint8_t) bytes_take(bytes, 1));
                g_assert_cmpint(fds[n], >=, 0);
        }
        return n_fds;
}

/* --- messages --- */

static const size_t sizes[MULTI_SOCKET_TYPE__MAX] = {
        [MULTI_SOCKET_HELLO] = sizeof(MultiSocketHello),   [MULTI_SOCKET_WELCOME] = sizeof(MultiSocketWelcome),
        [MULTI_SOCKET_REFUSE] = sizeof(MultiSocketRefuse), [MULTI_SOCKET_BOOT] = sizeof(MultiSocketBoot),
        [MULTI_SOCKET_RESULT] = sizeof(MultiSocketResult),
};

/* Numbers that are likely to be taken, unless the input says others */
static void fill_body(MultiSocketBody *body, MultiSocketType type, uint8_t how, Bytes *bytes) {
        uint8_t n = (uint8_t) bytes_take(bytes, 1);

        if (type == MULTI_SOCKET_HELLO)
                body->hello = (MultiSocketHello) { .id = n & 3, .size = WINDOW >> (n >> 6), .address = MULTI_SOCKET_ANY };
        else if (type == MULTI_SOCKET_WELCOME)
                body->welcome = (MultiSocketWelcome) { .id = 1, .size = WINDOW, .address = 0x40000000 };
        else if (type == MULTI_SOCKET_BOOT)
                body->boot = (MultiSocketBoot) { .entry = 0x40000000, .protocol = n & 3 };
        else if (type == MULTI_SOCKET_RESULT)
                body->result = (MultiSocketResult) { .result = n & 3, .text = "the input says so" };
        if (how & 4) {
                uint8_t *place = (uint8_t *) body + n % (sizeof(*body) - 8);

                for (unsigned i = 0; i < 8; i++)
                        place[i] = (uint8_t) bytes_take(bytes, 1);
        }
}

static void send_message(const Peer *peer, Bytes *bytes, bool from_master) {
        struct {
                MultiSocketHeader header;
                MultiSocketBody body;
        } message = {};
        uint8_t how = (uint8_t) bytes_take(bytes, 1);
        MultiSocketType type = (how >> 3) % MULTI_SOCKET_TYPE__MAX;
        size_t size = sizeof(message.header) + sizes[type];
        int fds[FDS_MAX];
        unsigned n_fds = 0;

        message.header = (MultiSocketHeader) { .magic = MULTI_SOCKET_MAGIC, .version = MULTI_SOCKET_VERSION, .type = (uint16_t) type,
                                               .length = (uint32_t) sizes[type], .serial = (uint32_t) bytes_take(bytes, 1) };
        fill_body(&message.body, type, how, bytes);
        if (how & 1) {          /* some part of the header is something else */
                uint8_t where = (uint8_t) bytes_take(bytes, 1) % sizeof(message.header);

                ((uint8_t *) &message.header)[where] = (uint8_t) bytes_take(bytes, 1);
        }
        if (how & 2)            /* it is cut, or has something after it */
                size = 1 + bytes_take(bytes, 1) % sizeof(message);
        if ((how & 4) || (from_master && type == MULTI_SOCKET_WELCOME))
                n_fds = take_fds(bytes, fds);

        peer_send(peer, &message, size, fds, n_fds);
        for (unsigned n = 0; n < n_fds; n++)
                close(fds[n]);
}

static void send_bytes(const Peer *peer, Bytes *bytes) {
        uint8_t data[64], n = 1 + (uint8_t) bytes_take(bytes, 1) % sizeof(data);

        for (unsigned i = 0; i < n; i++)
                data[i] = (uint8_t) bytes_take(bytes, 1);
        peer_send(peer, data, n, NULL, 0);
}

static void write_page(const Peer *peer, Bytes *bytes) {
        uint32_t n = (uint32_t) bytes_take(bytes, 1), value = (uint32_t) bytes_take(bytes, 4);

        if (peer->page)
                __atomic_store_n((uint32_t *) peer->page + n % (sizeof(HetPage) / sizeof(uint32_t)), value, __ATOMIC_SEQ_CST);
}

/* --- QEMU is the master --- */

static void start_master(void) {
        g_autofree char *object = g_strdup_printf("multi-socket-backend,id=foo,listen=on,path=%s", address_of("master").sun_path);
        const char *arguments[] = { "-machine", "virt,memory-backend=mem", "-m", "256M", "-cpu", "cortex-a15", "-object", object, "-object",
                                    "memory-backend-shared,id=mem,size=256M,chardev=foo,master=on", "-device",
                                    "idm_ipi,master=true,memdev=mem,socket=foo", NULL };

        master = qemu_start(arguments);
        qemu_must(master, -1, "{\"execute\":\"query-het\"}");
}

/* The guest asks for a slave's boot, or its stop */
static void ask_for(Bytes *bytes) {
        uint8_t how = (uint8_t) bytes_take(bytes, 1);
        uint32_t block = IDM + IDM_COUPLE(1U + (how & 3)), parameter = (uint32_t) bytes_take(bytes, 2) << 16;

        qemu_write(master, 'l', block + IDM_CONTROL + 4 + (how >> 2 & 0xc), parameter);
        qemu_write(master, 'l', block + IDM_CONTROL, how >> 6);
}

static void run_slaves(Bytes *bytes) {
        for (unsigned n = 0; n < STEPS_MAX && bytes->left > 0; n++) {
                uint8_t what = (uint8_t) bytes_take(bytes, 1);
                Peer *peer = &peers[what % PEERS_MAX];

                if (what >= 0xf0)
                        peer_close(peer);
                else if (what >= 0xd0)
                        ask_for(bytes);
                else if (peer->fd < 0)
                        peer_connect(peer);
                else if (what >= 0xb0)
                        write_page(peer, bytes);
                else if (what >= 0xa0)
                        send_bytes(peer, bytes);
                else if (what >= 0x80)
                        (void) peer_receive(peer, MSG_DONTWAIT);
                else
                        send_message(peer, bytes, false);
                qemu_settle(master, IDM);
        }
}

/* One that keeps to the protocol gets its memory */
static void check_master(void) {
        struct {
                MultiSocketHeader header;
                MultiSocketHello hello;
        } message = {
                .header = { .magic = MULTI_SOCKET_MAGIC, .version = MULTI_SOCKET_VERSION, .type = MULTI_SOCKET_HELLO,
                            .length = sizeof(MultiSocketHello) },
                .hello = { .size = WINDOW, .address = MULTI_SOCKET_ANY },
        };

        for (unsigned n = 0; n < PEERS_MAX; n++)
                peer_close(&peers[n]);
        qemu_settle(master, IDM);
        qemu_coverage_end();
        peer_connect(&peers[0]);
        peer_send(&peers[0], &message, sizeof(message), NULL, 0);
        wait_readable(peers[0].fd, "give a slave its memory");
        (void) peer_receive(&peers[0], 0);
        if (!peers[0].page)
                fuzz_fail("a slave that keeps to the protocol got no page");
        peer_close(&peers[0]);
        qemu_settle(master, IDM);
}

/* --- QEMU is the slave --- */

static void start_slave(void) {
        struct sockaddr_un address = address_of("slave");
        g_autofree char *object = g_strdup_printf("multi-socket-backend,id=foo,path=%s", address.sun_path);
        const char *arguments[] = { "-machine", "virt,slave=on,memory-backend=mem", "-m", "16M", "-cpu", "cortex-a15", "-object", object,
                                    "-object", "memory-backend-shared,id=mem,size=16M,chardev=foo,master=off", "-device",
                                    "idm_ipi,master=false,memdev=mem,socket=foo", NULL };

        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(bind(listener, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(listener, 4), ==, 0);
        slave = qemu_start(arguments);
}

static void run_master(Bytes *bytes) {
        Peer peer = { .fd = -1 };

        wait_readable(listener, "come again as a slave");
        peer.fd = (int) TEMP_FAILURE_RETRY(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        g_assert_cmpint(peer.fd, >=, 0);
        wait_readable(peer.fd, "say hello as a slave");
        g_assert_cmpint(peer_receive(&peer, 0), ==, sizeof(MultiSocketHeader) + sizeof(MultiSocketHello));
        qemu_coverage_begin();
        for (unsigned n = 0; n < STEPS_MAX && bytes->left > 0; n++) {
                uint8_t what = (uint8_t) bytes_take(bytes, 1);

                if (what >= 0xf0)
                        (void) peer_receive(&peer, MSG_DONTWAIT);
                else if (what >= 0xe0)
                        send_bytes(&peer, bytes);
                else
                        send_message(&peer, bytes, true);
                qemu_settle(slave, IDM);
        }
        peer_close(&peer);
        qemu_settle(slave, IDM);
        qemu_coverage_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Bytes bytes = { data, size };
        uint8_t which = (uint8_t) bytes_take(&bytes, 1);

        if (!directory) {
                directory = g_dir_make_tmp("het-fuzz-XXXXXX", NULL);
                g_assert_nonnull(directory);
                (void) atexit(remove_directory);
        }
        if (which >= SLAVE_FROM) {
                if (!slave)
                        start_slave();
                run_master(&bytes);
        } else {
                if (!master)
                        start_master();
                qemu_coverage_begin();
                run_slaves(&bytes);
                check_master();
        }
        return 0;
}
