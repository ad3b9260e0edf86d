/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* cmocka wants these in this order */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_arguments(void);
int test_table(void);
int test_bus_json(void);
int test_core_file(void);
