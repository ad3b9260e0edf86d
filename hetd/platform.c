/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform.h"

#include "adopt.h"
#include "bus.h"
#include "log.h"
#include "util/fd-util.h"
#include "util/json-util.h"
#include "steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const state_names[_PLATFORM_STATE_MAX] = {
        [PLATFORM_DEFINED]  = "defined",
        [PLATFORM_STARTING] = "starting",
        [PLATFORM_RUNNING]  = "running",
        [PLATFORM_PAUSED]   = "paused",
        [PLATFORM_STOPPING] = "stopping",
        [PLATFORM_STOPPED]  = "stopped",
        [PLATFORM_CRASHED]  = "crashed",
        [PLATFORM_FAILED]   = "failed",
};

const char *platform_state_to_string(PlatformState state) {
        return state_names[state];
}

Processor *platform_get_master(Platform *platform) {
        return platform->processors->pdata[0];
}

Processor *platform_find_processor(Platform *platform, const char *name) {
        for (guint i = 0; i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                if (g_str_equal(p->config->name, name))
                        return p;
        }

        return NULL;
}

Processor *platform_find_slave(Platform *platform, uint32_t id) {
        for (guint i = 1; i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                if (p->config->id == id)
                        return p;
        }

        return NULL;
}

bool platform_is_active(const Platform *platform) {
        return !platform->ending && (platform->state == PLATFORM_STARTING || platform->state == PLATFORM_RUNNING ||
                                     platform->state == PLATFORM_PAUSED);
}

bool platform_is_idle(const Platform *platform) {
        return !platform->ending && !platform->job && !platform_is_active(platform);
}

void platform_set_state(Platform *platform, PlatformState state, const char *reason, const char *format, ...) {
        LogAbout about = { .platform = platform->config->name, .state = state_names[state], .reason = reason };
        Manager *manager = platform->manager;
        PlatformState before = platform->state;
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        if (state == before && g_str_equal(reason, platform->reason) && g_str_equal(text, platform->reason_text))
                return;

        /* A state that was not told yet must not be skipped */
        if (bus_is_changed(manager, platform->path, BUS_PLATFORM, "State"))
                bus_flush(manager);

        log_about(state == PLATFORM_CRASHED || state == PLATFORM_FAILED ? LOG_WARNING : LOG_INFO, &about, "%s: %s -> %s: %s",
                  platform->config->name, state_names[before], state_names[state], text);
        platform->state = state;
        platform->reason = reason;
        g_free(platform->reason_text);
        platform->reason_text = g_steal_pointer(&text);

        bus_changed(manager, platform->path, BUS_PLATFORM, "State");
        bus_changed(manager, platform->path, BUS_PLATFORM, "Reason");
        bus_changed(manager, platform->path, BUS_PLATFORM, "ReasonText");
        platform_save_soon(platform);
}

static void master_changed(Platform *platform, Processor *master) {
        g_autofree char *text = NULL;

        if (master->state == PROCESSOR_RUNNING)
                platform_set_state(platform, PLATFORM_RUNNING, "master-running", "Its master runs");
        else if (master->state == PROCESSOR_PAUSED)
                platform_set_state(platform, PLATFORM_PAUSED, "master-paused", "Its master is paused");
        else if (!processor_in_states(master, PROCESSOR_STATE_MASK(PROCESSOR_CRASHED) | PROCESSOR_STATE_MASK(PROCESSOR_STOPPED)) ||
                 platform_outlives_master(platform))
                return;
        else if (master->state == PROCESSOR_CRASHED) {
                text = g_strdup_printf("Its master crashed: %s", master->reason_text);
                platform_end(platform, PLATFORM_CRASHED, "master-crashed", text, NULL, NULL);
        } else {
                text = g_strdup_printf("Its master ended: %s", master->reason_text);
                platform_end(platform, PLATFORM_STOPPED, master->reason, text, NULL, NULL);
        }
}

static void fail_start(Platform *platform, Processor *p) {
        g_autoptr(GError) error = g_error_new(HET_ERROR, p->failure, "%s: %s", p->config->name, p->reason_text);

        job_fail(platform->job, error);
}

void platform_processor_changed(Platform *platform, Processor *p) {
        bool gone = processor_in_states(p, PROCESSOR_STATES_ENDED | PROCESSOR_STATE_MASK(PROCESSOR_LOST)) && !p->monitor;

        if (platform->ending || !platform_is_active(platform))
                return;

        if (platform->job) {
                if (gone && platform->job->type == JOB_START && p->config->start == PROCESSOR_START_HETD)
                        fail_start(platform, p);
        } else if (processor_is_master(p))
                master_changed(platform, p);
        else
                platform_slave_back(p);
}

/* --- pause and resume --- */

static void for_all_in_state(Platform *platform, ProcessorState state, const char *command, DoneFunc done, void *userdata) {
        Gather *gather = gather_new(done, userdata);

        for (guint i = 0; i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                if (p->state == state && p->monitor_ready)
                        processor_call(p, command, NULL, NULL, 0, gather_done, gather_add(gather));
        }

        gather_close(gather);
}

static bool may_pause(Platform *platform, GError **error) {
        if (platform_is_active(platform) && !platform->job)
                return true;

        g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "%s is %s: only a platform that was started can be paused or resumed",
                    platform->config->name, state_names[platform->state]);
        return false;
}

void platform_pause(Platform *platform, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;

        if (may_pause(platform, &error))
                for_all_in_state(platform, PROCESSOR_RUNNING, "stop", done, userdata);
        else
                done(error, userdata);
}

void platform_resume(Platform *platform, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;

        if (may_pause(platform, &error))
                for_all_in_state(platform, PROCESSOR_PAUSED, "cont", done, userdata);
        else
                done(error, userdata);
}

/* --- the object --- */

/* Checked when it is defined, so that it cannot be what goes wrong at the start */
static bool check_paths(Platform *platform, GError **error) {
        const size_t max = sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1;

        for (guint i = 0; i < platform->config->processors->len; i++) {
                const ProcessorConfig *config = platform->config->processors->pdata[i];
                g_autofree char *path = g_strdup_printf("%s/%s.console", platform->directory, config->name);

                if (strlen(path) <= max)
                        continue;

                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_PLATFORM,
                            "The path of a socket, %s, has %zu bytes, of %zu that are possible: give the platform or the processor "
                            "a shorter name, or hetd a shorter --runtime-dir=", path, strlen(path), max);
                return false;
        }

        return true;
}

bool platform_new(Manager *manager, PlatformConfig *config_consume, Platform **ret, GError **error) {
        g_autoptr(Platform) platform = g_new0(Platform, 1);

        platform->manager = manager;
        platform->config = config_consume;
        platform->path = bus_platform_path(config_consume->name);
        platform->directory = g_build_filename(manager->options.runtime_directory, config_consume->name, NULL);
        platform->state = PLATFORM_DEFINED;
        platform->reason = "defined";
        platform->reason_text = g_strdup("It was not started yet");
        platform->processors = g_ptr_array_new();

        if (!check_paths(platform, error))
                return false;

        for (guint i = 0; i < config_consume->processors->len; i++)
                g_ptr_array_add(platform->processors, processor_new(platform, config_consume->processors->pdata[i]));

        *ret = g_steal_pointer(&platform);
        return true;
}

bool platform_make_directory(Platform *platform, GError **error) {
        struct stat st;
        int r = 0;

        /* For a group that may read consoles, where the one around it is open to that, too */
        if (g_mkdir_with_parents(platform->directory, 0750) < 0 || lstat(platform->directory, &st) < 0)
                r = -errno;
        else if (!S_ISDIR(st.st_mode))
                r = -ENOTDIR;           /* a link, maybe to what is not ours to write to */
        if (r == 0)
                return true;

        g_set_error(error, HET_ERROR, het_error_from_errno(-r), "Cannot make the directory %s: %s", platform->directory,
                    r == -ENOTDIR ? "something else is there, or a link; remove that" : g_strerror(-r));
        return false;
}

/* An earlier hetd may have left things there that we do not know */
void platform_remove_directory(const char *path) {
        HET_AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct dirent *entry;
        DIR *directory;

        if (fd < 0) {
                (void) unlink(path);    /* a link, not what is behind it */
                return;
        }

        directory = fdopendir(fd);
        if (directory) {
                fd_take(&fd);
                while ((entry = readdir(directory)))
                        (void) unlinkat(dirfd(directory), entry->d_name, 0);
                closedir(directory);
        }

        (void) rmdir(path);
}

void platform_leave_alone(Platform *platform) {
        platform->left_alone = true;
        for (guint i = 0; i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                if (p->process)
                        spawn_leave(p->process);
        }
}

Platform *platform_free(Platform *platform) {
        if (!platform)
                return NULL;

        /* They use each other's monitors: all is answered before the first of them goes */
        platform->ending = true;
        for (guint i = 0; i < platform->processors->len; i++)
                processor_disconnect(platform->processors->pdata[i]);

        job_free(platform->job);
        if (!platform->manager->ending && !platform->left_alone)
                platform_remove_directory(platform->directory);
        if (!platform->left_alone)
                platform_remove_state(platform);
        sd_event_source_disable_unref(platform->save_source);
        for (guint i = 0; i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                if (!platform->left_alone)
                        processor_drop_window(p);
                processor_free(p);
        }

        g_ptr_array_unref(platform->processors);
        platform_config_free(platform->config);
        g_free(platform->path);
        g_free(platform->directory);
        g_free(platform->reason_text);
        g_free(platform);
        return NULL;
}
