/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Work that ends later. DoneFunc is how its owner hears of the end: it runs exactly once, with NULL or with an error (borrowed).
 * A Gather waits for several pieces of such work, and reports the first error when all of them have ended.
 */

#include <glib.h>

typedef void (*DoneFunc)(const GError *error, void *userdata);

typedef struct Gather Gather;

Gather *gather_new(DoneFunc done, void *userdata);
/* One more piece of work: hand gather_done() to it, with what this returns as its userdata */
void *gather_add(Gather *gather);
void gather_done(const GError *error, void *gather);
/* Nothing more is added. Runs `done` at once if there is nothing to wait for. The gather frees itself. */
void gather_close(Gather *gather);
