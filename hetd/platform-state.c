/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What outlives hetd of a platform: written whenever it changes, read when hetd starts. See adopt.h. */

#include "adopt.h"

#include "fd-store.h"
#include "log.h"
#include "state-file.h"
#include "util/fd-util.h"
#include "util/file-util.h"
#include "util/json-util.h"
#include "util/sd-cleanup.h"
#include "window.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_SUFFIX    ".state"
#define CONFIG_SUFFIX   ".config"
#define BROKEN_SUFFIX   ".broken"

static char *file_of(const Manager *manager, const char *name, const char *suffix) {
        return g_strdup_printf("%s/%s%s", manager->options.runtime_directory, name, suffix);
}

/* --- writing --- */

static json_object *describe_couple(const Processor *p) {
        json_object *couple = json_object_new_object(), *eventfds = json_object_new_array();
        CoupleIdentity identity = {};

        if (p->couple)
                identity = *couple_identify(p->couple);
        else if (p->missing)
                identity = p->missing->couple;

        json_add_uint64(couple, "page", identity.page);
        for (size_t i = 0; i < G_N_ELEMENTS(identity.eventfds); i++)
                json_object_array_add(eventfds, json_object_new_uint64(identity.eventfds[i]));
        json_object_object_add(couple, "eventfds", eventfds);
        return couple;
}

static json_object *describe_restart(const ProcessorRestart *r) {
        json_object *restart = json_object_new_object();

        json_add_bool(restart, "pending", r->phase != RESTART_NONE);
        json_add_bool(restart, "no-boot", r->no_boot);
        json_add_uint64(restart, "count", r->count);
        json_add_uint64(restart, "in-a-row", r->in_a_row);
        json_add_uint64(restart, "limit-count", r->limit_count);
        json_add_uint64(restart, "limit-since", r->limit_since_usec);
        return restart;
}

static json_object *describe_processor(const Processor *p) {
        json_object *o = json_object_new_object();
        bool has_couple = p->couple || (p->missing && p->missing->has_couple);

        json_add_string(o, "name", p->config->name);
        json_add_string(o, "state", processor_state_to_string(p->state));
        json_add_string(o, "reason", p->reason);
        json_add_string(o, "reason-text", p->reason_text);
        json_add_uint64(o, "state-usec", p->state_usec);
        json_add_uint64(o, "boots", p->boots);
        json_add_uint64(o, "pid", (uint64_t) p->process_id.pid);
        json_add_uint64(o, "pid-start", p->process_id.start_ticks);
        if (p->unit)
                json_add_string(o, "unit", p->unit);
        json_add_uint64(o, "started-usec", p->started_usec);
        json_object_object_add(o, "restart", describe_restart(&p->restart));
        if (p->busy)
                json_add_string(o, "verb", p->busy);
        if (p->monitor_path)
                json_add_string(o, "monitor", p->monitor_path);
        if (p->last_line)
                json_add_string(o, "last-line", p->last_line);
        if (p->end_reason)
                json_add_string(o, "end-reason", p->end_reason);
        if (p->window_fd >= 0) {
                json_add_uint64(o, "window", window_memory_number(p->window_fd));
                json_add_uint64(o, "window-offset", p->window_offset);
        } else if (p->missing && p->missing->window != 0)
                json_add_uint64(o, "window", p->missing->window);
        if (p->has_firmware_entry) {
                json_add_uint64(o, "entry", p->firmware_entry);
                json_add_uint64(o, "resource-table", p->firmware_resource_table);
        }
        if (has_couple)
                json_object_object_add(o, "couple", describe_couple(p));

        return o;
}

static json_object *describe_variables(GHashTable *variables) {
        json_object *o = json_object_new_object();
        GHashTableIter iter;
        const char *name, *value;

        if (variables)
                g_hash_table_iter_init(&iter, variables);
        while (variables && g_hash_table_iter_next(&iter, (void **) &name, (void **) &value))
                json_add_string(o, name, value);

        return o;
}

bool platform_save(Platform *platform, GError **error) {
        g_autofree char *path = file_of(platform->manager, platform->config->name, STATE_SUFFIX);
        g_autoptr(json_object) o = json_object_new_object();
        json_object *processors = json_object_new_array();

        platform->save_source = sd_event_source_disable_unref(platform->save_source);

        json_add_string(o, "state", platform_state_to_string(platform->state));
        json_add_string(o, "end-state", platform_state_to_string(platform->end_state));
        json_add_uint64(o, "user", platform->user);
        json_add_string(o, "reason", platform->reason);
        json_add_string(o, "reason-text", platform->reason_text);
        if (platform->config->path)
                json_add_string(o, "path", platform->config->path);
        json_object_object_add(o, "variables", describe_variables(platform->config->variables));
        for (guint i = 0; i < platform->processors->len; i++)
                json_object_array_add(processors, describe_processor(platform->processors->pdata[i]));
        json_object_object_add(o, "processors", processors);

        return state_file_write_json(path, o, error);
}

bool platform_save_config(Platform *platform, GError **error) {
        g_autofree char *path = file_of(platform->manager, platform->config->name, CONFIG_SUFFIX);

        return state_file_write(path, platform->config->text, platform->config->size, error);
}

static int on_save(sd_event_source *source, void *userdata) {
        Platform *platform = userdata;
        g_autoptr(GError) error = NULL;

        if (platform_save(platform, &error))
                platform->save_failed = false;
        else if (!platform->save_failed) {
                platform->save_failed = true;
                log_warning("%s: If hetd were killed now, the next one would not know what has happened last: %s", platform->config->name,
                            error->message);
        }

        return 0;
}

void platform_save_soon(Platform *platform) {
        /* One that is being removed, or was not added yet */
        if (platform->save_source || g_hash_table_lookup(platform->manager->platforms, platform->config->name) != platform)
                return;

        (void) sd_event_add_defer(platform->manager->event, &platform->save_source, on_save, platform);
}

static void remove_files(const Manager *manager, const char *name) {
        g_autofree char *state = file_of(manager, name, STATE_SUFFIX), *config = file_of(manager, name, CONFIG_SUFFIX);

        (void) unlink(state);
        (void) unlink(config);
}

void platform_remove_state(Platform *platform) {
        platform->save_source = sd_event_source_disable_unref(platform->save_source);
        remove_files(platform->manager, platform->config->name);
}

/* --- reading --- */

static uint64_t get_uint64(json_object *o, const char *name) {
        uint64_t value = 0;

        (void) json_get_uint64(o, name, &value);
        return value;
}

/* True: the service manager has kept it, and no QEMU is asked for it */
static bool restore_window(Processor *p, uint64_t number, uint64_t offset) {
        g_autoptr(GError) error = NULL;
        HET_AUTO_FD int fd = -EBADF;

        if (number == 0 || !fd_store_take(number, &fd))
                return false;

        if (!window_memory_check(fd, offset, p->config->window_size, &error)) {
                processor_log(p, LOG_WARNING, "%s: What was kept is not its window: %s", p->config->name, error->message);
                fd_store_forget(fd);
                return false;
        }

        p->window_fd = fd_take(&fd);
        p->window_offset = offset;
        return true;
}

static void restore_missing(Processor *p, json_object *o) {
        ProcessorMissing *missing = g_new0(ProcessorMissing, 1);
        json_object *couple = NULL, *eventfds;

        missing->window = get_uint64(o, "window");
        if (restore_window(p, missing->window, get_uint64(o, "window-offset")))
                missing->window = 0;
        if (json_object_object_get_ex(o, "couple", &couple)) {
                missing->has_couple = true;
                missing->couple.page = get_uint64(couple, "page");
                eventfds = json_get_array(couple, "eventfds");
                for (size_t i = 0; eventfds && i < G_N_ELEMENTS(missing->couple.eventfds); i++)
                        missing->couple.eventfds[i] = json_object_get_uint64(json_object_array_get_idx(eventfds, i));
        }

        if (missing->has_couple || missing->window != 0)
                p->missing = missing;
        else
                g_free(missing);
}

static void restore_restart(ProcessorRestart *r, json_object *o) {
        json_object *restart = NULL;

        if (!json_object_object_get_ex(o, "restart", &restart))
                return;

        (void) json_get_bool(restart, "no-boot", &r->no_boot);
        r->count = (uint32_t) get_uint64(restart, "count");
        r->in_a_row = (unsigned) get_uint64(restart, "in-a-row");
        r->limit_count = (unsigned) get_uint64(restart, "limit-count");
        r->limit_since_usec = get_uint64(restart, "limit-since");
}

static void restore_text(const char **reason, char **text, json_object *o) {
        *reason = g_intern_string(json_get_string(o, "reason") ?: "defined");
        g_free(*text);
        *text = g_strdup(json_get_string(o, "reason-text") ?: "");
}

static bool is_restart_pending(json_object *o) {
        json_object *restart = NULL;
        bool pending = false;

        return json_object_object_get_ex(o, "restart", &restart) && json_get_bool(restart, "pending", &pending) && pending;
}

static bool restore_processor(Processor *p, json_object *o, ProcessorFound *found, GError **error) {
        const char *monitor = json_get_string(o, "monitor"), *end_reason = json_get_string(o, "end-reason");
        const char *state = json_get_string(o, "state");

        /* One that this hetd does not know is as good as lost */
        for (p->state = PROCESSOR_DEFINED; p->state < PROCESSOR_LOST; p->state++)
                if (g_strcmp0(processor_state_to_string(p->state), state) == 0)
                        break;
        restore_text(&p->reason, &p->reason_text, o);
        p->state_usec = get_uint64(o, "state-usec");
        p->boots = get_uint64(o, "boots");
        p->started_usec = get_uint64(o, "started-usec");
        p->last_line = g_strdup(json_get_string(o, "last-line"));
        p->end_reason = end_reason ? g_intern_string(end_reason) : NULL;
        p->has_firmware_entry = json_get_uint64(o, "entry", &p->firmware_entry);
        p->firmware_resource_table = get_uint64(o, "resource-table");
        if (p->config->start == PROCESSOR_START_HETD) {
                p->process_id.pid = (pid_t) get_uint64(o, "pid");
                p->process_id.start_ticks = get_uint64(o, "pid-start");
                p->unit = g_strdup(json_get_string(o, "unit"));
                found->had_process = p->process_id.pid != 0 || is_restart_pending(o);
        }
        restore_restart(&p->restart, o);
        if (!processor_is_master(p))
                restore_missing(p, o);

        found->verb = g_strdup(json_get_string(o, "verb"));
        return processor_take_over(p, monitor, error);
}

static bool restore_processors(Platform *platform, json_object *o, ProcessorFound *found, GError **error) {
        json_object *list = json_get_array(o, "processors");
        size_t n = list ? json_object_array_length(list) : 0;
        g_autofree bool *done = g_new0(bool, platform->processors->len);

        for (size_t i = 0; i < n; i++) {
                json_object *saved = json_object_array_get_idx(list, i);
                const char *name = json_get_string(saved, "name");

                for (guint k = 0; k < platform->processors->len; k++) {
                        Processor *p = platform->processors->pdata[k];

                        if (!name || done[k] || !g_str_equal(p->config->name, name))
                                continue;
                        done[k] = true;
                        if (!restore_processor(p, saved, &found[k], error))
                                return false;
                }
        }

        return true;
}

static GHashTable *restore_variables(json_object *o) {
        GHashTable *variables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        json_object *saved = NULL;

        if (json_object_object_get_ex(o, "variables", &saved) && json_object_is_type(saved, json_type_object)) {
                json_object_object_foreach(saved, name, value)
                        g_hash_table_insert(variables, g_strdup(name), g_strdup(json_object_get_string(value)));
        }

        return variables;
}

static bool restore_config(Manager *manager, const char *name, json_object *o, PlatformConfig **ret, GError **error) {
        g_autofree char *path = file_of(manager, name, CONFIG_SUFFIX), *text = NULL;
        g_autoptr(GHashTable) variables = restore_variables(o);
        size_t size;

        return file_read(path, PLATFORM_FILE_SIZE_MAX, &text, &size, error) &&
                platform_config_parse_again(name, json_get_string(o, "path"), text, size, variables, ret, error);
}

static bool parse_state(const char *name, PlatformState *ret) {
        for (PlatformState state = 0; state < _PLATFORM_STATE_MAX; state++)
                if (g_strcmp0(platform_state_to_string(state), name) == 0) {
                        *ret = state;
                        return true;
                }

        return false;
}

static bool restore_platform(Manager *manager, const char *name, json_object *o, GError **error) {
        g_autoptr(Platform) platform = NULL;
        PlatformConfig *config = NULL;
        ProcessorFound *found;

        if (!restore_config(manager, name, o, &config, error) || !platform_new(manager, config, &platform, error))
                return false;

        if (!parse_state(json_get_string(o, "state"), &platform->state) ||
            !parse_state(json_get_string(o, "end-state"), &platform->end_state)) {
                g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "Its state is not known");
                return false;
        }

        platform->user = (uid_t) get_uint64(o, "user");
        restore_text(&platform->reason, &platform->reason_text, o);

        found = g_new0(ProcessorFound, platform->processors->len);
        if (!restore_processors(platform, o, found, error)) {
                platform_leave_alone(platform);
                g_free(found);
                return false;
        }

        manager_insert_platform(manager, g_steal_pointer(&platform));
        return adopt_job_new(g_hash_table_lookup(manager->platforms, name), found, error);
}

/* Files that nobody will ask for any more */
static void forget_boot(Manager *manager, const char *name) {
        g_autofree char *directory = g_strdup_printf("%s/%s", manager->options.runtime_directory, name);

        log_info("%s: It was of an earlier boot, what is left of it is removed", name);
        platform_remove_directory(directory);
        remove_files(manager, name);
}

/* False: it is there, and another try may go better, for example with more file descriptors, or of the hetd that has written it */
static bool adopt(Manager *manager, const char *name) {
        g_autofree char *path = file_of(manager, name, STATE_SUFFIX), *aside = file_of(manager, name, STATE_SUFFIX BROKEN_SUFFIX);
        g_autoptr(json_object) o = NULL;
        g_autoptr(GError) error = NULL;

        if (!platform_name_is_valid(name))
                return true;

        if (state_file_read_json(path, &o, &error)) {
                if (!o)
                        forget_boot(manager, name);
                else if (restore_platform(manager, name, o, &error))
                        return true;
        }
        if (!error)
                return true;

        if (error->code == HET_ERROR_PROTOCOL && rename(path, aside) >= 0) {
                log_error("%s: It is lost: it cannot be taken over: %s. It is put aside as %s; its processes, if there are any, go on",
                          name, error->message, aside);
                return true;
        }

        log_error("%s: It is lost: it cannot be taken over: %s. Its processes, if there are any, go on. Mend that and start hetd again, "
                  "or remove %s to forget it", name, error->message, path);
        return false;
}

bool platform_state_is_there(const Manager *manager, const char *name, char **ret_path) {
        g_autofree char *path = file_of(manager, name, STATE_SUFFIX);
        struct stat st;

        if (lstat(path, &st) < 0)
                return false;

        *ret_path = g_steal_pointer(&path);
        return true;
}

void adopt_platforms(Manager *manager) {
        g_autoptr(GDir) directory = g_dir_open(manager->options.runtime_directory, 0, NULL);
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        const char *file;
        bool all = true;

        while (directory && (file = g_dir_read_name(directory)))
                if (g_str_has_suffix(file, STATE_SUFFIX))
                        g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(STATE_SUFFIX)));

        for (guint i = 0; i < names->len; i++)
                all = adopt(manager, names->pdata[i]) && all;
        fd_store_close(all);
}
