/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Cortex-A15 slave's program, embedded in the master's */
        .section .rodata.slave_image, "a"
        .balign 8
        .global slave_image, slave_image_end
slave_image:
        .incbin SLAVE_IMAGE
slave_image_end:
