/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Everything that this hetd knows: its platforms and jobs. org.hetd1.Manager shows it on the bus (bus-manager.c). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "gather.h"
#include "platform-file.h"
#include "quota.h"

#define MANAGER_PLATFORMS_MAX   256U
#define MANAGER_JOBS_MAX        64U

typedef struct Job Job;
typedef struct Platform Platform;
typedef struct Processor Processor;
typedef struct BusState BusState;

typedef struct ManagerOptions {
        char *runtime_directory;        /* sockets and logs: RUNTIME/PLATFORM/PROCESSOR.{qmp,console,log} */
        char **directories;             /* NULL-terminated: where platform files are looked for, in order */
        char *firmware_directory;       /* ${FIRMWARE_DIR} in platform files, may be NULL */
        bool units;                     /* QEMUs are units of systemd, where the platform file does not say otherwise */
        bool polkit;                    /* asked for callers that are neither root nor hetd's user */
        const QuotaLimits *quotas;      /* NULL: the usual ones */
        GHashTable *qemu;               /* QEMU's target ("arm") → path of the binary */
} ManagerOptions;

typedef struct Manager {
        sd_event *event;
        sd_bus *bus;                    /* NULL: not on a bus (yet) */
        BusState *bus_state;            /* of bus-*.c */
        ManagerOptions options;
        Quotas *quotas;
        GHashTable *platforms;          /* name → Platform*, owned */
        GHashTable *jobs;               /* number → Job*, each owned by itself */
        uint32_t last_job;
        bool ending;                    /* hetd is going to exit: nothing new is started */
        DoneFunc end_done;
        void *end_userdata;
} Manager;

/* Members of options_consume may be NULL but for runtime_directory */
Manager *manager_new(sd_event *event, ManagerOptions *options_consume);
Manager *manager_free(Manager *manager);        /* returns NULL; kills what still runs */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manager, manager_free)

/*
 * Eats the config. It counts against what the user may have. replace: an older platform of that name, of which nothing runs, makes room once the new one is good.
 * HET_ERROR_PLATFORM_EXISTS, HET_ERROR_WRONG_STATE (replace, and it runs), HET_ERROR_LIMIT_EXCEEDED, HET_ERROR_INVALID_PLATFORM
 * (paths of sockets too long)
 */
bool manager_add_platform(Manager *manager, PlatformConfig *config_consume, uid_t user, bool replace, Platform **ret, GError **error);
/* HET_ERROR_WRONG_STATE unless nothing of it runs */
/* Its config is going to be another one, of the same name: counts that against the quotas in the place of the old one, or not at all */
bool manager_exchange(Manager *manager, const Platform *platform, const PlatformConfig *config, GError **error);
/* Whether that would be possible now */
bool manager_may_exchange(Manager *manager, const Platform *platform, const PlatformConfig *config, GError **error);
/* One that comes from an earlier hetd; eaten. It counts against the quotas of its user, and is there even if they do not allow it. */
void manager_insert_platform(Manager *manager, Platform *platform_consume);
bool manager_remove_platform(Manager *manager, Platform *platform, GError **error);
bool manager_find_platform(Manager *manager, const char *name, Platform **ret, GError **error);
/* A path or a name; variables may be NULL */
bool manager_load_platform(Manager *manager, const char *path_or_name, GHashTable *variables, uid_t user, bool replace, Platform **ret,
                           GError **error);

/* With FIRMWARE_DIR of the options, where the caller did not give one. Free with g_hash_table_unref(). */
GHashTable *manager_complete_variables(Manager *manager, GHashTable *variables);
/*
 * The binary for a processor: its QEMU=, the option --qemu, the folder of a --qemu for another target, that of our installed ones,
 * PATH.
 * HET_ERROR_SPAWN_FAILED says how to name one.
 */
bool manager_find_qemu(Manager *manager, const ProcessorConfig *config, char **ret, GError **error);

/* Before it is freed: every platform goes on, for another hetd */
void manager_leave_alone(Manager *manager);
/* Ends every platform; done runs when no process is left */
void manager_end(Manager *manager, DoneFunc done, void *userdata);
/* A platform, or a job of it, has come to its end */
void manager_platform_ended(Manager *manager);
