/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What goes to a terminal goes through $SYSTEMD_PAGER, $PAGER or less, as that of systemctl does. */

#include <stdbool.h>
#include <stddef.h>

/* From now on standard output is a pager's. Nothing happens where it is no terminal, or there is no pager. */
void pager_open(void);
/* Waits until the user has seen enough. True: there was one */
bool pager_close(void);
/* Columns of the terminal behind the pager; 0: there is no pager */
size_t pager_width(void);
