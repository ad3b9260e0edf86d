/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What status shows people. */

#include "objects.h"
#include "table.h"

/* An earlier look, for rates */
typedef struct StatusBefore {
        const Objects *objects;
        uint64_t usec;                  /* how long ago */
} StatusBefore;

/* before NULL: no rates are shown */
void status_print_all(const Client *client, const Objects *objects, const StatusBefore *before);
void status_print_platform(const Client *client, const Platform *platform, const StatusBefore *before);
void status_print_processor(const Client *client, const Processor *processor, const StatusBefore *before);
