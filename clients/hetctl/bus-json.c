/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus-json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 0.2, not 0.20000000000000001 */
static char double_format[] = "%.15g";

static int read_basic(sd_bus_message *m, char type, json_object **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } value;
        int r = sd_bus_message_read_basic(m, type, &value);

        if (r < 0)
                return r;

        switch (type) {
        case SD_BUS_TYPE_BYTE:
                *ret = json_object_new_int(value.y);
                break;
        case SD_BUS_TYPE_BOOLEAN:
                *ret = json_object_new_boolean(value.b);
                break;
        case SD_BUS_TYPE_INT16:
                *ret = json_object_new_int(value.n);
                break;
        case SD_BUS_TYPE_UINT16:
                *ret = json_object_new_int(value.q);
                break;
        case SD_BUS_TYPE_INT32:
        case SD_BUS_TYPE_UNIX_FD:
                *ret = json_object_new_int(value.i);
                break;
        case SD_BUS_TYPE_UINT32:
                *ret = json_object_new_int64(value.u);
                break;
        case SD_BUS_TYPE_INT64:
                *ret = json_object_new_int64(value.x);
                break;
        case SD_BUS_TYPE_UINT64:
                *ret = json_object_new_uint64(value.t);
                break;
        case SD_BUS_TYPE_DOUBLE:
                *ret = json_object_new_double(value.d);
                json_object_set_serializer(*ret, json_object_double_to_json_string, double_format, NULL);
                break;
        default:        /* s, o, g */
                *ret = json_object_new_string(value.s);
        }

        return 0;
}

static int read_dictionary(sd_bus_message *m, json_object *object) {
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                g_autoptr(json_object) key = NULL;
                json_object *value = NULL;

                r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, NULL);
                if (r < 0)
                        return r;
                r = bus_json_read(m, &key);
                if (r < 0)
                        return r;
                r = bus_json_read(m, &value);
                if (r < 0)
                        return r;
                json_object_object_add(object, json_object_get_string(key), value);

                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }

        return r;
}

static int read_elements(sd_bus_message *m, json_object *array) {
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                json_object *value = NULL;

                r = bus_json_read(m, &value);
                if (r < 0)
                        return r;
                json_object_array_add(array, value);
        }

        return r;
}

static int read_container(sd_bus_message *m, char type, const char *contents, json_object **ret) {
        g_autoptr(json_object) value = NULL;
        g_autofree char *copy = g_strdup(contents);
        int r = sd_bus_message_enter_container(m, type, copy);

        if (r < 0)
                return r;

        if (type == SD_BUS_TYPE_VARIANT)
                r = bus_json_read(m, &value);
        else if (type == SD_BUS_TYPE_ARRAY && copy[0] == SD_BUS_TYPE_DICT_ENTRY_BEGIN) {
                value = json_object_new_object();
                r = read_dictionary(m, value);
        } else {
                value = json_object_new_array();
                r = read_elements(m, value);
        }
        if (r < 0)
                return r;

        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&value);
        return 0;
}

int bus_json_read(sd_bus_message *message, json_object **ret) {
        const char *contents;
        char type;
        int r = sd_bus_message_peek_type(message, &type, &contents);

        if (r < 0)
                return r;
        if (r == 0)
                return -ENODATA;

        return contents ? read_container(message, type, contents, ret) : read_basic(message, type, ret);
}

const char *json_get_string(json_object *object, const char *key) {
        json_object *value = NULL;

        if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
                return "";

        return json_object_get_string(value);
}

uint64_t json_get_number(json_object *object, const char *key) {
        json_object *value = NULL;

        if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
                return 0;

        return json_object_get_uint64(value);
}

bool json_get_bool(json_object *object, const char *key) {
        json_object *value = NULL;

        return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

uint64_t json_get_number_at(json_object *object, const char *key, size_t i) {
        json_object *value = NULL;

        if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_array) ||
            i >= json_object_array_length(value))
                return 0;

        return json_object_get_uint64(json_object_array_get_idx(value, i));
}

json_object *json_add(json_object *object, const char *key, json_object *value_consume) {
        json_object_object_add(object, key, value_consume);
        return object;
}

json_object *json_add_string(json_object *object, const char *key, const char *value) {
        return json_add(object, key, json_object_new_string(value ? value : ""));
}

void json_print(json_object *object, JsonFormat format) {
        int flags = format == JSON_SHORT ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;

        puts(json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
        fflush(stdout);
}
