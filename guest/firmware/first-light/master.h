/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the console's commands do to a slave that is attached */

void master_start(unsigned slave);
void master_stop(unsigned slave);
void master_ping(unsigned slave, unsigned vector);
void master_print_slave(unsigned slave);
