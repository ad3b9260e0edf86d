/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service manager's store of file descriptors. See fd-store.h. */

#include "fd-store.h"

#include "couple.h"
#include "util/fd-util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

static int *found;
static int n_found;

int fd_store_open(void) {
        int n = sd_listen_fds(true);

        if (n <= 0)
                return n;

        n_found = n;
        found = g_new(int, n);
        for (int i = 0; i < n; i++)
                found[i] = SD_LISTEN_FDS_START + i;
        return n;
}

/* Of a number that no other window has as long as it is kept */
static void notify(const char *what, uint64_t number, const int *fds, unsigned n_fds) {
        g_autofree char *message = g_strdup_printf("%s=1\nFDNAME=window-%" PRIu64 "%s", what, number, n_fds > 0 ? "\nFDPOLL=0" : "");

        (void) sd_pid_notify_with_fds(0, false, message, fds, n_fds);
}

void fd_store_close(bool forget) {
        for (int i = 0; i < n_found; i++) {
                if (forget)
                        fd_store_forget(found[i]);
                fd_close(found[i]);
        }
        g_clear_pointer(&found, g_free);
        n_found = 0;
}

bool fd_store_take(uint64_t number, int *ret) {
        for (int i = 0; i < n_found; i++)
                if (found[i] >= 0 && couple_memory_is(found[i], number)) {
                        *ret = fd_take(&found[i]);
                        return true;
                }

        return false;
}

void fd_store_keep(int memory) {
        uint64_t number = couple_memory_number(memory);

        if (number != 0)
                notify("FDSTORE", number, &memory, 1);
}

void fd_store_forget(int memory) {
        uint64_t number = memory < 0 ? 0 : couple_memory_number(memory);

        if (number != 0)
                notify("FDSTOREREMOVE", number, NULL, 0);
}
