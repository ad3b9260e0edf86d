/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the parts of the platform file's reader share:
 *   platform-file.c   the public functions, groups, the assembly of the result
 *   platform-keys.c   the keys, one by one
 *   platform-check.c  what must fit together
 *   platform-target.c  which board it is, and which QEMU
 *   platform-remoteproc.c  the same of Remoteproc=
 *   platform-arguments.c  what ExtraArguments= and Machine= must not do
 * Errors are collected: one reading reports all it can find. A key that is wrong is marked so, and later checks keep
 * away from it.
 */

#include "platform-file.h"

typedef enum ProcessorKey {
        KEY_ROLE, KEY_ID, KEY_MACHINE, KEY_CPU, KEY_CPUS, KEY_TARGET, KEY_MEMORY, KEY_WINDOW, KEY_ACCESS, KEY_FIRMWARE, KEY_KERNEL,
        KEY_INITRD, KEY_COMMAND_LINE, KEY_DEVICE_TREE, KEY_ENTRY, KEY_ARGUMENT, KEY_PROTOCOL, KEY_IDM, KEY_REMOTEPROC, KEY_AUTO_BOOT,
        KEY_ON_MASTER_RESET, KEY_ON_MASTER_FAILURE, KEY_START, KEY_MONITOR, KEY_RESTART, KEY_RESTART_SEC, KEY_START_LIMIT_BURST,
        KEY_START_LIMIT_INTERVAL_SEC, KEY_WATCHDOG_SEC, KEY_WATCHDOG_START_SEC, KEY_QEMU, KEY_EXTRA_ARGUMENTS,
        KEY_CONSOLE_LOG_MAX, KEY_UNIT, KEY_CPU_WEIGHT, KEY_CPU_QUOTA, KEY_ALLOWED_CPUS, KEY_MEMORY_MIN, KEY_MEMORY_LOW, KEY_MEMORY_HIGH, KEY_MEMORY_MAX,
        KEY_MEMORY_SWAP_MAX, KEY_TASKS_MAX, KEY_IO_WEIGHT,
        _KEY_MAX,
} ProcessorKey;

typedef enum KeyState {
        KEY_ABSENT,
        KEY_GOOD,
        KEY_BAD,                        /* reported */
} KeyState;

typedef struct ParsedProcessor {
        ProcessorConfig *config;        /* owned by the PlatformConfig */
        char *group;                    /* "Processor slave1" */
        struct {
                KeyState state;
                unsigned line;
        } keys[_KEY_MAX];
} ParsedProcessor;

typedef struct PlatformParser {
        const char *file;               /* for messages */
        char *directory;                /* relative paths begin there; NULL: none are allowed */
        GHashTable *variables;          /* may be NULL */
        bool again;                     /* files that it names were looked at the first time */
        unsigned remoteproc_line;       /* of Remoteproc= in [Platform]; 0: it is not there */
        PlatformConfig *config;
        GPtrArray *processors;          /* of ParsedProcessor*, in the order of the file */
        GPtrArray *errors;
} PlatformParser;

#define RESTART_USEC_MAX        (3600 * UINT64_C(1000000))
#define WATCHDOG_USEC_MIN       UINT64_C(1000)
#define WATCHDOG_USEC_MAX       (3600 * UINT64_C(1000000))
#define CONSOLE_LOG_MIN         (64U * 1024)
#define START_LIMIT_BURST_MAX   1000000U

/* line 0: concerns the file as a whole; group and key may be NULL */
void platform_parser_error(PlatformParser *p, unsigned line, const char *group, const char *key, const char *format,
                           ...) G_GNUC_PRINTF(5, 6);
/* Marks the key as bad; where it is absent the group's line is told */
void platform_parser_key_error(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *format, ...)
        G_GNUC_PRINTF(4, 5);

/* platform-keys.c */
const char *processor_key_name(ProcessorKey key);
void platform_parser_platform_key(PlatformParser *p, const char *key, const char *value, unsigned line);
void platform_parser_processor_key(PlatformParser *p, ParsedProcessor *pp, const char *key, const char *value,
                                   unsigned line);

/* platform-check.c: also fills in the defaults */
void platform_parser_check(PlatformParser *p);

/* platform-target.c: also fills in the default */
void platform_parser_choose_board(PlatformParser *p, ParsedProcessor *pp);
void platform_parser_check_target(PlatformParser *p, ParsedProcessor *pp);
void platform_parser_check_idm(PlatformParser *p, ParsedProcessor *pp);

/* platform-remoteproc.c: also fills in the default */
void platform_parser_check_remoteproc(PlatformParser *p);

/* platform-arguments.c: NULL where all is well, else what is wrong and what would be right, to be freed */
char *extra_arguments_problem(char *const *arguments, const ProcessorConfig *config);
char *machine_options_problem(const char *options);
