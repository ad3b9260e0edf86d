/*
 * multi-socket-backend: a heterogeneous platform without a broker
 *
 * The master listens on a UNIX socket, slaves connect to it. Over it go the
 * memory, the couples and what the master's guest asks for; IPIs do not.
 * backends/multi-socket.c is the object, the files beside it are the two
 * sides; memory-backend-shared and the IDM name it.
 *
 * The protocol, version 1. All numbers are in host byte order: a connection
 * never leaves its host. A message is a MultiSocketHeader, and a body of
 * exactly the length that its type has. What is reserved is 0, and ignored.
 * File descriptors come as SCM_RIGHTS with the first byte of a message.
 *
 * A slave connects and says HELLO. The master answers with WELCOME, or with
 * REFUSE and the end of the connection. From then on the master sends BOOT and
 * STOP, each with a serial number of its own, one at a time; the slave
 * answers with RESULT and that number. What the master has asked is void when
 * it asks again. The end of the connection is the end of the couple:
 * a slave then stops, gives back its memory and tries to connect again.
 *
 * Both sides take each other for hostile: any other message, in any other
 * order, ends the connection, and so does one that does not come in time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef SYSTEM_MULTI_SOCKET_H
#define SYSTEM_MULTI_SOCKET_H

#define MULTI_SOCKET_MAGIC      0x4d544548u     /* "HETM" in memory order */
#define MULTI_SOCKET_VERSION    1u
#define MULTI_SOCKET_ANY        UINT64_MAX      /* an address to be chosen */
#define MULTI_SOCKET_TEXT       128             /* with the 0 at its end */

typedef struct MultiSocketHeader {
    uint32_t magic;
    uint16_t version;
    uint16_t type;          /* MultiSocketType */
    uint32_t length;        /* of the body, in bytes */
    uint32_t serial;        /* of a request; else 0 */
} MultiSocketHeader;

typedef enum MultiSocketType {
    MULTI_SOCKET_HELLO = 1,     /* slave: who it is, what it wants */
    MULTI_SOCKET_WELCOME,       /* master: what it gets */
    MULTI_SOCKET_REFUSE,        /* master: why it gets nothing */
    MULTI_SOCKET_BOOT,          /* master: as het-slave-boot */
    MULTI_SOCKET_STOP,          /* master: as het-slave-stop; has no body */
    MULTI_SOCKET_RESULT,        /* slave: what became of it */
    MULTI_SOCKET_TYPE__MAX,
} MultiSocketType;

typedef struct MultiSocketHello {
    uint32_t id;            /* number of the slave, 0: the smallest free one */
    uint32_t reserved;
    uint64_t size;          /* of its memory, in bytes */
    uint64_t address;       /* of its window in the master, or ANY */
} MultiSocketHello;

/* The file descriptors that come with WELCOME, in this order */
typedef enum MultiSocketFd {
    MULTI_SOCKET_FD_MEMORY,     /* all of the master's */
    MULTI_SOCKET_FD_PAGE,       /* see hw/misc/het-page.h */
    MULTI_SOCKET_FD_RX,         /* eventfds, as the slave uses them */
    MULTI_SOCKET_FD_TX,
    MULTI_SOCKET_FD_RX_HALT,
    MULTI_SOCKET_FD_TX_HALT,
    MULTI_SOCKET_FD__MAX,
} MultiSocketFd;

typedef struct MultiSocketWelcome {
    uint32_t id;
    uint32_t reserved;
    uint64_t offset;        /* of the window in MULTI_SOCKET_FD_MEMORY */
    uint64_t size;          /* as asked for */
    uint64_t address;       /* of the window in the master: the bus address */
} MultiSocketWelcome;

typedef struct MultiSocketRefuse {
    char text[MULTI_SOCKET_TEXT];
} MultiSocketRefuse;

typedef struct MultiSocketBoot {
    uint64_t entry;
    uint64_t argument;
    uint64_t resource_table;
    uint32_t protocol;      /* HetBootProtocol */
    uint32_t reserved;
} MultiSocketBoot;

typedef struct MultiSocketResult {
    uint32_t result;        /* HetRequestResult: done, refused or failed */
    uint32_t reserved;
    char text[MULTI_SOCKET_TEXT];   /* why not */
} MultiSocketResult;

typedef union MultiSocketBody {
    MultiSocketHello hello;
    MultiSocketWelcome welcome;
    MultiSocketRefuse refuse;
    MultiSocketBoot boot;
    MultiSocketResult result;
} MultiSocketBody;

QEMU_BUILD_BUG_ON(sizeof(MultiSocketHeader) != 16);
QEMU_BUILD_BUG_ON(sizeof(MultiSocketHello) != 24);
QEMU_BUILD_BUG_ON(sizeof(MultiSocketWelcome) != 32);
QEMU_BUILD_BUG_ON(sizeof(MultiSocketRefuse) != 128);
QEMU_BUILD_BUG_ON(sizeof(MultiSocketBoot) != 32);
QEMU_BUILD_BUG_ON(sizeof(MultiSocketResult) != 136);

#endif
