/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All platforms and processors that hetd has, read at once (GetManagedObjects), and how users name them. */

#include "bus-json.h"
#include "client.h"

typedef struct Platform Platform;

/* Order of Processor.Interrupts */
enum {
        INTERRUPTS_TO_SLAVE,
        INTERRUPTS_TO_SLAVE_COALESCED,
        INTERRUPTS_FROM_SLAVE,
        INTERRUPTS_FROM_SLAVE_COALESCED,
};

typedef struct Processor {
        Platform *platform;
        char *path;
        json_object *properties;        /* of org.hetd1.Processor, borrowed */
} Processor;

struct Platform {
        char *path;
        json_object *properties;        /* of org.hetd1.Platform, borrowed */
        GPtrArray *processors;          /* of Processor*, by Id */
};

typedef struct Objects {
        json_object *root;
        GPtrArray *platforms;           /* of Platform*, by name */
} Objects;

Objects *objects_free(Objects *objects);        /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Objects, objects_free)

bool objects_load(Client *client, Objects **ret, GError **error);

const char *platform_name(const Platform *platform);
const char *processor_name(const Processor *processor);

/* NULL: there is none */
Platform *objects_find_platform(const Objects *objects, const char *name);

/* Of counters that may begin anew, when a couple does: so many a second */
double objects_rate(uint64_t now, uint64_t before, uint64_t usec);

/* PLATFORM, PLATFORM/PROCESSOR, or PROCESSOR where it is unique: exactly one of the outputs is not NULL on success. */
bool objects_resolve(const Objects *objects, const char *text, Platform **ret_platform, Processor **ret_processor,
                     GError **error);

/* A processor's object path and full name, by PLATFORM/PROCESSOR (one small call) or PROCESSOR where it is unique. */
bool objects_resolve_processor(Client *client, const char *text, char **ret_path, char **ret_name, GError **error);
