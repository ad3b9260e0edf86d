/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before the two files of remoteproc that begin by themselves in a
 * kernel that it is a part of. Here modular.c begins them.
 */

#ifndef MODULAR_H
#define MODULAR_H

#include <linux/module.h>
#include <linux/platform_device.h>

/* It comes before the includes, where they find it. */
#undef pr_fmt

int modular_init_core(void);
void modular_exit_core(void);
extern struct platform_driver *const modular_virtio;

#undef subsys_initcall
#define subsys_initcall(function)	\
	int modular_init_core(void) __copy(function) __alias(function)

#undef module_exit
#define module_exit(function)		\
	void modular_exit_core(void) __copy(function) __alias(function)

#undef builtin_platform_driver
#define builtin_platform_driver(driver)	\
	struct platform_driver *const modular_virtio = &(driver)

#endif
