/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The parts of hetctl that need no hetd. */

#include "test-hetctl.h"

#include <locale.h>

int main(void) {
        /* the ellipsis depends on it */
        if (!setlocale(LC_ALL, "C"))
                return 1;

        return test_arguments() + test_table() + test_bus_json() + test_core_file();
}
