/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Members of JSON objects that came from a peer: a member that is absent or has another type is not there. */

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object, json_object_put)

const char *json_get_string(json_object *object, const char *name);     /* borrowed; NULL: none */
bool json_get_uint64(json_object *object, const char *name, uint64_t *ret);
bool json_get_bool(json_object *object, const char *name, bool *ret);
json_object *json_get_array(json_object *object, const char *name);     /* borrowed; NULL: none */

/* value NULL: an empty string */
void json_add_string(json_object *object, const char *name, const char *value);
void json_add_uint64(json_object *object, const char *name, uint64_t value);
void json_add_bool(json_object *object, const char *name, bool value);
