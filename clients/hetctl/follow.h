/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waits for the end of a platform, across the end of hetd and the start of the next one. For start --wait. */

#include "client.h"

typedef struct Follow Follow;

/* To be made before the platform is started, so that its end cannot be missed */
bool follow_new(Client *client, const char *path, Follow **ret, GError **error);
Follow *follow_free(Follow *follow);    /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Follow, follow_free)

/*
 * Once, for a platform that was started. A service manager is told that it is, and of its states. True if it has stopped in order, or
 * the wait was interrupted (it goes on then); false if it has crashed, or was removed.
 */
bool follow_wait(Follow *follow, GError **error);
