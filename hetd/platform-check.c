/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What must fit together in a platform file, and the defaults. Each check keeps away from keys that were reported
 * already, so that one mistake is one error. Called by platform-file.c once all keys were read.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "kernel-image.h"
#include "platform-parser.h"
#include "util/parse.h"
#include "window.h"

/* The largest page size of hosts and guests: what is aligned to it can be mapped everywhere */
#define ALIGNMENT               (64U * 1024)
#define ALIGNMENT_PREFERRED     (2U * 1024 * 1024)
#define MEMORY_MAX              (1ULL << 40)
#define VECTOR_TABLE_ALIGNMENT  128U

/* A first restart must not be what a recovery by the master's guest waits for. The limit is systemd's. */
#define RESTART_USEC_DEFAULT            1000U
#define START_LIMIT_BURST_DEFAULT       5U
#define START_LIMIT_USEC_DEFAULT        (10 * G_USEC_PER_SEC)
#define WATCHDOG_START_USEC_DEFAULT     (10 * G_USEC_PER_SEC)
#define CONSOLE_LOG_MAX_DEFAULT (16U * 1024 * 1024)

static bool is_absent(const ParsedProcessor *pp, ProcessorKey key) {
        return pp->keys[key].state == KEY_ABSENT;
}

static bool is_good(const ParsedProcessor *pp, ProcessorKey key) {
        return pp->keys[key].state == KEY_GOOD;
}

static bool is_slave(const ParsedProcessor *pp) {
        return is_good(pp, KEY_ROLE) && pp->config->role == PROCESSOR_SLAVE;
}

static bool is_master(const ParsedProcessor *pp) {
        return is_good(pp, KEY_ROLE) && pp->config->role == PROCESSOR_MASTER;
}

static uint64_t last_of(uint64_t address, uint64_t size) {
        return address + (size - 1);
}

/* --- which keys belong together --- */

static void refuse_keys(PlatformParser *p, ParsedProcessor *pp, const ProcessorKey *keys, size_t n,
                        const char *reason) {
        for (size_t i = 0; i < n; i++)
                if (is_good(pp, keys[i]))
                        platform_parser_key_error(p, pp, keys[i], "%s", reason);
}

static void check_role(PlatformParser *p, ParsedProcessor *pp) {
        static const ProcessorKey of_slaves[] = { KEY_WINDOW, KEY_ACCESS, KEY_ENTRY, KEY_ARGUMENT, KEY_PROTOCOL, KEY_AUTO_BOOT,
                                                  KEY_REMOTEPROC, KEY_ON_MASTER_RESET, KEY_ON_MASTER_FAILURE,
                                                  KEY_WATCHDOG_SEC, KEY_WATCHDOG_START_SEC };

        if (is_absent(pp, KEY_ROLE)) {
                platform_parser_key_error(p, pp, KEY_ROLE, "is missing; write Role=master or Role=slave");
                return;
        }

        if (is_master(pp)) {
                refuse_keys(p, pp, of_slaves, G_N_ELEMENTS(of_slaves), "is for slaves only; remove it from the master");
                if (is_good(pp, KEY_ID) && pp->config->id != 0)
                        platform_parser_key_error(p, pp, KEY_ID, "the master has number 0; remove it");
        }

        if (is_slave(pp) && is_good(pp, KEY_MEMORY))
                platform_parser_key_error(p, pp, KEY_MEMORY,
                                          "is for the master only; a slave's memory is its window "
                                          "(Window=SIZE@ADDRESS)");
}

static const ProcessorKey of_limits[] = { KEY_CPU_WEIGHT, KEY_CPU_QUOTA, KEY_ALLOWED_CPUS, KEY_MEMORY_MIN, KEY_MEMORY_LOW,
                                          KEY_MEMORY_HIGH, KEY_MEMORY_MAX, KEY_MEMORY_SWAP_MAX, KEY_TASKS_MAX, KEY_IO_WEIGHT };

static void check_unit(PlatformParser *p, ParsedProcessor *pp) {
        if (is_absent(pp, KEY_CONSOLE_LOG_MAX))
                pp->config->console_log_max = CONSOLE_LOG_MAX_DEFAULT;
        if (is_good(pp, KEY_UNIT) && pp->config->unit == PROCESSOR_UNIT_NO)
                refuse_keys(p, pp, of_limits, G_N_ELEMENTS(of_limits), "is kept by systemd, for units only; remove it, or Unit=no");
}

static void check_start(PlatformParser *p, ParsedProcessor *pp) {
        static const ProcessorKey of_process[] = { KEY_TARGET, KEY_QEMU, KEY_EXTRA_ARGUMENTS, KEY_UNIT };
        static const ProcessorKey of_restart[] = { KEY_RESTART, KEY_RESTART_SEC, KEY_START_LIMIT_BURST,
                                                   KEY_START_LIMIT_INTERVAL_SEC };
        static const ProcessorKey of_master[] = { KEY_FIRMWARE, KEY_KERNEL, KEY_INITRD, KEY_COMMAND_LINE,
                                                  KEY_DEVICE_TREE };
        static const char reason[] = "has no effect with Start=external: who starts that QEMU chooses it; remove it";

        if (!is_good(pp, KEY_START) || pp->config->start != PROCESSOR_START_EXTERNAL) {
                if (is_good(pp, KEY_MONITOR))
                        platform_parser_key_error(p, pp, KEY_MONITOR, "is for a QEMU that somebody else starts; add Start=external, or "
                                                  "remove it");
                return;
        }

        refuse_keys(p, pp, of_process, G_N_ELEMENTS(of_process), reason);
        refuse_keys(p, pp, of_limits, G_N_ELEMENTS(of_limits), "limits no QEMU that hetd has not started; remove it");
        refuse_keys(p, pp, of_restart, G_N_ELEMENTS(of_restart),
                    "has no effect with Start=external: hetd does not start that QEMU; remove it");
        if (is_master(pp))
                refuse_keys(p, pp, of_master, G_N_ELEMENTS(of_master), reason);
}

static void check_restart(PlatformParser *p, ParsedProcessor *pp) {
        static const ProcessorKey of_restart[] = { KEY_RESTART_SEC, KEY_START_LIMIT_BURST, KEY_START_LIMIT_INTERVAL_SEC };
        ProcessorConfig *c = pp->config;

        if (is_absent(pp, KEY_RESTART_SEC))
                c->restart_usec = RESTART_USEC_DEFAULT;
        if (is_absent(pp, KEY_START_LIMIT_BURST))
                c->start_limit_burst = START_LIMIT_BURST_DEFAULT;
        if (is_absent(pp, KEY_START_LIMIT_INTERVAL_SEC))
                c->start_limit_usec = START_LIMIT_USEC_DEFAULT;

        /* Beside Restart=no it may stay: that is how it is switched off for a while */
        if (is_good(pp, KEY_ROLE) && is_absent(pp, KEY_RESTART))
                refuse_keys(p, pp, of_restart, G_N_ELEMENTS(of_restart),
                            "has no effect without Restart=; add Restart=on-failure, or remove it");
}

static void check_watchdog(PlatformParser *p, ParsedProcessor *pp) {
        static const ProcessorKey of_watchdog[] = { KEY_WATCHDOG_START_SEC };

        if (is_absent(pp, KEY_WATCHDOG_START_SEC))
                pp->config->watchdog_start_usec = WATCHDOG_START_USEC_DEFAULT;
        if (is_slave(pp) && is_absent(pp, KEY_WATCHDOG_SEC))
                refuse_keys(p, pp, of_watchdog, G_N_ELEMENTS(of_watchdog),
                            "has no effect without WatchdogSec=; add WatchdogSec=, or remove it");
}

/* hetd loads it as a boot loader would do */
static void check_kernel_of_slave(PlatformParser *p, ParsedProcessor *pp) {
        ProcessorConfig *c = pp->config;

        if (is_absent(pp, KEY_KERNEL) && is_good(pp, KEY_INITRD))
                platform_parser_key_error(p, pp, KEY_INITRD, "is for a Linux kernel; add Kernel=, or remove it");
        if (is_good(pp, KEY_INITRD) && is_good(pp, KEY_DEVICE_TREE))
                platform_parser_key_error(p, pp, KEY_INITRD,
                                          "the device tree that DeviceTree= names is used as it is, and does not tell where hetd "
                                          "puts this; remove one of them");
        if (!is_good(pp, KEY_KERNEL))
                return;

        if (is_absent(pp, KEY_PROTOCOL))
                c->protocol = BOOT_PROTOCOL_LINUX;
        else if (is_good(pp, KEY_PROTOCOL) && c->protocol != BOOT_PROTOCOL_LINUX)
                platform_parser_key_error(p, pp, KEY_PROTOCOL, "a kernel boots by linux only; remove it, or write Protocol=linux");
        if (is_good(pp, KEY_ENTRY))
                platform_parser_key_error(p, pp, KEY_ENTRY, "the kernel says itself where it begins; remove it");
        if (is_good(pp, KEY_WINDOW) && c->window_address % KERNEL_MEMORY_ALIGNMENT != 0)
                platform_parser_key_error(p, pp, KEY_WINDOW,
                                          "Linux needs its memory at a multiple of 2M, and 0x%" PRIx64 " is none; write an address "
                                          "like 0x%" PRIx64, c->window_address,
                                          c->window_address / KERNEL_MEMORY_ALIGNMENT * KERNEL_MEMORY_ALIGNMENT);
}

static void check_boot_files(PlatformParser *p, ParsedProcessor *pp) {
        static const ProcessorKey of_kernel[] = { KEY_INITRD, KEY_COMMAND_LINE };
        static const ProcessorKey of_linux[] = { KEY_COMMAND_LINE, KEY_DEVICE_TREE };
        const Board *board = pp->config->board;

        if (is_good(pp, KEY_FIRMWARE) && is_good(pp, KEY_KERNEL))
                platform_parser_key_error(p, pp, KEY_KERNEL, "there is Firmware= already (line %u); choose one",
                                          pp->keys[KEY_FIRMWARE].line);
        if (is_master(pp) && is_absent(pp, KEY_KERNEL))
                refuse_keys(p, pp, of_kernel, G_N_ELEMENTS(of_kernel),
                            "is for a Linux kernel; add Kernel=, or remove it");

        if (is_slave(pp))
                check_kernel_of_slave(p, pp);
        if (is_good(pp, KEY_ACCESS) && pp->config->read_only && pp->config->protocol == BOOT_PROTOCOL_LINUX)
                platform_parser_key_error(p, pp, KEY_ACCESS, "Linux cannot run in memory that it cannot write to");
        if (is_slave(pp) && pp->keys[KEY_PROTOCOL].state != KEY_BAD && pp->config->protocol != BOOT_PROTOCOL_LINUX)
                refuse_keys(p, pp, of_linux, G_N_ELEMENTS(of_linux),
                            "is for a slave that boots Linux; add Protocol=linux, or remove it");
        if (is_slave(pp) && is_good(pp, KEY_ARGUMENT) && pp->keys[KEY_PROTOCOL].state != KEY_BAD &&
            pp->config->protocol == BOOT_PROTOCOL_LINUX)
                platform_parser_key_error(p, pp, KEY_ARGUMENT,
                                          "Linux gets the address of its device tree there; remove it");

        if (!is_good(pp, KEY_MACHINE) || board->device_tree)
                return;

        if (is_good(pp, KEY_KERNEL) && !board->kernel_without_tree)
                platform_parser_key_error(p, pp, KEY_KERNEL,
                                          "%s cannot run Linux with a device tree; use Firmware=", board->machine);
        if (is_good(pp, KEY_DEVICE_TREE))
                platform_parser_key_error(p, pp, KEY_DEVICE_TREE, "%s has no device tree; remove it", board->machine);
}

/* --- the machine --- */

static void check_machine(PlatformParser *p, ParsedProcessor *pp) {
        const ProcessorConfig *c = pp->config;
        const Board *board = c->board;

        if (is_absent(pp, KEY_MACHINE)) {
                g_autofree char *known = g_strjoinv(", ", (char **) board_names());

                platform_parser_key_error(p, pp, KEY_MACHINE, "is missing; known are %s", known);
        }
        if (!is_good(pp, KEY_MACHINE))
                return;

        if (is_absent(pp, KEY_CPU) && !board->default_cpu && !board->cpu_optional)
                platform_parser_key_error(p, pp, KEY_CPU,
                                          "is missing; %s has a choice, write for example CPU=%s", board->machine,
                                          board->architecture == ARCHITECTURE_RISCV ? "rv64" : "cortex-a15");
        else if (is_good(pp, KEY_CPU) && board->default_cpu) {
                g_autofree char *model = g_strndup(c->cpu, strcspn(c->cpu, ","));

                if (strcmp(model, board->default_cpu) != 0)
                        platform_parser_key_error(p, pp, KEY_CPU, "%s has no %s; write CPU=%s, or remove it",
                                                  board->machine, model, board->default_cpu);
        }

        if (is_good(pp, KEY_CPUS) && c->cpus > board->max_cpus && !strstr(c->machine, ",gic-version="))
                platform_parser_key_error(p, pp, KEY_CPUS, "%s has up to %u%s", board->machine, board->max_cpus,
                                          board->device_tree ? " (more with gic-version=3 in Machine=)" : "");

        if (c->extra_arguments && is_good(pp, KEY_EXTRA_ARGUMENTS) && is_good(pp, KEY_ROLE)) {
                g_autofree char *problem = extra_arguments_problem(c->extra_arguments, c);

                if (problem)
                        platform_parser_key_error(p, pp, KEY_EXTRA_ARGUMENTS, "%s", problem);
        }
}

/* A size that the board and everybody who maps it can do with; false: reported */
static bool check_size(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, uint64_t size, const char *rest) {
        const Board *board = is_good(pp, KEY_MACHINE) ? pp->config->board : NULL;
        char have[FORMAT_SIZE_MAX], want[FORMAT_SIZE_MAX];

        format_size(size, have);
        if (board && board->ram_size != 0 && size != board->ram_size) {
                format_size(board->ram_size, want);
                platform_parser_key_error(p, pp, key, "%s has exactly %s of memory, not %s; write %s=%s%s",
                                          board->machine, want, have, processor_key_name(key), want, rest);
                return false;
        }

        if (size == 0 || size > MEMORY_MAX) {
                platform_parser_key_error(p, pp, key, "%s is no possible size; it is 64K to 1T", have);
                return false;
        }

        if (size % ALIGNMENT != 0) {
                format_size((size / ALIGNMENT + 1) * ALIGNMENT, want);
                platform_parser_key_error(p, pp, key, "the size %s is not a multiple of 64K; write %s=%s%s", have,
                                          processor_key_name(key), want, rest);
                return false;
        }

        return true;
}

static void check_memory(PlatformParser *p, ParsedProcessor *pp) {
        const Board *board = pp->config->board;

        if (!is_master(pp))
                return;

        if (is_good(pp, KEY_MEMORY))
                (void) check_size(p, pp, KEY_MEMORY, pp->config->memory, "");
        else if (is_absent(pp, KEY_MEMORY) && is_good(pp, KEY_MACHINE)) {
                pp->config->memory = board->ram_size;
                if (board->ram_size == 0)
                        platform_parser_key_error(p, pp, KEY_MEMORY,
                                                  "is missing; the windows are parts of it, write for example "
                                                  "Memory=1G");
        }
}

/* --- windows --- */

static ParsedProcessor *find_master(PlatformParser *p) {
        for (unsigned i = 0; i < p->processors->len; i++) {
                ParsedProcessor *pp = g_ptr_array_index(p->processors, i);

                if (is_master(pp))
                        return pp;
        }

        return NULL;
}

/* Whether what the master's memory looks like is known */
static bool has_memory(const ParsedProcessor *master) {
        return master && is_good(master, KEY_MACHINE) && master->keys[KEY_MEMORY].state != KEY_BAD;
}

static bool overlaps_own_memory(const ParsedProcessor *pp, uint64_t address) {
        uint64_t size = pp->config->window_size, ram = pp->config->board->ram_base;

        /* At the very same address there is no second view of it */
        return address != ram && window_overlaps(address, size, ram, size);
}

/* The first window at which [address, +size) cannot be, other than pp's own; NULL: none */
static const ParsedProcessor *find_overlap(PlatformParser *p, const ParsedProcessor *pp, uint64_t address, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                const ParsedProcessor *other = g_ptr_array_index(p->processors, i);

                if (other != pp && is_slave(other) && is_good(other, KEY_WINDOW) &&
                    window_overlaps(address, pp->config->window_size, other->config->window_address,
                                    other->config->window_size))
                        return other;
        }

        return NULL;
}

/* Where windows of this master can be */
static void windows_range(const ProcessorConfig *master, uint64_t *ret_first, uint64_t *ret_last) {
        const Board *board = master->board;

        *ret_first = board->ram_base;
        *ret_last = last_of(board->ram_base, master->memory);
        if (board->windows_last != 0) {
                *ret_first += master->memory >= board->ram_split ? board->ram_low : master->memory;
                *ret_last = board->windows_last;
        }
}

/* The highest address at which the window could be: Linux likes its low memory in one piece */
static bool find_place(PlatformParser *p, const ParsedProcessor *master, const ParsedProcessor *pp, uint64_t *ret) {
        const ProcessorConfig *m = master->config, *c = pp->config;
        uint64_t size = c->window_size;
        uint64_t first, last;
        uint64_t unit = size % ALIGNMENT_PREFERRED == 0 ? ALIGNMENT_PREFERRED : ALIGNMENT;

        windows_range(m, &first, &last);
        first = MAX(first, c->board->bus_first);
        last = MIN(last, c->board->bus_last);
        for (uint64_t top = last + 1; top > first && top - first >= size;) {
                uint64_t address = (top - size) / unit * unit;
                const ParsedProcessor *other;

                if (address < first)
                        return false;

                other = find_overlap(p, pp, address, p->processors->len);
                if (other)
                        top = other->config->window_address;
                else if (overlaps_own_memory(pp, address))
                        top = c->board->ram_base;
                else {
                        *ret = address;
                        return true;
                }
        }

        return false;
}

/* Reports the window, and where it could be instead */
static void window_error(PlatformParser *p, const ParsedProcessor *master, ParsedProcessor *pp, const char *format, ...)
        G_GNUC_PRINTF(4, 5);

static void window_error(PlatformParser *p, const ParsedProcessor *master, ParsedProcessor *pp, const char *format,
                         ...) {
        g_autofree char *what = NULL;
        char size[FORMAT_SIZE_MAX];
        uint64_t place;
        va_list args;

        va_start(args, format);
        what = g_strdup_vprintf(format, args);
        va_end(args);

        format_size(pp->config->window_size, size);
        if (find_place(p, master, pp, &place))
                platform_parser_key_error(p, pp, KEY_WINDOW, "%s; there is room at Window=%s@0x%" PRIx64, what, size,
                                          place);
        else
                platform_parser_key_error(p, pp, KEY_WINDOW,
                                          "%s; there is no room for %s, give the master more memory or make windows "
                                          "smaller",
                                          what, size);
}

/* What can be said of a window without the others */
static void check_window_itself(PlatformParser *p, ParsedProcessor *pp) {
        ProcessorConfig *c = pp->config;
        g_autofree char *rest = g_strdup_printf("@0x%" PRIx64, c->window_address / ALIGNMENT * ALIGNMENT);
        char size[FORMAT_SIZE_MAX];

        if (is_slave(pp) && is_absent(pp, KEY_WINDOW))
                platform_parser_key_error(p, pp, KEY_WINDOW,
                                          "is missing; write SIZE@ADDRESS, like Window=64M@0x60000000");
        if (!is_slave(pp) || !is_good(pp, KEY_WINDOW) || !check_size(p, pp, KEY_WINDOW, c->window_size, rest))
                return;

        format_size(c->window_size, size);
        c->memory = c->window_size;
        if (c->window_address % ALIGNMENT != 0)
                platform_parser_key_error(p, pp, KEY_WINDOW,
                                          "the address 0x%" PRIx64 " is not a multiple of 64K; write "
                                          "Window=%s@0x%" PRIx64,
                                          c->window_address, size, c->window_address / ALIGNMENT * ALIGNMENT);
        else if (c->window_size - 1 > UINT64_MAX - c->window_address)
                platform_parser_key_error(p, pp, KEY_WINDOW,
                                          "0x%" PRIx64 " and %s more is beyond the end of all addresses; write a lower "
                                                       "one",
                                          c->window_address, size);
}

static void check_window_place(PlatformParser *p, const ParsedProcessor *master, ParsedProcessor *pp, unsigned index) {
        const ProcessorConfig *m = master->config, *c = pp->config;
        uint64_t first = c->window_address, last = last_of(first, c->window_size);
        uint64_t range_first, range_last;
        const ParsedProcessor *other = find_overlap(p, pp, first, index);

        windows_range(m, &range_first, &range_last);
        if (first < range_first || last > range_last)
                window_error(p, master, pp, "0x%" PRIx64 "–0x%" PRIx64 " is not inside %s (0x%" PRIx64 "–0x%" PRIx64 ")",
                             first, last,
                             m->board->windows_last != 0 ? "the room between the master's memory and its devices"
                                                         : "the master's memory",
                             range_first, range_last);
        else if (other)
                window_error(p, master, pp,
                             "0x%" PRIx64 "–0x%" PRIx64 " overlaps the window of %s in line %u (0x%" PRIx64
                             "–0x%" PRIx64 ")",
                             first, last, other->config->name, other->keys[KEY_WINDOW].line,
                             other->config->window_address,
                             last_of(other->config->window_address, other->config->window_size));
        else if (overlaps_own_memory(pp, first))
                window_error(p, master, pp,
                             "0x%" PRIx64 "–0x%" PRIx64 " partly overlaps where %s has its memory (0x%" PRIx64
                             "–0x%" PRIx64 "), which is the window seen once more",
                             first, last, c->board->machine, c->board->ram_base,
                             last_of(c->board->ram_base, c->window_size));
        else if (first != c->board->ram_base && (first < c->board->bus_first || last > c->board->bus_last))
                window_error(p, master, pp,
                             "0x%" PRIx64 "–0x%" PRIx64 " is no place for a window of %s, which %s there, but can have "
                                                        "it at "
                             "0x%" PRIx64 "–0x%" PRIx64,
                             first, last, c->board->machine,
                             c->board->m_profile ? "cannot execute code" : "has devices", c->board->bus_first,
                             c->board->bus_last);
}

static void check_windows(PlatformParser *p) {
        const ParsedProcessor *master = find_master(p);

        for (unsigned i = 0; i < p->processors->len; i++)
                check_window_itself(p, g_ptr_array_index(p->processors, i));

        for (unsigned i = 0; has_memory(master) && i < p->processors->len; i++) {
                ParsedProcessor *pp = g_ptr_array_index(p->processors, i);

                if (is_slave(pp) && is_good(pp, KEY_WINDOW) && is_good(pp, KEY_MACHINE))
                        check_window_place(p, master, pp, i);
        }
}

/* --- boot --- */

static bool is_in_window(const ProcessorConfig *c, uint64_t address) {
        return window_overlaps(address, 1, c->window_address, c->window_size) ||
                window_overlaps(address, 1, c->board->ram_base, c->window_size);
}

static void check_boot(PlatformParser *p, ParsedProcessor *pp) {
        ProcessorConfig *c = pp->config;

        if (!is_slave(pp) || !is_good(pp, KEY_MACHINE))
                return;

        if (is_good(pp, KEY_PROTOCOL) && c->protocol == BOOT_PROTOCOL_VECTOR_TABLE && !c->board->m_profile)
                platform_parser_key_error(p, pp, KEY_PROTOCOL, "vector-table is for Cortex-M; %s boots by raw or linux",
                                          c->board->machine);
        else if (is_good(pp, KEY_PROTOCOL) && c->board->m_profile && c->protocol != BOOT_PROTOCOL_AUTO &&
                 c->protocol != BOOT_PROTOCOL_VECTOR_TABLE)
                platform_parser_key_error(p, pp, KEY_PROTOCOL, "%s is a Cortex-M, which boots by vector-table only",
                                          c->board->machine);

        /* It enters the kernel outside of the secure world, but the interrupt controller would begin inside of it */
        else if (pp->keys[KEY_PROTOCOL].state != KEY_BAD && c->protocol == BOOT_PROTOCOL_LINUX && strstr(c->machine, ",secure=on"))
                platform_parser_key_error(p, pp, KEY_MACHINE,
                                          "a slave with secure=on cannot boot Linux, which would get no interrupts; remove it");

        if (is_good(pp, KEY_ENTRY) && is_good(pp, KEY_WINDOW)) {
                if (!is_in_window(c, c->entry & ~UINT64_C(1)))
                        platform_parser_key_error(p, pp, KEY_ENTRY,
                                                  "0x%" PRIx64 " is not inside the window; it is seen at 0x%" PRIx64
                                                  "–0x%" PRIx64 " and at 0x%" PRIx64 "–0x%" PRIx64,
                                                  c->entry, c->window_address,
                                                  last_of(c->window_address, c->window_size), c->board->ram_base,
                                                  last_of(c->board->ram_base, c->window_size));
                else if (c->board->m_profile && c->entry % VECTOR_TABLE_ALIGNMENT != 0)
                        platform_parser_key_error(p, pp, KEY_ENTRY,
                                                  "a vector table begins at a multiple of %u, not at 0x%" PRIx64
                                                  "; write Entry=0x%" PRIx64,
                                                  VECTOR_TABLE_ALIGNMENT, c->entry,
                                                  c->entry / VECTOR_TABLE_ALIGNMENT * VECTOR_TABLE_ALIGNMENT);
        }

        if (is_good(pp, KEY_AUTO_BOOT) && c->auto_boot && is_absent(pp, KEY_FIRMWARE) && is_absent(pp, KEY_KERNEL) &&
            is_absent(pp, KEY_ENTRY))
                platform_parser_key_error(p, pp, KEY_AUTO_BOOT,
                                          "there is nothing to boot; add Firmware=, Kernel= or Entry=, or write AutoBoot=no");
}

/* --- the platform --- */

static void check_ids(PlatformParser *p) {
        ParsedProcessor *owners[HET_ID_MAX + 1] = { 0 };
        uint32_t next = 1;

        for (unsigned i = 0; i < p->processors->len; i++) {
                ParsedProcessor *pp = g_ptr_array_index(p->processors, i);
                uint32_t id = pp->config->id;

                if (!is_slave(pp) || !is_good(pp, KEY_ID))
                        continue;
                if (id == 0)
                        platform_parser_key_error(p, pp, KEY_ID, "0 is the master's number; slaves have 1 to %u",
                                                  HET_ID_MAX);
                else if (owners[id])
                        platform_parser_key_error(p, pp, KEY_ID,
                                                  "%u is the number of %s already (line %u); choose another", id,
                                                  owners[id]->config->name, owners[id]->keys[KEY_ID].line);
                else
                        owners[id] = pp;
        }

        for (unsigned i = 0; i < p->processors->len; i++) {
                ParsedProcessor *pp = g_ptr_array_index(p->processors, i);

                if (!is_slave(pp) || !is_absent(pp, KEY_ID))
                        continue;
                while (next <= HET_ID_MAX && owners[next])
                        next++;
                if (next > HET_ID_MAX)
                        return; /* then there is a processor too many, which was reported */
                pp->config->id = next;
                owners[next] = pp;
        }
}

static void check_masters(PlatformParser *p) {
        const ParsedProcessor *first = find_master(p);
        bool all_known = true;

        for (unsigned i = 0; i < p->processors->len; i++) {
                ParsedProcessor *pp = g_ptr_array_index(p->processors, i);

                all_known = all_known && is_good(pp, KEY_ROLE);
                if (is_master(pp) && pp != first)
                        platform_parser_key_error(p, pp, KEY_ROLE,
                                                  "there is a master already, %s in line %u; write Role=slave",
                                                  first->config->name, first->config->line);
        }

        /* A role that was reported may have been meant to be the master's */
        if (!first && all_known)
                platform_parser_error(p, 0, NULL, NULL,
                                      "there is no master; a platform has one [Processor NAME] with Role=master");
}

void platform_parser_check(PlatformParser *p) {
        for (unsigned i = 0; i < p->processors->len; i++) {
                ParsedProcessor *pp = g_ptr_array_index(p->processors, i);

                if (is_absent(pp, KEY_CPUS))
                        pp->config->cpus = 1;
                check_role(p, pp);
                check_start(p, pp);
                check_unit(p, pp);
                check_restart(p, pp);
                check_watchdog(p, pp);
                platform_parser_choose_board(p, pp);
                check_machine(p, pp);
                platform_parser_check_target(p, pp);
                platform_parser_check_idm(p, pp);
                check_boot_files(p, pp);
                check_memory(p, pp);
        }

        check_masters(p);
        check_ids(p);
        check_windows(p);
        for (unsigned i = 0; i < p->processors->len; i++)
                check_boot(p, g_ptr_array_index(p->processors, i));
        platform_parser_check_remoteproc(p);
}
