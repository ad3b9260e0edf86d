/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls of a QmpClient: queue, commands on the wire, answers. See qmp-client-internal.h.
 *
 * QEMU keeps at most the fds of the last message that carried some, and gives them to whatever command asks next. Therefore only
 * getfd carries an fd, nothing is started while one is outstanding, and a getfd that QEMU refused is followed by one without an fd,
 * which finds the stray fd, or fails because there is none; both are fine.
 */

#include "qmp-client-internal.h"

#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static QmpCall *call_ref(QmpCall *call) {
        call->n_ref++;
        return call;
}

static void call_unref(QmpCall *call) {
        if (!call || --call->n_ref > 0)
                return;

        for (size_t i = 0; i < call->n_fds; i++) {
                fd_close(call->fds[i].fd);
                g_free(call->fds[i].name);
        }

        sd_event_source_disable_unref(call->timer);
        g_free(call->name);
        g_free(call->wire_id);
        g_free(call->text);
        g_free(call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpCall, call_unref)

static void command_free(QmpCommand *command) {
        if (!command)
                return;

        if (command->call && command->call->outstanding == command)
                command->call->outstanding = NULL;

        call_unref(command->call);
        fd_close(command->fd);
        g_free(command->id);
        g_free(command->text);
        g_free(command->name);
        g_free(command);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpCommand, command_free)

static QmpCommand *command_new(QmpCommandKind kind, QmpCall *call, char *id_consume, char *text_consume) {
        QmpCommand *command = g_new0(QmpCommand, 1);

        command->kind = kind;
        command->call = call ? call_ref(call) : NULL;
        command->id = id_consume;
        command->text = text_consume;
        command->size = strlen(text_consume);
        command->fd = -EBADF;
        return command;
}

/* A command of our own, with the name of an fd as its argument or none */
static QmpCommand *command_new_internal(QmpCommandKind kind, QmpCall *call, const char *execute, const char *fd_name) {
        g_autofree char *id = qmp_unique_to_string(qmp_unique_next());
        json_object *arguments = NULL;
        char *text = NULL;

        if (fd_name) {
                arguments = json_object_new_object();
                json_object_object_add(arguments, "fdname", json_object_new_string(fd_name));
        }

        if (!qmp_command_format(execute, arguments, id, &text, NULL))
                g_error("Out of memory");       /* the only way for these constant texts to fail */

        json_object_put(arguments);

        QmpCommand *command = command_new(kind, call, g_steal_pointer(&id), text);

        command->name = g_strdup(fd_name);
        return command;
}

static void client_start(QmpClient *client, QmpCommand *command) {
        g_queue_push_tail(&client->in_flight, command);
        client->sending = command;
        if (command->kind == QMP_COMMAND_GETFD || command->kind == QMP_COMMAND_DISCARD)
                client->fd_outstanding = command;
        if (command->call)
                command->call->outstanding = command;
}

/* Takes the command out of in_flight; the caller owns it */
static QmpCommand *client_finish(QmpClient *client, QmpCommand *command) {
        g_queue_remove(&client->in_flight, command);
        if (client->sending == command)
                client->sending = NULL;
        if (client->fd_outstanding == command)
                client->fd_outstanding = NULL;
        if (command->call)
                command->call->outstanding = NULL;

        return command;
}

/* oob is not enabled: nothing that hetd sends may run out of band, and with it QEMU takes commands from the socket ahead of time */
void qmp_client_start_negotiation(QmpClient *client) {
        client_start(client, command_new_internal(QMP_COMMAND_CAPABILITIES, NULL, "qmp_capabilities", NULL));
}

static void client_add_cleanup(QmpClient *client, QmpCommandKind kind, const char *fd_name) {
        g_queue_push_tail(&client->cleanup,
                          command_new_internal(kind, NULL, kind == QMP_COMMAND_DISCARD ? "getfd" : "closefd", fd_name));
}

static void client_give_names_back(QmpClient *client, QmpCall *call) {
        for (size_t i = 0; i < call->n_taken; i++)
                client_add_cleanup(client, QMP_COMMAND_CLOSEFD, call->fds[i].name);

        call->n_taken = 0;
}

/* Runs the callback. The call must have been taken out of every queue but in_flight. */
static void call_answer(QmpCall *call_consume, json_object *result, const GError *error) {
        g_autoptr(QmpCall) call = call_consume;
        QmpClient *client = g_steal_pointer(&call->client);

        call->timer = sd_event_source_disable_unref(call->timer);
        if (call->reply)
                call->reply(client, result, error, call->userdata);
}

/* Takes an unanswered call out of the queues; returns the reference that `calls` had. *ret_sent says if QEMU may execute it. */
static QmpCall *client_detach_call(QmpClient *client, QmpCall *call, bool *ret_sent) {
        QmpCommand *command = call->outstanding;

        if (command && command == client->sending && command->offset == 0) {
                command_free(client_finish(client, command));
                command = NULL;
        }

        *ret_sent = command && command->kind == QMP_COMMAND_CALL;
        g_queue_remove(&client->queue, call);
        g_queue_remove(&client->calls, call);
        if (!command)
                client_give_names_back(client, call);

        return call;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        g_autoptr(QmpCall) call = call_ref(userdata);
        __attribute__((cleanup(qmp_client_unrefp))) QmpClient *client = qmp_client_ref(call->client);
        bool sent;

        /* If the loop was kept from running, the answer may be here already */
        qmp_client_drain(client);
        if (call->client && g_queue_find(&client->calls, call)) {
                QmpCall *detached = client_detach_call(client, call, &sent);
                g_autoptr(GError) error = g_error_new(
                                HET_ERROR, HET_ERROR_TIMEOUT, "QEMU did not answer '%s' in time; %s", call->name,
                                sent ? "it may still carry it out" : "it was not carried out");

                call_answer(detached, NULL, error);
        }

        qmp_client_update_io(client);
        return 0;
}

bool qmp_client_start_timers(QmpClient *client, GError **error) {
        for (GList *l = client->calls.head; l; l = l->next) {
                QmpCall *call = l->data;
                int r = qmp_client_add_timer(client, call->timeout_usec, on_timeout, call, &call->timer);

                if (r < 0) {
                        g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot arm a timer: %s", g_strerror(-r));
                        return false;
                }
        }

        return true;
}

bool qmp_client_can_write(const QmpClient *client) {
        if (client->sending)
                return true;

        return client->state == QMP_CLIENT_READY && !client->fd_outstanding &&
                client->in_flight.length < QMP_CLIENT_IN_FLIGHT_MAX &&
                (client->cleanup.length > 0 || client->queue.length > 0);
}

static void client_start_next(QmpClient *client) {
        QmpCommand *command = g_queue_pop_head(&client->cleanup);

        if (command) {
                client_start(client, command);
                return;
        }

        QmpCall *call = g_queue_peek_head(&client->queue);

        if (call->n_taken < call->n_fds) {
                command = command_new_internal(QMP_COMMAND_GETFD, call, "getfd", call->fds[call->n_taken].name);
                command->fd = fd_take(&call->fds[call->n_taken].fd);
        } else {
                command = command_new(QMP_COMMAND_CALL, call, g_steal_pointer(&call->wire_id), g_steal_pointer(&call->text));
                g_queue_pop_head(&client->queue);
        }

        client_start(client, command);
}

/* One sendmsg() never covers two commands: an fd has to go with the first byte of its own. */
static ssize_t command_send(QmpCommand *command, int socket_fd) {
        ssize_t n = fd_send(socket_fd, command->text + command->offset, command->size - command->offset, &command->fd, command->fd >= 0,
                            MSG_DONTWAIT);

        if (n < 0)
                return n;

        command->offset += (size_t) n;
        command->fd = fd_close(command->fd);
        return n;
}

/* The kernel refused to queue an fd: our limit, not a fault of the connection. Nothing was sent. */
static void client_fd_refused(QmpClient *client, QmpCommand *command_consume) {
        g_autoptr(QmpCommand) command = command_consume;
        g_autoptr(GError) error = g_error_new(HET_ERROR, HET_ERROR_LIMIT_EXCEEDED, "Too many file descriptors are on their way to QEMU");
        bool sent;

        if (command->call->client && g_queue_find(&client->calls, command->call))
                call_answer(client_detach_call(client, command->call, &sent), NULL, error);
}

int qmp_client_write(QmpClient *client) {
        while (qmp_client_can_write(client)) {
                if (!client->sending)
                        client_start_next(client);

                QmpCommand *command = client->sending;
                ssize_t n = command_send(command, client->fd);

                if (n == -EAGAIN)
                        return 0;
                if (n == -ETOOMANYREFS) {
                        client_fd_refused(client, client_finish(client, command));
                        continue;
                }
                if (n < 0)
                        return (int) n;
                if (command->offset == command->size)
                        client->sending = NULL;
        }

        return 0;
}

static GError *error_from_qemu(const char *command, const QmpMessage *answer) {
        bool unknown = strcmp(answer->name, "CommandNotFound") == 0;

        return g_error_new(HET_ERROR, unknown ? HET_ERROR_NOT_SUPPORTED : HET_ERROR_QEMU, "QEMU: %s: %s", command, answer->description);
}

static void client_call_answered(QmpClient *client, QmpCall *call, const QmpMessage *answer) {
        bool pending = call->client && g_queue_find(&client->calls, call);
        g_autoptr(GError) error = NULL;

        if (answer->type == QMP_MESSAGE_ERROR) {
                error = error_from_qemu(call->name, answer);
                client_give_names_back(client, call);
        } else if (!answer->value)
                g_set_error(&error, HET_ERROR, HET_ERROR_PROTOCOL, "QEMU answered '%s' with null", call->name);

        if (!pending)
                return;

        g_queue_remove(&client->calls, call);
        call_answer(call, error ? NULL : answer->value, error);
}

static void client_getfd_answered(QmpClient *client, QmpCall *call, const QmpMessage *answer) {
        bool pending = call->client && g_queue_find(&client->calls, call);

        if (answer->type == QMP_MESSAGE_RETURN) {
                call->n_taken++;
                if (!pending)
                        client_give_names_back(client, call);
                return;
        }

        g_autoptr(GError) error = error_from_qemu("getfd", answer);
        g_autofree char *name = qmp_unique_to_string(qmp_unique_next());
        bool sent;

        client_add_cleanup(client, QMP_COMMAND_DISCARD, name);
        if (pending)
                call_answer(client_detach_call(client, call, &sent), NULL, error);
        else
                client_give_names_back(client, call);
}

static QmpCommand *client_find_command(QmpClient *client, const char *id) {
        for (GList *l = client->in_flight.head; l; l = l->next) {
                QmpCommand *command = l->data;

                if (id && strcmp(command->id, id) == 0)
                        return command;
        }

        return NULL;
}

void qmp_client_answered(QmpClient *client, const QmpMessage *answer) {
        QmpCommand *found = client_find_command(client, answer->id);

        /* Of an earlier connection, or QEMU could not tell whose it is */
        if (!found) {
                g_debug("Dropped a reply with %s id", answer->id ? "an unknown" : "no");
                return;
        }

        if (found == client->sending) {
                g_autoptr(GError) error = g_error_new(HET_ERROR, HET_ERROR_PROTOCOL,
                                                      "The monitor answered a command that was not sent yet");
                qmp_client_close(client, error);
                return;
        }

        g_autoptr(QmpCommand) command = client_finish(client, found);

        switch (command->kind) {
        case QMP_COMMAND_CAPABILITIES:
                qmp_client_negotiated(client, answer);
                break;
        case QMP_COMMAND_CALL:
                client_call_answered(client, command->call, answer);
                break;
        case QMP_COMMAND_GETFD:
                client_getfd_answered(client, command->call, answer);
                break;
        case QMP_COMMAND_DISCARD:
                if (answer->type == QMP_MESSAGE_RETURN)
                        client_add_cleanup(client, QMP_COMMAND_CLOSEFD, command->name);
                break;
        case QMP_COMMAND_CLOSEFD:
                break;          /* an error says that the failed command had used the fd after all */
        }
}

/* "couple.page" is the member page of the member couple, which is made where it is missing; what is behind = comes before the name */
static bool put_fd_name(json_object *arguments, const char *path, const char *name, GError **error) {
        g_auto(GStrv) sides = g_strsplit(path, "=", 2), parts = g_strsplit(sides[0], ".", -1);
        g_autofree char *value = g_strconcat(sides[1] ?: "", name, NULL);
        json_object *object = arguments, *member = NULL;
        size_t i;

        for (i = 0; parts[i] && parts[i + 1]; i++) {
                if (!json_object_object_get_ex(object, parts[i], &member)) {
                        member = json_object_new_object();
                        json_object_object_add(object, parts[i], member);
                }

                object = member;
                if (!json_object_is_type(object, json_type_object))
                        break;
        }

        if (!json_object_is_type(object, json_type_object) || !parts[i] || json_object_object_get_ex(object, parts[i], NULL)) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "'%s' is given twice", path);
                return false;
        }

        json_object_object_add(object, parts[i], json_object_new_string(value));
        return true;
}

static int take_fd(const QmpClientFd *fd) {
        if (!fd->give)
                return fd->fd < 0 ? fd->fd : fd_dup_cloexec(fd->fd);

        return *fd->give < 0 ? *fd->give : fd_take(fd->give);
}

static bool take_fds(QmpCall *call, const QmpClientFd *fds, size_t n_fds, json_object *arguments, GError **error) {
        for (size_t i = 0; i < n_fds; i++) {
                int fd = take_fd(&fds[i]);

                if (fd < 0) {
                        g_set_error(error, HET_ERROR, fd == -EBADF ? HET_ERROR_INVALID_ARGUMENT : het_error_from_errno(fd),
                                    "Cannot duplicate the fd for '%s': %s", fds[i].argument, g_strerror(-fd));
                        return false;
                }

                call->fds[i].fd = fd;
                call->fds[i].name = qmp_unique_to_string(qmp_unique_next());
                call->n_fds++;

                if (!put_fd_name(arguments, fds[i].argument, call->fds[i].name, error))
                        return false;
        }

        return true;
}

/* The caller may still use other references to the object it gave us: fd names go into a copy */
static json_object *copy_members(json_object *arguments) {
        json_object *copy = NULL;

        if (arguments && json_object_deep_copy(arguments, &copy, NULL) < 0)
                g_error("Out of memory");

        return copy ?: json_object_new_object();
}

static QmpCall *call_new(const char *command, json_object *arguments, const QmpClientFd *fds, size_t n_fds, GError **error) {
        g_autoptr(QmpCall) call = g_new0(QmpCall, 1);
        json_object *with_fds = n_fds > 0 ? copy_members(arguments) : NULL;
        bool good;

        call->n_ref = 1;
        call->id = qmp_unique_next();
        call->name = g_strdup(command);
        call->wire_id = qmp_unique_to_string(call->id);

        good = take_fds(call, fds, n_fds, with_fds, error) &&
                qmp_command_format(command, with_fds ?: arguments, call->wire_id, &call->text, error);
        json_object_put(with_fds);

        return good ? g_steal_pointer(&call) : NULL;
}

static bool check_call(QmpClient *client, const char *command, json_object *arguments, size_t n_fds, GError **error) {
        if (client->state == QMP_CLIENT_CLOSED)
                g_set_error(error, HET_ERROR, HET_ERROR_MONITOR_LOST, "The monitor connection ended");
        else if (qmp_client_get_pending(client) >= QMP_CLIENT_PENDING_MAX)
                g_set_error(error, HET_ERROR, HET_ERROR_LIMIT_EXCEEDED, "More than %u commands wait for QEMU", QMP_CLIENT_PENDING_MAX);
        else if (n_fds > QMP_CLIENT_FDS_MAX)
                g_set_error(error, HET_ERROR, HET_ERROR_LIMIT_EXCEEDED, "More than %u fds in one command", QMP_CLIENT_FDS_MAX);
        else if (!command || !command[0])
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "A command needs a name");
        else if (arguments && !json_object_is_type(arguments, json_type_object))
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "The arguments of '%s' are no object", command);
        else
                return true;

        return false;
}

uint64_t qmp_client_call(QmpClient *client, const char *command, json_object *arguments_consume,
                         const QmpClientFd *fds, size_t n_fds, uint64_t timeout_usec,
                         QmpReplyFunc reply, void *userdata, GError **error) {
        g_autoptr(QmpCall) call = NULL;
        int r = 0;

        if (check_call(client, command, arguments_consume, n_fds, error))
                call = call_new(command, arguments_consume, fds, n_fds, error);
        json_object_put(arguments_consume);
        if (!call)
                return 0;

        call->timeout_usec = timeout_usec > 0 ? timeout_usec : QMP_CLIENT_CALL_TIMEOUT_USEC;
        call->reply = reply;
        call->userdata = userdata;
        if (client->state == QMP_CLIENT_READY)
                r = qmp_client_add_timer(client, call->timeout_usec, on_timeout, call, &call->timer);
        if (r < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot arm a timer: %s", g_strerror(-r));
                return 0;
        }

        uint64_t id = call->id;

        call->client = client;
        g_queue_push_tail(&client->queue, call);
        g_queue_push_tail(&client->calls, g_steal_pointer(&call));
        qmp_client_update_io(client);
        return id;
}

size_t qmp_client_get_pending(const QmpClient *client) {
        return client->calls.length + client->canceled.length;
}

bool qmp_client_cancel(QmpClient *client, uint64_t id) {
        /* Everything is being answered already; this is a callback of one of the calls */
        if (client->state == QMP_CLIENT_CLOSED)
                return false;

        for (GList *l = client->calls.head; l; l = l->next) {
                QmpCall *call = l->data;
                bool sent;

                if (call->id != id)
                        continue;

                call->timer = sd_event_source_disable_unref(call->timer);
                g_queue_push_tail(&client->canceled, client_detach_call(client, call, &sent));
                (void) sd_event_source_set_enabled(client->deferred, SD_EVENT_ONESHOT);
                qmp_client_update_io(client);
                return true;
        }

        return false;
}

static void answer_canceled(QmpClient *client) {
        g_autoptr(GError) error = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "The command was canceled");
        guint n_canceled = client->canceled.length;     /* what the callbacks cancel waits for its own turn */
        QmpCall *call;

        while (n_canceled-- > 0 && (call = g_queue_pop_head(&client->canceled)))
                call_answer(call, NULL, error);
}

int qmp_client_answer_canceled(sd_event_source *source, void *userdata) {
        __attribute__((cleanup(qmp_client_unrefp))) QmpClient *client = qmp_client_ref(userdata);

        answer_canceled(client);
        return 0;
}

void qmp_client_answer_all(QmpClient *client, const GError *error) {
        QmpCommand *command;
        QmpCall *call;

        client->sending = client->fd_outstanding = NULL;
        g_queue_clear(&client->queue);          /* borrowed from calls */
        while ((command = g_queue_pop_head(&client->cleanup)) || (command = g_queue_pop_head(&client->in_flight)))
                command_free(command);

        answer_canceled(client);
        while ((call = g_queue_pop_head(&client->calls)))
                call_answer(call, NULL, error);
}
