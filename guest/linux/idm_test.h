/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What programs say to idm_test_mod, which gives each slave of an IDM a device,
 * /dev/idm1 for slave 1 and so on, to be driven by hand.
 *
 *  mmap()   maps the slave's window, or a part of it: MAP_SHARED, the offset
 *           counts from its beginning. Not cached, writes are combined; what was
 *           written is there for the slave when a START or SEND returns.
 *  ioctl()  below.
 *  read()   waits until vectors have arrived or the slave's state has changed
 *           and gives one struct idm_test_event; with O_NONBLOCK it fails with
 *           EAGAIN where it would wait. A file receives from its first read() or
 *           poll() on, each file everything. What arrives while nobody receives
 *           is kept, up to the next START.
 *  poll()   POLLIN: a read() would not wait.
 *
 * Errors that may come from any of them:
 *  ENODEV   the slave is not attached to the master, or the driver is gone
 *  EINTR    a signal came; START and STOP are only ended by one that kills, and
 *           the request then goes on without its process
 */

#ifndef IDM_TEST_H
#define IDM_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Goes up when something is added. What is there keeps its meaning. */
#define IDM_TEST_VERSION	1

enum idm_test_state {
	IDM_TEST_STATE_OFFLINE	= 0,	/* no process */
	IDM_TEST_STATE_WAITING	= 1,	/* has no memory */
	IDM_TEST_STATE_READY	= 2,	/* can be started */
	IDM_TEST_STATE_RUNNING	= 3,
	IDM_TEST_STATE_PAUSED	= 4,
	IDM_TEST_STATE_CRASHED	= 5,
};

enum idm_test_protocol {
	IDM_TEST_PROTOCOL_AUTO		= 0,	/* VECTORS on a Cortex-M, else RAW */
	IDM_TEST_PROTOCOL_RAW		= 1,	/* begin at the entry, r0 or x0 is the argument */
	IDM_TEST_PROTOCOL_LINUX		= 2,	/* the argument is the address of the device tree */
	IDM_TEST_PROTOCOL_VECTORS	= 3,	/* the entry is that of a table of vectors */
};

#define IDM_TEST_ATTACHED	0x1

struct idm_test_info {
	__u32 version;		/* IDM_TEST_VERSION of the driver */
	__u32 id;		/* the slave's number */
	__u32 flags;		/* IDM_TEST_ATTACHED */
	__u32 state;		/* enum idm_test_state */
	__u32 protocol;		/* that the device tree has for its programs; AUTO: none */
	__u32 reserved;
	__u64 window_base;	/* where the master and the slave have it */
	__u64 window_size;	/* 0: it has none that can be mapped */
	char name[32];		/* of the device tree, or empty */
};

struct idm_test_start {
	__u64 entry;		/* 0: what the platform has configured */
	__u64 argument;
	__u32 protocol;		/* enum idm_test_protocol */
	__u32 reserved;		/* 0 */
};

#define IDM_TEST_EVENT_STATE	0x1	/* the state has changed, perhaps more than once */

struct idm_test_event {
	__u32 vectors;		/* bit n: vector n has arrived, once or more often */
	__u32 events;		/* IDM_TEST_EVENT_* */
	__u32 state;		/* as it is now */
	__u32 reserved;
};

/* Also takes note of the state: read() tells of later changes. */
#define IDM_TEST_INFO	_IOR(0xbe, 0, struct idm_test_info)

/*
 * START and STOP wait for the platform's answer, and then for the slave to do
 * it. EBUSY: it runs already; EPERM: refused; EIO: tried, without success;
 * ETIMEDOUT: no answer in 30 seconds, or nothing came of it in 5.
 */
#define IDM_TEST_START	_IOW(0xbe, 1, struct idm_test_start)
#define IDM_TEST_STOP	_IO(0xbe, 2)

/* The argument is the number of a vector, 0 to 31 (itself, not its address). */
#define IDM_TEST_SEND	_IO(0xbe, 3)

#endif
