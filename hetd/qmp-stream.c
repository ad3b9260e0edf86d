/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qmp-stream.h"

#include "util/error.h"

#include <stdarg.h>
#include <stdint.h>

/*
 * json-c could parse piece by piece, but what it then takes for valid depends on where the pieces end: a character cut in two is
 * refused, "1-2" cut behind the 1 is a number. So the end of the message is found here, and json-c gets it whole.
 */
struct QmpStream {
        size_t message_max;
        GString *message;               /* what has come of it; empty between messages */
        size_t n_values;
        unsigned depth;
        bool in_string, escaped;
        uint8_t utf8_missing;           /* continuation bytes that the character under way still needs */
        uint8_t utf8_low, utf8_high;    /* range of the next of them */
};

QmpStream *qmp_stream_new(size_t message_max) {
        QmpStream *stream = g_new0(QmpStream, 1);

        stream->message_max = MIN(message_max, (size_t) INT32_MAX);
        stream->message = g_string_new(NULL);
        return stream;
}

QmpStream *qmp_stream_free(QmpStream *stream) {
        if (!stream)
                return NULL;

        g_string_free(stream->message, true);
        g_free(stream);
        return NULL;
}

static bool protocol_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool protocol_error(GError **error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *what = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "The monitor sent %s", what);
        return false;
}

static bool is_space(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF */
static bool utf8_step(QmpStream *stream, uint8_t byte) {
        if (stream->utf8_missing > 0) {
                if (byte < stream->utf8_low || byte > stream->utf8_high)
                        return false;

                stream->utf8_missing--;
                stream->utf8_low = 0x80;
                stream->utf8_high = 0xbf;
                return true;
        }

        if (byte < 0x80)
                return true;
        if (byte < 0xc2 || byte > 0xf4)
                return false;

        stream->utf8_missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        stream->utf8_low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
        stream->utf8_high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
        return true;
}

static void string_step(QmpStream *stream, char c) {
        if (stream->escaped)
                stream->escaped = false;
        else if (c == '\\')
                stream->escaped = true;
        else if (c == '"')
                stream->in_string = false;
}

/* Which bracket closes which is left to json-c */
static bool structure_step(QmpStream *stream, char c, GError **error) {
        switch (c) {
        case '"':
                stream->in_string = true;
                break;
        case '{':
        case '[':
                stream->n_values++;
                if (++stream->depth > QMP_STREAM_DEPTH_MAX)
                        return protocol_error(error, "a message that nests deeper than %u", QMP_STREAM_DEPTH_MAX);
                break;
        case ',':
                stream->n_values++;
                break;
        case '}':
        case ']':
                stream->depth--;
                break;
        }

        if (stream->n_values > QMP_STREAM_VALUES_MAX)
                return protocol_error(error, "a message of more than %u values", QMP_STREAM_VALUES_MAX);

        return true;
}

/* Collects bytes up to the end of the message, or all */
static bool collect(QmpStream *stream, const char *bytes, size_t n_bytes, size_t *ret_taken, GError **error) {
        size_t i = 0;

        do {
                char c = bytes[i++];

                if (!utf8_step(stream, (uint8_t) c))
                        return protocol_error(error, "invalid UTF-8");
                if ((uint8_t) c < 0x20 && (stream->in_string || !is_space(c)))          /* json-c lets some pass */
                        return protocol_error(error, "a raw control character");
                if (stream->message->len + i > stream->message_max)
                        return protocol_error(error, "a message of more than %zu bytes", stream->message_max);

                if (stream->in_string)
                        string_step(stream, c);
                else if (!structure_step(stream, c, error))
                        return false;
        } while (stream->depth > 0 && i < n_bytes);

        g_string_append_len(stream->message, bytes, (gssize) i);
        *ret_taken = i;
        return true;
}

/* The collected message is complete */
static bool parse(QmpStream *stream, json_object **ret, GError **error) {
        json_tokener *tokener = json_tokener_new_ex(QMP_STREAM_DEPTH_MAX);

        if (!tokener)
                g_error("Out of memory");       /* as GLib does for every other allocation */

        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);

        json_object *message = json_tokener_parse_ex(tokener, stream->message->str, (int) stream->message->len);
        enum json_tokener_error status = json_tokener_get_error(tokener);
        size_t n_parsed = json_tokener_get_parse_end(tokener);
        bool good = status == json_tokener_success && n_parsed == stream->message->len;

        json_tokener_free(tokener);
        if (!good) {
                json_object_put(message);
                return protocol_error(error, "invalid JSON: %s", json_tokener_error_desc(status));
        }

        /* Not truncated: one large message must not hold its memory for the life of the connection */
        g_string_free(stream->message, true);
        stream->message = g_string_new(NULL);
        stream->n_values = 0;
        *ret = message;
        return true;
}

bool qmp_stream_push(QmpStream *stream, const char *bytes, size_t n_bytes,
                     size_t *ret_taken, json_object **ret_message, GError **error) {
        size_t n_space = 0, n_taken = 0;
        json_object *message = NULL;

        g_return_val_if_fail(stream && bytes && n_bytes > 0 && ret_taken && ret_message, false);

        if (stream->depth == 0) {
                while (n_space < n_bytes && is_space(bytes[n_space]))
                        n_space++;

                /* Every QMP message is an object; of a number or a word nobody could tell where it ends */
                if (n_space < n_bytes && bytes[n_space] != '{')
                        return protocol_error(error, "a byte 0x%02x where a message should begin",
                                              (unsigned) (uint8_t) bytes[n_space]);
        }

        if (n_space < n_bytes) {
                if (!collect(stream, bytes + n_space, n_bytes - n_space, &n_taken, error))
                        return false;
                if (stream->depth == 0 && !parse(stream, &message, error))
                        return false;
        }

        *ret_taken = n_space + n_taken;
        *ret_message = message;
        return true;
}
