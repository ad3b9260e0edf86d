/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Vector of all external interrupts, in irq.c for the table in start.c. On Cortex-M it is a plain function. */
void irq_entry(void);
/* Vector of SysTick, in tick.c if the program has a tick */
void tick_entry(void);
