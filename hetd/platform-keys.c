/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The keys of a platform file, each by itself. Called by platform-file.c. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform-parser.h"
#include "qemu-bus.h"
#include "util/parse.h"

typedef void (*KeySetter)(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value);

static void set_role(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        if (strcmp(value, "master") == 0)
                pp->config->role = PROCESSOR_MASTER;
        else if (strcmp(value, "slave") == 0)
                pp->config->role = PROCESSOR_SLAVE;
        else
                platform_parser_key_error(p, pp, key, "'%s' is no role; use master or slave", value);
}

static void set_start(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        if (strcmp(value, "hetd") == 0)
                pp->config->start = PROCESSOR_START_HETD;
        else if (strcmp(value, "external") == 0)
                pp->config->start = PROCESSOR_START_EXTERNAL;
        else
                platform_parser_key_error(p, pp, key,
                                          "'%s' is not known; use hetd (hetd starts it) or external (you start and "
                                          "attach it)",
                                          value);
}

static void set_id(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        uint64_t id;

        if (parse_uint(value, HET_ID_MAX, &id) < 0)
                platform_parser_key_error(p, pp, key, "'%s' is no number of a processor; slaves have 1 to %u", value,
                                          HET_ID_MAX);
        else
                pp->config->id = (uint32_t) id;
}

static void set_machine(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        g_autofree char *machine = g_strndup(value, strcspn(value, ",")), *problem = NULL;
        const char *const *names = board_names();

        pp->config->board = board_find(machine);
        if (!pp->config->board) {
                g_autofree char *known = g_strjoinv(", ", (char **) names);
                const char *nearest = nearest_name(machine, names, g_strv_length((char **) names));

                platform_parser_key_error(p, pp, key, "'%s' is no machine that hetd knows; %s%s%sknown are %s", machine,
                                          nearest ? "did you mean " : "", nearest ?: "", nearest ? "? " : "", known);
                return;
        }

        problem = machine_options_problem(value + strlen(machine));
        if (problem)
                platform_parser_key_error(p, pp, key, "%s", problem);
        else
                pp->config->machine = g_strdup(value);
}

static void set_cpus(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        uint64_t cpus;

        if (parse_uint(value, 512, &cpus) < 0 || cpus == 0)
                platform_parser_key_error(p, pp, key, "'%s' is no number of CPUs; use 1 to 512", value);
        else
                pp->config->cpus = (unsigned) cpus;
}

static void set_target(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        Architecture architecture;

        pp->config->target = target_find(value, &architecture);
        if (!pp->config->target)
                platform_parser_key_error(p, pp, key,
                                          "'%s' is no target of QEMU for these boards; use arm, aarch64, i386, riscv32, riscv64 or x86_64",
                                          value);
}

static bool parse_size_or_complain(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *what,
                                   const char *value, uint64_t *ret) {
        int r = parse_size(value, ret);

        if (r == -ERANGE)
                platform_parser_key_error(p, pp, key, "the %s '%s' is more than 64 bits hold", what, value);
        else if (r < 0)
                platform_parser_key_error(p, pp, key, "'%s' is no %s; write it like %s", value, what,
                                          strcmp(what, "size") == 0 ? "64M, 1G or 0x4000000" : "0x60000000");

        return r >= 0;
}

static void set_memory(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        (void) parse_size_or_complain(p, pp, key, "size", value, &pp->config->memory);
}

static void set_window(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        const char *at = strchr(value, '@');

        if (!at) {
                platform_parser_key_error(p, pp, key, "'%s' is no window; write SIZE@ADDRESS, like 64M@0x60000000",
                                          value);
                return;
        }

        g_autofree char *size = g_strstrip(g_strndup(value, (size_t) (at - value)));
        g_autofree char *address = g_strstrip(g_strdup(at + 1));

        if (parse_size_or_complain(p, pp, key, "size", size, &pp->config->window_size))
                (void) parse_size_or_complain(p, pp, key, "address", address, &pp->config->window_address);
}

static void set_access(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        pp->config->read_only = strcmp(value, "ro") == 0;
        if (!pp->config->read_only && strcmp(value, "rw") != 0)
                platform_parser_key_error(p, pp, key, "'%s' is not known; use rw (it reads and writes its window) or ro (it only reads)",
                                          value);
}

static void set_number(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        uint64_t *to = key == KEY_ENTRY ? &pp->config->entry : &pp->config->argument;
        int r = parse_uint(value, UINT64_MAX, to);

        if (r < 0)
                platform_parser_key_error(p, pp, key, "'%s' is no %s; write it like 0x60000000", value,
                                          key == KEY_ENTRY ? "address" : "number of 64 bits");
        else if (key == KEY_ENTRY)
                pp->config->has_entry = true;
}

static void set_protocol(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        if (!boot_protocol_from_string(value, &pp->config->protocol))
                platform_parser_key_error(p, pp, key, "'%s' is no boot protocol; use auto, raw, linux or vector-table",
                                          value);
}

#define UNKNOWN_REMOTEPROC "'%s' is not known; use stm32 (Linux's own driver) or idm (the driver of this project)"

static void set_remoteproc(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        if (!remoteproc_from_string(value, &pp->config->remoteproc))
                platform_parser_key_error(p, pp, key, UNKNOWN_REMOTEPROC, value);
}

static void set_idm(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        pp->config->idm_pci = strcmp(value, "pci") == 0;
        if (!pp->config->idm_pci && strcmp(value, "board") != 0)
                platform_parser_key_error(p, pp, key, "'%s' is no place of an IDM; use board (where the board has it) or pci", value);
}

static void set_auto_boot(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        pp->config->auto_boot_by_master = strcmp(value, "master") == 0;
        if (!pp->config->auto_boot_by_master && parse_boolean(value, &pp->config->auto_boot) < 0)
                platform_parser_key_error(p, pp, key, "'%s' is neither yes nor no, nor master (its Linux boots it)", value);
}

static void set_stop_or_keep(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        bool *keep = key == KEY_ON_MASTER_RESET ? &pp->config->keep_on_master_reset : &pp->config->keep_on_master_failure;

        *keep = strcmp(value, "keep") == 0;
        if (!*keep && strcmp(value, "stop") != 0)
                platform_parser_key_error(p, pp, key, "'%s' is not known; use stop (it is stopped) or keep (it goes on)", value);
}

static void set_restart(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        static const char *const names[_RESTART_POLICY_MAX] = { "no", "on-failure", "always" };

        for (RestartPolicy policy = 0; policy < _RESTART_POLICY_MAX; policy++)
                if (strcmp(value, names[policy]) == 0) {
                        pp->config->restart = policy;
                        return;
                }

        platform_parser_key_error(p, pp, key, "'%s' is not known; use no, on-failure or always", value);
}

typedef struct TimeLimits {
        const char *what;
        uint64_t min, max;              /* 0 is possible all the same */
} TimeLimits;

static const TimeLimits *time_limits_of(ProcessorKey key) {
        static const TimeLimits pause = { "pause", 0, RESTART_USEC_MAX }, any = { "time", 0, TIME_SPAN_INFINITY },
                watchdog = { "time", WATCHDOG_USEC_MIN, WATCHDOG_USEC_MAX };

        return key == KEY_RESTART_SEC ? &pause : key == KEY_WATCHDOG_SEC ? &watchdog : &any;
}

static uint64_t *time_of(ProcessorConfig *config, ProcessorKey key) {
        switch (key) {
        case KEY_RESTART_SEC:                   return &config->restart_usec;
        case KEY_START_LIMIT_INTERVAL_SEC:      return &config->start_limit_usec;
        case KEY_WATCHDOG_SEC:                  return &config->watchdog_usec;
        case KEY_WATCHDOG_START_SEC:            return &config->watchdog_start_usec;
        default:                                g_assert_not_reached();
        }
}

static void set_time_span(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        const TimeLimits *limits = time_limits_of(key);
        char limit[FORMAT_TIME_SPAN_MAX];
        uint64_t usec;

        if (parse_time_span(value, &usec) < 0)
                platform_parser_key_error(p, pp, key, "'%s' is no span of time; write it like 100ms, 5s or 1min 30s", value);
        else if (usec > limits->max)
                platform_parser_key_error(p, pp, key, "%s is too long; the longest %s is %s", value, limits->what,
                                          format_time_span(limits->max, limit));
        else if (usec != 0 && usec < limits->min)
                platform_parser_key_error(p, pp, key, "%s is too short; the shortest %s is %s", value, limits->what,
                                          format_time_span(limits->min, limit));
        else
                *time_of(pp->config, key) = usec;
}

static void set_start_limit_burst(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        uint64_t burst;

        if (parse_uint(value, START_LIMIT_BURST_MAX, &burst) < 0)
                platform_parser_key_error(p, pp, key, "'%s' is no number of starts; use 1 to %u, or 0 for no limit", value,
                                          START_LIMIT_BURST_MAX);
        else
                pp->config->start_limit_burst = (unsigned) burst;
}

static void set_extra_arguments(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        g_autoptr(GError) error = NULL;

        if (!g_shell_parse_argv(value, NULL, &pp->config->extra_arguments, &error))
                platform_parser_key_error(p, pp, key, "%s; write words as for a shell, quoted where they have blanks",
                                          error->message);
}

static void set_console_log_max(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        uint64_t *max = &pp->config->console_log_max;

        if (strcmp(value, "infinity") == 0)
                *max = UINT64_MAX;
        else if (parse_size_or_complain(p, pp, key, "size", value, max) && *max < CONSOLE_LOG_MIN)
                platform_parser_key_error(p, pp, key, "%s is too little; use 64K or more, or infinity", value);
}

static void set_unit(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        bool unit;

        if (parse_boolean(value, &unit) < 0)
                platform_parser_key_error(p, pp, key, "'%s' is neither yes nor no", value);
        else
                pp->config->unit = unit ? PROCESSOR_UNIT_YES : PROCESSOR_UNIT_NO;
}

static void set_limit(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        g_autofree char *problem = NULL;
        ResourceKey resource;

        g_assert(resource_key_find(processor_key_name(key), &resource));
        problem = resource_limits_parse(&pp->config->limits, resource, value);
        if (problem)
                platform_parser_key_error(p, pp, key, "%s", problem);
}

static char **string_of(ProcessorConfig *config, ProcessorKey key) {
        switch (key) {
        case KEY_CPU:           return &config->cpu;
        case KEY_COMMAND_LINE:  return &config->command_line;
        case KEY_FIRMWARE:      return &config->firmware;
        case KEY_KERNEL:        return &config->kernel;
        case KEY_INITRD:        return &config->initrd;
        case KEY_DEVICE_TREE:   return &config->device_tree;
        case KEY_QEMU:          return &config->qemu;
        default:                g_assert_not_reached();
        }
}

static void set_string(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        *string_of(pp->config, key) = g_strdup(value);
}

/* NULL: it was reported */
static char *make_absolute(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        if (g_path_is_absolute(value))
                return g_strdup(value);
        if (p->directory)
                return g_build_filename(p->directory, value, NULL);

        platform_parser_key_error(p, pp, key, "'%s' is relative, but the platform file came without a path; write an absolute one", value);
        return NULL;
}

/* Of a QEMU that may not be there yet */
static void set_monitor(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        g_autoptr(GError) error = NULL;

        if (!qemu_bus_is_address(value))
                pp->config->monitor = make_absolute(p, pp, key, value);
        else if (qemu_bus_check_address(value, &error))
                pp->config->monitor = g_strdup(value);
        else
                platform_parser_key_error(p, pp, key, "%s", error->message);
}

static void set_path(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *value) {
        g_autofree char *path = make_absolute(p, pp, key, value);
        struct stat st;

        if (!path)
                return;

        if (p->again)
                *string_of(pp->config, key) = g_steal_pointer(&path);
        else if (stat(path, &st) < 0)
                platform_parser_key_error(p, pp, key, "%s: %s; name a file that is there", path, g_strerror(errno));
        else if (!S_ISREG(st.st_mode))
                platform_parser_key_error(p, pp, key, "%s is not a regular file", path);
        else if (access(path, key == KEY_QEMU ? X_OK : R_OK) < 0)
                platform_parser_key_error(p, pp, key, "%s cannot be %s: %s", path,
                                          key == KEY_QEMU ? "executed" : "read", g_strerror(errno));
        else
                *string_of(pp->config, key) = g_steal_pointer(&path);
}

static const struct {
        const char *name;
        KeySetter set;
} processor_keys[_KEY_MAX] = {
        [KEY_ROLE]            = { "Role",           set_role            },
        [KEY_ID]              = { "Id",             set_id              },
        [KEY_MACHINE]         = { "Machine",        set_machine         },
        [KEY_CPU]             = { "CPU",            set_string          },
        [KEY_CPUS]            = { "CPUs",           set_cpus            },
        [KEY_TARGET]          = { "Target",         set_target          },
        [KEY_MEMORY]          = { "Memory",         set_memory          },
        [KEY_WINDOW]          = { "Window",         set_window          },
        [KEY_ACCESS]          = { "Access",         set_access          },
        [KEY_FIRMWARE]        = { "Firmware",       set_path            },
        [KEY_KERNEL]          = { "Kernel",         set_path            },
        [KEY_INITRD]          = { "Initrd",         set_path            },
        [KEY_COMMAND_LINE]    = { "CommandLine",    set_string          },
        [KEY_DEVICE_TREE]     = { "DeviceTree",     set_path            },
        [KEY_ENTRY]           = { "Entry",          set_number          },
        [KEY_ARGUMENT]        = { "Argument",       set_number          },
        [KEY_PROTOCOL]        = { "Protocol",       set_protocol        },
        [KEY_AUTO_BOOT]       = { "AutoBoot",       set_auto_boot       },
        [KEY_ON_MASTER_RESET] = { "OnMasterReset",  set_stop_or_keep    },
        [KEY_ON_MASTER_FAILURE]        = { "OnMasterFailure",       set_stop_or_keep      },
        [KEY_START]           = { "Start",          set_start           },
        [KEY_MONITOR]         = { "Monitor",        set_monitor         },
        [KEY_RESTART]         = { "Restart",        set_restart         },
        [KEY_RESTART_SEC]     = { "RestartSec",     set_time_span       },
        [KEY_START_LIMIT_BURST]        = { "StartLimitBurst",       set_start_limit_burst },
        [KEY_START_LIMIT_INTERVAL_SEC] = { "StartLimitIntervalSec", set_time_span         },
        [KEY_WATCHDOG_SEC]       = { "WatchdogSec",      set_time_span },
        [KEY_WATCHDOG_START_SEC] = { "WatchdogStartSec", set_time_span },
        [KEY_QEMU]            = { "QEMU",           set_path            },
        [KEY_EXTRA_ARGUMENTS] = { "ExtraArguments", set_extra_arguments },
        [KEY_IDM]             = { "IDM",            set_idm             },
        [KEY_REMOTEPROC]      = { "Remoteproc",     set_remoteproc      },
        [KEY_CONSOLE_LOG_MAX] = { "ConsoleLogMax",  set_console_log_max },
        [KEY_UNIT]            = { "Unit",           set_unit            },
        [KEY_CPU_WEIGHT]      = { "CPUWeight",      set_limit           },
        [KEY_CPU_QUOTA]       = { "CPUQuota",       set_limit           },
        [KEY_ALLOWED_CPUS]    = { "AllowedCPUs",    set_limit           },
        [KEY_MEMORY_MIN]      = { "MemoryMin",      set_limit           },
        [KEY_MEMORY_LOW]      = { "MemoryLow",      set_limit           },
        [KEY_MEMORY_HIGH]     = { "MemoryHigh",     set_limit           },
        [KEY_MEMORY_MAX]      = { "MemoryMax",      set_limit           },
        [KEY_MEMORY_SWAP_MAX] = { "MemorySwapMax",  set_limit           },
        [KEY_TASKS_MAX]       = { "TasksMax",       set_limit           },
        [KEY_IO_WEIGHT]       = { "IOWeight",       set_limit           },
};

const char *processor_key_name(ProcessorKey key) {
        return processor_keys[key].name;
}

/* ${NAME} is replaced, $$ is a dollar sign; NULL: *ret_problem says why */
static char *expand(PlatformParser *p, const char *value, char **ret_problem) {
        g_autoptr(GString) expanded = g_string_new(NULL);

        for (const char *s = value; *s != '\0'; s++) {
                const char *replacement, *end;

                if (s[0] != '$' || (s[1] != '$' && s[1] != '{')) {
                        g_string_append_c(expanded, *s);
                        continue;
                }

                if (s[1] == '$') {
                        g_string_append_c(expanded, *++s);
                        continue;
                }

                end = strchr(s, '}');
                if (!end) {
                        *ret_problem = g_strdup_printf("'%s' has no closing brace; write ${NAME}, or $$ for a dollar "
                                                       "sign",
                                                       s);
                        return NULL;
                }

                g_autofree char *name = g_strndup(s + 2, (size_t) (end - s - 2));

                replacement = p->variables ? g_hash_table_lookup(p->variables, name) : NULL;
                if (!replacement) {
                        *ret_problem = g_strdup_printf("the variable '%s' is not set; give it a value where the "
                                                       "platform is loaded, "
                                                       "or write the value here",
                                                       name);
                        return NULL;
                }

                g_string_append(expanded, replacement);
                s = end;
        }

        return g_string_free(g_steal_pointer(&expanded), FALSE);
}

static void unknown_key(PlatformParser *p, unsigned line, const char *group, const char *key, const char *const *names,
                        size_t n) {
        const char *nearest = nearest_name(key, names, n);

        if (nearest)
                platform_parser_error(p, line, group, key, "is not known here; did you mean %s=?", nearest);
        else {
                g_autoptr(GString) all = g_string_new(NULL);

                for (size_t i = 0; i < n; i++)
                        g_string_append_printf(all, "%s%s=", i > 0 ? ", " : "", names[i]);
                platform_parser_error(p, line, group, key, "is not known here; there are %s", all->str);
        }
}

static void set_platform_name(PlatformParser *p, const char *value, unsigned line) {
        if (!platform_name_is_valid(value))
                platform_parser_error(p, line, "Platform", "Name",
                                      "'%s' is no name; use up to %u letters, digits, _ and -, a letter first",
                                      value, PLATFORM_NAME_MAX);
        else if (!p->config->name)      /* the caller's goes first */
                p->config->name = g_strdup(value);
}

static void set_platform_description(PlatformParser *p, const char *value, unsigned line) {
        p->config->description = *value != '\0' ? g_strdup(value) : NULL;
}

static void set_platform_remoteproc(PlatformParser *p, const char *value, unsigned line) {
        p->remoteproc_line = line;
        if (!remoteproc_from_string(value, &p->config->remoteproc))
                platform_parser_error(p, line, "Platform", "Remoteproc", UNKNOWN_REMOTEPROC, value);
}

static void set_platform_limit(PlatformParser *p, ResourceKey resource, const char *value, unsigned line) {
        g_autofree char *problem = resource_limits_parse(&p->config->limits, resource, value);

        if (problem)
                platform_parser_error(p, line, "Platform", resource_key_name(resource), "%s", problem);
}

#define PLATFORM_KEYS 3U                /* that are no limits */

void platform_parser_platform_key(PlatformParser *p, const char *key, const char *value, unsigned line) {
        const char *names[PLATFORM_KEYS + _RESOURCE_KEY_MAX] = { "Name", "Description", "Remoteproc" };
        static void (*const setters[PLATFORM_KEYS])(PlatformParser *p, const char *value, unsigned line) = {
                set_platform_name, set_platform_description, set_platform_remoteproc,
        };
        g_autofree char *expanded = NULL, *problem = NULL;
        size_t k;

        for (ResourceKey resource = 0; resource < _RESOURCE_KEY_MAX; resource++)
                names[PLATFORM_KEYS + resource] = resource_key_name(resource);
        for (k = 0; k < G_N_ELEMENTS(names) && strcmp(names[k], key) != 0; k++)
                ;
        if (k == G_N_ELEMENTS(names)) {
                unknown_key(p, line, "Platform", key, names, G_N_ELEMENTS(names));
                return;
        }

        expanded = expand(p, value, &problem);
        if (!expanded)
                platform_parser_error(p, line, "Platform", key, "%s", problem);
        else if (k < PLATFORM_KEYS)
                setters[k](p, expanded, line);
        else
                set_platform_limit(p, (ResourceKey) (k - PLATFORM_KEYS), expanded, line);
}

void platform_parser_processor_key(PlatformParser *p, ParsedProcessor *pp, const char *key, const char *value,
                                   unsigned line) {
        const char *names[_KEY_MAX];
        g_autofree char *expanded = NULL, *problem = NULL;
        ProcessorKey k;

        for (k = 0; k < _KEY_MAX && strcmp(processor_keys[k].name, key) != 0; k++)
                names[k] = processor_keys[k].name;

        if (k == _KEY_MAX) {
                unknown_key(p, line, pp->group, key, names, _KEY_MAX);
                return;
        }

        pp->keys[k].state = KEY_GOOD;
        pp->keys[k].line = line;

        expanded = expand(p, value, &problem);
        if (!expanded)
                platform_parser_key_error(p, pp, k, "%s", problem);
        else if (*expanded == '\0')
                platform_parser_key_error(p, pp, k, "is empty; give it a value or remove the line");
        else
                processor_keys[k].set(p, pp, k, expanded);
}
