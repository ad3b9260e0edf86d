/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "steps.h"

#include "log.h"
#include "util/fd-util.h"

#include <errno.h>

typedef struct Step {
        Processor *processor;
        bool tolerant;
        char *command;
        json_object *arguments;
        QmpClientFd fds[QMP_CLIENT_FDS_MAX];    /* argument must be constant, fd is ours, or the negative errno why it is not */
        size_t n_fds;
} Step;

struct Steps {
        GQueue queue;           /* of Step */
        DoneFunc done;
        void *userdata;
        bool canceled;
};

static void step_free(Step *step) {
        for (size_t i = 0; i < step->n_fds; i++)
                fd_close(step->fds[i].fd);
        json_object_put(step->arguments);
        g_free(step->command);
        g_free(step);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Step, step_free)

Steps *steps_new(DoneFunc done, void *userdata) {
        Steps *steps = g_new0(Steps, 1);

        g_queue_init(&steps->queue);
        steps->done = done;
        steps->userdata = userdata;
        return steps;
}

void steps_add(Steps *steps, Processor *p, bool tolerant, const char *command, json_object *arguments_consume,
               const QmpClientFd *fds, size_t n_fds) {
        Step *step = g_new0(Step, 1);

        g_assert(n_fds <= QMP_CLIENT_FDS_MAX);
        step->processor = p;
        step->tolerant = tolerant;
        step->command = g_strdup(command);
        step->arguments = arguments_consume;
        for (size_t i = 0; i < n_fds; i++) {
                QmpClientFd *fd = &step->fds[step->n_fds++];

                *fd = (QmpClientFd) { .argument = fds[i].argument, .fd = fd_dup_cloexec(fds[i].fd) };
                fd->give = &fd->fd;
        }

        g_queue_push_tail(&steps->queue, step);
}

void steps_free(Steps *steps) {
        g_queue_clear_full(&steps->queue, (GDestroyNotify) step_free);
        g_free(steps);
}

static void steps_finish(Steps *steps, const GError *error) {
        DoneFunc done = steps->done;
        void *userdata = steps->userdata;

        steps_free(steps);
        done(error, userdata);
}

static void steps_next(Steps *steps);

static void on_answered(const GError *error, void *userdata) {
        Steps *steps = userdata;
        g_autoptr(Step) step = g_queue_pop_head(&steps->queue);
        g_autoptr(GError) canceled = NULL;

        if (steps->canceled) {
                canceled = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "%s: It is leaving its platform", step->processor->config->name);
                steps_finish(steps, canceled);
                return;
        }

        if (error && !step->tolerant) {
                steps_finish(steps, error);
                return;
        }

        if (error)
                processor_log(step->processor, LOG_INFO, "%s", error->message);

        steps_next(steps);
}

static void steps_next(Steps *steps) {
        Step *step = g_queue_peek_head(&steps->queue);

        if (!step) {
                steps_finish(steps, NULL);
                return;
        }

        processor_call(step->processor, step->command, g_steal_pointer(&step->arguments), step->fds, step->n_fds,
                       on_answered, steps);
}

static bool steps_have_fds(const Steps *steps, GError **error) {
        for (const GList *l = steps->queue.head; l; l = l->next) {
                const Step *step = l->data;

                for (size_t i = 0; i < step->n_fds; i++)
                        if (step->fds[i].fd < 0) {
                                g_set_error(error, HET_ERROR, het_error_from_errno(step->fds[i].fd),
                                            "%s: Cannot duplicate the fd for '%s' of %s: %s", step->processor->config->name,
                                            step->fds[i].argument, step->command, g_strerror(-step->fds[i].fd));
                                return false;
                        }
        }

        return true;
}

void steps_run(Steps *steps) {
        g_autoptr(GError) error = NULL;

        if (steps_have_fds(steps, &error))
                steps_next(steps);
        else
                steps_finish(steps, error);
}

void steps_cancel(Steps *steps) {
        steps->canceled = true;
}
