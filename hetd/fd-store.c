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

/* A window's memory, until the service manager was told that it is over */
typedef struct Kept {
        uint64_t number;        /* no other memory has it as long as this one is kept */
        GArray *fds;            /* int, of the windows in it, and theirs; none: it is to be kept no longer */
        bool stored;            /* as far as we know */
        bool told;              /* the last that there was to tell was taken */
} Kept;

static GArray *found;           /* int; NULL: there were none, or they were dealt with */
static GHashTable *windows;     /* of Kept */

int fd_store_open(void) {
        int n = sd_listen_fds(true);

        if (n <= 0)
                return n;

        found = g_array_sized_new(false, false, sizeof(int), (guint) n);
        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
                g_array_append_val(found, fd);
        return n;
}

static bool notify(const char *what, uint64_t number, int fd) {
        g_autofree char *message = g_strdup_printf("%s=1\nFDNAME=window-%" PRIu64 "%s", what, number, fd >= 0 ? "\nFDPOLL=0" : "");

        return notify_send(message, fd);
}

static void kept_free(Kept *kept) {
        g_array_unref(kept->fds);
        g_free(kept);
}

static Kept *kept_get(uint64_t number, bool stored) {
        Kept *kept;

        if (!windows)
                windows = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) kept_free);

        kept = g_hash_table_lookup(windows, &number);
        if (!kept) {
                kept = g_new0(Kept, 1);
                *kept = (Kept) { .number = number, .fds = g_array_new(false, false, sizeof(int)), .stored = stored, .told = stored };
                g_hash_table_insert(windows, &kept->number, kept);
        }

        return kept;
}

/* True: it is over, there is nothing to remember */
static bool kept_tell(Kept *kept) {
        if (kept->fds->len == 0)
                return !kept->stored || notify("FDSTOREREMOVE", kept->number, -EBADF);

        kept->told = notify("FDSTORE", kept->number, g_array_index(kept->fds, int, 0));
        kept->stored = kept->stored || kept->told;
        return false;
}

/* True: no window in it is left */
static bool kept_drop(Kept *kept, int memory) {
        for (guint i = 0; i < kept->fds->len; i++)
                if (g_array_index(kept->fds, int, i) == memory) {
                        g_array_remove_index_fast(kept->fds, i);
                        break;
                }

        return kept->fds->len == 0;
}

static gboolean repeat(void *key, void *value, void *userdata) {
        Kept *kept = value;
        const bool *all = userdata;

        return (*all || !kept->told) && kept_tell(kept);
}

void fd_store_repeat(bool all) {
        if (windows)
                g_hash_table_foreach_remove(windows, repeat, &all);
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

/* Another window in memory that was taken */
static bool take_again(uint64_t number, int *ret) {
        Kept *kept = windows ? g_hash_table_lookup(windows, &number) : NULL;
        int fd = kept && kept->fds->len > 0 ? fd_dup_cloexec(g_array_index(kept->fds, int, 0)) : -EBADF;

        if (fd < 0)
                return false;

        g_array_append_val(kept->fds, fd);
        *ret = fd;
        return true;
}

bool fd_store_take(uint64_t number, int *ret) {
        for (guint i = 0; found && i < found->len; i++) {
                int fd = g_array_index(found, int, i);

                if (window_memory_is(fd, number)) {
                        g_array_remove_index_fast(found, i);
                        g_array_append_val(kept_get(number, true)->fds, fd);
                        *ret = fd;
                        return true;
                }
        }

        return take_again(number, ret);
}

void fd_store_keep(int memory) {
        uint64_t number = window_memory_number(memory);
        Kept *kept = number == 0 ? NULL : kept_get(number, false);

        if (!kept)
                return;

        g_array_append_val(kept->fds, memory);
        if (kept->fds->len == 1)
                (void) kept_tell(kept);
}

void fd_store_forget(int memory) {
        uint64_t number = memory < 0 ? 0 : window_memory_number(memory);
        Kept *kept = number == 0 ? NULL : kept_get(number, true);

        if (!kept || !kept_drop(kept, memory))
                return;

        kept->told = false;
        if (kept_tell(kept))
                g_hash_table_remove(windows, &number);
}

void fd_store_leave(int memory) {
        uint64_t number = memory < 0 ? 0 : window_memory_number(memory);
        Kept *kept = windows && number != 0 ? g_hash_table_lookup(windows, &number) : NULL;

        if (kept && kept_drop(kept, memory))
                g_hash_table_remove(windows, &number);
}
