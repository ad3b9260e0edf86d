/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unit.h"

#include "cgroup.h"
#include "util/error.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEMD_NAME            "org.freedesktop.systemd1"
#define SYSTEMD_PATH            "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER         "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT            "org.freedesktop.systemd1.Unit"
#define UNIT_NAME_LENGTH_MAX    255U
#define CALL_USEC               (25 * G_USEC_PER_SEC)

/* What has limits: the unit, and the slice of its platform */
typedef struct Limited {
        char *name, *path;              /* of the unit, and of its object */
        const ResourceLimits *limits;
        bool stale[_RESOURCE_KEY_MAX];  /* an earlier platform file had it, this one has not */
} Limited;

struct Unit {
        sd_bus *bus;
        const UnitHandlers *handlers;
        void *userdata;
        Limited limited[2];             /* the unit; the slice */
        size_t step;                    /* whose limits are being set */
        sd_bus_slot *changes, *jobs, *call;
        char *job;                      /* the object of the job that starts it, NULL: none */
        bool started;                   /* that is done */
        pid_t pid;                      /* 0: not known */
        int32_t exit_code, exit_status; /* of pid; exit_code 0: not known */
};

static char *escape(const char *name) {
        g_auto(GStrv) parts = g_strsplit(name, "-", -1);

        return g_strjoinv("\\x2d", parts);
}

char *unit_make_name(const char *platform, const char *processor) {
        g_autofree char *first = escape(platform), *second = escape(processor);

        return g_strdup_printf("het-processor@%s-%s.service", first, second);
}

static char *make_slice_name(const char *platform) {
        g_autofree char *name = escape(platform);

        return g_strdup_printf("het-%s.slice", name);
}

/* From here on nothing of it runs */
static void fail(Unit *unit, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void fail(Unit *unit, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        unit->changes = sd_bus_slot_unref(unit->changes);
        unit->jobs = sd_bus_slot_unref(unit->jobs);
        unit->call = sd_bus_slot_unref(unit->call);
        unit->handlers->failed(unit, text, unit->userdata);
}

/* Or the bus has tried to start it, by a file that is there for this answer */
static bool is_absent(const sd_bus_error *e) {
        return sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) || sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
                g_str_has_prefix(e->name, "org.freedesktop.DBus.Error.Spawn.");
}

/* The answer to a call; true: it went well */
static bool check_answer(Unit *unit, sd_bus_message *m, const char *what) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        const char *name = unit->limited[0].name;

        unit->call = sd_bus_slot_unref(unit->call);
        if (!e)
                return true;

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED) ||
            sd_bus_error_has_name(e, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                fail(unit, "systemd does not let hetd %s %s: %s: install polkit, with the rules of hetd, or write Unit=no in the platform "
                     "file", what, name, e->message);
        else if (is_absent(e))
                fail(unit, "There is no systemd on this bus to %s %s: start hetd without --units, or write Unit=no in the platform file",
                     what, name);
        else
                fail(unit, "systemd cannot %s %s: %s", what, name, e->message);
        return false;
}

static void send_call(Unit *unit, sd_bus_message *m, sd_bus_message_handler_t handler, int r) {
        if (r >= 0)
                r = sd_bus_call_async(unit->bus, &unit->call, m, handler, unit, CALL_USEC);
        if (r < 0)
                fail(unit, "systemd cannot be asked for %s: %s", unit->limited[0].name, g_strerror(-r));
}

static int make_call(Unit *unit, const char *method, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(unit->bus, ret, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
}

static void get_property(Unit *unit, const char *path, const char *property, sd_bus_message_handler_t handler) {
        g_autoptr(sd_bus_message) m = NULL;
        int r = sd_bus_message_new_method_call(unit->bus, &m, SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties", "Get");

        if (r >= 0)
                r = sd_bus_message_append(m, "ss", SYSTEMD_UNIT, property);
        send_call(unit, m, handler, r);
}

/* --- 3: the start --- */

static int on_start_answered(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;
        const char *job;

        if (!check_answer(unit, m, "start"))
                return 0;
        if (sd_bus_message_read(m, "o", &job) >= 0)
                unit->job = g_strdup(job);
        return 0;
}

static void start(Unit *unit) {
        g_autoptr(sd_bus_message) m = NULL;
        int r = make_call(unit, "StartUnit", &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "ss", unit->limited[0].name, "replace");
        send_call(unit, m, on_start_answered, r);
}

/* --- 2: limits --- */

static void next_limits(Unit *unit);

static int on_limits_set(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;

        if (check_answer(unit, m, "set the limits of"))
                next_limits(unit);
        return 0;
}

static int append_limit(sd_bus_message *m, const Limited *limited, ResourceKey key) {
        const ResourceLimit *limit = &limited->limits->limits[key];
        int r;

        if (key != RESOURCE_ALLOWED_CPUS)
                return sd_bus_message_append(m, "(sv)", resource_key_property(key), "t",
                                             limit->text ? limit->value : resource_key_no_limit(key));

        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", resource_key_property(key));
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', limit->cpus, limit->n_cpus);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static void set_limits(Unit *unit, const Limited *limited) {
        g_autoptr(sd_bus_message) m = NULL;
        bool any = false;
        int r = make_call(unit, "SetUnitProperties", &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "sb", limited->name, (int) true);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        for (ResourceKey key = 0; key < _RESOURCE_KEY_MAX && r >= 0; key++)
                if (limited->limits->limits[key].text || limited->stale[key]) {
                        any = true;
                        r = append_limit(m, limited, key);
                }
        if (r >= 0)
                r = sd_bus_message_close_container(m);

        if (r < 0 || any)
                send_call(unit, m, on_limits_set, r);
        else
                next_limits(unit);
}

/* --- 1: what stands there from earlier --- */

/* "/run/systemd/system.control/NAME.d/50-MemoryMax.conf". What an administrator has written is elsewhere, and stays. */
static void find_stale(Limited *limited, const char *drop_in) {
        g_autofree char *base = g_path_get_basename(drop_in);

        if (!strstr(drop_in, ".control/") || g_str_has_prefix(drop_in, "/etc/"))
                return;

        for (ResourceKey key = 0; key < _RESOURCE_KEY_MAX; key++) {
                g_autofree char *file = g_strdup_printf("50-%s.conf", resource_key_name(key));

                if (g_str_equal(base, file))
                        limited->stale[key] = true;
        }
}

static int on_drop_ins(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;
        Limited *limited = &unit->limited[unit->step - 1];
        const char *drop_in;
        int r;

        if (!check_answer(unit, m, "look at"))
                return 0;

        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r > 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r > 0 && sd_bus_message_read(m, "s", &drop_in) > 0)
                find_stale(limited, drop_in);

        set_limits(unit, limited);
        return 0;
}

static void next_limits(Unit *unit) {
        if (unit->step == G_N_ELEMENTS(unit->limited))
                start(unit);
        else
                get_property(unit, unit->limited[unit->step++].path, "DropInPaths", on_drop_ins);
}

static int on_begun(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;

        if (check_answer(unit, m, "start"))
                next_limits(unit);
        return 0;
}

/* --- what becomes of it --- */

static void check_active(Unit *unit, const char *state) {
        if (unit->started && unit->pid == 0 && (g_str_equal(state, "inactive") || g_str_equal(state, "failed")))
                fail(unit, "%s has ended before hetd could use it: see systemctl status '%s'", unit->limited[0].name,
                     unit->limited[0].name);
}

static int on_active_state(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;
        const char *state;

        if (unit->pid != 0)             /* it has turned up meanwhile */
                unit->call = sd_bus_slot_unref(unit->call);
        else if (check_answer(unit, m, "look at") && sd_bus_message_read(m, "v", "s", &state) >= 0)
                check_active(unit, state);
        return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *job, *name, *result;
        Unit *unit = userdata;
        uint32_t id;

        if (!unit->job || sd_bus_message_read(m, "uoss", &id, &job, &name, &result) < 0 || !g_str_equal(job, unit->job))
                return 0;

        g_clear_pointer(&unit->job, g_free);
        if (unit->pid != 0)
                return 0;
        if (!g_str_equal(result, "done")) {
                fail(unit, "systemd could not start %s (%s): see systemctl status '%s'", name, result, name);
                return 0;
        }

        /* It may have ended already, and that was told before */
        unit->started = true;
        get_property(unit, unit->limited[0].path, "ActiveState", on_active_state);
        return 0;
}

typedef struct Change {
        const char *active_state;
        uint32_t pid;
        int32_t code, status;
        bool has_code, has_status;
} Change;

static int read_change(sd_bus_message *m, const char *property, Change *ret) {
        if (g_str_equal(property, "ActiveState"))
                return sd_bus_message_read(m, "v", "s", &ret->active_state);
        if (g_str_equal(property, "ExecMainPID"))
                return sd_bus_message_read(m, "v", "u", &ret->pid);
        if (g_str_equal(property, "ExecMainCode")) {
                ret->has_code = true;
                return sd_bus_message_read(m, "v", "i", &ret->code);
        }
        if (g_str_equal(property, "ExecMainStatus")) {
                ret->has_status = true;
                return sd_bus_message_read(m, "v", "i", &ret->status);
        }

        return sd_bus_message_skip(m, "v");
}

static int read_changes(sd_bus_message *m, Change *ret) {
        const char *property;
        int r = sd_bus_message_skip(m, "s");

        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &property);
                if (r >= 0)
                        r = read_change(m, property, ret);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }

        return r;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;
        Change change = {};

        if (read_changes(m, &change) < 0)
                return 0;

        /* What is told of the process that was there before is of no use */
        if (unit->pid != 0 && change.pid == (uint32_t) unit->pid && change.has_code && change.has_status && change.code != 0) {
                unit->exit_code = change.code;
                unit->exit_status = change.status;
        }

        if (unit->exit_code != 0) {
                unit->changes = sd_bus_slot_unref(unit->changes);
                unit->handlers->exited(unit, unit->exit_code, unit->exit_status, unit->userdata);
        } else if (change.active_state)
                check_active(unit, change.active_state);
        return 0;
}

/* --- the object --- */

static int watch(Unit *unit) {
        g_autofree char *rule = g_strdup_printf("type='signal',sender='" SYSTEMD_NAME "',path='" SYSTEMD_PATH "',interface='"
                                                SYSTEMD_MANAGER "',member='JobRemoved',arg2='%s'", unit->limited[0].name);
        int r;

        /* Without a subscriber systemd tells nothing. Once is enough for all units; who does it again learns that, and nothing else. */
        r = sd_bus_call_method_async(unit->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
        if (r >= 0)
                r = sd_bus_match_signal_async(unit->bus, &unit->changes, SYSTEMD_NAME, unit->limited[0].path,
                                              "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed, NULL, unit);
        if (r >= 0)
                r = sd_bus_add_match_async(unit->bus, &unit->jobs, rule, on_job_removed, NULL, unit);

        return r;
}

static int set_names(Unit *unit, const UnitRequest *request) {
        int r = 0;

        unit->limited[0] = (Limited) { .name = unit_make_name(request->platform, request->processor), .limits = request->limits };
        unit->limited[1] = (Limited) { .name = make_slice_name(request->platform), .limits = request->platform_limits };
        for (size_t i = 0; i < G_N_ELEMENTS(unit->limited) && r >= 0; i++)
                r = strlen(unit->limited[i].name) > UNIT_NAME_LENGTH_MAX ? -ENAMETOOLONG :
                        sd_bus_path_encode(SYSTEMD_PATH "/unit", unit->limited[i].name, &unit->limited[i].path);

        return r;
}

bool unit_new(const UnitRequest *request, bool start, const UnitHandlers *handlers, void *userdata, Unit **ret, GError **error) {
        g_autoptr(Unit) unit = g_new0(Unit, 1);
        int r;

        unit->bus = sd_bus_ref(request->bus);
        unit->handlers = handlers;
        unit->userdata = userdata;
        r = set_names(unit, request);
        if (r >= 0)
                r = watch(unit);
        if (r >= 0 && start) {
                g_autoptr(sd_bus_message) m = NULL;

                /* Whoever answers is there; and all that follows runs from the loop */
                r = sd_bus_message_new_method_call(unit->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, "org.freedesktop.DBus.Peer", "Ping");
                if (r >= 0)
                        r = sd_bus_call_async(unit->bus, &unit->call, m, on_begun, unit, CALL_USEC);
        }
        if (r < 0) {
                g_set_error(error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "Cannot watch the unit %s: %s", unit->limited[0].name, g_strerror(-r));
                return false;
        }

        *ret = g_steal_pointer(&unit);
        return true;
}

Unit *unit_free(Unit *unit) {
        if (!unit)
                return NULL;

        sd_bus_slot_unref(unit->changes);
        sd_bus_slot_unref(unit->jobs);
        sd_bus_slot_unref(unit->call);
        sd_bus_unref(unit->bus);
        for (size_t i = 0; i < G_N_ELEMENTS(unit->limited); i++) {
                g_free(unit->limited[i].name);
                free(unit->limited[i].path);
        }
        g_free(unit->job);
        g_free(unit);
        return NULL;
}

const char *unit_get_name(const Unit *unit) {
        return unit->limited[0].name;
}

void unit_set_process(Unit *unit, pid_t pid) {
        unit->pid = pid;
}

bool unit_has_process(const Unit *unit, pid_t pid) {
        Cgroups *cgroups = cgroups_read(pid);
        bool has = cgroups && g_str_equal(cgroups_get_unit(cgroups), unit->limited[0].name);

        cgroups_free(cgroups);
        return has;
}

void unit_stop(Unit *unit) {
        (void) sd_bus_call_method_async(unit->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StopUnit", NULL, NULL, "ss",
                                        unit->limited[0].name, "replace");
}
