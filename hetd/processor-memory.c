/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window of a slave: made, granted, revoked. See processor.h. */

#include "processor.h"

#include "adopt.h"
#include "command-line.h"
#include "fd-store.h"
#include "platform.h"
#include "util/fd-util.h"
#include "util/json-util.h"
#include "window.h"

#include <errno.h>
#include <sys/eventfd.h>

bool processor_make_window(Processor *p, GError **error) {
        if (p->window_fd >= 0)
                return true;

        p->window_offset = 0;
        if (window_memory_new(p->platform->config->name, p->config->name, p->config->window_size, &p->window_fd, error)) {
                fd_store_keep(p->window_fd);
                return true;
        }

        g_prefix_error(error, "%s: ", p->config->name);
        return false;
}

void processor_drop_window(Processor *p) {
        fd_store_forget(p->window_fd);
        p->window_fd = fd_close(p->window_fd);
        p->window_offset = 0;
        p->has_firmware_entry = false;
}

bool processor_get_memory(Processor *p, int *ret_fd, GError **error) {
        if (p->window_fd < 0)
                return processor_wrong_state(p, error, "its window has no memory now");

        *ret_fd = p->window_fd;
        return true;
}

static const char *memory_id(const Processor *p) {
        return p->memory_id ?: COMMAND_LINE_MEMORY_ID;
}

void processor_grant(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;
        HET_AUTO_FD int read_only = p->config->read_only ? window_open_read_only(p->window_fd, &error) : -EBADF;
        QmpClientFd fds[] = { { "memory", p->config->read_only ? read_only : p->window_fd } };
        json_object *arguments;

        if (error) {
                g_prefix_error(&error, "%s: ", p->config->name);
                done(error, userdata);
                return;
        }

        arguments = json_object_new_object();
        if (p->config->read_only)
                json_add_bool(arguments, "readonly", true);
        json_add_string(arguments, "id", memory_id(p));
        json_add_uint64(arguments, "offset", p->window_offset);
        json_add_uint64(arguments, "bus-address", p->config->window_address);
        processor_call(p, "het-memory-grant", arguments, fds, G_N_ELEMENTS(fds), done, userdata);
}

/* --- GrantMemory --- */

typedef struct Change {
        Processor *processor;
        DoneFunc done;
        void *userdata;
        GError *error;
        int reserved[PLATFORM_REPLACE_WINDOW_FDS];
} Change;

static Change *change_new(Processor *p, DoneFunc done, void *userdata) {
        Change *change = g_new0(Change, 1);

        change->processor = p;
        change->done = done;
        change->userdata = userdata;
        for (size_t i = 0; i < G_N_ELEMENTS(change->reserved); i++)
                change->reserved[i] = -EBADF;
        return change;
}

static void change_release_numbers(Change *change) {
        for (size_t i = 0; i < G_N_ELEMENTS(change->reserved); i++)
                change->reserved[i] = fd_close(change->reserved[i]);
}

/* At the end the master's QEMU is given what has changed, which must not fail then for want of a few numbers: they are taken before */
static bool change_reserve_numbers(Change *change, GError **error) {
        for (size_t i = 0; i < G_N_ELEMENTS(change->reserved); i++) {
                change->reserved[i] = eventfd(0, EFD_CLOEXEC);
                if (change->reserved[i] < 0) {
                        g_set_error(error, HET_ERROR, het_error_from_errno(errno), "%s: Nothing was changed, hetd has too few fds for it: %s",
                                    change->processor->config->name, g_strerror(errno));
                        return false;
                }
        }

        return true;
}

static void change_end(Change *change, const GError *error) {
        DoneFunc done = change->done;
        void *userdata = change->userdata;

        change_release_numbers(change);
        processor_end_verb(change->processor);
        g_free(change);
        done(error, userdata);
}

static void on_grant_undone(const GError *error, void *userdata) {
        Change *change = userdata;
        g_autoptr(GError) first = g_steal_pointer(&change->error);

        change_end(change, first);
}

static void on_granted(const GError *error, void *userdata) {
        Change *change = userdata;

        if (!error) {
                processor_set_granted(change->processor, true);
                change_end(change, NULL);
                return;
        }

        change->error = g_error_copy(error);
        processor_drop_window(change->processor);
        change_release_numbers(change);
        platform_replace_window(change->processor, on_grant_undone, change);
}

static void on_window_placed(const GError *error, void *userdata) {
        Change *change = userdata;

        if (error)
                on_granted(error, change);
        else
                processor_grant(change->processor, on_granted, change);
}

static bool may_grant(Processor *p, GError **error) {
        if (processor_is_master(p))
                return processor_wrong_state(p, error, "a master has no window, grant memory to a slave");
        if (p->state != PROCESSOR_WAITING || !p->master_attached)
                return processor_wrong_state(p, error, "only a slave of a started platform that waits for memory can be granted some");

        return true;
}

void processor_grant_memory(Processor *p, int memory, uint64_t offset, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;
        HET_AUTO_FD int fd = fd_dup_cloexec(memory);
        Change *change;

        if (fd < 0)
                g_set_error(&error, HET_ERROR, het_error_from_errno(fd), "Cannot duplicate the memory's fd: %s", g_strerror(-fd));
        if (error || !may_grant(p, &error) || !window_memory_check(fd, offset, p->config->window_size, &error) ||
            !processor_begin(p, "grant", &error)) {
                done(error, userdata);
                return;
        }

        processor_drop_window(p);
        p->window_fd = fd_take(&fd);
        p->window_offset = offset;
        fd_store_keep(p->window_fd);
        change = change_new(p, done, userdata);
        if (platform_save(p->platform, &error) && change_reserve_numbers(change, &error)) {
                platform_replace_window(p, on_window_placed, change);
                return;
        }

        processor_drop_window(p);
        change_end(change, error);
}

/* --- RevokeMemory --- */

static void on_window_removed(const GError *error, void *userdata) {
        change_end(userdata, error);
}

static void on_revoked(const GError *error, void *userdata) {
        Change *change = userdata;

        if (error) {
                change_end(change, error);
                return;
        }

        processor_set_granted(change->processor, false);
        processor_drop_window(change->processor);
        change_release_numbers(change);
        platform_replace_window(change->processor, on_window_removed, change);
}

static bool may_revoke(Processor *p, GError **error) {
        if (processor_is_master(p))
                return processor_wrong_state(p, error, "a master has no window");
        if (!p->granted)
                return processor_wrong_state(p, error, "it has no memory");
        if (p->state != PROCESSOR_READY)
                return processor_wrong_state(p, error, "only a slave that is not booted can be revoked its memory: stop it first");

        return true;
}

void processor_revoke_memory(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;
        json_object *arguments;
        Change *change;

        if (!may_revoke(p, &error) || !processor_begin(p, "revoke", &error)) {
                done(error, userdata);
                return;
        }

        change = change_new(p, done, userdata);
        if (!change_reserve_numbers(change, &error)) {
                change_end(change, error);
                return;
        }

        arguments = json_object_new_object();
        json_add_string(arguments, "id", memory_id(p));
        processor_call(p, "het-memory-revoke", arguments, NULL, 0, on_revoked, change);
}
