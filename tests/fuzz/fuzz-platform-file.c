/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes as a platform file. Whatever is accepted must be what the header promises: complete and consistent; whatever is
 * refused must say where. With libFuzzer:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ihetd -Iqemu-patches/new/include
 *         tests/fuzz/fuzz-platform-file.c hetd/platform-{file,keys,check,arguments,remoteproc,target}.c hetd/{key-file,board,command-line,window}.c
 *         hetd/util/{parse,error,fd-util}.c $(pkg-config --cflags --libs glib-2.0) -o fuzz-platform-file
 * Otherwise replay.c runs it over the corpus.
 */

#include "fuzz.h"
#include "command-line.h"
#include "platform-file.h"
#include "util/error.h"
#include "window.h"

#include <string.h>

/* Nothing in the corpus names a file of the machine it runs on: all paths begin here */
#define DIRECTORY "/nonexistent"

static void check_processor(const PlatformConfig *config, const ProcessorConfig *c, unsigned index) {
        const ProcessorConfig *master = platform_config_get_master(config);

        g_assert_true(platform_name_is_valid(c->name));
        g_assert_true(platform_config_get_processor(config, c->name) == c);
        g_assert_true(platform_config_get_processor_by_id(config, c->id) == c);
        g_assert_true((c->role == PROCESSOR_MASTER) == (index == 0));
        g_assert_true((c->role == PROCESSOR_MASTER) == (c->id == 0));
        g_assert_true(c->board && c->machine && (c->cpu || c->board->default_cpu || c->board->cpu_optional));
        g_assert_true(c->cpus > 0 && c->memory > 0 && c->memory % 65536 == 0);
        if (c->role == PROCESSOR_MASTER)
                return;

        g_assert_true(c->id <= HET_ID_MAX && c->memory == c->window_size && c->window_address % 65536 == 0);
        if (master->board->windows_last != 0)
                g_assert_true(c->window_address >= MIN(master->memory, master->board->ram_low) &&
                              c->window_address <= master->board->windows_last - (c->window_size - 1));
        else
                g_assert_true(c->window_address >= master->board->ram_base &&
                              c->window_address - master->board->ram_base <= master->memory - c->window_size);
        for (unsigned i = 1; i < index; i++) {
                const ProcessorConfig *other = g_ptr_array_index(config->processors, i);

                g_assert_true(other->id < c->id);
                g_assert_false(window_overlaps(c->window_address, c->window_size, other->window_address, other->window_size));
        }
}

static void check_config(const PlatformConfig *config) {
        static const CommandLinePaths paths = { .qemu = "qemu", .console_socket = "socket", .console_log = "log" };

        g_assert_true(platform_name_is_valid(config->name));
        for (unsigned i = 0; i < config->processors->len; i++) {
                const ProcessorConfig *c = g_ptr_array_index(config->processors, i);

                check_processor(config, c, i);
                g_strfreev(command_line_build(config, c, &paths));
        }
}

static void check_error(const GError *error) {
        g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);

        g_assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_PLATFORM));
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        g_assert_true(g_strv_length(lines) >= 1 && g_strv_length(lines) <= 21);
        for (char **line = lines; *line; line++)
                g_assert_true(g_str_has_prefix(*line, DIRECTORY "/fuzz.platform:"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(GHashTable) variables = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(PlatformConfig) config = NULL;
        g_autoptr(GError) error = NULL;
        /* Of exactly this size, so that a read beyond it is seen */
        g_autofree char *text = g_memdup2(data, size);

        g_hash_table_insert(variables, (char *) "A", (char *) "64M@0x60000000");
        if (platform_config_parse(NULL, DIRECTORY "/fuzz.platform", text ?: "", size, variables, &config, &error))
                check_config(config);
        else
                check_error(error);
        return 0;
}
