/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A periodic interrupt, by whatever timer the board has. */

#define TICK_MS_MAX     10000u

/* From one period from now on; the handler is called as those of irq.h are: inside irq_wait() */
void tick_start(unsigned period_ms, void (*handler)(void));
