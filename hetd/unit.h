/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A QEMU process as an instance of a template unit: het-processor@PLATFORM-PROCESSOR.service, in het-PLATFORM.slice (dashes of names
 * are escaped as systemd does it). systemd's manager on hetd's bus is asked to start it; that of the system asks polkit, which knows
 * these names. What runs in it is of no interest here: see spawn-unit.c.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "process-id.h"
#include "resource-limits.h"

typedef struct Unit Unit;

typedef struct UnitRequest {
        sd_bus *bus;
        const char *platform, *processor;
        const ResourceLimits *limits, *platform_limits; /* must outlive the unit */
} UnitRequest;

/* None runs from inside a function of the unit; each may free the unit */
typedef struct UnitHandlers {
        /* Runs at most once, and nothing after it: it could not be started, or was stopped before unit_set_process() */
        void (*failed)(Unit *unit, const char *text, void *userdata);
        /* After unit_set_process(), at most once: its process has ended, as waitid() would tell it */
        void (*exited)(Unit *unit, int code, int status, void *userdata);
} UnitHandlers;

/* Watches it; start: and begins to start it. handlers must outlive it. */
bool unit_new(const UnitRequest *request, bool start, const UnitHandlers *handlers, void *userdata, Unit **ret, GError **error);
Unit *unit_free(Unit *unit);            /* returns NULL; stops nothing */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Unit, unit_free)

const char *unit_get_name(const Unit *unit);
/* Its main process is known */
void unit_set_process(Unit *unit, pid_t pid);
/* Whether the process is in the unit, as systemd sees it */
bool unit_has_process(const Unit *unit, pid_t pid);
/* Asks systemd to stop it: for one whose process is not known. Nobody is told of the answer. */
void unit_stop(Unit *unit);

/* het-processor@PLATFORM-PROCESSOR.service; g_free() */
char *unit_make_name(const char *platform, const char *processor);
