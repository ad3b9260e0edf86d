/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The log that the master shows as trace0: what is printed after trace_init(), the newest if it is too much. */

#define TRACE_SIZE      4096u

/* In the resource table */
extern char trace_buffer[TRACE_SIZE];

void trace_init(void);
