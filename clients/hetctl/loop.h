/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An event loop that SIGINT and SIGTERM end. */

#include <systemd/sd-event.h>

/* on_signal NULL: the loop ends with 0. *ret is to be freed on failure, too. */
int loop_new(sd_event_signal_handler_t on_signal, void *userdata, sd_event **ret);
