/*
 * multi-socket-backend: a heterogeneous platform without a broker
 *
 * -object multi-socket-backend,id=foo,path=PATH[,listen=on] is the object
 * that memory-backend-shared and the IDM name. What it does begins when the
 * machine is complete: see multi-socket-master.c and multi-socket-slave.c.
 * Here are its options, and how the socket's file is made.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "qom/object_interfaces.h"
#include "hw/qdev-core.h"
#include "system/system.h"
#include "multi-socket-internal.h"

#define BACKEND_TIMEOUT_MS 10000
#define BACKEND_BACKLOG 128

/* --- the socket's file --- */

/* Held while one that nobody listens on is replaced; gone with the process */
static int backend_lock_directory(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && RETRY_ON_EINTR(flock(fd, LOCK_EX)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What is there already must be a socket that nobody listens on */
static bool backend_remove_stale(const char *path,
                                 const struct sockaddr_un *address,
                                 Error **errp)
{
    struct stat st;
    int fd, ret;

    if (lstat(path, &st) < 0) {
        if (errno == ENOENT) {
            return true;
        }
        error_setg_errno(errp, errno, "cannot look at '%s'", path);
        return false;
    }
    if (!S_ISSOCK(st.st_mode)) {
        error_setg(errp, "'%s' exists and is not a socket: remove it, or give"
                   " another path", path);
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot make a socket");
        return false;
    }
    ret = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    if (ret < 0 && errno == ECONNREFUSED) {
        close(fd);
        if (unlink(path) < 0 && errno != ENOENT) {
            error_setg_errno(errp, errno, "cannot remove '%s', which nobody"
                             " listens on", path);
            return false;
        }
        return true;
    }
    if (ret < 0 && errno != EAGAIN) {
        error_setg_errno(errp, errno, "cannot tell whether somebody listens"
                         " on '%s'", path);
    } else {
        error_setg(errp, "another process listens on '%s': end it, give"
                   " another path, or leave out 'listen' if this is a slave",
                   path);
    }
    close(fd);
    return false;
}

/* Somebody may have removed ours, and made another one */
static void backend_remove_socket(const MultiSocketBackend *b)
{
    struct stat st;

    if (lstat(b->path, &st) == 0 && st.st_dev == b->socket_dev &&
        st.st_ino == b->socket_ino) {
        unlink(b->path);
    }
}

static int backend_bind(MultiSocketBackend *b, Error **errp)
{
    struct stat st;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    pstrcpy(address.sun_path, sizeof(address.sun_path), b->path);
    if (!backend_remove_stale(b->path, &address, errp)) {
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot make a socket");
        return -1;
    }
    /* Who must not connect cannot; it is looked at again, see check_peer() */
    if ((b->peer_uid == geteuid() && fchmod(fd, 0600) < 0) ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, BACKEND_BACKLOG) < 0) {
        error_setg_errno(errp, errno, "cannot listen on '%s'", b->path);
        close(fd);
        return -1;
    }
    if (lstat(b->path, &st) == 0) {
        b->socket_dev = st.st_dev;
        b->socket_ino = st.st_ino;
    }
    return fd;
}

static int backend_listen(MultiSocketBackend *b, Error **errp)
{
    int lock = backend_lock_directory(b->path);
    int fd;

    if (lock < 0) {
        error_setg_errno(errp, errno, "cannot use the directory of '%s'",
                         b->path);
        return -1;
    }
    fd = backend_bind(b, errp);
    close(lock);
    return fd;
}

/* --- its life --- */

static bool backend_start(MultiSocketBackend *b, Error **errp)
{
    bool slave = het_role() == HET_ROLE_SLAVE;
    int fd;

    if (b->listen == slave) {
        error_setg(errp, slave ? "a slave does not listen: leave out 'listen'"
                   : "only a slave connects: a master has 'listen=on', a slave"
                   " has -machine slave=on");
        return false;
    }
    if (slave) {
        b->slave = multi_socket_slave_new(b, errp);
        return b->slave;
    }
    if (!het_become_master(errp)) {
        return false;
    }
    fd = backend_listen(b, errp);
    if (fd < 0) {
        return false;
    }
    b->master = multi_socket_master_new(b, fd, errp);
    if (!b->master) {
        backend_remove_socket(b);
    }
    return b->master;
}

static void backend_machine_done(Notifier *notifier, void *data)
{
    MultiSocketBackend *b = container_of(notifier, MultiSocketBackend,
                                         machine_done);
    Error *error = NULL;

    if (!backend_start(b, &error)) {
        error_report_err(error);
        exit(EXIT_FAILURE);
    }
}

static int backend_is_other(Object *obj, void *opaque)
{
    return obj != opaque &&
           object_dynamic_cast(obj, TYPE_MULTI_SOCKET_BACKEND);
}

static void backend_complete(UserCreatable *uc, Error **errp)
{
    MultiSocketBackend *b = MULTI_SOCKET_BACKEND(uc);
    const size_t size_max = sizeof(((struct sockaddr_un *)NULL)->sun_path);

    if (!b->path || !*b->path || strlen(b->path) >= size_max) {
        error_setg(errp, "'path' must be the path of a UNIX socket, with less"
                   " than %zu bytes", size_max);
        return;
    }
    if (object_child_foreach(object_get_objects_root(), backend_is_other,
                             uc)) {
        error_setg(errp, "there is a %s object already",
                   TYPE_MULTI_SOCKET_BACKEND);
        return;
    }
    if (b->slave_id > HET_ID_MAX) {
        error_setg(errp, "'slave-id' must be between 1 and %u, or 0 for any",
                   HET_ID_MAX);
        return;
    }
    if (b->listen && (b->slave_id || b->window_address != MULTI_SOCKET_ANY)) {
        error_setg(errp, "'slave-id' and 'window-address' are for a slave,"
                   " which has no 'listen'");
        return;
    }
    if (!b->listen && b->window_base) {
        error_setg(errp, "'window-base' is for a master, which has"
                   " 'listen=on'");
        return;
    }
    if (!b->timeout_ms) {
        error_setg(errp, "'timeout' must be at least 1 millisecond");
        return;
    }
    b->complete = true;
    if (phase_check(PHASE_MACHINE_READY)) {
        backend_start(b, errp);
    } else {
        b->machine_done.notify = backend_machine_done;
        qemu_add_machine_init_done_notifier(&b->machine_done);
    }
}

static bool backend_can_be_deleted(UserCreatable *uc)
{
    MultiSocketBackend *b = MULTI_SOCKET_BACKEND(uc);

    return !(b->master && multi_socket_master_is_busy(b->master)) &&
           !(b->slave && multi_socket_slave_is_busy(b->slave));
}

static void backend_init(Object *obj)
{
    MultiSocketBackend *b = MULTI_SOCKET_BACKEND(obj);

    b->window_address = MULTI_SOCKET_ANY;
    b->timeout_ms = BACKEND_TIMEOUT_MS;
    b->peer_uid = geteuid();
}

static void backend_finalize(Object *obj)
{
    MultiSocketBackend *b = MULTI_SOCKET_BACKEND(obj);

    if (b->machine_done.notify) {
        qemu_remove_machine_init_done_notifier(&b->machine_done);
    }
    if (b->master) {
        multi_socket_master_free(b->master);
        backend_remove_socket(b);
    }
    if (b->slave) {
        multi_socket_slave_free(b->slave);
    }
    g_free(b->path);
}

/* --- options --- */

static bool backend_may_change(MultiSocketBackend *b, Error **errp)
{
    if (b->complete) {
        error_setg(errp, "cannot change property value");
        return false;
    }
    return true;
}

static char *backend_get_path(Object *obj, Error **errp)
{
    return g_strdup(MULTI_SOCKET_BACKEND(obj)->path);
}

static void backend_set_path(Object *obj, const char *value, Error **errp)
{
    MultiSocketBackend *b = MULTI_SOCKET_BACKEND(obj);

    if (backend_may_change(b, errp)) {
        g_free(b->path);
        b->path = g_strdup(value);
    }
}

static bool backend_get_listen(Object *obj, Error **errp)
{
    return MULTI_SOCKET_BACKEND(obj)->listen;
}

static void backend_set_listen(Object *obj, bool value, Error **errp)
{
    MultiSocketBackend *b = MULTI_SOCKET_BACKEND(obj);

    if (backend_may_change(b, errp)) {
        b->listen = value;
    }
}

/* opaque is where in the object the number is */
static void backend_visit_uint32(Object *obj, Visitor *v, const char *name,
                                 void *opaque, Error **errp)
{
    visit_type_uint32(v, name, (uint32_t *)((char *)obj + (size_t)opaque),
                      errp);
}

static void backend_visit_uint64(Object *obj, Visitor *v, const char *name,
                                 void *opaque, Error **errp)
{
    visit_type_uint64(v, name, (uint64_t *)((char *)obj + (size_t)opaque),
                      errp);
}

static void backend_set_uint32(Object *obj, Visitor *v, const char *name,
                               void *opaque, Error **errp)
{
    if (backend_may_change(MULTI_SOCKET_BACKEND(obj), errp)) {
        backend_visit_uint32(obj, v, name, opaque, errp);
    }
}

static void backend_set_uint64(Object *obj, Visitor *v, const char *name,
                               void *opaque, Error **errp)
{
    if (backend_may_change(MULTI_SOCKET_BACKEND(obj), errp)) {
        backend_visit_uint64(obj, v, name, opaque, errp);
    }
}

static void backend_add_number(ObjectClass *oc, const char *name, bool wide,
                               size_t offset, const char *description)
{
    if (wide) {
        object_class_property_add(oc, name, "uint64", backend_visit_uint64,
                                  backend_set_uint64, NULL, (void *)offset);
    } else {
        object_class_property_add(oc, name, "uint32", backend_visit_uint32,
                                  backend_set_uint32, NULL, (void *)offset);
    }
    object_class_property_set_description(oc, name, description);
}

static void backend_class_init(ObjectClass *oc, void *data)
{
    UserCreatableClass *ucc = USER_CREATABLE_CLASS(oc);

    ucc->complete = backend_complete;
    ucc->can_be_deleted = backend_can_be_deleted;

    object_class_property_add_str(oc, "path", backend_get_path,
                                  backend_set_path);
    object_class_property_set_description(oc, "path",
        "UNIX socket at which the master and its slaves meet");
    object_class_property_add_bool(oc, "listen", backend_get_listen,
                                   backend_set_listen);
    object_class_property_set_description(oc, "listen",
        "Wait for slaves, as their master (default: off)");
    backend_add_number(oc, "slave-id", false,
                       offsetof(MultiSocketBackend, slave_id),
                       "Number that a slave wants to have (default: 0, any)");
    backend_add_number(oc, "window-address", true,
                       offsetof(MultiSocketBackend, window_address),
                       "Address in the master at which a slave wants to have"
                       " its window (default: any)");
    backend_add_number(oc, "window-base", true,
                       offsetof(MultiSocketBackend, window_base),
                       "Address in the master below which there is no window"
                       " (default: 0)");
    backend_add_number(oc, "timeout", false,
                       offsetof(MultiSocketBackend, timeout_ms),
                       "Milliseconds within which the other side must answer"
                       " (default: 10000)");
    backend_add_number(oc, "peer-uid", false,
                       offsetof(MultiSocketBackend, peer_uid),
                       "User that the other side runs as (default: this"
                       " process's)");
}

static const TypeInfo multi_socket_backend_info = {
    .name = TYPE_MULTI_SOCKET_BACKEND,
    .parent = TYPE_OBJECT,
    .instance_size = sizeof(MultiSocketBackend),
    .instance_init = backend_init,
    .instance_finalize = backend_finalize,
    .class_init = backend_class_init,
    .interfaces = (InterfaceInfo[]) {
        { TYPE_USER_CREATABLE },
        { }
    },
};

static void multi_socket_register_types(void)
{
    type_register_static(&multi_socket_backend_info);
}

type_init(multi_socket_register_types);
