/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Runs a fuzz target over the files of a directory, with no fuzzer: every corpus stays a regression test. */

#include "fuzz.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
        unsigned n_files = 0;

        if (argc != 2) {
                fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
                return EXIT_FAILURE;
        }

        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) directory = g_dir_open(argv[1], 0, &error);
        const char *name;

        if (!directory) {
                fprintf(stderr, "%s\n", error->message);
                return EXIT_FAILURE;
        }

        while ((name = g_dir_read_name(directory))) {
                g_autofree char *path = g_build_filename(argv[1], name, NULL), *data = NULL;
                gsize size;

                if (!g_file_get_contents(path, &data, &size, &error)) {
                        fprintf(stderr, "%s\n", error->message);
                        return EXIT_FAILURE;
                }

                printf("%s\n", name);
                fflush(stdout);
                (void) LLVMFuzzerTestOneInput((const uint8_t *) data, size);
                n_files++;
        }

        /* An empty corpus tests nothing */
        return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
