/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>

int loop_new(sd_event_signal_handler_t on_signal, void *userdata, sd_event **ret) {
        static const int signals[] = { SIGINT, SIGTERM };
        sigset_t mask;
        int r = sd_event_new(ret);

        sigemptyset(&mask);
        for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
                sigaddset(&mask, signals[i]);
        if (r >= 0 && sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(signals); i++)
                r = sd_event_add_signal(*ret, NULL, signals[i], on_signal, userdata);

        return r;
}
