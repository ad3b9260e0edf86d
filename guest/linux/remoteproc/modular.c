// SPDX-License-Identifier: GPL-2.0-only
/* The beginning and the end of remoteproc as a module. */

#include "modular.h"

int __init init_module(void)
{
	int ret = platform_driver_register(modular_virtio);

	if (ret)
		return ret;
	ret = modular_init_core();
	if (ret)
		platform_driver_unregister(modular_virtio);
	return ret;
}

void __exit cleanup_module(void)
{
	platform_driver_unregister(modular_virtio);
	modular_exit_core();
}
