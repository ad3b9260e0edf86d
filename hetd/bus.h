/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The objects on D-Bus. bus-manager.c, bus-platform.c, bus-processor.c and bus-job.c are an interface each; the rest is what they
 * share. Without a bus (manager->bus is NULL) signals go nowhere.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "job.h"
#include "manager.h"
#include "platform.h"
#include "processor.h"

#define BUS_NAME                "org.hetd1"
#define BUS_PATH                "/org/hetd1"
#define BUS_PATH_PLATFORM       BUS_PATH "/platform"
#define BUS_PATH_JOB            BUS_PATH "/job"
#define BUS_MANAGER             "org.hetd1.Manager"
#define BUS_PLATFORM            "org.hetd1.Platform"
#define BUS_PROCESSOR           "org.hetd1.Processor"
#define BUS_JOB                 "org.hetd1.Job"

#define BUS_CALLS_PER_SENDER_MAX        32U     /* calls that wait: for QEMU, polkit, or until it is known whose they are */
#define BUS_SENDERS_MAX                 1024U   /* whose user we remember */

/* --- bus-objects.c --- */

/* Puts the objects on the bus; manager->bus is set. 0 or a negative errno. */
int bus_export(Manager *manager, sd_bus *bus);
void bus_unexport(Manager *manager);

char *bus_platform_path(const char *platform);
char *bus_processor_path(const char *platform, const char *processor);
char *bus_job_path(uint32_t id);

void bus_platform_added(Platform *platform);
void bus_platform_removed(Platform *platform);
void bus_job_added(Job *job);
void bus_job_removed(Job *job, const char *result, const char *message);

/* --- bus-manager.c, bus-platform.c, bus-processor.c, bus-job.c --- */

extern const sd_bus_vtable bus_manager_vtable[];
extern const sd_bus_vtable bus_platform_vtable[];
extern const sd_bus_vtable bus_processor_vtable[];
extern const sd_bus_vtable bus_job_vtable[];

int bus_platform_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error);
int bus_processor_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error);
int bus_job_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error);

/* The same verb is at the platform, and at the manager by name */
int bus_platform_start(sd_bus_message *m, Platform *platform, sd_bus_error *error);
int bus_platform_stop(sd_bus_message *m, Platform *platform, sd_bus_error *error);
int bus_platform_remove(sd_bus_message *m, Platform *platform, sd_bus_error *error);
/* Answers with a JSON text */
int bus_reply_json(sd_bus_message *m, json_object *object_consume);

/* A property's getter: sd_bus_message_append(reply, TYPE, VALUES…) of `object` */
#define BUS_GETTER(name, Type, object, ...) \
        static int name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, \
                        void *userdata, sd_bus_error *error) { \
                G_GNUC_UNUSED Type *object = userdata; \
                return sd_bus_message_append(reply, __VA_ARGS__); \
        }

/* --- bus-changes.c: PropertiesChanged, collected and sent once in a turn of the loop --- */

typedef struct BusChanges BusChanges;

BusChanges *bus_changes_new(Manager *manager);          /* NULL: no memory for it */
BusChanges *bus_changes_free(BusChanges *changes);      /* returns NULL */
/* interface and property must be constant */
void bus_changed(Manager *manager, const char *path, const char *interface, const char *property);
bool bus_is_changed(Manager *manager, const char *path, const char *interface, const char *property);
/* Sends what has collected: before a reply or another signal, which must not overtake it */
void bus_flush(Manager *manager);

/* --- bus-input.c: what comes from the bus, with file descriptors --- */

/* As many as the hard limit allows, but for those that are kept for messages. 0 or a negative errno. */
int bus_raise_fd_limit(void);
/* For a connection of which no more can be read: what came is not understood, or there is no memory for it */
typedef void (*BusLostFunc)(void *userdata);
int bus_attach(sd_bus *bus, sd_event *event, BusLostFunc lost, void *userdata);

/* --- bus-authorize.c: who may call --- */

typedef struct BusSenders BusSenders;

BusSenders *bus_senders_new(void);
BusSenders *bus_senders_free(BusSenders *senders);      /* returns NULL */

/* What polkit is asked for, on the system bus. See contrib/polkit/org.hetd1.policy. */
typedef enum BusAction {
        BUS_ACTION_MANAGE,      /* start, stop and change platforms that hetd knows, or has files of */
        BUS_ACTION_DEFINE,      /* have hetd run and read what the caller names */
} BusAction;

/*
 * To be called first by the handler of a method that changes something; platform is the name of the one that it is about, or NULL.
 * Positive: go on. 0: not known yet; the handler returns 1, and is run again from its top when it is known. Negative: the handler
 * returns it, error is set.
 */
int bus_authorize(Manager *manager, sd_bus_message *m, BusAction action, const char *platform, sd_bus_error *error);
/* Whose call it is that bus_authorize() has let through */
uid_t bus_sender_user(Manager *manager, sd_bus_message *m);

/* A call that has waited is run again from the top of its handler */
void bus_dispatch_again(Manager *manager, sd_bus_message *m);

/* --- bus-polkit.c --- */

/*
 * Asks polkit. If it says yes, the message is put into bus_state->granted and dispatched again; if no, it is answered. 0, or a
 * negative errno with error set.
 */
int bus_polkit_ask(Manager *manager, sd_bus_message *m, BusAction action, const char *platform, uid_t uid, sd_bus_error *error);

/* --- bus-log-control.c: org.freedesktop.LogControl1, for `systemctl service-log-level` --- */

#define BUS_PATH_LOG_CONTROL    "/org/freedesktop/LogControl1"
#define BUS_LOG_CONTROL         "org.freedesktop.LogControl1"

extern const sd_bus_vtable bus_log_control_vtable[];
/* To be run for each message to that object, first: setters cannot wait for an answer */
int bus_log_control_authorize(sd_bus_message *m, void *manager, sd_bus_error *error);

/* --- bus-request.c: calls that are answered later --- */

/* Counts against the limit of a sender, until the end. Negative with error set: too many. */
int bus_call_begin(Manager *manager, const char *sender, sd_bus_error *error);
void bus_call_end(Manager *manager, const char *sender);

typedef struct BusRequest BusRequest;

/* Keeps the call. Counts against the limits of its sender and of the user whose it is. Negative with error set: answer that. */
int bus_request_new(Manager *manager, sd_bus_message *m, BusRequest **ret, sd_bus_error *error);
/* A DoneFunc: answers the call, with nothing or with the error */
void bus_request_done(const GError *error, void *request);
/* A ProcessorFdFunc: the same with the file descriptor */
void bus_request_done_fd(int fd, const GError *error, void *request);

/* --- bus-options.c --- */

typedef enum BusOptionType {
        BUS_OPTION_STRING,      /* const char *: borrowed from the message */
        BUS_OPTION_UINT64,
        BUS_OPTION_BOOL,
        BUS_OPTION_STRINGS,     /* GHashTable *: a{ss}; to be unreferenced by the caller */
} BusOptionType;

typedef struct BusOption {
        const char *name;
        BusOptionType type;
        void *value;            /* not written where the option is not given */
        bool *given;            /* may be NULL */
} BusOption;

/* Reads the a{sv} at the end of a call. An unknown key, or one of another type, is an error. */
#define BUS_NO_OPTIONS NULL, 0
int bus_options_read(sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error);

/* --- bus-error.c --- */

/* Makes known which errno an error name is */
int bus_error_init(void);
/* Returns a negative errno: what a handler returns */
int bus_error_set(sd_bus_error *error, const GError *from);

struct BusState {
        BusChanges *changes;
        BusSenders *senders;
        GHashTable *calls;              /* sender → number of calls that wait */
        GHashTable *granted;            /* sd_bus_message, owned → BusAction: polkit has said yes, it is dispatched again */
        GPtrArray *slots;               /* of sd_bus_slot* */
};
