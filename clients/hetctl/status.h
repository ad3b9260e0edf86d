/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What status shows people. */

#include "objects.h"
#include "table.h"

void status_print_all(const Client *client, const Objects *objects);
void status_print_platform(const Client *client, const Platform *platform);
void status_print_processor(const Client *client, const Processor *processor);
