/*
 * Eventfds, those as well that another process has
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_CORE_HET_EVENTFD_H
#define HW_CORE_HET_EVENTFD_H

/* For those of this process alone */
void het_eventfd_write(int fd);
/* Does not wait, whatever the other side does to the eventfd */
void het_eventfd_signal(int fd);
/* Does not wait, whatever the other side does to the eventfd */
void het_eventfd_clear(int fd);

#endif
