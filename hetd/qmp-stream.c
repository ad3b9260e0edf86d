/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qmp-stream.h"

#include "util/error.h"

#include <stdint.h>

struct QmpStream {
        json_tokener *tokener;
        size_t message_max;
        size_t n_bytes;                 /* of the message that is being read; 0 between messages */
        size_t n_values;
        uint8_t utf8_missing;           /* continuation bytes that the character under way still needs */
        uint8_t utf8_low, utf8_high;    /* range of the next of them */
};

QmpStream *qmp_stream_new(size_t message_max) {
        g_autoptr(QmpStream) stream = g_new0(QmpStream, 1);

        stream->message_max = MIN(message_max, (size_t) INT32_MAX);
        stream->tokener = json_tokener_new_ex(QMP_STREAM_DEPTH_MAX);
        if (!stream->tokener)
                g_error("Out of memory");       /* as GLib does for every other allocation */

        /* UTF-8 is checked here: json-c takes a character that is cut by the end of a chunk for an invalid one */
        json_tokener_set_flags(stream->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
        return g_steal_pointer(&stream);
}

QmpStream *qmp_stream_free(QmpStream *stream) {
        if (!stream)
                return NULL;

        if (stream->tokener)
                json_tokener_free(stream->tokener);

        g_free(stream);
        return NULL;
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

/* Checks what the tokener does not. Commas in strings count as well: the limit is far from any real message. */
static bool check_bytes(QmpStream *stream, const char *bytes, size_t n_bytes, GError **error) {
        for (size_t i = 0; i < n_bytes; i++) {
                if (!utf8_step(stream, (uint8_t) bytes[i])) {
                        g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "The monitor sent invalid UTF-8");
                        return false;
                }

                if (bytes[i] == ',' || bytes[i] == '[' || bytes[i] == '{')
                        stream->n_values++;
        }

        if (stream->n_values > QMP_STREAM_VALUES_MAX) {
                g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "The monitor sent a message of more than %u values",
                            QMP_STREAM_VALUES_MAX);
                return false;
        }

        return true;
}

static bool parse(QmpStream *stream, const char *bytes, size_t n_bytes,
                  size_t *ret_taken, json_object **ret_message, GError **error) {
        size_t room = stream->message_max - stream->n_bytes;
        size_t n_fed = MIN(n_bytes, room);
        json_object *message = json_tokener_parse_ex(stream->tokener, bytes, (int) n_fed);
        enum json_tokener_error status = json_tokener_get_error(stream->tokener);
        size_t n_taken = json_tokener_get_parse_end(stream->tokener);

        if (status != json_tokener_success && status != json_tokener_continue) {
                g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "The monitor sent invalid JSON: %s",
                            json_tokener_error_desc(status));
                return false;
        }

        if (!check_bytes(stream, bytes, n_taken, error)) {
                json_object_put(message);
                return false;
        }

        stream->n_bytes += n_taken;
        if (status == json_tokener_success) {
                stream->n_bytes = stream->n_values = 0;
        } else if (stream->n_bytes >= stream->message_max) {
                g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "The monitor sent a message of more than %zu bytes",
                            stream->message_max);
                return false;
        }

        *ret_taken = n_taken;
        *ret_message = message;
        return true;
}

bool qmp_stream_push(QmpStream *stream, const char *bytes, size_t n_bytes,
                     size_t *ret_taken, json_object **ret_message, GError **error) {
        size_t n_space = 0, n_taken = 0;
        json_object *message = NULL;

        g_return_val_if_fail(stream && bytes && n_bytes > 0 && ret_taken && ret_message, false);

        if (stream->n_bytes == 0) {
                while (n_space < n_bytes && is_space(bytes[n_space]))
                        n_space++;

                /* Every QMP message is an object. The tokener would take numbers and words too, and not know where they end. */
                if (n_space < n_bytes && bytes[n_space] != '{') {
                        g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL,
                                    "The monitor sent a byte 0x%02x where a message should begin",
                                    (unsigned) (uint8_t) bytes[n_space]);
                        return false;
                }
        }

        if (n_space < n_bytes &&
            !parse(stream, bytes + n_space, n_bytes - n_space, &n_taken, &message, error))
                return false;

        *ret_taken = n_space + n_taken;
        *ret_message = message;
        return true;
}
