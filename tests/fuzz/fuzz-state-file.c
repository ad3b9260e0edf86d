/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes as what an earlier hetd has left of a platform; @BOOT@ in it is this boot's id. It is taken over as far as it can
 * be, or put aside; and no process gets a signal for what a file says.
 */

#include "fuzz.h"
#include "adopt.h"
#include "util/sd-cleanup.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#define BOOT            "@BOOT@"
#define INPUT_MAX       (64U * 1024)
#define CONFIG          "[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=1G\n" \
                        "[Processor s]\nRole=slave\nMachine=mps2-an385\nWindow=16M@0x70000000\nRestart=always\n" \
                        "[Processor t]\nRole=slave\nMachine=mps2-an385\nWindow=16M@0x71000000\nStart=external\n"

/* Instead of the C library's: whatever the input says, this machine goes on */
int kill(pid_t pid, int number) {
        fuzz_fail("kill(%d, %d)", (int) pid, number);
}

int pidfd_send_signal(int fd, int number, siginfo_t *info, unsigned flags) {
        fuzz_fail("pidfd_send_signal(%d, %d)", fd, number);
}

static void write_file(const char *directory, const char *name, const char *text, size_t size) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        g_assert_true(g_file_set_contents_full(path, text, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void write_state(const char *directory, const uint8_t *data, size_t size) {
        g_autoptr(GString) text = g_string_new_len((const char *) data, (gssize) size);
        const char *found = g_strstr_len(text->str, (gssize) text->len, BOOT);
        char id[SD_ID128_STRING_MAX];
        sd_id128_t boot;

        if (found && sd_id128_get_boot(&boot) >= 0) {
                gssize at = found - text->str;

                g_string_erase(text, at, strlen(BOOT));
                g_string_insert(text, at, sd_id128_to_string(boot, id));
        }

        write_file(directory, "p.state", text->str, text->len);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *directory = g_dir_make_tmp("het-fuzz-XXXXXX", NULL);
        g_autoptr(sd_event) event = NULL;
        ManagerOptions options = { .runtime_directory = g_strdup(directory) };
        Manager *manager;

        g_assert_true(g_setenv("PATH", "/nonexistent", true));
        if (size <= INPUT_MAX) {
                write_file(directory, "p.config", CONFIG, strlen(CONFIG));
                write_state(directory, data, size);
        }

        g_assert_true(sd_event_new(&event) >= 0);
        manager = manager_new(event, &options);
        adopt_platforms(manager);
        while (sd_event_run(event, 0) > 0)
                ;

        manager_free(manager);
        (void) nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        return 0;
}
