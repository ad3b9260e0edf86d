/*
 * A thread that waits for eventfds
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_CORE_HET_RX_H
#define HW_CORE_HET_RX_H

/*
 * Called with the BQL held, in the thread of a vCPU under TCG. What was watched
 * by this number may be gone.
 */
typedef void HetRxWoken(uint32_t id);

/*
 * The thread is there from the first to the last that holds it; all of them
 * have the same woken()
 */
bool het_rx_hold(HetRxWoken *woken, Error **errp);
/* Drops the BQL for a moment if it is the last one */
void het_rx_release(void);
/* woken() empties the eventfd */
bool het_rx_watch(uint32_t id, int fd, Error **errp);
void het_rx_unwatch(int fd);

#endif
