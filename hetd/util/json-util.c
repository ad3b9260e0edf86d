/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/json-util.h"

static json_object *get_member(json_object *object, const char *name, json_type type) {
        json_object *member = NULL;

        if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &member) ||
            !json_object_is_type(member, type))
                return NULL;

        return member;
}

const char *json_get_string(json_object *object, const char *name) {
        json_object *member = get_member(object, name, json_type_string);

        return member ? json_object_get_string(member) : NULL;
}

bool json_get_uint64(json_object *object, const char *name, uint64_t *ret) {
        json_object *member = get_member(object, name, json_type_int);

        if (!member)
                return false;

        *ret = json_object_get_uint64(member);
        return true;
}

bool json_get_bool(json_object *object, const char *name, bool *ret) {
        json_object *member = get_member(object, name, json_type_boolean);

        if (!member)
                return false;

        *ret = json_object_get_boolean(member);
        return true;
}

json_object *json_get_array(json_object *object, const char *name) {
        return get_member(object, name, json_type_array);
}

void json_add_string(json_object *object, const char *name, const char *value) {
        json_object_object_add(object, name, json_object_new_string(value ?: ""));
}

void json_add_uint64(json_object *object, const char *name, uint64_t value) {
        json_object_object_add(object, name, json_object_new_uint64(value));
}

void json_add_bool(json_object *object, const char *name, bool value) {
        json_object_object_add(object, name, json_object_new_boolean(value));
}
