/*
 * IDM: options that say what this process is
 *
 * master=, memdev= and socket= tell the IDM nothing that is not known
 * without them: the role is the machine's, and the couples come from
 * wherever they come. But who gives them means something, and is told if it
 * is not so. Used by idm.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/misc/idm.h"
#include "system/hostmem-shared.h"

/* --- the property master: a bool, or not given --- */

static void idm_get_master(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    bool master = idm_is_master();

    visit_type_bool(v, name, &master, errp);
}

static void idm_set_master(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    OnOffAuto *p = object_field_prop_ptr(obj, opaque);
    bool master;

    if (visit_type_bool(v, name, &master, errp)) {
        *p = master ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
}

const PropertyInfo idm_prop_master = {
    .type = "bool",
    .description = "on/off",
    .get = idm_get_master,
    .set = idm_set_master,
};

/* --- checks --- */

static Object *idm_find_socket(const char *id, Error **errp)
{
    Object *obj = object_resolve_path_component(object_get_objects_root(), id);

    if (!obj || !object_dynamic_cast(obj, TYPE_MULTI_SOCKET_BACKEND)) {
        error_setg(errp, "socket=%s: there is no %s object of this name", id,
                   TYPE_MULTI_SOCKET_BACKEND);
        return NULL;
    }
    return obj;
}

bool idm_check_options(const IDMState *s, Error **errp)
{
    HostMemoryBackendShared *memory = NULL;
    Object *socket = NULL;

    if (s->master == ON_OFF_AUTO_ON && !idm_is_master()) {
        error_setg(errp, "'master' is on, but this process is a slave");
        return false;
    }
    if (s->master == ON_OFF_AUTO_OFF && idm_is_master()) {
        error_setg(errp, "'master' is off, but only -machine slave=on or"
                   " -incoming shared:ID makes a slave");
        return false;
    }
    if (s->socket) {
        socket = idm_find_socket(s->socket, errp);
        if (!socket) {
            return false;
        }
    }
    if (s->memdev) {
        memory = hostmem_shared_find(s->memdev, errp);
        if (!memory) {
            return false;
        }
    }
    if (socket && memory && hostmem_shared_socket(memory) != socket) {
        error_setg(errp, "the memory '%s' does not go over '%s': it lacks"
                   " 'chardev=%s'", s->memdev, s->socket, s->socket);
        return false;
    }
    return true;
}
