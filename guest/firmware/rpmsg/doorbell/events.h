/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What interrupts have brought and nobody has taken yet: DOORBELL_*. For doorbells that interrupt. */

extern unsigned doorbell_events;
