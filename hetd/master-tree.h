/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The device tree of a master that boots a kernel, made before its QEMU is started: by a start job, or for its restart. */

#include "platform.h"

/* Whether the master needs a device tree that tells of the platform: it boots a kernel, and the file names none */
bool master_tree_is_needed(const Platform *platform);

/* Makes it, if it is needed; *ret is set before done runs, which may be from inside */
void master_tree_new(Platform *platform, MasterTree **ret, DoneFunc done, void *userdata);
MasterTree *master_tree_free(MasterTree *tree);         /* returns NULL; removes what was made, too */
/* Hurries it on to its end, which is a failure */
void master_tree_end(MasterTree *tree);
/* NULL: none was needed */
const char *master_tree_get_path(const MasterTree *tree);
