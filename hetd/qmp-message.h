/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a QMP message says: types the members of the JSON object and refuses what does not conform, so that nobody after it has to
 * wonder. Also the other direction: identifiers and the text of a command. Used by QmpClient only.
 */

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum QmpMessageType {
        QMP_MESSAGE_GREETING,
        QMP_MESSAGE_EVENT,
        QMP_MESSAGE_RETURN,
        QMP_MESSAGE_ERROR,
} QmpMessageType;

/* All pointers are borrowed from the JSON object. */
typedef struct QmpMessage {
        QmpMessageType type;
        const char *id;                 /* RETURN, ERROR: NULL where there is none, or not one of ours (a string) */
        json_object *value;             /* RETURN: the value (NULL for JSON null); EVENT: data or NULL */
        const char *name;               /* EVENT: its name; ERROR: the class */
        const char *description;        /* ERROR: text for humans */
        uint64_t usec;                  /* EVENT: time stamp, UINT64_MAX without */
        unsigned major, minor, micro;   /* GREETING: version of QEMU */
} QmpMessage;

/* False with HET_ERROR_PROTOCOL where this is no QMP message. */
bool qmp_message_parse(json_object *object, QmpMessage *ret, GError **error);

/* A number never given out before in this process, > 0. */
uint64_t qmp_unique_next(void);

/*
 * The number as an identifier that no other process uses either: of a command, or a name for getfd (so never a digit first). It
 * begins with QMP_UNIQUE_EPOCH_LENGTH random characters that all of this process's identifiers share (35 bits), then "-NUMBER".
 */
#define QMP_UNIQUE_EPOCH_LENGTH 6U

char *qmp_unique_to_string(uint64_t number);

/* The line that executes the command. arguments may be NULL (borrowed). False where the text would not be valid for QEMU. */
bool qmp_command_format(const char *command, json_object *arguments, const char *id, char **ret, GError **error);
