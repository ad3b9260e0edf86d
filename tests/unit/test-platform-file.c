/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Platform files that are right: what comes out of them; and where they come from. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform-cases.h"
#include "platform-file.h"
#include "util/error.h"
#include "util/fd-util.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static PlatformConfig *parse(const char *text, GHashTable *variables) {
        g_autofree char *path = platform_cases_path("test.platform");
        g_autoptr(GError) error = NULL;
        PlatformConfig *config = NULL;

        if (!platform_config_parse(NULL, path, text, strlen(text), variables, &config, &error))
                fail_msg("%s", error->message);
        return config;
}

static void test_defaults(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE CORTEX_M, NULL);
        g_autofree char *path = platform_cases_path("test.platform");
        const ProcessorConfig *m, *s, *t;

        assert_string_equal(config->name, "test");
        assert_string_equal(config->path, path);
        assert_null(config->description);
        assert_int_equal(config->processors->len, 3);

        m = platform_config_get_master(config);
        assert_string_equal(m->name, "m");
        assert_int_equal(m->line, 1);
        assert_int_equal(m->role, PROCESSOR_MASTER);
        assert_int_equal(m->id, 0);
        assert_int_equal(m->start, PROCESSOR_START_HETD);
        assert_string_equal(m->board->machine, "virt");
        assert_string_equal(m->cpu, "cortex-a15");
        assert_int_equal(m->cpus, 1);
        assert_int_equal(m->memory, 1ULL << 30);
        assert_null(m->firmware);
        assert_null(m->extra_arguments);

        s = platform_config_get_processor(config, "s");
        assert_int_equal(s->line, 6);
        assert_int_equal(s->role, PROCESSOR_SLAVE);
        assert_int_equal(s->id, 1);
        assert_int_equal(s->window_address, 0x60000000);
        assert_int_equal(s->window_size, 64 << 20);
        assert_int_equal(s->memory, s->window_size);
        assert_false(s->has_entry);
        assert_false(s->auto_boot);
        assert_false(s->keep_on_master_reset);
        assert_int_equal(s->restart, RESTART_NO);
        assert_int_equal(s->restart_usec, 1000);
        assert_int_equal(s->start_limit_burst, 5);
        assert_int_equal(s->start_limit_usec, 10000000);
        assert_int_equal(s->watchdog_usec, 0);
        assert_int_equal(s->watchdog_start_usec, 10000000);
        assert_int_equal(s->protocol, BOOT_PROTOCOL_AUTO);

        t = platform_config_get_processor_by_id(config, 2);
        assert_string_equal(t->name, "t");
        assert_null(t->cpu);
        assert_null(platform_config_get_processor(config, "x"));
        assert_null(platform_config_get_processor_by_id(config, 3));
}

/* Linux's own driver where there is one, and where it can do it */
static void test_remoteproc(void **state) {
        static const struct {
                const char *text;
                Remoteproc s, t;
        } cases[] = {
                { MASTER SLAVE CORTEX_M, REMOTEPROC_IDM, REMOTEPROC_IDM },
                { MASTER "Firmware=file.elf\n" SLAVE CORTEX_M, REMOTEPROC_IDM, REMOTEPROC_IDM },
                { MASTER "Kernel=file.elf\n" SLAVE CORTEX_M, REMOTEPROC_STM32, REMOTEPROC_STM32 },
                { MASTER "Kernel=file.elf\nDeviceTree=file.elf\n" SLAVE CORTEX_M, REMOTEPROC_IDM, REMOTEPROC_IDM },
                { MASTER "Kernel=file.elf\nTarget=aarch64\n" SLAVE CORTEX_M, REMOTEPROC_IDM, REMOTEPROC_IDM },
                { MASTER "Kernel=file.elf\n" SLAVE "Protocol=linux\n" CORTEX_M, REMOTEPROC_IDM, REMOTEPROC_STM32 },
                { MASTER "Kernel=file.elf\n" SLAVE CORTEX_M "Remoteproc=idm\n", REMOTEPROC_STM32, REMOTEPROC_IDM },
                { PLATFORM "Remoteproc=idm\n" MASTER "Kernel=file.elf\n" SLAVE CORTEX_M "Remoteproc=stm32\n", REMOTEPROC_IDM, REMOTEPROC_STM32 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PlatformConfig) config = parse(cases[i].text, NULL);

                assert_int_equal(platform_config_get_processor(config, "s")->remoteproc, cases[i].s);
                assert_int_equal(platform_config_get_processor(config, "t")->remoteproc, cases[i].t);
        }
}

static void test_all_keys(void **state) {
        g_autoptr(PlatformConfig) config = parse(
                "# comment\n; another\n\n"
                "[Platform]\r\n"
                "Name = board-1\r\n"
                "Description=two lines \\\n  in one\n"
                "[Processor m]\n"
                "Role=master\nMachine=virt-10.0,gic-version=3\nCPU=cortex-a15\nCPUs=16\nMemory=0x80000000\n"
                "Kernel=file.elf\nInitrd=file.elf\nDeviceTree=file.elf\nCommandLine=console=ttyAMA0 a=$$b$c\n"
                "QEMU=qemu\nExtraArguments=-device 'virtio-net-pci,mac=x y' -s\n"
                "[Processor s]\n"
                "Role=slave\nMachine=virt\nCPU=cortex-a15\nWindow = 32M @ 1536M\nFirmware=file.elf\nEntry=0x40000001\n"
                "Argument=18446744073709551615\nProtocol=raw\nAutoBoot=Yes\nStart=external\n"
                "[Processor t]\n"
                "Role=slave\nMachine=mps2-an385\nWindow=16M@0x64000000\n"
                "Access=ro\nOnMasterReset=keep\nOnMasterFailure=keep\nRestart=on-failure\nRestartSec=1min 30s\nStartLimitBurst=0\nStartLimitIntervalSec=infinity\n"
                "WatchdogSec=50ms\nWatchdogStartSec=infinity\n", NULL);
        g_autofree char *file = platform_cases_path("file.elf"), *qemu = platform_cases_path("qemu");
        const ProcessorConfig *m = platform_config_get_master(config), *s = platform_config_get_processor(config, "s");
        const ProcessorConfig *t = platform_config_get_processor(config, "t");
        static const char *const extra[] = { "-device", "virtio-net-pci,mac=x y", "-s", NULL };

        assert_string_equal(config->name, "board-1");
        assert_string_equal(config->description, "two lines  in one");
        assert_string_equal(m->board->machine, "virt");
        assert_string_equal(m->machine, "virt-10.0,gic-version=3");
        assert_int_equal(m->cpus, 16);
        assert_int_equal(m->memory, 2ULL << 30);
        assert_string_equal(m->kernel, file);
        assert_string_equal(m->initrd, file);
        assert_string_equal(m->device_tree, file);
        assert_string_equal(m->command_line, "console=ttyAMA0 a=$b$c");
        assert_string_equal(m->qemu, qemu);
        assert_true(g_strv_equal((const char *const *) m->extra_arguments, extra));

        assert_int_equal(s->window_address, 0x60000000);
        assert_false(s->read_only);
        assert_true(t->read_only);
        assert_string_equal(s->firmware, file);
        assert_true(s->has_entry);
        assert_int_equal(s->entry, 0x40000001);
        assert_true(s->argument == UINT64_MAX);
        assert_int_equal(s->protocol, BOOT_PROTOCOL_RAW);
        assert_true(s->auto_boot);
        assert_int_equal(s->start, PROCESSOR_START_EXTERNAL);

        assert_true(t->keep_on_master_reset);
        assert_int_equal(t->restart, RESTART_ON_FAILURE);
        assert_int_equal(t->restart_usec, 90000000);
        assert_int_equal(t->start_limit_burst, 0);
        assert_true(t->start_limit_usec == UINT64_MAX);
        assert_int_equal(t->watchdog_usec, 50000);
        assert_true(t->watchdog_start_usec == UINT64_MAX);
}

static void test_targets(void **state) {
        static const struct {
                const char *keys, *target;
        } cases[] = {
                { "CPU=cortex-a15\n",                              "arm"     },
                { "CPU=cortex-a7,pmu=off\n",                       "arm"     },
                { "CPU=cortex-a15\nTarget=aarch64\n",              "aarch64" },
                { "CPU=cortex-a53\n",                              "aarch64" },
                { "CPU=neoverse-n1,pmu=off\nTarget=aarch64\n",     "aarch64" },
                { "CPU=max\n",                                     "aarch64" },
                { "Target=arm\nCPU=max\n",                         "arm"     },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = g_strconcat("[Processor m]\nRole=master\nMachine=virt\nMemory=1G\n", cases[i].keys,
                                                    CORTEX_M, NULL);
                g_autoptr(PlatformConfig) config = parse(text, NULL);

                assert_string_equal(platform_config_get_master(config)->target, cases[i].target);
                assert_string_equal(platform_config_get_processor(config, "t")->target, "arm");
        }
}

/* QEMU's own targets for them are taken if the file says so */
static void test_targets_of_32_bits(void **state) {
        static const struct {
                const char *keys, *target;
        } cases[] = {
                { "Machine=virt\nCPU=rv32\n",                  "riscv64" },
                { "Machine=virt\nCPU=rv32\nTarget=riscv32\n", "riscv32" },
                { "Machine=virt\nCPU=sifive-u34\nTarget=riscv32\n", "riscv32" },
                { "Machine=virt\nCPU=max\nTarget=riscv32\n", "riscv32" },
                { "Machine=virt\nCPU=rva22u64\n",              "riscv64" },
                { "Machine=q35\nCPU=pentium3\n",               "x86_64"  },
                { "Machine=q35\nTarget=i386\n",                "i386"    },
                { "Machine=q35\nCPU=qemu64\nTarget=i386\n",   "i386"    },      /* it has 32 bits there */
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = g_strconcat("[Processor m]\nRole=master\nMemory=1G\n", cases[i].keys, NULL);
                g_autoptr(PlatformConfig) config = parse(text, NULL);

                assert_string_equal(platform_config_get_master(config)->target, cases[i].target);
        }
}

static void test_kernel_of_slave(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE "Kernel=file.elf\nInitrd=file.elf\nCommandLine=quiet\nAutoBoot=yes\n", NULL);
        const ProcessorConfig *s = platform_config_get_processor(config, "s");
        g_autofree char *file = platform_cases_path("file.elf");

        assert_string_equal(s->kernel, file);
        assert_string_equal(s->initrd, file);
        assert_string_equal(s->command_line, "quiet");
        assert_int_equal(s->protocol, BOOT_PROTOCOL_LINUX);
        assert_true(s->auto_boot);
}

static void test_numbers(void **state) {
        /* Numbers that are missing are given in the order of the file, around those that are there */
        g_autoptr(PlatformConfig) config = parse(
                MASTER
                "[Processor c]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=1M@0x60000000\n"
                "[Processor b]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=1M@0x60100000\nId=1\n"
                "[Processor a]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=1M@0x60200000\n"
                "[Processor d]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=1M@0x60300000\nId=0xff\n", NULL);
        static const char *const names[] = { "m", "b", "c", "a", "d" };
        static const uint32_t ids[] = { 0, 1, 2, 3, 255 };

        assert_int_equal(config->processors->len, 5);
        for (size_t i = 0; i < 5; i++) {
                const ProcessorConfig *c = g_ptr_array_index(config->processors, i);

                assert_string_equal(c->name, names[i]);
                assert_int_equal(c->id, ids[i]);
        }
}

static void test_variables(void **state) {
        g_autoptr(GHashTable) variables = g_hash_table_new(g_str_hash, g_str_equal);
        g_autofree char *directory = platform_cases_path(""), *file = platform_cases_path("file.elf");
        g_autoptr(PlatformConfig) config = NULL;

        g_hash_table_insert(variables, (char *) "DIR", directory);
        g_hash_table_insert(variables, (char *) "NAME", (char *) "${DIR}");
        config = parse("[Platform]\nDescription=<${NAME}>$\n" MASTER "Firmware=${DIR}file.elf\n", variables);
        assert_string_equal(config->description, "<${DIR}>$");
        assert_int_equal(g_str_has_suffix(platform_config_get_master(config)->firmware, "/file.elf"), true);
        assert_int_equal(g_file_test(file, G_FILE_TEST_EXISTS), true);
}

static void test_protocols(void **state) {
        g_autoptr(PlatformConfig)
                config = parse(MASTER SLAVE "Protocol=linux\nDeviceTree=file.elf\nCommandLine=x\n", NULL);
        BootProtocol protocol;

        assert_int_equal(platform_config_get_processor(config, "s")->protocol, BOOT_PROTOCOL_LINUX);
        for (BootProtocol p = 0; p < _BOOT_PROTOCOL_MAX; p++) {
                assert_true(boot_protocol_from_string(boot_protocol_to_string(p), &protocol));
                assert_int_equal(protocol, p);
        }
        assert_null(boot_protocol_to_string(_BOOT_PROTOCOL_MAX));
        assert_string_equal(processor_role_to_string(PROCESSOR_MASTER), "master");
        assert_string_equal(processor_role_to_string(PROCESSOR_SLAVE), "slave");
}

static void test_windows_at_the_edges(void **state) {
        /* All of a master's memory, and a window at the very place where the slave has its memory */
        g_autoptr(PlatformConfig) config = parse(
                "[Processor m]\nRole=master\nMachine=mps2-an500\n"
                "[Processor s]\nRole=slave\nMachine=mps2-an500\nWindow=16M@0x60000000\n", NULL);

        assert_int_equal(platform_config_get_master(config)->memory, 16 << 20);
        g_clear_pointer(&config, platform_config_free);

        /* One behind the other, from the first byte to the last */
        config = parse("[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=128M\n"
                       "[Processor a]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=64M@0x40000000\n"
                       "[Processor b]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=64M@0x44000000\n", NULL);
        assert_int_equal(config->processors->len, 3);
}

static void test_most_processors(void **state) {
        g_autoptr(GString) text = g_string_new(MASTER);
        g_autoptr(PlatformConfig) config = NULL;
        g_autoptr(GError) error = NULL;

        for (unsigned i = 1; i <= HET_ID_MAX; i++)
                g_string_append_printf(text,
                                       "[Processor s%u]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=64K@0x%x\n",
                                       i, 0x60000000 + i * 0x10000);
        config = parse(text->str, NULL);
        assert_int_equal(config->processors->len, PLATFORM_PROCESSORS_MAX);
        assert_string_equal(platform_config_get_processor_by_id(config, 255)->name, "s255");
        g_clear_pointer(&config, platform_config_free);

        g_string_append(text, "[Processor more]\n[Processor evenmore]\n");
        assert_false(platform_config_parse("p", NULL, text->str, text->len, NULL, &config, &error));
        assert_string_equal(error->message, "p:1281: [Processor more]: is one too many; a platform has up to 256 "
                                            "processors");
}

static void test_many_errors(void **state) {
        g_autoptr(GString) text = g_string_new(MASTER), expected = g_string_new(NULL);
        g_autoptr(PlatformConfig) config = NULL;
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < 23; i++) {
                g_string_append_printf(text, "Nothing%u=\n", i);
                if (i < 20)
                        g_string_append_printf(expected,
                                               "p:%u: [Processor m] Nothing%u=: is not known here; there are Role=, "
                                               "Id=, "
                                               "Machine=, CPU=, CPUs=, Target=, Memory=, Window=, Access=, Firmware=, Kernel=, Initrd=, "
                                               "CommandLine=, "
                                               "DeviceTree=, Entry=, Argument=, Protocol=, IDM=, Remoteproc=, AutoBoot=, OnMasterReset=, "
                                               "OnMasterFailure=, Start=, Monitor=, Restart=, "
                                               "RestartSec=, StartLimitBurst=, StartLimitIntervalSec=, WatchdogSec=, WatchdogStartSec=, QEMU=, "
                                               "ExtraArguments=, ConsoleLogMax=, Unit=, CPUWeight=, CPUQuota=, AllowedCPUs=, MemoryMin=, MemoryLow=, "
                                               "MemoryHigh=, MemoryMax=, MemorySwapMax=, TasksMax=, IOWeight=\n",
                                               6 + i, i);
        }
        g_string_append(expected, "p: and 3 more");

        assert_false(platform_config_parse("p", NULL, text->str, text->len, NULL, &config, &error));
        assert_string_equal(error->message, expected->str);
}

static void expect_error(const char *name, const char *path, const char *text, HetError code, const char *message) {
        g_autoptr(PlatformConfig) config = NULL;
        g_autoptr(GError) error = NULL;

        assert_false(platform_config_parse(name, path, text, strlen(text), NULL, &config, &error));
        assert_string_equal(error->message, message);
        assert_true(g_error_matches(error, HET_ERROR, (int) code));
}

static void test_names(void **state) {
        g_autoptr(PlatformConfig) config = NULL;
        g_autofree char *longest = g_strnfill(PLATFORM_NAME_MAX, 'a'),
                        *too_long = g_strnfill(PLATFORM_NAME_MAX + 1, 'a');

        /* The caller's name goes before the file's, the file's before that of the file */
        assert_true(platform_config_parse("caller", "/x/file.platform", "[Platform]\nName=key\n" MASTER,
                                          strlen("[Platform]\nName=key\n" MASTER), NULL, &config, NULL));
        assert_string_equal(config->name, "caller");
        g_clear_pointer(&config, platform_config_free);
        config = parse("[Platform]\nName=key\n" MASTER, NULL);
        assert_string_equal(config->name, "key");

        expect_error(NULL, NULL, MASTER, HET_ERROR_INVALID_PLATFORM,
                     "platform file: [Platform] Name=: is missing, and the file's name does not give one; write Name=");
        expect_error(NULL, "/x/1.platform", MASTER, HET_ERROR_INVALID_PLATFORM,
                     "/x/1.platform: [Platform] Name=: is missing, and the file's name does not give one; write Name=");
        expect_error("a/b", NULL, MASTER, HET_ERROR_INVALID_ARGUMENT,
                     "'a/b' is no name of a platform; use up to 64 letters, digits, _ and -, a letter first");
        expect_error("p", NULL, MASTER "Firmware=x.elf\n", HET_ERROR_INVALID_PLATFORM,
                     "p:6: [Processor m] Firmware=: 'x.elf' is relative, but the platform file came without a path; "
                     "write an absolute one");

        assert_true(platform_name_is_valid(longest));
        assert_true(platform_name_is_valid("a-_9"));
        assert_false(platform_name_is_valid(too_long));
        assert_false(platform_name_is_valid(""));
        assert_false(platform_name_is_valid("_a"));
        assert_false(platform_name_is_valid("a.b"));
}

static void test_boards(void **state) {
        assert_string_equal(board_find("virt")->machine, "virt");
        assert_string_equal(board_find("virt-10.0")->machine, "virt");
        assert_null(board_find("virt-"));
        assert_null(board_find("virt-10.0x"));
        assert_null(board_find("virtual"));
        assert_null(board_find("vir"));
        assert_null(board_find(""));
        assert_int_equal(board_find("mps2-an385")->idm_address, 0x50000000);
        assert_int_equal(board_find("mps2-an385")->idm_irq, 31);
        assert_int_equal(board_find("mps2-an385")->stm32_address, 0x50010000);

        for (const char *const *name = board_names(); *name; name++)
                assert_string_equal(board_find(*name)->machine, *name);
}

static void test_quotes(void **state) {
        g_autoptr(PlatformConfig) config = NULL;
        g_autoptr(GError) error = NULL;
        static const char text[] = MASTER "ExtraArguments=-global \"x\n";

        assert_false(platform_config_parse("p", NULL, text, strlen(text), NULL, &config, &error));
        /* The middle is GLib's */
        assert_true(g_str_has_prefix(error->message, "p:6: [Processor m] ExtraArguments=: "));
        assert_true(g_str_has_suffix(error->message, "; write words as for a shell, quoted where they have blanks"));
}

static void test_read_fd(void **state) {
        static const char text[] = MASTER;
        HET_AUTO_FD int fd = memfd_create("test", MFD_CLOEXEC);
        g_autoptr(PlatformConfig) config = NULL;
        g_autoptr(GError) error = NULL;
        int sockets[2];

        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_true(platform_config_read_fd("p", NULL, fd, NULL, &config, NULL));
        assert_string_equal(config->name, "p");
        g_clear_pointer(&config, platform_config_free);

        /* From its beginning, wherever it was read to; full to the last byte allowed */
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
        for (off_t at = (off_t) strlen(text); at < PLATFORM_FILE_SIZE_MAX; at++)
                assert_int_equal(pwrite(fd, "\n", 1, at), 1);
        assert_true(platform_config_read_fd("p", NULL, fd, NULL, &config, NULL));
        g_clear_pointer(&config, platform_config_free);

        assert_int_equal(pwrite(fd, "\n", 1, PLATFORM_FILE_SIZE_MAX), 1);
        assert_false(platform_config_read_fd("p", NULL, fd, NULL, &config, &error));
        assert_string_equal(error->message, "p: is larger than 1048576 bytes, which no platform file is");
        g_clear_error(&error);

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        assert_false(platform_config_read_fd("p", NULL, sockets[0], NULL, &config, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_null(config);
        fd_close(sockets[0]);
        fd_close(sockets[1]);
}

static void test_find(void **state) {
        g_autofree char *directory = platform_cases_path(""), *path = platform_cases_path("there.platform"),
                        *found = NULL;
        const char *directories[] = { "/nonexistent", directory, NULL };
        static const char *const none[] = { NULL };
        g_autoptr(GError) error = NULL;
        g_autofree char *expected = g_strdup_printf("There is no other.platform in /nonexistent, %s", directory);

        assert_true(g_file_set_contents(path, "x", 1, NULL));
        assert_true(platform_config_find("there", directories, &found, NULL));
        assert_true(g_str_has_suffix(found, "/there.platform"));
        assert_int_equal(g_unlink(path), 0);

        assert_false(platform_config_find("other", directories, &found, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_NO_SUCH_PLATFORM));
        assert_string_equal(error->message, expected);
        g_clear_error(&error);
        assert_false(platform_config_find("other", none, &found, &error));
        assert_string_equal(error->message, "There is no other.platform in any directory");
        g_clear_error(&error);
        assert_false(platform_config_find("../there", directories, &found, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_remoteproc),
                cmocka_unit_test(test_all_keys),
                cmocka_unit_test(test_targets),
                cmocka_unit_test(test_targets_of_32_bits),
                cmocka_unit_test(test_kernel_of_slave),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_variables),
                cmocka_unit_test(test_protocols),
                cmocka_unit_test(test_windows_at_the_edges),
                cmocka_unit_test(test_most_processors),
                cmocka_unit_test(test_many_errors),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_boards),
                cmocka_unit_test(test_quotes),
                cmocka_unit_test(test_read_fd),
                cmocka_unit_test(test_find),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
