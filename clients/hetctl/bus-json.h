/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Content of D-Bus messages as JSON: dictionaries become objects, arrays and structures arrays, variants what is in
 * them. Every verb that shows something reads it in this form, and prints it in this form with --json.
 */

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "arguments.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object, json_object_put)

/* Reads the next complete value of the message. 0 or a negative errno. */
int bus_json_read(sd_bus_message *message, json_object **ret);

/* Members of an object; a missing one, or one of another type, is "" or 0 or false: an older hetd may not have it. */
const char *json_get_string(json_object *object, const char *key);
uint64_t json_get_number(json_object *object, const char *key);
bool json_get_bool(json_object *object, const char *key);
/* Number i of an array member */
uint64_t json_get_number_at(json_object *object, const char *key, size_t i);

/* Adds value_consume (NULL: null) and returns object */
json_object *json_add(json_object *object, const char *key, json_object *value_consume);
json_object *json_add_string(json_object *object, const char *key, const char *value);

/* On stdout, with a newline, flushed. JSON_OFF prints like JSON_PRETTY (describe has no other form). */
void json_print(json_object *object, JsonFormat format);
