/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service manager's store of file descriptors. See fd-store.h. */

#include "fd-store.h"

#include "notify.h"
#include "util/fd-util.h"
#include "window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

static GArray *found;           /* int; NULL: there were none, or they were dealt with */

int fd_store_open(void) {
        int n = sd_listen_fds(true);

        if (n <= 0)
                return n;

        found = g_array_sized_new(false, false, sizeof(int), (guint) n);
        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
                g_array_append_val(found, fd);
        return n;
}

/* Of a number that no other window has as long as it is kept */
static void notify(const char *what, uint64_t number, int fd) {
        g_autofree char *message = g_strdup_printf("%s=1\nFDNAME=window-%" PRIu64 "%s", what, number, fd >= 0 ? "\nFDPOLL=0" : "");

        notify_send(message, fd);
}

void fd_store_close(bool forget) {
        for (guint i = 0; found && i < found->len; i++) {
                int fd = g_array_index(found, int, i);

                if (forget)
                        fd_store_forget(fd);
                fd_close(fd);
        }
        g_clear_pointer(&found, g_array_unref);
}

bool fd_store_take(uint64_t number, int *ret) {
        for (guint i = 0; found && i < found->len; i++) {
                int fd = g_array_index(found, int, i);

                if (window_memory_is(fd, number)) {
                        g_array_remove_index_fast(found, i);
                        *ret = fd;
                        return true;
                }
        }

        return false;
}

void fd_store_keep(int memory) {
        uint64_t number = window_memory_number(memory);

        if (number != 0)
                notify("FDSTORE", number, memory);
}

void fd_store_forget(int memory) {
        uint64_t number = memory < 0 ? 0 : window_memory_number(memory);

        if (number != 0)
                notify("FDSTOREREMOVE", number, -EBADF);
}
