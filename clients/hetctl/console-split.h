/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All consoles of a platform side by side: tmux with a hetctl console in each of its panes. */

#include "objects.h"

/* Returns only if it fails */
bool console_split(const Client *client, const Platform *platform, GError **error);
