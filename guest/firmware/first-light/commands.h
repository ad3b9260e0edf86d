/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A line of the master's console; it is taken apart in place */
void command_run(char *line);
