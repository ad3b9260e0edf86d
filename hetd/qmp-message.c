/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qmp-message.h"

#include "util/error.h"

#include <string.h>
#include <systemd/sd-id128.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_BYTES_MAX (1024U * 1024)        /* QEMU reads its monitor byte by byte: a megabyte already takes it seconds */

static bool protocol_error(GError **error, const char *what) {
        g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "The monitor sent a message that is not QMP: %s", what);
        return false;
}

/* A string without NUL bytes in it, else NULL: the rest of the program sees C strings */
static const char *get_string(json_object *object) {
        if (!json_object_is_type(object, json_type_string))
                return NULL;

        const char *string = json_object_get_string(object);

        return strlen(string) == (size_t) json_object_get_string_len(object) ? string : NULL;
}

static json_object *get_member(json_object *object, const char *name, json_type type) {
        json_object *member = NULL;

        if (!json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, type))
                return NULL;

        return member;
}

static bool get_version_part(json_object *version, const char *name, unsigned *ret) {
        json_object *part = get_member(version, name, json_type_int);
        int64_t number = part ? json_object_get_int64(part) : -1;

        if (number < 0 || number > 9999)
                return false;

        *ret = (unsigned) number;
        return true;
}

static bool parse_greeting(json_object *greeting, QmpMessage *message, GError **error) {
        json_object *version, *qemu;

        if (!json_object_is_type(greeting, json_type_object))
                return protocol_error(error, "the greeting is no object");

        version = get_member(greeting, "version", json_type_object);
        qemu = version ? get_member(version, "qemu", json_type_object) : NULL;
        if (!qemu ||
            !get_version_part(qemu, "major", &message->major) ||
            !get_version_part(qemu, "minor", &message->minor) ||
            !get_version_part(qemu, "micro", &message->micro))
                return protocol_error(error, "the greeting carries no version");

        if (!get_member(greeting, "capabilities", json_type_array))
                return protocol_error(error, "the greeting carries no capabilities");

        return true;
}

/* QEMU sends -1 for both members where it could not read the clock */
static bool parse_timestamp(json_object *object, uint64_t *ret, GError **error) {
        json_object *timestamp = get_member(object, "timestamp", json_type_object);
        json_object *seconds = timestamp ? get_member(timestamp, "seconds", json_type_int) : NULL;
        json_object *microseconds = timestamp ? get_member(timestamp, "microseconds", json_type_int) : NULL;

        if (!seconds || !microseconds)
                return protocol_error(error, "an event carries no time stamp");

        int64_t s = json_object_get_int64(seconds), us = json_object_get_int64(microseconds);

        if (s < 0 || us < 0 || us >= G_USEC_PER_SEC || s >= INT64_MAX / G_USEC_PER_SEC)
                *ret = UINT64_MAX;
        else
                *ret = (uint64_t) s * G_USEC_PER_SEC + (uint64_t) us;

        return true;
}

static bool parse_event(json_object *object, json_object *event, QmpMessage *message, GError **error) {
        message->name = get_string(event);
        if (!message->name || !message->name[0])
                return protocol_error(error, "an event has no name");

        if (json_object_object_get_ex(object, "data", &message->value) &&
            !json_object_is_type(message->value, json_type_object))
                return protocol_error(error, "the data of an event is no object");

        return parse_timestamp(object, &message->usec, error);
}

static bool parse_error(json_object *description, QmpMessage *message, GError **error) {
        json_object *class, *text;

        if (!json_object_is_type(description, json_type_object))
                return protocol_error(error, "an error is no object");

        class = get_member(description, "class", json_type_string);
        text = get_member(description, "desc", json_type_string);
        message->name = class ? get_string(class) : NULL;
        if (!message->name || !text)
                return protocol_error(error, "an error has no class or no text");

        message->description = json_object_get_string(text);
        return true;
}

bool qmp_message_parse(json_object *object, QmpMessage *ret, GError **error) {
        static const char *const keys[] = {
                [QMP_MESSAGE_GREETING] = "QMP",
                [QMP_MESSAGE_EVENT]    = "event",
                [QMP_MESSAGE_RETURN]   = "return",
                [QMP_MESSAGE_ERROR]    = "error",
        };
        QmpMessage message = { .usec = UINT64_MAX };
        json_object *member = NULL, *id = NULL;
        unsigned n_found = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                json_object *found = NULL;

                if (!json_object_object_get_ex(object, keys[i], &found))
                        continue;

                message.type = (QmpMessageType) i;
                member = found;
                n_found++;
        }

        if (n_found != 1)
                return protocol_error(error, n_found ? "it is of several kinds at once" : "it is of no known kind");

        if (json_object_object_get_ex(object, "id", &id))
                message.id = get_string(id);

        if (message.type == QMP_MESSAGE_GREETING && !parse_greeting(member, &message, error))
                return false;
        if (message.type == QMP_MESSAGE_EVENT && !parse_event(object, member, &message, error))
                return false;
        if (message.type == QMP_MESSAGE_ERROR && !parse_error(member, &message, error))
                return false;
        if (message.type == QMP_MESSAGE_RETURN)
                message.value = member;

        *ret = message;
        return true;
}

uint64_t qmp_unique_next(void) {
        static uint64_t last = 0;

        return ++last;
}

/*
 * A reply to a command of an earlier connection can arrive on a new one, and names given to getfd stay in QEMU after it. So the
 * number alone is not enough: hetd may have been restarted in between. Names must begin with a letter, and must be short: QEMU reads
 * its monitor byte by byte, and each byte of a command costs some microseconds.
 */
static const char *unique_epoch(void) {
        static const char digits[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        static char epoch[QMP_UNIQUE_EPOCH_LENGTH + 1];
        sd_id128_t random;

        if (epoch[0])
                return epoch;

        if (sd_id128_randomize(&random) < 0)
                random.qwords[0] = (uint64_t) g_get_real_time() << 16 ^ (uint64_t) getpid();
        for (size_t i = 0; i < QMP_UNIQUE_EPOCH_LENGTH; i++) {
                size_t base = i == 0 ? 52 : 62;

                epoch[i] = digits[random.qwords[0] % base];
                random.qwords[0] /= base;
        }
        return epoch;
}

char *qmp_unique_to_string(uint64_t number) {
        return g_strdup_printf("%s-%" G_GUINT64_FORMAT, unique_epoch(), number);
}

bool qmp_command_format(const char *command, json_object *arguments, const char *id, char **ret, GError **error) {
        json_object *object = json_object_new_object();
        size_t size = 0;

        json_object_object_add(object, "execute", json_object_new_string(command));
        if (arguments)
                json_object_object_add(object, "arguments", json_object_get(arguments));
        json_object_object_add(object, "id", json_object_new_string(id));

        const char *text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
        bool good = false;

        if (!text)
                g_set_error(error, HET_ERROR, HET_ERROR_FAILED, "Cannot write the command as JSON");
        else if (size > COMMAND_BYTES_MAX)
                g_set_error(error, HET_ERROR, HET_ERROR_LIMIT_EXCEEDED, "A command of %zu bytes is too long", size);
        else if (!g_utf8_validate_len(text, size, NULL))
                /* QEMU would answer this without the id, and the call would wait in vain */
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "The arguments of a command are not UTF-8");
        else {
                *ret = g_strconcat(text, "\n", NULL);
                good = true;
        }

        json_object_put(object);
        return good;
}
