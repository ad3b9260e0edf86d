/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The device tree of a board, as QEMU makes it: a QEMU of the same command line is asked for it (-machine …,dumpdtb=FILE), and ends
 * at once. For a tree that has to be there before the QEMU is that it is for, or when there will be none.
 */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "platform-file.h"

typedef struct BoardTree BoardTree;

typedef struct BoardTreeHandlers {
        /* A line that QEMU has printed; may be NULL */
        void (*line)(const char *line, void *userdata);
        /* Runs once, last, and may free the BoardTree: the tree, or why there is none. blob is the caller's (g_free()). */
        void (*done)(char *blob, size_t size, const GError *error, void *userdata);
} BoardTreeHandlers;

typedef struct BoardTreeRequest {
        const PlatformConfig *platform;
        const ProcessorConfig *processor;
        const char *qemu;               /* the binary */
        const char *directory;          /* for what QEMU opens and writes; nothing is left there */
} BoardTreeRequest;

/* handlers must outlive it. SIGCHLD must be blocked in the process. */
bool board_tree_new(sd_event *event, const BoardTreeRequest *request, const BoardTreeHandlers *handlers, void *userdata,
                    BoardTree **ret, GError **error);
/* Ends QEMU; done runs soon, with an error */
void board_tree_end(BoardTree *tree);
/* No handler runs any more. Returns NULL. */
BoardTree *board_tree_free(BoardTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BoardTree, board_tree_free)
