/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Cuts the bytes that a QMP server sends into JSON objects. Lines mean nothing here (a server with pretty=on spreads one message
 * over many), chunks neither: a message may come in one-byte pieces or many in one piece. Used by QmpClient only.
 */

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define QMP_STREAM_DEPTH_MAX    64              /* nesting of one message */
#define QMP_STREAM_VALUES_MAX   (1024U * 1024)  /* values of one message: bounds the memory of what "[0,0,…" unfolds to */

typedef struct QmpStream QmpStream;

QmpStream *qmp_stream_new(size_t message_max);
QmpStream *qmp_stream_free(QmpStream *stream);          /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpStream, qmp_stream_free)

/*
 * Takes bytes up to the end of the first complete message, or all. *ret_message is that message (a JSON object, never another
 * type) or NULL when more bytes are needed; *ret_taken says how many bytes were used, at least one. False with HET_ERROR_PROTOCOL
 * when this is no stream of JSON objects, or a limit is exceeded; the stream is of no use then.
 */
bool qmp_stream_push(QmpStream *stream, const char *bytes, size_t n_bytes,
                     size_t *ret_taken, json_object **ret_message, GError **error);
