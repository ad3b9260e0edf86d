/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The Cortex-A15 slave's program as it is to lie in memory, from SLAVE_IMAGE_BASE on (a number from meson.build) */
extern const char slave_image[], slave_image_end[];
