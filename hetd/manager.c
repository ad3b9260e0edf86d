/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager.h"

#include "adopt.h"
#include "bus.h"
#include "job.h"
#include "log.h"
#include "platform.h"
#include "util/fd-util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void options_take(ManagerOptions *to, ManagerOptions *from) {
        static const char *const none[] = { NULL };

        *to = *from;
        *from = (ManagerOptions) {};
        if (!to->directories)
                to->directories = g_strdupv((char **) none);
        if (!to->qemu)
                to->qemu = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

Manager *manager_new(sd_event *event, ManagerOptions *options_consume) {
        Manager *manager = g_new0(Manager, 1);
        QuotaLimits usual;

        quota_limits_set_defaults(&usual);
        manager->event = sd_event_ref(event);
        options_take(&manager->options, options_consume);
        manager->quotas = quotas_new(manager->options.quotas ?: &usual);
        manager->options.quotas = NULL;         /* the caller's */
        manager->platforms = g_hash_table_new(g_str_hash, g_str_equal);
        manager->jobs = g_hash_table_new(NULL, NULL);
        return manager;
}

Manager *manager_free(Manager *manager) {
        if (!manager)
                return NULL;

        GHashTableIter iter;
        Platform *platform;

        manager->ending = true;
        bus_unexport(manager);
        g_hash_table_iter_init(&iter, manager->platforms);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &platform)) {
                g_hash_table_iter_steal(&iter);
                platform_free(platform);
        }

        g_hash_table_unref(manager->platforms);
        g_hash_table_unref(manager->jobs);
        quotas_free(manager->quotas);
        g_hash_table_unref(manager->options.qemu);
        g_strfreev(manager->options.directories);
        g_free(manager->options.runtime_directory);
        g_free(manager->options.firmware_directory);
        sd_event_unref(manager->event);
        g_free(manager);
        return NULL;
}

/* What a platform counts for */
typedef struct Cost {
        uint64_t n[_QUOTA_MAX];
} Cost;

static Cost cost_of(const PlatformConfig *config) {
        Cost cost = { .n = { [QUOTA_PLATFORMS] = 1, [QUOTA_PROCESSORS] = config->processors->len } };

        for (guint i = 0; i < config->processors->len; i++)
                cost.n[QUOTA_MEMORY] += ((const ProcessorConfig *) config->processors->pdata[i])->memory;
        return cost;
}

static void give_back(Manager *manager, uid_t user, const Cost *cost) {
        for (QuotaKind kind = 0; kind < _QUOTA_MAX; kind++)
                quotas_give(manager->quotas, user, kind, cost->n[kind]);
}

/* All of it or nothing */
static bool take(Manager *manager, uid_t user, const Cost *cost, GError **error) {
        for (QuotaKind kind = 0; kind < _QUOTA_MAX; kind++) {
                if (quotas_take(manager->quotas, user, kind, cost->n[kind], error))
                        continue;
                while (kind-- > 0)
                        quotas_give(manager->quotas, user, kind, cost->n[kind]);
                return false;
        }

        return true;
}

/* The same for a platform that takes the place of another, if there is one */
static bool take_instead(Manager *manager, const Platform *old, uid_t user, const Cost *cost, GError **error) {
        Cost of_old;

        if (!old)
                return take(manager, user, cost, error);

        of_old = cost_of(old->config);
        give_back(manager, old->user, &of_old);
        if (take(manager, user, cost, error))
                return true;

        (void) take(manager, old->user, &of_old, NULL);
        return false;
}

/* Undoes that */
static void give_back_instead(Manager *manager, const Platform *old, uid_t user, const Cost *cost) {
        give_back(manager, user, cost);
        if (old) {
                Cost of_old = cost_of(old->config);

                (void) take(manager, old->user, &of_old, NULL);
        }
}

bool manager_exchange(Manager *manager, const Platform *platform, const PlatformConfig *config, GError **error) {
        Cost cost = cost_of(config);

        return take_instead(manager, platform, platform->user, &cost, error);
}

bool manager_may_exchange(Manager *manager, const Platform *platform, const PlatformConfig *config, GError **error) {
        Cost cost = cost_of(config);

        if (!take_instead(manager, platform, platform->user, &cost, error))
                return false;

        give_back_instead(manager, platform, platform->user, &cost);
        return true;
}

static void forget_platform(Manager *manager, Platform *platform) {
        log_info("%s: Removed", platform->config->name);
        bus_platform_removed(platform);
        g_hash_table_remove(manager->platforms, platform->config->name);
        platform_free(platform);
}

/* Whether a platform of that name may be added; an older one that is in the way is not touched yet. */
static bool has_room(Manager *manager, const char *name, bool replace, GError **error) {
        const Platform *old = g_hash_table_lookup(manager->platforms, name);
        g_autofree char *left = NULL;

        if (old && replace && !platform_is_idle(old)) {
                g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "%s is %s: stop it first", name,
                            platform_state_to_string(old->state));
                return false;
        }
        if (old && !replace) {
                g_set_error(error, HET_ERROR, HET_ERROR_PLATFORM_EXISTS, "There is a platform %s already; remove it first, or name "
                            "this one otherwise", name);
                return false;
        }
        if (!old && platform_state_is_there(manager, name, &left)) {
                g_set_error(error, HET_ERROR, HET_ERROR_PLATFORM_EXISTS, "There is a platform %s of an earlier hetd, which could not be "
                            "taken over (hetd's log says why): mend that and start hetd again, or remove %s to forget it, or name "
                            "this one otherwise", name, left);
                return false;
        }
        if (!old && g_hash_table_size(manager->platforms) >= MANAGER_PLATFORMS_MAX) {
                g_set_error(error, HET_ERROR, HET_ERROR_LIMIT_EXCEEDED, "There are %u platforms already, more are not possible",
                            MANAGER_PLATFORMS_MAX);
                return false;
        }
        return true;
}

/* The files of a new one could not be written, or not all of them */
static void put_back(Platform *platform, Platform *old) {
        if (old) {
                (void) platform_save_config(old, NULL);
                (void) platform_save(old, NULL);
        } else
                platform_remove_state(platform);
        platform->left_alone = true;
        platform_free(platform);
}

static bool make_platform(Manager *manager, PlatformConfig *config_consume, uid_t user, Platform *old, Platform **ret, GError **error) {
        Platform *platform = NULL;

        if (!platform_new(manager, config_consume, &platform, error))
                return false;

        platform->user = user;
        if (platform_save_config(platform, error) && platform_save(platform, error)) {
                *ret = platform;
                return true;
        }

        put_back(platform, old);
        return false;
}

static void insert(Manager *manager, Platform *platform) {
        g_hash_table_insert(manager->platforms, platform->config->name, platform);
        bus_platform_added(platform);
}

void manager_insert_platform(Manager *manager, Platform *platform_consume) {
        Cost cost = cost_of(platform_consume->config);

        for (QuotaKind kind = 0; kind < _QUOTA_MAX; kind++)
                quotas_add(manager->quotas, platform_consume->user, kind, cost.n[kind]);
        insert(manager, platform_consume);
}

bool manager_add_platform(Manager *manager, PlatformConfig *config_consume, uid_t user, bool replace, Platform **ret, GError **error) {
        g_autoptr(PlatformConfig) config = config_consume;
        Platform *platform = NULL, *old = g_hash_table_lookup(manager->platforms, config->name);
        Cost cost = cost_of(config);

        if (!has_room(manager, config->name, replace, error) || !take_instead(manager, old, user, &cost, error))
                return false;

        if (!make_platform(manager, g_steal_pointer(&config), user, old, &platform, error)) {
                give_back_instead(manager, old, user, &cost);
                return false;
        }

        /* The new one is good: only now does the old one go. Its files are those of the new one by now. */
        if (old) {
                old->left_alone = true;
                platform_remove_directory(old->directory);
                forget_platform(manager, old);
        }

        log_info("%s: Defined, %u processors%s%s", platform->config->name, platform->processors->len,
                 platform->config->path ? ", from " : "", platform->config->path ?: "");
        insert(manager, platform);

        *ret = platform;
        return true;
}

bool manager_remove_platform(Manager *manager, Platform *platform, GError **error) {
        Cost cost;

        if (!platform_is_idle(platform)) {
                g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "%s is %s: stop it first", platform->config->name,
                            platform_state_to_string(platform->state));
                return false;
        }

        cost = cost_of(platform->config);
        give_back(manager, platform->user, &cost);
        forget_platform(manager, platform);
        return true;
}

bool manager_find_platform(Manager *manager, const char *name, Platform **ret, GError **error) {
        *ret = g_hash_table_lookup(manager->platforms, name);
        if (*ret)
                return true;

        g_set_error(error, HET_ERROR, HET_ERROR_NO_SUCH_PLATFORM, "There is no platform %s", name);
        return false;
}

GHashTable *manager_complete_variables(Manager *manager, GHashTable *variables) {
        GHashTable *all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        GHashTableIter iter;
        void *key, *value;

        if (manager->options.firmware_directory)
                g_hash_table_insert(all, g_strdup("FIRMWARE_DIR"), g_strdup(manager->options.firmware_directory));

        if (variables) {
                g_hash_table_iter_init(&iter, variables);
                while (g_hash_table_iter_next(&iter, &key, &value))
                        g_hash_table_insert(all, g_strdup(key), g_strdup(value));
        }

        return all;
}

bool manager_load_platform(Manager *manager, const char *path_or_name, GHashTable *variables, uid_t user, bool replace, Platform **ret,
                           GError **error) {
        g_autoptr(GHashTable) all = manager_complete_variables(manager, variables);
        HET_AUTO_FD int fd = -EBADF;
        g_autofree char *path = NULL;
        PlatformConfig *config = NULL;

        if (g_path_is_absolute(path_or_name))
                path = g_strdup(path_or_name);
        else if (!platform_config_find(path_or_name, (const char *const *) manager->options.directories, &path, error))
                return false;

        /* O_NONBLOCK: a fifo must not hold us up; reading then says that it is no regular file */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
                /* Not "access denied": it is hetd that may not, and who asks could do nothing about it as root either */
                if (errno == EACCES)
                        g_set_error(error, HET_ERROR, HET_ERROR_FAILED, "Cannot open %s: The user that hetd runs as may not read it", path);
                else
                        g_set_error(error, HET_ERROR, errno == ENOENT ? HET_ERROR_NO_SUCH_PLATFORM : het_error_from_errno(errno),
                                    "Cannot open %s: %s", path, g_strerror(errno));
                return false;
        }

        return platform_config_read_fd(NULL, path, fd, all, &config, error) &&
                manager_add_platform(manager, config, user, replace, ret, error);
}

/* Where our own are installed, beside the distribution's */
static char *find_installed(const char *program) {
        g_autofree char *path = g_build_filename(HET_QEMU_DIRECTORY, program, NULL);

        return access(path, X_OK) >= 0 ? g_steal_pointer(&path) : NULL;
}

/* One build makes the binaries for all targets: beside one that was named there may be the one for another target */
static char *find_sibling(Manager *manager, const char *program) {
        GHashTableIter iter;
        const char *target, *named;

        g_hash_table_iter_init(&iter, manager->options.qemu);
        while (g_hash_table_iter_next(&iter, (void **) &target, (void **) &named)) {
                g_autofree char *usual = g_strdup_printf("qemu-system-%s", target), *name = g_path_get_basename(named);
                g_autofree char *directory = g_path_get_dirname(named), *path = g_build_filename(directory, program, NULL);

                if (strcmp(name, usual) == 0 && access(path, X_OK) >= 0)
                        return g_steal_pointer(&path);
        }

        return NULL;
}

bool manager_find_qemu(Manager *manager, const ProcessorConfig *config, char **ret, GError **error) {
        const char *target = config->target;
        g_autofree char *program = g_strdup_printf("qemu-system-%s", target), *path = NULL;
        const char *named = config->qemu ?: g_hash_table_lookup(manager->options.qemu, target);

        path = named ? g_strdup(named) : find_sibling(manager, program) ?: find_installed(program) ?: g_find_program_in_path(program);
        if (path && access(path, X_OK) >= 0) {
                *ret = g_steal_pointer(&path);
                return true;
        }

        g_set_error(error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "%s: There is no program %s: set QEMU= in [Processor %s], or start "
                    "hetd with --qemu=%s=PATH", config->name, path ?: program, config->name, target);
        return false;
}

/* --- the end --- */

static bool is_over(Manager *manager) {
        GHashTableIter iter;
        Platform *platform;

        g_hash_table_iter_init(&iter, manager->platforms);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &platform))
                if (!platform_is_idle(platform))
                        return false;

        return true;
}

void manager_platform_ended(Manager *manager) {
        DoneFunc done = manager->end_done;

        if (!done || !is_over(manager))
                return;

        manager->end_done = NULL;
        done(NULL, manager->end_userdata);
}

void manager_leave_alone(Manager *manager) {
        GHashTableIter iter;
        Platform *platform;

        manager->ending = true;
        g_hash_table_iter_init(&iter, manager->platforms);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &platform)) {
                g_autoptr(GError) error = NULL;

                if (!platform_save(platform, &error))
                        log_warning("%s: %s", platform->config->name, error->message);
                platform_leave_alone(platform);
        }
}

void manager_end(Manager *manager, DoneFunc done, void *userdata) {
        g_autoptr(GList) platforms = g_hash_table_get_values(manager->platforms);

        manager->ending = true;
        manager->end_done = done;
        manager->end_userdata = userdata;

        for (GList *l = platforms; l; l = l->next) {
                Platform *platform = l->data;

                if (platform->job)
                        (void) job_cancel(platform->job, NULL);         /* a stop job comes to its end by itself */
                else if (platform_is_active(platform))
                        platform_end(platform, PLATFORM_STOPPED, "hetd-exit", "hetd was asked to exit", NULL, NULL);
        }

        manager_platform_ended(manager);
}
