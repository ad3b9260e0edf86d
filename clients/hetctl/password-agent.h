/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * polkit asks for a password through an agent of the session; on a text terminal there is none, unless a program brings one along:
 * pkttyagent(1), which comes with polkit.
 */

#include <stdbool.h>
#include <sys/types.h>

/* The process of a new agent, which is ready to ask; 0: nobody could be asked, and errno says why */
pid_t password_agent_start(void);
void password_agent_end(pid_t agent);
