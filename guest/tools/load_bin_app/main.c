/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * load_bin_app: loads a program into the window of a slave and starts it, on a Linux that is the master of a platform, by the devices
 * of idm_test_mod.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "load.h"

static const char help[] =
"Usage: load_bin_app [OPTIONS] ID KERNEL [DTB [INITRD]]\n"
"       load_bin_app [OPTIONS] ID PROGRAM\n"
"       load_bin_app --list\n"
"       load_bin_app --status | --stop ID\n"
"       load_bin_app --kick ID VECTOR\n"
"       load_bin_app --listen ID [COUNT]\n"
"\n"
"Loads a program into the window of slave ID and starts it. A zImage, an Image of arm64 or a uImage without compression is started as\n"
"a Linux kernel, with a device tree DTB whose memory is the window; without DTB the platform makes one. An ELF file is loaded to where\n"
"it is linked to. What else a file may be is loaded with --raw.\n"
"\n"
"  -r, --raw=ADDRESS     copy the file to this address as it is. A number below the window's size is counted from its beginning\n"
"  -e, --entry=ADDRESS   begin there (default: ELF: its entry, or for a Cortex-M its lowest address; --raw: ADDRESS). Bit 0: Thumb\n"
"  -a, --argument=NUMBER what the program gets in its first register (default: 0)\n"
"  -p, --protocol=NAME   auto, raw, linux or vector-table (Cortex-M). Default: linux for kernels, else auto: what the slave is\n"
"  -c, --command-line=TEXT\n"
"                        of the kernel, instead of what DTB has\n"
"      --list            show all slaves\n"
"      --status          show slave ID\n"
"      --stop            stop it; its window keeps its content\n"
"      --kick            send it a vector, 0 to 31\n"
"      --listen          show it, then vectors that it sends and changes of its state, COUNT times (default: until a signal comes)\n"
"  -h, --help            show this\n"
"\n"
"Exit status: 0 done; 1 a file cannot be used, or the slave cannot be as it is now; 2 usage; 3 the platform did not do it.\n"
"Numbers may be hexadecimal (0x…). Needs idm_test_mod.\n";

enum {
        COMMAND_LOAD = 256, COMMAND_LIST, COMMAND_STATUS, COMMAND_STOP, COMMAND_KICK, COMMAND_LISTEN,
};

static uint64_t parse_number(const char *text, const char *what, uint64_t min, uint64_t max) {
        unsigned long long value;
        char *end;

        errno = 0;
        value = strtoull(text, &end, 0);
        if (errno != 0 || end == text || *end != '\0' || strchr(text, '-') || value < min || value > max)
                fail(EXIT_USAGE, "%s is no %s; see load_bin_app --help", text, what);
        return value;
}

static uint32_t parse_protocol(const char *text) {
        static const char *const names[] = {
                [IDM_TEST_PROTOCOL_AUTO] = "auto",
                [IDM_TEST_PROTOCOL_RAW] = "raw",
                [IDM_TEST_PROTOCOL_LINUX] = "linux",
                [IDM_TEST_PROTOCOL_VECTORS] = "vector-table",
        };

        for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(text, names[i]) == 0)
                        return i;
        fail(EXIT_USAGE, "%s is no protocol: they are auto, raw, linux and vector-table", text);
}

static int parse_options(int argc, char **argv, Options *options) {
        static const struct option list[] = {
                { "raw", required_argument, NULL, 'r' },
                { "entry", required_argument, NULL, 'e' },
                { "argument", required_argument, NULL, 'a' },
                { "protocol", required_argument, NULL, 'p' },
                { "command-line", required_argument, NULL, 'c' },
                { "list", no_argument, NULL, COMMAND_LIST },
                { "status", no_argument, NULL, COMMAND_STATUS },
                { "stop", no_argument, NULL, COMMAND_STOP },
                { "kick", no_argument, NULL, COMMAND_KICK },
                { "listen", no_argument, NULL, COMMAND_LISTEN },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int command = COMMAND_LOAD, c;

        while ((c = getopt_long(argc, argv, "r:e:a:p:c:h", list, NULL)) != -1)
                switch (c) {
                case 'r':
                        options->has_raw = true;
                        options->raw = parse_number(optarg, "address", 0, UINT64_MAX);
                        break;
                case 'e':
                        options->has_entry = true;
                        options->entry = parse_number(optarg, "address", 1, UINT64_MAX);
                        break;
                case 'a':
                        options->has_argument = true;
                        options->argument = parse_number(optarg, "argument", 0, UINT64_MAX);
                        break;
                case 'p':
                        options->has_protocol = true;
                        options->protocol = parse_protocol(optarg);
                        break;
                case 'c':
                        options->command_line = optarg;
                        break;
                case 'h':
                        fputs(help, stdout);
                        exit(EXIT_SUCCESS);
                case '?':
                        fail(EXIT_USAGE, "See load_bin_app --help");
                default:
                        if (command != COMMAND_LOAD)
                                fail(EXIT_USAGE, "Only one thing at a time; see load_bin_app --help");
                        command = c;
                }
        return command;
}

/* Files are read before the slave is looked at, and everything is checked before anything is written. */
static void load(unsigned id, int n, char **names, const Options *options) {
        File files[3];
        Slave slave;

        for (int i = 0; i < n; i++)
                files[i] = file_read(names[i]);
        slave = slave_open(id);
        slave_check_ready(&slave);

        if (!options->has_raw && !image_is_elf(&files[0])) {
                load_linux(&slave, &files[0], n > 1 ? &files[1] : NULL, n > 2 ? &files[2] : NULL, options);
                return;
        }

        if (n > 1 || options->command_line)
                fail(EXIT_USAGE, "%s is no kernel: it gets no device tree and no command line", names[0]);
        if (options->has_raw)
                load_raw(&slave, &files[0], options);
        else
                load_elf(&slave, &files[0], options);
}

static void run(int command, unsigned id, int n, char **arguments, const Options *options) {
        unsigned vector, count = UINT32_MAX;
        Slave slave;

        switch (command) {
        case COMMAND_LOAD:
                load(id, n, arguments, options);
                return;
        case COMMAND_KICK:
                vector = (unsigned) parse_number(arguments[0], "vector", 0, 31);
                slave = slave_open(id);
                slave_kick(&slave, vector);
                return;
        case COMMAND_LISTEN:
                if (n > 0)
                        count = (unsigned) parse_number(arguments[0], "count", 1, UINT32_MAX);
                slave = slave_open(id);
                slave_listen(&slave, count);
                return;
        case COMMAND_STOP:
                slave = slave_open(id);
                slave_stop(&slave);
                return;
        default:
                slave = slave_open(id);
                slave_describe(&slave);
        }
}

int main(int argc, char **argv) {
        static const int wanted[][2] = {        /* arguments behind ID: at least, at most */
                [COMMAND_LOAD - COMMAND_LOAD] = { 1, 3 },
                [COMMAND_STATUS - COMMAND_LOAD] = { 0, 0 },
                [COMMAND_STOP - COMMAND_LOAD] = { 0, 0 },
                [COMMAND_KICK - COMMAND_LOAD] = { 1, 1 },
                [COMMAND_LISTEN - COMMAND_LOAD] = { 0, 1 },
        };
        Options options = { 0 };
        int command = parse_options(argc, argv, &options), n = argc - optind - 1;

        if (command == COMMAND_LIST) {
                if (n >= 0)
                        fail(EXIT_USAGE, "--list shows all slaves; see load_bin_app --help");
                slave_list();
                return EXIT_SUCCESS;
        }
        if (n < wanted[command - COMMAND_LOAD][0] || n > wanted[command - COMMAND_LOAD][1])
                fail(EXIT_USAGE, "Too %s arguments; see load_bin_app --help", n < wanted[command - COMMAND_LOAD][0] ? "few" : "many");

        run(command, (unsigned) parse_number(argv[optind], "number of a slave, they are 1 to 255", 1, 255), n, argv + optind + 1, &options);
        return EXIT_SUCCESS;
}
