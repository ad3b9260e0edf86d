// SPDX-License-Identifier: GPL-2.0-only
/* The beginning and the end of remoteproc as a module. */

#include "modular.h"

int __init init_module(void)
{
	int ret = modular_init_virtio();

	if (ret)
		return ret;
	ret = modular_init_core();
	if (ret)
		modular_exit_virtio();
	return ret;
}

void __exit cleanup_module(void)
{
	modular_exit_virtio();
	modular_exit_core();
}
