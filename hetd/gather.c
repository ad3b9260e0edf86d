/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "gather.h"

struct Gather {
        unsigned n_open;        /* pieces of work that have not ended, and one until gather_close() */
        GError *error;
        DoneFunc done;
        void *userdata;
};

Gather *gather_new(DoneFunc done, void *userdata) {
        Gather *gather = g_new0(Gather, 1);

        gather->n_open = 1;
        gather->done = done;
        gather->userdata = userdata;
        return gather;
}

void *gather_add(Gather *gather) {
        gather->n_open++;
        return gather;
}

void gather_done(const GError *error, void *userdata) {
        Gather *gather = userdata;

        if (error && !gather->error)
                gather->error = g_error_copy(error);
        if (--gather->n_open > 0)
                return;

        g_autoptr(GError) first = g_steal_pointer(&gather->error);
        DoneFunc done = gather->done;
        void *done_userdata = gather->userdata;

        g_free(gather);
        done(first, done_userdata);
}

void gather_close(Gather *gather) {
        gather_done(NULL, gather);
}
