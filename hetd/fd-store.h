/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The memory of windows outlives everybody who has it: the service manager keeps a duplicate, where there is one that does
 * (FDSTORE=1 of sd_notify(3), FileDescriptorStoreMax= of the unit). Other file descriptors come back from the QEMUs (adopt-fds.c); but
 * those may die together with hetd, and what their program left in its window is just what somebody will want to look at then.
 */

#include <stdbool.h>
#include <stdint.h>

/* Takes what an earlier hetd has left there; before anything else opens a file. A negative errno: it cannot be understood. */
int fd_store_open(void);
/* forget: what nobody has taken is not kept any longer */
void fd_store_close(bool forget);

/* The memory of this number (window_memory_number()); the caller's from now on, and kept in the store as before */
bool fd_store_take(uint64_t number, int *ret);

/*
 * Nothing happens without a store, or if it is full: it is a second chance. What does not reach a service manager that hangs is told
 * again (fd_store_repeat()); so what is to be kept stays open until it is to be forgotten, or left there.
 */
void fd_store_keep(int memory);
void fd_store_forget(int memory);
/* hetd closes it, the next one finds it in the store */
void fd_store_leave(int memory);
/* For notify_open() */
void fd_store_repeat(bool all);
