/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Small files that outlive hetd, in its runtime directory: replaced as a whole or not at all. They are not flushed to a disk: what
 * they tell of ends with the boot that they were written in, and a process that dies takes nothing of them along.
 */

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define STATE_FILE_SIZE_MAX     (4U * 1024 * 1024)
#define STATE_FILE_VERSION      1U

bool state_file_write(const char *path, const void *data, size_t size, GError **error);
/* Adds version and boot, which state_file_read() checks */
bool state_file_write_json(const char *path, json_object *object, GError **error);
/* HET_ERROR_PROTOCOL: it cannot be understood; HET_ERROR_NOT_SUPPORTED: by this hetd. *ret is NULL, and no error, if it is of an earlier boot. */
bool state_file_read_json(const char *path, json_object **ret, GError **error);
