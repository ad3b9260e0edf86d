/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A platform file (docs/platform-file.md): a key file that describes one master and its slaves. It is read and checked as a whole;
 * what comes out is complete (defaults filled in), consistent (no two windows overlap, …) and immutable.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "architecture.h"
#include "hw/misc/het-page.h"
#include "resource-limits.h"

#define PLATFORM_FILE_SIZE_MAX          (1U * 1024 * 1024)
#define PLATFORM_NAME_MAX               64U     /* of platforms and processors: [A-Za-z0-9_-], begins with a letter */
#define PLATFORM_PROCESSORS_MAX         (1U + HET_ID_MAX)

typedef enum ProcessorRole {
        PROCESSOR_MASTER,
        PROCESSOR_SLAVE,
        _PROCESSOR_ROLE_MAX,
} ProcessorRole;

/* Who starts the QEMU process of a processor */
typedef enum ProcessorStart {
        PROCESSOR_START_HETD,           /* hetd does, when the platform is started */
        PROCESSOR_START_EXTERNAL,       /* somebody else, who then attaches it */
        _PROCESSOR_START_MAX,
} ProcessorStart;

/* Whether the QEMU process of a processor is an instance of a systemd unit */
typedef enum ProcessorUnit {
        PROCESSOR_UNIT_DEFAULT,         /* if hetd is told to (--units) */
        PROCESSOR_UNIT_NO,
        PROCESSOR_UNIT_YES,
} ProcessorUnit;

/* When hetd starts a slave's QEMU process again that has ended without being asked to */
typedef enum RestartPolicy {
        RESTART_NO,
        RESTART_ON_FAILURE,             /* not if it ended in order: its QEMU was asked to quit */
        RESTART_ALWAYS,
        _RESTART_POLICY_MAX,
} RestartPolicy;

/* The same values as HetBootProtocol in qapi/het.json */
typedef enum BootProtocol {
        BOOT_PROTOCOL_AUTO,
        BOOT_PROTOCOL_RAW,
        BOOT_PROTOCOL_LINUX,
        BOOT_PROTOCOL_VECTOR_TABLE,
        _BOOT_PROTOCOL_MAX,
} BootProtocol;

/* What a master's Linux drives a slave by: the registers that its device tree shows, and the binding of their driver */
typedef enum Remoteproc {
        REMOTEPROC_DEFAULT,             /* only while the file is read */
        REMOTEPROC_IDM,                 /* those of the IDM: a driver of ours */
        REMOTEPROC_STM32,               /* those of an STM32MP1's coprocessor: Linux's own driver */
        _REMOTEPROC_MAX,
} Remoteproc;

/* What hetd knows of a board (board.c): how the IDM is put on it and where its memory is. */
typedef struct Board {
        const char *machine;            /* name of QEMU's machine type, without a version suffix */
        Architecture architecture;
        const char *default_cpu;        /* NULL: the file must name one, or (cpu_optional) QEMU chooses */
        bool cpu_optional;
        uint64_t ram_base;
        uint64_t ram_size;              /* exact size that the board demands; 0: any */
        /*
         * A PC has devices below 4 GiB, so that memory of ram_split or more has only ram_low of it there. All of its
         * memory is Linux's: windows are beside it, up to windows_last. 0: windows are parts of the memory.
         */
        uint64_t ram_split, ram_low, windows_last;
        bool platform_bus;              /* a dynamic sysbus device gets its address from the board */
        bool idm_pci;                   /* the IDM is on PCI; else, without a platform bus, at idm_address */
        uint64_t idm_address;           /* where the IDM is; on a platform bus: of the first device */
        uint32_t idm_irq;               /* on a platform bus: SPI number; else NVIC input */
        uint64_t stm32_address;         /* of a slave's STM32 registers; on a platform bus they follow the IDM */
        uint32_t stm32_irq, stm32_irq_free;     /* NVIC inputs */
        bool device_tree;               /* hetd can make device trees for it */
        bool kernel_without_tree;       /* Linux needs none */
        bool firmware_is_rom;           /* a master's Firmware= is the image of its ROM, not an ELF */
        bool m_profile;                 /* boots by a vector table, has no MMU */
        unsigned max_cpus;
        /* Where on a slave's bus a window may lie: no device is there, and code can be executed from there */
        uint64_t bus_first, bus_last;
} Board;

const Board *board_find(const char *machine);           /* "virt-10.0" finds "virt", that of Arm; NULL: unknown */
/* The one of the same name; NULL: the architecture has none */
const Board *board_of_architecture(const Board *board, Architecture architecture);
const char *const *board_names(void);                   /* NULL-terminated, for messages and completion */

bool cpu_has_64_bits(const char *cpu);                  /* an Arm or RISC-V; options may be behind the model */
bool cpu_is_riscv(const char *cpu);

typedef struct ProcessorConfig {
        char *name;
        unsigned line;                  /* of its group in the file, for messages */
        ProcessorRole role;
        uint32_t id;                    /* 0: master, 1..255: slaves */
        ProcessorStart start;
        const Board *board;
        char *machine;                  /* with what the file appended: "virt,highmem=off" */
        char *cpu;                      /* NULL: the board's only one */
        const char *target;             /* TARGET_* */
        unsigned cpus;
        uint64_t memory;                /* bytes of main memory; of a slave: the window's size */
        uint64_t window_address;        /* slaves: guest physical in the master; also the slave's bus address */
        uint64_t window_size;
        bool read_only;                 /* slaves: the window is ROM to it */
        char *firmware;                 /* ELF: of a master -kernel, of a slave loaded into the window; NULL: none */
        char *kernel, *initrd, *command_line, *device_tree;
        bool has_entry;
        uint64_t entry;                 /* boot address; default: of the firmware's ELF header (M-profile: its lowest segment) */
        uint64_t argument;
        BootProtocol protocol;
        bool idm_pci;                   /* its IDM is on PCI */
        Remoteproc remoteproc;          /* slaves: how the master sees them */
        bool auto_boot;                 /* slaves: hetd boots it once the master runs */
        bool auto_boot_by_master;       /* slaves: the master's Linux does */
        bool keep_on_master_reset;      /* slaves: it goes on when the master is reset, else it is stopped */
        bool keep_on_master_failure;    /* slaves: the same when the master's process is gone */
        RestartPolicy restart;          /* of what hetd starts */
        uint64_t restart_usec;          /* the first pause before that */
        unsigned start_limit_burst;     /* at most so often in start_limit_usec; 0 in either: any number of times */
        uint64_t start_limit_usec;
        uint64_t watchdog_usec;         /* slaves: one that gives no sign of life for so long has hung; 0: nobody looks */
        uint64_t watchdog_start_usec;   /* at least so long after its boot */
        char *monitor;                  /* path, or address of qemu-bus.h, of an external one's monitor; NULL: who attaches it says it */
        uint64_t console_log_max;       /* bytes that are kept of what its console prints; UINT64_MAX: all */
        ProcessorUnit unit;
        ResourceLimits limits;          /* of its process */
        char *qemu;                     /* path of the QEMU binary; NULL: hetd's default for the target */
        char **extra_arguments;         /* NULL-terminated */
} ProcessorConfig;

typedef struct PlatformConfig {
        char *name;
        char *description;              /* may be NULL */
        char *path;                     /* where it was read from, may be NULL: came as an fd */
        Remoteproc remoteproc;          /* of slaves that say nothing; only while the file is read */
        ResourceLimits limits;          /* of all its processes together */
        GPtrArray *processors;          /* of ProcessorConfig*, owned; the master first, then slaves by id */
        char *text;                     /* what it was made of */
        size_t size;
        GHashTable *variables;          /* name → value; may be NULL */
} PlatformConfig;

/*
 * text is the file's content; path is for messages and for relative paths in the file (relative to its directory; NULL: refused).
 * name NULL: taken from the path. ${NAME} in values is replaced from variables (NULL: none), e.g. FIRMWARE_DIR.
 * Errors (HET_ERROR_INVALID_PLATFORM): "file:line: [Group] Key=: what is wrong, what would be right"; up to 20 of them, one a line.
 */
bool platform_config_parse(const char *name, const char *path, const char *text, size_t size, GHashTable *variables,
                           PlatformConfig **ret, GError **error);
/* Once more, what was good before: files that it names may have gone since */
bool platform_config_parse_again(const char *name, const char *path, const char *text, size_t size, GHashTable *variables,
                                 PlatformConfig **ret, GError **error);
/* Reads all of fd (a regular file or memfd, from its beginning; the caller keeps it) */
bool platform_config_read_fd(const char *name, const char *path, int fd, GHashTable *variables,
                             PlatformConfig **ret, GError **error);
/* Where the hetd of a user, or of the system, looks for platform files if it is not told otherwise; NULL-terminated */
char **platform_config_get_directories(bool user);
/* Finds NAME.platform in the directories, in order; HET_ERROR_NO_SUCH_PLATFORM names where it looked */
bool platform_config_find(const char *name, const char *const *directories, char **ret_path, GError **error);
PlatformConfig *platform_config_free(PlatformConfig *config);   /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlatformConfig, platform_config_free)

const ProcessorConfig *platform_config_get_master(const PlatformConfig *config);
const ProcessorConfig *platform_config_get_processor(const PlatformConfig *config, const char *name);
const ProcessorConfig *platform_config_get_processor_by_id(const PlatformConfig *config, uint32_t id);

bool platform_name_is_valid(const char *name);
const char *processor_role_to_string(ProcessorRole role);
const char *boot_protocol_to_string(BootProtocol protocol);     /* as in QAPI: "vector-table" */
bool boot_protocol_from_string(const char *s, BootProtocol *ret);
const char *window_access_to_string(bool read_only);
const char *remoteproc_to_string(Remoteproc remoteproc);
bool remoteproc_from_string(const char *s, Remoteproc *ret);
