/*
 * What the tests of multi-socket-backend share: the other side of the socket
 *
 * The test is a slave of a QEMU that is the master, or the master of one
 * that is a slave, and does not keep to the protocol.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QTEST_MULTI_SOCKET_UTIL_H
#define QTEST_MULTI_SOCKET_UTIL_H

#include "idm-util.h"
#include "system/multi-socket.h"

#define MIB             0x100000u
#define RAM             0x40000000u
#define RAM_SIZE        (256 * MIB)
#define RAM_END         (RAM + RAM_SIZE)
#define WINDOW_SIZE     (16 * MIB)

/* A connection, and what came over it */
typedef struct Peer {
    int fd;
    MultiSocketHeader header;
    MultiSocketBody body;
    int fds[MULTI_SOCKET_FD__MAX];
    unsigned nfds;
    HetPage *page;          /* of WELCOME */
} Peer;

/* A path that is free, in a directory of the test's; the same for each call */
const char *socket_path(void);
void socket_remove(void);

/* QEMUs; more is put at the end of the options of multi-socket-backend */
void master_start(Side *side, const char *more);
void slave_start(Side *side, const char *more);

void peer_connect(Peer *p);
int peer_listen(void);
void peer_accept(Peer *p, int listener);
void peer_close(Peer *p);
void peer_send_raw(Peer *p, const void *data, size_t size);
void peer_send_fds(Peer *p, MultiSocketType type, uint32_t serial,
                   const void *body, size_t size, const int *fds,
                   unsigned nfds);
void peer_send(Peer *p, MultiSocketType type, uint32_t serial,
               const void *body, size_t size);
/* The next message; fails after a while. fds stay until others come. */
void peer_expect(Peer *p, MultiSocketType type);
/* The other side closes it, with nothing more said */
void peer_wait_end(Peer *p);
/* And so does this side */
void peer_expect_end(Peer *p);

/* --- as a slave --- */

void peer_hello(Peer *p, uint32_t id, uint64_t size, uint64_t address);
/* Connects, and is refused with this text */
void peer_refused(uint32_t id, uint64_t size, uint64_t address,
                  const char *text);
/* Connects, and is attached; publishes state, as a slave would */
void peer_attach(Peer *p, uint32_t id, uint32_t state);
void peer_state(Peer *p, uint32_t state);
void peer_result(Peer *p, uint32_t serial, uint32_t result);

/* Waits for an event that QMP has about slave id */
void wait_event(Side *side, const char *name, uint32_t id);
/* Waits for HET_SLAVE_STATE */
void wait_state(Side *side, const char *state);

/* multi-socket-slave-tests.c, multi-socket-pair-tests.c */
void add_slave_tests(void);
void add_pair_tests(void);
/* For machines whose memory is in parts */
void add_place_tests(void);

#endif
