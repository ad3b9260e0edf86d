/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The log that the master shows as trace0: all that is printed after trace_init(), as far as it fits, the newest kept. */

#define TRACE_SIZE      4096u

/* In the resource table */
extern char trace_buffer[TRACE_SIZE];

void trace_init(void);
